// When each task ran, and where: one group of lanes per worker, on a canvas, as a query may have 100,000 tasks.

import {html, useEffect, useMemo, useRef, useState} from './htm.js';
import * as format from './format.js';
import {packLanes, taskAt} from './lanes.js';
import {STAGE_COLOURS, stageName} from './tasks.js';

const AXIS_HEIGHT = 22;
const WORKER_GAP = 6;
const MOST_HEIGHT = 900;
const LANE_HEIGHT = {least: 2, most: 16};
const LABEL_HEIGHT = 13;
const TOLERANCE_PIXELS = 4;
const DRAG_PIXELS = 5;
const ZOOM = 2;
const KEYS_NOTE = 'Arrow keys go from task to task, plus and minus zoom.';
// What one still sees when zoomed in as far as it goes.
const SHORTEST_VIEW_MS = 0.5;

/** Colours of the style sheet as a canvas takes them; they depend on light or dark. */
function readColours(element) {
    const probe = document.createElement('span');
    element.parentNode.append(probe);
    const read = name => {
        probe.style.color = `var(${name})`;
        return getComputedStyle(probe).color;
    };
    const colours = {
        text: read('--muted'), line: read('--line'), bad: read('--bad'), strong: read('--text'),
        band: read('--band'), selection: read('--selection'),
        stages: Array.from({length: STAGE_COLOURS}, (_, index) => read(`--stage-${index}`)),
    };
    probe.remove();
    return colours;
}

function measure(packed, width) {
    const gutter = width < 500 ? 72 : 120;
    const gaps = packed.workers.length * WORKER_GAP;
    const lane = Math.max(LANE_HEIGHT.least, Math.min(LANE_HEIGHT.most,
        Math.floor((MOST_HEIGHT - gaps) / Math.max(1, packed.laneCount))));
    const tops = new Float64Array(packed.laneCount + 1);
    packed.workers.forEach((worker, index) => {
        for (let number = 0; number < worker.lanes; number++) {
            tops[worker.first + number] = AXIS_HEIGHT + (worker.first + number) * lane + (index + 0.5) * WORKER_GAP;
        }
    });
    return {gutter, lane, tops, width, height: AXIS_HEIGHT + packed.laneCount * lane + gaps + 2};
}

/** 5 to 10 ticks at round times. */
function ticks(view) {
    const rough = (view.to - view.from) / 6;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find(factor => factor * power >= rough) * power;
    const found = [];
    for (let time = Math.ceil(view.from / step) * step; time <= view.to + step * 1e-6; time += step) {
        found.push(time);
    }
    return found;
}

function paint(canvas, packed, size, view, {stageColour, marked, drag}) {
    const ratio = devicePixelRatio || 1;
    const {width, height, gutter, lane, tops} = size;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
    }
    const colours = readColours(canvas);
    const draw = canvas.getContext('2d');
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw.clearRect(0, 0, width, height);
    draw.font = '11px system-ui, sans-serif';
    draw.textBaseline = 'middle';
    const scale = (width - gutter) / (view.to - view.from);
    const toX = time => gutter + (time - view.from) * scale;

    paintFrame(draw, packed, size, view, colours, toX);
    draw.save();
    draw.beginPath();
    draw.rect(gutter, AXIS_HEIGHT, width - gutter, height - AXIS_HEIGHT);
    draw.clip();
    const bar = Math.max(1, lane - (lane > 4 ? 1 : 0));
    for (const [colour, items] of packed.byColour) {
        draw.fillStyle = colours.stages[colour];
        draw.globalAlpha = stageColour === null || stageColour === colour ? 1 : 0.15;
        for (const index of items) {
            if (packed.ends[index] < view.from || packed.starts[index] > view.to) {
                continue;
            }
            const x = toX(packed.starts[index]);
            // A line of less than a pixel would fade away; a gap between long bars shows where one task ends.
            const wide = (packed.ends[index] - packed.starts[index]) * scale;
            draw.fillRect(x, tops[packed.laneOf[index]], wide > 4 ? wide - 1 : Math.max(0.6, wide), bar);
        }
    }
    draw.globalAlpha = 1;
    paintFailures(draw, packed, size, view, colours, toX, bar);
    if (marked >= 0) {
        const x = toX(packed.starts[marked]);
        draw.strokeStyle = colours.strong;
        draw.lineWidth = 2;
        draw.strokeRect(x - 1, tops[packed.laneOf[marked]] - 1, Math.max(3, toX(packed.ends[marked]) - x + 1), bar + 2);
    }
    if (drag) {
        draw.fillStyle = colours.selection;
        draw.globalAlpha = 0.35;
        draw.fillRect(Math.min(drag.from, drag.to), AXIS_HEIGHT, Math.abs(drag.to - drag.from), height);
    }
    draw.restore();
    draw.globalAlpha = 1;
}

function paintFrame(draw, packed, size, view, colours, toX) {
    const {width, height, gutter, lane, tops} = size;
    let labelled = 0;
    packed.workers.forEach((worker, index) => {
        const top = tops[worker.first] - WORKER_GAP / 2;
        const high = worker.lanes * lane + WORKER_GAP;
        if (index % 2 === 0) {
            draw.fillStyle = colours.band;
            draw.fillRect(0, top, width, high);
        }
        const middle = top + high / 2;
        if (middle - labelled >= LABEL_HEIGHT) {
            labelled = middle;
            draw.fillStyle = colours.text;
            draw.textAlign = 'left';
            draw.fillText(fit(draw, worker.id, gutter - 12), 6, middle);
        }
    });
    draw.textAlign = 'center';
    for (const time of ticks(view)) {
        const x = toX(time);
        draw.fillStyle = colours.line;
        draw.fillRect(Math.round(x), AXIS_HEIGHT - 4, 1, height);
        draw.fillStyle = colours.text;
        const text = format.duration(time);
        const half = draw.measureText(text).width / 2;
        draw.fillText(text, Math.min(width - half - 1, Math.max(gutter, x)), AXIS_HEIGHT / 2 - 1);
    }
}

function paintFailures(draw, packed, size, view, colours, toX, bar) {
    const {at} = packed;
    draw.fillStyle = colours.bad;
    packed.rows.forEach((row, index) => {
        const state = row[at.state];
        if ((state === 'FAILED' || state === 'CANCELLED') && packed.ends[index] >= view.from) {
            const x = toX(packed.starts[index]);
            draw.fillRect(x, size.tops[packed.laneOf[index]] + bar - Math.min(3, bar),
                          Math.max(1, toX(packed.ends[index]) - x - 1), Math.min(3, bar));
        }
    });
}

function fit(draw, text, width) {
    if (draw.measureText(text).width <= width) {
        return text;
    }
    let kept = text.length;
    while (kept > 1 && draw.measureText(text.slice(0, kept) + '…').width > width) {
        kept--;
    }
    return text.slice(0, kept) + '…';
}

function describe(packed, index) {
    const {at} = packed;
    const row = packed.rows[index];
    const parts = [
        `${stageName(row[at.stage_id])}, task ${row[at.task_id]} on ${row[at.worker_id]}`,
        `${row[at.state]}${row[at.attempt] > 0 ? `, attempt ${row[at.attempt] + 1}` : ''}${
            row[at.speculative] ? ', speculative' : ''}`,
        `${format.duration(packed.ends[index] - packed.starts[index])}, from ${
            format.duration(packed.starts[index])} to ${format.duration(packed.ends[index])}`,
        `${format.count(row[at.rows_in])} rows in, ${format.count(row[at.rows_out])} out, ${
            format.bytes(row[at.bytes])}`,
    ];
    if (row[at.spilled_bytes]) {
        parts.push(`${format.bytes(row[at.spilled_bytes])} spilled`);
    }
    if (row[at.pruned_rows]) {
        parts.push(`${format.count(row[at.pruned_rows])} rows dropped by filters`);
    }
    return parts;
}

export function Timeline({tasks, colours, selected, duration, running}) {
    const canvas = useRef(null);
    const box = useRef(null);
    const [width, setWidth] = useState(0);
    const [theme, setTheme] = useState(0);
    const [view, setView] = useState(null);
    const [focused, setFocused] = useState(-1);
    const [hover, setHover] = useState(null);
    const [drag, setDrag] = useState(null);
    const packed = useMemo(() => packLanes(tasks, colours, duration), [tasks, colours, running ? duration : 0]);
    const whole = {from: 0, to: Math.max(packed.end, running ? duration : 0, SHORTEST_VIEW_MS) * 1.005};
    const shown = view ?? whole;
    const size = useMemo(() => measure(packed, width), [packed, width]);
    const stageColour = selected == null ? null : colours.get(selected) ?? null;
    const marked = focused >= 0 && focused < packed.rows.length ? focused : hover?.index ?? -1;

    useEffect(() => {
        const observer = new ResizeObserver(entries => setWidth(Math.floor(entries[0].contentRect.width)));
        observer.observe(box.current);
        const changed = () => setTheme(old => old + 1);
        addEventListener('themechange', changed);
        return () => {
            observer.disconnect();
            removeEventListener('themechange', changed);
        };
    }, []);

    useEffect(() => {
        if (width === 0) {
            return;
        }
        paint(canvas.current, packed, size, shown, {stageColour, marked, drag});
        canvas.current.dataset.painted = String(packed.rows.length);
    }, [packed, size, shown.from, shown.to, stageColour, marked, drag?.to, theme]);

    const scale = (size.width - size.gutter) / (shown.to - shown.from);
    const timeAt = x => shown.from + (x - size.gutter) / scale;

    function zoomTo(from, to) {
        const middle = (from + to) / 2;
        const half = Math.max(to - from, SHORTEST_VIEW_MS) / 2;
        const next = {from: Math.max(0, middle - half), to: Math.min(whole.to, middle + half)};
        setView(next.to - next.from >= whole.to * 0.999 ? null : next);
    }

    function zoom(factor, around = (shown.from + shown.to) / 2) {
        zoomTo(around - (around - shown.from) / factor, around + (shown.to - around) / factor);
    }

    function find(event) {
        const area = canvas.current.getBoundingClientRect();
        const [x, y] = [event.clientX - area.left, event.clientY - area.top];
        let lane = -1;
        for (let number = 0; number < packed.laneCount; number++) {
            if (y >= size.tops[number] - 1 && y < size.tops[number] + size.lane + 1) {
                lane = number;
            }
        }
        const index = x < size.gutter ? -1 : taskAt(packed, lane, timeAt(x), TOLERANCE_PIXELS / scale);
        return {x, y, index};
    }

    function onPointerMove(event) {
        const found = find(event);
        if (drag) {
            setDrag({...drag, to: Math.max(size.gutter, found.x)});
        }
        setHover(found.index >= 0 && !drag ? found : null);
    }

    function onPointerDown(event) {
        const found = find(event);
        if (event.pointerType === 'mouse' && event.button === 0 && found.x >= size.gutter) {
            canvas.current.setPointerCapture(event.pointerId);
            setDrag({from: found.x, to: found.x});
        }
    }

    function onPointerUp(event) {
        if (drag && Math.abs(drag.to - drag.from) > DRAG_PIXELS) {
            zoomTo(timeAt(Math.min(drag.from, drag.to)), timeAt(Math.max(drag.from, drag.to)));
        } else {
            setFocused(find(event).index);
        }
        setDrag(null);
    }

    /** Left and right: the tasks of the lane; up and down: the lane. What comes into focus comes into view. */
    function onKeyDown(event) {
        if (event.ctrlKey || event.altKey || event.metaKey || packed.rows.length === 0) {
            return;
        }
        const lane = marked < 0 ? 0 : packed.laneOf[marked];
        const items = packed.byLane[lane];
        const position = marked < 0 ? -1 : items.indexOf(marked);
        const beside = step => {
            const next = Math.min(packed.laneCount - 1, Math.max(0, lane + step));
            const found = taskAt(packed, next, marked < 0 ? 0 : packed.starts[marked], Infinity);
            return found < 0 ? marked : found;
        };
        const actions = {
            ArrowRight: () => items[Math.min(items.length - 1, position + 1)],
            ArrowLeft: () => items[Math.max(0, position - 1)],
            ArrowDown: () => marked < 0 ? items[0] : beside(1),
            ArrowUp: () => marked < 0 ? items[0] : beside(-1),
            Home: () => items[0],
            End: () => items.at(-1),
            '+': () => (zoom(ZOOM, marked < 0 ? undefined : packed.starts[marked]), focused),
            '-': () => (zoom(1 / ZOOM), focused),
            Escape: () => (setView(null), -1),
        };
        if (!Object.hasOwn(actions, event.key)) {
            return;
        }
        event.preventDefault();
        const next = actions[event.key]();
        setFocused(next);
        if (next >= 0 && (packed.starts[next] < shown.from || packed.starts[next] > shown.to)) {
            const half = (shown.to - shown.from) / 2;
            zoomTo(packed.starts[next] - half, packed.starts[next] + half);
        }
    }

    const details = focused >= 0 && focused < packed.rows.length ? describe(packed, focused).join(' · ') : '';
    return html`
        <div class="timeline-tools">
            <button type="button" class="button small" onClick=${() => zoom(ZOOM)} aria-label="Zoom in">+</button>
            <button type="button" class="button small" onClick=${() => zoom(1 / ZOOM)} disabled=${!view}
                aria-label="Zoom out">−</button>
            <button type="button" class="button small" onClick=${() => setView(null)} disabled=${!view}>
                Whole query</button>
            <span class="muted">Drag to zoom, click a task or use the arrow keys for its details.</span>
        </div>
        <div class="timeline" ref=${box} onPointerLeave=${() => setHover(null)}>
            <canvas ref=${canvas} tabindex="0" role="application" aria-describedby="timeline-details"
                aria-label=${`Timeline of ${format.plural(packed.rows.length, 'task')} on ${
                    format.plural(packed.workers.length, 'worker')}. ${KEYS_NOTE}`}
                style=${{width: `${size.width}px`, height: `${size.height}px`}} onKeyDown=${onKeyDown}
                onPointerMove=${onPointerMove} onPointerDown=${onPointerDown} onPointerUp=${onPointerUp}></canvas>
            ${hover && html`
                <div class="tooltip" style=${tooltipPlace(hover, size)}>
                    ${describe(packed, hover.index).map((line, number) => html`<div key=${number}>${line}</div>`)}
                </div>`}
        </div>
        <p class="timeline-details" id="timeline-details" role="status">${details}</p>`;
}

/** On the side where there is room. */
function tooltipPlace({x, y}, size) {
    const side = x > size.width / 2 ? {right: `${size.width - x + 12}px`} : {left: `${x + 12}px`};
    return {...side, top: `${Math.max(0, y + 14)}px`};
}
