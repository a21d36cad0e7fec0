"""Where a setting's value comes from: default < preset < TOML file < environment < flag. Knows no single setting.

typed-settings walks the attrs classes and merges the layers. Three things it does not do are done here: every value
keeps the name of what it came from (a file, a variable, a flag), all problems of one start are told at once, and text
is read strictly ("false" is not True, 1.5 is not 1).
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

import attrs
from typed_settings.cls_utils import nested_options
from typed_settings.constants import METADATA_KEY, SECRET_REPR
from typed_settings.dict_utils import merge_settings, set_path
from typed_settings.types import LoadedSettings, LoaderMeta, OptionInfo, SecretRepr

from gateway.units import as_duration, as_size, bytes_of, seconds_of

T = TypeVar("T")
Check = Callable[[Any], str | None]
"""Says what is wrong with a value that has the right type, or None."""

DEFAULT = "default"
SECTION = "bandstand"
ENV_PREFIX = "BANDSTAND_"
NOT_SETTINGS = re.compile(
    # Read by the command line, the test suite and the bench; the second line is what Kubernetes puts there unasked.
    r"BANDSTAND_(CONFIG|REQUIRE|URL|TOKEN|OPERATOR|PASSWORD|TEST_\w+|BENCH_\w+"
    r"|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_\w+)"
)


class Unit(StrEnum):
    SECONDS = "seconds"
    BYTES = "bytes"


class SettingsError(Exception):
    """The settings cannot be used. `problems`: a line each, saying where, what, and what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@attrs.frozen
class About:
    """What is known of a setting beside its type: it rides in the metadata of its attrs field."""

    help: str
    unit: Unit | None = None
    flag: str | None = None
    check: Check | None = None


def setting(
    default: Any,
    help: str,
    *,
    unit: Unit | None = None,
    flag: str | None = None,
    check: Check | None = None,
    secret: bool = False,
) -> Any:
    """A field of a settings class. `flag` gives it an option of its own; all others go by `--set key=value`."""
    about = About(help, unit, flag, check)

    def validate(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
        if check is not None and (wrong := check(value)):
            raise ValueError(f"{field.name} {wrong}")

    return attrs.field(
        default=default,
        metadata={METADATA_KEY: {"help": help, About: about}},
        validator=validate,
        repr=SecretRepr() if secret else True,
    )


@attrs.frozen
class Layer:
    """One source: values by dotted path, and what to call the place where a path was found."""

    values: Mapping[str, object]
    origin: Callable[[str], str]
    base_dir: Path = Path()
    """Relative paths in this layer start here."""


@attrs.frozen
class Loaded(Generic[T]):
    settings: T
    origins: Mapping[str, str]
    """Dotted path -> "default", the file's path, the variable's name or the flag's name."""


def options_of(cls: type) -> Mapping[str, OptionInfo]:
    """Every setting of a settings class and of the classes inside it, by dotted path, in the order they are written."""
    return _options_of(cls)


@functools.cache
def _options_of(cls: type) -> Mapping[str, OptionInfo]:
    return MappingProxyType({option.path: option for option in _walk_options(cls, "")})


def _walk_options(cls: type, prefix: str) -> Iterator[OptionInfo]:
    """As typed-settings' deep_options, which reads the source of each class for docstrings that we do not use: that
    took a fifth of the server's whole start."""
    for each in attrs.fields(attrs.resolve_types(cls)):
        if attrs.has(each.type):
            yield from _walk_options(each.type, f"{prefix}{each.name}.")
            continue
        yield OptionInfo(
            parent_cls=cls,
            path=f"{prefix}{each.name}",
            cls=each.type,
            is_secret=isinstance(each.repr, SecretRepr),
            nested_options=nested_options(each.type),
            default=each.default,
            has_no_default=each.default is attrs.NOTHING,
            default_is_factory=isinstance(each.default, attrs.Factory),  # type: ignore[arg-type]
            converter=each.converter,
            metadata=each.metadata[METADATA_KEY],
        )


def about(option: OptionInfo) -> About:
    found = option.metadata.get(About)
    assert isinstance(found, About)
    return found


def default_of(option: OptionInfo) -> Any:
    return option.default.factory() if option.default_is_factory else option.default


def env_name(path: str) -> str:
    return ENV_PREFIX + path.upper().replace(".", "_").replace("-", "_")


def load(cls: type[T], layers: Sequence[Layer], problems: list[str]) -> Loaded[T]:
    """The settings out of `layers`, the last one strongest. Raises SettingsError with `problems` and its own."""
    options = options_of(cls)
    sources = [LoadedSettings(_nested(layer.values), LoaderMeta(str(rank))) for rank, layer in enumerate(layers)]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for path, option in options.items():
        origins[path] = DEFAULT
        if option.nested_options is not None:
            values[path] = {}
    for path, (raw, meta) in merge_settings(tuple(options.values()), sources).items():
        layer = layers[int(meta.name)]
        origins[path] = layer.origin(path)
        try:
            values[path] = _read(raw, options[path], layer.base_dir)
        except ValueError as wrong:
            shown = _masked(str(wrong), raw) if options[path].is_secret else str(wrong)
            problems.append(f"{origins[path]}: {path}: {shown}")
        if options[path].nested_options is not None and isinstance(raw, Mapping):
            origins.pop(path)
            origins |= {f"{path}.{name}.{key}": layer.origin(path) for name, row in raw.items() for key in row}
    if problems:
        raise SettingsError(problems)
    return Loaded(_build(cls, _nested(values)), MappingProxyType(origins))


def toml_layer(cls: type, file: Path) -> tuple[Layer, list[str]]:
    """A file's values under [bandstand], and its problems: unreadable, not TOML, keys that no setting has."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return Layer({}, str), [f"{file}: cannot be read: {error.strerror}; `bandstand config init` writes a new one"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Layer({}, str), [f"{file}: not TOML: {error}"]
    problems = [
        f"{file}: {key}: unknown; all settings stand under [{SECTION}]{_suggest(key, [SECTION])}"
        for key in document
        if key != SECTION
    ]
    values: dict[str, object] = {}
    for path, value in _walk(cls, document.get(SECTION, {}), "", file, problems):
        values[path] = value
    return Layer(values, lambda _path: str(file), file.parent), problems


def env_layer(cls: type, env: Mapping[str, str]) -> tuple[Layer, list[str]]:
    """The variables that name a setting, and a problem for each BANDSTAND_ variable that names none."""
    paths = {env_name(path): path for path, option in options_of(cls).items() if option.nested_options is None}
    problems = [
        f"environment: {name}: unknown setting{_suggest(name, list(paths))}"
        for name in sorted(env)
        if name.startswith(ENV_PREFIX) and name not in paths and not NOT_SETTINGS.fullmatch(name)
    ]
    values = {paths[name]: value for name, value in env.items() if name in paths}
    return Layer(values, env_name), problems


def flag_layer(cls: type, flags: Mapping[str, object]) -> tuple[Layer, list[str]]:
    """Values by dotted path, as `--set` and the flags of a command hand them over; None means not given."""
    options = options_of(cls)
    given = {path: value for path, value in flags.items() if value is not None}
    problems = [
        f"--set {path}: unknown setting{_suggest(path, list(options))}" for path in given if path not in options
    ]

    def origin(path: str) -> str:
        return about(options[path]).flag or f"--set {path}"

    return Layer({path: value for path, value in given.items() if path in options}, origin), problems


def shown(value: object, option: OptionInfo) -> str:
    """A value as a person would write it in the file; a secret that is set is masked."""
    if option.is_secret and value:
        return SECRET_REPR
    unit = about(option).unit
    if unit is Unit.SECONDS and isinstance(value, int | float):
        return as_duration(float(value))
    if unit is Unit.BYTES and isinstance(value, int):
        return as_size(value)
    return str(value) if value is not None else ""


def _walk(cls: type, table: object, prefix: str, file: Path, problems: list[str]) -> Iterator[tuple[str, object]]:
    """The (dotted path, value) pairs of a TOML table; what does not fit the classes goes to `problems`."""
    if not isinstance(table, Mapping):
        problems.append(f"{file}: {prefix.rstrip('.') or SECTION}: must be a table")
        return
    fields = {field.name: field for field in attrs.fields(attrs.resolve_types(cls))}
    for key, value in table.items():
        path = prefix + key
        if key not in fields:
            problems.append(f"{file}: {path}: unknown setting{_suggest(key, list(fields))}")
        elif isinstance(inner := fields[key].type, type) and attrs.has(inner):
            yield from _walk(inner, value, path + ".", file, problems)
        elif (row := _row_class(fields[key].type)) is not None and isinstance(value, Mapping):
            for name, cells in value.items():
                list(_walk(row, cells, f"{path}.{name}.", file, problems))
            yield path, {name: cells for name, cells in value.items() if isinstance(cells, Mapping)}
        else:
            yield path, value


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _masked(message: str, raw: object) -> str:
    return message.replace(repr(raw), SECRET_REPR).replace(str(raw), SECRET_REPR)


def _row_class(kind: object) -> type | None:
    """RowClass out of Mapping[str, RowClass]."""
    args = get_args(kind)
    is_table = get_origin(kind) is not None and len(args) == 2 and isinstance(args[1], type) and attrs.has(args[1])
    return args[1] if is_table else None


def _nested(flat: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        set_path(tree, path, value)
    return tree


def _build(cls: type[T], tree: Mapping[str, Any]) -> T:
    inner = {field.name: field.type for field in attrs.fields(attrs.resolve_types(cls))}  # type: ignore[arg-type, type-var]
    return cls(**{
        name: _build(kind, tree[name]) if isinstance(kind := inner[name], type) and attrs.has(kind) else tree[name]
        for name in tree
    })  # fmt: skip


def _read(raw: object, option: OptionInfo, base_dir: Path) -> object:
    row = _row_class(option.cls)
    if row is not None:
        value: object = _read_rows(raw, row, base_dir)
    else:
        value = _typed(raw, option.cls, about(option).unit, base_dir)
    check = about(option).check
    if check is not None and (wrong := check(value)):
        raise ValueError(wrong)
    return value


def _read_rows(raw: object, row: type, base_dir: Path) -> dict[str, object]:
    if not isinstance(raw, Mapping):
        raise ValueError("must be a table of tables")
    rows: dict[str, object] = {}
    for name, cells in raw.items():
        values: dict[str, object] = {}
        for path, option in options_of(row).items():
            if path in cells:
                try:
                    values[path] = _read(cells[path], option, base_dir)
                except ValueError as wrong:
                    raise ValueError(f"{name}.{path}: {wrong}") from None
        rows[name] = row(**values)
    return rows


def _typed(raw: object, kind: Any, unit: Unit | None, base_dir: Path) -> object:
    if unit is not None:
        return seconds_of(raw) if unit is Unit.SECONDS else bytes_of(raw)
    if get_origin(kind) is Literal:
        return _choice(raw, get_args(kind))
    if NoneType in get_args(kind):
        kind = next(one for one in get_args(kind) if one is not NoneType)
        if raw is None or raw == "":
            return None
    if kind is Path:
        return base_dir / Path(_text(raw)).expanduser()
    return READERS[get_origin(kind) or kind](raw)


def _choice(raw: object, allowed: tuple[str, ...]) -> str:
    if raw not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}, not {raw!r}")
    return str(raw)


def _texts(raw: object) -> tuple[str, ...]:
    if isinstance(raw, str):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    if isinstance(raw, list | tuple) and all(isinstance(part, str) for part in raw):
        return tuple(raw)
    raise ValueError(f"must be a list of texts (in the environment: separated by commas), not {raw!r}")


def _text(raw: object) -> str:
    if isinstance(raw, str | Path):
        return str(raw)
    raise ValueError(f"must be a text, not {raw!r}")


def _truth(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word not in ("true", "false", "yes", "no", "on", "off", "1", "0"):
        raise ValueError(f"must be true or false, not {raw!r}")
    return word in ("true", "yes", "on", "1")


def _whole(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and re.fullmatch(r"\s*[+-]?[0-9][0-9_]*\s*", raw):
        return int(raw)
    hint = "; Kubernetes puts this there: set enableServiceLinks: false" if str(raw).startswith("tcp://") else ""
    raise ValueError(f"must be a whole number, not {raw!r}{hint}")


def _number(raw: object) -> float:
    try:
        number = float(raw) if isinstance(raw, int | float | str) and not isinstance(raw, bool) else None
    except ValueError:
        number = None
    if number is None or number != number or abs(number) == float("inf"):  # noqa: PLR0124 - NaN is not itself
        raise ValueError(f"must be a number, not {raw!r}")
    return number


READERS: Mapping[type, Callable[[object], object]] = MappingProxyType(
    {bool: _truth, int: _whole, float: _number, str: _text, tuple: _texts}
)
