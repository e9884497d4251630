"""Moderation kept up with a set of plane 0: who had the right to each act, and what the set makes of them (chapter 23).

Joins `moderation`, which knows no graph, to the assembly, which knows every act's own past. Which entries are hidden is
asked by rows of the catalogue, after every change of the set; all the rest by people, when they look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.assembly_bodies import PROPOSE, Open, read_assembly
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.moderation import Act, Decided, Moderation, Who, acts_of, hide_by, moderate
from p2pcommons.commons.moderation_bodies import BLOCK, HIDE, REPORT, REVIEW, SHOW, Hide, Show
from p2pcommons.core.record import Record

KINDS: Final = frozenset((REPORT, HIDE, SHOW, REVIEW, BLOCK))
HIDING: Final = frozenset((HIDE, SHOW))
"""Those on which depends what is hidden: of reports and lists anybody may write any number."""
MATTERS: Final = ("hide", "restore")


def may_hide_something(record: Record) -> bool:
    """Whether a set in which nothing was hidden has to be looked at because of this record."""
    kind, body = record.header.kind, record.body or b""
    if kind == HIDE:
        return True
    if kind != PROPOSE or not any(matter.encode() in body for matter in MATTERS):
        return False
    form = read_assembly(kind, body)
    return isinstance(form, Open) and form.matter in MATTERS


class _Said(NamedTuple):
    """An act, and the key that wrote it."""

    act: Act
    author: bytes


class Moderating:
    """What was said on the entries of one commons. Grows with its assembly; anything else is folded anew."""

    def __init__(
        self,
        assembly: Assembly,
        records: Iterable[Record],
        admitted: frozenset[bytes],
        shown: Mapping[bytes, bytes],
        kinds: frozenset[str] = KINDS,
    ) -> None:
        """`records`: of the set; `admitted`: its keys; `shown`: by key, the one that its person is shown under.

        `kinds`: of acts that are looked at. With `HIDING` alone, `moderation` has no queue and no lists.
        """
        self._assembly = assembly
        self._kinds = kinds
        self._admitted = admitted
        self._shown = shown
        self._said: dict[bytes, _Said] = {}
        self._on: dict[bytes, dict[bytes, _Said]] = {}  # hidings and what undoes them, by entry
        self._by_persons: set[bytes] = set()  # entries hidden by these
        self._changed: set[bytes] = set()  # entries on which something was said since
        self._cut: Cut = NOTHING
        self.size = 0  # records taken
        for record in records:
            self._take(record)

    def take(self, record: Record) -> bool:
        """One more record of the set, which the assembly takes as well; False where all is to be folded anew."""
        if not self._assembly.take(record):
            return False
        self.note(record)
        return True

    def note(self, record: Record) -> None:
        """One more record of the set, which the assembly has taken."""
        if (key := self._assembly.pasts.let_in.get(record.id)) is not None:
            self._admitted |= {key}  # a join that the assembly takes stands, and its key is shown as it is
        self._take(record)

    def hidden(self) -> frozenset[bytes]:
        """The entries that are not shown (MOD-4, MOD-5)."""
        cut = self._assembly.removals.within(self._assembly.pasts.all)
        for entry in self._on.keys() if cut != self._cut else self._changed:
            acts = [one.act for one in self._on[entry].values() if not cut.has(one.act.id, one.author)]
            if moderate(acts).is_hidden(entry):
                self._by_persons.add(entry)
            else:
                self._by_persons.discard(entry)
        self._cut = cut
        self._changed.clear()
        decided = self._decided()
        if not decided:
            return frozenset(self._by_persons)
        voted = {entry for entry, outcome in decided.items() if outcome.hidden}
        return frozenset((self._by_persons - decided.keys()) | voted)

    def moderation(self) -> Moderation:
        """All of it, for people."""
        cut = self._assembly.removals.within(self._assembly.pasts.all)
        acts = [one.act for one in self._said.values() if not cut.has(one.act.id, one.author)]
        return moderate(acts, self._decided(), self._appeals())

    def _take(self, record: Record) -> None:
        self.size += 1
        header = record.header
        if header.kind not in self._kinds or record.id in self._said or header.author not in self._admitted:
            return
        for act in acts_of((record,), self._who):
            said = self._said[record.id] = _Said(act, header.author)
            if isinstance(act.form, Hide | Show):
                self._on.setdefault(act.form.entry, {})[record.id] = said
                self._changed.add(act.form.entry)

    def _who(self, record: Record) -> Who | None:
        """Who the author was within the record's own past; None where that past is not of the set."""
        pasts, removals, author = self._assembly.pasts, self._assembly.removals, record.header.author
        past = pasts.past(record)
        if past is None:
            return None
        if record.header.kind in HIDING and self._assembly.organisations.speaks(record, past) is False:
            return None  # CHARTER-42
        return Who(
            self._shown.get(author, author),
            author in pasts.members(past),
            author in removals.stewards(past, removals.within(past)),
            hide_by(self._assembly.rules(past)),
        )

    def _decided(self) -> dict[bytes, Decided]:
        """What the assembly decided of entries, where an outcome is in force."""
        cases = self._assembly.cases
        return {
            entry: Decided(outcome.proposal, cases[outcome.proposal].form.matter == MATTERS[0])
            for entry, outcome in self._assembly.applied("entry").items()
        }

    def _appeals(self) -> list[bytes]:
        return [
            case.id
            for case in self._assembly.cases.values()
            if case.form.matter == MATTERS[1] and case.fault is None and self._assembly.outcome(case.id) is None
        ]
