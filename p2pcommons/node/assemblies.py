"""The assemblies of the commons followed here, folded once for each set of plane 0 and kept (chapter 22).

The fold runs in a reader's thread, never in the event loop: from nothing the first time, and from then on by the
records that came since. Who asks several things asks them together, of one moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.charter import Charter
from p2pcommons.commons.doors import remembered_verify
from p2pcommons.commons.grounding import Grounds, ground
from p2pcommons.commons.membership import Membership as Standing
from p2pcommons.commons.minutes import Minutes, minutes, revised
from p2pcommons.commons.moderating import Moderating
from p2pcommons.commons.moderation import Moderation
from p2pcommons.commons.rules import Rules
from p2pcommons.commons.written import read_text
from p2pcommons.core.record import ZEROS, CommonsId, Record
from p2pcommons.errors import StoreError
from p2pcommons.node.runtime import Runtime
from p2pcommons.store.reading import SqliteReader

T = TypeVar("T")
_KEPT: Final = 4  # assemblies in memory: of 1,000 members, 500 proposals and 10,000 ballots one takes 30 MB
_TRIES: Final = 10  # looks at a commons that changes meanwhile


class Moment(NamedTuple):
    """An assembly as one charter has it, and what this node knows of it beside. Valid while the question lasts."""

    charter: Charter
    grounds: Grounds
    assembly: Assembly
    minutes: Minutes
    revised: Mapping[bytes, str]  # outcomes that were in force here and are no more, and why
    texts: Callable[[Iterable[bytes]], dict[bytes, str]]  # by their hashes, those that are here
    moderation: Callable[[], Moderation]  # what is hidden, what waits, whose lists say what
    reader: SqliteReader  # of this moment, for what else is asked of it

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.minutes.rules

    @property
    def everything(self) -> int:
        """The past that holds all of the set."""
        return self.assembly.pasts.all


class Assemblies:
    """Asked by those who show and write what an assembly does."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._folded: dict[CommonsId, Folded] = {}
        self._asking: dict[CommonsId, asyncio.Lock] = {}

    async def ask(
        self, find: Callable[[], Charter], commons: CommonsId, question: Callable[[Moment], T], *, noted: bool = True
    ) -> T:
        """The answer to a question of the assembly, in a reader's thread. `find`: the charter, as it is now.

        `noted`: what is in force is shown to people by this; should it ever be no more, that is told as revised.
        """
        find()  # refuses a commons that is not followed, of which nothing is kept then
        async with self._asking.setdefault(commons, asyncio.Lock()):
            for _ in range(_TRIES):
                charter = find()
                try:
                    answer, applied = await self._runtime.read(
                        lambda reader, charter=charter: self._look(reader, commons, charter, question)  # type: ignore[misc]
                    )
                except _Behind:
                    await self._runtime.run(lambda: None)  # what was written is durable when that is done
                    continue
                if noted and applied is not None:
                    await self._note(commons, applied)
                return answer
        raise StoreError("busy", "This commons changes faster than it can be read: try again in a moment.")

    def rules(self, commons: CommonsId, ids: frozenset[bytes]) -> Rules | None:
        """The rules in force in this set of plane 0, where that was the last one asked about; costs nothing."""
        folded = self._folded.get(commons)
        return folded.minutes.rules if folded is not None and folded.is_of(ids) else None

    def _look(
        self, reader: SqliteReader, commons: CommonsId, charter: Charter, question: Callable[[Moment], T]
    ) -> tuple[T, bytes | None]:
        with reader.moment():
            folded = self._fold(reader, commons, charter)
            before = _ids(reader.value(_applied_name(commons)))
            holding = {
                minute.id for minute in folded.minutes.proposals if _holds(minute.state, minute.topic, minute.in_force)
            }
            shown = [replace(m, in_force=True, state="passed") for m in folded.minutes.proposals if m.id in before]
            undone = revised(Minutes(tuple(shown), folded.minutes.rules), folded.minutes)

            def texts(hashes: Iterable[bytes]) -> dict[bytes, str]:
                return _texts(reader, charter, hashes)

            moment = Moment(
                charter,
                folded.grounds,
                folded.assembly,
                folded.minutes,
                {one.proposal: one.why for one in undone},
                texts,
                lambda: folded.moderation(charter),
                reader,
            )
            return question(moment), None if holding <= before else b"".join(sorted(before | holding))

    def _fold(self, reader: SqliteReader, commons: CommonsId, charter: Charter) -> Folded:
        folded = self._folded.pop(commons, None)
        if folded is None or not folded.come_to(reader, charter.set_ids):
            records = [record for record in reader.charter(commons) if record.id in charter.set_ids]
            if len(records) < len(charter.set_ids):
                raise _Behind
            folded = Folded(records, charter)
        self._folded[commons] = folded  # the last one asked comes last
        while len(self._folded) > _KEPT:
            del self._folded[next(iter(self._folded))]
        return folded

    async def _note(self, commons: CommonsId, applied: bytes) -> None:
        """Keep which outcomes this node has shown as in force."""

        def put() -> None:
            with self._runtime.store.transaction():
                self._runtime.store.put_value(_applied_name(commons), applied)

        await self._runtime.run(put)


class _Behind(Exception):
    """The charter has records that a reader does not see yet."""


class Folded:
    """One set of plane 0, folded; it may grow."""

    def __init__(self, records: Iterable[Record], charter: Charter) -> None:
        self._ids = charter.set_ids
        self.grounds = ground({record.id: record for record in records}, charter.commons, remembered_verify)
        self.assembly = Assembly(self.grounds, Standing(self.grounds))
        self.minutes = minutes(self.assembly)
        self._moderating: Moderating | None = None  # from the first question on
        self._moderation: Moderation | None = None  # as it is now

    def moderation(self, charter: Charter) -> Moderation:
        """What is hidden, what waits, whose lists say what. `charter`: the one that this was folded for."""
        if self._moderating is None:
            shown = {key: one.key for one in charter.members for key in one.keys}
            shown |= {key: one.key for one in charter.former for key in one.keys}
            in_set = (record for record in self.grounds.records.values() if record.id in self._ids)
            self._moderating = Moderating(self.assembly, in_set, charter.admitted, shown)
        if self._moderation is None:
            self._moderation = self._moderating.moderation()
        return self._moderation

    def is_of(self, ids: frozenset[bytes]) -> bool:
        """Whether it is this set."""
        return self._ids is ids or self._ids == ids

    def come_to(self, reader: SqliteReader, ids: frozenset[bytes]) -> bool:
        """Take what a greater set has more; False where it has to be folded anew."""
        if self.is_of(ids):
            return True
        if not self._ids < ids:
            return False
        new = ids - self._ids
        records: dict[bytes, Record] = {sealed.record.id: sealed.record for sealed in reader.sealed(new)}
        if len(records) < len(new):
            raise _Behind
        for record in ancestors_first(records):
            if not self.assembly.take(record):
                return False
            if self._moderating is not None:
                self._moderating.note(record)
        self._ids = ids
        self._moderation = None
        self.minutes = minutes(self.assembly)
        return True


def ancestors_first(records: Mapping[bytes, Record]) -> list[Record]:
    """These records, each behind those of them that it names."""
    found: dict[bytes, Record] = {}
    for identifier in records:
        path = [identifier]
        while path:
            record = records[path[-1]]
            more = [one for one in record.header.prev if one in records and one not in found]
            if more:
                path.append(more[0])
            else:
                found[path.pop()] = record
    return list(found.values())


def _texts(reader: SqliteReader, charter: Charter, hashes: Iterable[bytes]) -> dict[bytes, str]:
    wanted = set(hashes) - {ZEROS}
    found: dict[bytes, str] = {}
    for named, records in reader.about(charter.commons, wanted).items():
        left = (r for r in records if charter.erased_fields(r.id, r.header.author) is None)
        text = read_text(left, named)
        if text is not None:
            found[named] = text
    return found


def _holds(state: str, topic: object, in_force: bool) -> bool:
    return in_force if topic is not None else state == "passed"


def _ids(kept: bytes | None) -> set[bytes]:
    joined = kept or b""
    return {joined[at : at + 32] for at in range(0, len(joined), 32)}


def _applied_name(commons: bytes) -> str:
    return f"applied/{commons.hex()}"
