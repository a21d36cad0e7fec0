"""Orders about operators, their sessions and tokens."""

from typing import Any

import trio

from actors.admin.arguments import Operator, OperatorAdd, OperatorUpdate, SessionEnd, TokenCreate, TokenRevoke
from actors.admin.operators import BadOperator, NoSuchOperator, UnfitOperator, hash_password, operator_name
from actors.admin.orders import Denied, Order
from actors.admin.plans import Effect, Hands, Plan, Planner
from actors.admin.roles import Role, role_of
from actors.admin.world import Mark


def _role(word: str) -> Role:
    found = role_of(word)
    assert found is not None, "parsed"
    return found


def _trying(hands: Hands, effect: Effect) -> Effect:
    """A name, a password or a change that may not be is an ordinary no; who is still in is looked at afterwards."""

    async def tried(mark: Mark) -> dict[str, Any] | Denied:
        try:
            found = await effect(mark)
        except BadOperator as wrong:
            return Denied(_code(wrong), str(wrong))
        await hands.sign_in.refresh()
        return found

    return tried


def _code(wrong: BadOperator) -> str:
    match wrong:
        case UnfitOperator():
            return "bad_frame"
        case NoSuchOperator():
            return "not_found"
    return "conflict"


async def _hashed(name: str, password: str) -> str:
    return await trio.to_thread.run_sync(hash_password, operator_name(name), password)


async def add(hands: Hands, order: Order) -> Plan | Denied:
    args: OperatorAdd = order.args
    if args.password is None:
        return Denied("bad_frame", "operator.add: password: is missing")

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        hashed = await _hashed(args.name, args.password or "")
        made = await hands.deeds.store.operators.add(operator_name(args.name), _role(args.role), hashed)
        return {**made.shown(), "undo_with": "operator.remove"}

    return Plan(effect=_trying(hands, effect), repeat=False)


async def update(hands: Hands, order: Order) -> Plan | Denied:
    args: OperatorUpdate = order.args

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        changed = await hands.deeds.store.operators.update(
            operator_name(args.name),
            role=None if args.role is None else _role(args.role),
            disabled=args.disabled,
            password_hash=None if args.password is None else await _hashed(args.name, args.password),
        )
        return changed.shown()

    less = args.disabled or args.role is not None
    detail = await _tokens(hands, args.name) if less else {}
    return Plan(affected=1, effect=_trying(hands, effect), detail=detail)


async def remove(hands: Hands, order: Order) -> Plan | Denied:
    args: Operator = order.args

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        return (await hands.deeds.store.operators.remove(operator_name(args.name))).shown()

    return Plan(affected=1, effect=_trying(hands, effect), repeat=False, detail=await _tokens(hands, args.name))


async def _tokens(hands: Hands, name: str) -> dict[str, Any]:
    """Programs that may stand still when this operator goes, so that nobody is surprised by a dark screen."""
    store, who = hands.deeds.store, name.strip().lower()
    in_force = await store.tokens.in_force()
    return {"tokens": [token.name for token in in_force.values() if who in await store.tokens.behind(token.operator)]}


async def end_session(hands: Hands, order: Order) -> Plan | Denied:
    args: SessionEnd = order.args

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        return {"ended": await hands.sign_in.end_session(args.session)}

    return Plan(affected=1, effect=_trying(hands, effect))


async def leave(hands: Hands, order: Order) -> Plan | Denied:
    session = order.by.session
    if session.startswith("t_"):
        return Denied("conflict", "a program is not signed in: its token ends with token.revoke")

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        return {"ended": await hands.sign_in.end_session(session)}

    return Plan(affected=1, effect=_trying(hands, effect), repeat=False)


async def create_token(hands: Hands, order: Order) -> Plan | Denied:
    """The secret is in this one answer; the record keeps no trace of it (`once`)."""
    args: TokenCreate = order.args

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        expires = None if args.expires_s is None else hands.world.now() + args.expires_s
        made = await hands.deeds.store.tokens.create(args.name, _role(args.role), order.by.operator, expires)
        return {"token": made.id, "undo_with": "token.revoke", "once": {"secret": made.secret}}

    return Plan(effect=_trying(hands, effect), repeat=False)


async def revoke_token(hands: Hands, order: Order) -> Plan | Denied:
    args: TokenRevoke = order.args

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        return {"revoked": await hands.deeds.store.tokens.revoke(args.token)}

    return Plan(effect=_trying(hands, effect))


PLANNERS: dict[str, Planner] = {
    "operator.add": add,
    "operator.update": update,
    "operator.remove": remove,
    "session.leave": leave,
    "session.end": end_session,
    "token.create": create_token,
    "token.revoke": revoke_token,
}
