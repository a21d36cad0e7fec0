#!/usr/bin/env python3
"""Runs Bandstand from a checkout; needs nothing but Python 3.11 or newer.

    python3 run.py serve --demo      the server, with rooms and talking bots to look at
    python3 run.py test [args]       ruff, mypy and the quick test suite; args go to pytest
    python3 run.py lock [--upgrade]  work the lock files out anew, after a change to the dependencies in pyproject.toml
    python3 run.py <command> ...     what the docs call `bandstand <command>`: chat, top, admin, bench, ... (--help)

The first start makes .venv beside this file and installs the locked, hashed requirements into it. The project itself is
not installed: a .pth file points at the checkout, so no build tool is fetched and an edit counts at once.
"""

from __future__ import annotations  # so that an old Python gets as far as being told that it is old

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
STAMP = VENV / "bandstand-stamp.json"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCKS = {"runtime": HERE / "requirements.lock", "test": HERE / "requirements-test.lock"}
OLDEST = (3, 11)
LOCK_TOOL = "uv==0.13.9"


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    command, *rest = arguments
    if command == "lock":
        return lock(rest)
    if command == "test":
        prepare("test")
        return test(rest)
    prepare("runtime")
    return become([str(PYTHON), "-m", "bandstand", *arguments])


def prepare(kind: str) -> None:
    """Make .venv hold what the lock of this kind says. When the stamp says that it does, this costs two small reads."""
    wanted = {name: fingerprint(lock_file) for name, lock_file in LOCKS.items()}
    have = read_stamp()
    if have.get(kind) == wanted[kind] and PYTHON.exists():
        return
    if venv_version() != sys.version_info[:2] or not PYTHON.exists() or not has_pip():
        make_venv()
        have = {}
    tell(f"installing {LOCKS[kind].name} into {VENV} (once)")
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Wheels only: building from source would fetch build tools that no lock pins.
    if run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCKS[kind])]):
        stop(
            f"pip could not install {LOCKS[kind].name}; its reason stands above",
            "check the network, or the PIP_... variables and pip.conf of your mirror, and run the same command again",
        )
    (site_packages() / "bandstand-checkout.pth").write_bytes(os.fsencode(HERE) + b"\n")
    # The test lock holds all of the runtime lock.
    STAMP.write_text(json.dumps(wanted if kind == "test" else {**have, "runtime": wanted["runtime"]}))


def fingerprint(lock_file: Path) -> str:
    digest = hashlib.sha256(f"{HERE} {sys.version_info[:2]}".encode())
    try:
        for file in (lock_file, HERE / "pyproject.toml"):
            digest.update(file.read_bytes())
    except OSError as error:
        stop(f"{error.filename} cannot be read: {error.strerror}", "run this from a whole checkout of the project")
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def venv_version() -> tuple[int, ...]:
    """The Python that .venv was made with, as (3, 11); () when there is none."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return ()
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    version = settings.get("version") or settings.get("version_info") or ""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def has_pip() -> bool:
    return (site_packages() / "pip").is_dir()


def site_packages() -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(VENV), "platbase": str(VENV)}))


def make_venv() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        stop(
            f"{sys.executable} has no ensurepip, so it cannot make a virtual environment",
            "on Debian and Ubuntu: apt-get install python3-venv; elsewhere: use a Python from python.org",
        )
    tell(f"making {VENV}")
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        stop(f"{VENV} cannot be made: {error}", "check that the directory may be written and the disk has 200 MB free")


def test(arguments: list[str]) -> int:
    """All checks, then the tests; a check that fails does not hide the others. The last lines are pytest's own."""
    failed = []
    for words in ("ruff check .", "ruff format --check .", "mypy"):
        tell(words)
        if run([str(PYTHON), "-m", *words.split()]):
            failed.append(words)
    tell(" ".join(["pytest", "-m", "'not slow'", *arguments]))
    status = run([str(PYTHON), "-m", "pytest", "-m", "not slow", *arguments])
    if failed:
        tell(f"failed before the tests: {', '.join(failed)}; see above")
    return status or bool(failed)


def lock(arguments: list[str]) -> int:
    """Versions and hashes for every supported Python and platform; no address of an index, no path of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
        tool = Path(folder) / PYTHON.relative_to(VENV)
        if status := run([str(tool), "-m", "pip", "install", "--quiet", LOCK_TOOL]):
            return status
        compile_command = [
            *(str(tool), "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *arguments,
            "pyproject.toml",
        ]
        runtime, full = LOCKS["runtime"].name, LOCKS["test"].name
        for more in (["-o", runtime], ["--extra", "test", "-c", runtime, "-o", full]):
            tell(f"working out {more[-1]}")
            if status := run([*compile_command, *more]):
                return status
    return 0


def run(command: list[str]) -> int:
    return subprocess.run(command, cwd=HERE, check=False).returncode


def become(command: list[str]) -> int:
    """Turn into the command, so that signals and the exit code are its own. Windows cannot: wait for it there."""
    if os.name != "nt":
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


def tell(text: str) -> None:
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def stop(what: str, remedy: str) -> NoReturn:
    sys.exit(f"run.py: {what}\n        {remedy}")


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        stop(
            f"Bandstand needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}",
            "install a newer one and start again with it: python3.12 run.py ...",
        )
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
