"""Who may come in, by count: connections in all, strangers among them, arrivals a second, failures of an address.

Pure: time is an argument. What counts against an address are refused credentials and never its arrivals, for a whole
festival may stand behind one of them; and what an overloaded radio cell makes by itself (silence, heads that do not
come) is no failure. Only the last quarter of the strangers' places is kept from whoever has the other three; of the few
places in a house that is full, one address has a quarter."""

from collections import OrderedDict
from contextlib import suppress

from attrs import Factory, define, field, frozen

from gateway.budgets import TokenBucket
from gateway.http import HeadLimits
from gateway.wire.transport import UNSENT_BYTES

FILES_UNKNOWN = 4_096
"""Where the system does not say how many files a process may open."""
FILES_MOST = 1 << 20
ADDRESSES_MOST = 10_000
SHARE_PERCENT = 75
"""Of the strangers' places, that one address may have."""
FULL_SHARE_PERCENT = 25
"""Of the places beyond them."""
BEYOND_MOST = 64
"""Of those who come when the house is full and still get an answer; they spend the spare files."""
BEYOND_TLS_MOST = 8
"""To answer them costs a handshake each."""
KEPT_MOST = 16
"""Operators who come in when the house is full, until they have signed in."""


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
    unsent_bytes: int = UNSENT_BYTES
    """TCP_NOTSENT_LOWAT: what the kernel takes beyond what it can send."""
    linger_s: float = 1.0
    linger_bytes: int = 64 * 1024


class Places:
    """Those of one sort: how many are taken, in all and from an address. None: one that stands for many."""

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self._taken_of: dict[str, int] = {}
        self.taken = 0

    def is_left(self, most: int, address: str | None) -> bool:
        """Of `most`, one for whoever comes from there."""
        return self.taken < most and not self.crowds(most, address)

    def crowds(self, most: int, address: str | None) -> bool:
        """It has all that one address may have: the other places are for others."""
        return address is not None and self._taken_of.get(address, 0) >= max(1, most * self._percent // 100)

    def take(self, address: str | None) -> None:
        self.taken += 1
        if address is not None:
            self._taken_of[address] = self._taken_of.get(address, 0) + 1

    def give_back(self, address: str | None) -> None:
        self.taken -= 1
        if address is not None:
            left = self._taken_of[address] - 1
            if left:
                self._taken_of[address] = left
            else:
                del self._taken_of[address]


class Admission:
    """The counts, and the tickets of those inside."""

    def __init__(self, limits: ListenerLimits, connections: int) -> None:
        self._limits = limits
        self._connections = connections
        self._failures: OrderedDict[str, TokenBucket] = OrderedDict()
        self.arrivals = TokenBucket(limits.accepts_per_s, limits.accepts_per_s)
        self.live = 0
        self._strangers = Places(SHARE_PERCENT)
        self._beyond = Places(FULL_SHARE_PERCENT)
        self._kept = Places(FULL_SHARE_PERCENT)

    @property
    def strangers(self) -> int:
        return self._strangers.taken

    @property
    def beyond(self) -> int:
        """Who came when the house was full, and is only asked what they want."""
        return self._beyond.taken

    @property
    def kept(self) -> int:
        """Of the places for those who have to come in all the same: how many are taken."""
        return self._kept.taken

    def enter(self, remote: str, now: float, *, proxied: bool = False, beyond: int = BEYOND_MOST) -> "Ticket | None":
        """Everybody who got a ticket gives it back. Where the house is full, or holds as many strangers as it may, of
        this address or in all, it is one of the `beyond` that are only good for being asked; None: those are taken too.
        `proxied`: `remote` is a proxy of ours, and stands for many; see `Ticket.comes_from`."""
        address = None if proxied else remote
        full = self.live >= self._connections or not self._strangers.is_left(self._limits.strangers, address)
        if full and not self._beyond.is_left(beyond, address):
            return None
        ticket = Ticket(self, remote, now, proxied)
        ticket._take(self._beyond if full else self._strangers, address)
        self.live += 1
        return ticket

    def failed(self, address: str, now: float) -> bool:
        """A credential from there was refused. True: there have been too many lately."""
        bucket = self._failures.pop(address, None)
        if bucket is None:
            limits = self._limits
            bucket = TokenBucket(limits.failures_forgiven_per_s, limits.failures_per_address)
            if len(self._failures) >= ADDRESSES_MOST:
                self._failures.popitem(last=False)
        self._failures[address] = bucket
        return not bucket.take(now)


@define(eq=False)
class Ticket:
    """One connection's place, from accept to the end. The Arrival of gateway/wire/contract.py."""

    _admission: Admission
    remote: str
    since: float
    proxied: bool = False
    _places: Places | None = field(init=False, default=None)
    """Of which it has one; None: it has said who it is."""
    _counted: str | None = field(init=False, default=None)
    """The address from whose share that is; None: from nobody's, it stands behind a proxy and has not said yet."""
    _inside: bool = field(init=False, default=True)

    @property
    def beyond(self) -> bool:
        """It came when the house was full."""
        return self._places is self._admission._beyond

    def comes_from(self, address: str) -> bool:
        """As the head says. Where too many strangers do, it is one of the `beyond` from here on, as it would be without
        a proxy. False: those are taken."""
        admission, self.remote = self._admission, address
        if not self.proxied or self._places is not admission._strangers:
            return True
        if not admission._strangers.crowds(admission._limits.strangers, address):
            self._take(admission._strangers, address)
        elif admission._beyond.is_left(BEYOND_MOST, address):
            self._take(admission._beyond, address)
        else:
            return False
        return True

    def is_kept_a_place(self) -> bool:
        """Of one that came when the house was full: it comes in all the same, while there is such a place."""
        kept = self._admission._kept
        if not kept.is_left(KEPT_MOST, self.remote):
            return False
        self._take(kept, self.remote)
        return True

    def authenticated(self) -> None:
        if not self.beyond:
            self._take(None)

    def failed(self, now: float) -> bool:
        return self._admission.failed(self.remote, now)

    def leave(self) -> None:
        if self._inside:
            self._inside = False
            self._take(None)
            self._admission.live -= 1

    def _take(self, places: Places | None, address: str | None = None) -> None:
        """Instead of the one it has."""
        if self._places is not None:
            self._places.give_back(self._counted)
        self._places, self._counted = places, address
        if places is not None:
            places.take(address)


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
