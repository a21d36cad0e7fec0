"""What can go wrong for a program that uses the client. Everything else is repaired behind its back."""


class BandstandError(Exception):
    """The base of the client's errors."""


class CannotConnect(BandstandError):
    """The first connection did not come about, or was closed before it let us in; str() says why."""


class Refused(BandstandError):
    """The server answered, and the answer was no. `code` is of the closed list in docs/protocol.md.

    `retry`: asking again later may help, after `retry_after_ms` where it is set; the client has already done so where
    only time stood in the way."""

    def __init__(self, code: str, message: str = "", retry_after_ms: int | None = None, *, retry: bool = False) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.retry = retry


class SessionOver(BandstandError):
    """The connection has ended and does not come back by itself; `code` is a close code of docs/protocol.md.

    1000: this program left, or the server said that it had. 4401: the token is not good (any more), and only then
    connect again by nickname. 4403: banned, under any name. 4406: another version of the protocol. 4409: replaced by a
    newer connection of the same member."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the connection is over ({code}{': ' if reason else ''}{reason})")
        self.code = code
        self.reason = reason
