"""The layer check must see what it is there to see: each rule once broken, once kept."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lint"))

import layers  # noqa: E402


def problems(path, text):
    return [f"{path}:{line}: {problem}" for line, problem in layers.check(path, text)]


@pytest.mark.parametrize("path, include", [
    ("src/worker/a.cpp", '"coordinator/query_coordinator.hpp"'),
    ("src/coordinator/a.cpp", '"worker/task_runner.hpp"'),
    ("src/coordinator/a.cpp", '"transport/flight/server.hpp"'),
    ("src/plan/a.hpp", '"planner/cut/cut_stages.hpp"'),
    ("src/common/a.hpp", '"plan/stage_graph.hpp"'),
    ("src/scheduler/a.hpp", '"protocol/messages.hpp"'),
    ("src/scheduler/a.cpp", '"duckdb.hpp"'),
    ("src/common/a.hpp", "<duckdb/common/types.hpp>"),
    ("src/plan/a.hpp", '"duckdb/common/types.hpp"'),
    ("src/scheduler/a.cpp", "<thread>"),
    ("src/scheduler/a.cpp", "<sys/socket.h>"),
    ("src/coordinator/a.cpp", "<arrow/api.h>"),
    ("src/wire/a.cpp", "<arrow/flight/api.h>"),
    ("src/transport/in_process/a.cpp", "<arrow/flight/api.h>"),
    ("test/unit/a.cpp", "<arrow/flight/api.h>"),
    ("src/coordinator/a.cpp", '"coordinator.hpp"'),
    ("src/coordinator/a.cpp", '"../planner/cut/cut_stages.hpp"'),
    ("src/extras/a.cpp", '"common/ids.hpp"'),
    ("src/planner/split/a.cpp", '"planner/place/partitioning.hpp"'),
    ("src/planner/cut/a.cpp", '"planner/distributed_planner.hpp"'),
    ("src/transport/flight/a.cpp", '"transport/flight_sql/flight_sql.hpp"'),
])
def test_include_against_the_arrows(path, include):
    found = problems(path, f"#pragma once\n  #  include {include}\n")
    assert len(found) == 1
    assert found[0].startswith(f"{path}:2: ")


@pytest.mark.parametrize("path, include", [
    ("src/coordinator/a.cpp", '"coordinator/query_coordinator.hpp"'),
    ("src/coordinator/a.cpp", '"common/ids.hpp"'),
    ("src/coordinator/a.cpp", '"plan/stage_graph.hpp"'),
    ("src/main/a.cpp", '"scheduler/stage_queue.hpp"'),
    ("src/planner/place/a.cpp", '"planner/split/split_scans.hpp"'),
    ("src/planner/distributed_planner.cpp", '"planner/cut/cut_stages.hpp"'),
    ("src/protocol/a.hpp", '"duckdb/common/types.hpp"'),
    ("src/scheduler/a.cpp", "<vector>"),
    ("src/wire/a.cpp", "<arrow/api.h>"),
    ("src/transport/flight/a.cpp", "<arrow/flight/api.h>"),
    ("test/transport/a.cpp", "<arrow/flight/api.h>"),
    ("test/unit/a.cpp", '"coordinator/query_coordinator.hpp"'),
    ("docs/a.md", '"worker/task_runner.hpp"'),
])
def test_include_along_the_arrows(path, include):
    assert problems(path, f"#include {include}\n") == []


# Written in parts, as this file is checked too.
@pytest.mark.parametrize("path, line", [
    ("src/coordinator/a.cpp", "x" * 121),
    ("src/coordinator/a.cpp", "\t" * 30 + "x"),
    ("src/coordinator/a.cpp", "int x; "),
    ("src/coordinator/a.cpp", "  \tint x;"),
    ("src/coordinator/a.cpp", "// TO" + "DO: later"),
    ("src/coordinator/a.cpp", "// FIX" + "ME"),
    ("scripts/a.sh", "curl https://pypi" + ".org/simple"),
    ("scripts/a.sh", "cp x /" + "tmp/x"),
    ("test/sql/test_a.py", "open('/" + "root/x')"),
    ("docs/a.md", "see /" + "work/main"),
    ("src/coordinator/row_utils.cpp", "int x;"),
    ("src/coordinator/Helpers.hpp", "int x;"),
    ("src/coordinator/RowHelper.hpp", "int x;"),
])
def test_untidy(path, line):
    assert len(problems(path, line + "\n")) == 1


@pytest.mark.parametrize("path, line", [
    ("src/coordinator/a.cpp", "\t" * 29 + "abcd"),
    ("src/coordinator/a.cpp", "\t    aligned;"),
    ("src/coordinator/a.cpp", "// src/worker/tmp"),
    ("scripts/a.sh", "cp x $directory/" + "tmp/x"),
    ("docs/a.md", "a line break  "),
    ("docs/a.md", "x" * 200),
    ("src/coordinator/mutilated.cpp", "int x;"),
])
def test_tidy(path, line):
    assert problems(path, line + "\n") == []


def test_long_files_and_missing_newline():
    assert problems("src/coordinator/a.cpp", "int x;\n" * 600) == []
    assert len(problems("src/coordinator/a.cpp", "int x;\n" * 601)) == 1
    assert len(problems("src/coordinator/a.cpp", "int x;")) == 1


def test_cmake_repeats_the_arrows():
    path = "src/worker/CMakeLists.txt"
    right = "duckherder_module(worker DUCKDB DEPENDS common engine exchange plan protocol wire)\n"
    assert problems(path, right) == []
    assert len(problems(path, right.replace("wire", "coordinator"))) == 1
    assert len(problems(path, right.replace(" exchange", ""))) == 1
    assert len(problems(path, "add_library(worker)\n")) == 1
    assert len(problems("src/common/CMakeLists.txt", "duckherder_module(common DUCKDB)\n")) == 1


def test_arrows_have_no_circle():
    for folder, targets in layers.ARROWS.items():
        for target in targets:
            assert folder not in layers.reachable(target), f"{folder} -> {target} -> {folder}"
    assert "worker" not in layers.reachable("coordinator")
    assert "coordinator" not in layers.reachable("worker")


def test_every_folder_has_its_arrows():
    listed = re.search(r"foreach\(module ([^)]*)\)", (ROOT / "CMakeLists.txt").read_text())[1].split()
    assert sorted(listed) == sorted(layers.ARROWS)
