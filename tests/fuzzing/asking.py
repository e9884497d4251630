"""What schemathesis must be told to ask a node well (`scripts/fuzz-api`): values of the formats that the OpenAPI
document names, bodies of its media types, and where to count what it did.

Loaded by schemathesis as its hooks. `P2PCOMMONS_ASKED` names a folder with `world.json`, which says what is in the node;
`counts.json` is written there at the end.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis import cli
from schemathesis.engine import events

from p2pcommons.core.identity import SigningKey, did_key

FOLDER: Final = Path(os.environ["P2PCOMMONS_ASKED"])
_WORLD: Final = json.loads((FOLDER / "world.json").read_text(encoding="utf-8"))

_numbers = st.integers(-180_000, 180_000).map(lambda number: number / 1000)
_names = st.sampled_from(("MIT", "CC-BY-SA-4.0", "GPL-2.0+", "LicenseRef-lavoir", "CC0-1.0"))
_licences = st.recursive(
    _names,
    lambda inner: st.one_of(
        st.builds("{} AND {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        inner.map("({})".format),
        _names.map("{} WITH Classpath-exception-2.0".format),
    ),
    max_leaves=4,
)


def _ids(known: list[str]) -> st.SearchStrategy[str]:
    """Mostly what is there: an id drawn at will finds nothing."""
    drawn = st.binary(min_size=32, max_size=32).map(bytes.hex)
    return st.one_of(st.sampled_from(known), st.sampled_from(known), st.sampled_from(known), drawn)


def _box(west: float, east: float, one: float, other: float) -> str:
    south, north = sorted((one / 2, other / 2))
    return f"{west},{south},{east},{north}"


FORMATS: Final = {
    "commons-id": _ids(_WORLD["commons"]),
    "entry-id": _ids(_WORLD["entries"]),
    "did-key": st.binary(min_size=32, max_size=32).map(lambda seed: did_key(SigningKey(seed).public)),
    # Of this machine, where nobody listens: whatever is asked, nobody outside hears of it.
    "address": st.sampled_from(_WORLD["addresses"]),
    "invitation": st.sampled_from(_WORLD["invitations"]),
    "recipe": st.sampled_from(_WORLD["recipes"]),
    "box": st.builds(_box, _numbers, _numbers, _numbers, _numbers),
    "circle": st.builds("{},{},{}".format, _numbers.map(lambda number: number / 2), _numbers, st.integers(1, 20_000)),
    "spdx-expression": _licences,
}
for _name, _strategy in FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)

_pack = st.just((FOLDER / "pack").read_bytes())
schemathesis.openapi.media_type("application/vnd.p2pcommons.pack", _pack, aliases=["application/octet-stream"])
_lines = st.one_of(
    st.sampled_from([b'{"type": "place", "title": "Lavoir"}', b'{"title": "of no type"}', b"", b"{", b"[]", b"\xff"]),
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
)
schemathesis.openapi.media_type(
    "application/x-ndjson",
    st.lists(_lines, max_size=5).map(b"\n".join),
    aliases=["application/ndjson", "application/jsonl"],
)


@cli.handler()
class Counting(cli.EventHandler):
    """Counts requests, their statuses, and each check's verdicts."""

    def __init__(self, *arguments: Any, **parameters: Any) -> None:
        self._operations: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._errors: list[str] = []

    def handle_event(self, ctx: Any, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            for interaction in event.recorder.interactions.values():
                answered = interaction.response
                self._statuses["none" if answered is None else str(answered.status_code)] += 1
            for node in event.recorder.cases.values():
                self._operations[node.value.operation.label] += 1
            for checks in event.recorder.checks.values():
                for check in checks:
                    (self._failed if check.status.value == "failure" else self._passed)[check.name] += 1
        elif isinstance(event, (events.NonFatalError, events.FatalError)):
            self._errors.append(str(getattr(event, "value", event)))

    def shutdown(self, ctx: Any) -> None:
        found = {
            "operations": self._operations, "statuses": self._statuses, "passed": self._passed,
            "failed": self._failed, "errors": self._errors,
        }  # fmt: skip
        (FOLDER / "counts.json").write_text(json.dumps(found), encoding="utf-8")
