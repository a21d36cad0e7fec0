"""An echo server as the library's documentation has it, and nothing else. The K cases end its process, which proves
that they bite. Prints its port, then runs until something ends it."""

import trio
from trio_websocket import WebSocketRequest, serve_websocket


async def echo(request: WebSocketRequest) -> None:
    assert request.remote
    socket = await request.accept(subprotocol=next(iter(request.proposed_subprotocols), None))
    while True:
        message = await socket.get_message()
        if message == "close":
            await socket.aclose()
            return
        await socket.send_message(message)


async def main() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, echo, "127.0.0.1", 0, None)
        print(server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
