"""What lies beside the database."""

import os
import stat
from pathlib import Path

from actors.journal.log import Durability
from tests.journal.keeping import keeping, setup_for


def modes(folder: Path) -> dict[str, str]:
    return {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in folder.iterdir()}


async def test_every_file_of_a_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    """The ballast was made with whatever the umask left: 0644, most often."""
    usual = os.umask(0o022)
    try:
        async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
            await log.post(await log.room(), "hi")
            found = modes(tmp_path)
    finally:
        os.umask(usual)

    kinds = ("", "-shm", "-wal", ".ballast", ".marks")
    assert found == {f"journal.db{kind}": "0o600" for kind in kinds}
