// The stages of a query as a graph: rows flow from the top to the bottom, into the session.

import {html, useMemo} from './htm.js';
import {Graph, layout} from './dagre.js';
import * as format from './format.js';
import {shortDescription, stageName} from './tasks.js';
import {queryHref} from './widgets.js';

const NODE_WIDTH = 248;
const NODE_HEIGHT = 92;
const SESSION = 'session';
const SESSION_WIDTH = 120;
const SESSION_HEIGHT = 36;
const LABEL_WIDTH = 118;
const LABEL_HEIGHT = 34;
const MARGIN = 12;
const HEAT_STEPS = 5;
const LINE_CHARACTERS = 29;
const END_GAP = 30;
// A wide graph shrinks until its text would be too small to read, then it scrolls.
const SMALLEST_SCALE = 0.75;

/** The stages that nobody reads are read by the session. */
function edgesOf(stages) {
    const known = new Set(stages.map(stage => stage.stage_id));
    const edges = [];
    const read = new Set();
    for (const stage of stages) {
        for (const input of stage.inputs ?? []) {
            if (known.has(input)) {
                edges.push({from: input, to: stage.stage_id, kind: 'rows'});
                read.add(input);
            }
        }
        for (const input of stage.filters_from ?? []) {
            if (known.has(input)) {
                edges.push({from: input, to: stage.stage_id, kind: 'filter'});
            }
        }
    }
    // Where the inputs are not known, only the result's reader is.
    const unknown = stages.some(stage => stage.inputs === null || stage.inputs === undefined);
    for (const stage of stages) {
        if (stage.exchange === 'RESULT' || (!unknown && !read.has(stage.stage_id))) {
            edges.push({from: stage.stage_id, to: SESSION, kind: 'rows'});
        }
    }
    return {edges, unknown};
}

/** Depends on nothing that changes while a query runs, so that the graph stands still. */
function place(shape) {
    const graph = new Graph({multigraph: true});
    graph.setGraph({rankdir: 'TB', nodesep: 28, ranksep: 46, marginx: MARGIN, marginy: MARGIN});
    graph.setDefaultEdgeLabel(() => ({}));
    for (const id of shape.ids) {
        graph.setNode(String(id), {width: NODE_WIDTH, height: NODE_HEIGHT});
    }
    graph.setNode(SESSION, {width: SESSION_WIDTH, height: SESSION_HEIGHT});
    for (const edge of shape.edges) {
        const label = edge.kind === 'rows' ? {width: LABEL_WIDTH, height: LABEL_HEIGHT, labelpos: 'c'} :
                                             {width: 1, height: 1, weight: 0};
        graph.setEdge(String(edge.from), String(edge.to), label, edge.kind);
    }
    layout(graph);
    const edges = shape.edges.map(edge => {
        const {points, x, y} = graph.edge({v: String(edge.from), w: String(edge.to), name: edge.kind});
        // The ends are set anew below: dagre cuts them where a straight line would enter the box, often at its side.
        return {...edge, x, y, bends: points.slice(1, -1)};
    });
    for (const id of graph.nodes()) {
        const {x, y, width, height} = graph.node(id);
        const leaving = edges.filter(edge => String(edge.from) === id);
        const coming = edges.filter(edge => String(edge.to) === id);
        spread(leaving, edge => edge.bends[0].x, x, width, (edge, end) => {
            edge.start = {x: end, y: y + height / 2};
        });
        spread(coming, edge => edge.bends.at(-1).x, x, width, (edge, end) => {
            edge.end = {x: end, y: y - height / 2};
        });
    }
    return {
        width: graph.graph().width,
        height: graph.graph().height,
        nodes: new Map(graph.nodes().map(id => [id, graph.node(id)])),
        edges,
    };
}

/** Lines at the same side of a box lie beside each other, in an order in which they do not cross. */
function spread(edges, position, middle, width, set) {
    const gap = Math.min(END_GAP, (width - 2 * MARGIN) / Math.max(1, edges.length));
    edges.sort((a, b) => position(a) - position(b)).forEach((edge, index) =>
        set(edge, middle + (index - (edges.length - 1) / 2) * gap));
}

/** Through all bends, and so through the label; it leaves and enters boxes from above and below. */
function curve({start, bends, end}) {
    let path = `M${start.x} ${start.y}`;
    let last = start;
    for (const point of [...bends, end]) {
        const middle = (last.y + point.y) / 2;
        path += `C${last.x} ${middle} ${point.x} ${middle} ${point.x} ${point.y}`;
        last = point;
    }
    return path;
}

/** More bytes, a thicker line; each step is ten times as much. */
const widthOf = size => Math.min(7, 1.5 + Math.max(0, Math.log10((size || 1) / 1e4)) * 0.9);

export function StageGraph({queryId, stages, selected}) {
    const shapeKey = JSON.stringify(stages.map(stage =>
        [stage.stage_id, stage.inputs, stage.filters_from, stage.exchange]));
    const {placed, unknown} = useMemo(() => {
        const found = edgesOf(stages);
        return {placed: place({ids: stages.map(stage => stage.stage_id), edges: found.edges}), unknown: found.unknown};
    }, [shapeKey]);
    const busy = stages.reduce((sum, stage) => sum + (stage.busy_ms ?? 0), 0);
    const byId = new Map(stages.map(stage => [stage.stage_id, stage]));
    const {width, height} = placed;
    return html`
        <div class="graph-box" role="region" aria-label="Graph of the stages" tabindex="0">
            <svg class="graph" viewBox=${`0 0 ${width} ${height}`} role="group"
                style=${{width: `min(100%, ${width}px)`, minWidth: `${width * SMALLEST_SCALE}px`}}
                aria-label="Stages, and the rows between them">
                <defs>
                    <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
                        markerUnits="userSpaceOnUse" orient="auto">
                        <path class="graph-arrow" d="M0 0L8 4L0 8Z" /></marker>
                </defs>
                ${placed.edges.map(edge => html`<${Edge} key=${`${edge.from}-${edge.to}-${edge.kind}`} edge=${edge}
                    stage=${byId.get(edge.from)} />`)}
                ${placed.edges.filter(edge => edge.kind === 'rows').map(edge => html`
                    <${EdgeLabel} key=${`${edge.from}-${edge.to}`} edge=${edge} stage=${byId.get(edge.from)} />`)}
                ${stages.map(stage => html`<${Node} key=${stage.stage_id} stage=${stage} queryId=${queryId}
                    place=${placed.nodes.get(String(stage.stage_id))} selected=${selected === stage.stage_id}
                    share=${busy > 0 ? (stage.busy_ms ?? 0) / busy : 0} />`)}
                <${SessionNode} place=${placed.nodes.get(SESSION)} />
            </svg>
        </div>
        <p class="legend muted">
            <span class="legend-heat" aria-hidden="true">${Array.from({length: HEAT_STEPS}, (_, step) =>
                html`<i key=${step} class=${`heat-${step}`}></i>`)}</span>
            <span>share of the threads' time</span>
            <span class="legend-line" aria-hidden="true"></span><span>rows</span>
            <span class="legend-line dashed" aria-hidden="true"></span><span>values that filter a scan</span>
            ${unknown && html`<span>The history does not say which stage read which: lines are missing.</span>`}
        </p>`;
}

function Edge({edge, stage}) {
    const path = curve(edge);
    if (edge.kind === 'filter') {
        return html`<path class="graph-edge graph-filter" d=${path} marker-end="url(#arrow)" />`;
    }
    return html`<path class="graph-edge" d=${path} stroke-width=${widthOf(stage.bytes)} marker-end="url(#arrow)" />`;
}

/** Above all lines, as some of them pass close by. */
function EdgeLabel({edge, stage}) {
    return html`
        <g>
            <rect class="graph-label-back" x=${edge.x - LABEL_WIDTH / 2} y=${edge.y - LABEL_HEIGHT / 2}
                width=${LABEL_WIDTH} height=${LABEL_HEIGHT} rx="4" />
            <text class="graph-label" x=${edge.x} y=${edge.y - 3} text-anchor="middle">${
                format.shortCount(stage.rows_out)} rows</text>
            <text class="graph-label" x=${edge.x} y=${edge.y + 12} text-anchor="middle">${
                format.bytes(stage.bytes)} ${(stage.exchange ?? '').toLowerCase().replaceAll('_', ' ')}</text>
        </g>`;
}

function Node({stage, queryId, place, selected, share}) {
    const heat = Math.min(HEAT_STEPS - 1, Math.floor(share * HEAT_STEPS));
    const x = place.x - NODE_WIDTH / 2;
    const y = place.y - NODE_HEIGHT / 2;
    const done = stage.tasks > 0 ? stage.tasks_done / stage.tasks : 0;
    const tasks = stage.tasks_done < stage.tasks ? `${format.shortCount(stage.tasks_done)} of ${
        format.plural(stage.tasks, 'task')}` : format.plural(stage.tasks, 'task');
    const href = queryHref(queryId) + (selected ? '' : `?stage=${stage.stage_id}`);
    const label = `${stageName(stage.stage_id)}: ${stage.description ?? ''}; ${tasks}, ${
        format.duration(stage.busy_ms)}, ${format.percent(share)} of the time`;
    return html`
        <a href=${href} class=${`graph-node heat-${heat}${selected ? ' selected' : ''}`} aria-label=${label}
            aria-current=${selected ? 'true' : null}>
            <title>${stage.description}</title>
            <rect x=${x} y=${y} width=${NODE_WIDTH} height=${NODE_HEIGHT} rx="8" />
            <text class="graph-title" x=${x + 12} y=${y + 21}>${stageName(stage.stage_id)}</text>
            <text class="graph-share" x=${x + NODE_WIDTH - 12} y=${y + 21} text-anchor="end">${
                format.percent(share)}</text>
            <text class="graph-text" x=${x + 12} y=${y + 41}>${
                shortDescription(stage.description, LINE_CHARACTERS)}</text>
            <text class="graph-text graph-faint" x=${x + 12} y=${y + 59}>${
                tasks} · ${format.duration(stage.busy_ms)}</text>
            <text class="graph-text graph-faint" x=${x + 12} y=${y + 76}>${
                format.shortCount(stage.rows_in)} rows in${
                stage.spilled_bytes ? ` · ${format.bytes(stage.spilled_bytes)} spilled` : ''}</text>
            ${done < 1 && html`
                <rect class="graph-progress-back" x=${x + 8} y=${y + NODE_HEIGHT - 7} width=${NODE_WIDTH - 16}
                    height="3" />
                <rect class="graph-progress" x=${x + 8} y=${y + NODE_HEIGHT - 7} width=${(NODE_WIDTH - 16) * done}
                    height="3" />`}
        </a>`;
}

function SessionNode({place}) {
    return html`
        <g class="graph-session">
            <rect x=${place.x - SESSION_WIDTH / 2} y=${place.y - SESSION_HEIGHT / 2} width=${SESSION_WIDTH}
                height=${SESSION_HEIGHT} rx="18" />
            <text class="graph-title" x=${place.x} y=${place.y + 5} text-anchor="middle">Session</text>
        </g>`;
}
