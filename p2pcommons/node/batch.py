"""Many entries at once: lines of Entry JSON in, one answer each, in order, durable when given.

Lines are taken by the thousand: one signature, one transaction, one fsync for all of them.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final, NamedTuple

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.draft import Draft as EntryDraft
from p2pcommons.commons.draft import draft_from_json, edit_body_new, edit_new
from p2pcommons.commons.edit import EDIT
from p2pcommons.commons.entry import entry_record, predecessors
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX, TREE_LEAVES_AIM
from p2pcommons.core.record import CommonsId, Plane, Subject, entry_id_normalised
from p2pcommons.errors import FormError, P2PCommonsError
from p2pcommons.node.entries import SUBJECT_BYTES, change
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import BatchAnswer
from p2pcommons.sync.replica import Draft

_LINES_MAX: Final = 4 * TREE_LEAVES_AIM  # lines of one transaction: 0.25 s of work, 3 MiB; half as many cost 5 % more
_read_json: Final = json.JSONDecoder().raw_decode  # without `loads`' looks at encoding and white space: a quarter less
_WAIT_S: Final = 0.1  # how long lines wait for more lines


class _Line(NamedTuple):
    number: int
    text: bytes


async def batch(
    runtime: Runtime, membership: Membership, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
) -> AsyncIterator[Sequence[BatchAnswer]]:
    """See `api.verbs.Verbs.batch`. Refusals of the whole batch are raised before a line is read."""
    runtime.disk.check_room("an import")
    await membership.ensure(commons)
    return _answers(runtime, membership, commons, lines)


async def _answers(
    runtime: Runtime, membership: Membership, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
) -> AsyncIterator[Sequence[BatchAnswer]]:
    ahead = _ReadAhead()
    reading = asyncio.create_task(ahead.read(lines))
    try:
        while taken := await ahead.take():
            runtime.disk.check_room("the rest of this import")
            yield await runtime.run(lambda part=taken: _write(runtime, membership, commons, part))  # type: ignore[misc]
        await reading  # raises what ended it
    finally:
        reading.cancel()


class _ReadAhead:
    """Lines that come while those before them are written. As many wait as one transaction takes, and no more."""

    def __init__(self) -> None:
        self._waiting: list[_Line] = []
        self._ended = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def read(self, lines: AsyncIterator[Sequence[bytes]]) -> None:
        """Take lines in until they end."""
        numbers = count(1)
        try:
            async for arrived in lines:
                self._waiting += [_Line(number, text) for text, number in zip(arrived, numbers, strict=False)]
                self._news.set()
                while len(self._waiting) >= _LINES_MAX:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._ended = True
            self._news.set()

    async def take(self) -> list[_Line]:
        """The lines of the next transaction: as many as it takes, or what came before the sender paused; none: the end."""
        while not self._waiting and not self._ended:
            await self._more(None)
        clock = asyncio.get_running_loop().time
        until = clock() + _WAIT_S
        while len(self._waiting) < _LINES_MAX and not self._ended and clock() < until:
            await self._more(until)
        taken = self._waiting[:_LINES_MAX]
        del self._waiting[:_LINES_MAX]
        self._room.set()
        return taken

    async def _more(self, until: float | None) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._news.wait()


def _write(runtime: Runtime, membership: Membership, commons: CommonsId, lines: Sequence[_Line]) -> list[BatchAnswer]:
    """Answer some lines; in the engine's thread."""
    charter = membership.charter(commons)
    answers: list[BatchAnswer | None] = []
    group = _Group(runtime, commons, charter)
    for line in lines:
        if not line.text.strip():
            continue
        try:
            draft = _read(line.text)
            subject = (
                Subject(secrets.token_bytes(SUBJECT_BYTES))
                if draft.source is None
                else entry_id_normalised(commons, draft.source)
            )
        except P2PCommonsError as error:
            answers.append(BatchAnswer(line.number, None, code=_kebab(error.code), detail=error.detail))
            continue
        if subject in group.subjects:
            group.flush()  # the same source twice: the second is an edit of the first, which must be there
        group.add(_Item(line.number, len(answers), subject, draft), answers)
    group.flush()
    return [answer for answer in answers if answer is not None]


class _Item(NamedTuple):
    line: int
    place: int  # in the list of answers
    subject: Subject
    draft: EntryDraft


class _Group:
    """Lines about distinct entries, written in one transaction."""

    def __init__(self, runtime: Runtime, commons: CommonsId, charter: Charter) -> None:
        self._runtime = runtime
        self._commons = commons
        self._charter = charter
        self._items: list[_Item] = []
        self._answers: list[BatchAnswer | None] = []
        self.subjects: set[bytes] = set()

    def add(self, item: _Item, answers: list[BatchAnswer | None]) -> None:
        """Take one line; its place among the answers is kept free."""
        self._answers = answers
        answers.append(None)
        self._items.append(item)
        self.subjects.add(item.subject)

    def flush(self) -> None:
        """Write what is there and fill in the answers."""
        if not self._items:
            return
        me = self._runtime.keys.person
        sourced = [item.subject for item in self._items if item.draft.source is not None]
        known = set(self._runtime.store.entries(self._commons, sourced)) if sourced else set()
        about = self._runtime.store.about(self._commons, known) if known else {}
        drafts: list[Draft] = []
        for item in self._items:
            records = about.get(item.subject, [])
            try:
                body = change(records, self._charter, item.draft, me.public) if records else edit_body_new(item.draft)
            except FormError as error:
                self._answers[item.place] = BatchAnswer(item.line, None, code=_kebab(error.code), detail=error.detail)
                continue
            if body is not None:
                prev = predecessors([entry_record(record) for record in records], me.public) if records else ()
                edit = None if records else edit_new(item.draft)
                drafts.append(Draft(Plane.CATALOGUE, item.subject, prev, EDIT, body, edit, item.subject not in known))
            self._answers[item.place] = BatchAnswer(item.line, item.subject, unchanged=body is None)
        self._runtime.replica.write(self._commons, me, drafts, self._runtime.watch.signing_ms())
        self._items.clear()
        self.subjects.clear()


def _read(text: bytes) -> EntryDraft:
    if len(text) > BATCH_LINE_BYTES_MAX:
        raise FormError("line_too_long", f"A line has at most {BATCH_LINE_BYTES_MAX} bytes.")
    return draft_from_json(_json(text))


def _json(text: bytes) -> Any:
    try:
        value, end = _read_json(line := text.decode())
        if end == len(line):
            return value
    except (ValueError, RecursionError):
        pass  # white space before it, half a character, or a fault
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormError("bad_json", f"This line is not JSON: {error}.") from None


def _kebab(code: str) -> str:
    return code.replace("_", "-")
