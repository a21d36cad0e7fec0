"""The attendees' channel, as gateway/protocol/schema.py describes it to machines."""

from gateway.protocol import client, server
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES
from gateway.protocol.kinds import KINDS
from gateway.protocol.schema import Channel

ATTENDEE = Channel(
    key="attendee",
    address="/ws",
    title="One client",
    description="WebSocket, subprotocol bandstand.v1; one JSON object a text message.",
    client=CLIENT_FRAMES,
    server=SERVER_FRAMES,
    error=server.ErrorFrame,
    kinds=KINDS,
    names={
        server.OkJoin: "ok.join",
        server.OkSend: "ok.send",
        server.OkHistory: "ok.history",
        server.OkMembers: "ok.members",
        server.RulesFrame: "policy.now",
    },
    overlays={client.Auth: {"anyOf": [{"required": ["token"]}, {"required": ["nickname"]}]}},
    replies={
        client.Auth: (server.Ready,),
        client.Join: (server.OkJoin,),
        client.Leave: (server.Ok,),
        client.Send: (server.OkSend,),
        client.Edit: (server.OkSend,),
        client.Delete: (server.OkSend,),
        client.React: (server.Ok,),
        client.History: (server.OkHistory,),
        client.Members: (server.OkMembers,),
        client.Report: (server.Ok,),
        client.AlertReceipt: (server.Ok,),
        client.Heartbeat: (server.Ok,),
    },
)
