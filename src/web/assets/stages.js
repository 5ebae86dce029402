// The stages of a query as bars over its time, and as a table; what filters dropped, what was decided on the way.

import {html, useState} from './htm.js';
import * as format from './format.js';
import {Section, TableBox, WorkerLink, queryHref} from './widgets.js';
import {shortDescription, stageName} from './tasks.js';

export function StageBars({query, stages, colours, selected}) {
    const end = Math.max(query.duration_ms, ...stages.map(stage => stage.end_ms ?? 0), 1);
    const busiest = Math.max(1, ...stages.map(stage => stage.busy_ms ?? 0));
    const running = query.state === 'RUNNING';
    return html`
        <ol class="stage-bars">
            ${stages.map(stage => {
                const begun = stage.start_ms != null && stage.tasks_done + stage.tasks_running > 0;
                const until = stage.end_ms ?? (running ? query.duration_ms : stage.start_ms);
                const span = begun ? Math.max(0, until - stage.start_ms) : 0;
                const colour = `var(--stage-${colours.get(stage.stage_id)})`;
                return html`
                    <li key=${stage.stage_id} class=${selected != null && selected !== stage.stage_id ? 'faded' : ''}>
                        <${StageLink} query=${query} stage=${stage} selected=${selected} />
                        <span class="stage-track" title=${begun ? `from ${format.duration(stage.start_ms)} to ${
                            format.duration(until)}` : 'has not begun'}>
                            ${begun && html`<span class="stage-span" style=${{
                                left: `${stage.start_ms / end * 100}%`,
                                width: `${Math.max(0.3, span / end * 100)}%`, background: colour}}></span>`}
                        </span>
                        <span class="stage-time">${begun ? format.duration(span) : format.NONE}</span>
                        <span class="stage-busy" title="time of all its tasks together">
                            <span class="stage-busy-fill" style=${{
                                width: `${(stage.busy_ms ?? 0) / busiest * 100}%`, background: colour}}></span>
                            <span class="stage-busy-text">${format.duration(stage.busy_ms)}</span>
                        </span>
                    </li>`;
            })}
        </ol>
        <p class="legend muted"><span>Left: from its first task to its last, of ${format.duration(end)}.</span>
            <span>Right: the time of all its tasks together.</span></p>`;
}

export function StageLink({query, stage, selected}) {
    const on = selected === stage.stage_id;
    const base = queryHref(query.query_id);
    return html`<a class="stage-link" href=${on ? base : `${base}?stage=${stage.stage_id}`} title=${stage.description}
        aria-current=${on ? 'true' : null}><strong>${stageName(stage.stage_id)}</strong>${' '}<span class="muted">${
            shortDescription(stage.description)}</span></a>`;
}

export function StageTable({query, stages, selected}) {
    return html`
        <${TableBox} label="Stages">
            <table class="stages">
                <thead><tr>
                    <th scope="col">Stage</th><th scope="col">Exchange</th><th scope="col" class="number">Tasks</th>
                    <th scope="col" class="number">Rows in</th><th scope="col" class="number">Rows out</th>
                    <th scope="col" class="number">Estimated</th><th scope="col" class="number">Bytes</th>
                    <th scope="col" class="number">Spilled</th><th scope="col" class="number">Busy</th>
                    <th scope="col" class="number">Median</th><th scope="col" class="number">Slowest</th>
                    <th scope="col">on</th>
                </tr></thead>
                <tbody>${stages.map(stage => html`
                    <tr key=${stage.stage_id} class=${selected === stage.stage_id ? 'selected' : ''}>
                        <td class="stage-cell"><${StageLink} query=${query} stage=${stage} selected=${selected} /></td>
                        <td>${stage.exchange}${stage.keys ? ` (${stage.keys})` : ''}</td>
                        <td class="number">${stage.tasks_done < stage.tasks ?
                            `${format.count(stage.tasks_done)} of ${format.count(stage.tasks)}` :
                            format.count(stage.tasks)}</td>
                        <td class="number">${format.shortCount(stage.rows_in)}</td>
                        <td class="number">${format.shortCount(stage.rows_out)}</td>
                        <td class="number">${format.shortCount(stage.estimated_rows)}</td>
                        <td class="number">${format.bytes(stage.bytes)}</td>
                        <td class=${'number' + (stage.spilled_bytes ? ' warn-text' : '')}>${
                            format.bytes(stage.spilled_bytes)}</td>
                        <td class="number">${format.duration(stage.busy_ms)}</td>
                        <td class="number">${format.duration(stage.median_ms)}</td>
                        <td class="number">${format.duration(stage.slowest?.duration_ms)}</td>
                        <td>${stage.slowest && html`<${WorkerLink} id=${stage.slowest.worker_id} />`}</td>
                    </tr>`)}
                </tbody>
            </table>
        <//>`;
}

/** Filters made of the values of one stage drop rows of another before they are joined. */
export function FiltersAndDecisions({stages}) {
    const filtered = stages.filter(stage => stage.filters_from?.length || stage.pruned_rows > 0);
    const decided = stages.filter(stage => stage.decision);
    return html`
        ${filtered.length > 0 && html`
            <${Section} title="Filters made while it ran" id="filters">
                <ul class="facts">${filtered.map(stage => html`
                    <li key=${stage.stage_id}><strong>${stageName(stage.stage_id)}</strong>${' '}
                        ${stage.filters_from?.length ? `got values of ${
                            stage.filters_from.map(id => `stage ${id}`).join(' and ')}. ` : ''}
                        ${stage.pruned_rows > 0 ? html`<strong>${format.count(stage.pruned_rows)}</strong> rows were
                            dropped where they were read; ${format.count(stage.rows_in)} came in.` :
                                                  'No row was dropped by that.'}
                    </li>`)}
                </ul>
            <//>`}
        ${decided.length > 0 && html`
            <${Section} title="Decided while it ran" id="decisions">
                <ul class="facts">${decided.map(stage => html`
                    <li key=${stage.stage_id}><strong>${stageName(stage.stage_id)}</strong>${' '}
                        ${stage.decision}</li>`)}
                </ul>
            <//>`}`;
}

const FACT_SIGNS = {bad: '!', warn: '!', info: 'i', good: '✓'};

export function Verdict({facts, queryId}) {
    const [all, setAll] = useState(false);
    const shown = all ? facts : facts.slice(0, 6);
    return facts.length > 0 && html`
        <ul class="verdict" aria-label="What the facts say">
            ${shown.map((fact, index) => html`
                <li key=${index} class=${`fact fact-${fact.tone}`}>
                    <span class="fact-sign" aria-hidden="true">${FACT_SIGNS[fact.tone]}</span>
                    <div><strong>${fact.title}</strong><p>${fact.text}${fact.stage != null && html`
                        ${' '}<a href=${`${queryHref(queryId)}?stage=${fact.stage}`}>Show stage ${
                            fact.stage}</a>`}</p></div>
                </li>`)}
        </ul>
        ${facts.length > shown.length && html`<button type="button" class="button small"
            onClick=${() => setAll(true)}>Show ${facts.length - shown.length} more</button>`}`;
}
