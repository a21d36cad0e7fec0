"""The filler makes what the journal's own readers read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.fill_journal import fill


def test_a_filled_journal_holds_so_many_messages_in_so_many_rooms(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    fill(path, 250, rooms=4)

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), count(DISTINCT epoch), max(seq) FROM entries").fetchone() == (250, 4, 63)
        assert db.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone() == ("yes",)


def test_a_journal_that_exists_is_not_filled_over(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    path.touch()
    with pytest.raises(FileExistsError):
        fill(path, 1)
