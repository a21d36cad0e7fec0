"""Typed results as JSON's sort of values."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import fields, has

More = Callable[[object], dict[str, object]]
"""What is added to the fields of a value."""


def as_data(value: Any, more: More = lambda _value: {}) -> Any:
    """attrs classes become objects; what JSON cannot say (infinity) becomes null."""
    if has(type(value)):
        plain = {field.name: as_data(getattr(value, field.name), more) for field in fields(type(value))}
        return plain | more(value)
    match value:
        case Mapping():
            return {str(key): as_data(item, more) for key, item in value.items()}
        case list() | tuple():
            return [as_data(item, more) for item in value]
        case float() if not math.isfinite(value):
            return None
        case Path():
            return value.name
        case _:
            return value
