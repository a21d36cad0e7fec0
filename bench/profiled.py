"""Our server under the profiler of `bench/sampled.py`, whichever scenario is played."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from bench.ground import Ground
from bench.sampled import make_file
from bench.server import OWN_COMMAND, Plan, Unsuited


@contextmanager
def sampled(ground: Ground) -> Iterator[tuple[Ground, Path]]:
    """The same ground with our server under the profiler, and the file of its counts (`read_file`). Raises Unsuited for
    a server that is not ours."""
    command = ground.plan.command
    if ground.url is not None or tuple(command) != OWN_COMMAND:
        raise Unsuited("only a server that the bench starts itself can be put under the profiler")
    with tempfile.TemporaryDirectory(prefix="bandstand-samples-") as directory:
        counts = Path(directory) / "counts"
        make_file(counts)
        python, module, _bandstand, *rest = command
        plan: Plan = evolve(ground.plan, command=(python, module, "bench.sampled", str(counts), *rest))
        yield evolve(ground, plan=plan), counts
