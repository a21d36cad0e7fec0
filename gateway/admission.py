"""Who may come in, by count: connections in all, strangers among them, arrivals a second, failures of an address.

Pure: time is an argument. It counts failures of an address and never its arrivals, for a whole festival may stand
behind one of them."""

from collections import OrderedDict
from contextlib import suppress

from attrs import Factory, define, frozen

from gateway.budgets import TokenBucket
from gateway.http import HeadLimits

FILES_UNKNOWN = 4_096
"""Where the system does not say how many files a process may open."""
FILES_MOST = 1 << 20
ADDRESSES_MOST = 10_000


@frozen
class ListenerLimits:
    head: HeadLimits = Factory(HeadLimits)
    head_s: float = 5.0
    """For the request head; and as long again before it for a TLS handshake."""
    connections: int = 0
    """At one time; 0 = the file limit less `spare_files`."""
    spare_files: int = 256
    strangers: int = 2_048
    """Connections that have not said who they are."""
    accepts_per_s: float = 1_500.0
    failures_per_address: int = 64
    failures_forgiven_per_s: float = 64 / 600
    retry_after_s: float = 5.0
    """For those who are refused, and up to as long again, so that they do not come back together."""
    unsent_bytes: int = 16 * 1024
    """TCP_NOTSENT_LOWAT: what the kernel takes beyond what it can send."""
    linger_s: float = 1.0
    linger_bytes: int = 64 * 1024


class Admission:
    """The counts, and the tickets of those inside."""

    def __init__(self, limits: ListenerLimits, connections: int) -> None:
        self._limits = limits
        self._connections = connections
        self._failures: OrderedDict[str, TokenBucket] = OrderedDict()
        self.arrivals = TokenBucket(limits.accepts_per_s, limits.accepts_per_s)
        self.live = 0
        self.strangers = 0
        self.refused = 0

    def enter(self, remote: str, now: float) -> "Ticket | None":
        """None: the house is full, or holds as many strangers as it may. Everybody who got a ticket gives it back."""
        if self.live >= self._connections or self.strangers >= self._limits.strangers:
            self.refused += 1
            return None
        self.live += 1
        self.strangers += 1
        return Ticket(self, remote, now)

    def is_barred(self, address: str, now: float) -> bool:
        """It has failed to authenticate too often. The forwarded address counts, so this is asked after the head."""
        bucket = self._failures.get(address)
        return bucket is not None and bucket.wait_s(now) > 0

    def failed(self, address: str, now: float) -> None:
        bucket = self._failures.pop(address, None)
        if bucket is None:
            limits = self._limits
            bucket = TokenBucket(limits.failures_forgiven_per_s, limits.failures_per_address)
            if len(self._failures) >= ADDRESSES_MOST:
                self._failures.popitem(last=False)
        self._failures[address] = bucket
        bucket.take(now)


@define(eq=False)
class Ticket:
    """One connection's place, from accept to the end. The Arrival of gateway/wire/contract.py."""

    _admission: Admission
    remote: str
    since: float
    path: str = ""
    failures: int = 0
    _stranger: bool = True
    _inside: bool = True

    def authenticated(self) -> None:
        if self._stranger:
            self._stranger = False
            self._admission.strangers -= 1

    def failed(self, now: float) -> None:
        self.failures += 1
        self._admission.failed(self.remote, now)

    def leave(self) -> None:
        if self._inside:
            self._inside = False
            self.authenticated()
            self._admission.live -= 1


def raise_file_limit() -> int:
    """The soft limit of open files up to the hard one; returns what now holds."""
    try:
        import resource  # not on Windows
    except ImportError:
        return FILES_UNKNOWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS has a hard limit that it does not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return min(soft, FILES_MOST) if soft != resource.RLIM_INFINITY else FILES_MOST
