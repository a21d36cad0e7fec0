"""The words of the admin side: an order, what a command is, and how an order ends. Pure."""

from collections.abc import Callable, Container, Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from actors.admin.roles import Role
from actors.refusals import Reason, Refused

Detail = Mapping[str, Any]
"""JSON: what an answer says besides its fixed fields."""

EXTRA_CODES = ("unknown_command", "not_found", "conflict", "confirm", "second_person", "setup")
CODES = frozenset((*(reason.value for reason in Reason), *EXTRA_CODES))
"""Why an order was not carried out: the attendees' list and what only operators can meet."""
WEEK_S = 7 * 86_400.0


class UndoKind(StrEnum):
    EXACT = "exact"
    """act.undo puts back what the act changed, and nothing else."""
    COMPENSATING = "compensating"
    """Another command makes up for it; the effect was seen meanwhile."""
    NONE = "none"


@frozen
class Giver:
    """Who gives an order, as of this moment."""

    operator: str
    role: Role
    address: str = "local"
    session: str = ""


@frozen
class Denied:
    """An ordinary no. A value, never raised. `code`: one of CODES."""

    code: str
    message: str
    retry_after_ms: int | None = None


@frozen
class Outcome:
    """What an order did, or (dry_run) would do. `affected`: people who notice."""

    act: str = ""
    rev: int = 0
    affected: int = 0
    undo: UndoKind = UndoKind.NONE
    undo_until: float | None = None
    dry_run: bool = False
    detail: Detail = field(factory=dict)


@frozen
class Pending:
    """A second person has to give the same order with `confirm_of` = `id` before `expires` (Unix seconds)."""

    id: str
    expires: float
    detail: Detail = field(factory=dict)
    again: bool = False
    """It waited already: the same order was given again."""


Answer = Outcome | Pending | Denied


@frozen
class Order:
    """`args`: parsed, of the command's own class. `raw`: the same as it came, without secrets, for the record."""

    name: str
    args: Any
    raw: Mapping[str, Any]
    by: Giver
    reason: str = ""
    cid: str = ""
    dry_run: bool = False
    ttl_s: float | None = None
    expect_rev: int | None = None
    confirm_of: str | None = None
    confirm: str = ""
    break_glass: bool = False

    @property
    def act(self) -> str:
        """The act's name: the same (operator, cid) is the same act, in this run of the server and in all later ones."""
        return act_id(self.by.operator, self.cid)


def act_id(operator: str, cid: str) -> str:
    return "act_" + sha256(f"{operator}\0{cid}".encode()).hexdigest()[:24]


@frozen
class Spec:
    """A command as the table has it."""

    name: str
    role: Role
    args: type
    summary: str
    undo: UndoKind = UndoKind.NONE
    reads: bool = False
    second: Callable[[Any], bool] | None = None
    """Whether these arguments are so grave that a second person may be demanded (setting admin.second_person)."""
    as_grave_as: str = ""
    """A command whose place in that setting is this one's too: another way to the same."""
    confirm: Callable[[Any, str], str] | None = None
    """(arguments, name of the event) -> the words that a person types to mean it; "" = none."""
    least: Callable[[Any], Role] | None = None
    """The role that these arguments need, where it depends on them; never below `role`."""
    timed: bool = False
    """May be given for a time (ttl_s)."""
    longest_s: float = WEEK_S
    """For so long at most."""
    usual_s: float | None = None
    """For so long where the order names no time; None: until it is taken back."""
    erases: bool = False
    """What it hides is erased once it can no longer be undone."""
    recorded: bool = True
    """Of reads: False; but what takes data out of the house is recorded all the same."""

    def may_wait(self, second: Container[str]) -> bool:
        """`second`: the commands that wait for a second person here."""
        return self.name in second or self.as_grave_as in second

    def role_for(self, args: Any) -> Role:
        return self.role if self.least is None else max(self.role, self.least(args))


def denied(refused: Refused) -> Denied:
    return Denied(refused.reason.value, refused.message or "this was refused", refused.retry_after_ms)
