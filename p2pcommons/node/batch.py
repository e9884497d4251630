"""Many entries at once: lines of Entry JSON in, one answer each, in order, durable when given.

Lines are taken by the thousand: one signature, one transaction, one fsync for all of them.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.draft import Draft as EntryDraft
from p2pcommons.commons.draft import draft_from_json, edit_body_new
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

_LINES_MAX: Final = 2 * TREE_LEAVES_AIM  # lines of one transaction: 0.2 s of work, 1.5 MiB
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
    waiting: list[_Line] = []
    number = 0
    clock = asyncio.get_running_loop().time
    flush_at = 0.0
    source = aiter(lines)
    coming = asyncio.ensure_future(anext(source, None))
    try:
        while True:
            # What is there is taken when the sender pauses, or when there is enough for a transaction.
            done, _ = await asyncio.wait({coming}, timeout=max(flush_at - clock(), 0) if waiting else None)
            arrived = coming.result() if done else ()
            if done and arrived is not None:
                if not waiting:
                    flush_at = clock() + _WAIT_S
                for text in arrived:
                    number += 1
                    waiting.append(_Line(number, text))
                coming = asyncio.ensure_future(anext(source, None))
            while len(waiting) >= _LINES_MAX or (waiting and (arrived is None or clock() >= flush_at)):
                taken, waiting = waiting[:_LINES_MAX], waiting[_LINES_MAX:]
                runtime.disk.check_room("the rest of this import")
                answers = await runtime.run(lambda part=taken: _write(runtime, membership, commons, part))  # type: ignore[misc]
                yield answers
            if arrived is None:
                return
    finally:
        coming.cancel()


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
                drafts.append(Draft(Plane.CATALOGUE, item.subject, prev, EDIT, body))
            self._answers[item.place] = BatchAnswer(item.line, item.subject, unchanged=body is None)
        self._runtime.replica.write(self._commons, me, drafts, self._runtime.watch.signing_ms())
        self._items.clear()
        self.subjects.clear()


def _read(text: bytes) -> EntryDraft:
    if len(text) > BATCH_LINE_BYTES_MAX:
        raise FormError("line_too_long", f"A line has at most {BATCH_LINE_BYTES_MAX} bytes.")
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormError("bad_json", f"This line is not JSON: {error}.") from None
    return draft_from_json(value)


def _kebab(code: str) -> str:
    return code.replace("_", "-")
