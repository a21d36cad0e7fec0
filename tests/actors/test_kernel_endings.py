"""Stop, retire, shutdown, cancel: every ending is in order, and every letter is handled or buried, never both."""

from __future__ import annotations

import gc

import pytest
import trio
from attrs import define, field, frozen
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.kernel import (
    Actor,
    ActorGone,
    Asks,
    Budget,
    Child,
    ChildQuarantined,
    ChildStopped,
    DeadReason,
    DuplicateChild,
    Inbox,
    Quarantined,
    Ref,
    Restart,
    State,
    SupervisionEvent,
    Supervisor,
)


@frozen(eq=False)
class Job:
    number: int
    deaths: list[DeadReason] = field(factory=list)

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        self.deaths.append(reason)


@frozen
class Sum:
    asks: Asks[int]


Mail = Job | Sum


@define
class Diary:
    lines: list[str] = field(factory=list)
    done: list[int] = field(factory=list)


class Worker(Actor[Mail]):
    """Takes `slow` seconds to start and as long to finish after its last turn."""

    def __init__(self, name: str, diary: Diary, slow: float = 0.0) -> None:
        self.name = name
        self.diary = diary
        self.slow = slow

    async def started(self) -> None:
        await trio.sleep(self.slow)
        self.diary.lines.append(f"{self.name} started")

    def handle(self, message: Mail) -> None:
        match message:
            case Job(number):
                if number < 0:
                    raise ValueError("negative")
                self.diary.done.append(number)
            case Sum(asks):
                asks.answer(sum(self.diary.done))

    async def run(self, inbox: Inbox[Mail]) -> None:
        await super().run(inbox)
        await trio.sleep(self.slow)

    def stopped(self, cause: BaseException | None) -> None:
        self.diary.lines.append(f"{self.name} stopped by {type(cause).__name__}")


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
async def supervisor(nursery: trio.Nursery) -> Supervisor:
    made = Supervisor(jitter=lambda: 0.0)
    await nursery.start(made.run)
    return made


def worker(name: str, diary: Diary, slow: float = 0.0) -> Child[Mail]:
    return Child(name, lambda: Worker(name, diary, slow))


async def test_stop_drains_both_lanes_first(supervisor: Supervisor, diary: Diary, autojump_clock: MockClock) -> None:
    ref = supervisor.start(worker("a", diary, slow=1))
    for number in range(100):
        ref.tell(Job(number))
    supervisor.stop("a")
    supervisor.stop("a")  # twice is once
    supervisor.stop("nobody")
    with pytest.raises(ActorGone):
        ref.tell(Job(0))
    ref.urge(Job(1000))
    await supervisor.stop_and_wait("a")
    assert diary.done == [1000, *range(100)]
    assert diary.lines == ["a started", "a stopped by NoneType"]
    assert supervisor.letters.by_reason == {}
    assert supervisor.children["a"].state is State.STOPPED


async def test_stop_drains_a_long_control_lane(supervisor: Supervisor, diary: Diary) -> None:
    ref = supervisor.start(worker("a", diary))
    for number in range(500):
        ref.urge(Job(number))
    await supervisor.stop_and_wait("a")
    assert diary.done == list(range(500))


async def test_child_that_always_restarts_stops_when_told(supervisor: Supervisor, diary: Diary) -> None:
    supervisor.start(Child("a", lambda: Worker("a", diary), restart=Restart.ALWAYS))
    await wait_all_tasks_blocked()
    await supervisor.stop_and_wait("a")
    assert diary.lines == ["a started", "a stopped by NoneType"]


async def test_too_many_crashes_while_draining_end_the_child(nursery: trio.Nursery, diary: Diary) -> None:
    events: list[SupervisionEvent] = []
    supervisor = Supervisor(events=events.append)
    await nursery.start(supervisor.run)
    ref = supervisor.start(worker("a", diary))
    jobs = [Job(-1) for _ in range(6)]
    for job in jobs:
        ref.tell(job)
    await supervisor.stop_and_wait("a")
    assert [job.deaths for job in jobs] == [[DeadReason.CRASHED]] * 4 + [[DeadReason.STOPPED]] * 2
    assert not [event for event in events if isinstance(event, ChildQuarantined)]
    assert isinstance(events[-1], ChildStopped)
    assert repr(events[-1].cause) == "ValueError('negative')"


async def test_old_crash_is_not_blamed_for_a_cut(
    nursery: trio.Nursery, diary: Diary, autojump_clock: MockClock
) -> None:
    events: list[SupervisionEvent] = []
    supervisor = Supervisor(events=events.append)
    await nursery.start(supervisor.run)
    ref = supervisor.start(worker("a", diary, slow=10))
    ref.tell(Job(-1))
    await trio.sleep(15)  # the second life is starting
    with trio.move_on_after(1):
        await supervisor.stop_and_wait("a")
    assert events[-1] == ChildStopped("a", None)


async def test_heir_that_is_cut_before_its_time_is_never_built(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    supervisor.start(worker("a", diary, slow=60))
    supervisor.stop("a")
    supervisor.start(worker("a", diary))
    await wait_all_tasks_blocked()
    with trio.move_on_after(1):
        await supervisor.shutdown()
    assert diary.lines == ["a stopped by Cancelled"]


async def test_crash_while_draining_drains_on(supervisor: Supervisor, diary: Diary) -> None:
    ref = supervisor.start(worker("a", diary))
    for number in (1, -1, 2):
        ref.tell(Job(number))
    await supervisor.stop_and_wait("a")
    assert diary.done == [1, 2]
    assert diary.lines == ["a started", "a stopped by ValueError", "a started", "a stopped by NoneType"]


async def test_stop_and_wait_cuts_the_child_when_time_is_up(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    ref = supervisor.start(worker("a", diary, slow=60))
    job, order = Job(1), Job(2)
    ref.tell(job)
    ref.urge(order)
    with trio.move_on_after(5) as scope:
        await supervisor.stop_and_wait("a")
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(5)
    assert diary.lines == ["a stopped by Cancelled"]
    assert job.deaths == order.deaths == [DeadReason.STOPPED]
    assert supervisor.children["a"].state is State.STOPPED


async def test_quarantined_child_stops_at_once_and_buries_its_orders(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    ref = supervisor.start(worker("a", diary))
    for _ in range(4):
        ref.tell(Job(-1))
    await wait_all_tasks_blocked()
    assert supervisor.children["a"].state is State.QUARANTINED
    order = Job(1)
    ref.urge(order)
    supervisor.stop("a")
    assert not supervisor.retire("a")
    await supervisor.stop_and_wait("a")
    assert trio.current_time() == 0
    assert order.deaths == [DeadReason.STOPPED]
    with pytest.raises(ActorGone) as refused:
        ref.tell(Job(1))
    assert not isinstance(refused.value, Quarantined)


async def test_stop_in_the_instant_a_quarantine_ends_stays_a_stop(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    ref = supervisor.start(worker("a", diary))
    for _ in range(4):
        ref.tell(Job(-1))
    await wait_all_tasks_blocked()
    for _ in range(20):
        await trio.sleep_until(30)
        supervisor.stop("a")
    with pytest.raises(ActorGone):
        ref.offer(Job(1))
    await wait_all_tasks_blocked()
    assert supervisor.children["a"].state is State.STOPPED


async def test_retire_needs_empty_lanes_and_idle_hands(supervisor: Supervisor, diary: Diary) -> None:
    ref = supervisor.start(worker("a", diary))
    assert not supervisor.retire("a")  # still starting
    await wait_all_tasks_blocked()
    for put in (ref.tell, ref.urge):
        put(Job(1))  # goes straight into the hands of a parked pump: the lane looks empty
        assert ref.depth == 0
        assert not supervisor.retire("a")
        await wait_all_tasks_blocked()
    assert diary.done == [1, 1]
    assert supervisor.retire("a")
    for use in (ref.tell, ref.offer, ref.urge):
        with pytest.raises(ActorGone):
            use(Job(2))
    assert not supervisor.retire("a")
    assert not supervisor.retire("nobody")
    await wait_all_tasks_blocked()
    assert diary.lines == ["a started", "a stopped by NoneType"]
    assert supervisor.letters.by_reason == {}


async def test_retire_while_posting_handles_all_or_refuses(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    """Whatever the interleaving: a job that was accepted is done, one that was not heard ActorGone."""
    accepted: list[int] = []
    for round_number in range(50):
        ref = supervisor.start(worker("a", diary))
        retired = trio.Event()

        async def post(ref: Ref[Mail] = ref, base: int = round_number * 1000) -> None:
            for number in range(base, base + 1000):
                try:
                    ref.tell(Job(number))
                except ActorGone:
                    return
                accepted.append(number)
                for _ in range(number % 5):
                    await trio.lowlevel.checkpoint()

        async def retire(done: trio.Event = retired) -> None:
            while not supervisor.retire("a"):
                await trio.lowlevel.checkpoint()
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(post)
            nursery.start_soon(retire)
        assert retired.is_set()
    await wait_all_tasks_blocked()
    assert diary.done == accepted
    assert supervisor.letters.by_reason == {}


async def test_quarantined_child_without_orders_may_retire(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    ref = supervisor.start(worker("a", diary))
    for _ in range(4):
        ref.tell(Job(-1))
    await wait_all_tasks_blocked()
    ref.urge(Job(1))
    assert not supervisor.retire("a")
    await trio.sleep(31)
    assert diary.done == [1]
    for _ in range(4):
        ref.tell(Job(-1))
    await wait_all_tasks_blocked()
    assert supervisor.retire("a")
    assert not supervisor.retire("a")
    await wait_all_tasks_blocked()
    assert supervisor.children["a"].state is State.STOPPED


async def test_living_name_is_refused_and_a_leaving_one_is_succeeded_in_order(
    supervisor: Supervisor, diary: Diary, autojump_clock: MockClock
) -> None:
    supervisor.start(worker("a", diary, slow=1))
    with pytest.raises(DuplicateChild):
        supervisor.start(worker("a", diary))
    supervisor.stop("a")
    heir = supervisor.start(worker("a", diary))
    heir.tell(Job(7))
    assert await heir.ask(Sum) == 7
    assert diary.lines == ["a started", "a stopped by NoneType", "a started"]
    assert supervisor.children["a"].state is State.RUNNING


async def test_table_keeps_a_bounded_number_of_the_dead(supervisor: Supervisor, diary: Diary) -> None:
    for number in range(150):
        supervisor.start(worker(f"w{number}", diary))
        supervisor.stop(f"w{number}")
    alive = supervisor.start(worker("alive", diary))
    await wait_all_tasks_blocked()
    assert not alive.closed
    assert len(supervisor.children) == 101
    assert supervisor.children["alive"].state is State.RUNNING


async def test_shutdown_stops_in_reverse_start_order_each_drained(
    diary: Diary, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stopped: list[SupervisionEvent] = []
    supervisor = Supervisor(events=stopped.append)
    over = trio.Event()

    async def run() -> None:
        await supervisor.run()
        over.set()

    refs = [supervisor.start(worker(name, diary, slow=1)) for name in "abc"]
    nursery.start_soon(run)
    for number, ref in enumerate(refs):
        ref.tell(Job(number))
    await wait_all_tasks_blocked()
    with trio.fail_after(30):
        await supervisor.shutdown()
        await over.wait()
    assert sorted(diary.lines[:3]) == ["a started", "b started", "c started"]
    assert diary.lines[3:] == [f"{name} stopped by NoneType" for name in "cba"]
    assert stopped == [ChildStopped(name, None) for name in "cba"]
    assert sorted(diary.done) == [0, 1, 2]
    with pytest.raises(ActorGone):
        supervisor.start(worker("late", diary))


async def test_shutdown_cuts_who_is_left_when_the_deadline_comes(
    diary: Diary, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    supervisor = Supervisor()
    over = trio.Event()

    async def run() -> None:
        await supervisor.run()
        over.set()

    supervisor.start(worker("quick", diary))
    slow = supervisor.start(worker("slow", diary, slow=100))
    supervisor.start(worker("last", diary))
    job = Job(1)
    slow.tell(job)
    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    with trio.move_on_after(10) as deadline:
        await supervisor.shutdown()
    assert deadline.cancelled_caught
    assert trio.current_time() == pytest.approx(10)
    await wait_all_tasks_blocked()
    assert over.is_set()
    assert job.deaths == [DeadReason.STOPPED]
    assert sorted(diary.lines[2:]) == [
        "last stopped by NoneType",
        "quick stopped by Cancelled",
        "slow stopped by Cancelled",
    ]


async def test_child_that_will_not_go_does_not_hold_the_shutdown(
    diary: Diary, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    class Stubborn(Worker):
        async def run(self, inbox: Inbox[Mail]) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(50)

    supervisor = Supervisor()
    await nursery.start(supervisor.run)
    supervisor.start(Child("stubborn", lambda: Stubborn("stubborn", diary)))
    await wait_all_tasks_blocked()
    with trio.move_on_after(10):
        await supervisor.shutdown()
    assert trio.current_time() == pytest.approx(11)  # its second of grace


async def test_supervisor_that_never_ran_buries_its_mail(diary: Diary, autojump_clock: MockClock) -> None:
    supervisor = Supervisor()
    ref = supervisor.start(worker("a", diary))
    job = Job(1)
    ref.tell(job)
    with trio.fail_after(1):
        await supervisor.shutdown()
        await supervisor.run()
    assert job.deaths == [DeadReason.STOPPED]
    assert diary.lines == []


async def test_cancelled_run_says_goodbye_and_buries(diary: Diary) -> None:
    supervisor = Supervisor()
    ref = supervisor.start(worker("a", diary, slow=1))
    job = Job(1)
    ref.tell(job)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert diary.lines == ["a stopped by Cancelled"]
    assert job.deaths == [DeadReason.STOPPED]
    with pytest.raises(ActorGone):
        supervisor.start(worker("b", diary))


async def test_cancel_at_every_checkpoint_handles_or_buries_each_letter_once(diary: Diary) -> None:
    for checkpoints in range(60):
        supervisor = Supervisor()
        ref = supervisor.start(Child("a", lambda: Worker("a", diary), capacity=1000, budget=Budget(limit=1000)))
        jobs = [Job(number if number % 50 else -1) for number in range(300)]
        diary.done.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            for job in jobs[:200]:
                ref.tell(job)
            for job in jobs[200:250]:
                ref.urge(job)
            for number in range(checkpoints):
                if number < 50:
                    (ref.urge if number % 2 else ref.offer)(jobs[250 + number])
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        posted = jobs[: 250 + min(checkpoints, 50)]
        dead = [job for job in posted if job.deaths]
        assert all(len(job.deaths) == 1 for job in dead)
        handled = [job.number for job in posted if not job.deaths]
        assert sorted(diary.done) == sorted(handled)


async def test_nothing_is_left_open(diary: Diary) -> None:
    """An unclosed channel would warn when it is collected, and warnings are errors."""
    supervisor = Supervisor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        ref = supervisor.start(worker("a", diary))
        ref.tell(Job(-1))
        await wait_all_tasks_blocked()
        await supervisor.shutdown()
    channels = [ref._send, ref._control]
    assert [channel.statistics().open_receive_channels for channel in channels] == [0, 0]
    assert [channel.statistics().open_send_channels for channel in channels] == [0, 0]
    del ref, supervisor, channels
    gc.collect()
