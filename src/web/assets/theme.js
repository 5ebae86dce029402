// Light or dark as the system says, unless somebody has chosen. A classic script in the head, so that the choice
// holds before the first paint and nothing flashes.
'use strict';

(() => {
    const KEY = 'duckherder-theme';
    const query = matchMedia('(prefers-color-scheme: dark)');
    // Kept, as Chromium does not tell of a change that somebody has already seen by asking for `matches`.
    let systemDark = query.matches;
    let choice = null;
    try {
        choice = localStorage.getItem(KEY);
    } catch {
        // Without storage a choice holds until the page is left.
    }

    function apply() {
        if (choice === 'dark' || choice === 'light') {
            document.documentElement.dataset.theme = choice;
        } else {
            choice = null;
            delete document.documentElement.dataset.theme;
        }
        // Canvases do not follow the style sheet by themselves.
        dispatchEvent(new Event('themechange'));
    }

    function store() {
        try {
            if (choice) {
                localStorage.setItem(KEY, choice);
            } else {
                localStorage.removeItem(KEY);
            }
        } catch {
            // As above.
        }
    }

    window.duckherderTheme = {
        isDark: () => choice ? choice === 'dark' : systemDark,
        toggle() {
            const dark = !this.isDark();
            // What the system wants anyway is no choice: the page follows the system again.
            choice = dark === systemDark ? null : dark ? 'dark' : 'light';
            store();
            apply();
        },
    };
    apply();
    query.addEventListener('change', event => {
        systemDark = event.matches;
        dispatchEvent(new Event('themechange'));
    });
})();
