"""What the journal counts."""

from attrs import define, field

from actors.tally import Histogram

MAX_BATCH = 512
"""Drafts a commit: nearly as good per row as thousands, and its answers hold the loop for no more than some ms."""

BATCH_ROWS = (0, 1, 2, 5, 10, 20, 50, 100, 200, MAX_BATCH)


@define
class Counters:
    """For statistics. Only ever written on the loop."""

    commits: int = 0
    rows: int = 0
    refused: int = 0
    failed_commits: int = 0
    biggest_batch: int = 0
    in_flight: int = 0
    """Drafts without an answer."""
    callback_errors: int = 0
    """Exceptions out of answers and wakes; the last one is kept beside."""
    last_callback_error: str = ""
    last_commit_s: float = 0.0
    commit: Histogram = field(factory=Histogram)
    batch_rows: Histogram = field(factory=lambda: Histogram(BATCH_ROWS))
