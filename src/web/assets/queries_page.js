// All queries that the server remembers: filter, search, sort, pages. The address keeps what was chosen, so that it
// can be sent to somebody and the back button works.

import {html, useEffect, useState} from './htm.js';
import {useResource} from './api.js';
import {ErrorBox, Mode, Pager, QueryLink, SortHead, State, TableBox, Time, Waiting} from './widgets.js';
import * as format from './format.js';

const STATES = ['RUNNING', 'QUEUED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST'];
const MODES = ['DISTRIBUTED', 'PARTIAL', 'LOCAL'];
const A_PAGE = 100;
const TYPING_PAUSE_MS = 250;

export function QueriesPage({route, cluster, tick, admin}) {
    const {params} = route;
    const choice = {
        state: params.get('state') ?? '',
        mode: params.get('mode') ?? '',
        search: params.get('search') ?? '',
        sort: params.get('sort') ?? 'start',
        order: params.get('order') ?? 'desc',
        offset: Math.max(0, parseInt(params.get('offset') ?? '0', 10) || 0),
    };
    const path = '/queries?' + new URLSearchParams({...choice, limit: A_PAGE});
    const {running, queued} = cluster.queries;
    const {data, error} = useResource(path, running || queued ? `t${tick}` : `c${cluster.changes}`);

    function change(values, keepOffset) {
        const next = {...choice, ...values};
        if (!keepOffset) {
            next.offset = 0;
        }
        const shown = Object.entries(next).filter(([key, value]) =>
            value && !(key === 'sort' && value === 'start') && !(key === 'order' && value === 'desc'));
        location.hash = '#/queries' + (shown.length ? '?' + new URLSearchParams(shown) : '');
    }

    const sort = {key: choice.sort, order: choice.order};
    const onSort = value => change({sort: value.key, order: value.order});
    const head = (id, label) => html`
        <${SortHead} id=${id} label=${label} sort=${sort} onSort=${onSort} number=${true} />`;
    return html`
        <h1>Queries</h1>
        <form class="filters" onSubmit=${event => event.preventDefault()}>
            <${Choice} label="State" value=${choice.state} values=${STATES} onChange=${state => change({state})} />
            <${Choice} label="Mode" value=${choice.mode} values=${MODES} onChange=${mode => change({mode})} />
            <${Search} value=${choice.search} onChange=${search => change({search})} admin=${admin} />
        </form>
        <${ErrorBox} error=${error} />
        ${!data ? !error && html`<${Waiting} />` : html`
            <p class="muted" role="status">${format.plural(data.total, 'query', 'queries')}</p>
            ${data.total > 0 && html`
                <${TableBox} label="Queries">
                    <table>
                        <thead><tr>
                            <th scope="col">Query</th><th scope="col">State</th><th scope="col">Mode</th>
                            <${SortHead} id="start" label="Start" sort=${sort} onSort=${onSort} />
                            ${head('duration', 'Time')}${head('tasks', 'Tasks')}${head('rows', 'Rows read')}
                            ${head('bytes', 'Exchanged')}${head('retries', 'Retries')}
                            <th scope="col" class="number">Spilled</th>
                        </tr></thead>
                        <tbody>${data.queries.map(query => html`
                            <${Row} key=${query.query_id} query=${query} />`)}</tbody>
                    </table>
                <//>
                <${Pager} offset=${data.offset} size=${A_PAGE} total=${data.total} label="Pages of queries"
                    onOffset=${offset => change({offset}, true)} />`}`}`;
}

function Row({query}) {
    const tasks = query.state === 'RUNNING' ? `${format.count(query.tasks_done)} of ${format.count(query.tasks)}` :
                                              format.count(query.tasks);
    return html`
        <tr>
            <td class="wide"><${QueryLink} query=${query} /></td>
            <td><${State} value=${query.state} /></td>
            <td><${Mode} value=${query.mode} /></td>
            <td><${Time} us=${query.start_us} /></td>
            <td class="number">${format.duration(query.duration_ms)}</td>
            <td class="number">${tasks}</td>
            <td class="number">${format.shortCount(query.rows_scanned)}</td>
            <td class="number">${format.bytes(query.bytes_exchanged)}</td>
            <td class=${'number' + (query.retries ? ' warn-text' : '')}>${format.count(query.retries)}</td>
            <td class=${'number' + (query.spilled_bytes ? ' warn-text' : '')}>${format.bytes(query.spilled_bytes)}</td>
        </tr>`;
}

function Choice({label, value, values, onChange}) {
    return html`
        <label class="field"><span>${label}</span>
            <select value=${value} onChange=${event => onChange(event.target.value)}>
                <option value="">all</option>
                ${values.map(name => html`
                    <option key=${name} value=${name} selected=${name === value}>${name}</option>`)}
            </select>
        </label>`;
}

/** The server is asked when somebody has stopped typing, not for each letter. */
function Search({value, onChange, admin}) {
    const [text, setText] = useState(value);
    useEffect(() => setText(value), [value]);
    useEffect(() => {
        if (text === value) {
            return undefined;
        }
        const timer = setTimeout(() => onChange(text), TYPING_PAUSE_MS);
        return () => clearTimeout(timer);
    }, [text]);
    return html`
        <label class="field grow"><span>Search</span>
            <input type="search" name="search" value=${text} onInput=${event => setText(event.target.value)}
                placeholder=${admin ? 'text of the SQL, id' : 'id'} spellcheck=${false} />
        </label>`;
}
