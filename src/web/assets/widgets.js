// Small parts that several pages use.

import {html, useEffect, useMemo, useRef, useState} from './htm.js';
import * as format from './format.js';

const MODE_TITLES = {
    DISTRIBUTED: 'Everything but putting the finished parts together ran on workers.',
    PARTIAL: 'More than putting finished parts together ran in the session, above distributed parts.',
    LOCAL: 'No worker took part.',
};

/** The state of a query, a task or a worker. The word is there, too: colour alone would not reach everybody. */
export function State({value}) {
    return html`<span class=${'badge state-' + value.toLowerCase().replaceAll(' ', '-')}>${value.toUpperCase()}</span>`;
}

export function Mode({value}) {
    return html`<span class=${'badge mode-' + String(value).toLowerCase()} title=${MODE_TITLES[value]}>${value}</span>`;
}

export function Tile({label, value, note, href, tone}) {
    const body = html`
        <span class="tile-label">${label}</span>
        <span class="tile-value">${value}</span>
        <span class="tile-note">${note}</span>`;
    const name = 'tile' + (tone ? ' tile-' + tone : '');
    return href ? html`<a class=${name} href=${href}>${body}</a>` : html`<div class=${name}>${body}</div>`;
}

/** A bar of `value` of `max`; `part` of it is drawn paler (begun but not done). */
export function Meter({value, max, part = 0, label, tone}) {
    const share = max > 0 ? Math.min(1, value / max) : 0;
    const more = max > 0 ? Math.min(1 - share, part / max) : 0;
    return html`
        <span class=${'meter' + (tone ? ' meter-' + tone : '')} role="meter" aria-label=${label}
            aria-valuemin="0" aria-valuemax=${max} aria-valuenow=${Math.min(value, max)}>
            <span class="meter-fill" style=${{width: `${share * 100}%`}}></span>
            <span class="meter-part" style=${{width: `${more * 100}%`}}></span>
        </span>`;
}

export function MemoryMeter({used, limit}) {
    const share = limit > 0 ? used / limit : 0;
    return html`
        <span class="meter-row">
            <${Meter} value=${used} max=${limit} label="Memory"
                tone=${share > 0.9 ? 'bad' : share > 0.75 ? 'warn' : ''} />
            <span class="meter-text">${format.bytes(used)} of ${format.bytes(limit)}</span>
        </span>`;
}

export function Progress({query}) {
    if (!query.tasks) {
        return html`<span class="muted">${query.state === 'QUEUED' ? 'waits' : 'no tasks'}</span>`;
    }
    return html`
        <span class="meter-row">
            <${Meter} value=${query.tasks_done} part=${query.tasks_running} max=${query.tasks} label="Tasks done" />
            <span class="meter-text">${format.shortCount(query.tasks_done)} of ${format.shortCount(query.tasks)}</span>
        </span>`;
}

/** What a list says of a query when its text is not for the reader's role. */
export function QueryLink({query, length}) {
    const text = query.sql == null ? `Query ${query.number}` : format.oneLine(query.sql, length);
    return html`<a class=${query.sql == null ? '' : 'sql-link'} href=${queryHref(query.query_id)}
        title=${query.sql == null ? '' : query.sql.slice(0, 600)}>${text}</a>`;
}

export const queryHref = id => '#/query/' + encodeURIComponent(id);
export const workerHref = id => '#/worker/' + encodeURIComponent(id);

export function WorkerLink({id}) {
    return html`<a href=${workerHref(id)}>${id}</a>`;
}

export function Time({us}) {
    return us ? html`<time datetime=${new Date(us / 1000).toISOString()} title=${format.fullTime(us)}>${
        format.clock(us)}</time>` : format.NONE;
}

/** A box of its own to scroll in, so that a wide table never widens the page. */
export function TableBox({label, children}) {
    return html`<div class="table-box" role="region" aria-label=${label} tabindex="0">${children}</div>`;
}

/** A section with a heading; nothing but the heading when it is empty and says so. */
export function Section({title, id, note, children}) {
    return html`
        <section class="section" id=${id}>
            <div class="section-head"><h2>${title}</h2>${note && html`<span class="muted">${note}</span>`}</div>
            ${children}
        </section>`;
}

export function ErrorBox({error}) {
    return error && html`<p class="error-box" role="alert">${error.message ?? String(error)}</p>`;
}

export function Waiting() {
    return html`<p class="muted waiting">Loading…</p>`;
}

export function usePages(rows, size) {
    const [offset, setOffset] = useState(0);
    const first = Math.min(offset, Math.max(0, Math.ceil(rows.length / size) - 1) * size);
    const shown = useMemo(() => rows.slice(first, first + size), [rows, first, size]);
    return {shown, pager: {offset: first, size, total: rows.length, onOffset: setOffset}};
}

export function Pager({offset, size, total, onOffset, label = 'Pages'}) {
    if (total <= size && offset === 0) {
        return null;
    }
    const last = Math.max(0, Math.ceil(total / size) - 1) * size;
    const to = (target, text, name, off) => html`
        <button type="button" class="button small" disabled=${off} aria-label=${name}
            onClick=${() => onOffset(target)}>${text}</button>`;
    return html`
        <nav class="pager" aria-label=${label}>
            ${to(0, '«', 'First page', offset === 0)}
            ${to(Math.max(0, offset - size), '‹', 'Previous page', offset === 0)}
            <span class="pager-text">${format.count(total === 0 ? 0 : offset + 1)} – ${
                format.count(Math.min(total, offset + size))} of ${format.count(total)}</span>
            ${to(offset + size, '›', 'Next page', offset >= last)}
            ${to(last, '»', 'Last page', offset >= last)}
        </nav>`;
}

/** The head of a column that can be sorted by; `sort` is {key, order}. */
export function SortHead({id, label, sort, onSort, number}) {
    const active = sort.key === id;
    const direction = active ? (sort.order === 'asc' ? 'ascending' : 'descending') : 'none';
    return html`
        <th scope="col" class=${number ? 'number' : ''} aria-sort=${direction}>
            <button type="button" class="sort"
                onClick=${() => onSort({key: id, order: active && sort.order === 'desc' ? 'asc' : 'desc'})}>
                ${label}<span class="sort-mark" aria-hidden="true">${
                    !active ? '' : sort.order === 'asc' ? '▲' : '▼'}</span>
            </button>
        </th>`;
}

/**
 * A button that asks before it acts. `onConfirm` returns a promise; its failure is shown, its success is told by
 * `done`, also to those who do not see the page.
 */
export function ConfirmButton({label, question, detail, confirm, done, onConfirm, danger, disabled}) {
    const dialog = useRef(null);
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(null);
    const [message, setMessage] = useState('');

    async function act() {
        setBusy(true);
        setError(null);
        try {
            await onConfirm();
            setMessage(done);
            dialog.current?.close();
        } catch (failure) {
            setError(failure);
        }
        setBusy(false);
    }

    function open() {
        setError(null);
        setMessage('');
        dialog.current.showModal();
    }

    return html`
        <span class="confirm">
            <button type="button" class=${'button' + (danger ? ' danger' : '')} disabled=${disabled}
                onClick=${open}>${label}</button>
            <span class="muted" role="status">${message}</span>
            <dialog ref=${dialog} aria-label=${question}>
                <h2>${question}</h2>
                <p>${detail}</p>
                <${ErrorBox} error=${error} />
                <div class="dialog-buttons">
                    <button type="button" class="button" autofocus onClick=${() => dialog.current.close()}>
                        Cancel</button>
                    <button type="button" class=${'button primary' + (danger ? ' danger' : '')} disabled=${busy}
                        data-confirm="" onClick=${act}>${confirm}</button>
                </div>
            </dialog>
        </span>`;
}

/** Text with its line breaks, and a button that copies it. Always as text: what users type is never markup here. */
export function SqlText({sql}) {
    const [copied, setCopied] = useState(false);
    const [whole, setWhole] = useState(false);
    useEffect(() => {
        const timer = copied && setTimeout(() => setCopied(false), 1500);
        return () => clearTimeout(timer);
    }, [copied]);
    // A statement of megabytes would make the page slow to lay out.
    const limit = 20000;
    const cut = !whole && sql.length > limit;
    return html`
        <div class="sql-box">
            <pre class="sql" tabindex="0" aria-label="SQL text"><code>${cut ? sql.slice(0, limit) : sql}</code></pre>
            <div class="sql-tools">
                ${cut && html`<button type="button" class="button small" onClick=${() => setWhole(true)}>
                    Show all ${format.count(sql.length)} characters</button>`}
                ${navigator.clipboard && html`<button type="button" class="button small"
                    onClick=${() => navigator.clipboard.writeText(sql).then(() => setCopied(true), () => {})}>
                    ${copied ? 'Copied' : 'Copy'}</button>`}
            </div>
        </div>`;
}
