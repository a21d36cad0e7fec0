"""Names of epochs: they sort by creation, across restarts and restores, and no two are ever the same."""

import secrets
from pathlib import Path

from actors.names import Epoch

_digits = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_DIGITS, _RANDOM_DIGITS = 9, 3


def _text(number: int, digits: int) -> str:
    return "".join(_digits[number >> 5 * place & 31] for place in reversed(range(digits)))


def new_epoch(wall: float, last: str) -> Epoch:
    """Milliseconds of the clock, but always after `last`; then 15 random bits, for a clock that was set back while the
    memory of `last` was lost (a restored backup, a database in memory)."""
    millis = round(wall * 1000)
    if last:
        before = 0
        for digit in last[:_TIME_DIGITS]:
            before = before * 32 + _digits.index(digit)
        millis = max(millis, before + 1)
    return Epoch(_text(millis, _TIME_DIGITS) + _text(secrets.randbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS))


def boot_id() -> str:
    """Changes when the machine restarts. "" where the system does not say; then no two starts count as the same."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
