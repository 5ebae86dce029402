"""What makes clang-tidy look at a file again, and what it is told of how the file is compiled."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import tidy  # noqa: E402


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for path, text in {
        "src/a/a.cpp": '#include "a/a.hpp"\n#include <vector>\n',
        "src/a/a.hpp": '#pragma once\n# include "b/b.hpp"\n',
        "src/b/b.hpp": '#include "a/a.hpp"\nint b;\n',
        "src/b/other.hpp": "int other;\n",
        ".clang-tidy": "Checks: -*\n",
        "third_party/versions.ini": "[clang-tidy]\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(tidy, "ROOT", tmp_path)
    monkeypatch.setattr(tidy, "WORK", tmp_path / "build" / "tidy")
    return tmp_path


def entry(*arguments):
    return {"arguments": ["c++", *arguments]}


@pytest.mark.parametrize("path", ["src/a/a.cpp", "src/a/a.hpp", "src/b/b.hpp", ".clang-tidy",
                                  "third_party/versions.ini"])
def test_a_change_counts(tree, path):
    before = tidy.digest("src/a/a.cpp", entry())
    assert tidy.digest("src/a/a.cpp", entry()) == before
    with open(tree / path, "a") as file:
        file.write("\n")
    assert tidy.digest("src/a/a.cpp", entry()) != before


def test_what_does_not_belong_to_a_file_does_not_count(tree):
    before = tidy.digest("src/a/a.cpp", entry(f"-I{tree}/src"))
    (tree / "src/b/other.hpp").write_text("int another;\n")
    assert tidy.digest("src/a/a.cpp", entry(f"-I{tree}/src")) == before
    assert tidy.digest("src/a/a.cpp", entry(f"-I{tree}/src", "-DB")) != before


def test_arguments_are_for_clang(tree):
    precompiled = tree / "cmake_pch.hxx"
    precompiled.write_text("#include <vector>\n")
    command = ("cmake -E env CCACHE_SLOPPINESS=x ccache /usr/bin/c++ -I/a/src -O2 -Wall -fpch-preprocess -Werror "
               f"-Wno-error=restrict -Winvalid-pch -include {precompiled} -o a.o -c a.cpp")
    arguments = tidy.clang_arguments({"command": command})
    assert arguments[:4] == ["/usr/bin/c++", "-I/a/src", "-O2", "-Wall"]
    assert arguments[-4:] == ["-o", "a.o", "-c", "a.cpp"]
    assert not any("error" in argument or "pch" in argument for argument in arguments)
    headers = Path(arguments[arguments.index("-include") + 1])
    assert headers.read_text() == precompiled.read_text()
    assert 'header "headers.hpp"' in (headers.parent / "module.modulemap").read_text()
