"""Settings: which source wins, what each value remembers of it, and what every kind of mistake is told."""

import math
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import (
    Heartbeat,
    Limits,
    RoomPolicySettings,
    Rooms,
    Settings,
    SettingsError,
    load_settings,
)
from gateway.sources import About, Layer, about, env_layer, env_name, load, options_of, setting, shown
from gateway.units import as_duration, as_size, bytes_of, seconds_of


def write(folder: Path, text: str) -> Path:
    file = folder / "bandstand.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(config: Path | None = None, env: dict[str, str] | None = None, **flags: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(config, env or {}, {key.replace("__", "."): value for key, value in flags.items()})
    return caught.value.problems


def test_without_any_source_the_settings_are_the_defaults() -> None:
    loaded = load_settings(None, {}, {})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("host", "127.0.0.1"),
        ("port", 8080),
        ("drain_s", 20.0),
        ("rooms.create", "anyone"),
        ("rooms.listed", ("main-stage", "lost-and-found")),
        ("rooms.tail", 100),
        ("rooms.max_rooms", 5_000),
        ("rooms.creations_per_hour", 3),
        ("rooms.creations_per_minute", 300),
        ("journal.path", Path("bandstand.db")),
        ("journal.durability", "power"),
        ("journal.keep", 259_200.0),
        ("journal.free_disk_bytes", 268_435_456),
        ("limits.request_head_s", 5.0),
        ("limits.authenticate_s", 15.0),
        ("rooms.expire", 2_592_000.0),
        ("limits.request_head_bytes", 8_192),
        ("limits.request_headers", 64),
        ("limits.request_path_bytes", 512),
        ("limits.spare_files", 256),
        ("limits.unauthenticated", 2_048),
        ("limits.failures_per_address", 64),
        ("limits.accepts_per_s", 1_500),
        ("limits.message_bytes", 16_384),
        ("limits.message_fragments", 16),
        ("limits.text_code_points", 2_000),
        ("limits.messages_per_s", 5),
        ("limits.burst", 10),
        ("limits.inbound_bytes_per_s", 65_536),
        ("limits.control_frames_per_s", 10),
        ("limits.control_burst", 20),
        ("limits.close_s", 2.0),
        ("limits.linger_s", 1.0),
        ("limits.linger_bytes", 65_536),
        ("limits.room_mailbox_messages", 1_000),
        ("limits.rooms_per_connection", 32),
        ("limits.joins_per_s", 2),
        ("limits.joins_burst", 10),
        ("heartbeat.every_s", 25.0),
        ("heartbeat.jitter_percent", 10.0),
        ("heartbeat.dead_s", 60.0),
        ("restart.crashes", 3),
        ("restart.window_s", 5.0),
        ("restart.quarantine_s", 30.0),
        ("restart.quarantine_max_s", 600.0),
        ("outlet.limit_bytes", 524_288),
        ("outlet.limit_frames", 512),
        ("outlet.stuck_s", 60.0),
        ("outlet.notsent_lowat_bytes", 8_192),
        ("wire.kind", "auto"),
        ("auth.anonymous", True),
    ],
)
def test_names_and_defaults_hold(path: str, default: object) -> None:
    value: object = Settings()
    for name in path.split("."):
        value = getattr(value, name)
    assert value == default
    assert type(value) is type(default) or isinstance(value, Path | int | float)


def test_each_source_beats_the_one_below_and_says_so(tmp_path: Path) -> None:
    file = write(tmp_path, "[bandstand]\nhost = '10.0.0.1'\nport = 1\nevent = 'File'\n[bandstand.limits]\nburst = 2\n")
    env = {"BANDSTAND_PORT": "3", "BANDSTAND_LIMITS_BURST": "4", "HOME": "/nowhere"}
    loaded = load_settings(file, env, {"limits.burst": "5", "event": None}, {"host": "0.0.0.0", "node": "demo"})
    assert loaded.settings == attrs.evolve(
        Settings(), host="10.0.0.1", port=3, event="File", node="demo", limits=Limits(burst=5)
    )
    origins = {path: origin for path, origin in loaded.origins.items() if origin != "default"}
    assert origins == {
        "host": str(file),
        "event": str(file),
        "node": "--demo",
        "port": "BANDSTAND_PORT",
        "limits.burst": "--set limits.burst",
    }


def test_a_setting_with_its_own_flag_names_it_as_the_origin() -> None:
    loaded = load_settings(None, {"BANDSTAND_JOURNAL_PATH": "a.db"}, {"journal.path": "b.db"})
    assert (loaded.settings.journal.path, loaded.origins["journal.path"]) == (Path("b.db"), "--journal")


def test_every_setting_has_a_help_line_and_an_own_variable() -> None:
    for option in (*options_of(Settings).values(), *options_of(RoomPolicySettings).values()):
        assert isinstance(about(option), About)
        assert 5 < len(about(option).help) < 100
        assert "\n" not in about(option).help
    names = [env_name(path) for path in options_of(Settings)]
    assert len(set(names)) == len(names)


def test_a_path_in_the_file_starts_at_the_file_and_elsewhere_at_the_working_directory(tmp_path: Path) -> None:
    file = write(tmp_path, "[bandstand.journal]\npath = 'data/a.db'\n")
    assert load_settings(file, {}, {}).settings.journal.path == tmp_path / "data" / "a.db"
    assert load_settings(file, {"BANDSTAND_JOURNAL_PATH": "b.db"}, {}).settings.journal.path == Path("b.db")


def test_the_key_lies_beside_the_journal_unless_said_otherwise() -> None:
    loaded = load_settings(None, {"BANDSTAND_JOURNAL_PATH": "data/north.db"}, {})
    assert loaded.settings.key_path == Path("data/north.key")
    assert load_settings(None, {"BANDSTAND_AUTH_KEY_PATH": "k"}, {}).settings.key_path == Path("k")


def test_lists_come_from_the_file_as_lists_and_from_the_environment_with_commas(tmp_path: Path) -> None:
    file = write(tmp_path, "[bandstand.rooms]\nlisted = ['north', 'south']\n")
    assert load_settings(file, {}, {}).settings.rooms.listed == ("north", "south")
    assert load_settings(None, {"BANDSTAND_ROOMS_LISTED": "east, west"}, {}).settings.rooms.listed == ("east", "west")
    assert load_settings(None, {"BANDSTAND_ROOMS_LISTED": ""}, {}).settings.rooms.listed == ()


def test_listed_rooms_have_policies_with_origins_of_their_own(tmp_path: Path) -> None:
    file = write(tmp_path, "[bandstand.rooms.policy.main-stage]\ntitle = 'Main'\nslow_mode_s = '8s'\nfrozen = true\n")
    loaded = load_settings(file, {}, {})
    assert loaded.settings.rooms.policy == {
        "main-stage": RoomPolicySettings(title="Main", slow_mode_s=8.0, frozen=True, max_members=20_000, history=1_000)
    }
    assert loaded.origins["rooms.policy.main-stage.slow_mode_s"] == str(file)


def test_all_problems_are_told_at_once_with_file_key_and_a_likely_name(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        [bandstand]
        prot = 8080
        host = 3
        [bandstand.limits]
        brust = 3
        messages_per_s = "many"
        [bandstand.rooms.policy.main-stage]
        frozn = true
        [banstand]
        """,
    )
    found = problems(file, {"BANDSTAND_LIMITS_BRUST": "1", "BANDSTAND_PORT": "x"}, limits__brust="1")
    assert found == (
        f"{file}: banstand: unknown; all settings stand under [bandstand]; did you mean bandstand?",
        f"{file}: prot: unknown setting; did you mean port?",
        f"{file}: limits.brust: unknown setting; did you mean burst?",
        f"{file}: rooms.policy.main-stage.frozn: unknown setting; did you mean frozen?",
        "environment: BANDSTAND_LIMITS_BRUST: unknown setting; did you mean BANDSTAND_LIMITS_BURST?",
        "--set limits.brust: unknown setting; did you mean limits.burst?",
        f"{file}: host: must be a text, not 3",
        "BANDSTAND_PORT: port: must be a whole number, not 'x'",
        f"{file}: limits.messages_per_s: must be a number, not 'many'",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("host = ''", "host: is empty: write 127.0.0.1, or 0.0.0.0 for all addresses"),
        ("port = true", "port: must be a whole number"),
        ("port = 1.5", "port: must be a whole number"),
        ("port = 65536", "port: must be 0 to 65535, not 65536"),
        ("port = -1", "port: must be 0 to 65535"),
        ("port = [1]", "port: must be a whole number"),
        ("drain_s = true", "is not a duration"),
        ("drain_s = -1", "must be zero or more"),
        ("drain_s = inf", "finite"),
        ("drain_s = 'soon'", "is not a duration"),
        ("reserved_names = 'a'\nallowed_hosts = [1]", "allowed_hosts: must be a list of texts"),
        ("public_url = 'chat.example.org'", "is not an address such as https://"),
        ("allowed_origins = ['https://ok.example', 'null']", "allowed_origins: has 'null'"),
        ("trusted_proxies = ['10.0.0.0/33']", "write an address or a network"),
        ("limits = 3", "limits: must be a table"),
        ("rooms.create = 'anybody'", "must be one of anyone, operators, listed"),
        ("rooms.listed = ['Main Stage']", "a room name is"),
        ("rooms.policy = 3", "rooms.policy: must be a table of tables"),
        ("rooms.policy.main-stage = 3", "rooms.policy.main-stage: must be a table"),
        ("rooms.policy.main-stage.max_members = 0", "main-stage.max_members: must be at least 1"),
        ("rooms.policy.north.frozen = true", "north is not in rooms.listed"),
        ("journal.keep = '72x'", "is not a duration: write for example"),
        ("journal.free_disk_bytes = '256MB'", "is not a size: write for example"),
        ("journal.free_disk_bytes = 1.5", "is not a size"),
        ("auth.anonymous = 'maybe'", "must be true or false"),
        ("auth.anonymous = 1", "must be true or false"),
        ("heartbeat.dead_s = 27", "dead before its heartbeat"),
        ("limits.authenticate_s = 4", "cannot be the shorter one"),
        ("restart.quarantine_s = '1h'", "shorter than the first"),
        ("wire.tls_cert = 'a.pem'", "give both or neither"),
        ("wire.kind = 'hub'", "must be one of auto, portable"),
        ("bandstand = ", "not TOML"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_a_remedy(tmp_path: Path, text: str, told: str) -> None:
    file = write(tmp_path, f"[bandstand]\n{text}\n")
    (problem,) = problems(file)
    assert told in problem
    assert str(file) in problem


def test_a_file_that_is_not_there_or_not_text_is_a_problem_not_a_default(tmp_path: Path) -> None:
    assert "cannot be read" in problems(tmp_path / "none.toml")[0]
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "not TOML" in problems(tmp_path / "bytes.toml")[0]


def test_a_stronger_source_mends_a_wrong_value_but_never_an_unknown_key(tmp_path: Path) -> None:
    file = write(tmp_path, "[bandstand]\nport = 'x'\n")
    assert load_settings(file, {"BANDSTAND_PORT": "1"}, {}).settings.port == 1
    file = write(tmp_path, "[bandstand]\nprot = 1\n")
    assert len(problems(file, {"BANDSTAND_PORT": "1"})) == 1


@pytest.mark.parametrize(
    "name",
    [
        "BANDSTAND_CONFIG",
        "BANDSTAND_REQUIRE",
        "BANDSTAND_TEST_SEED",
        "BANDSTAND_SERVICE_HOST",
        "BANDSTAND_PORT_8080_TCP",
    ],
)
def test_variables_of_others_are_no_settings(name: str) -> None:
    assert load_settings(None, {name: "x"}, {}).settings == Settings()


def test_what_kubernetes_puts_into_the_port_is_explained() -> None:
    """A service named bandstand makes Kubernetes set BANDSTAND_PORT=tcp://... in every pod."""
    (problem,) = problems(None, {"BANDSTAND_PORT": "tcp://10.0.0.1:8080"})
    assert "enableServiceLinks: false" in problem


@pytest.mark.parametrize(
    ("word", "truth"), [("true", True), ("Yes", True), ("1", True), ("false", False), ("off", False)]
)
def test_truth_in_the_environment_is_read_by_its_meaning(word: str, truth: bool) -> None:
    assert load_settings(None, {"BANDSTAND_AUTH_ANONYMOUS": word}, {}).settings.auth.anonymous is truth


def test_settings_are_frozen_and_checked_when_made_by_hand() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="port must be 0 to 65535"):
        Settings(port=70_000)
    with pytest.raises(ValueError, match="listed has 'No'"):
        Rooms(listed=("No",))
    assert attrs.evolve(Settings(), heartbeat=Heartbeat(every_s=1)).heartbeat.every_s == 1


@attrs.frozen
class WithSecret:
    token: str = setting("", "a secret", secret=True, check=lambda text: "is too short" if len(text) < 20 else None)
    count: int = setting(1, "no secret")


def test_a_secret_is_masked_when_shown_printed_and_in_errors() -> None:
    layer, _ = env_layer(WithSecret, {"BANDSTAND_TOKEN": "x"})
    assert layer.values == {"token": "x"}
    loaded = load(WithSecret, [Layer({"token": "k" * 30}, str)], [])
    assert "kkk" not in repr(loaded)
    assert "kkk" not in shown("k" * 30, options_of(WithSecret)["token"])
    with pytest.raises(SettingsError) as caught:
        load(WithSecret, [Layer({"token": ["hunter2"]}, str)], [])
    assert "hunter2" not in str(caught.value)
    assert "token" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("72h", 259_200),
        ("1h30m", 5_400),
        ("250ms", 0.25),
        (" 7 d ", 604_800),
        ("2.5s", 2.5),
        ("90", 90),
        (3, 3),
        (0.5, 0.5),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "5 parsecs", "1h-", "-5s", "nan", "inf", "1e400", None, True, [], "5s5"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "count"), [("16KiB", 16_384), ("256 mib", 2**28), ("1.5GiB", 3 * 2**29), ("512B", 512), ("7", 7), (9, 9)]
)
def test_sizes(text: object, count: int) -> None:
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["", "KiB", "16KB", "16 MB", "1.5", "0.3KiB", "-1", -1, 1.0, True, None])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        bytes_of(text)


@given(st.floats(min_value=0, max_value=1e9) | st.integers(0, 10**8).map(float))
def test_a_duration_is_read_back_as_it_was_written(seconds: float) -> None:
    assert math.isclose(seconds_of(as_duration(seconds)), seconds, rel_tol=0, abs_tol=0)


@given(st.integers(0, 2**50) | st.integers(0, 2**20).map(lambda count: count * 1024))
def test_a_size_is_read_back_as_it_was_written(count: int) -> None:
    assert bytes_of(as_size(count)) == count
