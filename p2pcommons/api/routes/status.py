"""How the node is and who it is."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import Named
from p2pcommons.api.metrics import METRICS, exposition, status_metrics, stream_metric
from p2pcommons.api.operation import Call, Media, Operation, answer, answer_json, nothing
from p2pcommons.api.schema import Parameter
from p2pcommons.core.words import LANGUAGES
from p2pcommons.node.values import Health, IdentityInfo, Status

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


async def _status(call: Call) -> web.StreamResponse:
    return answer(await call.commons.status())


async def _identity(call: Call) -> web.StreamResponse:
    return answer(await call.commons.identity())


async def _words(call: Call) -> web.StreamResponse:
    return answer_json({"words": list(await call.commons.recovery_words(call.arguments["language"]))})


async def _add_device(call: Call) -> web.StreamResponse:
    return answer_json({"line": await call.commons.add_device()}, status=201)


async def _trust_clock(call: Call) -> web.StreamResponse:
    await call.commons.trust_clock()
    return nothing()


async def _healthz(call: Call) -> web.StreamResponse:
    health = await call.commons.health()
    return answer(health, status=200 if health.ready else 503)


async def _metrics(call: Call) -> web.StreamResponse:
    app = call.request.app
    text = exposition(
        [
            *status_metrics(await call.commons.status()),
            *await call.commons.metrics(),
            *app[METRICS].metrics(),
            stream_metric(app),
        ]
    )
    return web.Response(body=text.encode(), headers={"Content-Type": PROMETHEUS})


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/status", "getStatus", "Is it up, who is it, what does it follow, whom does it see", _status,
        answer=Status,
    ),
    Operation("GET", "/api/v1/identity", "getIdentity", "Who writes here", _identity, answer=IdentityInfo),
    Operation(
        "GET", "/api/v1/identity/words", "getRecoveryWords", "The 12 recovery words: secret", _words,
        answer={
            "type": "object",
            "properties": {"words": {"type": "array", "items": {"type": "string"}, "minItems": 12, "maxItems": 12}},
            "required": ["words"],
        },
        needs=Grant.OWN,
        parameters=(Parameter("language", Named(tuple(LANGUAGES)), "BCP 47 language of the words", default="en"),),
    ),
    Operation(
        "POST", "/api/v1/identity/devices", "addDevice", "Let a further device of this person in: its line is secret",
        _add_device, status=201, needs=Grant.OWN, refusals={409: "`no-commons`: a member of none yet; `clock-wrong`"},
        answer={"type": "object", "properties": {"line": {"type": "string"}}, "required": ["line"]},
    ),
    Operation(
        "POST", "/api/v1/clock/trust", "trustClock",
        "Say that the clock of this machine is right as it is now, whatever `clock-wrong` says against it",
        _trust_clock, status=204, needs=Grant.OWN,
    ),
    Operation(
        "GET", "/healthz", "getHealth", "200 when every verb works, 503 before", _healthz, answer=Health,
        also={503: "not ready yet"}, always=True,
    ),
    Operation("GET", "/metrics", "getMetrics", "Numbers for Prometheus", _metrics, answer=Media(("text/plain",))),
)  # fmt: skip
