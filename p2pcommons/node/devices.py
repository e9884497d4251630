"""Several devices of one person, and coming back after a loss.

A new device is let in by an older one, which makes its key and hands it over in one pasted line: it works without
the two ever meeting. Who has lost every device starts from the recovery words: the new key then takes the place of
the old one in each commons, as soon as its charter is here.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import add_device, rotate
from p2pcommons.commons.device_line import DeviceLine, parse_device_line
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import AHEAD_MS_MAX, DEVICE_LINE_COMMONS_MAX
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.errors import Refused
from p2pcommons.node.acting import Acting
from p2pcommons.node.folder import DataFolder
from p2pcommons.node.runtime import Runtime


class Devices:
    """The keys of this person besides the one at hand."""

    def __init__(self, runtime: Runtime, acting: Acting) -> None:
        self._runtime = runtime
        self._acting = acting

    async def add(self, addresses: tuple[str, ...]) -> str:
        """Let a new key in wherever this person is a member; the line that hands it over. Refused `no-commons`."""
        me = self._runtime.keys.person.public
        device = SigningKey(secrets.token_bytes(32))
        let_in: list[CommonsId] = []
        for commons in sorted(self._runtime.replica.followed())[:DEVICE_LINE_COMMONS_MAX]:
            charter = self._runtime.replica.charter(commons)
            if charter is not None and charter.is_member(me):
                await self._acting.write(commons, add_device(commons, me, device), subject=device.public)
                let_in.append(commons)
        if not let_in:
            raise Refused(
                "no-commons", "You are a member of no commons yet: found or join one, then add your other device."
            )
        places = tuple(parse_address(address) for address in addresses)
        return DeviceLine(device.seed(), self._runtime.keys.entropy, tuple(let_in), places).line()

    def lost_key(self, charter: Charter) -> bytes | None:
        """The admitted key that this person's recovery words can replace, where the key at hand is not admitted."""
        if self._runtime.keys.person.public in charter.admitted:
            return None
        return charter.recoverable(recovery_hash(self._runtime.keys.recovery.public))

    async def recover(self, commons: CommonsId, old: bytes) -> None:
        """Put the key at hand in the place of `old`."""
        runtime = self._runtime
        until = (runtime.now_ms() + AHEAD_MS_MAX) << 16

        def last(plane: int) -> list[bytes]:
            found = runtime.store.last_of(commons, plane, old, until)
            return [] if found is None else [found.id]

        heads = await runtime.run(lambda: {int(plane): last(plane) for plane in (Plane.CHARTER, Plane.CATALOGUE)})
        keys = runtime.keys
        made = rotate(
            commons,
            keys.person.public,
            old,
            keys.recovery,
            next_recovery=recovery_hash(keys.recovery.public),  # the same words go on holding
            heads=heads,
        )
        await self._acting.write(commons, made, subject=keys.person.public)


def adopt_device(data: Path, line: str) -> DeviceLine:
    """Start in an empty folder as a further device of the person who made this line. Refused `identity-exists`."""
    read = parse_device_line(line)
    folder = DataFolder(data)
    folder.lock()
    try:
        folder.adopt(read.entropy, person=read.seed)
    finally:
        folder.release()
    return read
