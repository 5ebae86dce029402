// Which lane of the timeline each task gets. Tasks that ran at the same time on a worker lie below each other.

import {columnsOf, durationOf} from './tasks.js';

// A canvas has a greatest height, and nobody looks at more lanes than these. With very many workers some tasks of a
// worker share its last lane.
const MOST_LANES = 900;
// Two tasks may seem to overlap by the grain of the clocks.
const GRAIN_MS = 0.05;

const byName = new Intl.Collator('en', {numeric: true});

/**
 * {workers: [{id, first, lanes}], laneCount, starts, ends, laneOf, colourOf, rows, byColour, byLane, end}
 * Typed arrays, with one entry per task that has begun; byLane is sorted by start.
 */
export function packLanes(tasks, colours, now) {
    const at = columnsOf(tasks);
    const begun = tasks.rows.filter(row => row[at.start_ms] != null && row[at.worker_id]);
    begun.sort((a, b) => a[at.start_ms] - b[at.start_ms]);
    const size = begun.length;
    const starts = new Float64Array(size);
    const ends = new Float64Array(size);
    const laneOf = new Int32Array(size);
    const colourOf = new Uint8Array(size);
    const names = [...new Set(begun.map(row => row[at.worker_id]))].sort(byName.compare);
    const cap = Math.max(1, Math.floor(MOST_LANES / Math.max(1, names.length)));
    const free = new Map(names.map(name => [name, []]));
    let end = 0;
    for (let index = 0; index < size; index++) {
        const row = begun[index];
        starts[index] = row[at.start_ms];
        ends[index] = starts[index] + (durationOf(row, at, now) ?? 0);
        colourOf[index] = colours.get(row[at.stage_id]) ?? 0;
        end = Math.max(end, ends[index]);
        const lanes = free.get(row[at.worker_id]);
        let lane = lanes.findIndex(until => until <= starts[index] + GRAIN_MS);
        if (lane < 0) {
            lane = lanes.length < cap ? lanes.length : cap - 1;
        }
        lanes[lane] = Math.max(lanes[lane] ?? 0, ends[index]);
        laneOf[index] = lane;
    }
    const workers = [];
    const firstOf = new Map();
    let laneCount = 0;
    for (const id of names) {
        workers.push({id, first: laneCount, lanes: free.get(id).length});
        firstOf.set(id, laneCount);
        laneCount += free.get(id).length;
    }
    const byLane = Array.from({length: laneCount}, () => []);
    const byColour = new Map();
    for (let index = 0; index < size; index++) {
        laneOf[index] += firstOf.get(begun[index][at.worker_id]);
        byLane[laneOf[index]].push(index);
        const colour = colourOf[index];
        if (!byColour.has(colour)) {
            byColour.set(colour, []);
        }
        byColour.get(colour).push(index);
    }
    return {workers, laneCount, starts, ends, laneOf, colourOf, rows: begun, byColour, byLane, end, at};
}

/** The task of a lane at a time, or the one that is nearest to it within `tolerance`; -1: none. */
export function taskAt(packed, lane, time, tolerance) {
    const items = packed.byLane[lane];
    if (!items || items.length === 0) {
        return -1;
    }
    let low = 0;
    let high = items.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (packed.starts[items[middle]] <= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let best = -1;
    let bestDistance = tolerance;
    for (const candidate of [low - 1, low]) {
        if (candidate < 0 || candidate >= items.length) {
            continue;
        }
        const index = items[candidate];
        const distance = Math.max(0, packed.starts[index] - time, time - packed.ends[index]);
        if (distance <= bestDistance && (best < 0 || distance < bestDistance)) {
            best = index;
            bestDistance = distance;
        }
    }
    return best;
}
