"""A file that is written whole or not at all: what stood there before stays until the new one is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from bandstand.cli import exits
from bandstand.cli.lines import plain


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Written beside `path` and renamed when the body has ended well; what is no plain file (a pipe, a device) is
    written straight. Ends the command with what is in the way, before the body where that can be known by then."""
    try:
        # By the name given: /dev/stdout leads to a pipe that has no place to be found at.
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as straight:
                yield straight
            return
        target = path.resolve()  # A link stays one.
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with beside.open("x", encoding="utf-8") as file:
                if target.exists():
                    beside.chmod(target.stat().st_mode & 0o777)
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            with suppress(OSError):
                beside.unlink()
    except OSError as error:
        raise exits.Failed(f"{plain(str(path))}: cannot be written: {error.strerror or error}") from error
