// The shell around all pages: which page the address names, the navigation, and the state of the cluster that the
// server sends once a second.

import {html, render, useEffect, useRef, useState} from './htm.js';
import {RETURN_KEY, get, logOut, openEvents} from './api.js';
import {History} from './charts.js';
import {ClusterPage} from './cluster_page.js';
import {QueriesPage} from './queries_page.js';
import {QueryPage} from './query_page.js';
import {SessionsPage} from './sessions_page.js';
import {SqlPage} from './sql_page.js';
import {WorkerPage} from './worker_page.js';
import {ErrorBox, Waiting} from './widgets.js';
import * as format from './format.js';

const PAGES = {
    '': {page: ClusterPage, title: 'Cluster'},
    queries: {page: QueriesPage, title: 'Queries'},
    query: {page: QueryPage, title: 'Query', under: 'queries'},
    worker: {page: WorkerPage, title: 'Worker', under: ''},
    sql: {page: SqlPage, title: 'SQL'},
    sessions: {page: SessionsPage, title: 'Sessions', admin: true},
};

/** '#/query/ID?stage=2' becomes {name: 'query', id: 'ID', params}. */
function parseRoute(hash) {
    const [path, search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
    const [name, id = ''] = path.split('/', 2);
    let decoded = id;
    try {
        decoded = decodeURIComponent(id);
    } catch {
        // Somebody typed a stray percent sign: it stands for itself.
    }
    return {name, id: decoded, params: new URLSearchParams(search)};
}

function useRoute() {
    const [route, setRoute] = useState(() => parseRoute(location.hash));
    useEffect(() => {
        const changed = () => setRoute(parseRoute(location.hash));
        addEventListener('hashchange', changed);
        return () => removeEventListener('hashchange', changed);
    }, []);
    return route;
}

function useCluster(history) {
    const [state, setState] = useState({cluster: null, connected: null, error: null, tick: 0});
    useEffect(() => {
        function received(cluster) {
            history.add(cluster);
            setState(old => ({cluster, connected: true, error: null, tick: old.tick + 1}));
        }
        // The first event may be a second away; asking is faster.
        get('/cluster').then(received, error => setState(old => ({...old, error})));
        return openEvents(received, connected => setState(old => old.connected === connected ? old :
                                                                                               {...old, connected}));
    }, []);
    return state;
}

function ThemeButton() {
    const theme = window.duckherderTheme;
    const [dark, setDark] = useState(theme.isDark());
    useEffect(() => {
        const changed = () => setDark(theme.isDark());
        addEventListener('themechange', changed);
        return () => removeEventListener('themechange', changed);
    }, []);
    return html`
        <button type="button" class="button small theme-button" aria-pressed=${dark} onClick=${() => theme.toggle()}
            title=${dark ? 'Change to light colours' : 'Change to dark colours'}>
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">${dark ?
                html`<path d="M6.5 1.5a6.5 6.5 0 1 0 8 8a5.5 5.5 0 0 1-8-8z" fill="currentColor" />` :
                html`<circle cx="8" cy="8" r="3.5" fill="currentColor" /><path stroke="currentColor" stroke-width="1.5"
                    stroke-linecap="round"
                    d="M8 1v1M8 14v1M1 8h1M14 8h1M3 3l.7.7M12.3 12.3l.7.7M3 13l.7-.7M12.3 3.7l.7-.7" />`}
            </svg><span class="hidden-text">Dark colours</span>
        </button>`;
}

function Shell({route, page, cluster, connected, children}) {
    const current = page?.under ?? route.name;
    const admin = cluster?.role === 'admin' || cluster?.role === 'node';
    return html`
        <a class="skip" href="#main" onClick=${event => {
            // The address says which page is shown, so the link must not change it.
            event.preventDefault();
            document.getElementById('main').focus();
        }}>Skip to the content</a>
        <header class="top">
            <a class="brand" href="#/"><img src="/assets/icon.svg" alt="" width="28" height="28" />Duckherder</a>
            <nav class="main-nav" aria-label="Pages">
                ${Object.entries(PAGES).filter(([, entry]) => entry.under === undefined && (!entry.admin || admin))
                    .map(([name, entry]) => html`<a key=${name} href=${'#/' + name}
                        aria-current=${name === current ? 'page' : null}>${entry.title}</a>`)}
            </nav>
            <span class="top-end">
                <${Connection} connected=${connected} />
                ${cluster && html`<span class="muted role" title="What your token allows">${cluster.role}</span>`}
                <${ThemeButton} />
                <button type="button" class="button small" onClick=${() => logOut().catch(() => location.reload())}>
                    Log out</button>
            </span>
        </header>
        <main id="main" tabindex="-1">${children}</main>
        <footer class="muted">
            ${cluster && html`Duckherder ${cluster.version} · DuckDB ${cluster.duckdb_version} · protocol ${
                cluster.protocol_version} · ${cluster.node} since ${format.clock(cluster.started_us)}`}
        </footer>`;
}

/** Said aloud when it changes, not each second. */
function Connection({connected}) {
    return html`
        <span class=${'connection' + (connected === false ? ' lost' : '')} role="status">
            ${connected === null ? '' : connected ? html`<span class="pulse" aria-hidden="true"></span>live` :
                                                    'no connection, trying again…'}
        </span>`;
}

function App() {
    const route = useRoute();
    const history = useRef(null);
    history.current ??= new History();
    const {cluster, connected, error, tick} = useCluster(history.current);
    const page = Object.hasOwn(PAGES, route.name) ? PAGES[route.name] : null;
    const place = route.name + '/' + route.id;
    const lastPlace = useRef(place);

    useEffect(() => {
        document.title = (page ? page.title + (route.id ? ` ${route.id}` : '') : 'Not found') + ' · Duckherder';
        if (lastPlace.current !== place) {
            // As after a page load: reading begins at the heading of the new page.
            lastPlace.current = place;
            scrollTo(0, 0);
            document.getElementById('main')?.focus({preventScroll: true});
        }
    }, [place]);

    let content;
    if (!page) {
        content = html`<h1>There is no such page</h1><p><a href="#/">To the cluster</a></p>`;
    } else if (!cluster) {
        content = error ? html`<${ErrorBox} error=${error} />` : html`<${Waiting} />`;
    } else {
        content = html`<${page.page} key=${place} route=${route} cluster=${cluster} tick=${tick}
            history=${history.current} admin=${cluster.role === 'admin' || cluster.role === 'node'} />`;
    }
    return html`<${Shell} route=${route} page=${page} cluster=${cluster} connected=${connected}>${content}<//>`;
}

function returnToPlace() {
    try {
        const hash = sessionStorage.getItem(RETURN_KEY);
        sessionStorage.removeItem(RETURN_KEY);
        if (hash && location.hash === '') {
            location.replace(hash);
        }
    } catch {
        // Without storage one starts at the first page.
    }
}

returnToPlace();
const root = document.getElementById('app');
root.textContent = '';
render(html`<${App} />`, root);
