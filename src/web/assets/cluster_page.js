// The first page: what runs, what waits, who is there.

import {html} from './htm.js';
import {useResource} from './api.js';
import {HistoryChart} from './charts.js';
import {ErrorBox, MemoryMeter, Mode, Pager, Progress, QueryLink, Section, State, TableBox, Tile, Time, Waiting,
        WorkerLink, usePages} from './widgets.js';
import * as format from './format.js';

const RUNNING_SHOWN = 20;
const WAITING_SHOWN = 10;
const LAST_SHOWN = 8;
const WORKERS_A_PAGE = 50;

export function ClusterPage({cluster, history, tick}) {
    const {running, queued} = cluster.queries;
    // What runs changes all the time, the rest only when a query has begun or ended.
    const runningList = useResource(running ? `/queries?state=RUNNING&limit=${RUNNING_SHOWN}` : null, tick);
    const queuedList = useResource(queued ? `/queries?state=QUEUED&limit=${WAITING_SHOWN}` : null, tick);
    const lastList = useResource(`/queries?limit=${LAST_SHOWN + RUNNING_SHOWN}`, cluster.changes);
    const workers = useResource('/workers', tick);
    const last = (lastList.data?.queries ?? [])
        .filter(query => query.state !== 'RUNNING' && query.state !== 'QUEUED').slice(0, LAST_SHOWN);
    return html`
        <h1>Cluster</h1>
        <${Tiles} cluster=${cluster} />
        <div class="charts">
            <${HistoryChart} points=${history.points} field="queries" label="Running queries" />
            <${HistoryChart} points=${history.points} field="tasks" label="Running tasks" />
            <${HistoryChart} points=${history.points} field="rate" label="Exchanged per second"
                show=${format.bytes} />
        </div>
        <${Section} title="Running" note=${noteOf(running, RUNNING_SHOWN)} id="running">
            <${ErrorBox} error=${runningList.error} />
            ${running === 0 ? html`<p class="muted">No query runs now.</p>` :
              !runningList.data ? html`<${Waiting} />` :
                                  html`<${LiveQueries} queries=${runningList.data.queries} label="Running queries" />`}
        <//>
        ${queued > 0 && html`
            <${Section} title="Waiting" note=${noteOf(queued, WAITING_SHOWN)}>
                <${ErrorBox} error=${queuedList.error} />
                <${LiveQueries} queries=${queuedList.data?.queries ?? []} label="Waiting queries" />
            <//>`}
        <${Section} title="Workers">
            <${ErrorBox} error=${workers.error} />
            ${workers.data ? html`<${Workers} workers=${workers.data.workers} />` :
                             !workers.error && html`<${Waiting} />`}
        <//>
        <${Section} title="Last queries" note=${html`<a href="#/queries">all queries</a>`}>
            <${ErrorBox} error=${lastList.error} />
            ${!lastList.data ? html`<${Waiting} />` :
              last.length === 0 ? html`<p class="muted">No query has ended yet.</p>` :
                                  html`<${LastQueries} queries=${last} />`}
        <//>`;
}

const noteOf = (total, shown) => total > shown ? `the first ${shown} of ${format.count(total)}` : '';

function Tiles({cluster}) {
    const {workers, queries} = cluster;
    const {SUCCEEDED = 0, FAILED = 0, CANCELLED = 0, LOST = 0} = queries.by_state;
    const {DISTRIBUTED = 0, PARTIAL = 0, LOCAL = 0} = queries.by_mode;
    const memory = cluster.memory_limit_bytes > 0 ? cluster.memory_used_bytes / cluster.memory_limit_bytes : null;
    const gone = [workers.draining && `${workers.draining} draining`, workers.lost && `${workers.lost} lost`];
    return html`
        <div class="tiles">
            <${Tile} label="Running" value=${format.count(queries.running)}
                note=${queries.queued ? `and ${format.count(queries.queued)} waiting` : 'none waiting'}
                tone=${queries.queued ? 'warn' : ''} href="#/queries?state=RUNNING" />
            <${Tile} label="Workers" value=${format.count(workers.active)}
                note=${gone.filter(Boolean).join(', ') || 'all active'}
                tone=${workers.lost ? 'bad' : workers.draining ? 'warn' : ''} />
            <${Tile} label="Tasks" value=${format.shortCount(cluster.running_tasks)}
                note=${`for ${format.plural(cluster.threads, 'thread')}`} />
            <${Tile} label="Memory" value=${format.percent(memory)}
                note=${`${format.bytes(cluster.memory_used_bytes)} of ${format.bytes(cluster.memory_limit_bytes)}`}
                tone=${memory > 0.9 ? 'bad' : memory > 0.75 ? 'warn' : ''} />
            <${Tile} label="Succeeded" value=${format.shortCount(SUCCEEDED)} href="#/queries?state=SUCCEEDED"
                note=${`${format.shortCount(DISTRIBUTED)} distributed, ${format.shortCount(PARTIAL)} partial, ${
                    format.shortCount(LOCAL)} local`} />
            <${Tile} label="Failed" value=${format.shortCount(FAILED)} href="#/queries?state=FAILED"
                note=${`${format.shortCount(CANCELLED)} cancelled${LOST ? `, ${format.shortCount(LOST)} lost` : ''}`} />
            <${Tile} label="Exchanged" value=${format.bytes(cluster.bytes_exchanged)} note="between workers" />
            <${Tile} label="Sessions" value=${format.count(cluster.sessions)} note="of clients" />
        </div>`;
}

function LiveQueries({queries, label}) {
    return html`
        <${TableBox} label=${label}>
            <table>
                <thead><tr>
                    <th scope="col">Query</th><th scope="col">State</th><th scope="col">Tasks done</th>
                    <th scope="col" class="number">Running tasks</th><th scope="col" class="number">Workers</th>
                    <th scope="col" class="number">Exchanged</th><th scope="col" class="number">Time</th>
                </tr></thead>
                <tbody>${queries.map(query => html`
                    <tr key=${query.query_id}>
                        <td class="wide"><${QueryLink} query=${query} /></td>
                        <td><${State} value=${query.state} /></td>
                        <td><${Progress} query=${query} /></td>
                        <td class="number">${format.count(query.tasks_running)}</td>
                        <td class="number">${format.count(query.workers)}</td>
                        <td class="number">${format.bytes(query.bytes_exchanged)}</td>
                        <td class="number">${format.duration(query.duration_ms)}</td>
                    </tr>`)}
                </tbody>
            </table>
        <//>`;
}

function LastQueries({queries}) {
    return html`
        <${TableBox} label="Last queries">
            <table>
                <thead><tr>
                    <th scope="col">Query</th><th scope="col">State</th><th scope="col">Mode</th>
                    <th scope="col">Start</th><th scope="col" class="number">Time</th>
                </tr></thead>
                <tbody>${queries.map(query => html`
                    <tr key=${query.query_id}>
                        <td class="wide"><${QueryLink} query=${query} /></td>
                        <td><${State} value=${query.state} /></td>
                        <td><${Mode} value=${query.mode} /></td>
                        <td><${Time} us=${query.start_us} /></td>
                        <td class="number">${format.duration(query.duration_ms)}</td>
                    </tr>`)}
                </tbody>
            </table>
        <//>`;
}

/** Who needs a look comes first. */
const STATE_ORDER = {LOST: 0, DRAINING: 1, ACTIVE: 2};

function Workers({workers}) {
    const rank = worker => STATE_ORDER[worker.state.toUpperCase()] ?? 0;
    const sorted = [...workers].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id, 'en', {numeric: true}));
    const {shown, pager} = usePages(sorted, WORKERS_A_PAGE);
    if (workers.length === 0) {
        return html`<p class="muted">No worker is registered: queries run in their sessions.</p>`;
    }
    return html`
        <${TableBox} label="Workers">
            <table>
                <thead><tr>
                    <th scope="col">Worker</th><th scope="col">State</th><th scope="col">Memory</th>
                    <th scope="col" class="number">Tasks</th><th scope="col" class="number">Threads</th>
                    <th scope="col" class="number">Kept queries</th><th scope="col" class="number">Heartbeat</th>
                    <th scope="col">Address</th>
                </tr></thead>
                <tbody>${shown.map(worker => html`
                    <tr key=${worker.id}>
                        <td><${WorkerLink} id=${worker.id} /></td>
                        <td><${State} value=${worker.state} /></td>
                        <td><${MemoryMeter} used=${worker.memory_used_bytes} limit=${worker.memory_limit_bytes} /></td>
                        <td class="number">${format.count(worker.running_tasks)}</td>
                        <td class="number">${format.count(worker.threads)}</td>
                        <td class="number">${format.count(worker.kept_queries)}</td>
                        <td class="number">${heartbeat(worker)}</td>
                        <td class="muted">${worker.location}</td>
                    </tr>`)}
                </tbody>
            </table>
        <//>
        <${Pager} ...${pager} label="Pages of workers" />`;
}

export function heartbeat(worker) {
    return worker.sends_heartbeats ? format.duration(worker.heartbeat_age_ms) + ' ago' : 'none sent';
}
