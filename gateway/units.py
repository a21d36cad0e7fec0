"""Durations and sizes as people write them: "72h", "1h30m", "256MiB", or a plain number of the base unit."""

import re

SECONDS_PER = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES_PER = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

_STEP = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")


def seconds_of(value: object) -> float:
    """Seconds from a number or from text such as "72h", "1h30m", "250ms". ValueError says what would be right."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        number = _seconds_of_text(value.strip())
    else:
        raise ValueError(f'{value!r} is not a duration: write seconds as a number, or "90s", "15m", "72h", "7d"')
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r} is not a duration: it must be zero or more, and finite")
    return number


def _seconds_of_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    total, position = 0.0, 0
    while step := _STEP.match(text, position):
        total += float(step[1]) * SECONDS_PER[step[2]]
        position = step.end()
    if position == 0 or position < len(text):
        raise ValueError(f'"{text}" is not a duration: write for example 250ms, 90s, 15m, 72h, 7d or 1h30m')
    return total


def bytes_of(value: object) -> int:
    """Bytes from a whole number or from text such as "16KiB", "256MiB". KB and MB are refused: they mean two things."""
    if isinstance(value, int) and not isinstance(value, bool):
        number: float = value
    elif isinstance(value, str):
        number = _bytes_of_text(value.strip())
    else:
        raise ValueError(f'{value!r} is not a size: write bytes as a whole number, or "16KiB", "256MiB", "2GiB"')
    if number < 0 or number != int(number):
        raise ValueError(f"{value!r} is not a size: it must be a whole number of bytes, zero or more")
    return int(number)


def _bytes_of_text(text: str) -> float:
    size = _SIZE.fullmatch(text)
    units = {name.lower(): count for name, count in BYTES_PER.items()} | {"": 1}
    if size is None or size[2].lower() not in units:
        raise ValueError(f'"{text}" is not a size: write for example 4096, 16KiB, 256MiB or 2GiB')
    return float(size[1]) * units[size[2].lower()]


def as_duration(seconds: float) -> str:
    """A spelling that seconds_of() reads back as the same number: days from a week on, minutes from two."""
    for unit, least in (("d", 7), ("h", 1), ("m", 2), ("s", 1), ("ms", 1)):
        count = seconds / SECONDS_PER[unit]
        if count >= least and count == int(count) and count * SECONDS_PER[unit] == seconds:
            return f"{int(count)}{unit}"
    exact = f"{seconds:g}" if float(f"{seconds:g}") == seconds else repr(seconds)
    return exact if "e" in exact else f"{exact}s"


def as_size(count: int) -> str:
    """The shortest spelling that bytes_of() reads back as the same number."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % BYTES_PER[unit] == 0:
            return f"{count // BYTES_PER[unit]}{unit}"
    return f"{count}B"
