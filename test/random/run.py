#!/usr/bin/env python3
"""Runs random queries on plain DuckDB and on workers, and prints where they differ. See --help."""

import argparse
import os
import secrets
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

from campaign import Campaign, Options  # noqa: E402


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=10**9, help="how many queries at most")
    parser.add_argument("--seconds", type=float, default=60, help="how long at most")
    parser.add_argument("--workers", type=int, default=0, help="1 to 5; a random number per schema if left out")
    parser.add_argument("--processes", action="store_true", help="worker processes instead of embedded workers")
    parser.add_argument("--faults", type=int, default=0, metavar="PERCENT", help="worker processes, in which something "
                        "happens to so many of the tasks' attempts and of the reads of their outputs")
    parser.add_argument("--only", metavar="ROUND[/QUERY]", help="one schema, or one query of it")
    parser.add_argument("--print", action="store_true", help="print each query before it runs")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--ignore", action="append", default=[], metavar="REGEX",
                        help="do not report problems whose text matches")
    parser.add_argument("--keep", type=Path, help="directory for the scripts of the findings")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="duckherder-random-") as directory:
        if "DUCKHERDER_TOKEN_FILE" not in os.environ:
            token = Path(directory) / "token"
            token.touch(mode=0o600)
            token.write_text(secrets.token_hex(32) + "\n")
            os.environ["DUCKHERDER_TOKEN_FILE"] = str(token)
        options = Options(arguments.seed, arguments.queries, arguments.seconds, arguments.workers,
                          arguments.processes or arguments.faults > 0, arguments.faults,
                          arguments.only, not arguments.no_shrink, tuple(arguments.ignore), arguments.keep,
                          arguments.print)
        campaign = Campaign(options, Path(directory))
        try:
            campaign.run()
        except KeyboardInterrupt:
            print("interrupted")
        finally:
            campaign.close()
        print(campaign.summary())
        return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())
