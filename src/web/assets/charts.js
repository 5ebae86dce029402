// Small charts of the last minutes, made of what the server has sent since the page was opened.

import {html} from './htm.js';
import * as format from './format.js';

const KEPT_SECONDS = 600;
const WIDTH = 600;
const HEIGHT = 72;
// A pause this long is shown as a gap: nobody knows what happened meanwhile.
const GAP_SECONDS = 5;

/** One point per state of the cluster, the oldest dropped. It outlives the pages, which come and go. */
export class History {
    constructor() {
        this.points = [];
    }

    add(cluster) {
        const seconds = cluster.now_us / 1e6;
        const last = this.points.at(-1);
        if (last && seconds <= last.seconds) {
            return;
        }
        // The counter begins anew with the server.
        const rate = last && cluster.bytes_exchanged >= last.bytes && seconds - last.seconds < GAP_SECONDS ?
            (cluster.bytes_exchanged - last.bytes) / (seconds - last.seconds) : 0;
        this.points.push({
            seconds,
            queries: cluster.queries.running,
            queued: cluster.queries.queued,
            tasks: cluster.running_tasks,
            bytes: cluster.bytes_exchanged,
            rate,
        });
        while (this.points[0].seconds < seconds - KEPT_SECONDS) {
            this.points.shift();
        }
    }
}

/** A chart must not jump with each new greatest value: its top is 1, 2 or 5 times a power of ten. */
function niceTop(value) {
    if (value <= 1) {
        return 1;
    }
    const power = 10 ** Math.floor(Math.log10(value));
    return power * [1, 2, 5, 10].find(step => step * power >= value);
}

function paths(points, field, top, begin, span) {
    const runs = [];
    let last = null;
    for (const point of points) {
        if (!last || point.seconds - last.seconds > GAP_SECONDS) {
            runs.push([]);
        }
        const x = (point.seconds - begin) / span * WIDTH;
        const y = HEIGHT - point[field] / top * (HEIGHT - 4) - 1;
        runs.at(-1).push([x.toFixed(1), y.toFixed(1)]);
        last = point;
    }
    return runs.map(run => ({
        line: 'M' + run.map(pair => pair.join(' ')).join('L'),
        area: `M${run[0][0]} ${HEIGHT}L` + run.map(pair => pair.join(' ')).join('L') + `L${run.at(-1)[0]} ${HEIGHT}Z`,
    }));
}

export function HistoryChart({points, field, label, show = format.shortCount}) {
    const values = points.map(point => point[field]);
    const greatest = Math.max(0, ...values);
    const top = niceTop(greatest);
    const end = points.at(-1)?.seconds ?? 0;
    const span = Math.max(60, end - (points[0]?.seconds ?? end));
    const text = `${label}: now ${show(values.at(-1) ?? 0)}, at most ${show(greatest)}`;
    return html`
        <figure class="chart">
            <figcaption><span>${label}</span><strong>${show(values.at(-1) ?? 0)}</strong></figcaption>
            <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${text}>
                ${paths(points, field, top, end - span, span).map((run, index) => html`
                    <g key=${index}>
                        <path class="chart-area" d=${run.area} /><path class="chart-line" d=${run.line} />
                    </g>`)}
                <line class="chart-axis" x1="0" x2=${WIDTH} y1=${HEIGHT - 0.5} y2=${HEIGHT - 0.5} />
            </svg>
            <span class="chart-note"><span>last ${Math.round(span / 60)} min</span><span>at most ${
                show(greatest)}</span></span>
        </figure>`;
}
