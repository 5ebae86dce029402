// A box to run a statement in, with what the token allows.

import {html, useEffect, useRef, useState} from './htm.js';
import {post} from './api.js';
import {Pager, TableBox, usePages} from './widgets.js';
import * as format from './format.js';

const LIMITS = [100, 1000, 10000];
const ROWS_A_PAGE = 100;
const NUMERIC = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/;

// Kept while one looks at other pages, gone with the tab: statements may hold secrets.
const kept = {sql: '', limit: 1000, answer: null};

export function SqlPage() {
    const [sql, setSql] = useState(kept.sql);
    const [limit, setLimit] = useState(kept.limit);
    const [answer, setAnswer] = useState(kept.answer);
    const [begin, setBegin] = useState(null);
    const controller = useRef(null);
    const area = useRef(null);
    Object.assign(kept, {sql, limit, answer});

    useEffect(() => () => controller.current?.abort(), []);

    async function run() {
        // What is selected is run alone, as in other SQL editors.
        const {selectionStart, selectionEnd} = area.current;
        const body = selectionEnd > selectionStart ? sql.slice(selectionStart, selectionEnd) : sql;
        if (begin !== null || body.trim() === '') {
            return;
        }
        const own = controller.current = new AbortController();
        setBegin(performance.now());
        setAnswer(null);
        try {
            setAnswer(await post(`/sql?limit=${limit}`, {body, signal: own.signal}));
        } catch (error) {
            setAnswer({error: error.name === 'AbortError' ? 'It was stopped.' : error.message});
        }
        setBegin(null);
    }

    return html`
        <h1>SQL</h1>
        <form class="sql-form" onSubmit=${event => {
            event.preventDefault();
            run();
        }}>
            <label for="sql-input">Statement</label>
            <textarea id="sql-input" ref=${area} rows="8" spellcheck=${false} autocapitalize="off" autocomplete="off"
                value=${sql} onInput=${event => setSql(event.target.value)} placeholder="SELECT …"
                onKeyDown=${event => {
                    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
                        event.preventDefault();
                        run();
                    }
                }}></textarea>
            <div class="sql-form-tools">
                <button type="submit" class="button primary" disabled=${begin !== null}>Run</button>
                ${begin !== null && html`<button type="button" class="button"
                    onClick=${() => controller.current?.abort()}>Stop</button>`}
                <label class="field inline"><span>at most</span>
                    <select value=${limit} onChange=${event => setLimit(Number(event.target.value))}>
                        ${LIMITS.map(value => html`<option key=${value} value=${value} selected=${value === limit}>${
                            format.count(value)} rows</option>`)}
                    </select>
                </label>
                <span class="muted">Ctrl+Enter runs it.</span>
            </div>
        </form>
        <div role="status">
            ${begin !== null && html`<${Runtime} begin=${begin} />`}
            ${answer && !answer.error && html`<p class="muted">${summary(answer)}</p>`}
        </div>
        ${answer?.error && html`<pre class="error-text" role="alert" tabindex="0">${answer.error}</pre>`}
        ${answer?.columns?.length > 0 && html`<${Result} answer=${answer} />`}`;
}

function summary(answer) {
    const rows = format.plural(answer.rows.length, 'row');
    const which = answer.truncated ? `The first ${rows}; there are more.` : `${rows}.`;
    return `${which} ${format.duration(answer.duration_ms)}`;
}

function Runtime({begin}) {
    const [now, setNow] = useState(performance.now());
    useEffect(() => {
        const timer = setInterval(() => setNow(performance.now()), 200);
        return () => clearInterval(timer);
    }, []);
    return html`<p class="muted" aria-live="off">Runs for ${format.duration(now - begin)}…</p>`;
}

function Result({answer}) {
    const {shown, pager} = usePages(answer.rows, ROWS_A_PAGE);
    const numeric = answer.columns.map(column => NUMERIC.test(column.type));
    return html`
        <${TableBox} label="Result">
            <table class="result">
                <thead><tr>${answer.columns.map((column, index) => html`
                    <th key=${index} scope="col" class=${numeric[index] ? 'number' : ''}>${column.name}
                        <span class="type">${column.type}</span></th>`)}</tr></thead>
                <tbody>${shown.map((row, number) => html`
                    <tr key=${pager.offset + number}>${row.map((value, index) => html`
                        <td key=${index} class=${numeric[index] ? 'number' : ''}>${value === null ?
                            html`<span class="null">NULL</span>` : html`<span class="cell">${value}</span>`}</td>`)}
                    </tr>`)}
                </tbody>
            </table>
        <//>
        <${Pager} ...${pager} label="Pages of the result" />`;
}
