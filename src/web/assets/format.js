// Numbers, sizes and times as people read them. A missing value is a dash everywhere.

export const NONE = '–';

const COUNT = new Intl.NumberFormat('en');
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function count(value) {
    return value == null ? NONE : COUNT.format(value);
}

/** At most four digits, for places where there is little room: 12.3 M. */
export function shortCount(value) {
    if (value == null) {
        return NONE;
    }
    for (const [limit, unit] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
        if (Math.abs(value) >= limit) {
            return digits(value / (unit === 'k' ? 1e3 : limit)) + ' ' + unit;
        }
    }
    return COUNT.format(value);
}

function digits(value) {
    return value >= 99.5 ? value.toFixed(0) : value >= 9.95 ? value.toFixed(1) : value.toFixed(2);
}

export function bytes(value) {
    if (value == null) {
        return NONE;
    }
    let unit = 0;
    while (value >= 1000 && unit < UNITS.length - 1) {
        value /= 1024;
        unit++;
    }
    return (unit === 0 ? COUNT.format(value) : digits(value)) + ' ' + UNITS[unit];
}

export function duration(ms) {
    if (ms == null) {
        return NONE;
    }
    if (ms < 9.95) {
        return (ms < 0.05 ? '0' : ms.toFixed(1)) + ' ms';
    }
    if (ms < 999.5) {
        return ms.toFixed(0) + ' ms';
    }
    const seconds = ms / 1000;
    if (seconds < 59.95) {
        return (seconds < 9.995 ? seconds.toFixed(2) : seconds.toFixed(1)) + ' s';
    }
    const whole = Math.round(seconds);
    if (whole < 3600) {
        return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    }
    const minutes = Math.round(seconds / 60);
    if (minutes < 48 * 60) {
        return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    }
    return `${Math.floor(minutes / 1440)} d ${Math.floor(minutes % 1440 / 60)} h`;
}

export function percent(share) {
    if (share == null || !isFinite(share)) {
        return NONE;
    }
    return (share > 0 && share < 0.01 ? '< 1' : (share * 100).toFixed(0)) + ' %';
}

const pad = (value, width = 2) => String(value).padStart(width, '0');

/** The time of day of an epoch in microseconds, with the date unless that is today. */
export function clock(us) {
    if (us == null || us === 0) {
        return NONE;
    }
    const time = new Date(us / 1000);
    const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
    const text = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
    return new Date().toDateString() === time.toDateString() ? text : `${day} ${text}`;
}

/** For the title of a time: no doubt about the day or the zone. */
export function fullTime(us) {
    return us ? new Date(us / 1000).toISOString().replace('T', ' ').replace('Z', ' UTC') : '';
}

/** "1 task", "2 tasks". */
export function plural(value, one, many = one + 's') {
    return `${count(value)} ${value === 1 ? one : many}`;
}

/** The first words of a statement on one line. */
export function oneLine(sql, length = 160) {
    const line = sql.slice(0, 4 * length).replace(/\s+/g, ' ').trim();
    return line.length > length ? line.slice(0, length - 1) + '…' : line;
}
