"""What a server loads once its doors are open: it is not there before, and whoever comes meanwhile does not mind."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from bandstand import later

ROOT = Path(__file__).parents[2]

MEANWHILE = """
import sys, threading
import bandstand.cli.serve, bandstand.pages
from bandstand import later

early = {*later.LATER, "prometheus_client", "actors.admin.commands"} & {*sys.modules}
assert not early, early

wrong = []
sys.setswitchinterval(1e-5)
threading.excepthook = lambda args: wrong.append(args.exc_value)
other = threading.Thread(target=later.load)
other.start()

from actors.admin.catalogue import planners, table
from actors.names import nickname, skeleton
from gateway.metrics import Metrics

assert nickname("Ana") and skeleton("Ana") == skeleton("ana")
assert planners() and table()
metrics = Metrics()
metrics.counter("tries", "How often.", lambda: 1.0)
assert b"bandstand_tries_total 1.0" in metrics.page()
from trio_websocket import wrap_server_stream
import actors.admin.reads

other.join()
assert not wrong, wrong
"""


def test_who_comes_while_the_rest_loads_finds_it_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEANWHILE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_file_that_cannot_be_read_then_ends_no_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[str] = []

    def full(name: str) -> None:
        tried.append(name)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(later, "import_module", full)
    await later.load_later()
    assert tried == [later.LATER[0]]
    (told,) = caplog.records
    assert (told.getMessage(), told.exc_info is not None) == ("load_later", True)


async def test_what_is_not_installed_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "LATER", ("not_installed_anywhere",))
    with pytest.raises(ModuleNotFoundError):
        await later.load_later()
