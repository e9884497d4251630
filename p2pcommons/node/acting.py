"""Writing acts into plane 0, on top of all that is known of the charter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.grounding import Grounds
from p2pcommons.core.clock import from_ms, is_later
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.limits import AHEAD_MS_MAX, PREV_MAX
from p2pcommons.core.record import CommonsId, Plane, RecordId
from p2pcommons.errors import LocalProtocolError
from p2pcommons.node.runtime import Runtime
from p2pcommons.sync.replica import Draft
from p2pcommons.sync.storage import Key

LAST: Final = b"\xff" * 32  # behind every id
_NAMED: Final = PREV_MAX - 1  # by a record that names others of some kind, and the door of its author


class Acting:
    """Signs acts of this node's person."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def write(
        self, commons: CommonsId, made: Made, *, subject: bytes, prev: tuple[bytes, ...] | None = None
    ) -> RecordId:
        """Write one act; `prev` None: all heads of the plane. Its id, once it is durable."""
        runtime = self._runtime
        body = encode_body(made.body)

        def write() -> RecordId:
            charter = runtime.replica.charter(commons)
            if charter is None:
                raise LocalProtocolError("commons_waiting", "nothing of this commons is here yet")
            now_ms = runtime.watch.signing_ms()
            past = self._past(charter, now_ms) if prev is None else prev
            draft = Draft(Plane.CHARTER, subject, past, made.kind, body)
            return runtime.replica.write(commons, runtime.keys.person, [draft], now_ms)[0].id

        return await runtime.run(write)

    async def merged(
        self, commons: CommonsId, made: Made, ids: Sequence[bytes], door: bytes, room: int
    ) -> tuple[bytes, ...]:
        """At most `room` ids that name all of these, ascending: these, or records made so that name them (ASSEMBLY-23).

        `door`: the record that let this person's key in.
        """
        layer = list(ids)
        while len(layer) > room:
            layer = await self._name(commons, made, layer, door)
        return tuple(sorted(layer))

    async def _name(self, commons: CommonsId, made: Made, ids: Sequence[bytes], door: bytes) -> list[bytes]:
        """Records that name these ids, as few as can be."""
        runtime, body = self._runtime, encode_body(made.body)
        drafts = [
            Draft(Plane.CHARTER, commons, tuple(sorted({*ids[at : at + _NAMED], door})), made.kind, body)
            for at in range(0, len(ids), _NAMED)
        ]

        def put() -> list[bytes]:
            written = runtime.replica.write(commons, runtime.keys.person, drafts, runtime.watch.signing_ms())
            return [record.id for record in written]

        return await runtime.run(put)

    def known(self, commons: CommonsId) -> Charter:
        """The charter that the next act rests on; in the engine's thread. LocalProtocolError `commons_waiting`."""
        charter = self._runtime.replica.charter(commons)
        if charter is None:
            raise LocalProtocolError("commons_waiting", "nothing of this commons is here yet")
        return self._in_time(charter, self._runtime.watch.signing_ms())

    def _past(self, charter: Charter, now_ms: int) -> tuple[bytes, ...]:
        """What the next act names."""
        return self._in_time(charter, now_ms).prev_for(self._runtime.keys.person.public)

    def _in_time(self, charter: Charter, now_ms: int) -> Charter:
        """Without what was signed while a clock was ahead: nobody else takes that yet (REC-7)."""
        store = self._runtime.store
        limit = Key(from_ms(now_ms + AHEAD_MS_MAX + 1) - 1, LAST)
        if store.keys(charter.commons, Plane.CHARTER, limit, 1):
            in_time = [r for r in store.charter(charter.commons) if not is_later(r.header.time, now_ms)]
            before = judge(in_time, charter.commons)
            return before if before.founded else charter
        return charter


def door_of(grounds: Grounds, key: bytes) -> bytes:
    """The record that let a key in; the last one, where there are several."""
    return next(door.id for door in reversed(grounds.doors) if door.key == key)
