"""A disk that turns read-only while the server runs. After a failed write the connection is made anew, and making it
failed in another way than writing: that ended the tasks which look after sign-ins and the record, and with them the
server."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.admin.orders import Denied
from actors.admin.signin import Signed, SignIn
from actors.admin.store import AdminStore, AdminUnusable, StoreFailed

PASSWORD = "four unrelated words"
ERRORS = [errno.EROFS, errno.EIO, errno.EMFILE, errno.EACCES]


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
async def test_nothing_ends_because_the_file_cannot_be_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_hashes: None, autojump_clock: MockClock, code: int
) -> None:
    alarms: list[str] = []
    async with await AdminStore.open(tmp_path / "admin.db", alarm=alarms.append) as store:
        sign_in = SignIn(store)
        setup = await sign_in.offer_setup()
        assert isinstance(await sign_in.setup(setup or "", "ana", PASSWORD, "x", secure=True), Signed)
        with monkeypatch.context() as broken:
            broken.setattr(os, "open", refusing(tmp_path / "admin.db", code))
            with pytest.raises(StoreFailed):
                await store.run(read_only, write=True)
            with pytest.raises(StoreFailed, match="check its owner and rights"):
                await store.operators.count()
            with trio.move_on_after(300) as watched:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(sign_in.keep)
                    nursery.start_soon(store.keep)
            assert watched.cancelled_caught, "both went on trying"
            refused = await sign_in.password("ana", PASSWORD, "x", secure=True)
            assert isinstance(refused, Denied)
            assert refused.code == "unavailable"
        assert isinstance(await sign_in.password("ana", PASSWORD, "x", secure=True), Signed)
        assert (len(alarms), alarms[-1]) == (2, ""), "told once, and that it is over"


async def test_what_cannot_be_opened_at_the_start_is_told_to_whoever_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", refusing(tmp_path / "admin.db", errno.EACCES))
    with pytest.raises(AdminUnusable, match="check its owner and rights"):
        await AdminStore.open(tmp_path / "admin.db")


def read_only(db: sqlite3.Connection) -> None:
    raise sqlite3.OperationalError("attempt to write a readonly database")


def refusing(path: Path, code: int) -> Callable[..., int]:
    opened = os.open

    def open_(name: Any, *args: Any, **more: Any) -> int:
        if Path(name) == path:
            raise OSError(code, os.strerror(code))
        return opened(name, *args, **more)

    return open_
