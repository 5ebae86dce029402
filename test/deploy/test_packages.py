"""What `make package`, `make deb` and `make repository` make of the build, used where the build is not."""

import configparser
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support import paths
from support.process import NodeProcess
from support.skipping import program
from support.waiting import PATIENCE, wait_until

SCRIPTS = paths.ROOT / "scripts"
UNITS = sorted((paths.ROOT / "deploy" / "systemd").glob("*.service"))
#: In tenths, as systemd-analyze counts what a service could do: 0 to 100
EXPOSURE_MAX = 20
TABLE = "CREATE TABLE numbers AS SELECT i FROM range(100000) r(i)"
QUERY = "SELECT count(*), sum(i) FROM numbers WHERE hash(i) % 2 < 2"
ANSWER = "100000,4999950000"
SECONDS = 240


def run(*words: object, **options) -> str:
    done = subprocess.run([*map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS * PATIENCE, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def script(name: str, *words: object) -> str:
    """Its last line, which says what it has made."""
    return run(SCRIPTS / name, *words, cwd=paths.ROOT).strip().splitlines()[-1]


@pytest.fixture(scope="module")
def build() -> Path:
    cache = paths.require(paths.BUILD / "CMakeCache.txt").read_text()
    if "CMAKE_BUILD_TYPE:STRING=Release" not in cache:
        pytest.skip("only a release build is packaged")
    return paths.BUILD


@pytest.fixture(scope="module")
def archive(build, tmp_path_factory) -> Path:
    """Unpacked elsewhere."""
    packed = paths.ROOT / script("package.sh", build)
    directory = tmp_path_factory.mktemp("archive")
    shutil.unpack_archive(packed, directory)
    return directory / packed.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def repository(build, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("repository")
    script("extension_repository.py", build, directory)
    return directory


@pytest.fixture(scope="module")
def web_server(repository) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(repository))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def shell(home: Path, *statements: str) -> subprocess.CompletedProcess[str]:
    """Stock, with nothing but that home directory."""
    return subprocess.run([str(paths.STOCK_SHELL), "-unsigned", "-csv", "-noheader", "-c", "; ".join(statements)],
                          env={"HOME": str(home)}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * PATIENCE, cwd=home)


def ask(home: Path, *before: str) -> list[str]:
    done = shell(home, *before, TABLE, "SELECT duckherder_start_local_server(0, 2)", "SET duckherder_mode = 'always'",
                 "SET duckherder_require_distributed = true", QUERY)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.timeout(SECONDS)
def test_archive_works_elsewhere(archive, tmp_path):
    assert run(archive / "duckherder", "--version", env={}).startswith("duckherder ")
    assert ask(tmp_path, f"LOAD '{archive}/duckherder.duckdb_extension'")[-1] == ANSWER


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("source", ("directory", "web"))
def test_install_and_load(source, repository, web_server, tmp_path):
    origin = str(repository) if source == "directory" else web_server
    assert ask(tmp_path, f"INSTALL duckherder FROM '{origin}'", "LOAD duckherder")[-1] == ANSWER
    # Later processes find what the first LOAD has written.
    assert ask(tmp_path, "LOAD duckherder")[-1] == ANSWER
    (parts,) = tmp_path.glob(".duckdb/extensions/*/*/*.parts-*")
    assert {path.name for path in parts.rglob("*") if path.is_file()} == \
        {"duckherder.duckdb_extension", "libarrow.so.2600", "libarrow_flight.so.2600", "libduckdb.so"}
    installed = shell(tmp_path, "SELECT installed_from FROM duckdb_extensions() WHERE extension_name = 'duckherder'")
    assert installed.stdout.strip() == origin


@pytest.mark.timeout(SECONDS)
def test_install_in_python(repository, tmp_path):
    with duckdb.connect(config={"allow_unsigned_extensions": "true", "extension_directory": str(tmp_path)}) as con:
        con.install_extension("duckherder", repository_url=str(repository))
        con.load_extension("duckherder")
        assert con.execute("SELECT duckherder_get_worker_count()").fetchone() == (0,)


@pytest.mark.timeout(SECONDS)
def test_load_refuses_what_others_could_have_changed(repository, tmp_path):
    assert ask(tmp_path, f"INSTALL duckherder FROM '{repository}'", "LOAD duckherder")[-1] == ANSWER
    (library,) = tmp_path.glob(".duckdb/extensions/*/*/*.parts-*/lib/libduckdb.so")
    library.chmod(0o666)
    assert "others than you and root could have changed it" in shell(tmp_path, "LOAD duckherder").stderr
    library.chmod(0o644)
    os.truncate(library, 1000)
    assert "it is damaged; remove its directory" in shell(tmp_path, "LOAD duckherder").stderr


@pytest.mark.timeout(SECONDS)
def test_a_new_version_takes_the_place_of_the_old_one(repository, tmp_path):
    install = f"FORCE INSTALL duckherder FROM '{repository}'"
    ask(tmp_path, install, "LOAD duckherder")
    (parts,) = tmp_path.glob(".duckdb/extensions/*/*/*.parts-*")
    former = parts.with_name(parts.name[:-4] + "0000")
    parts.rename(former)
    ask(tmp_path, install, "LOAD duckherder")
    assert parts.exists() and not former.exists()


@pytest.fixture(scope="module")
def deb(archive, build, tmp_path_factory) -> Path:
    """What the Debian package would put into the file system."""
    program("dpkg-deb", "the Debian package is", "dpkg")
    package = paths.ROOT / script("package_deb.sh", build)
    directory = tmp_path_factory.mktemp("deb")
    run("dpkg-deb", "--raw-extract", package, directory)
    return directory


@pytest.mark.timeout(SECONDS)
def test_debian_package(deb):
    assert run(deb / "usr/bin/duckherder", "--version", env={}).startswith("duckherder ")
    conffiles = (deb / "DEBIAN/conffiles").read_text().split()
    assert conffiles and all((deb / name.lstrip("/")).is_file() for name in conffiles)
    # The token is made at the installation, of the service's user alone.
    assert not (deb / "etc/duckherder/token").exists()
    postinst = (deb / "DEBIAN/postinst").read_text()
    assert "umask 077" in postinst and not re.search(r"systemctl (enable|start|restart)(?! --now)", postinst)
    for name in ("postinst", "prerm", "postrm"):
        run("sh", "-n", deb / "DEBIAN" / name)
        assert os.access(deb / "DEBIAN" / name, os.X_OK)
    assert not [path for path in deb.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units(unit, tmp_path):
    analyze = program("systemd-analyze", "units are", "systemd")
    # verify looks whether the program is there.
    installed = tmp_path / unit.name
    installed.write_text(unit.read_text().replace("/usr/bin/duckherder", str(paths.require(paths.BINARY))))
    said = run(analyze, "verify", "--man=no", installed)
    assert said == ""
    run(analyze, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", unit)


def test_a_unit_waits_longer_than_its_worker_drains():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(paths.ROOT / "deploy/systemd/duckherder-worker.service")
    drain = re.search(r"^drain-timeout = (\d+)$", (paths.ROOT / "deploy/systemd/worker.conf").read_text(), re.MULTILINE)
    assert drain and int(unit["Service"]["TimeoutStopSec"]) >= int(drain[1]) + 15


@pytest.mark.timeout(60)
def test_configuration_files(tmp_path):
    """Nodes take them as they are, but for addresses and directories."""
    files = paths.ROOT / "deploy" / "systemd"
    binary = str(paths.require(paths.BINARY))
    driver = NodeProcess("driver", [binary, "driver", "--config", str(files / "driver.conf"), "--listen", "127.0.0.1:0",
                                    "--http", "127.0.0.1:0", "--database", str(tmp_path / "d.duckdb"),
                                    "--temp-directory", str(tmp_path / "driver-tmp")], tmp_path)
    try:
        driver.wait_ready()
        worker = NodeProcess("worker", [binary, "worker", "--config", str(files / "worker.conf"), "--driver",
                                        f"127.0.0.1:{driver.port}", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                                        "--temp-directory", str(tmp_path / "worker-tmp")], tmp_path)
        try:
            worker.wait_ready()
            wait_until(lambda: "worker_joined" in driver.log(), 15, driver.log)
        finally:
            worker.stop()
    finally:
        driver.stop()
    joined = next(line for line in driver.log().splitlines() if "worker_joined" in line)
    assert json.loads(joined)["level"] == "info"
