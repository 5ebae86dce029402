// Everything that goes over the network: requests, the stream of events, and hooks that keep a page fresh.

import {useEffect, useRef, useState} from './htm.js';

const BASE = '/api/v1';
// Where somebody was when the session ended, so that the log-in leads back there.
export const RETURN_KEY = 'duckherder-return-to';
// A resource that takes long to get is asked for less often: at most this share of the time goes into asking.
const SHARE_OF_TIME = 0.1;
const SHORTEST_GAP_MS = 700;
const RECONNECT_MS = 1000;
// Browsers allow six connections to a server, for all tabs together: one that nobody looks at gives its stream back.
const HIDDEN_MS = 10000;

/** An answer of the server that is not a success; `message` is the sentence that it sent. */
export class ApiError extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/** The log-in page is what a stranger gets at every address, so a reload shows it. */
function showLogin() {
    try {
        sessionStorage.setItem(RETURN_KEY, location.hash);
    } catch {
        // Without storage the log-in leads to the first page.
    }
    location.reload();
}

async function request(path, options) {
    let response;
    try {
        response = await fetch(path, {credentials: 'same-origin', cache: 'no-store', ...options});
    } catch (error) {
        if (error.name === 'AbortError') {
            throw error;
        }
        throw new ApiError(0, 'The server does not answer.');
    }
    if (response.status === 401) {
        showLogin();
        // The page goes away: nobody should see an error before that.
        return new Promise(() => {});
    }
    if (!response.ok) {
        const body = await response.json().catch(() => null);
        throw new ApiError(response.status, body?.error ?? `The server answered with status ${response.status}.`);
    }
    return response;
}

export async function get(path, signal) {
    return (await request(BASE + path, {signal})).json();
}

/** The header is what another site's form cannot send. */
export async function post(path, {body, signal, base = BASE} = {}) {
    const headers = {'X-Duckherder': '1', 'Content-Type': 'text/plain; charset=utf-8'};
    const response = await request(base + path, {method: 'POST', headers, body: body ?? '', signal});
    const text = await response.text();
    return text.startsWith('{') ? JSON.parse(text) : null;
}

export async function logOut() {
    await post('/logout', {base: ''});
    location.reload();
}

/**
 * Calls onCluster with each state of the cluster and onConnection(true or false) when the stream opens or breaks.
 * Returns a function that ends it.
 */
export function openEvents(onCluster, onConnection) {
    let source = null;
    let timer = 0;
    let closed = false;
    function open() {
        clearTimeout(timer);
        source?.close();
        source = new EventSource(BASE + '/events');
        source.addEventListener('cluster', event => {
            onConnection(true);
            onCluster(JSON.parse(event.data));
        });
        source.addEventListener('error', () => {
            onConnection(false);
            if (source.readyState !== EventSource.CLOSED || closed) {
                return;
            }
            // A refusal ends the stream for good, and its status is not told. An ordinary request finds out: for
            // a session that has ended it leads to the log-in.
            timer = setTimeout(() => get('/cluster').then(() => closed || open(), () => closed || open()),
                               RECONNECT_MS);
        });
    }
    function visibilityChanged() {
        clearTimeout(timer);
        if (document.hidden) {
            timer = setTimeout(() => source.close(), HIDDEN_MS);
        } else if (source.readyState === EventSource.CLOSED) {
            open();
        }
    }
    open();
    document.addEventListener('visibilitychange', visibilityChanged);
    return () => {
        closed = true;
        document.removeEventListener('visibilitychange', visibilityChanged);
        clearTimeout(timer);
        source.close();
    };
}

/**
 * What the server says at `path` (null: nothing is asked), again whenever `version` changes. The old answer stays
 * until the new one is there, also when the path has changed: nothing flickers, and the button that somebody has
 * pressed does not vanish under the focus.
 */
export function useResource(path, version) {
    const [state, setState] = useState({path: null, data: null, error: null});
    const flight = useRef({controller: null, timer: 0, notBefore: 0, path: null, stale: false});

    useEffect(() => {
        const current = flight.current;
        if (current.path !== path) {
            current.controller?.abort();
            clearTimeout(current.timer);
            Object.assign(current, {controller: null, timer: 0, notBefore: 0, path});
        }
        if (path === null) {
            setState({path, data: null, error: null});
            return;
        }
        // A change during a request must not be lost: the request may have been answered before it.
        current.stale = true;
        if (!current.controller && !current.timer) {
            start();
        }

        function start() {
            const wait = current.notBefore - performance.now();
            if (wait > 0) {
                current.timer = setTimeout(() => {
                    current.timer = 0;
                    start();
                }, wait);
                return;
            }
            current.stale = false;
            const controller = current.controller = new AbortController();
            const begin = performance.now();
            get(path, controller.signal).then(
                data => finish(controller, begin, {path, data, error: null}),
                error => error.name === 'AbortError' || finish(controller, begin, {path, error}));
        }

        function finish(controller, begin, answer) {
            if (current.controller !== controller) {
                return;
            }
            const now = performance.now();
            current.controller = null;
            current.notBefore = now + Math.max(SHORTEST_GAP_MS, (now - begin) * (1 / SHARE_OF_TIME - 1));
            setState(old => ({data: old.data, ...answer}));
            if (current.stale) {
                start();
            }
        }
    }, [path, version]);

    useEffect(() => () => {
        const current = flight.current;
        current.controller?.abort();
        current.controller = null;
        clearTimeout(current.timer);
    }, []);

    return path === null ? {path, data: null, error: null} : state;
}
