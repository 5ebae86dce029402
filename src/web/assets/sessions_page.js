// Who is connected, and whose transactions are open: for administrators.

import {html} from './htm.js';
import {useResource} from './api.js';
import {ErrorBox, Pager, State, TableBox, Time, Waiting, usePages} from './widgets.js';
import * as format from './format.js';

const A_PAGE = 50;

export function SessionsPage({admin, tick, cluster}) {
    const {data, error} = useResource(admin ? '/sessions' : null, tick);
    return html`
        <h1>Sessions</h1>
        ${!admin && html`<p>The sessions of others are shown to administrators only.</p>`}
        <${ErrorBox} error=${error} />
        ${admin && !data && !error && html`<${Waiting} />`}
        ${data && (data.sessions.length === 0 ? html`<p class="muted">No client is connected.</p>` : html`
            <${Sessions} sessions=${data.sessions} now=${cluster.now_us} />`)}`;
}

function Sessions({sessions, now}) {
    const {shown, pager} = usePages(sessions, A_PAGE);
    return html`
        <${TableBox} label="Sessions">
            <table>
                <thead><tr>
                    <th scope="col" class="number">Session</th><th scope="col">Client</th><th scope="col">Protocol</th>
                    <th scope="col">State</th><th scope="col">Opened</th><th scope="col">Transaction open for</th>
                    <th scope="col">Statement</th>
                </tr></thead>
                <tbody>${shown.map(session => html`
                    <tr key=${session.session_id}>
                        <td class="number">${session.session_id}</td>
                        <td>${session.client}</td>
                        <td>${session.protocol}${session.read_only ? ' (read only)' : ''}</td>
                        <td><${State} value=${session.state} /></td>
                        <td><${Time} us=${session.opened_us} /></td>
                        <td>${session.transaction_us ?
                            format.duration(Math.max(0, now - session.transaction_us) / 1000) : format.NONE}</td>
                        <td class="wide"><span class="sql-link" title=${session.statement ?? ''}>${
                            session.statement ? format.oneLine(session.statement) : format.NONE}</span></td>
                    </tr>`)}
                </tbody>
            </table>
        <//>
        <${Pager} ...${pager} label="Pages of sessions" />`;
}
