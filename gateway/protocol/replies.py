"""A refusal as an error frame."""

from actors.refusals import Refused
from gateway.protocol.codes import ERRORS
from gateway.protocol.kinds import Count, RequestId
from gateway.protocol.server import ErrorFrame


def error(re: int | None, refused: Refused, path: str | None = None) -> ErrorFrame:
    """A no. With a time to come back it can be retried, whatever its code."""
    code = ERRORS[refused.reason]
    after = refused.retry_after_ms
    return ErrorFrame(
        re=None if re is None else RequestId(re),
        code=refused.reason,
        message=refused.message or code.message,
        retry=code.retry or after is not None,
        retry_after_ms=None if after is None else Count(after),
        scope=code.scope,
        path=path or refused.path or None,
    )
