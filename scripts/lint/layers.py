"""An #include against the architecture's arrows, and untidy files.

The arrows say which folder of src/ may include which; what a folder may include, its users may include as well. A new
arrow is a decision: it has to be written here and in the folder's CMakeLists.txt.
"""

import re
from pathlib import Path

ARROWS = {
    "common": set(),
    "compat": set(),
    "plan": set(),
    "protocol": {"plan"},
    "wire": {"plan", "protocol"},
    "engine": {"plan", "protocol", "wire"},
    "exchange": {"engine", "plan", "protocol"},
    "scheduler": {"plan"},
    "planner": {"engine", "plan", "wire"},
    "cluster": {"protocol"},
    "history": {"plan", "protocol"},
    "coordinator": {"cluster", "engine", "history", "planner", "protocol", "scheduler", "wire"},
    "server": {"engine", "planner", "protocol", "wire"},
    "worker": {"engine", "exchange", "plan", "protocol", "wire"},
    "transport": {"protocol", "wire"},
    "client": {"engine", "protocol", "wire"},
    "extension": {"client", "cluster", "coordinator", "engine", "history", "planner", "protocol", "server"},
    "web": {"cluster", "extension", "history", "protocol", "server", "transport", "wire"},
    "main": {"client", "cluster", "coordinator", "engine", "extension", "history", "protocol", "server", "transport",
             "web", "worker"},
}
# Rooms of a folder: a room may include itself and those before it; the folder's own files may include all of them.
ROOMS = {
    "planner": ("interface", "rewrite", "split", "place", "cut"),
    "transport": ("listen", "credentials", "http", "flight", "flight_sql", "node", "in_process"),
}
WITHOUT_DUCKDB = {"common", "plan", "scheduler"}
WITH_ARROW = {"wire", "transport"}
FLIGHT_FOLDERS = ("src/transport/flight/", "src/transport/flight_sql/", "src/transport/node/", "test/transport/")
# The scheduler is run by a simulator: it starts no thread, waits for none and opens no socket.
SCHEDULER_BANNED = re.compile(r"(thread|condition_variable|semaphore|future|sys/.*|netinet/.*|unistd\.h)")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CODE_SUFFIXES = {".cpp", ".hpp", ".py", ".sh", ".cmake"}
MAX_COLUMNS = 120
MAX_LINES = 600
TAB_COLUMNS = 4
VAGUE_NAME = re.compile(r"(util|utils|utility|utilities|helper|helpers|misc|stuff)(?![a-z])", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|deb\.debian\.org|repo1\.maven\.org|golang\.org/dl")
# A path of one machine. What follows a name, a variable or another path is relative: src/work, $dir/tmp.
MACHINE_PATH = re.compile(r"(?<![\w.}/$)>-])/(work|root|tmp|home)(?![\w-])")


def reachable(folder):
    """The folder itself, `common`, `compat` if it sees DuckDB, and every folder that the arrows lead to."""
    seen, pending = {"common"} if folder in WITHOUT_DUCKDB else {"common", "compat"}, [folder]
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            pending.extend(ARROWS[current])
    return seen


def room_problem(folder, path, header):
    """Why a file of the folder may not include another one of it, if it may not."""
    rooms = ROOMS.get(folder, ())
    own, other = path.split("/")[2], header.split("/")[1]
    if own not in rooms:
        return None
    if other not in rooms:
        return f"includes {header}: what is in a room of src/{folder} does not see the folder's own files"
    if rooms.index(other) > rooms.index(own):
        return f"includes {header}: src/{folder}/{other} comes after src/{folder}/{own}"
    return None


def check_include(path, bracket, header):
    """Problems of one #include in the file with the given path (a string, relative to the root)."""
    parts = path.split("/")
    folder = parts[1] if parts[0] == "src" and len(parts) > 2 else None
    first = header.split("/")[0]
    if header.startswith("arrow/flight/") and not path.startswith(FLIGHT_FOLDERS):
        yield f"includes {header}: only {', '.join(FLIGHT_FOLDERS)} may see Flight"
    if folder is None:
        return
    if folder not in ARROWS:
        yield f"src/{folder} is not a folder of the architecture"
        return
    if re.match(r"duckdb(/|\.|_)", header):
        if folder in WITHOUT_DUCKDB:
            yield f"includes {header}: src/{folder} must not see DuckDB"
    elif first in ("arrow", "parquet"):
        if folder not in WITH_ARROW:
            yield f"includes {header}: src/{folder} must not see Arrow"
    elif bracket == '"':
        if first not in ARROWS or "/" not in header:
            yield f'includes "{header}": name it from src/, as "folder/file.hpp"'
        elif first not in reachable(folder):
            yield f"includes {header}: no arrow leads from src/{folder} to src/{first}"
        elif first == folder and (problem := room_problem(folder, path, header)):
            yield problem
    elif folder == "scheduler" and SCHEDULER_BANNED.fullmatch(header):
        yield f"includes <{header}>: the scheduler has no threads, waits or sockets"


def check_text(path, text):
    """(line number, problem) of one file."""
    name = path.rsplit("/", 1)[-1]
    suffix = Path(name).suffix
    code = suffix in CODE_SUFFIXES or name in ("Makefile", "CMakeLists.txt")
    # Words of a name begin at a capital, an underscore or a dash: RowUtils, row_utils.
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", Path(name).stem)
    if any(VAGUE_NAME.fullmatch(word) for word in words):
        yield 1, f"the name {name} says nothing: name the file after what it does"
    lines = text.splitlines()
    if code and len(lines) > MAX_LINES:
        yield MAX_LINES + 1, f"{len(lines)} lines, more than {MAX_LINES}: split the file"
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at the end"
    for number, line in enumerate(lines, 1):
        columns = len(line.expandtabs(TAB_COLUMNS))
        if code and columns > MAX_COLUMNS:
            yield number, f"{columns} columns, more than {MAX_COLUMNS}"
        # Two spaces at the end are a line break in Markdown.
        if line != line.rstrip() and suffix != ".md":
            yield number, "whitespace at the end of the line"
        if code and re.match(r"\t* +\t", line):
            yield number, "a tab after spaces in the indentation"
        if UNFINISHED.search(line):
            yield number, "unfinished work: do it, or write it down as an issue"
        if REGISTRY.search(line):
            yield number, "names a package registry's host: ask the package client instead"
        if MACHINE_PATH.search(line):
            yield number, "an absolute path of one machine"
        include = INCLUDE.match(line)
        if include and suffix in (".cpp", ".hpp"):
            for problem in check_include(path, *include.groups()):
                yield number, problem


def check_cmake(path, text):
    """The arrows of a folder's CMakeLists.txt must be those above."""
    match = re.fullmatch(r"src/(\w+)/CMakeLists\.txt", path)
    if not match or match[1] not in ARROWS:
        return
    folder = match[1]
    call = re.search(r"^duckherder_module\(\s*" + folder + r"\b([^)]*)\)", text, re.MULTILINE)
    if not call:
        yield 1, f"does not call duckherder_module({folder} ...)"
        return
    line = text[:call.start()].count("\n") + 1
    words = call[1].split()
    depends = set()
    if "DEPENDS" in words:
        for word in words[words.index("DEPENDS") + 1:]:
            if word.isupper():
                break
            depends.add(word)
    if depends - {"common"} != ARROWS[folder]:
        yield line, f"DEPENDS {' '.join(sorted(depends))} differs from the arrows: {' '.join(sorted(ARROWS[folder]))}"
    if "DUCKDB" in words and folder in WITHOUT_DUCKDB:
        yield line, f"src/{folder} must not see DuckDB"


def check(path, text):
    """(line number, problem) of one file."""
    yield from check_text(path, text)
    yield from check_cmake(path, text)
