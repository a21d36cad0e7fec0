"""Crashes: only the child that crashed restarts, its mail waits for it, and too many crashes mean quarantine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import trio
from attrs import define, field, frozen
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.kernel import (
    Actor,
    ActorGone,
    Asks,
    Budget,
    CallbackFailed,
    Child,
    ChildCrashed,
    ChildQuarantined,
    ChildRestarted,
    ChildStopped,
    DeadReason,
    Inbox,
    Quarantined,
    Ref,
    Restart,
    State,
    SupervisionEvent,
    Supervisor,
)
from actors.kernel.child import CrashLedger


@frozen(eq=False)
class Say:
    text: str
    deaths: list[tuple[DeadReason, float]] = field(factory=list)

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        self.deaths.append((reason, retry_after_s))
        if self.text == "boom, and bitter":
            raise RuntimeError("how could you")


@frozen
class Last:
    asks: Asks[str]


Mail = Say | Last


@define
class Script:
    """What goes wrong, shared by all instances of one child."""

    log: list[str] = field(factory=list)
    farewells: list[BaseException | None] = field(factory=list)
    built: int = 0
    build_fails: int = 0
    start_fails: int = 0
    farewell_fails: bool = False
    task_fails: trio.Event | None = None


class Player(Actor[Mail]):
    def __init__(self, script: Script) -> None:
        self.script = script
        script.built += 1
        if script.build_fails > 0:
            script.build_fails -= 1
            raise OSError("build")

    async def started(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.script.start_fails > 0:
            self.script.start_fails -= 1
            raise OSError("started")

    def handle(self, message: Mail) -> None:
        match message:
            case Last(asks):
                asks.answer(self.script.log[-1])
            case Say(text):
                if text.startswith("boom"):
                    raise ValueError(text)
                self.script.log.append(text)

    def stopped(self, cause: BaseException | None) -> None:
        self.script.farewells.append(cause)
        if self.script.farewell_fails:
            raise RuntimeError("stopped")

    async def run(self, inbox: Inbox[Mail]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._task)
            await super().run(inbox)
            nursery.cancel_scope.cancel()

    async def _task(self) -> None:
        if self.script.task_fails is None:
            await trio.sleep_forever()
        else:
            await self.script.task_fails.wait()
            self.script.task_fails = None
            raise LookupError("task")


@define
class House:
    supervisor: Supervisor
    events: list[SupervisionEvent]
    script: Script = field(factory=Script)

    def start(self, name: str = "player:one", **options: object) -> Ref[Mail]:
        return self.supervisor.start(Child(name, lambda: Player(self.script), **options))  # type: ignore[arg-type]

    def state(self, name: str = "player:one") -> State:
        return self.supervisor.children[name].state

    def quarantines(self) -> list[float]:
        return [event.seconds for event in self.events if isinstance(event, ChildQuarantined)]


@pytest.fixture
async def house(nursery: trio.Nursery) -> House:
    events: list[SupervisionEvent] = []
    supervisor = Supervisor(events=events.append, jitter=lambda: 0.0)
    await nursery.start(supervisor.run)
    return House(supervisor, events)


async def settle() -> None:
    await wait_all_tasks_blocked()


async def crash(ref: Ref[Mail], times: int) -> None:
    for _ in range(times):
        ref.tell(Say("boom"))
        await settle()


async def test_crash_loses_just_the_poison_and_its_sender_is_told(house: House) -> None:
    ref = house.start()
    poison = Say("boom")
    for message in (Say("a"), poison, Say("b"), Say("c")):
        ref.tell(message)
    await settle()
    assert house.script.log == ["a", "b", "c"]
    assert poison.deaths == [(DeadReason.CRASHED, 0.0)]
    letters = house.supervisor.letters
    assert letters.by_reason == {DeadReason.CRASHED: 1}
    assert letters.by_kind == {("player", DeadReason.CRASHED): 1}
    assert [(letter.actor, letter.type_name) for letter in letters.recent] == [("player:one", "Say")]
    crashed, restarted = house.events
    assert isinstance(crashed, ChildCrashed)
    assert (crashed.name, repr(crashed.cause), crashed.restarts) == ("player:one", "ValueError('boom')", 0)
    assert restarted == ChildRestarted("player:one", 1)
    assert house.script.farewells == [crashed.cause]
    status = house.supervisor.children["player:one"]
    assert (status.state, status.restarts, status.last_exception) == (State.RUNNING, 1, "ValueError: boom")


async def test_poison_on_the_control_lane_loses_no_other_mail(house: House) -> None:
    """Both pumps may hold a message when one of them crashes: neither is lost, whichever ran first."""
    ref = house.start(budget=Budget(limit=1000))
    for number in range(100):
        await settle()  # both pumps are parked, so each is handed its message and wakes in a random order
        poison = Say("boom")
        ref.urge(poison)
        ref.tell(Say(f"data {number}"))
        ref.urge(Say(f"order {number}"))
        await settle()
        assert poison.deaths == [(DeadReason.CRASHED, 0.0)]
    assert house.script.log == [f"{lane} {number}" for number in range(100) for lane in ("order", "data")]


async def test_no_turn_begins_on_an_instance_that_crashed(house: House) -> None:
    """The data pump may be waking with mail in hand while the order beside it crashes."""
    ref = house.start(budget=Budget(limit=1000))
    lives: list[int] = []
    for number in range(100):
        await settle()
        poison = Say("boom")
        ref.urge(poison)
        ref.tell(Say(f"data {number}"))
        await settle()
        lives.append(house.script.built)
        assert poison.deaths == [(DeadReason.CRASHED, 0.0)]
    assert house.script.log == [f"data {number}" for number in range(100)]
    assert lives == list(range(2, 102))


async def test_order_that_a_crashing_turn_gave_itself_waits_for_the_next_instance(house: House) -> None:
    class Rash(Player):
        def handle(self, message: Mail) -> None:
            if message is poison:
                me.urge(Say(f"order of {self.script.built}"))
            super().handle(message)
            self.script.log.append(f"by {self.script.built}")

    poison = Say("boom")
    me = house.supervisor.start(Child("player:one", lambda: Rash(house.script)))
    await settle()
    me.tell(poison)
    await settle()
    assert poison.deaths == [(DeadReason.CRASHED, 0.0)]
    assert house.script.log == ["order of 1", "by 2"]


async def test_crash_loop_lets_others_run(house: House) -> None:
    house.script.build_fails = 100
    house.start(budget=Budget(limit=1000))
    for _ in range(10):
        await trio.lowlevel.checkpoint()
    assert 0 < house.script.built <= 10


async def test_poison_on_the_data_lane_loses_no_order(house: House) -> None:
    ref = house.start(budget=Budget(limit=1000))
    for number in range(100):
        await settle()
        ref.tell(Say("boom"))
        ref.urge(Say(f"order {number}"))
        await settle()
    assert house.script.log == [f"order {number}" for number in range(100)]


@pytest.mark.parametrize("where", ["build", "started", "task"])
async def test_crash_outside_a_turn_loses_no_mail(house: House, where: str) -> None:
    ready = trio.Event()
    match where:
        case "build":
            house.script.build_fails = 1
        case "started":
            house.script.start_fails = 1
        case _:
            house.script.task_fails = ready
    ref = house.start()
    ready.set()
    for text in "abc":
        ref.tell(Say(text))
    ref.urge(Say("order"))
    await settle()
    assert sorted(house.script.log) == ["a", "b", "c", "order"]
    assert house.supervisor.letters.by_reason == {}
    assert house.script.built == 2
    assert where in str(house.supervisor.children["player:one"].last_exception)
    assert len(house.script.farewells) == (0 if where == "build" else 1)
    assert [type(event) for event in house.events] == [ChildCrashed, ChildRestarted]


async def test_crash_in_stopped_is_reported_and_masks_nothing(house: House) -> None:
    house.script.farewell_fails = True
    ref = house.start()
    await crash(ref, 1)
    failed, crashed, _ = house.events
    assert isinstance(failed, CallbackFailed)
    assert (failed.callback, repr(failed.error)) == ("stopped", "RuntimeError('stopped')")
    assert isinstance(crashed, ChildCrashed)
    assert repr(crashed.cause) == "ValueError('boom')"
    house.events.clear()
    await house.supervisor.stop_and_wait("player:one")
    assert [type(event) for event in house.events] == [CallbackFailed, ChildStopped]


async def test_letter_that_raises_when_told_hurts_nobody(house: House) -> None:
    ref = house.start()
    ref.tell(Say("boom, and bitter"))
    ref.tell(Say("after"))
    await settle()
    assert house.script.log == ["after"]
    assert [type(event) for event in house.events] == [CallbackFailed, ChildCrashed, ChildRestarted]


async def test_events_callback_that_raises_kills_nothing(nursery: trio.Nursery) -> None:
    def broken(event: SupervisionEvent) -> None:
        raise RuntimeError("log disk full")

    supervisor = Supervisor(events=broken)
    await nursery.start(supervisor.run)
    script = Script()
    ref = supervisor.start(Child("player:one", lambda: Player(script)))
    for text in ("boom", "after"):
        ref.tell(Say(text))
    await settle()
    await supervisor.shutdown()
    assert script.log == ["after"]
    assert supervisor.failed_events == 3  # crashed, restarted, stopped


async def test_two_faults_at_once_are_both_named(house: House) -> None:
    class Twice(Actor[Mail]):
        async def run(self, inbox: Inbox[Mail]) -> None:
            raise ExceptionGroup("both", [ValueError("one"), KeyError("two")])

    house.supervisor.start(Child("twice", Twice, restart=Restart.NEVER))
    await settle()
    crashed, stopped = house.events
    assert isinstance(crashed, ChildCrashed)
    assert isinstance(crashed.cause, ExceptionGroup)
    assert [repr(error) for error in crashed.cause.exceptions] == ["ValueError('one')", "KeyError('two')"]
    assert stopped == ChildStopped("twice", crashed.cause)


@pytest.mark.parametrize(
    "wrap", [lambda error: error, lambda error: BaseExceptionGroup("", [error, ValueError("too")])]
)
async def test_keyboard_interrupt_is_no_fault_of_a_child(wrap: Callable[[BaseException], BaseException]) -> None:
    class Interrupted(Actor[Mail]):
        async def run(self, inbox: Inbox[Mail]) -> None:
            raise wrap(KeyboardInterrupt())

    events: list[SupervisionEvent] = []
    supervisor = Supervisor(events=events.append)
    supervisor.start(Child("interrupted", Interrupted))
    bystander = supervisor.start(Child("bystander", lambda: Player(Script())))
    with pytest.raises(BaseExceptionGroup) as caught:
        await supervisor.run()
    assert caught.group_contains(KeyboardInterrupt)
    assert not caught.group_contains(ValueError)
    assert not [event for event in events if isinstance(event, ChildRestarted)]
    assert bystander.closed


async def test_sibling_never_notices(house: House, autojump_clock: MockClock) -> None:
    bystander = Script()
    calm = house.supervisor.start(Child("player:two", lambda: Player(bystander)))
    ref = house.start()
    await crash(ref, 4)
    assert house.state() is State.QUARANTINED
    calm.tell(Say("fine"))
    assert await calm.ask(Last) == "fine"
    assert bystander.built == 1


@pytest.mark.parametrize(
    ("restart", "message", "built"),
    [
        (Restart.NEVER, "boom", 1),
        (Restart.NEVER, "leave", 1),
        (Restart.ON_CRASH, "boom", 2),
        (Restart.ON_CRASH, "leave", 1),
        (Restart.ALWAYS, "boom", 2),
        (Restart.ALWAYS, "leave", 2),
    ],
)
async def test_restart_rule(house: House, restart: Restart, message: str, built: int) -> None:
    class Leaver(Player):
        async def run(self, inbox: Inbox[Mail]) -> None:
            first = await inbox.data.receive()
            if isinstance(first, Say) and first.text == "leave":
                return
            inbox.turn(self.handle, first)

    ref = house.supervisor.start(Child("player:one", lambda: Leaver(house.script), restart=restart))
    ref.tell(Say(message))
    queued = Say("queued")
    ref.urge(queued)
    await settle()
    assert house.script.built == built
    assert house.state() is (State.STOPPED if built == 1 else State.RUNNING)
    assert queued.deaths == ([(DeadReason.STOPPED, 0.0)] if built == 1 else [])


async def test_question_put_off_hears_of_the_end_of_an_instance_that_left(
    house: House, autojump_clock: MockClock
) -> None:
    class Leaver(Actor[Last]):
        def handle(self, message: Last) -> None:
            pass

        async def run(self, inbox: Inbox[Last]) -> None:
            inbox.turn(self.handle, await inbox.data.receive())

    ref = house.supervisor.start(Child("leaver", Leaver, restart=Restart.ALWAYS))
    with trio.fail_after(1), pytest.raises(ActorGone):
        await ref.ask(Last)


async def test_fourth_crash_in_five_seconds_quarantines(house: House, autojump_clock: MockClock) -> None:
    ref = house.start()
    await crash(ref, 3)
    assert house.state() is State.RUNNING
    await crash(ref, 1)
    assert house.state() is State.QUARANTINED
    assert house.quarantines() == [30.0]
    assert house.script.built == 4


async def test_crashes_spread_out_are_forgiven(house: House, autojump_clock: MockClock) -> None:
    ref = house.start()
    for _ in range(20):
        await crash(ref, 1)
        await trio.sleep(1.7)  # three in any 5 s
    assert house.quarantines() == []
    assert house.script.built == 21


async def test_quarantine_buries_data_refuses_with_the_time_left_and_keeps_orders(
    house: House, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    house.script.start_fails = 4
    ref = house.start(capacity=2)
    queued, in_line = Say("queued"), Say("in line")
    ref.tell(queued)
    ref.tell(Say("queued too"))
    nursery.start_soon(ref.send, in_line)
    asked: list[Exception] = []

    async def ask() -> None:
        try:
            await ref.ask(Last)
        except Quarantined as error:
            asked.append(error)

    nursery.start_soon(ask)
    await settle()
    assert house.state() is State.QUARANTINED
    assert queued.deaths == in_line.deaths == [(DeadReason.QUARANTINED, 30.0)]
    assert house.supervisor.letters.by_reason == {DeadReason.QUARANTINED: 4}
    assert [error.retry_after_s for error in asked if isinstance(error, Quarantined)] == [30.0]
    ref.urge(Say("order"))
    assert not ref.closed
    await trio.sleep(10)
    for use in (ref.tell, ref.offer):
        with pytest.raises(Quarantined) as refused:
            use(Say("x"))
        assert refused.value.retry_after_s == pytest.approx(20)
    with pytest.raises(Quarantined):
        await ref.send(Say("x"))
    with pytest.raises(Quarantined):
        await ref.ask(Last)
    assert house.script.log == []
    await trio.sleep(20.1)
    assert house.state() is State.RUNNING
    assert house.script.log == ["order"]
    ref.tell(Say("again"))
    assert await ref.ask(Last) == "again"


async def test_quarantine_doubles_up_to_ten_minutes(house: House, autojump_clock: MockClock) -> None:
    house.script.start_fails = 10_000
    house.start()
    await trio.sleep(30 + 60 + 120 + 240 + 480 + 600 + 600 + 1)
    assert house.quarantines() == [30, 60, 120, 240, 480, 600, 600, 600]


async def test_healthy_life_resets_the_quarantine(house: House, autojump_clock: MockClock) -> None:
    ref = house.start()
    await crash(ref, 4)
    await trio.sleep(31)
    await crash(ref, 4)
    assert house.quarantines() == [30, 60]
    await trio.sleep(60 + 59)  # nearly as long as it sat
    await crash(ref, 4)
    assert house.quarantines() == [30, 60, 120]
    await trio.sleep(120 + 121)
    await crash(ref, 4)
    assert house.quarantines() == [30, 60, 120, 30]


def test_ledger_counts_within_its_window_and_starts_afresh_after_a_quarantine() -> None:
    ledger = CrashLedger(Budget(limit=1, seconds=10))
    assert ledger.crash(100) is None
    assert ledger.crash(110.1) is None
    assert ledger.crash(120) == 30
    assert ledger.crash(150) is None
    assert ledger.crash(151) == 60


def test_ledger_forgets_the_crashes_that_a_quarantine_paid_for() -> None:
    ledger = CrashLedger(Budget(limit=1, seconds=1000))
    assert ledger.crash(100) is None
    assert ledger.crash(101) == 30
    assert ledger.crash(132) is None


def test_ledger_measures_health_from_the_last_crash() -> None:
    ledger = CrashLedger(Budget(limit=1, seconds=5))
    assert ledger.crash(100) is None
    assert ledger.crash(100) == 30
    assert ledger.crash(130 + 20) is None
    assert ledger.crash(130 + 40) is None  # 40 s after its release, but 20 s after a crash
    assert ledger.crash(130 + 40) == 60


async def test_quarantines_are_spread_out_by_the_jitter(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    events: list[SupervisionEvent] = []
    supervisor = Supervisor(events=events.append, jitter=lambda: 0.5)
    await nursery.start(supervisor.run)
    supervisor.start(Child("player:one", lambda: Player(Script(start_fails=4))))
    await settle()
    assert isinstance(events[-1], ChildQuarantined)
    assert events[-1].seconds == pytest.approx(31.5)


async def test_restarted_child_keeps_the_order_of_a_long_queue_through_many_crashes(house: House) -> None:
    ref = house.start(capacity=2000, budget=Budget(limit=1000))
    for number in range(1000):
        ref.tell(Say("boom" if number % 7 == 3 else str(number)))
    await settle()
    assert house.script.log == [str(number) for number in range(1000) if number % 7 != 3]
    assert house.supervisor.letters.by_reason[DeadReason.CRASHED] == house.script.built - 1 == 143
    assert len(house.supervisor.letters.recent) == 100


async def test_cut_in_the_instant_of_a_crash_still_reports_the_crash(house: House) -> None:
    class Stubborn(Player):
        async def run(self, inbox: Inbox[Mail]) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                with contextlib.suppress(trio.EndOfChannel):
                    await inbox.data.receive()
                cut.cancel()
                raise ValueError("at the same time")

    cut = trio.CancelScope()
    events: list[SupervisionEvent] = []
    supervisor = Supervisor(events=events.append)
    ref = supervisor.start(Child("stubborn", lambda: Stubborn(house.script)))
    ref.tell(Say("x"))
    with cut:
        await supervisor.run()
    assert [type(event) for event in events] == [ChildCrashed, ChildStopped]
    assert ref.closed
