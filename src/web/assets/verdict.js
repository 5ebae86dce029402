// Why was it slow? Sentences made of the facts of a query, the weightiest first. Pure functions: facts in, text out.

import * as format from './format.js';
import {columnsOf, durationOf, median} from './tasks.js';

// What is below these is not worth anybody's attention.
const SKEW_FACTOR = 3;
const SKEW_SHARE_OF_QUERY = 0.1;
const OUTSIDE_SHARE = 0.25;
const OUTSIDE_MS = 100;
const SMALL_QUERY_MS = 300;
const STAGE_SHARE = 0.4;
const IMBALANCE_FACTOR = 2;
const ESTIMATE_FACTOR = 20;
const ESTIMATE_ROWS = 100000;

const ENDED = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST'];

/** [{tone: 'bad'|'warn'|'info'|'good', title, text, stage?}] */
export function verdict({query, stages, tasks}, cluster) {
    const facts = [...state(query, stages), ...mode(query)];
    if (stages.length > 0 && tasks) {
        const at = columnsOf(tasks);
        const found = [
            ...slowestStage(query, stages),
            ...skew(query, stages, tasks, at),
            ...spilled(stages, query),
            ...retries(query, tasks, at),
            ...workers(query, stages, tasks, at, cluster),
            ...outside(query, stages),
            ...estimates(stages),
        ];
        facts.push(...found);
        if (query.state === 'SUCCEEDED' && !facts.some(fact => fact.tone !== 'info')) {
            facts.push({tone: 'good', title: 'Nothing stands out',
                        text: 'No skew, no spilling, no retries; the work was spread over the workers.'});
        }
    }
    const order = {bad: 0, warn: 1, info: 2, good: 3};
    return facts.sort((a, b) => order[a.tone] - order[b.tone]);
}

function state(query, stages) {
    const took = format.duration(query.duration_ms);
    switch (query.state) {
    case 'QUEUED':
        return [{tone: 'warn', title: 'It waits', text: `For ${took} until now: other queries run before it.`}];
    case 'RUNNING':
        return stages.length === 0 ? [] : [{tone: 'info', title: 'It runs', text:
            `For ${took} until now: ${format.count(query.tasks_done)} of ${format.plural(query.tasks, 'task')} are ` +
            `done, ${format.count(query.tasks_running)} run.`}];
    case 'FAILED':
        return [{tone: 'bad', title: 'It failed', text: `After ${took}. The error is below.`}];
    case 'CANCELLED':
        return [{tone: 'warn', title: 'It was cancelled', text: `After ${took}.`}];
    case 'LOST':
        return [{tone: 'bad', title: 'It was lost', text: 'Its driver ended before the query did.'}];
    default:
        return [];
    }
}

function mode(query) {
    // Why it was not distributed is told to administrators only.
    const reason = query.local_reason ? ` Reason: ${query.local_reason}.`.replace(/\.\.$/, '.') : '';
    if (query.mode === 'LOCAL') {
        return [{tone: reason ? 'warn' : 'info', title: 'No worker took part',
                 text: `It ran in the session.${reason}`}];
    }
    if (query.mode === 'PARTIAL') {
        return [{tone: 'warn', title: 'Only a part ran on the workers',
                 text: `The rest ran on one machine, in the session.${reason}`}];
    }
    return [];
}

const nameOf = stage => `Stage ${stage.stage_id}`;
const what = stage => stage.description ? ` (${stage.description})` : '';
/** How long a stage ran; one without an end still runs. */
const span = (stage, query) =>
    stage.start_ms == null ? 0 : Math.max(0, (stage.end_ms ?? query.duration_ms) - stage.start_ms);

function slowestStage(query, stages) {
    const busy = stages.reduce((sum, stage) => sum + (stage.busy_ms ?? 0), 0);
    const slowest = stages.reduce((a, b) => (b.busy_ms ?? 0) > (a.busy_ms ?? 0) ? b : a);
    if (busy <= 0) {
        return [];
    }
    const share = slowest.busy_ms / busy;
    const ofQuery = query.duration_ms > 0 ? span(slowest, query) / query.duration_ms : 0;
    const text = `${nameOf(slowest)}${what(slowest)} took ${format.percent(share)} of the time of the workers' ` +
        `threads: ${format.duration(slowest.busy_ms)} of ${format.duration(busy)}. It ran during ` +
        `${format.percent(Math.min(1, ofQuery))} of the query's ${format.duration(query.duration_ms)}.`;
    const title = stages.length > 1 && share >= STAGE_SHARE ? `Most of the time went into stage ${slowest.stage_id}` :
                                                             `The longest is stage ${slowest.stage_id}`;
    return [{tone: 'info', title, text, stage: slowest.stage_id}];
}

function skew(query, stages, tasks, at) {
    const facts = [];
    for (const stage of stages) {
        const slowest = stage.slowest;
        if (!slowest || !(stage.median_ms > 0) || stage.tasks < 3) {
            continue;
        }
        const factor = slowest.duration_ms / stage.median_ms;
        const share = slowest.duration_ms / Math.max(1, query.duration_ms);
        if (factor < SKEW_FACTOR || share < SKEW_SHARE_OF_QUERY || query.duration_ms < SMALL_QUERY_MS) {
            continue;
        }
        const rows = tasks.rows.filter(row => row[at.stage_id] === stage.stage_id);
        const task = rows.find(row => row[at.task_id] === slowest.task_id);
        const middle = median(rows.map(row => row[at.rows_in] ?? 0));
        let cause = '';
        if (task && middle > 0 && task[at.rows_in] / middle >= SKEW_FACTOR / 2) {
            const read = format.shortCount(task[at.rows_in]);
            cause = ` It read ${read} rows, the median is ${format.shortCount(middle)}:` +
                (stage.keys ? ` few values of the keys (${stage.keys}) or few files hold most rows.` :
                              ' its part of the data is the larger one.');
        } else if (task && middle > 0) {
            cause = ' It did not read many more rows than the others: the worker was slow or had much else to do.';
        }
        facts.push({tone: share > 0.3 ? 'bad' : 'warn', title: `One task of stage ${stage.stage_id} took much longer`,
                    stage: stage.stage_id, text: `Task ${slowest.task_id} on ${slowest.worker_id} took ` +
                    `${format.duration(slowest.duration_ms)}, the median ${format.duration(stage.median_ms)}: ` +
                    `${factor.toFixed(factor < 10 ? 1 : 0)} times as long.${cause}`, weight: share});
    }
    return facts.sort((a, b) => b.weight - a.weight).slice(0, 3);
}

function spilled(stages, query) {
    const ofStages = stages.reduce((sum, stage) => sum + (stage.spilled_bytes ?? 0), 0);
    const total = Math.max(query.spilled_bytes ?? 0, ofStages);
    if (total === 0) {
        return [];
    }
    const most = stages.reduce((a, b) => (b.spilled_bytes ?? 0) > (a.spilled_bytes ?? 0) ? b : a);
    const where = most.spilled_bytes > 0 ?
        `, most of it (${format.bytes(most.spilled_bytes)}) in stage ${most.stage_id}` : '';
    return [{tone: 'warn', title: 'Memory was short', stage: most.stage_id,
             text: `${format.bytes(total)} went to disk and back${where}. More memory for the workers, or more ` +
                 'workers, would avoid that.'}];
}

function retries(query, tasks, at) {
    if (!query.retries) {
        return [];
    }
    const hit = new Set();
    for (const row of tasks.rows) {
        if (row[at.attempt] > 0 && row[at.speculative] !== true) {
            hit.add(row[at.stage_id]);
        }
    }
    const where = hit.size > 0 ? `, in ${format.plural(hit.size, 'stage')} (${[...hit].slice(0, 5).join(', ')})` : '';
    return [{tone: 'warn', title: 'Work was done again',
             text: `${format.plural(query.retries, 'attempt')} beyond the first of their task${where}: a worker ` +
                 'failed, went away, or lost rows that it had kept.'}];
}

function workers(query, stages, tasks, at, cluster) {
    const facts = [];
    const ended = ENDED.includes(query.state);
    const active = cluster?.workers.active ?? 0;
    if (ended && query.workers > 0 && query.workers < active && query.duration_ms >= SMALL_QUERY_MS) {
        facts.push({tone: 'warn', title: 'Few workers took part',
                    text: `${query.workers} did; ${active} are active now.`});
    }
    const slowest = stages.reduce((a, b) => (b.busy_ms ?? 0) > (a.busy_ms ?? 0) ? b : a);
    const busyOf = new Map();
    for (const row of tasks.rows) {
        const duration = durationOf(row, at, query.duration_ms) ?? 0;
        busyOf.set(row[at.worker_id], (busyOf.get(row[at.worker_id]) ?? 0) + duration);
    }
    busyOf.delete(null);
    busyOf.delete('');
    if (ended && cluster?.threads > 0 && slowest.tasks < cluster.threads / 2 && active > 1 &&
        span(slowest, query) > 0.3 * query.duration_ms && query.duration_ms >= SMALL_QUERY_MS) {
        facts.push({tone: 'warn', title: `Stage ${slowest.stage_id} had few tasks`, stage: slowest.stage_id,
                    text: `${format.plural(slowest.tasks, 'task')} for ${format.plural(cluster.threads, 'thread')}: ` +
                        'most of them had nothing to do meanwhile.'});
    }
    if (ended && busyOf.size > 1 && query.duration_ms >= SMALL_QUERY_MS) {
        const [name, most] = [...busyOf].reduce((a, b) => b[1] > a[1] ? b : a);
        const middle = median([...busyOf.values()]);
        if (middle > 0 && most / middle >= IMBALANCE_FACTOR) {
            facts.push({tone: 'warn', title: `${name} had more to do than the others`,
                        text: `Its tasks took ${format.duration(most)} together, the median of the workers is ` +
                            `${format.duration(middle)}.`});
        }
    }
    return facts;
}

/** Time before the first task (planning, waiting) and after the last one (the session's own part). */
function outside(query, stages) {
    if (query.state !== 'SUCCEEDED' || query.duration_ms < SMALL_QUERY_MS) {
        return [];
    }
    const ran = stages.filter(stage => stage.start_ms != null && stage.end_ms != null);
    if (ran.length === 0) {
        return [];
    }
    const before = Math.min(...ran.map(stage => stage.start_ms));
    const after = query.duration_ms - Math.max(...ran.map(stage => stage.end_ms));
    const facts = [];
    if (before > OUTSIDE_MS && before / query.duration_ms > OUTSIDE_SHARE) {
        facts.push({tone: 'warn', title: 'It began late',
                    text: `${format.duration(before)} (${format.percent(before / query.duration_ms)}) passed before ` +
                        'the first task: planning, or waiting for other queries.'});
    }
    if (after > OUTSIDE_MS && after / query.duration_ms > OUTSIDE_SHARE) {
        facts.push({tone: 'warn', title: 'The session took long at the end',
                    text: `${format.duration(after)} (${format.percent(after / query.duration_ms)}) passed after the ` +
                        'last task: putting the parts together, or waiting for the client to fetch rows.'});
    }
    return facts;
}

function estimates(stages) {
    return stages.filter(stage => {
        const [estimated, actual] = [stage.estimated_rows ?? 0, stage.rows_out ?? 0];
        const ratio = Math.max(estimated, 1) / Math.max(actual, 1);
        return stage.estimated_rows != null && Math.max(estimated, actual) >= ESTIMATE_ROWS && stage.tasks > 0 &&
            stage.tasks_done === stage.tasks && (ratio >= ESTIMATE_FACTOR || ratio <= 1 / ESTIMATE_FACTOR);
    }).slice(0, 2).map(stage => ({
        tone: 'info', title: `The estimate of stage ${stage.stage_id} was far off`, stage: stage.stage_id,
        text: `${format.shortCount(stage.estimated_rows)} rows were expected, ${
            format.shortCount(stage.rows_out)} came.`,
    }));
}
