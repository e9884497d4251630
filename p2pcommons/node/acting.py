"""Writing one act into plane 0, on top of all that is known of the charter."""

from __future__ import annotations

from typing import Final

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.core.clock import from_ms, is_later
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.core.record import CommonsId, Plane, RecordId
from p2pcommons.errors import LocalProtocolError
from p2pcommons.node.runtime import Runtime
from p2pcommons.sync.replica import Draft
from p2pcommons.sync.storage import Key

LAST: Final = b"\xff" * 32  # behind every id


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
