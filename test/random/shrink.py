"""Makes a case smaller for as long as it shows the same problem."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from expressions import LITERALS
from lab import HANG, STUCK, Outcome, Question, Setup
from runner import Runner, SetupFailed
from filelists import smaller_lists
from schema import Schema, Table
from sqltree import EXPRESSION, ITEMS, OPTIONAL, QUERY, RELATION, Node, at, paths, replaced, statement


@dataclass(frozen=True)
class Finding:
    schema: Schema
    sql: Node
    ordered: bool
    settings: tuple[str, ...]
    workers: int
    locations: tuple[str, ...]
    outcome: Outcome

    def question(self, seconds: float = 30.0) -> Question:
        return Question(statement(self.sql), self.ordered, self.settings, seconds)

    def script(self) -> str:
        """Runs in the shell with the extension, from an empty directory."""
        here = Path()
        lines = [*self.schema.file_statements(here), *self.schema.session_statements(here),
                 f"SELECT duckherder_start_local_server(0, {self.workers})", "SET duckherder_mode = 'always'",
                 "SET duckherder_min_rows = 1", "SET duckherder_min_task_bytes = 1", *self.settings,
                 statement(self.sql)]
        return "".join(f"{line};\n" for line in lines)


def signature(outcome: Outcome) -> str:
    """The same for what is probably the same bug."""
    text = re.sub(r"\"[^\"]*\"|'[^']*'|[\d.]+", "#", outcome.detail.split("\n")[0])
    return f"{outcome.status}: {text[:80] if outcome.status != 'different result' else ''}"


class Shrinker:
    def __init__(self, runner: Runner, directory: Path, seconds: float = 60.0):
        self._runner = runner
        self._directory = directory
        self._end = time.monotonic() + seconds
        self._prepared: tuple | None = None
        self._number = 0

    def shrink(self, finding: Finding) -> Finding:
        """The smallest that was found in time; `outcome` is that of the smallest."""
        wanted = signature(finding.outcome)
        again = self._try(finding)
        if not again or signature(again) != wanted:
            return finding
        best, progress = finding, True
        while progress and not self._late():
            progress = False
            for candidates in (self._queries, self._settings, self._tables):
                smaller = self._one_pass(best, candidates, wanted)
                progress |= smaller is not best
                best = smaller
        return best

    def _late(self) -> bool:
        return time.monotonic() > self._end

    def _one_pass(self, best: Finding, candidates, wanted: str) -> Finding:
        progress = True
        while progress:
            progress = False
            for candidate in candidates(best):
                if self._late():
                    return best
                outcome = self._try(candidate)
                if outcome and signature(outcome) == wanted:
                    best, progress = replace(candidate, outcome=outcome), True
                    break
        return best

    def _try(self, finding: Finding) -> Outcome | None:
        setup = (finding.schema, finding.workers)
        try:
            if self._prepared != setup or not self._runner.alive:
                self._number += 1
                self._runner.setup(Setup(finding.schema, self._directory / str(self._number), finding.workers,
                                         finding.locations))
                self._prepared = setup
            slow = finding.outcome.status in (HANG, STUCK)
            return self._runner.ask(finding.question(10.0 if slow else 30.0))
        except SetupFailed:
            return None

    @staticmethod
    def _queries(finding: Finding) -> Iterator[Finding]:
        for sql in smaller_trees(finding.sql):
            yield replace(finding, sql=sql, ordered=finding.ordered and "ORDER BY" in str(sql))

    @staticmethod
    def _settings(finding: Finding) -> Iterator[Finding]:
        for number in range(len(finding.settings)):
            yield replace(finding, settings=finding.settings[:number] + finding.settings[number + 1:])
        schema = finding.schema
        for number in range(len(schema.settings)):
            yield replace(finding, schema=replace(
                schema, settings=schema.settings[:number] + schema.settings[number + 1:]))
        if not finding.locations and finding.workers > 1:
            yield replace(finding, workers=1)
            if finding.workers > 2:
                yield replace(finding, workers=2)

    @staticmethod
    def _tables(finding: Finding) -> Iterator[Finding]:
        schema, sql = finding.schema, str(finding.sql)
        for number, table in enumerate(schema.tables):
            others = schema.tables[:number], schema.tables[number + 1:]
            if not re.search(rf"\b{table.name}\b", sql):
                yield replace(finding, schema=replace(schema, tables=others[0] + others[1]))
                continue
            for smaller in smaller_tables(table, sql):
                yield replace(finding, schema=replace(schema, tables=(*others[0], smaller, *others[1])))


def smaller_trees(root: Node) -> Iterator[Node]:
    for path in list(paths(root)):
        node = at(root, path)
        if path and at(root, path[:-1]).kind == ITEMS and len(at(root, path[:-1]).parts) > at(root, path[:-1]).least:
            yield replaced(root, path, None)
        if node.kind == OPTIONAL and str(node):
            yield replaced(root, path, "")
        if path and (node.kind in (RELATION, QUERY) or node.kind.startswith(EXPRESSION)):
            for part in node.below():
                if part.kind == node.kind:
                    yield replaced(root, path, part)
        if path and node.kind.startswith(EXPRESSION) and any(isinstance(part, Node) for part in node.parts):
            yield replaced(root, path, LITERALS[node.kind.removeprefix(EXPRESSION)][0])


def smaller_tables(table: Table, sql: str) -> Iterator[Table]:
    if unused := [column for column in table.columns if not re.search(rf"\b{column.name}\b", sql)]:
        kept = tuple(column for column in table.columns if column not in unused)
        if kept:
            yield replace(table, columns=kept)
    if table.edits:
        yield replace(table, edits=())
        for number in range(len(table.edits)):
            yield replace(table, edits=table.edits[:number] + table.edits[number + 1:])
    if table.listed:
        for listed in smaller_lists(table.listed):
            yield replace(table, listed=listed)
    if table.storage != "native":
        yield replace(table, storage="native", listed=None)
        if table.files > 1:
            yield replace(table, files=1)
    for rows in sorted({0, 1, 2, 5, 20, table.rows // 10, table.rows // 2, table.rows * 4 // 5, table.rows - 1}):
        if rows < table.rows:
            yield replace(table, rows=rows)
    for column in table.columns:
        # Missing values matter less often than the values themselves
        if match := re.fullmatch(r"CASE WHEN hash\(.*?\) % 100 >= \d+ THEN (.*) END", column.value):
            changed = replace(column, value=match[1])
            yield replace(table, columns=tuple(changed if each is column else each for each in table.columns))
