"""People for `serve --demo`: a handful of bots who talk about a festival at a human pace, and answer when spoken to.

They are ordinary clients. Bounded: one line at a time in all rooms together from the conductor, at most
`ANSWERS_WAITING` answers being thought about, and nothing is said while the server is away."""

import random
import re
from collections.abc import Sequence
from typing import Literal

import trio
from attrs import define, field

from bandstand.client import Alert, BandstandError, Client, Message, Refused, Room, SessionOver, TakenOut, connect
from bandstand.demo_lines import ANSWERS, CHATTER, FALLBACK, PEOPLE

BETWEEN_LINES_SECONDS = (5.0, 16.0)
WARMING_UP_SECONDS = (0.5, 2.0)
WARMING_UP_LINES = 9
"""Quicker at first, so that whoever looks in does not find empty rooms."""
ANSWERS_WAITING = 4
HEEDING_SECONDS = (0.3, 4.0)
"""Between an alert and each thing that somebody does about it."""
Receipt = Literal["received", "seen", "acknowledged"]
COME_BACK_SECONDS = 30.0
"""After the server has sent a bot away, or a room has."""
TYPED_CHARACTERS_PER_S = 18.0


@define
class Troupe:
    dice: random.Random
    pace: float
    rooms: dict[tuple[str, str], Room] = field(factory=dict)
    """By bot and room, of those that are there now."""
    members: set[str] = field(factory=set)
    """The bots themselves: they do not answer each other for ever."""
    thinking: int = 0


async def run_bots(url: str, rooms: Sequence[str], *, pace: float = 1.0, dice: random.Random | None = None) -> None:
    """Runs until cancelled, whatever the server does. `pace`: 2 = twice as fast."""
    troupe = Troupe(dice or random.Random(), pace)  # noqa: S311
    async with trio.open_nursery() as nursery:
        for name in PEOPLE:
            nursery.start_soon(_live, troupe, url, name, tuple(rooms))
        nursery.start_soon(_conduct, troupe, tuple(rooms))


async def _live(troupe: Troupe, url: str, name: str, rooms: tuple[str, ...]) -> None:
    token: str | None = None
    while True:
        try:
            async with connect(url, nickname=None if token else name, token=token, patient=True) as client:
                token = client.token
                troupe.members.add(client.member)
                await _attend(troupe, client, name, rooms)
        except BandstandError as ended:
            # Who was banned is banned, and does not come in as somebody new.
            if _unknown_here(ended):
                token = None
        finally:
            for key in [key for key in troupe.rooms if key[0] == name]:
                del troupe.rooms[key]
        await trio.sleep(COME_BACK_SECONDS)


def _unknown_here(ended: BandstandError) -> bool:
    """The token is not good any more, whether that was said at the door or later."""
    match ended:
        case Refused(code="unauthorized") | SessionOver(code=4401):
            return True
        case _:
            return False


async def _attend(troupe: Troupe, client: Client, name: str, rooms: tuple[str, ...]) -> None:
    over: BandstandError | None = None
    async with trio.open_nursery() as nursery:
        try:
            nursery.start_soon(_stay, troupe, client, name, rooms)
            await _overhear(troupe, client, name, nursery)
        except BandstandError as ended:
            over = ended
        nursery.cancel_scope.cancel()
    if over is not None:
        raise over


async def _stay(troupe: Troupe, client: Client, name: str, rooms: tuple[str, ...]) -> None:
    """In all its rooms; who was put out of one, or sent elsewhere, looks whether the doors are open again."""
    while True:
        for wanted in rooms:
            await _enter(troupe, client, name, wanted)
        await trio.sleep(COME_BACK_SECONDS)


async def _enter(troupe: Troupe, client: Client, name: str, wanted: str) -> None:
    """Nothing happens where it is in that room already."""
    try:
        # Only what is said from now on is answered; the listening begins with the room's present end.
        troupe.rooms[name, wanted] = await client.join(wanted, tail=0)
    except Refused:
        troupe.rooms.pop((name, wanted), None)  # closed, or not for us: another time
    except BandstandError:
        return  # the connection has ended, which whoever listens hears as well


async def _overhear(troupe: Troupe, client: Client, name: str, nursery: trio.Nursery) -> None:
    async for event in client.events():
        if isinstance(event, TakenOut):
            troupe.rooms.pop((name, event.room), None)
            if event.to is not None:
                nursery.start_soon(_enter, troupe, client, name, event.to)
        if isinstance(event, Alert) and not event.reminder:
            nursery.start_soon(_heed, troupe, client, name, event)
        if not isinstance(event, Message) or event.member in troupe.members or event.member == "house":
            continue
        words = answer(event.text, event.room, troupe.dice)
        if words is not None and words[0] == name and troupe.thinking < ANSWERS_WAITING:
            troupe.thinking += 1
            nursery.start_soon(_answer, troupe, troupe.rooms.get((name, event.room)), words[1], event.seq)


async def _heed(troupe: Troupe, client: Client, name: str, alert: Alert) -> None:
    """As people do: the phone has it, it is looked at, it is read; but somebody never touches the button."""
    last: tuple[Receipt, ...] = () if name == PEOPLE[-1] or alert.ack == "none" else ("acknowledged",)
    states: tuple[Receipt, ...] = ("received", "seen", *last)
    for state in states:
        await trio.sleep(troupe.dice.uniform(*HEEDING_SECONDS) / troupe.pace)
        try:
            await client.receipt(alert, state)
        except BandstandError:
            return  # It is not in force any more.


async def _answer(troupe: Troupe, room: Room | None, text: str, seq: int) -> None:
    try:
        await trio.sleep(troupe.dice.uniform(0.8, 2.0) / troupe.pace)
        if room is not None:
            await _say(troupe, room, text, seq)
    finally:
        troupe.thinking -= 1


async def _say(troupe: Troupe, room: Room, text: str, reply_to: int | None = None) -> None:
    room.typing()
    await trio.sleep(len(text) / TYPED_CHARACTERS_PER_S / troupe.pace)
    try:
        await room.send(text, reply_to=reply_to)
    except BandstandError:
        return  # Paused, muted, slow: a person would shrug too.


async def _conduct(troupe: Troupe, rooms: tuple[str, ...]) -> None:
    """Small talk: one line after another, each room with a conversation of its own."""
    scripts: dict[str, list[tuple[str, str]]] = {room: [] for room in rooms}
    said = 0
    while True:
        between = BETWEEN_LINES_SECONDS if said >= WARMING_UP_LINES else WARMING_UP_SECONDS
        await trio.sleep(troupe.dice.uniform(*between) / troupe.pace)
        room = troupe.dice.choice(rooms)
        if not scripts[room]:
            scripts[room] = list(troupe.dice.choice(CHATTER.get(room) or CHATTER[""]))
        name, text = scripts[room].pop(0)
        place = troupe.rooms.get((name, room))
        if place is None:
            continue
        with trio.move_on_after(BETWEEN_LINES_SECONDS[1] / troupe.pace):
            await _say(troupe, place, text)
            said += 1


def answer(text: str, room: str, dice: random.Random) -> tuple[str, str] | None:
    """Who answers this, and what; None where nobody was asked. A bot answers to its name, or to a question it knows
    something about; any other question goes to the one who knows the room best."""
    said = text.casefold()
    words = set(re.findall(r"\w+", said))
    called = next((name for name in PEOPLE if name.casefold() in words), None)
    if called is None and "?" not in said and not words & {"hello", "hi", "help"}:
        return None
    for keys, knows, lines in ANSWERS:
        if words & keys:
            return called or knows, dice.choice(lines)
    host = PEOPLE[sum(map(ord, room)) % len(PEOPLE)]
    return called or host, dice.choice(FALLBACK)
