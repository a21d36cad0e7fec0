"""Where operators may sign in from, and what the settings may demand of them."""

from typing import Any

import pytest

from gateway import plan
from gateway.settings import SettingsError, load_settings


def settings(**given: Any) -> Any:
    return load_settings(None, {}, {name.replace("__", "."): value for name, value in given.items()}).settings


PROXY = {"trusted_proxies": ("10.0.0.1",)}


@pytest.mark.parametrize(
    ("given", "address", "proxied", "secure"),
    [
        ({}, "127.0.0.1", False, True),
        ({}, "::1", False, True),
        ({}, "10.0.0.5", False, False),
        ({}, "unknown", False, False),
        ({"admin__insecure_ops": True}, "10.0.0.5", False, True),
        ({"public_url": "https://chat.example.org"}, "10.0.0.5", False, False),
        (PROXY | {"public_url": "https://chat.example.org"}, "203.0.113.9", True, True),
        (PROXY | {"public_url": "http://chat.example.org"}, "203.0.113.9", True, False),
        # Somebody who typed the server's own address, past the proxy.
        (PROXY | {"public_url": "https://chat.example.org"}, "192.168.1.77", False, False),
    ],
)
def test_passwords_travel_only_where_nobody_can_listen(
    given: dict[str, Any], address: str, proxied: bool, secure: bool
) -> None:
    assert plan.is_secure(settings(**given), address, proxied=proxied) is secure


def test_only_grave_orders_can_wait_for_a_second_person() -> None:
    assert settings(admin__second_person=("room.evacuate",)).admin.second_person == ("room.evacuate",)
    with pytest.raises(SettingsError, match=r"room\.freeze"):
        settings(admin__second_person=("room.freeze",))


def test_the_operators_channel_has_origins_of_its_own() -> None:
    made = settings(allowed_origins=("https://fans.example.org",), admin__origins=("https://Ops.example.org/",))
    assert plan.admin_origins(made) == {"https://ops.example.org"}
    assert "https://ops.example.org" not in plan.origins(made)


def test_rooms_expire_when_the_settings_say_and_not_within_the_day_that_is_unsure() -> None:
    assert plan.room_rules(settings()).expire_after_s == 30 * 86_400
    assert plan.room_rules(settings(rooms__expire="5d")).expire_after_s == 5 * 86_400
    with pytest.raises(SettingsError, match=r"rooms\.expire.*172800"):
        settings(rooms__expire="1d")
