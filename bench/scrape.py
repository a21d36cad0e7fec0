"""Small GETs beside the sockets: /readyz and /metrics, and percentiles out of a Prometheus histogram."""

import http.client
import math
from collections.abc import Mapping

from attrs import frozen

from bench.wire import Address

Buckets = Mapping[float, float]
"""Upper bound in base units -> how many observations were at most that (cumulative)."""


@frozen
class Reply:
    """`status` 0: nobody answered."""

    status: int
    body: str


def get(address: Address, path: str) -> Reply:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Reply(response.status, response.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        return Reply(0, str(error))
    finally:
        connection.close()


def buckets(exposition: str, name: str) -> dict[float, float]:
    """The histogram `name`, summed over its labels. Empty when it is not exported."""
    found: dict[float, float] = {}
    prefix = f"{name}_bucket{{"
    for line in exposition.splitlines():
        if line.startswith(prefix):
            labels, _, value = line[len(prefix) :].partition("} ")
            bound = labels.partition('le="')[2].partition('"')[0]
            found[float(bound)] = found.get(float(bound), 0.0) + float(value.split()[0])
    return found


def between(before: Buckets, after: Buckets) -> dict[float, float]:
    return {bound: count - before.get(bound, 0.0) for bound, count in sorted(after.items())}


def observations(histogram: Buckets) -> int:
    return int(histogram.get(math.inf, 0))


def at_most(histogram: Buckets, q: float) -> float | None:
    """The upper bound of the bucket in which the q-quantile lies: the figure is no larger than that. None: no data."""
    total = histogram.get(math.inf, 0.0)
    if not total:
        return None
    return next(bound for bound, count in sorted(histogram.items()) if count >= q * total)
