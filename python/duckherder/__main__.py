"""`python -m duckherder`, and the command `duckherder`: nodes in Python, and who is at a driver."""

import argparse
import os
import sys
from pathlib import Path


def _add_node_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", metavar="N", help="DuckDB threads; all cores by default")
    parser.add_argument("--memory-limit", metavar="SIZE", help="for example 4GB; 80 %% of the machine by default")
    parser.add_argument("--temp-directory", metavar="D", help="where data beyond memory goes")
    parser.add_argument("--http", metavar="HOST:PORT", help="serve pages, metrics and health there")
    # Of a LocalCluster: where it is told the address, whom the process ends with, and what it then removes.
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--end-with-parent", type=int, metavar="PID", help=argparse.SUPPRESS)
    parser.add_argument("--end-removes", type=Path, nargs="*", default=[], help=argparse.SUPPRESS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="duckherder", description="Nodes of a cluster in Python, with the installed DuckDB.",
        epilog="The cluster's token comes from --token-file, else from the file that $DUCKHERDER_TOKEN_FILE names, "
               "else from ~/.duckherder/token.")
    commands = parser.add_subparsers(dest="command", required=True)

    worker = commands.add_parser("worker", allow_abbrev=False, help="run tasks of queries, until SIGTERM")
    worker.add_argument("--driver", metavar="HOST:PORT", help="whom to register with; default $DUCKHERDER_DRIVER")
    worker.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:0", help="127.0.0.1:0 by default")
    worker.add_argument("--drain-timeout", metavar="SECONDS", help="how long to finish tasks after SIGTERM; default 60")
    worker.add_argument("--id", metavar="NAME", help="unique in the cluster; made of the address by default")
    _add_node_flags(worker)

    driver = commands.add_parser("driver", allow_abbrev=False,
                                 help="a database for clients, with queries on the workers that register")
    driver.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8815", help="127.0.0.1:8815 by default")
    driver.add_argument("--database", metavar="FILE", default=":memory:", help="whose tables clients attach")
    _add_node_flags(driver)

    status = commands.add_parser("status", help="the workers of a driver")
    status.add_argument("--driver", metavar="HOST:PORT", help="$DUCKHERDER_DRIVER, or 127.0.0.1:8815, by default")

    for command in (worker, driver):
        command.add_argument("--init", metavar="FILE.sql", help="SQL to run at the start: ATTACH, CREATE SECRET, LOAD")
        command.epilog = f"Further flags are the other parameters of duckherder_serve_{command.prog.split()[-1]}: " \
                         "--max-queries 8 is max_queries := '8'."
    for command in (worker, driver, status):
        command.add_argument("--token-file", metavar="F", help="the cluster's token")
    return parser


def _further_parameters(words: list[str]) -> dict[str, list[str]]:
    """Flags that only the SQL function knows, which also says what is wrong with them."""
    found: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        flag, has_value, value = rest.pop(0).partition("=")
        if not flag.startswith("--") or len(flag) == 2:
            raise ValueError(f"'{flag}' is no flag")
        if not has_value:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        found.setdefault(flag[2:].replace("-", "_"), []).append(value)
    return found


#: Flags that are parameters of the SQL functions, under the same names
_PARAMETERS = ("driver", "listen", "id", "threads", "memory_limit", "temp_directory", "http", "drain_timeout", "init")


def _status(driver: str) -> int:
    from duckherder._extension import connect

    with connect(driver=driver) as con:
        rows = con.execute("SELECT id, location, state, threads, memory_limit >> 20, memory_used >> 20, running_tasks "
                           "FROM duckherder_workers() ORDER BY id").fetchall()
    print(f"{'ID':20} {'LOCATION':32} {'STATE':9} {'THREADS':>7} {'LIMIT_MB':>9} {'USED_MB':>9} {'RUNNING':>7}")
    for name, location, state, threads, limit, used, running in rows:
        print(f"{name:20} {location:32} {state:9} {threads:7} {limit:9} {used:9} {running:7}")
    print(f"driver {driver}: {len(rows)} workers")
    return 0


def _run(arguments: argparse.Namespace, further: list[str]) -> int:
    if arguments.token_file:
        os.environ["DUCKHERDER_TOKEN_FILE"] = os.path.abspath(arguments.token_file)
    # The session that serves has no workers of its own: it does not ask the driver that others mean.
    driver = os.environ.pop("DUCKHERDER_DRIVER", None)
    if arguments.command == "status":
        return _status(arguments.driver or driver or "127.0.0.1:8815")
    if arguments.command == "worker":
        arguments.driver = arguments.driver or driver
    from duckherder._node import end_with_parent, run_node

    if arguments.end_with_parent is not None:
        end_with_parent(arguments.end_with_parent, arguments.end_removes)
    given = {name: getattr(arguments, name, None) for name in _PARAMETERS}
    parameters = {name: [value] for name, value in given.items() if value is not None}
    return run_node(arguments.command, getattr(arguments, "database", ":memory:"),
                    {**_further_parameters(further), **parameters}, arguments.ready_fd)


def main(words: list[str] | None = None) -> int:
    """Runs the command line `words`, by default that of the process, and returns the exit code."""
    parser = _parser()
    arguments, further = parser.parse_known_args(words)
    if further and arguments.command == "status":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        return _run(arguments, further)
    except Exception as error:
        print(f"duckherder {arguments.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
