"""Names that people give themselves in a commons (chapter 21, "Names")."""

from __future__ import annotations

from collections.abc import Iterable

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.names import PROFILE, name_of, profile
from p2pcommons.core.record import CommonsId, Plane, Record, Subject
from p2pcommons.errors import FormError, Refused
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.store.reading import SqliteReader
from p2pcommons.sync.replica import Draft


class Naming:
    """What this node's person calls themselves."""

    def __init__(self, runtime: Runtime, membership: Membership) -> None:
        self._runtime = runtime
        self._membership = membership

    async def say(self, commons: CommonsId, name: str) -> None:
        """Call oneself so from now on; an empty name takes it back. Refused `bad-person-name`, `not-a-member`."""
        try:
            body = profile(name)
        except FormError as error:
            raise Refused("bad-person-name", error.detail) from error
        await self._membership.ensure(commons)
        runtime = self._runtime
        me = runtime.keys.person
        draft = Draft(Plane.CATALOGUE, Subject(me.public), (), PROFILE, body)
        await runtime.run(lambda: runtime.replica.write(commons, me, [draft], runtime.watch.signing_ms()))


def names_of(reader: SqliteReader, charter: Charter, persons: Iterable[tuple[bytes, ...]]) -> dict[bytes, str]:
    """The names of persons, each given by all of their keys, by every key."""

    def stands(record: Record) -> bool:
        author = record.header.author
        return charter.counts(record.id, author) and charter.erased_fields(record.id, author) is None

    some = list(persons)
    about = reader.about(charter.commons, {key for keys in some for key in keys})
    found: dict[bytes, str] = {}
    for keys in some:
        name = name_of((record for key in keys for record in about.get(key, ())), keys, stands)
        if name is not None:
            found.update(dict.fromkeys(keys, name))
    return found
