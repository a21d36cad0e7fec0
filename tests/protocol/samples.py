"""Frames of every class: hand-made ones for tables, and strategies for the rest."""

from typing import Any

from hypothesis import strategies as st

from actors.names import CROCKFORD
from actors.refusals import Reason
from gateway.protocol import client, orders, server
from gateway.protocol.codes import Scope

MAX = 2**53 - 1

seqs = st.integers(0, MAX)
ids = st.integers(0, MAX)
rooms = st.from_regex(r"[a-z0-9][a-z0-9-]{1,47}", fullmatch=True)
epochs = st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=1, max_size=32)
cids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
nicknames = st.sampled_from(["Ana", "Bo", "Jürgen", "李雷", "Ана", "x" * 32, "A B"])
emoji = st.sampled_from(["👍", "❤️", "1️⃣", "👨‍👩‍👧", "🇩🇪", "‼️"])
members = st.text(CROCKFORD, min_size=25, max_size=25).map("m_0{}".format)
numbers = st.floats(allow_nan=False, allow_infinity=False)
moments = st.floats(0, 4e9)
maybe = st.none() | seqs
cards = st.builds(server.Card, members, nicknames)
some_cards = st.lists(cards, max_size=3).map(tuple)
counts = st.dictionaries(seqs.map(str), st.dictionaries(emoji, st.integers(0, 10_000), max_size=3), max_size=3)
presence = st.sampled_from(["auto", "off"])
rules = (seqs, st.booleans(), moments, seqs, seqs, presence, st.none() | moments, words)
house = (st.booleans(), st.integers(1, 5), st.booleans())
where = (rooms, epochs, seqs, moments)


def frames(cls: type, *args: Any, **named: Any) -> st.SearchStrategy[Any]:
    return st.builds(cls, *args, **named)


alert_names = st.from_regex(r"A[0-9]{3,9}-[0-9A-Z]{3}", fullmatch=True)
alerts = frames(
    server.AlertFrame, alert_names, seqs, st.sampled_from(["alert", "update", "cancel", "all_clear"]),
    st.sampled_from(["actual", "exercise", "test"]), st.sampled_from(["extreme", "minor"]),
    st.sampled_from(["immediate", "past"]), st.sampled_from(["observed", "unknown"]),
    st.sampled_from(["evacuate", "none"]),
    st.dictionaries(st.sampled_from(["en", "de", "pt-BR"]), frames(server.AlertWords, texts, words), min_size=1),
    moments, moments, st.sampled_from(["none", "seen", "required"]), moments, seqs,
    st.lists(rooms, max_size=2).map(tuple), st.just(()), st.booleans(), st.booleans(),
)  # fmt: skip
some_alerts = st.lists(alerts, max_size=2).map(tuple)
sinces = st.none() | frames(client.Since, epochs, seqs)
tokens = st.none() | st.text("abcdefXYZ019-_.", max_size=90)
client_frames = st.one_of(
    frames(client.Auth, ids, tokens, nicknames),
    frames(client.Join, ids, rooms, sinces, st.integers(0, 200), seqs, st.booleans()),
    frames(client.Leave, ids, rooms),
    frames(client.Send, ids, rooms, cids, texts, maybe),
    frames(client.Edit, ids, rooms, cids, seqs, texts),
    frames(client.Delete, ids, rooms, cids, seqs),
    frames(client.React, ids, rooms, seqs, emoji, st.booleans()),
    frames(client.Typing, rooms),
    frames(client.History, ids, rooms, maybe, st.none(), st.integers(1, 200)),
    frames(client.History, ids, rooms, st.none(), maybe, st.integers(1, 200)),
    frames(client.Members, ids, rooms, st.integers(1, MAX)),
    frames(client.Report, ids, rooms, seqs, words),
    frames(client.AlertReceipt, ids, alert_names, seqs, st.sampled_from(["received", "seen", "help"]), words),
    frames(
        client.Heartbeat, st.none() | ids, st.none() | numbers, st.none() | st.dictionaries(rooms, seqs, max_size=8)
    ),
)

entries = st.one_of(
    frames(
        server.MessageFrame, *where, members, st.none() | nicknames, st.none() | cids,
        text=words, reply_to=maybe, edited=maybe, deleted=st.booleans(), hidden=st.booleans(), badge=words,
    ),
    frames(server.EditedFrame, *where, members, seqs, texts),
    frames(server.DeletedFrame, *where, members, seqs),
    frames(server.PolicyFrame, *where, *rules, st.booleans(), st.booleans()),
    frames(orders.HiddenFrame, *where, members, seqs, words),
    frames(orders.RestoredFrame, *where, members, seqs),
    frames(orders.PinnedFrame, *where, members, maybe),
    frames(orders.ClearedFrame, *where, members, seqs, st.booleans()),
    frames(orders.UnclearedFrame, *where, members, seqs),
    frames(
        orders.AlertNoticeFrame, *where, members, words, seqs, words, words,
        st.sampled_from(["actual", "exercise", "test"]),
    ),
    frames(orders.MovedFrame, *where, members, rooms, words),
    frames(orders.NoticeFrame, *where, members, words, words),
)  # fmt: skip
listed = st.lists(entries, max_size=3).map(tuple)
hellos = frames(
    server.Hello,
    st.just(1),
    words,
    moments,
    frames(server.HeartbeatTimes, seqs, seqs),
    frames(server.Limits, moments, seqs, seqs, seqs, seqs, seqs, seqs, moments, seqs, seqs),
    frames(server.Retention, moments, seqs, seqs),
    st.lists(words, max_size=3).map(tuple),
)
server_frames = st.one_of(
    hellos,
    frames(server.Ready, ids, members, nicknames, words, some_alerts),
    alerts,
    frames(server.AlertOver, alert_names, seqs, st.sampled_from(["cancelled", "expired", "cleared"])),
    frames(server.Ok, ids),
    frames(
        server.OkJoin, ids, rooms, epochs, seqs, seqs, st.sampled_from(["fresh", "resumed", "gap"]),
        frames(server.Rules, *rules, *house), frames(server.Counts, seqs), nicknames, words, words, some_alerts,
    ),
    frames(server.OkSend, ids, epochs, seqs, moments, st.booleans()),
    frames(
        server.OkHistory, ids, rooms, epochs, listed, st.booleans(), seqs, seqs, counts
    ),
    frames(server.OkMembers, ids, some_cards, seqs, seqs, seqs),
    frames(
        server.ErrorFrame, re=st.none() | ids, code=st.sampled_from(Reason), message=words, retry=st.booleans(),
        retry_after_ms=maybe, scope=st.sampled_from(Scope), path=st.none() | words,
    ),
    entries,
    frames(server.RulesFrame, rooms, *rules, *house),
    frames(orders.RemovedFrame, rooms, words, st.none() | moments, st.none() | rooms),
    frames(orders.NoteFrame, moments, words),
    frames(server.CaughtUp, rooms, seqs),
    frames(server.Behind, rooms, seqs),
    frames(server.Gap, rooms, seqs, seqs, st.sampled_from(["trimmed", "epoch", "too_many"])),
    frames(server.Reactions, rooms, counts),
    frames(
        server.Presence, rooms, st.sampled_from(["diff", "counts"]), epochs, seqs, seqs, some_cards,
        st.lists(members, max_size=3).map(tuple),
    ),
    frames(server.TypingFrame, rooms, members, nicknames),
    frames(server.HeartbeatFrame, moments),
    frames(server.Bye, st.integers(1000, 4999), maybe, st.none() | words),
)  # fmt: skip
