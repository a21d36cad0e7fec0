"""What is carried out of the house into a file: the earlier one stays until the new one is whole."""

import os
import threading
from pathlib import Path

import pytest

from bandstand.cli import exits
from bandstand.cli.whole_file import whole_file
from tests.cli.fake_admin import FakeAdmin, no
from tests.cli.terminal import run

EXPORTS = [("export", "main-stage"), ("timeline",)]
NAMES = {"export": "room.export", "timeline": "timeline.export"}


def pages(last: object) -> list[object]:
    return [{"detail": {"items": ["one"], "more": True, "next": 1}}, last]


@pytest.mark.parametrize("words", EXPORTS, ids=lambda words: words[0])
def test_what_fails_half_way_leaves_the_earlier_file(words: tuple[str, ...], tmp_path: Path) -> None:
    """It was emptied before anything was asked: with the server down, the last export was gone."""
    out = tmp_path / "out.jsonl"
    out.write_text("earlier\n")
    fake = FakeAdmin({NAMES[words[0]]: pages(no("unavailable", "the disk is full"))})
    result = run(fake, "admin", *words, "-o", str(out))
    assert (result.exit_code, out.read_text()) == (4, "earlier\n"), result.output
    assert os.listdir(tmp_path) == ["out.jsonl"]
    out.chmod(0o600)
    fake = FakeAdmin({NAMES[words[0]]: pages({"detail": {"items": ["two"], "more": False}})})
    assert run(fake, "admin", *words, "-o", str(out)).exit_code == 0
    assert out.read_text() == "one\ntwo\n"
    assert out.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["out.jsonl"]


@pytest.mark.parametrize("words", EXPORTS, ids=lambda words: words[0])
def test_a_place_that_is_not_there_is_said_before_anybody_is_asked(words: tuple[str, ...], tmp_path: Path) -> None:
    """A traceback."""
    fake = FakeAdmin()
    result = run(fake, "admin", *words, "-o", str(tmp_path / "nowhere" / "out"))
    assert (result.exit_code, fake.seen) == (1, [])
    assert "cannot be written: No such file or directory" in result.stderr


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    real, link, pipe = tmp_path / "real", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(real)
    os.mkfifo(pipe)
    with whole_file(link) as file:
        file.write("through the link")
    assert (link.is_symlink(), real.read_text()) == (True, "through the link")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with whole_file(pipe) as file:
        file.write("through the pipe")
    reader.join(10)
    assert (read, pipe.is_fifo()) == (["through the pipe"], True)


@pytest.mark.parametrize("named", ["/dev/fd/{}", "link"])
def test_an_open_pipe_is_written_by_its_name(named: str, tmp_path: Path) -> None:
    """`-o /dev/stdout | head`: the name was followed to `pipe:[123]`, which is no place in any folder."""
    reading, writing = os.pipe()
    path = tmp_path / named.format(writing)  # What begins with / stays as it is.
    if not named.startswith("/"):
        path.symlink_to(f"/dev/fd/{writing}")
    try:
        with whole_file(path) as file:
            file.write("through the pipe")
        assert os.read(reading, 100) == b"through the pipe"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_disk_that_takes_no_more_is_an_end_with_words() -> None:
    with pytest.raises(exits.Failed, match="No space left"), whole_file(Path("/dev/full")) as file:
        file.write("x")
