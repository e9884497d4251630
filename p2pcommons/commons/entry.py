"""Entries as CRDTs: the fold of the records about one subject (chapter 20).

A view is a pure, total and deterministic function of a set of records: no order of arrival, no clock, nothing
local. Two layers of writes, human and import; what is superseded is found by `commons.acts`. Knows no charter:
whether an author's writes count comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from p2pcommons.commons.acts import (
    CLEARED,
    Act,
    Element,
    EntryRecord,
    in_causal_order,
    mark_superseded,
    place,
    standing_withdraw,
)
from p2pcommons.commons.edit import EDIT, Edit, distinct, read_edit
from p2pcommons.core.encoding import pack_ordered, unpack_ordered
from p2pcommons.core.identity import TAG_VIEW
from p2pcommons.core.limits import PREV_MAX
from p2pcommons.core.record import Record

__all__ = [
    "EntryRecord", "EntryView", "Withdrawal", "entry_record", "fold", "fold_single", "predecessors", "view_digest",
    "view_from_bytes", "view_tag",
]  # fmt: skip


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
        """The bytes that equal views share (MERGE-23)."""
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


def fold_single(record: Record, known: Edit | Mapping[str, Any] | None = None) -> EntryView:
    """The fold of one record that counts and is not erased: equal to `fold`, and much faster.

    `known`: what its body writes, or holds, where the caller has that at hand.
    """
    header = record.header
    if record.body is not None and header.kind == EDIT and record.id not in header.prev:
        edit = known if isinstance(known, Edit) else read_edit(known or unpack_ordered(record.body))
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
    acts, heads = in_causal_order(records, erased or {})
    acts_by_place = sorted(acts, key=place)
    edits = [act for act in acts_by_place if act.edit is not None]
    mark_superseded(acts)
    registers, conflicts, offered = _registers(acts_by_place)
    sets, offered_elements = _sets(acts_by_place)
    offered.update(offered_elements)
    withdraw = standing_withdraw(acts) if edits else None
    times = [act.record.time for act in acts_by_place if act.edit is not None or act.withdraws]
    return EntryView(
        subject,
        registers,
        sets,
        conflicts,
        dict(sorted(offered.items())),
        None if withdraw is None else Withdrawal(withdraw.record.author, withdraw.record.time, withdraw.reason),
        tuple(dict.fromkeys(act.record.author for act in edits)),
        edits[0].record.time if edits else 0,
        times[-1] if edits else 0,
        tuple(heads),
        tuple(dict.fromkeys(act.edit.origin for act in edits if act.edit and act.edit.origin is not None)),
    )


def predecessors(records: Iterable[EntryRecord], author: bytes) -> tuple[bytes, ...]:
    """The `prev` of a new record about the subject of all these: its heads, at most 32 (MERGE-26: own last first, then
    the latest of distinct keys, then the latest)."""
    acts, heads = in_causal_order(list(records), {})
    if len(heads) <= PREV_MAX:
        return tuple(heads)
    known = set(heads)
    latest_first = [act.record for act in sorted(acts, key=place, reverse=True) if act.record.id in known]
    own = [record for record in latest_first if record.author == author]
    of_distinct_keys = {record.author: record for record in reversed(latest_first)}.values()
    chosen = dict.fromkeys(
        record.id for record in (*own[:1], *sorted(of_distinct_keys, key=latest_first.index), *latest_first)
    )
    return tuple(sorted(list(chosen)[:PREV_MAX]))


# -- what follows is the fold's own

_EMPTY: Final[Mapping[str, list[Any]]] = {}


def _registers(
    acts_by_place: Sequence[Act],
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
        values = _values(by_people or by_imports)
        if values:
            shown[key] = values[0]
        if by_people:
            if len(values) > 1:
                conflicts[key] = values[1:]
            if by_imports:
                others = distinct(values + _values(by_imports))[len(values) :]
                if others:
                    offered[key] = others
    return shown, conflicts, offered


def _values(writes: Iterable[Any]) -> list[Any]:
    """What writes say, without clears, equal canonical values once (MERGE-9)."""
    found = [value for value in writes if value is not CLEARED]
    return found if len(found) < 2 else distinct(found)


def _sets(acts_by_place: Sequence[Act]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Shown and offered elements of all sets, each by the place of its first standing add (MERGE-15 to MERGE-17)."""
    standing: dict[Element, tuple[list[Any], list[Any]]] = {}  # by people and by imports, earliest first
    for position, act in enumerate(acts_by_place):
        for element, added in act.elements.items():
            if element not in act.superseded:
                write = None if added is None else (position, *added)
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
