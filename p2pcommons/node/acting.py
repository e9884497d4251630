"""Writing one act into plane 0, on top of all that is known of the charter."""

from __future__ import annotations

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.record import CommonsId, Plane, RecordId
from p2pcommons.errors import LocalProtocolError
from p2pcommons.node.runtime import Runtime
from p2pcommons.sync.replica import Draft


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
            past = charter.prev_for(runtime.keys.person.public) if prev is None else prev
            draft = Draft(Plane.CHARTER, subject, past, made.kind, body)
            return runtime.replica.write(commons, runtime.keys.person, [draft], runtime.watch.signing_ms())[0].id

        return await runtime.run(write)
