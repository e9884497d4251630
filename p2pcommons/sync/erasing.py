"""What a change of the charter erases and shows again (chapters 12 and 20).

A charter says which records are erased, a store holds them; what is made of that is the holding's.
"""

from __future__ import annotations

from typing import NamedTuple

from p2pcommons.core.record import Plane
from p2pcommons.sync.meaning import CharterSets
from p2pcommons.sync.storage import Reader

_IDS_PER_STEP = 4096  # records of one read where there may be any number: some 10 MB


class Erased(NamedTuple):
    """Catalogue records whose erasure changed, and the entries they are about."""

    subjects: set[bytes]
    hidden: set[bytes]  # erased from now on
    shown: set[bytes]  # erased no more
    lost: set[bytes]  # of these, the ones whose body has gone meanwhile


def newly_erased(store: Reader, before: CharterSets | None, after: CharterSets) -> Erased:
    """Compare two charters over the records that their erasures name."""
    earlier, now = ({} if before is None else before.erasures), after.erasures
    named = [one for one in (earlier.keys() | now.keys()) if earlier.get(one) != now.get(one)]
    found = Erased(set(), set(), set(), set())
    for start in range(0, len(named), _IDS_PER_STEP):
        for record in (sealed.record for sealed in store.sealed(named[start : start + _IDS_PER_STEP])):
            author = record.header.author
            then = None if before is None else before.erased_fields(record.id, author)
            fields = after.erased_fields(record.id, author)
            if record.header.plane != Plane.CATALOGUE or then == fields:
                continue
            found.subjects.add(record.header.subject)
            if then is None:
                found.hidden.add(record.id)
            elif fields is None:
                found.shown.add(record.id)
                if record.body is None:
                    found.lost.add(record.id)
    return found
