"""ClickBench: the 43 queries of the pinned package, and a table `hits` that is made up to suit them.

The real table holds 100 million page views of a web analytics service, 14 GB. Ours has its 105 columns with their types
in DuckDB, and rows that are skewed alike: few users, sites, pages and phrases are very frequent, most phrases are
empty, everything happened in July 2013. A row is a function of its number, so each run makes the same table.
"""

import re
import runpy
from functools import cache
from pathlib import Path

from support import paths
from support.generated import ROW_GROUP_ROWS, generate_once
from support.session import Connection, plain_session

#: So that even a small table has several row groups
ROW_GROUPS = 8
#: Its thresholds are meant for a table of this size
REAL_ROWS = 100_000_000
#: Values that the queries ask for
SOUGHT_USER = 435090932899640449
SOUGHT_URL_HASH = 2868770270353813622
SOUGHT_REFERER_HASH = 3594120000172545465
SOUGHT_COUNTER = 62
#: The one page that half of the sought site's views are of
FRONT_PAGE = f"(front AND counter = {SOUGHT_COUNTER})"


def _corrected(name: str, sql: str) -> str:
    """The package's text with what ClickBench has for DuckDB: its regular expression and length of strings, and the
    limit of the last query."""
    sql = sql.strip().rstrip(";").replace(r"\\1", r"\1").replace("LENGTH(", "STRLEN(")
    return sql + " LIMIT 10 OFFSET 1000" if name == "Q43" else sql


@cache
def queries(rows: int = REAL_ROWS) -> dict[int, str]:
    """For a table of so many rows: what is asked of the size of a group shrinks with the table."""
    module = runpy.run_path(str(paths.require(paths.CLICKBENCH_QUERIES)))
    texts = module["ClickBenchQueryManager"]().get_all_queries()
    threshold = f"HAVING COUNT(*) > {max(1, 100_000 * rows // REAL_ROWS)}"
    return {int(name[1:]): _corrected(name, sql).replace("HAVING COUNT(*) > 100000", threshold)
            for name, sql in texts.items()}


def unique_query(sql: str, columns: int) -> str:
    """The query with all columns of its result as further sort keys: then it has one answer only, whatever its own
    keys leave undecided at the limit."""
    body, limit, rest = sql.partition(" LIMIT ")
    positions = ", ".join(str(number + 1) for number in range(columns))
    if " ORDER BY " in body:
        return f"{body}, {positions}{limit}{rest}"
    return f"{body} ORDER BY {positions}{limit}{rest}"


def order_keys(sql: str, names: list[str]) -> list[int]:
    """The columns of the result that it is ordered by: the leading ones, as keys may be missing in the result."""
    match = re.search(r" ORDER BY (.+?)(?: LIMIT |$)", sql)
    found: list[int] = []
    lower = [name.lower() for name in names]
    for key in match[1].split(", ") if match else []:
        name = key.removesuffix(" DESC").lower().replace("count(*)", "count_star()")
        if name not in lower:
            break
        found.append(lower.index(name))
    return found


def _roll(salt: str, sides: int, of: str = "i") -> str:
    """A number below `sides`, equally often each; the same for the same `of`."""
    return f"(hash({of}, '{salt}') % {sides})::BIGINT"


def _skewed(salt: str, values: str, of: str = "i") -> str:
    """A number from 1, each half as often as half of it (Zipf), up to `values`."""
    return f"floor(pow({values}, {_roll(salt, 1 << 30, of)} / {float(1 << 30)}))::BIGINT"


def _percent(salt: str, percent: float, then: str, otherwise: str, of: str = "i") -> str:
    return f"CASE WHEN {_roll(salt, 10000, of)} < {round(percent * 100)} THEN {then} ELSE {otherwise} END"


def _one_of(salt: str, *values: object, of: str = "i") -> str:
    """The first values are the frequent ones."""
    choices = ", ".join(repr(value) for value in values)
    return f"([{choices}])[{_skewed(salt, str(len(values) + 1) + ' - 1e-9', of)}]"


def _words(salt: str, number: str) -> str:
    """A phrase for a number; with letters of two bytes, of which characters and bytes differ in number."""
    words = ("купить", "weather", "смотреть", "news", "билеты", "forum", "отзывы", "cheap", "игры", "онлайн", "sport",
             "карта", "video", "скачать", "photo", "автомобиль")
    pick = lambda part: f"([{', '.join(map(repr, words))}])[1 + {_roll(salt + part, len(words), number)}]"  # noqa: E731
    return f"concat_ws(' ', {pick('a')}, {pick('b')}, CASE WHEN {number} > 9 THEN {number}::VARCHAR END)"


#: What the columns are made from, step by step; a later step sees the earlier ones
STEPS = (
    {
        "user_rank": _skewed("user", "{rows} / 5.0 + 2"),
        "counter": _percent("counter", 40, str(SOUGHT_COUNTER), f"{_skewed('site', '6000')} + 100"),
        "page": _skewed("page", "{rows} / 2.0 + 2"),
        "front": f"{_roll('front', 100)} < 50",
        "referer_kind": _roll("referer", 100),
        "referer_page": _skewed("referer page", "{rows} / 10.0 + 2"),
        "phrase": _percent("phrase", 12, _skewed("words", "{rows} / 50.0 + 2"), "0"),
        "event_time": "TIMESTAMP '2013-07-01' + to_seconds(least(2678399, (i * 2678400) // {rows} + "
                      f"{_roll('jitter', 1800)}))",
    },
    {
        "url": f"CASE WHEN {FRONT_PAGE} THEN 'http://irr.example.ru/index.php?showalbum/login' "
               f"WHEN {_roll('url', 100)} = 0 THEN '' "
               f"WHEN {_roll('url', 100)} < 4 THEN 'http://www.google.ru/search?ie=UTF-8&page=' || page "
               f"WHEN {_roll('url', 100)} < 6 THEN 'https://site' || counter || '.ru/out?to=google' || page "
               "ELSE 'http://' || if(counter % 3 = 0, 'www.', '') || 'site' || counter || '.ru/' || "
               f"{_one_of('section', 'catalog', 'news', 'forum', 'video', 'user')} || '/' || page || '.html' END",
        "referer": "CASE WHEN referer_kind < 20 THEN '' WHEN referer_kind < 30 THEN 'http://irr.example.ru/' "
                   "WHEN referer_kind < 45 THEN 'https://www.google.com/search?q=' || referer_page "
                   "WHEN referer_kind < 60 THEN 'http://yandex.ru/yandsearch?text=' || referer_page "
                   "ELSE 'http://' || if(referer_page % 2 = 0, 'www.', '') || 'site' || referer_page % 40 || '.ru/' || "
                   "referer_page END",
        "mobile": _roll("mobile", 100, "user_rank") + " < 12",
    },
)

_SMALL = ("SMALLINT", "0")
_EMPTY = ("VARCHAR", "''")
_FLAG = lambda salt, percent: ("SMALLINT", _percent(salt, percent, "1", "0"))  # noqa: E731
_USER = "user_rank"

#: Type and expression of each column, in the order of the table
COLUMNS: dict[str, tuple[str, str]] = {
    "WatchID": ("BIGINT", "(hash(i, 'watch') >> 1)"),
    "JavaEnable": _FLAG("java", 70),
    "Title": ("VARCHAR", f"CASE WHEN {_roll('title', 100)} < 15 THEN '' "
              f"WHEN {_roll('title', 100)} < 20 THEN 'Google: ' || {_words('title', 'page')} "
              f"ELSE {_words('title', 'page')} || ' - site' || counter END"),
    "GoodEvent": ("SMALLINT", "1"),
    "EventTime": ("TIMESTAMP", "event_time"),
    "EventDate": ("DATE", "event_time"),
    "CounterID": ("INTEGER", "counter"),
    "ClientIP": ("INTEGER", f"{_roll('ip', 4_000_000_000, _USER)} - 2000000000"),
    "RegionID": ("INTEGER", _skewed("region", "5000", _USER)),
    "UserID": ("BIGINT", f"if(user_rank = 9, {SOUGHT_USER}, (hash(user_rank, 'user id') >> 1)::BIGINT)"),
    "CounterClass": ("SMALLINT", _percent("class", 90, "0", "1")),
    "OS": ("SMALLINT", _one_of("os", 44, 2, 0, 7, 5, 107, 64, of=_USER)),
    "UserAgent": ("SMALLINT", _one_of("agent", 7, 5, 3, 82, 4, 2, 0, of=_USER)),
    "URL": ("VARCHAR", "url"),
    "Referer": ("VARCHAR", "referer"),
    "IsRefresh": _FLAG("refresh", 10),
    "RefererCategoryID": ("SMALLINT", _percent("rc", 60, "0", _skewed("referer category", "16000"))),
    "RefererRegionID": ("INTEGER", _percent("rr", 60, "0", _skewed("referer region", "1000"))),
    "URLCategoryID": ("SMALLINT", _percent("uc", 30, "0", "(counter * 7) % 16000")),
    "URLRegionID": ("INTEGER", "counter % 300"),
    "ResolutionWidth": ("SMALLINT", _one_of("resolution", 1366, 1920, 1280, 1024, 1600, 1440, 320, 0, of=_USER)),
    "ResolutionHeight": ("SMALLINT", _one_of("resolution", 768, 1080, 1024, 768, 900, 900, 480, 0, of=_USER)),
    "ResolutionDepth": ("SMALLINT", _one_of("depth", 32, 24, 16, 0, of=_USER)),
    "FlashMajor": ("SMALLINT", _one_of("flash", 11, 10, 0, 9, of=_USER)),
    "FlashMinor": ("SMALLINT", _roll("flash minor", 10, _USER)),
    "FlashMinor2": ("VARCHAR", _one_of("flash 2", "700", "800", "", "0", of=_USER)),
    "NetMajor": ("SMALLINT", _one_of("net", 0, 3, 4, of=_USER)),
    "NetMinor": ("SMALLINT", _one_of("net", 0, 5, 0, of=_USER)),
    "UserAgentMajor": ("SMALLINT", _roll("agent major", 30, _USER)),
    "UserAgentMinor": ("VARCHAR", _one_of("agent minor", "0", "D", "5", "bk", "ap", of=_USER)),
    "CookieEnable": _FLAG("cookie", 97),
    "JavascriptEnable": _FLAG("script", 98),
    "IsMobile": ("SMALLINT", "mobile"),
    "MobilePhone": ("SMALLINT", f"if(mobile, {_one_of('phone', 1, 6, 7, 11, 26, 5, of=_USER)}, 0)"),
    "MobilePhoneModel": ("VARCHAR", "if(mobile, " + _one_of(
        "model", "iPad", "iPhone", "A500", "N8-00", "GT-I9500", "Lumia", "ONE TOUCH", "", "X10i", of=_USER) + ", '')"),
    "Params": ("VARCHAR", _percent("params", 95, "''", "'{\"page\":' || page || '}'")),
    "IPNetworkID": ("INTEGER", _skewed("network", "4000000", _USER)),
    "TraficSourceID": ("SMALLINT", _one_of("source", 0, -1, 3, 6, 1, 2, 5, 7, 8)),
    "SearchEngineID": ("SMALLINT", f"if(phrase = 0, {_percent('se', 96, '0', '2')}, "
                       f"{_one_of('engine', 2, 3, 4, 1, 13)})"),
    "SearchPhrase": ("VARCHAR", f"if(phrase = 0, '', {_words('phrase', 'phrase')})"),
    "AdvEngineID": ("SMALLINT", _percent("adv", 97, "0", _one_of("adv engine", 2, 27, 13, 45, 44, 3, 62, 52))),
    "IsArtifical": _FLAG("artificial", 20),
    "WindowClientWidth": ("SMALLINT", f"{_roll('width', 1400)} + 300"),
    "WindowClientHeight": ("SMALLINT", f"{_roll('height', 900)} + 200"),
    "ClientTimeZone": ("SMALLINT", _one_of("zone", 135, 240, 180, 360, -1, of=_USER)),
    "ClientEventTime": ("TIMESTAMP", f"event_time + to_seconds({_roll('clock', 7200)} - 3600)"),
    "SilverlightVersion1": ("SMALLINT", _one_of("silver", 0, 5, 4, of=_USER)),
    "SilverlightVersion2": ("SMALLINT", _one_of("silver", 0, 1, 0, of=_USER)),
    "SilverlightVersion3": ("INTEGER", _one_of("silver", 0, 20513, 60531, of=_USER)),
    "SilverlightVersion4": _SMALL,
    "PageCharset": ("VARCHAR", _one_of("charset", "windows-1251;charset", "utf-8", "", "koi8-r")),
    "CodeVersion": ("INTEGER", _one_of("code", 1601, 291, 0, 433)),
    "IsLink": _FLAG("link", 25),
    "IsDownload": _FLAG("download", 2),
    "IsNotBounce": _FLAG("bounce", 40),
    "FUniqID": ("BIGINT", "(hash(user_rank, 'unique') >> 1)"),
    "OriginalURL": ("VARCHAR", _percent("original", 60, "''", "url")),
    "HID": ("INTEGER", _roll("hid", 1 << 30)),
    "IsOldCounter": _SMALL,
    "IsEvent": _SMALL,
    "IsParameter": _SMALL,
    "DontCountHits": _FLAG("uncounted", 5),
    "WithHash": _FLAG("with hash", 1),
    "HitColor": ("VARCHAR", _one_of("color", "5", "E", "W", "T", "C")),
    "LocalEventTime": ("TIMESTAMP", f"event_time + to_hours({_one_of('local', 4, 6, 7, 2, of=_USER)})"),
    "Age": ("SMALLINT", _one_of("age", 0, 22, 26, 31, 50, 39, 55, of=_USER)),
    "Sex": ("SMALLINT", _one_of("sex", 0, 2, 1, of=_USER)),
    "Income": ("SMALLINT", _one_of("income", 0, 2, 3, 1, of=_USER)),
    "Interests": ("SMALLINT", _percent("interested", 60, "0", _roll("interests", 16000, _USER), _USER)),
    "Robotness": ("SMALLINT", _percent("robot", 98, "0", _roll("robotness", 30, _USER), _USER)),
    "RemoteIP": ("INTEGER", f"{_roll('remote', 4_000_000_000, _USER)} - 2000000000"),
    "WindowName": ("INTEGER", _one_of("window", -1, 2541, 4096)),
    "OpenerName": ("INTEGER", _one_of("opener", -1, 6414, 1)),
    "HistoryLength": ("SMALLINT", f"{_skewed('history', '100')} - 2"),
    "BrowserLanguage": ("VARCHAR", _one_of("language", "S0", "nT", "Q1", "E", "h1", of=_USER)),
    "BrowserCountry": ("VARCHAR", _one_of("country", "h1", "Ho", "Ta", "E", "", "o\f", of=_USER)),
    "SocialNetwork": _EMPTY,
    "SocialAction": _EMPTY,
    "HTTPError": _SMALL,
    "SendTiming": ("INTEGER", _percent("sent", 70, "0", _skewed("sending", "300000"))),
    "DNSTiming": ("INTEGER", _percent("dns", 80, "0", _skewed("resolving", "10000"))),
    "ConnectTiming": ("INTEGER", _percent("connected", 60, "0", _skewed("connecting", "30000"))),
    "ResponseStartTiming": ("INTEGER", _percent("started", 50, "0", _skewed("starting", "60000"))),
    "ResponseEndTiming": ("INTEGER", _percent("ended", 50, "0", _skewed("ending", "60000"))),
    "FetchTiming": ("INTEGER", _percent("fetched", 70, "0", _skewed("fetching", "120000"))),
    "SocialSourceNetworkID": ("SMALLINT", _percent("social", 97, "0", _one_of("social source", 3, 7, 11))),
    "SocialSourcePage": _EMPTY,
    "ParamPrice": ("BIGINT", _percent("priced", 99, "0", _skewed("price", "1000000"))),
    "ParamOrderID": _EMPTY,
    "ParamCurrency": ("VARCHAR", "'NH' || chr(28)"),
    "ParamCurrencyID": _SMALL,
    "OpenstatServiceName": ("VARCHAR", _percent("openstat", 99, "''", "'market.example'")),
    "OpenstatCampaignID": _EMPTY,
    "OpenstatAdID": _EMPTY,
    "OpenstatSourceID": _EMPTY,
    "UTMSource": ("VARCHAR", _percent("utm", 97, "''", _one_of("utm source", "mail", "banner", "yandex"))),
    "UTMMedium": ("VARCHAR", _percent("utm", 97, "''", "'cpc'")),
    "UTMCampaign": ("VARCHAR", _percent("utm", 97, "''", "'c' || page % 50")),
    "UTMContent": _EMPTY,
    "UTMTerm": _EMPTY,
    "FromTag": ("VARCHAR", _percent("tag", 99, "''", _one_of("from", "soft", "app", "top"))),
    "HasGCLID": _FLAG("gclid", 1),
    "RefererHash": ("BIGINT", "if(referer = 'http://irr.example.ru/', "
                    f"{SOUGHT_REFERER_HASH}, (hash(referer) >> 1)::BIGINT)"),
    "URLHash": ("BIGINT", f"if({FRONT_PAGE}, {SOUGHT_URL_HASH}, (hash(url) >> 1)::BIGINT)"),
    "CLID": ("INTEGER", "0"),
}


def select(rows: int) -> str:
    source = f"(SELECT range AS i FROM range({rows}))"
    for step in STEPS:
        made = ", ".join(f"{text.replace('{rows}', str(rows))} AS {name}" for name, text in step.items())
        source = f"(SELECT *, {made} FROM {source})"
    columns = ", ".join(f"CAST({text} AS {kind}) AS {name}" for name, (kind, text) in COLUMNS.items())
    return f"SELECT {columns} FROM {source}"


def parquet_directory(rows: int, base: Path = paths.ROOT / "build" / "test-data") -> Path:
    """Generates the data if it is not there."""
    def fill(fresh: Path) -> None:
        group = max(2048, min(ROW_GROUP_ROWS, rows // ROW_GROUPS))
        with plain_session() as con:
            con.execute(f"COPY ({select(rows)}) TO {paths.quoted(fresh / 'hits.parquet')} "
                        f"(FORMAT parquet, ROW_GROUP_SIZE {group})")

    return generate_once(base / f"clickbench-{rows}", fill)


def create_sources(con: Connection, directory: Path, kind: str) -> None:
    """`kind`: VIEW over the file, or TABLE with its rows."""
    con.execute(f"CREATE {kind} hits AS FROM {paths.quoted(directory / 'hits.parquet')}")
