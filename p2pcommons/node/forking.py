"""Forking: a commons founded from the state of another one (chapter 24, "Forks").

Three steps, each of which may be the last of one run: the base is written to a pack file as it is now, the fork is
founded and names it, what the base shows is copied. The same command again goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from p2pcommons.commons.charter_bodies import Made, found
from p2pcommons.commons.charter_text import founding_fields
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.entry import view_from_bytes
from p2pcommons.commons.entry_json import entry_json
from p2pcommons.commons.forks import PLANES, Base, BaseSet, copy_of, read_base
from p2pcommons.commons.query import Query
from p2pcommons.commons.rules import RULES, Rules
from p2pcommons.core.limits import PAGE_ITEMS_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import Refused
from p2pcommons.node.batch import batch
from p2pcommons.node.beginnings import Beginnings, base_file, founding_content
from p2pcommons.node.exchange import write_pack_file
from p2pcommons.node.folder import FORKS
from p2pcommons.node.founding import found_with_words
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Progress
from p2pcommons.store.reading import SqliteReader


class Copied(NamedTuple):
    """How the copying ended."""

    fork: CommonsId
    base: Base
    copied: int
    kept: int
    refused: dict[str, int]


class Forking:
    """Forks of the commons followed here."""

    def __init__(self, runtime: Runtime, membership: Membership, beginnings: Beginnings) -> None:
        self._runtime = runtime
        self._membership = membership
        self._beginnings = beginnings
        self._one = asyncio.Lock()

    async def fork(self, base: CommonsId, name: str, progress: Progress | None) -> Copied:
        """Found a fork, or go on with it. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        async with self._one:  # asked twice at once, the second goes on with what the first founded
            return await self._go_on(base, name, progress)

    async def _go_on(self, base: CommonsId, name: str, progress: Progress | None) -> Copied:
        self._membership.charter(base)
        begun = await self._begun(base, name)
        if begun is None:
            self._runtime.disk.check_room("a fork")
            begun = await self._found(base, name)
        fork, then = begun
        done = await self._runtime.read(lambda reader: reader.value(_done_name(fork)))
        if done is not None:
            return Copied(fork, then, 0, int(done), {})
        copied, kept, refused = await self._copy(base, fork, progress)

        def note() -> None:
            with self._runtime.store.transaction():
                self._runtime.store.put_value(_done_name(fork), str(copied + kept).encode())

        await self._runtime.run(note)
        return Copied(fork, then, copied, kept, refused)

    async def _begun(self, base: CommonsId, name: str) -> tuple[CommonsId, Base] | None:
        """The fork of this base and name that this person founded here, if there is one; the first by id."""
        me = self._runtime.keys.person.public
        followed = self._runtime.replica.followed()

        def find(reader: SqliteReader) -> tuple[CommonsId, Base] | None:
            for one in sorted(followed):
                content = founding_content(reader, one)
                found_base = read_base(content.get("base"))
                if found_base is None or found_base.commons != base or content.get("name") != name:
                    continue
                if any(sealed.record.header.author == me for sealed in reader.sealed([one])):
                    return one, found_base
            return None

        return await self._runtime.read(find)

    async def _found(self, base: CommonsId, name: str) -> tuple[CommonsId, Base]:
        """Freeze the base in a file, and found the fork that names it: in one job, so that nothing comes between."""
        runtime = self._runtime
        charter = self._membership.charter(base)
        rules, own = await self._beginnings.charter(base)
        founding = _founding(charter.name, name, rules, recovery_hash(runtime.keys.recovery.public))
        body = founding.body | {
            key: value
            for key, value in (("languages", list(charter.languages)), ("territory", charter.territory))
            if value
        }

        def write() -> tuple[CommonsId, Base]:
            sets = [BaseSet(int(plane), *runtime.replica.opening(base, plane)) for plane in PLANES]
            then = Base(base, (sets[0], sets[1]))
            (runtime.folder.path / FORKS).mkdir(mode=0o700, exist_ok=True)
            write_pack_file(runtime.replica, [base], base_file(runtime.folder.path, then), runtime.check_going_on)
            return found_with_words(runtime, Made(founding.kind, {**body, "base": then.value()}), own), then

        return await runtime.run(write, joins=True)

    async def _copy(
        self, base: CommonsId, fork: CommonsId, progress: Progress | None
    ) -> tuple[int, int, dict[str, int]]:
        """Write what the base shows into the fork: what is there already stays as it is."""
        runtime = self._runtime
        total = runtime.digest(base).entries
        copied = kept = 0
        refused: Counter[str] = Counter()

        async def lines() -> AsyncIterator[Sequence[bytes]]:
            cursor: str | None = None
            while True:
                page = Query(commons=(base,), sort="created", limit=PAGE_ITEMS_MAX, cursor=cursor)
                found_page = await runtime.read(lambda reader, page=page: reader.search(page))  # type: ignore[misc]
                entries = [entry_json(view_from_bytes(hit.subject, hit.view), hit.commons) for hit in found_page.hits]
                yield [json.dumps(copy_of(entry, base), ensure_ascii=False).encode() for entry in entries]
                cursor = found_page.cursor
                if cursor is None:
                    return

        async for answers in await batch(runtime, self._membership, fork, lines()):
            runtime.check_going_on()
            for answer in answers:
                if answer.code is not None:
                    refused[answer.code] += 1
                elif answer.unchanged:
                    kept += 1
                else:
                    copied += 1
            if progress is not None:
                progress(copied + kept + sum(refused.values()), total)
        return copied, kept, dict(refused)


def _founding(base_name: str, name: str, rules: Rules, recovery: bytes) -> Made:
    """A founding record with the rules in force of another commons."""
    params = {rule: dict(rules.params(rule)) for rule in RULES}
    if not name.strip():
        raise Refused("bad-name", f"A fork needs a name of its own, so that nobody takes it for {base_name!r}.")
    return found(
        name,
        entropy=secrets.token_bytes(32),
        recovery=recovery,
        template=rules.template or None,
        rules=params,
        **founding_fields(params),
    )


def _done_name(commons: bytes) -> str:
    return f"fork/{commons.hex()}/done"
