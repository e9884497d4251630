"""Erasing what one wrote: bodies go, headers stay, and hosts that obey say so (CHARTER-20, chapter 20).

A person erases their own records about one subject: an entry, or a text that is named by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import erase
from p2pcommons.commons.edit import EDIT, read_edit
from p2pcommons.commons.entry import entry_record
from p2pcommons.core.record import CommonsId, Record, Subject
from p2pcommons.errors import Conflict
from p2pcommons.node.acting import Acting
from p2pcommons.node.membership import Membership
from p2pcommons.node.moderation_values import ErasedInfo
from p2pcommons.node.runtime import Runtime

_RECORDS_PER_ACT: Final = 32  # with the names of all that each had written they stay below a body's 64 KiB


class OwnWords:
    """What this node's person takes back."""

    def __init__(self, runtime: Runtime, membership: Membership) -> None:
        self._runtime = runtime
        self._membership = membership
        self._acting = Acting(runtime)

    async def erase(self, commons: CommonsId, subject: Subject) -> ErasedInfo:
        """Erase all that this person wrote about an entry. Conflict `nothing-of-yours`, `commons-waiting`."""
        charter = self._membership.charter(commons)
        me = self._runtime.keys.person.public
        found = charter.person(me) or charter.out(me)
        keys = frozenset((me,) if found is None else found.keys)
        records = await self._runtime.run(lambda: self._runtime.replica.history(commons, subject))
        own = [record for record in records if record.header.author in keys and _stands(charter, record)]
        if not own:
            raise Conflict(
                "nothing-of-yours", "Nothing that you wrote stands there: `p2pcommons entry history ID` shows who did."
            )
        for at in range(0, len(own), _RECORDS_PER_ACT):
            items: Mapping[bytes, list[str]] = {
                record.id: _fields(record) for record in own[at : at + _RECORDS_PER_ACT]
            }
            await self._acting.write(commons, erase(items), subject=commons)
        return ErasedInfo(subject, commons, len(own))


def _stands(charter: Charter, record: Record) -> bool:
    return charter.erased_fields(record.id, record.header.author) is None


def _fields(record: Record) -> list[str]:
    """The register fields that a body wrote: what it had in the place of others stays so."""
    read = entry_record(record)
    edit = read_edit(read.body) if read.kind == EDIT and read.body is not None else None
    return [] if edit is None else sorted({*edit.registers, *edit.cleared})
