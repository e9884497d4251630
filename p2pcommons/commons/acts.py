"""Records in causal order: what each writes, and what was written after it (chapter 20, "Superseding").

One pass from the latest records back to the first finds what is superseded, in time that grows with the edges and
in bounded memory, whatever strangers write. Says nothing of which standing write is shown: that is `commons.entry`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from p2pcommons.commons.edit import EDIT, WITHDRAW, Edit, element_key, read_edit, read_withdraw
from p2pcommons.commons.vocabulary import register_field
from p2pcommons.core.limits import FOLD_KEYS_PER_PASS


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


Element = tuple[str, str | bytes]
"""Field name and canonical value."""
Key = str | Element
"""What is written and superseded: a register or an element of a set."""
CLEARED: Final = object()
"""The value of a register that a write took away."""


class Act:
    """One record in its place: what it writes, what stands before it, what of it was superseded."""

    __slots__ = ("edit", "elements", "human", "parents", "reason", "record", "registers", "superseded", "withdraws")

    def __init__(self, record: EntryRecord) -> None:
        self.record = record
        self.parents: list[Act] = []
        self.edit: Edit | None = None
        self.human = True
        self.withdraws = False
        self.reason: str | None = None
        self.registers: dict[str, Any] = {}  # register key → value or CLEARED
        self.elements: dict[Element, tuple[int, Any] | None] = {}  # → (place in its list, value); None: removed
        self.superseded: set[Key] = set()

    def read(self, erased: frozenset[str] | None) -> None:
        """Find what the record writes (MERGE-8, MERGE-21)."""
        record = self.record
        if not record.counts:
            return
        if erased is not None:
            if record.kind == EDIT:
                self.registers = {key: CLEARED for key in erased if register_field(key) is not None}
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

    def written(self) -> list[Key]:
        """All that the record writes."""
        return [*self.registers, *self.elements]

    def _write(self, edit: Edit) -> None:
        self.edit = edit
        self.human = edit.origin is None
        self.registers = {**dict.fromkeys(edit.cleared, CLEARED), **edit.registers}
        for name, values in edit.removed.items():
            for value in values:
                self.elements[name, element_key(value)] = None
        for name, values in edit.sets.items():
            for index, value in enumerate(values):
                self.elements[name, element_key(value)] = (index, value)


def place(act: Act) -> tuple[int, bytes]:
    """By time, then id: the order of display and ties."""
    return act.record.time, act.record.id


def in_causal_order(
    records: Sequence[EntryRecord], erased: Mapping[bytes, frozenset[str]]
) -> tuple[list[Act], list[bytes]]:
    """All records once, each behind everything that has it in its past; and the ids of the heads, ascending."""
    by_id: dict[bytes, Act] = {}
    for record in records:
        if record.id not in by_id or by_id[record.id].record.body is None:
            by_id[record.id] = Act(record)
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
    if len(ordered) < len(by_id):  # a past that holds itself: what rests on it goes on without it
        reached = {act.record.id for act in ordered}
        for act in ordered:
            act.parents = [parent for parent in act.parents if parent.record.id in reached]
    for act in ordered:
        act.read(erased.get(act.record.id))
    return ordered, heads


def mark_superseded(acts: Sequence[Act]) -> None:
    """One pass from the heads back, each record handing on which keys were written after it (MERGE-10, MERGE-11).

    A key is a bit; keys that one record alone writes need none. The pass is repeated for every FOLD_KEYS_PER_PASS
    keys, so that memory stays bounded whatever strangers write.
    """
    writers: dict[Key, int] = {}
    for act in acts:
        for key in act.written():
            writers[key] = writers.get(key, 0) + 1
    shared = [key for key, count in writers.items() if count > 1]
    bits = {key: at for at, key in enumerate(shared)}
    passes: list[dict[bytes, int]] = [{} for _ in range(0, len(shared), FOLD_KEYS_PER_PASS)]  # record id → own keys
    for act in acts if shared else ():
        for key in act.written():
            if (at := bits.get(key)) is not None:
                number, bit = divmod(at, FOLD_KEYS_PER_PASS)
                passes[number][act.record.id] = passes[number].get(act.record.id, 0) | 1 << bit
    for number, written in enumerate(passes):
        _pass(acts, written, shared[number * FOLD_KEYS_PER_PASS :][:FOLD_KEYS_PER_PASS])


def _pass(acts: Sequence[Act], written: Mapping[bytes, int], keys: Sequence[Key]) -> None:
    later: dict[bytes, tuple[int, int]] = {}  # record id → keys written later by people, by anybody
    for act in acts:
        own = written.get(act.record.id, 0)
        by_people, by_any = later.pop(act.record.id, (0, 0))
        hidden = own & (by_people if act.human else by_any)
        while hidden:
            act.superseded.add(keys[(hidden & -hidden).bit_length() - 1])
            hidden &= hidden - 1
        by_any |= own
        if act.human:
            by_people |= own
        if by_any:
            for parent in act.parents:
                known_people, known_any = later.get(parent.record.id, (0, 0))
                later[parent.record.id] = (known_people | by_people, known_any | by_any)


_WITHDRAWS_PER_PASS: Final = 1024  # bits carried at once: 128 bytes a record


def standing_withdraw(acts: Sequence[Act]) -> Act | None:
    """The latest withdraw that no edit lifts: each edit is in its past, or is an import with it in its past
    (MERGE-18)."""
    candidates = sorted((act for act in acts if act.withdraws), key=place, reverse=True)
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
            return some[(standing & -standing).bit_length() - 1]
    return None


def _reached(acts: Sequence[Act], bits: Mapping[bytes, int], *, forwards: bool) -> dict[bytes, int]:
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
