// One worker: its facts, what runs on it, and for administrators what can be done about it.

import {html} from './htm.js';
import {post, useResource} from './api.js';
import {heartbeat} from './cluster_page.js';
import {ConfirmButton, ErrorBox, MemoryMeter, QueryLink, Section, State, TableBox, Waiting} from './widgets.js';
import * as format from './format.js';
import {columnsOf, durationOf, stageName} from './tasks.js';

// Tasks of larger queries would be much to send each second; their own page has them.
const MOST_TASKS = 2000;
const QUERIES_ASKED = 3;
const TASKS_SHOWN = 40;

export function WorkerPage({route, cluster, tick, admin}) {
    const {data, error} = useResource('/workers', tick);
    const worker = data?.workers.find(entry => entry.id === route.id);
    if (!worker) {
        return html`<h1>Worker ${route.id}</h1>
            ${error ? html`<${ErrorBox} error=${error} />` : !data ? html`<${Waiting} />` :
                      html`<p>There is no worker of this name now. <a href="#/">To the cluster</a></p>`}`;
    }
    const at = `/workers/${encodeURIComponent(worker.id)}`;
    return html`
        <p class="crumbs"><a href="#/">Cluster</a></p>
        <div class="page-head">
            <h1>Worker ${worker.id}</h1>
            <span role="status"><${State} value=${worker.state} /></span>
            ${admin && html`
                <${ConfirmButton} label="Drain" question=${`Drain ${worker.id}?`} confirm="Drain the worker"
                    detail="It gets no new tasks, and ends when those of running queries are done."
                    done="It is being drained." disabled=${worker.state.toUpperCase() !== 'ACTIVE'}
                    onConfirm=${() => post(at + '/drain')} />
                <${ConfirmButton} label="Forget" danger=${true} question=${`Forget ${worker.id}?`}
                    confirm="Forget the worker"
                    detail="It is taken off the list. Tasks that run on it are done again by others."
                    done="It is forgotten." onConfirm=${() => post(at + '/forget')} />`}
        </div>
        <${ErrorBox} error=${error} />
        <dl class="numbers">
            ${fact('Address', worker.location)}
            ${fact('Heartbeat', heartbeat(worker))}
            ${fact('Threads', format.count(worker.threads))}
            ${fact('Running tasks', format.count(worker.running_tasks))}
            ${fact('Kept outputs', `${format.bytes(worker.kept_bytes)} of ${
                format.plural(worker.kept_queries, 'query', 'queries')}`)}
            ${fact('Spilled', format.bytes(worker.temporary_bytes))}
            ${fact('Memory', html`
                <${MemoryMeter} used=${worker.memory_used_bytes} limit=${worker.memory_limit_bytes} />`)}
            ${fact('DuckDB', versionNote(worker.duckdb_version, cluster.duckdb_version))}
            ${fact('Protocol', versionNote(worker.protocol_version, cluster.protocol_version))}
        </dl>
        <${RunningTasks} worker=${worker} cluster=${cluster} tick=${tick} />
        <${Section} title="Extensions" id="extensions">
            ${worker.extensions.length === 0 ? html`<p class="muted">None is loaded.</p>` : html`
                <ul class="chips">${worker.extensions.map(extension => html`
                    <li key=${extension.name}>${extension.name} <span class="muted">${extension.version}</span></li>`)}
                </ul>`}
        <//>`;
}

const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

/** Another version is the usual reason why a worker refuses plans. */
function versionNote(own, cluster) {
    return own === cluster ? String(own) : html`<span class="warn-text">${own}, here ${cluster}</span>`;
}

function RunningTasks({worker, cluster, tick}) {
    const {running} = cluster.queries;
    const list = useResource(running ? `/queries?state=RUNNING&limit=${QUERIES_ASKED}` : null, tick);
    const queries = list.data?.queries ?? [];
    return html`
        <${Section} title="Running tasks" id="running-tasks">
            ${queries.length === 0 && html`<p class="muted">No query runs now.</p>`}
            ${queries.map(query => query.tasks > MOST_TASKS ? html`
                <p key=${query.query_id}><${QueryLink} query=${query} /> <span class="muted">has ${
                    format.count(query.tasks)} tasks: see its page.</span></p>` : html`
                <${TasksOfQuery} key=${query.query_id} query=${query} worker=${worker} tick=${tick} />`)}
        <//>`;
}

function TasksOfQuery({query, worker, tick}) {
    const {data, error} = useResource('/queries/' + encodeURIComponent(query.query_id), tick);
    const at = data?.tasks && columnsOf(data.tasks);
    const rows = at ? data.tasks.rows.filter(row => row[at.worker_id] === worker.id) : [];
    const now = data?.query.duration_ms ?? 0;
    const running = rows.filter(row => row[at.state] === 'RUNNING');
    return html`
        <div class="block">
            <p><${QueryLink} query=${query} length=${80} />${' '}<span class="muted">${data && `${
                format.plural(rows.length, 'task')} here until now, ${format.count(running.length)} running`}</span></p>
            <${ErrorBox} error=${error} />
            ${running.length > 0 && html`
                <${TableBox} label="Running tasks">
                    <table>
                        <thead><tr>
                            <th scope="col">Stage</th><th scope="col">Task</th>
                            <th scope="col" class="number">Rows in</th><th scope="col" class="number">Runs for</th>
                        </tr></thead>
                        <tbody>${running.slice(0, TASKS_SHOWN).map(row => html`
                            <tr key=${`${row[at.stage_id]}/${row[at.task_id]}`}>
                                <td>${stageName(row[at.stage_id])}</td><td>${row[at.task_id]}</td>
                                <td class="number">${format.count(row[at.rows_in])}</td>
                                <td class="number">${format.duration(durationOf(row, at, now))}</td>
                            </tr>`)}
                        </tbody>
                    </table>
                <//>`}
        </div>`;
}
