"""Two operators at the real server: a grave order waits, is refused, is agreed to, or the glass is broken."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import settings_of
from tests.page.operators import Desk
from tests.page.profiles import Profiles
from tests.page.test_real_server import RealHouse

pytestmark = pytest.mark.browser


def ask_for_staff_only(desk: Desk) -> None:
    order = desk.page.locator("#order")
    desk.page.locator("#ladder").get_by_role("button", name="Staff only").click()
    order.get_by_text("Somebody else has to agree within a minute.").wait_for()
    order.get_by_label("Reason").fill("raid")
    order.get_by_label("Type STAFF ONLY to confirm").fill("STAFF ONLY")
    order.get_by_role("button", name="Lockdown 1").click()
    desk.page.locator("#waiting", has_text="You wait for a second person").wait_for()


def level(desk: Desk, step: int) -> Any:
    return desk.page.locator("#ladder").locator(f"button[aria-pressed=true]:has-text('{step} ')")


def test_a_grave_order_waits_for_somebody_else(desk_profiles: Profiles, tmp_path: Path) -> None:
    password = "four unrelated words"
    with RealHouse(settings_of(tmp_path, event="North Fields", journal__durability="process")) as house:
        ana = Desk(desk_profiles, house, f"ops/setup#{house.setup_code}")
        ana.page.get_by_role("textbox", name="Operator").fill("ana")
        ana.page.get_by_label("Password", exact=True).fill(password)
        ana.page.get_by_label("The password again").fill(password)
        ana.button("Set up").click()
        ana.button("Owner").click()
        ana.button("Add").click()
        order = ana.page.locator("#order")
        order.get_by_label("Name to sign in with").fill("ben")
        order.get_by_label("Role").select_option("safety")
        order.get_by_label("Password").fill(password)
        order.get_by_label("Reason").fill("second shift")
        order.get_by_role("button", name="Add an operator").click()
        ana.page.locator("#operators-list", has_text="ben").wait_for()
        ben = Desk(desk_profiles, house)
        ben.sign_in(password, "ben")
        ben.page.get_by_text("ben, safety").wait_for()
        ana.button("House").click()

        ask_for_staff_only(ana)
        assert ana.button("Agree …").count() == 0, "nobody agrees with oneself"
        asked = ben.page.locator("#waiting", has_text="ana asks for a second person")
        asked.get_by_text("Lockdown 1: staff only").wait_for()
        asked.get_by_text("Reason: raid").wait_for()
        ben.button("Say no").click()
        ana.page.locator(".toast", has_text="ben said no").wait_for()
        ana.page.locator("#waiting").wait_for(state="hidden")
        ben.page.locator("#waiting").wait_for(state="hidden")
        level(ana, 5).wait_for()

        ask_for_staff_only(ana)
        ben.button("Agree …").click()
        agree = ben.page.locator("#order")
        agree.get_by_label("Type STAFF ONLY to confirm").fill("STAFF ONLY")
        agree.get_by_role("button", name="Agree", exact=True).click()
        ana.page.locator(".toast", has_text="ben agreed").wait_for()
        level(ana, 1).wait_for()
        ana.page.locator("#ladder").get_by_role("button", name="Normal").click()
        order.get_by_label("Reason").fill("calm again")
        order.get_by_role("button", name="Lockdown 5").click()
        level(ana, 5).wait_for()

        ask_for_staff_only(ana)
        ana.button("Break the glass").click()
        order.get_by_label("Reason").fill("nobody answers")
        order.get_by_label("Type BREAK GLASS to confirm").fill("BREAK GLASS")
        order.get_by_role("button", name="Break the glass").click()
        level(ana, 1).wait_for()
        ben.page.locator("#waiting").wait_for(state="hidden")
        ben.button("Activity").click()
        ben.page.locator("#feed [data-kind=fault]", has_text="ana broke the glass").wait_for()
        ana.button("Owner").click()
        ana.page.locator("#audit-list [data-result=break_glass]", has_text="house.lockdown").wait_for()
        ana.button("Verify").click()
        ana.page.get_by_text("The record is whole").wait_for()
        for each in (ana, ben):
            assert each.complaints == []
            each.put_away()
