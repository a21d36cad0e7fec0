"""Where operators may sign in from, and what the settings may demand of them."""

from typing import Any

import pytest

from gateway import plan
from gateway.settings import SettingsError, load_settings


def settings(**given: Any) -> Any:
    return load_settings(None, {}, {name.replace("__", "."): value for name, value in given.items()}).settings


@pytest.mark.parametrize(
    ("given", "address", "secure"),
    [
        ({}, "127.0.0.1", True),
        ({}, "::1", True),
        ({}, "10.0.0.5", False),
        ({}, "unknown", False),
        ({"admin__insecure_ops": True}, "10.0.0.5", True),
        ({"public_url": "https://chat.example.org"}, "10.0.0.5", False),
        ({"public_url": "https://chat.example.org", "trusted_proxies": ("10.0.0.1",)}, "203.0.113.9", True),
        ({"public_url": "http://chat.example.org", "trusted_proxies": ("10.0.0.1",)}, "203.0.113.9", False),
    ],
)
def test_passwords_travel_only_where_nobody_can_listen(given: dict[str, Any], address: str, secure: bool) -> None:
    assert plan.is_secure(settings(**given), address) is secure


def test_only_grave_orders_can_wait_for_a_second_person() -> None:
    assert settings(admin__second_person=("room.evacuate",)).admin.second_person == ("room.evacuate",)
    with pytest.raises(SettingsError, match=r"room\.freeze"):
        settings(admin__second_person=("room.freeze",))


def test_the_operators_channel_has_origins_of_its_own() -> None:
    made = settings(allowed_origins=("https://fans.example.org",), admin__origins=("https://Ops.example.org/",))
    assert plan.admin_origins(made) == {"https://ops.example.org"}
    assert "https://ops.example.org" not in plan.origins(made)
