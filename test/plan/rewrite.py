#!/usr/bin/env python3
"""Rewrites the snapshots of plans with what the build plans now, and deletes those that no query has any more.

rewrite.py [FILE ...]: the files of snapshots to rewrite, such as tpch or corner/joins; all by default. The difference
is for `git diff` to show.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from plan import snapshot_files  # noqa: E402
from plan.cases import Planner, all_cases  # noqa: E402
from support.cluster import use_new_token  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="files of snapshots, such as tpch or corner/joins")
    wanted = parser.parse_args().files
    cases = all_cases()
    known = list(dict.fromkeys(case.file for case in cases))
    if unknown := set(wanted) - set(known):
        parser.error(f"not a file of snapshots: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory() as directory:
        use_new_token(Path(directory))
        planner = Planner(Path(directory))
        for file in wanted or known:
            sections = [planner.plan(case) for case in cases if case.file == file]
            snapshot_files.write(file, sections)
            print(f"{file}: {len(sections)}")
        planner.close()
    if not wanted:
        for file in snapshot_files.files() - set(known):
            snapshot_files.path_of(file).unlink()
            print(f"{file}: deleted")


if __name__ == "__main__":
    main()
