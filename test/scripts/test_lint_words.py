"""Each word that means something else by now is found, and what is written like it is not."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lint"))

import words  # noqa: E402

# (where, what is said there, the word to say instead)
OLD = (
    ("src/a.cpp", "scheduled.may_copy = true;", "broadcast"),
    ("src/a.cpp", "auto copied_inputs = 1;", "broadcast"),
    ("src/a.cpp", "bool MayCopyRight(JoinType type);", "broadcast"),
    ("src/a.cpp", "FindCopyableSide(join)", "broadcast"),
    ("src/a.cpp", "running_copies--;", "speculative"),
    ("README.md", "**Slow tasks are copied** to a second worker", "speculative"),
    ("docs/a.md", "with speculative copies on", "speculative"),
    ("docs/a.md", "it is copied to every task", "broadcast"),
    ("docs/a.md", "a join copies its smaller side to all workers", "broadcast"),
    ("README.md", "the small side is copied, or both are shuffled", "broadcast"),
    ("src/a.cpp", "//! larger sides are shuffled, not copied", "broadcast"),
    ("src/a.cpp", "class DealtSource {", "round robin"),
    ("src/a.cpp", "MakeDealtExchange(child)", "round robin"),
    ("docs/a.md", "the rows are dealt to tasks", "round robin"),
    ("README.md", "reads them once and deals the rows out to tasks", "round robin"),
    ("src/a.cpp", "ExchangeKind::SINGLE", "GATHER"),
    ("src/a.cpp", "enum class Place : uint8_t {", "Placement"),
    ("src/a.cpp", "return Place::WORKERS;", "Placement"),
    ("src/a.cpp", "throw TaskError(ErrorKind::PLACE)", "WORKER_FAILURE"),
    ("src/a.cpp", "//! Scans that the driver feeds leave their fragment", "session"),
    ("src/a.cpp", "FEED = 5 //! one stream of the driver", "session"),
    ("src/a.cpp", "StageRuns runs;", "StageExecution"),
    ("src/a.cpp", '#include "coordinator/stage_runs.hpp"', "StageExecution"),
    ("src/a.cpp", "struct JoinChance {", "AdaptiveJoin"),
    ("src/a.cpp", "if (stage.join_chance) {", "AdaptiveJoin"),
    ("src/a.cpp", "KeepChances(stages);", "AdaptiveJoin"),
    ("src/a.cpp", "if (IsOpenChoice(join)) {", "AdaptiveJoin"),
    ("src/a.cpp", "join.expects_copy = true;", "AdaptiveJoin"),
    ("src/a.cpp", "std::optional<NeedlessStage> needless;", "skip_if_empty"),
    ("src/a.cpp", "stage.needless_without = 1;", "skip_if_empty"),
    ("src/a.cpp", "action::SizeStage {stage}", "ResolveTaskCount"),
    ("src/a.cpp", "bool sized_late = false;", "deferred_task_count"),
    ("src/a.cpp", "if (SizedLate(stage)) {", "deferred_task_count"),
    ("src/a.cpp", "void KeepQuery(const QueryId &query)", "RenewLease"),
    ("src/a.cpp", "void Keep(const QueryId &query);", "RenewLease"),
    ("src/a.cpp", '"duckherder.keep_queries"', "RenewLease"),
    ("src/a.cpp", "EncodeMark(MarkKind::END)", "StreamFrame"),
    ("src/a.cpp", "constexpr const char *ALONE = 1;", "without_stage"),
    ("src/a.cpp", "bool Greeted() const;", "handshake"),
    ("src/a.cpp", "class Guard : public ServerMiddleware {", "TokenAuth"),
    ("src/a.cpp", "bool CanTravel(const LogicalType &type);", "Wire"),
    ("src/a.cpp", "auto schema = TravelSchema(types);", "Wire"),
    ("src/a.cpp", "class Trust {", "SessionRole"),
    ("src/a.cpp", "SidePlace PlaceOfOperator(op)", "Placement"),
)


@pytest.mark.parametrize("path, line, say", OLD)
def test_old_word(path, line, say):
    found = list(words.check(path, f"\n{line}\n"))
    assert len(found) >= 1
    assert all(number == 2 for number, _ in found)
    assert any(say in problem.split(", say: ")[1] for _, problem in found)


def test_each_word_has_a_test():
    found = {problem.split(", say: ")[1] for path, line, _ in OLD for _, problem in words.check(path, line)}
    assert found == {word.say for word in words.WORDS}


@pytest.mark.parametrize("line", [
    "COPY (SELECT 1) TO 'a.parquet'",
    "auto copy = op.Copy(context);",
    "std::copy(rows.begin(), rows.end(), copied);",
    "static_assert(std::is_trivially_copyable_v<A>);",
    "auto &copy = op.Cast<LogicalCopyToFile>();",
    "//! Appends a copy of the rows to a partition.",
    "//! Values of fixed width are not copied: the vector points into the array.",
    "case JoinType::SINGLE:",
    "case JoinType::MARK:",
    "FreeWorker Place(WorkerIndex worker) const;",
    "Placement::WORKERS",
    "the driver's heartbeats; a driver takes 1000 workers",
    "std::lock_guard<std::mutex> guard(lock);",
    "class GuardedFeed : public ChunkSource {",
    "bool SupportsTimeTravel() const override {",
    "//! Plans travel, not this text.",
    "auto alone = true;",
    "the network is trusted",
    "KEEPALIVE_INTERVAL_MS",
])
def test_allowed(line):
    assert list(words.check("src/a.cpp", line)) == []


def test_what_happened_is_told_in_its_own_words():
    assert list(words.check("docs/decisions/0001-a.md", "dealt")) == []
    assert list(words.check("CHANGELOG.md", "dealt")) == []
