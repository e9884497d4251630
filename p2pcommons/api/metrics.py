"""Numbers for Prometheus: those of this API, those of the node's status, and what the node adds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiohttp import web

from p2pcommons.api.problems import route_of
from p2pcommons.api.streams import STREAMS
from p2pcommons.node.values import CommonsInfo, Metric, Sample, Status

PREFIX: Final = "p2pcommons_"
UNANNOUNCED: Final = "unannounced"
"""What stands for the ids of commons that are announced to nobody."""


class RequestCounts:
    """Requests answered: how many, how long. Driven by the middleware below."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        by_status, by_route = (method, route, status), (method, route)
        self._counts[by_status] = self._counts.get(by_status, 0) + 1
        self._seconds[by_route] = self._seconds.get(by_route, 0.0) + seconds

    def metrics(self) -> tuple[Metric, ...]:
        """The same as metrics."""
        requests = tuple(
            Sample((("method", method), ("route", route), ("status", str(status))), number)
            for (method, route, status), number in sorted(self._counts.items())
        )
        seconds = tuple(
            Sample((("method", method), ("route", route)), spent)
            for (method, route), spent in sorted(self._seconds.items())
        )
        return (
            Metric("api_requests_total", "counter", "Requests answered.", requests),
            Metric("api_request_seconds_total", "counter", "Time spent answering requests.", seconds),
        )


METRICS: Final = web.AppKey("metrics", RequestCounts)


@web.middleware
async def count_requests(request: web.Request, handler: Any) -> web.StreamResponse:
    """Count what the inner middlewares and handlers answer. Routes are counted, never addresses: those are many."""
    began = time.monotonic()
    status = 499  # gone before the answer
    try:
        response: web.StreamResponse = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        route = route_of(request)
        known = request.method if request.match_info.route.resource is not None else "any"  # a stranger's words
        request.app[METRICS].count(known, route, status, time.monotonic() - began)


def status_metrics(status: Status) -> tuple[Metric, ...]:
    """What the status tells in numbers."""
    per_commons = (
        ("records", "Records kept, by commons.", lambda commons: commons.records),
        ("entries", "Entries shown, by commons.", lambda commons: commons.entries),
        ("bodies_missing", "Bodies wanted, by commons.", lambda commons: commons.bodies_missing),
    )
    states: dict[str, int] = {"connected": 0}
    for peer in status.peers:
        states[peer.state] = states.get(peer.state, 0) + 1
    return (
        Metric("info", "gauge", "This node's version.", (Sample((("version", status.version),), 1),)),
        Metric("start_time_seconds", "gauge", "When it started (Unix).", (Sample((), status.started_at / 1000),)),
        Metric("commons", "gauge", "Commons followed.", (Sample((), len(status.commons)),)),
        Metric(
            "peers", "gauge", "Peers, by state.",
            tuple(Sample((("state", state),), number) for state, number in sorted(states.items())),
        ),
        *(
            Metric(name, "gauge", meaning, _by_commons(status.commons, number))
            for name, meaning, number in per_commons
        ),
    )  # fmt: skip


def _by_commons(followed: Iterable[CommonsInfo], number: Callable[[CommonsInfo], int]) -> tuple[Sample, ...]:
    """One sample for each announced commons, and one for all others: the id of these may be all that protects them."""
    counts: dict[str, int] = {}
    for commons in followed:
        label = commons.id.hex() if commons.announced else UNANNOUNCED
        counts[label] = counts.get(label, 0) + number(commons)
    return tuple(Sample((("commons", label),), count) for label, count in sorted(counts.items()))


def stream_metric(app: web.Application) -> Metric:
    """How many long answers are under way."""
    return Metric(
        "api_streams", "gauge", "Event streams, batches and downloads open.", (Sample((), len(app[STREAMS])),)
    )


def exposition(metrics: Iterable[Metric]) -> str:
    """The Prometheus text format 0.0.4."""
    lines = []
    for metric in metrics:
        name = PREFIX + metric.name
        lines += [f"# HELP {name} {_help(metric.help)}", f"# TYPE {name} {metric.kind}"]
        for labels, value in metric.samples:
            shown = ",".join(f'{label}="{_label(text)}"' for label, text in labels)
            lines.append(f"{name}{{{shown}}} {value:.15g}" if shown else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _label(text: str) -> str:
    return _help(text).replace('"', r"\"")
