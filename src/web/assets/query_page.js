// One query: the answer to "why was it slow".

import {html, useMemo, useRef, useState} from './htm.js';
import {post, useResource} from './api.js';
import {ConfirmButton, ErrorBox, Mode, Pager, Progress, Section, SortHead, SqlText, State, TableBox, Time, Waiting,
        WorkerLink, queryHref, usePages} from './widgets.js';
import * as format from './format.js';
import {StageGraph} from './stage_graph.js';
import {FiltersAndDecisions, StageBars, StageTable, Verdict} from './stages.js';
import {columnsOf, durationOf, stageColours, stageName} from './tasks.js';
import {Timeline} from './timeline.js';
import {verdict} from './verdict.js';

const TASKS_A_PAGE = 20;

const hasEnded = query => query.state !== 'RUNNING' && query.state !== 'QUEUED';

export function QueryPage({route, cluster, tick, admin}) {
    const path = '/queries/' + encodeURIComponent(route.id);
    // What has ended stays as it is; with many tasks it would be much to send again.
    const live = useRef(false);
    const version = useRef(tick);
    if (live.current) {
        version.current = tick;
    }
    const {data, error} = useResource(path, version.current);
    live.current = data ? !hasEnded(data.query) : Boolean(error) && error.status !== 404;
    if (!data) {
        return html`<h1>Query</h1>${error ? html`<${ErrorBox} error=${error} />` : html`<${Waiting} />`}`;
    }
    return html`
        <${ErrorBox} error=${error} />
        <${Loaded} data=${data} cluster=${cluster} admin=${admin} params=${route.params} />`;
}

function Loaded({data, cluster, admin, params}) {
    const {query, stages, tasks} = data;
    // The number of workers now matters little to the verdict: it need not be made anew with each event.
    const facts = useMemo(() => verdict(data, cluster), [data]);
    const stageIds = stages.map(stage => stage.stage_id).join();
    const colours = useMemo(() => stageColours(stages), [stageIds]);
    const chosen = params.has('stage') ? Number(params.get('stage')) : null;
    const selected = stages.some(stage => stage.stage_id === chosen) ? chosen : null;
    const running = query.state === 'RUNNING';
    return html`
        <${Head} query=${query} admin=${admin} />
        <${Verdict} facts=${facts} queryId=${query.query_id} />
        ${query.error && html`
            <${Section} title="Error" id="error"><pre class="error-text" tabindex="0">${query.error}</pre><//>`}
        <${Numbers} query=${query} />
        ${query.sql != null && html`<${Section} title="SQL" id="sql"><${SqlText} sql=${query.sql} /><//>`}
        ${stages.length > 0 && html`
            <${Section} title="Stages" id="stages" note=${selected == null ? 'choose one to follow it below' : html`
                ${stageName(selected)} is chosen, <a href=${queryHref(query.query_id)}>show all</a>`}>
                <${StageGraph} queryId=${query.query_id} stages=${stages} selected=${selected} />
            <//>
            <${Section} title="Time by stage" id="time">
                <${StageBars} query=${query} stages=${stages} colours=${colours} selected=${selected} />
                <details><summary>All numbers of the stages</summary>
                    <${StageTable} query=${query} stages=${stages} selected=${selected} /></details>
            <//>`}
        ${tasks?.rows.length > 0 && html`
            <${Section} title="Tasks over time" id="timeline">
                <${Timeline} tasks=${tasks} colours=${colours} selected=${selected} duration=${query.duration_ms}
                    running=${running} />
            <//>
            <${Section} title="Tasks" id="tasks" note=${selected == null ? 'of all stages' :
                                                                           `of ${stageName(selected).toLowerCase()}`}>
                <${TaskTable} tasks=${tasks} selected=${selected} now=${query.duration_ms} />
            <//>`}
        <${FiltersAndDecisions} stages=${stages} />`;
}

function Head({query, admin}) {
    return html`
        <p class="crumbs"><a href="#/queries">Queries</a></p>
        <div class="page-head">
            <h1>Query ${query.number ?? ''}</h1>
            <span role="status"><${State} value=${query.state} /></span>
            <${Mode} value=${query.mode} />
            <span class="head-time">${format.duration(query.duration_ms)}</span>
            ${admin && !hasEnded(query) && html`
                <${ConfirmButton} label="Kill" danger=${true} question="Kill this query?" confirm="Kill the query"
                    detail="Its client gets an error. What it has computed until now is lost." done="It is being ended."
                    onConfirm=${() => post(`/queries/${encodeURIComponent(query.query_id)}/kill`)} />`}
        </div>`;
}

/** Why tasks were tried again, behind their number. */
function reasons(query) {
    const list = Object.entries(query.retries_by_reason ?? {});
    return list.length === 0 ? '' : ` (${list.map(([reason, count]) =>
        `${reason.replaceAll('_', ' ')}: ${format.count(count)}`).join(', ')})`;
}

function Numbers({query}) {
    const facts = [
        ['Start', html`<${Time} us=${query.start_us} />`],
        ['Tasks', query.state === 'RUNNING' ? html`<${Progress} query=${query} />` : format.count(query.tasks)],
        ['Stages', format.count(query.stages)],
        ['Workers', format.count(query.workers)],
        ['Rows read', format.count(query.rows_scanned)],
        ['Planned in', query.planning_ms ? format.duration(query.planning_ms) : null],
        ['Waited for its place', query.queued_ms >= 1 ? format.duration(query.queued_ms) : null],
        ['Exchanged', format.bytes(query.bytes_exchanged)],
        ['Read from other workers', query.read_bytes?.network ? format.bytes(query.read_bytes.network) : null],
        ['Spilled', format.bytes(query.spilled_bytes)],
        ['Retries', format.count(query.retries) + reasons(query)],
        ['Scan split by', query.partition_strategy],
        ['Put together by', query.merge_strategy],
        ['Id', html`<span class="id">${query.query_id}</span>`],
    ];
    return html`
        <dl class="numbers">${facts.filter(([, value]) => value != null && value !== '').map(([name, value]) => html`
            <div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
        </dl>`;
}

function TaskTable({tasks, selected, now}) {
    const [sort, setSort] = useState({key: 'duration', order: 'desc'});
    const at = columnsOf(tasks);
    const sorted = useMemo(() => {
        const rows = selected == null ? tasks.rows : tasks.rows.filter(row => row[at.stage_id] === selected);
        const value = {
            duration: row => durationOf(row, at, now) ?? -1,
            start: row => row[at.start_ms] ?? -1,
            rows_in: row => row[at.rows_in] ?? -1,
            rows_out: row => row[at.rows_out] ?? -1,
            bytes: row => row[at.bytes] ?? -1,
            spilled: row => row[at.spilled_bytes] ?? -1,
            attempt: row => row[at.attempt] ?? -1,
        }[sort.key];
        // The values are taken once: a comparison is made millions of times.
        const keys = Float64Array.from(rows, value);
        const order = Uint32Array.from(rows, (_, index) => index);
        order.sort(sort.order === 'asc' ? (a, b) => keys[a] - keys[b] : (a, b) => keys[b] - keys[a]);
        return Array.from(order, index => rows[index]);
    }, [tasks, selected, sort]);
    const {shown, pager} = usePages(sorted, TASKS_A_PAGE);
    const head = (id, label) => html`
        <${SortHead} id=${id} label=${label} sort=${sort} onSort=${setSort} number=${true} />`;
    return html`
        <${TableBox} label="Tasks">
            <table>
                <thead><tr>
                    <th scope="col">Stage</th><th scope="col">Task</th><th scope="col">State</th>
                    <th scope="col">Worker</th>
                    ${head('duration', 'Time')}${head('start', 'Start')}${head('rows_in', 'Rows in')}
                    ${head('rows_out', 'Rows out')}${head('bytes', 'Bytes')}${head('spilled', 'Spilled')}
                    ${head('attempt', 'Attempt')}
                </tr></thead>
                <tbody>${shown.map(row => html`
                    <tr key=${`${row[at.stage_id]}/${row[at.task_id]}/${row[at.attempt]}`}>
                        <td>${stageName(row[at.stage_id])}</td>
                        <td>${row[at.task_id]}</td>
                        <td><${State} value=${row[at.state]} /></td>
                        <td>${row[at.worker_id] ? html`<${WorkerLink} id=${row[at.worker_id]} />` : format.NONE}</td>
                        <td class="number">${format.duration(durationOf(row, at, now))}</td>
                        <td class="number">${format.duration(row[at.start_ms])}</td>
                        <td class="number">${format.shortCount(row[at.rows_in])}</td>
                        <td class="number">${format.shortCount(row[at.rows_out])}</td>
                        <td class="number">${format.bytes(row[at.bytes])}</td>
                        <td class=${'number' + (row[at.spilled_bytes] ? ' warn-text' : '')}>${
                            format.bytes(row[at.spilled_bytes])}</td>
                        <td class="number">${row[at.attempt] + 1}${row[at.speculative] ? ' (speculative)' : ''}</td>
                    </tr>`)}
                </tbody>
            </table>
        <//>
        <${Pager} ...${pager} label="Pages of tasks" />`;
}
