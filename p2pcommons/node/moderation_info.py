"""Moderation as people and programs read it: values of `node.moderation_values`, made of one moment of an assembly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.entry import view_from_bytes
from p2pcommons.commons.moderation import Hidden, Waiting
from p2pcommons.commons.moderation_bodies import Report, read_moderation
from p2pcommons.core.clock import to_ms
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import MODERATION_QUEUE_SHOWN_MAX, MODERATION_REPORTS_SHOWN_MAX
from p2pcommons.core.record import Record, RecordId, Subject
from p2pcommons.node.assemblies import Moment
from p2pcommons.node.moderation_values import (
    BlockListInfo,
    HiddenInfo,
    HidingInfo,
    ListedInfo,
    QueueInfo,
    QueueItem,
    ReportInfo,
)
from p2pcommons.node.values import Instant


@dataclass(frozen=True, slots=True)
class Me:
    """This node's person among the others of a charter."""

    charter: Charter
    shown: bytes  # the key that this person is shown under
    keys: frozenset[bytes]

    @classmethod
    def of_charter(cls, charter: Charter, key: bytes) -> Me:
        """The person of this key, a member or not."""
        found = charter.person(key) or charter.out(key)
        return cls(charter, key, frozenset((key,))) if found is None else cls(charter, found.key, frozenset(found.keys))

    def of(self, key: bytes) -> bytes:
        """The key that somebody else is shown under."""
        found = self.charter.person(key) or self.charter.out(key)
        return key if found is None else found.key

    def all_keys(self, key: bytes) -> tuple[bytes, ...]:
        """All keys of the person of this key."""
        found = self.charter.person(key) or self.charter.out(key)
        return (key,) if found is None else found.keys


def hidden_info(moment: Moment, me: Me, found: Hidden, *, may_undo: bool) -> HiddenInfo:
    """Why an entry is hidden, with the words of who hid it."""
    texts = moment.texts(reason.text for reason in found.reasons if reason.text is not None)
    cases = moment.assembly.cases
    return HiddenInfo(
        entry=Subject(found.entry),
        commons=moment.charter.commons,
        proposal=None if found.proposal is None else RecordId(found.proposal),
        hidings=tuple(
            HidingInfo(
                RecordId(reason.id),
                PublicKey(reason.person),
                Instant(reason.time_ms),
                reason.reason,
                None if reason.text is None else texts.get(reason.text),
                reason.person == me.shown,
            )
            for reason in sorted(found.reasons, key=lambda one: (one.time_ms, one.id))
        ),
        appeals=tuple(
            RecordId(one)
            for one in moment.moderation().appeals
            if cases[one].form.effect.topic == ("entry", found.entry)
        ),
        lists=(),
        may_undo=may_undo,
    )


def report_info(moment: Moment, me: Me, identifier: bytes) -> ReportInfo:
    """One report of the set."""
    return _reports(moment, me, [identifier])[0]


def queue_info(moment: Moment, me: Me, by: str, may_hide: bool, may_review: bool) -> QueueInfo:
    """What waits, those that most persons reported first: at most `MODERATION_QUEUE_SHOWN_MAX`."""
    items = tuple(_item(moment, me, one) for one in moment.moderation().queue[:MODERATION_QUEUE_SHOWN_MAX])
    return QueueInfo(moment.charter.commons, by, may_hide, may_review, items)


def block_lists(moment: Moment, me: Me, followed: frozenset[bytes]) -> tuple[BlockListInfo, ...]:
    """One's own list, then those of others, ascending."""
    lists = moment.moderation().lists
    return tuple(
        BlockListInfo(
            PublicKey(person),
            person == me.shown,
            person in followed or (person == me.shown and not me.keys.isdisjoint(followed)),
            tuple(ListedInfo(PublicKey(one.key), one.reason, Instant(one.time_ms)) for one in lists.get(person, ())),
        )
        for person in sorted({*lists, *followed, me.shown} - (me.keys - {me.shown}), key=lambda p: (p != me.shown, p))
    )


def _item(moment: Moment, me: Me, waiting: Waiting) -> QueueItem:
    reports = _reports(moment, me, _last_of_each(moment, me, waiting.reports))
    return QueueItem(
        entry=Subject(waiting.entry),
        commons=moment.charter.commons,
        title=_title(moment, waiting.entry),
        persons=len(waiting.reporters),
        reasons=dict(waiting.reasons),
        since=Instant(waiting.since_ms),
        reports=reports,
    )


def _last_of_each(moment: Moment, me: Me, reports: Iterable[bytes]) -> Sequence[bytes]:
    """The last report of each person: however many somebody writes, one is shown."""
    last: dict[bytes, Record] = {}
    for identifier in reports:
        record = moment.grounds.records[identifier]
        person = me.of(record.header.author)
        if person not in last or _place(last[person]) < _place(record):
            last[person] = record
    return [record.id for record in sorted(last.values(), key=_place)][:MODERATION_REPORTS_SHOWN_MAX]


def _reports(moment: Moment, me: Me, reports: Iterable[bytes]) -> tuple[ReportInfo, ...]:
    forms: Mapping[bytes, Report] = {
        one: form
        for one in reports
        if isinstance(form := read_moderation("entry.report", moment.grounds.records[one].body or b""), Report)
    }
    texts = moment.texts(form.text for form in forms.values() if form.text is not None)
    found = []
    for identifier, form in forms.items():
        header = moment.grounds.records[identifier].header
        person = me.of(header.author)
        found.append(
            ReportInfo(
                RecordId(identifier),
                PublicKey(person),
                Instant(to_ms(header.time)),
                form.reason,
                None if form.text is None else texts.get(form.text),
                person == me.shown,
            )
        )
    return tuple(found)


def _title(moment: Moment, entry: bytes) -> str | None:
    hit = moment.reader.entry(moment.charter.commons, entry)
    view = None if hit is None else view_from_bytes(entry, hit.view)
    if view is None or not view.shown:
        return None
    return next((str(text) for key, text in view.registers.items() if key.partition(".")[0] == "title"), None)


def _place(record: Record) -> tuple[int, bytes]:
    return record.header.time, record.id
