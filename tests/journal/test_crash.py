"""A process that is killed while it writes: every draft that was answered is there, and nothing twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from actors.journal.log import Durability
from actors.journal.verify import verify
from tests.journal.keeping import STAGE, keeping, message, setup_for

CHILD = """
import sys
from pathlib import Path
import trio
from actors.journal.log import Durability
from tests.journal.keeping import keeping, message, setup_for

async def main():
    async with keeping(setup_for(Durability(sys.argv[2]), Path(sys.argv[1]))) as log:
        record = await log.room()
        number = 0
        while True:
            drafts = [log.draft(record, message(f"{number + n}"), cid=f"{number + n}") for n in range(20)]
            number += 20
            for draft, _ in drafts:
                log.desk.append(draft)
            for draft, verdict in drafts:
                outcome = await verdict.wait()
                sys.stdout.write(f"{draft.cid} {outcome.seq}\\n")
            sys.stdout.flush()

trio.run(main)
"""


def kill_after(answers: int, folder: Path, durability: Durability) -> dict[str, int]:
    """cid -> seq of what the child was told before it was killed, and of what it still had said."""
    command = [sys.executable, "-c", CHILD, str(folder), durability]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    answered = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            cid, seq = line.split()
            answered[cid] = int(seq)
            if len(answered) == answers:
                child.send_signal(signal.SIGKILL)
    return answered


@pytest.mark.parametrize("durability", [Durability.POWER, Durability.PROCESS])
async def test_every_answered_draft_survives_kill_9(tmp_path: Path, durability: Durability) -> None:
    setup = setup_for(durability, tmp_path)
    answered = await trio.to_thread.run_sync(kill_after, 200, tmp_path, durability)
    async with keeping(setup) as log:
        record = (await log.open())[0].record
        entries = {entry.cid: entry for entry in await log.history(STAGE)}
        assert len(entries) == record.head
        assert {cid: entries[cid].seq for cid in answered} == answered
        assert all(entry.body == message(cid) for cid, entry in entries.items())
        again = await log.post(record, "7", cid="7")
        assert (again.seq, again.dup) == (answered["7"], True)
        assert log.alarms == []
    assert verify(tmp_path / "journal.db").good
