"""What a wire and an outlet allow. The app maps its settings onto these; the defaults are the house's."""

from attrs import frozen

KIB = 1024


@frozen
class WireLimits:
    message_bytes: int = 16 * KIB
    """One inbound message over all its fragments, in bytes as they travel, not in characters."""
    message_fragments: int = 16
    """Empty ones included: an empty fragment costs the peer 6 bytes and us an object."""
    control_per_s: float = 10.0
    control_burst: int = 20
    abusive_retry_ms: int = 60_000
    """Told to whoever sends more of them."""
    chat_bytes: int = 512 * KIB
    chat_frames: int = 512
    """What may wait in one outlet; beyond it the connection is behind."""
    control_bytes: int = 512 * KIB
    control_frames: int = 512
    """Answers and orders that a peer asks for and does not read; beyond it the connection is finished."""
    alert_frames: int = 256
    news_keys: int = 256
    stuck_s: float = 60.0
    """Aborted when the kernel's unsent bytes have not fallen for so long."""
    close_s: float = 2.0
    """To write the goodbye and hear the peer's close."""
    linger_s: float = 1.0
    linger_bytes: int = 64 * KIB
    """After our half-close: read on, or unread bytes make the kernel reset the connection under our last words."""
