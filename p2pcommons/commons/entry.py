"""Entries as CRDTs: the fold of the records about one subject (chapter 20).

A view is a pure, total and deterministic function of a set of records: no order of arrival, no clock, nothing
local. Two layers of writes, human and import; one pass from the latest records back to the first finds what is
superseded, in time that grows with the edges. Knows no charter: whether an author's writes count comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from p2pcommons.commons.edit import EDIT, WITHDRAW, Edit, element_key, read_edit, read_withdraw
from p2pcommons.commons.vocabulary import register_field
from p2pcommons.core.encoding import pack_ordered, unpack_ordered
from p2pcommons.core.identity import TAG_VIEW
from p2pcommons.core.limits import FOLD_KEYS_PER_PASS, PREV_MAX
from p2pcommons.core.record import Record


class EntryRecord(NamedTuple):
    """One record about a subject, ready for the fold."""

    id: bytes
    time: int
    author: bytes
    prev: tuple[bytes, ...]
    kind: str
    body: Mapping[str, Any] | None
    """None where it was erased or is not here."""
    counts: bool
    """Whether its author's writes count. One that does not is as absent, but its `prev` carries causality."""


class Withdrawal(NamedTuple):
    """Who withdrew an entry, and when (record time)."""

    by: bytes
    time: int
    reason: str | None


class EntryView(NamedTuple):
    """What people see of one entry.

    `registers` by register key (`title`, `title.fr`), `sets` by field name. `conflicts`: by register key, the values
    written at the same time as the shown one. `offered`: by register key or set, values of imports that people's
    own writes hide. Times are record times, 0 where there is no edit.
    """

    subject: bytes
    registers: Mapping[str, Any]
    sets: Mapping[str, list[Any]]
    conflicts: Mapping[str, list[Any]]
    offered: Mapping[str, list[Any]]
    withdrawn: Withdrawal | None
    authors: tuple[bytes, ...]
    created: int
    updated: int
    heads: tuple[bytes, ...]
    sources: tuple[str, ...]

    @property
    def fields(self) -> dict[str, Any]:
        """All shown values: registers by key, sets by name."""
        return {**self.registers, **self.sets}

    @property
    def exists(self) -> bool:
        """Whether there is an edit that counts."""
        return bool(self.authors)

    @property
    def shown(self) -> bool:
        """Whether lists and search show it."""
        return bool(self.authors) and self.withdrawn is None

    def canonical(self) -> bytes:
        """The bytes that equal views share (MERGE-24)."""
        withdrawn = self.withdrawn
        return pack_ordered(
            {
                "authors": list(self.authors),
                "conflicts": self.conflicts,
                "created": self.created,
                "heads": list(self.heads),
                "offered": self.offered,
                "registers": self.registers,
                "sets": self.sets,
                "sources": list(self.sources),
                "updated": self.updated,
                "withdrawn": None if withdrawn is None else list(withdrawn),
            }
        )


def view_from_bytes(subject: bytes, canonical: bytes) -> EntryView:
    """The view whose canonical bytes these are; bytes that this node made, not a stranger's."""
    v = unpack_ordered(canonical)
    withdrawn = None if v["withdrawn"] is None else Withdrawal(*v["withdrawn"])
    return EntryView(
        subject, v["registers"], v["sets"], v["conflicts"], v["offered"], withdrawn, tuple(v["authors"]), v["created"],
        v["updated"], tuple(v["heads"]), tuple(v["sources"]),
    )  # fmt: skip


def view_digest(subject: bytes, canonical: bytes) -> bytes:
    """An entry's part of `state`: 32 bytes (MERGE-25)."""
    return sha256(TAG_VIEW + subject + canonical).digest()


def view_tag(subject: bytes, canonical: bytes) -> str:
    """A short text that changes whenever the view does, for ETag and If-Match (without quotes)."""
    return view_digest(subject, canonical).hex()[:32]


def entry_record(record: Record, counts: bool = True) -> EntryRecord:
    """A record as the fold takes it; its body was checked when it came."""
    header = record.header
    body = None if record.body is None else unpack_ordered(record.body)
    return EntryRecord(record.id, header.time, header.author, header.prev, header.kind, body, counts)


def fold_single(record: Record) -> EntryView:
    """The fold of one record that counts and is not erased: equal to `fold`, and much faster."""
    header = record.header
    if record.body is not None and header.kind == EDIT and record.id not in header.prev:
        edit = read_edit(unpack_ordered(record.body))
        if edit is not None:
            sources = () if edit.origin is None else (edit.origin,)
            return EntryView(
                header.subject, edit.registers, edit.sets, _EMPTY, _EMPTY, None, (header.author,), header.time,
                header.time, (record.id,), sources,
            )  # fmt: skip
    return fold(header.subject, (entry_record(record),))


def fold(
    subject: bytes, records: Sequence[EntryRecord], erased: Mapping[bytes, frozenset[str]] | None = None
) -> EntryView:
    """The view of these records about one subject, in any order, repeats ignored.

    `erased`: record ids that an erasure names, with the register keys they had written. Total: a record whose past
    holds itself (no honest hash can) is left out with all that it rests on.
    """
    acts, heads = _acts(records, erased or {})
    acts_by_place = sorted(acts, key=_place)
    edits = [act for act in acts_by_place if act.edit is not None]
    _mark_superseded(acts)
    registers, conflicts, offered = _registers(acts_by_place)
    sets, offered_elements = _sets(acts_by_place)
    offered.update(offered_elements)
    withdrawn = _withdrawal(acts) if any(act.withdraws for act in acts) else None
    times = [act.record.time for act in acts_by_place if act.edit is not None or act.withdraws]
    return EntryView(
        subject,
        registers,
        sets,
        conflicts,
        dict(sorted(offered.items())),
        withdrawn,
        tuple(dict.fromkeys(act.record.author for act in edits)),
        edits[0].record.time if edits else 0,
        times[-1] if edits else 0,
        tuple(heads),
        tuple(dict.fromkeys(act.edit.origin for act in edits if act.edit and act.edit.origin is not None)),
    )


def predecessors(records: Iterable[EntryRecord], author: bytes) -> tuple[bytes, ...]:
    """The `prev` of a new record about the subject of all these: its heads, at most 32 (REC: own last first, then
    the latest of distinct keys, then the latest)."""
    acts, heads = _acts(list(records), {})
    if len(heads) <= PREV_MAX:
        return tuple(heads)
    known = set(heads)
    latest_first = sorted((act.record for act in acts if act.record.id in known), key=_record_place, reverse=True)
    firsts = list({record.author: record for record in reversed(latest_first)}.values())
    firsts.sort(key=lambda record: (record.author != author, -record.time))
    chosen = dict.fromkeys(record.id for record in (*firsts, *latest_first))
    return tuple(sorted(list(chosen)[:PREV_MAX]))


# -- what follows is the fold's own

_EMPTY: Final[Mapping[str, list[Any]]] = {}
_Element = tuple[str, str | bytes]  # field name and canonical value
_CLEARED: Final = object()


class _Act:
    """One record in its place: what it writes, what stands before it, what of it was superseded."""

    __slots__ = ("edit", "elements", "human", "parents", "reason", "record", "registers", "superseded", "withdraws")

    def __init__(self, record: EntryRecord) -> None:
        self.record = record
        self.parents: list[_Act] = []
        self.edit: Edit | None = None
        self.human = True
        self.withdraws = False
        self.reason: str | None = None
        self.registers: dict[str, Any] = {}  # register key → value or _CLEARED
        self.elements: dict[_Element, tuple[int, Any] | None] = {}  # → (place in its list, value); None: removed
        self.superseded: set[str | _Element] = set()

    def read(self, erased: frozenset[str] | None) -> None:
        """Find what the record writes (MERGE-8, MERGE-20)."""
        record = self.record
        if not record.counts:
            return
        if erased is not None:
            if record.kind == EDIT:
                self.registers = {key: _CLEARED for key in erased if register_field(key) is not None}
            return
        if record.body is None:
            return
        if record.kind == WITHDRAW:
            reason = read_withdraw(record.body)
            if reason is not None:
                self.withdraws, self.reason = True, reason[0]
        elif record.kind == EDIT:
            edit = read_edit(record.body)
            if edit is not None:
                self._write(edit)

    def _write(self, edit: Edit) -> None:
        self.edit = edit
        self.human = edit.origin is None
        self.registers = {**dict.fromkeys(edit.cleared, _CLEARED), **edit.registers}
        for name, values in edit.removed.items():
            for value in values:
                self.elements[name, element_key(value)] = None
        for name, values in edit.sets.items():
            for index, value in enumerate(values):
                self.elements[name, element_key(value)] = (index, value)


def _place(act: _Act) -> tuple[int, bytes]:
    return act.record.time, act.record.id


def _record_place(record: EntryRecord) -> tuple[int, bytes]:
    return record.time, record.id


def _acts(records: Sequence[EntryRecord], erased: Mapping[bytes, frozenset[str]]) -> tuple[list[_Act], list[bytes]]:
    """All records once, each behind everything that has it in its past; and the ids of the heads, ascending."""
    by_id: dict[bytes, _Act] = {}
    for record in records:
        if record.id not in by_id or by_id[record.id].record.body is None:
            by_id[record.id] = _Act(record)
    children = dict.fromkeys(by_id, 0)
    for act in by_id.values():
        for past in dict.fromkeys(act.record.prev):
            if past in by_id:
                act.parents.append(by_id[past])
                children[past] += 1
    ordered = [act for identifier, act in by_id.items() if not children[identifier]]
    heads = sorted(act.record.id for act in ordered)
    for act in ordered:  # grows while it is read: a record comes when all that rest on it have come
        for parent in act.parents:
            children[parent.record.id] -= 1
            if not children[parent.record.id]:
                ordered.append(parent)
    for act in ordered:
        act.read(erased.get(act.record.id))
    return ordered, heads


def _mark_superseded(acts: Sequence[_Act]) -> None:
    """One pass from the heads back, each record handing on which keys were written after it (MERGE-10, MERGE-11).

    A key is a bit; keys that one record alone writes need none. The pass is repeated for every FOLD_KEYS_PER_PASS
    keys, so that memory stays bounded whatever strangers write.
    """
    writers: dict[str | _Element, int] = {}
    for act in acts:
        for key in (*act.registers, *act.elements):
            writers[key] = writers.get(key, 0) + 1
    shared = [key for key, count in writers.items() if count > 1]
    for start in range(0, len(shared), FOLD_KEYS_PER_PASS):
        bits = {key: 1 << at for at, key in enumerate(shared[start : start + FOLD_KEYS_PER_PASS])}
        later: dict[bytes, tuple[int, int]] = {}  # record id → keys written later by people, by anybody
        for act in acts:
            by_people, by_any = later.pop(act.record.id, (0, 0))
            hidden_by = by_people if act.human else by_any
            written = 0
            for key in (*act.registers, *act.elements):
                bit = bits.get(key)
                if bit is not None:
                    written |= bit
                    if hidden_by & bit:
                        act.superseded.add(key)
            by_any |= written
            if act.human:
                by_people |= written
            if by_any:
                for parent in act.parents:
                    known_people, known_any = later.get(parent.record.id, (0, 0))
                    later[parent.record.id] = (known_people | by_people, known_any | by_any)


def _registers(
    acts_by_place: Sequence[_Act],
) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, list[Any]]]:
    """Shown values, conflicts and offers of all registers (MERGE-12 to MERGE-14)."""
    standing: dict[str, tuple[list[Any], list[Any]]] = {}  # key → values by people and by imports, latest first
    for act in reversed(acts_by_place):
        for key, value in act.registers.items():
            if key not in act.superseded:
                standing.setdefault(key, ([], []))[0 if act.human else 1].append(value)
    shown: dict[str, Any] = {}
    conflicts: dict[str, list[Any]] = {}
    offered: dict[str, list[Any]] = {}
    for key in sorted(standing):
        by_people, by_imports = standing[key]
        values = _distinct(by_people or by_imports)
        if values:
            shown[key] = values[0]
        if by_people:
            if len(values) > 1:
                conflicts[key] = values[1:]
            if by_imports:
                others = _distinct(values + _distinct(by_imports))[len(values) :]
                if others:
                    offered[key] = others
    return shown, conflicts, offered


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Values in their order without clears, equal canonical values once (MERGE-9)."""
    found = [value for value in values if value is not _CLEARED]
    return found if len(found) < 2 else list({element_key(value): value for value in reversed(found)}.values())[::-1]


def _sets(acts_by_place: Sequence[_Act]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Shown and offered elements of all sets, each by the place of its first standing add (MERGE-15 to MERGE-17)."""
    standing: dict[_Element, tuple[list[Any], list[Any]]] = {}  # by people and by imports, earliest first
    for place, act in enumerate(acts_by_place):
        for element, added in act.elements.items():
            if element not in act.superseded:
                write = None if added is None else (place, *added)
                standing.setdefault(element, ([], []))[0 if act.human else 1].append(write)
    shown: dict[str, list[tuple[int, int, Any]]] = {}
    offered: dict[str, list[tuple[int, int, Any]]] = {}
    for (name, _), (by_people, by_imports) in standing.items():
        adds = [write for write in by_people or by_imports if write is not None]
        offers = [write for write in by_imports if write is not None]
        if adds:
            shown.setdefault(name, []).append(adds[0])
        elif by_people and offers:
            offered.setdefault(name, []).append(offers[0])
    return _in_place(shown), _in_place(offered)


def _in_place(found: dict[str, list[tuple[int, int, Any]]]) -> dict[str, list[Any]]:
    return {name: [value for _, _, value in sorted(found[name], key=_first_two)] for name in sorted(found)}


def _first_two(write: tuple[int, int, Any]) -> tuple[int, int]:
    return write[0], write[1]


_WITHDRAWS_PER_PASS: Final = 1024  # bits carried at once: 128 bytes a record


def _withdrawal(acts: Sequence[_Act]) -> Withdrawal | None:
    """The latest withdraw that no edit lifts: each edit is in its past, or is an import with it in its past
    (MERGE-18)."""
    candidates = sorted((act for act in acts if act.withdraws), key=_place, reverse=True)
    for start in range(0, len(candidates), _WITHDRAWS_PER_PASS):
        some = candidates[start : start + _WITHDRAWS_PER_PASS]
        bits = {act.record.id: 1 << at for at, act in enumerate(some)}
        after = _reached(acts, bits, forwards=False)
        before = _reached(acts, bits, forwards=True)
        standing = (1 << len(some)) - 1
        for act in acts:
            if act.edit is not None:
                comparable = after[act.record.id] | (0 if act.human else before[act.record.id])
                standing &= comparable
        if standing:
            found = some[(standing & -standing).bit_length() - 1]
            return Withdrawal(found.record.author, found.record.time, found.reason)
    return None


def _reached(acts: Sequence[_Act], bits: Mapping[bytes, int], *, forwards: bool) -> dict[bytes, int]:
    """Of each record, which of some records have it in their past, or (forwards) which are in its own."""
    reached = dict.fromkeys((act.record.id for act in acts), 0)
    if forwards:
        for act in reversed(acts):
            for parent in act.parents:
                past = parent.record.id
                reached[act.record.id] |= reached[past] | bits.get(past, 0)
    else:
        for act in acts:
            carried = reached[act.record.id] | bits.get(act.record.id, 0)
            if carried:
                for parent in act.parents:
                    reached[parent.record.id] |= carried
    return reached
