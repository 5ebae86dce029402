#!/usr/bin/env python3
"""Fetches and unpacks the pinned parts of third_party/versions.ini into build/deps.

usage: fetch.py GROUP...        (build, demo, test, format, tidy, strict, wheel, venv, venv-demo, venv-clients,
       venv-superset, image, java, build-2.0.1, venv-2.0.1)

Packages are asked for by name from the pip, npm and mvn clients, so that mirrors and proxies configured there apply.
What arrives must have the pinned sha256. Downloads are kept in $DUCKHERDER_DOWNLOADS (default build/deps/downloads),
and their hash is checked again before each unpacking.
"""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "third_party" / "versions.ini"
DEPS = ROOT / "build" / "deps"
DOWNLOADS = Path(os.environ.get("DUCKHERDER_DOWNLOADS") or DEPS / "downloads").absolute()
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
COMMAND_TIMEOUT_SECONDS = 900


def say(part, text):
    print(f"{part}: {text}", flush=True)


def die(part, text):
    sys.exit(f"{part}: {text}")


def run(part, command, **kwargs):
    """Runs a client quietly; its output is shown only when it fails, or it would bury our one line per part."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=COMMAND_TIMEOUT_SECONDS, **kwargs)
    except subprocess.TimeoutExpired:
        die(part, f"no answer within {COMMAND_TIMEOUT_SECONDS} s from: {' '.join(command)}")
    if done.returncode:
        die(part, f"failed: {' '.join(command)}\n{done.stdout}")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hashes(pin):
    return [line.split()[0] for line in pin["sha256"].strip().splitlines()]


def requirement(pin):
    return " ".join([f"{pin['package']}=={pin['version']}"] + [f"--hash=sha256:{value}" for value in hashes(pin)])


def pip_download(pin, directory, options, env=None):
    requirements = directory / "requirements.txt"
    requirements.write_text(requirement(pin) + "\n")
    command = ["download", "--no-deps", "--require-hashes", *options, "-d", str(directory), "-r", str(requirements)]
    run(pin.name, PIP + command, env=env)


def download_wheel(pin, directory):
    """The wheel's own tags are asked for: the parts we unpack do not depend on the Python that fetches them."""
    python, abi, platforms = pin["file"].removesuffix(".whl").split("-")[-3:]
    options = ["--only-binary", ":all:"]
    if abi != "none":
        options += ["--python-version", re.sub(r"cp(\d)(\d+)", r"\1.\2", python), "--abi", abi]
    for platform in platforms.split("."):
        options += ["--platform", platform]
    pip_download(pin, directory, options)


def download_sdist(pin, directory):
    """pip insists on running a source package's build backend for the metadata it already has. A stub in the backend's
    place saves downloading build tools that nothing pins."""
    backend = directory / "stub" / "scikit_build_core"
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    (backend / "build.py").write_text(
        "import pathlib\n"
        "def prepare_metadata_for_build_wheel(directory, config_settings=None):\n"
        f"    info = pathlib.Path(directory) / '{pin['package']}-{pin['version']}.dist-info'\n"
        "    info.mkdir()\n"
        "    (info / 'METADATA').write_text(\n"
        f"        'Metadata-Version: 2.1\\nName: {pin['package']}\\nVersion: {pin['version']}\\n')\n"
        "    return info.name\n"
        "def __getattr__(name):\n"
        "    if name.startswith('__'):\n"
        "        raise AttributeError(name)\n")
    env = dict(os.environ, PYTHONPATH=str(backend.parent))
    pip_download(pin, directory, ["--no-binary", ":all:", "--no-build-isolation"], env)


def download_npm(pin, directory):
    package = f"{pin['package']}@{pin['version']}"
    run(pin.name, ["npm", "pack", "--silent", "--pack-destination", str(directory), package])


def download_maven(pin, directory):
    run(pin.name, ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={pin['package']}:{pin['version']}",
                   f"-DoutputDirectory={directory}"], cwd=directory)


CLIENTS = {"pip-wheel": download_wheel, "pip-sdist": download_sdist, "npm": download_npm, "maven": download_maven}


def downloaded(pin):
    """The path of the package file, downloaded if need be, with its hash checked."""
    path = DOWNLOADS / pin["file"]
    if path.exists() and sha256(path) != pin["sha256"]:
        say(pin.name, f"{path} does not have the pinned sha256, downloading it again")
        path.unlink()
    if not path.exists():
        say(pin.name, f"downloading {pin['package']} {pin['version']}")
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=DOWNLOADS) as directory:
            CLIENTS[pin["client"]](pin, Path(directory))
            fresh = Path(directory) / pin["file"]
            if not fresh.exists():
                die(pin.name, f"{pin['client']} did not deliver {pin['file']}")
            actual = sha256(fresh)
            if actual != pin["sha256"]:
                die(pin.name, f"sha256 of {pin['file']} is {actual}, pinned is {pin['sha256']}")
            os.replace(fresh, path)
    return path


def members(archive_path):
    """(name, open function, executable) of each regular file in a wheel or a tar archive."""
    if archive_path.suffix == ".whl":
        with zipfile.ZipFile(archive_path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, lambda info=info: archive.open(info), bool(info.external_attr >> 16 & 0o111)
    else:
        with tarfile.open(archive_path) as archive:
            for info in archive:
                if info.isfile():
                    yield info.name, lambda info=info: archive.extractfile(info), bool(info.mode & 0o111)


def is_program(path):
    with open(path, "rb") as file:
        return path.suffix == "" and file.read(4) == b"\x7fELF"


def stamp_of(pin):
    """The file that says what was unpacked, and what it has to hold: the whole pin, so that a changed version, hash or
    `take` unpacks again."""
    return DEPS / "stamps" / pin.name, repr(sorted(pin.items()))


def is_unpacked(pin):
    stamp, wanted = stamp_of(pin)
    return stamp.exists() and stamp.read_text() == wanted


def unpack(pin):
    stamp, wanted = stamp_of(pin)
    archive = downloaded(pin)
    rules = [tuple(map(str.strip, line.split("->"))) for line in pin["take"].strip().splitlines()]
    for _, target in rules:
        target = DEPS / target
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    found = set()
    for source, target in rules:
        if source == ".":
            found.add(source)
            (DEPS / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(archive, DEPS / target)
    for name, open_member, executable in [] if "." in found else members(archive):
        for source, target in rules:
            if name != source and not name.startswith(source + "/"):
                continue
            found.add(source)
            path = DEPS / (target + name[len(source):])
            if ".." in path.parts:
                die(pin.name, f"{name} points outside of its package")
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as content, open(path, "wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
            # Some packages carry their programs without the executable bit.
            path.chmod(0o755 if executable or is_program(path) else 0o644)
    missing = [source for source, _ in rules if source not in found]
    if missing:
        die(pin.name, f"{archive.name} does not contain {', '.join(missing)}")
    if pin.name == "arrow":
        # The linker looks for libarrow.so; the wheel carries only the names that the loader looks for.
        for library in (DEPS / "arrow" / "lib").glob("*.so.*"):
            link = library.with_suffix("")
            link.unlink(missing_ok=True)
            link.symlink_to(library.name)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    say(pin.name, "unpacked into " + ", ".join(str((DEPS / target).relative_to(ROOT)) for _, target in rules))


def wheels_directory():
    """A cache directory per Python version, as several wheels of one package may be pinned. Tests that make an
    environment of their own find it by a link in build/deps."""
    wheels = DOWNLOADS / f"venv-{sys.version_info[0]}.{sys.version_info[1]}"
    wheels.mkdir(parents=True, exist_ok=True)
    link = DEPS / "wheels"
    if not link.is_symlink() or link.resolve() != wheels:
        link.unlink(missing_ok=True)
        link.symlink_to(wheels)
    return wheels


def make_venv(name, pins):
    venv = DEPS / name
    wheels = wheels_directory()
    stamp = DEPS / "stamps" / name
    requirements = "".join(requirement(pin) + "\n" for pin in pins)
    wanted = f"{sys.executable} {sys.version}\n{requirements}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        die(name, f"third_party/versions.ini pins Python 3.11 to 3.13, python3 is {sys.version.split()[0]}")
    say(name, "installing " + ", ".join(f"{pin['package']} {pin['version']}" for pin in pins))
    listed = DEPS / f"{name}-requirements.txt"
    listed.write_text(requirements)
    common = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(listed)]
    offline = ["--no-index", "--find-links", str(wheels)]
    # pip itself stays out of the venv: then Debian's python3-venv, which brings ensurepip, is not needed.
    run(name, [sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)])
    run(name, PIP + ["download", "--find-links", str(wheels), "-d", str(wheels), *common])
    run(name, PIP + ["--python", str(venv / "bin" / "python"), "install", *offline, *common])
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    say(name, f"ready in {venv.relative_to(ROOT)}")


def groups_of(pin):
    return {pin["group"], *pin.get("also", "").split()}


def main(groups):
    # No value interpolation, and names keep their case: npm names contain '@' and '%' may appear in a reason.
    pins = configparser.ConfigParser(interpolation=None)
    pins.read(PINS)
    sections = [pins[name] for name in pins.sections()]
    known = {group for section in sections for group in groups_of(section)}
    for group in groups:
        if group not in known:
            sys.exit(f"fetch.py: no group '{group}', there are {', '.join(sorted(known))}")
    DEPS.mkdir(parents=True, exist_ok=True)
    missing = [program for program in ("java", "javac", "mvn") if not shutil.which(program)]
    if "java" in groups and missing:
        say("java", f"nothing of it is fetched, as there is no {missing[0]}")
        groups = [group for group in groups if group != "java"]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for section in sections:
        if section["group"] in groups and python not in section.get("pythons", python).split():
            say(section["group"], f"nothing of it is fetched, as {section.name} has no package for Python {python}")
            groups = [group for group in groups if group != section["group"]]
    chosen = [section for section in sections if groups_of(section).intersection(groups)]
    todo = [section for section in chosen if "client" in section and not is_unpacked(section)]
    for number, section in enumerate(todo, 1):
        say(section.name, f"part {number} of {len(todo)}: {section['why']}")
        unpack(section)
    # What has no client of its own is a Python package of the venv that the group is called after.
    packages = [section for section in sections if "client" not in section]
    common = {section["package"]: section for section in packages if section["group"] == "venv"}
    for group in groups:
        if own := {section["package"]: section for section in packages if group in groups_of(section)}:
            # The examples of clients run beside what all tests have, or with another version of it; so does another
            # DuckDB.
            base = common if group not in ("venv", "venv-demo", "venv-superset") else {}
            make_venv(group, [*{**base, **own}.values()])


if __name__ == "__main__":
    main(sys.argv[1:])
