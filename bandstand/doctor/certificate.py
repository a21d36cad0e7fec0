"""A certificate and its key, tried as they will be used: by a handshake, in memory, with a client that trusts it."""

import ssl
import time
from pathlib import Path
from typing import Any

from bandstand.doctor.findings import Finding, fail, ok, warn

EXPIRED, NOT_YET_VALID = 10, 9
"""X509_V_ERR_... of OpenSSL."""
SOON_SECONDS = 14 * 86_400.0
DAY = 86_400.0


def look_at_files(certificate: Path, key: Path, now: float) -> Finding:
    """Readable, a pair, in date. `now`: Unix seconds."""
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except OSError as wrong:
            return fail(
                "tls", f"{path} cannot be read: {wrong.strerror}", "give the server's user the right to read it"
            )
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        ours.load_cert_chain(certificate, key)
    except ssl.SSLError as wrong:
        return fail("tls", *_unusable(certificate, key, wrong))
    try:
        return look_at_dates(_shake_hands(ours, certificate), now)
    except ssl.SSLCertVerificationError as wrong:
        return refused(wrong)
    except ssl.SSLError as wrong:
        return fail("tls", f"{certificate} cannot be served with: {reason(wrong)}", "have it issued anew")


def look_at_dates(described: dict[str, Any], now: float) -> Finding:
    """`described`: what ssl.SSLSocket.getpeercert says of a certificate that was verified."""
    left = ssl.cert_time_to_seconds(described["notAfter"]) - now
    until = time.strftime("%Y-%m-%d", time.gmtime(now + left))
    names = ", ".join(value for _, value in described.get("subjectAltName", ())[:4])
    text = f"good until {until}, {left / DAY:.0f} days; for {names or 'no names at all'}"
    if left <= 0:
        return fail("tls", f"the certificate has expired on {until}", RENEW)
    return warn("tls", text, RENEW) if left < SOON_SECONDS else ok("tls", text)


def refused(wrong: ssl.SSLCertVerificationError) -> Finding:
    """Not accepted by a client that checks as browsers do."""
    if wrong.verify_code in (EXPIRED, NOT_YET_VALID):
        return fail("tls", wrong.verify_message, f"{RENEW}; or the clock of one of the machines is wrong")
    remedy = "serve the whole chain, the leaf first, from an authority that phones trust, for the name they open"
    return fail("tls", wrong.verify_message, remedy)


def reason(wrong: BaseException) -> str:
    return getattr(wrong, "verify_message", "") or getattr(wrong, "reason", "") or str(wrong) or type(wrong).__name__


RENEW = "renew it, then restart the server: it reads the files at its start"


def _unusable(certificate: Path, key: Path, wrong: ssl.SSLError) -> tuple[str, str]:
    if wrong.reason == "KEY_VALUES_MISMATCH":
        return f"{key} is not the key of {certificate}", "give the two that were made together"
    return f"{certificate} and {key} are not a certificate and a key: {reason(wrong)}", "both must be PEM, unencrypted"


def _shake_hands(ours: ssl.SSLContext, trusted: Path) -> dict[str, Any]:
    """The client trusts the leaf itself: whether others do depends on where they are. Raises ssl.SSLError."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    theirs.load_verify_locations(trusted)
    to_us, to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(to_us, to_them, server_side=True)
    client = theirs.wrap_bio(to_them, to_us)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.getpeercert() or {}
