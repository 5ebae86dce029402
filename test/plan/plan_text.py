"""A plan as text that a reviewer reads: how the query runs, its stages, and what is left to the session.

The text is what EXPLAIN says of the stages, without the parts of it that say nothing about the distribution: what an
operator of the session computes, and how many rows DuckDB expects of it. Stages have names here instead of numbers, so
that a stage more or less does not change all that follows: that of a scan is called as the table or the file, and what
becomes of these rows in further stages is table.1, table.2.
"""

import json
import re
from collections import Counter

import duckdb

from support.session import Connection

Node = dict
NOT_DISTRIBUTED = "duckherder_require_distributed is on: "
GATHER = "DUCKHERDER_GATHER"
#: The row of EXPLAIN with the stages
ROW = "distributed_plan"
ARROW = " <- "
STAGE = re.compile(r"\bstage (\d+)")
#: At the end of a chain of operators: what it scans, or that it reads another stage
SCANNED = re.compile(r"(?:SCAN|READ_\w+) (?:of \d+ )?([^\s,\]]+)(?=[,\]]|$)")
READ_STAGE = re.compile(r"\bEXCHANGE_\w+ of stage (\d+)")
#: DuckLake's names of files
UNIQUE_NAME = re.compile(r"(?<=ducklake-)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def describe(con: Connection, sql: str) -> list[str]:
    """The first line says how the query runs and why; the others are indented."""
    rows = dict(con.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall())
    roots: list[Node] = json.loads(rows["physical_plan"])
    ours: dict = json.loads(rows.get(ROW, "{}"))
    session = [f"  {line}" for root in roots for line in _tree_lines(_session_text(root))]
    if not ours.get("stages"):
        reason = ours["reason"] if ours else _why_not_distributed(con, sql)
        return [f"LOCAL: {reason}", "  session", *(f"  {line}" for line in session)]
    stages = {stage["stage"]: stage for stage in ours["stages"]}
    first = f"PARTIAL: {ours['reason']}" if ours["mode"] == "PARTIAL" else "DISTRIBUTED"
    lines = []
    for number in sorted(stages):
        lines += _stage_lines(stages[number])
    names = _stage_names(stages)
    text = STAGE.sub(lambda match: names[int(match[1])], "\n".join([*lines, "  session", *(f"  {x}" for x in session)]))
    return [first, *text.split("\n")]


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _as_text(value: str | list[str]) -> str:
    return " ".join(_as_list(value))


def _stage_names(stages: dict[int, Node]) -> dict[int, str]:
    """Each by what its rows come from: its scan, or the first stage that it reads, which has a lower number."""
    origins: dict[int, str] = {}
    names: dict[int, str] = {}
    scans: Counter[str] = Counter()
    later: Counter[str] = Counter()
    for number in sorted(stages):
        operators = _operators(stages[number])
        read = READ_STAGE.search(operators)
        if not (scanned := SCANNED.search(operators)) and read:
            origins[number] = origins[int(read[1])]
            later[origins[number]] += 1
            names[number] = f"{origins[number]}.{later[origins[number]]}"
            continue
        name = scanned[1].partition(".")[0] if scanned else "rows"
        scans[name] += 1
        names[number] = origins[number] = name if scans[name] == 1 else f"{name}#{scans[name]}"
    return names


def _why_not_distributed(con: Connection, sql: str) -> str:
    """EXPLAIN is silent where no worker could have run anything, but a session that requires workers says why. The
    query itself is tried, as its EXPLAIN counts as a statement that reads nothing if it reads constants only."""
    con.execute("SET duckherder_require_distributed = true")
    try:
        con.execute(sql if sql.startswith("SELECT") else f"EXPLAIN {sql}").fetchall()
    except duckdb.InvalidInputException as error:
        return str(error).partition(NOT_DISTRIBUTED)[2]
    finally:
        con.execute("RESET duckherder_require_distributed")
    return "no reason is given"


def _stage_lines(stage: Node) -> list[str]:
    return [f"  stage {stage['stage']}: {_tasks(stage)}", *(f"    {line}" for line in _tree_lines(_operators(stage))),
            f"    {_output(stage['output'])}"]


def _operators(stage: Node) -> str:
    return UNIQUE_NAME.sub("UUID", stage["description"])


def _tasks(stage: Node) -> str:
    tasks = stage["tasks"]
    parts = [f"{tasks['partitions']} partitions, tasks by their sizes"]
    if (count := tasks["planned"]) is not None:
        words = [f"{count} task{'' if count == 1 else 's'}"]
        words += [f"{tasks['split']} split"] if tasks["split"] else []
        words += [f"{tasks['table_rows']} rows"] if tasks["table_rows"] else []
        parts = [", ".join(words)]
    return "; ".join([*parts, *(f"filtered by keys of stage {source}" for source in stage["filtered_by_keys_of"])])


def _output(output: Node) -> str:
    text = f"to {output['kind'].lower().replace('_', ' ')}"
    if columns := output["key_columns"]:
        text += f"{', sampled' if output['kind'] == 'ROUND_ROBIN' else ''} by ({columns})"
    if output["partitions"]:
        text += f", {output['partitions']} partitions"
    if other := output.get("or_part_of"):
        text += f" or part of stage {other['stage']}, if stage {other['if_small']} is small"
    return text


def _session_text(node: Node) -> str:
    """An operator of the session and those below it, written as EXPLAIN writes those of a stage."""
    info = node["extra_info"]
    name = node["name"]
    if name == GATHER:
        return f"{name} of stage {int(_as_text(info['Stage']).partition(',')[0])}"
    if "Join Type" in info:
        name += f" {_as_text(info['Join Type'])}"
    children = [_session_text(child) for child in node["children"]]
    if len(children) > 1:
        return f"{name}{ARROW}[{', '.join(children)}]"
    return ARROW.join([name, *children])


def _tree_lines(text: str) -> list[str]:
    """A line for each chain of operators; what an operator of several inputs reads is indented below it."""
    lines = []
    depth = 0
    for part in text.replace(f"{ARROW}[", "\n[").replace(", ", "\n,").replace("]", "\n]").split("\n"):
        depth += {"[": 1, "]": -1}.get(part[:1], 0)
        if chain := part.lstrip("[],"):
            lines.append("  " * depth + chain)
    return lines
