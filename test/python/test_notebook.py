"""docs/python.ipynb runs from the first to the last cell, in an environment of its own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support import paths
from support.waiting import PATIENCE
from support.wheel import BASE_PYTHON, wheel

NOTEBOOK = paths.ROOT / "docs" / "python.ipynb"
CLIENTS_PYTHON = paths.DEPS / "venv-clients" / "bin" / "python"
CELL_SECONDS = 120 * PATIENCE
EXECUTE = f"""
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout={CELL_SECONDS}).execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Its cells, with what they have shown."""
    if paths.BUILD.name != "release":
        pytest.skip(f"the wheel is not made from {paths.BUILD.name}")
    directory: Path = tmp_path_factory.mktemp("notebook")
    subprocess.run([BASE_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index",
                    "--target", directory / "packages", wheel()], check=True, timeout=CELL_SECONDS)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "TMPDIR": str(directory),
                   "PYTHONPATH": str(directory / "packages")}
    done = subprocess.run([CLIENTS_PYTHON, "-c", EXECUTE, NOTEBOOK, directory / "executed.ipynb"], cwd=directory,
                          env=environment, capture_output=True, text=True, timeout=2 * CELL_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(directory.glob("duckherder-*"))
    return json.loads((directory / "executed.ipynb").read_text())["cells"]


def shown(cell: dict) -> str:
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return "".join(part for text in texts for part in text)


@pytest.mark.timeout(300)
def test_the_query_ran_on_the_workers(executed):
    by_code = {"".join(cell["source"]): shown(cell) for cell in executed if cell["cell_type"] == "code"}
    stats = next(text for code, text in by_code.items() if "execution_mode" in code)
    assert "DISTRIBUTED" in stats, stats
    tasks = next(text for code, text in by_code.items() if "duckherder_tasks" in code)
    assert all(f"worker-{number}" in tasks for number in range(4)), tasks


@pytest.mark.timeout(300)
def test_it_shows_progress(executed):
    watched = next(cell for cell in executed if "duckherder.progress" in "".join(cell["source"]))
    assert "tasks" in shown(watched), watched["outputs"]


def test_its_outputs_are_not_stored():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
