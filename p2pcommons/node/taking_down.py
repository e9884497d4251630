"""Taking an entry down on this machine alone, where a law makes its host do it (chapter 23).

Bodies go, and none is taken again; headers and ids stay, so that sets stay what they are. Other nodes keep what they have:
who is given such a record by this node answers `no_body`, and has it from others. Whoever asks here is told.
"""

from __future__ import annotations

import json

from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict
from p2pcommons.node.moderation_values import WithheldInfo
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant
from p2pcommons.store.reading import SqliteReader


class TakingDown:
    """What this node withholds."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def withheld(self, commons: CommonsId) -> tuple[WithheldInfo, ...]:
        """All that this node withholds of a commons, ascending. NotFound `unknown-commons`."""
        self._runtime.check_followed(commons)
        entries = sorted(self._runtime.replica.withheld(commons))
        return await self._runtime.read(lambda reader: tuple(_info(reader, commons, one) for one in entries))

    async def why(self, commons: CommonsId, entry: Subject) -> WithheldInfo | None:
        """Why an entry is withheld here; None where it is not."""
        if commons not in self._runtime.replica.followed() or entry not in self._runtime.replica.withheld(commons):
            return None
        return await self._runtime.read(lambda reader: _info(reader, commons, entry))

    async def take_down(self, commons: CommonsId, entry: Subject, reason: str) -> WithheldInfo:
        """Keep no text of an entry on this machine from now on."""
        noted = json.dumps({"at": self._runtime.now_ms(), "reason": reason}).encode()
        await self._put(commons, entry, noted)
        await self._runtime.run(lambda: self._runtime.replica.withhold(commons, entry, away=True))
        found = await self.why(commons, entry)
        assert found is not None
        return found

    async def release(self, commons: CommonsId, entry: Subject) -> None:
        """Ask others for it again. Conflict `not-withheld`."""
        if await self.why(commons, entry) is None:
            raise Conflict(
                "not-withheld", "This node does not withhold this entry: `p2pcommons host withheld` lists all."
            )
        await self._runtime.run(lambda: self._runtime.replica.withhold(commons, entry, away=False))
        await self._put(commons, entry, None)

    async def _put(self, commons: CommonsId, entry: Subject, noted: bytes | None) -> None:
        store = self._runtime.store

        def put() -> None:
            with store.transaction():
                store.put_value(_name(commons, entry), noted)

        await self._runtime.run(put)


def _info(reader: SqliteReader, commons: CommonsId, entry: bytes) -> WithheldInfo:
    noted = json.loads(reader.value(_name(commons, entry)) or b'{"at": 0, "reason": ""}')
    return WithheldInfo(Subject(entry), commons, Instant(noted["at"]), noted["reason"])


def _name(commons: bytes, entry: bytes) -> str:
    return f"takedown/{commons.hex()}/{entry.hex()}"
