// The tasks of a query as the server sends them: rows of values, as 100,000 objects would take long to make.

/** Where each column is in a row, so that the server may add columns and change their order. */
export function columnsOf(tasks) {
    return Object.fromEntries(tasks.columns.map((name, index) => [name, index]));
}

export function median(values) {
    if (values.length === 0) {
        return 0;
    }
    const sorted = Float64Array.from(values).sort();
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What a task has run until now; the server may leave it open while it runs. */
export function durationOf(row, at, now) {
    return row[at.duration_ms] ?? (row[at.state] === 'RUNNING' && row[at.start_ms] != null ?
                                       Math.max(0, now - row[at.start_ms]) : null);
}

/** The stages in the order in which they were cut, the result's last. */
export const stageName = id => `Stage ${id}`;

/** Eight colours in turn, the same in the graph, the bars and the timeline. */
export const STAGE_COLOURS = 8;

export function stageColours(stages) {
    return new Map(stages.map((stage, index) => [stage.stage_id, index % STAGE_COLOURS]));
}

/** The first operators of a stage's description, for places where there is little room. */
export function shortDescription(description, length = 44) {
    if (!description || description.length <= length) {
        return description ?? '';
    }
    return description.slice(0, length - 1).trimEnd() + '…';
}
