"""What a member costs who is there and says nothing."""

from attrs import frozen

from bench import proc
from bench.crew import Size
from bench.ground import Ground
from bench.load import wait_quietly
from bench.progress import bar
from bench.server import Unsuited

WARM_MEMBERS = 100
"""Come first and stay: what the server allocates once for all is not charged to the members who are counted."""


@frozen
class Idle:
    """Bytes are growth from the warm server to the settled one, for each member that came between."""

    members: int
    settle_seconds: float
    private_dirty_each: float
    anonymous_each: float
    resident_each: float
    kernel_tcp_each: float
    """Of the whole machine, so both ends of a connection."""
    join_seconds: float
    server_cpu_s: float
    """While settling: heartbeats and timers."""
    settings: dict[str, str]


def idle(ground: Ground, members: int, settle_seconds: float, frame_bytes: int) -> Idle:
    """Raises RunVoid if anybody is thrown out meanwhile; Unsuited when the server's process is not known."""
    with ground.server() as server:
        if server.pid is None:
            raise Unsuited("memory of a server needs its --pid")
        with ground.crew(server, Size(WARM_MEMBERS, posters=1, frame_bytes=frame_bytes)) as crew:
            wait_quietly(crew.swarm, 2.0)
            before, kernel_before = proc.memory(server.pid), proc.tcp_memory_bytes()
            room = next(iter(crew.swarm.rooms))
            # a new stream, since the first members are further on than those who come now
            del crew.swarm.rooms[room]
            for k in range(members):
                crew.swarm.add(f"i{k}", room)
            with bar(ground.console, f"{members:,} members join", members) as advance:
                join_seconds = crew.swarm.ramp(1_000.0, advance)
            cpu = proc.cpu_seconds(server.pid)
            with bar(ground.console, "settling") as advance:
                wait_quietly(crew.swarm, settle_seconds, advance)
            cpu = proc.cpu_seconds(server.pid) - cpu
            after, kernel_after = proc.memory(server.pid), proc.tcp_memory_bytes()
    return Idle(
        members=members,
        settle_seconds=settle_seconds,
        private_dirty_each=(after.private_dirty - before.private_dirty) / members,
        anonymous_each=(after.anonymous - before.anonymous) / members,
        resident_each=(after.resident - before.resident) / members,
        kernel_tcp_each=(kernel_after - kernel_before) / members,
        join_seconds=join_seconds,
        server_cpu_s=cpu,
        settings=server.settings,
    )
