"""Addresses, lanes and questions: what a sender may rely on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import trio
from attrs import field, frozen
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.kernel import (
    Actor,
    ActorCrashed,
    ActorGone,
    Asks,
    Child,
    DeadReason,
    Inbox,
    MailboxFull,
    Ref,
    Supervisor,
)


@frozen
class Note:
    text: str


@frozen
class Order:
    text: str


@frozen
class Boom:
    """Crashes whoever handles it."""


@frozen
class Count:
    asks: Asks[int]


@frozen
class Later:
    asks: Asks[str]


@frozen
class Watched:
    """A letter that notes its own death."""

    deaths: list[tuple[DeadReason, float]] = field(factory=list)

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        self.deaths.append((reason, retry_after_s))


Mail = Note | Order | Boom | Count | Later | Watched


class Scribe(Actor[Mail]):
    """Writes down what it handles; the log outlives its instances. Starts once the gate is open."""

    def __init__(self, log: list[str], gate: trio.Event | None = None) -> None:
        self.log = log
        self.gate = gate
        self.put_off: list[Asks[str]] = []

    async def started(self) -> None:
        if self.gate is not None:
            await self.gate.wait()

    def handle(self, message: Mail) -> None:
        match message:
            case Note(text) | Order(text):
                self.log.append(text)
            case Boom():
                raise ValueError("boom")
            case Count(asks):
                asks.answer(len(self.log))
            case Later(asks):
                self.put_off.append(asks)
                self.log.append("later")
            case Watched():
                self.log.append("watched")


@pytest.fixture
async def supervisor(nursery: trio.Nursery) -> Supervisor:
    made = Supervisor(jitter=lambda: 0.0)
    await nursery.start(made.run)
    return made


def scribe(log: list[str], gate: trio.Event | None = None, **options: int) -> Child[Mail]:
    return Child("scribe:one", lambda: Scribe(log, gate), **options)  # type: ignore[arg-type]


async def test_mail_is_handled_in_order_and_questions_are_answered(supervisor: Supervisor) -> None:
    log: list[str] = []
    ref = supervisor.start(scribe(log))
    for number in range(200):
        ref.tell(Note(str(number)))
    assert ref.depth == 200
    assert await ref.ask(Count) == 200
    assert log == [str(number) for number in range(200)]
    assert ref.depth == 0


async def test_full_lane_refuses_tell_and_offer_and_keeps_what_it_has(supervisor: Supervisor) -> None:
    log: list[str] = []
    ref = supervisor.start(scribe(log, trio.Event(), capacity=2, control_capacity=1))
    await wait_all_tasks_blocked()
    assert ref.offer(Note("a"))
    ref.tell(Note("b"))
    assert not ref.offer(Note("c"))
    with pytest.raises(MailboxFull):
        ref.tell(Note("c"))
    ref.urge(Order("stop"))
    with pytest.raises(MailboxFull):
        ref.urge(Order("stop again"))
    assert (ref.depth, ref.capacity) == (2, 2)


async def test_waiting_senders_are_served_first_come_first_served(supervisor: Supervisor) -> None:
    log: list[str] = []
    gate = trio.Event()
    ref = supervisor.start(scribe(log, gate, capacity=1))
    ref.tell(Note("0"))
    async with trio.open_nursery() as senders:
        for number in range(1, 30):
            senders.start_soon(ref.send, Note(str(number)))
            await wait_all_tasks_blocked()
        assert not ref.offer(Note("pushes in"))
        gate.set()
    await ref.ask(Count)
    assert log == [str(number) for number in range(30)]


async def test_cancelled_sender_in_line_was_not_accepted(supervisor: Supervisor, autojump_clock: MockClock) -> None:
    log: list[str] = []
    gate = trio.Event()
    ref = supervisor.start(scribe(log, gate, capacity=1))
    ref.tell(Note("in"))
    with trio.move_on_after(1) as scope:
        await ref.send(Note("gave up"))
    assert scope.cancelled_caught
    gate.set()
    assert await ref.ask(Count) == 1


async def test_order_overtakes_a_flood_that_is_queued(supervisor: Supervisor) -> None:
    log: list[str] = []
    gate = trio.Event()
    ref = supervisor.start(scribe(log, gate, capacity=5000))
    for number in range(5000):
        ref.tell(Note(str(number)))
    ref.urge(Order("freeze"))
    ref.urge(Order("thaw"))
    gate.set()
    assert await ref.ask(Count, urgent=True) == 2
    assert log[:2] == ["freeze", "thaw"]
    await ref.ask(Count)
    assert log[2:] == [str(number) for number in range(5000)]


async def test_order_during_a_flood_waits_for_one_batch_at_most(supervisor: Supervisor) -> None:
    """A waking control pump and a busy data pump are in the same scheduler batch in random order: many rounds."""
    log: list[str] = []
    ref = supervisor.start(scribe(log, capacity=50_000))
    for number in range(50_000):
        ref.tell(Note(str(number)))
    for _ in range(100):
        before = len(log)
        ref.urge(Order("freeze"))
        ref.urge(Order("thaw"))
        while "thaw" not in log[before:]:
            assert len(log) - before <= 64
            await trio.lowlevel.checkpoint()
        mine = log[before:]
        assert mine[0] == "freeze"
        assert mine[1] == "thaw"


class Echoing(Actor[Mail]):
    """Urges itself from a data turn."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.me: Ref[Mail] | None = None

    def handle(self, message: Mail) -> None:
        assert isinstance(message, Note | Order)
        self.log.append(message.text)
        if isinstance(message, Note):
            assert self.me is not None
            self.me.urge(Order(f"order {message.text}"))


async def test_order_given_by_a_data_turn_comes_before_the_next_data_turn(supervisor: Supervisor) -> None:
    log: list[str] = []
    actor = Echoing(log)
    actor.me = supervisor.start(Child("echo", lambda: actor))
    for text in "abc":
        actor.me.tell(Note(text))
    await wait_all_tasks_blocked()
    assert log == ["a", "order a", "b", "order b", "c", "order c"]


async def test_flooded_actor_lets_others_run_every_64_turns(supervisor: Supervisor) -> None:
    log: list[str] = []
    ref = supervisor.start(scribe(log, capacity=1000))
    for number in range(1000):
        ref.tell(Note(str(number)))
    seen = [0]
    while seen[-1] < 1000:
        await trio.lowlevel.checkpoint()
        seen.append(len(log))
    assert max(after - before for before, after in pairwise(seen)) <= 128


async def test_ask_hears_the_crash_of_its_own_turn(supervisor: Supervisor, autojump_clock: MockClock) -> None:
    class Fragile(Actor[Count]):
        def handle(self, message: Count) -> None:
            raise ValueError("no idea")

    ref = supervisor.start(Child("fragile", Fragile))
    with trio.fail_after(1), pytest.raises(ActorCrashed):
        await ref.ask(Count)


async def test_question_put_off_dies_with_the_instance_and_queued_one_lives(
    supervisor: Supervisor, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    log: list[str] = []
    heard: list[str] = []
    ref = supervisor.start(scribe(log))

    async def ask_later() -> None:
        with pytest.raises(ActorCrashed):
            await ref.ask(Later)
        heard.append("crashed")

    async def ask_count() -> None:
        count = await ref.ask(Count)
        heard.append(f"count {count}")

    nursery.start_soon(ask_later)
    await wait_all_tasks_blocked()
    assert log == ["later"]
    ref.tell(Boom())
    nursery.start_soon(ask_count)
    await wait_all_tasks_blocked()
    assert sorted(heard) == ["count 1", "crashed"]


@pytest.mark.parametrize("ending", ["stop", "shutdown"])
@pytest.mark.parametrize("make", [Later, Count])
async def test_no_ask_hangs_on_an_ordered_end(
    supervisor: Supervisor, autojump_clock: MockClock, nursery: trio.Nursery, ending: str, make: Callable[..., Mail]
) -> None:
    log: list[str] = []
    gate = trio.Event()
    ref = supervisor.start(scribe(log, gate, capacity=1))
    outcomes: list[str] = []

    async def ask() -> None:
        try:
            outcomes.append(f"answer {await ref.ask(make)}")
        except ActorGone as gone:
            outcomes.append(type(gone).__name__)

    for _ in range(3):  # one in the lane, two in line
        nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    with trio.fail_after(5):
        supervisor.stop("scribe:one")
        gate.set()
        if ending == "stop":
            await supervisor.stop_and_wait("scribe:one")
        else:
            await supervisor.shutdown()
    await wait_all_tasks_blocked()
    assert sorted(outcomes) == sorted(["answer 0" if make is Count else "ActorGone", "ActorGone", "ActorGone"])


async def test_unanswered_question_without_the_conventional_field_is_refused_at_the_end(
    supervisor: Supervisor, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    @frozen
    class Odd:
        reply_here: Asks[int]

    class Silent(Actor[Odd]):
        def handle(self, message: Odd) -> None:
            pass

    ref = supervisor.start(Child("silent", Silent))
    outcomes: list[type[Exception]] = []

    async def ask() -> None:
        try:
            await ref.ask(Odd)
        except ActorGone as gone:
            outcomes.append(type(gone))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    await supervisor.stop_and_wait("silent")
    await wait_all_tasks_blocked()
    assert outcomes == [ActorGone]


async def test_question_sent_by_hand_is_refused_when_the_actor_stops(
    supervisor: Supervisor, autojump_clock: MockClock
) -> None:
    ref = supervisor.start(scribe([]))
    asks: Asks[str] = Asks()
    ref.tell(Later(asks))
    await wait_all_tasks_blocked()
    assert not asks.settled
    supervisor.stop("scribe:one")
    with trio.fail_after(1), pytest.raises(ActorGone):
        await asks.wait()


async def test_question_is_settled_once_and_by_the_first() -> None:
    asks: Asks[int] = Asks()
    assert asks.answer(1)
    assert not asks.answer(2)
    assert not asks.refuse(ValueError())
    assert await asks.wait() == 1
    refused: Asks[int] = Asks()
    assert refused.refuse(ValueError("no"))
    assert not refused.answer(3)
    with pytest.raises(ValueError, match="no"):
        await refused.wait()


async def test_answer_to_an_asker_that_left_is_ignored(supervisor: Supervisor, autojump_clock: MockClock) -> None:
    actor = Scribe([])
    ref = supervisor.start(Child("scribe:one", lambda: actor))
    with trio.move_on_after(1):
        await ref.ask(Later)
    assert actor.put_off[0].settled
    assert not actor.put_off[0].answer("too late")
    assert await ref.ask(Count) == 1
    assert ref._waiting == set()  # neither the asker that left nor the one that was answered is kept


async def test_question_put_off_is_refused_when_the_actor_is_cut(
    supervisor: Supervisor, autojump_clock: MockClock
) -> None:
    class Lingering(Scribe):
        async def run(self, inbox: Inbox[Mail]) -> None:
            await super().run(inbox)
            await trio.sleep_forever()

    ref = supervisor.start(Child("scribe:one", lambda: Lingering([])))
    asks: Asks[str] = Asks()
    ref.tell(Later(asks))
    with trio.move_on_after(1):
        await supervisor.stop_and_wait("scribe:one")
    with trio.fail_after(1), pytest.raises(ActorGone):
        await asks.wait()


async def test_ref_used_after_stop_says_so_in_every_way(supervisor: Supervisor, autojump_clock: MockClock) -> None:
    ref = supervisor.start(scribe([]))
    assert not ref.closed
    await supervisor.stop_and_wait("scribe:one")
    assert ref.closed
    assert ref.depth == 0
    for use in (ref.tell, ref.offer, ref.urge):
        with pytest.raises(ActorGone):
            use(Note("x"))
    with pytest.raises(ActorGone):
        await ref.send(Note("x"))
    for urgent in (False, True):
        with pytest.raises(ActorGone):
            await ref.ask(Count, urgent=urgent)


async def test_sender_in_line_hears_of_the_order_to_stop(
    supervisor: Supervisor, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    log: list[str] = []
    gate = trio.Event()
    ref = supervisor.start(scribe(log, gate, capacity=1))
    ref.tell(Note("accepted"))
    heard: list[str] = []

    async def send() -> None:
        with pytest.raises(ActorGone):
            await ref.send(Note("in line"))
        heard.append("gone")

    nursery.start_soon(send)
    await wait_all_tasks_blocked()
    supervisor.stop("scribe:one")
    await wait_all_tasks_blocked()
    assert heard == ["gone"]
    ref.urge(Order("still heard"))
    gate.set()
    await supervisor.stop_and_wait("scribe:one")
    assert sorted(log) == ["accepted", "still heard"]


async def test_inbox_serves_an_actor_without_a_supervisor() -> None:
    for _ in range(30):  # the pumps begin in random order
        log: list[str] = []
        control_in, control = trio.open_memory_channel[Mail](4)
        data_in, data = trio.open_memory_channel[Mail](4)
        with control_in, data_in, control, data:
            data_in.send_nowait(Note("a"))
            control_in.send_nowait(Order("b"))
            data_in.close()
            inbox = Inbox(control, data)
            await Scribe(log).run(inbox)
            assert sorted(log) == ["a", "b"]


async def test_inbox_knows_the_message_whose_turn_raised() -> None:
    control_in, control = trio.open_memory_channel[Mail](0)
    data_in, data = trio.open_memory_channel[Mail](0)
    with control_in, data_in, control, data:
        inbox = Inbox(control, data)
        inbox.turn(Scribe([]).handle, Note("a"))
        assert inbox.current is None
        with pytest.raises(ValueError, match="boom"):
            inbox.turn(Scribe([]).handle, Boom())
        assert inbox.current == Boom()


async def test_questions_put_off_and_answered_are_not_kept(supervisor: Supervisor) -> None:
    control_in, control = trio.open_memory_channel[Mail](1)
    data_in, data = trio.open_memory_channel[Mail](1)
    with control_in, data_in, control, data:
        inbox = Inbox(control, data)
        actor = Scribe([])
        for _ in range(10_000):
            inbox.turn(actor.handle, Later(Asks()))
            actor.put_off.pop().answer("done")
        assert len(inbox._unanswered) < 100
        assert inbox.unanswered() == []
