"""One proposal and its closings: who closes, what each counted, and what stands in a past (chapter 22).

Everything here is asked *within a past* and answered from it. What a proposal has to do with rules and other
proposals is `commons.assembly`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from p2pcommons.commons.assembly_bodies import Close, Open, ballots_root
from p2pcommons.commons.ballots import COUNTED, Verdict, judge_ballots
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.matters import Effect
from p2pcommons.commons.outgrowing import NEVER, Outgrown
from p2pcommons.commons.pasts import Ballot, Deed, Pasts
from p2pcommons.commons.tally import Tally, tally

SAME: Final = "same"
DIFFERENT: Final = "different"


class Wording(NamedTuple):
    """One text of a proposal, with what it does when it is passed."""

    id: bytes  # the record that set it: the proposal, the proposer's amendment, or the answer that took one
    bit: int
    past: int
    text: bytes
    effect: Effect


class Closing(NamedTuple):
    """A closing by a closer, recounted."""

    id: bytes
    bit: int
    past: int
    time: int
    author: bytes
    closer: bytes  # a key of the person
    said: tuple[bytes, int, bytes]  # wording, count, root: what has to be equal
    recount: str  # SAME, DIFFERENT, or "wording" where another text was current in its past
    form: Close
    counted: int  # ballots by our own count
    gathered: frozenset[bytes]
    round: int  # from 1; those before it were stuck in its past (ASSEMBLY-27)


class Outcome(NamedTuple):
    """What k closers closed alike."""

    proposal: bytes
    wording: Wording
    tally: Tally
    closings: tuple[Closing, ...]  # all of those, ascending by id
    closed: int  # least record time of them
    root: bytes


@dataclass(slots=True, eq=False)
class Case:
    """A proposal, what was in force in its past, and all that was written on it."""

    deed: Deed
    form: Open
    electors: Mapping[bytes, bytes]  # keys, each with the smallest of its person: frozen in its past
    wordings: dict[bytes, Wording] = field(default_factory=dict)
    closings: list[Closing] = field(default_factory=list)
    closing_bits: int = 0
    known: int = 0  # places, on its docket, of the outcomes that stood in its past
    fault: str | None = None  # why it is out of order
    outgrown: Outgrown = NEVER
    _persons: frozenset[bytes] = frozenset()
    _outcomes: dict[tuple[int, Cut], Outcome | None] = field(default_factory=dict)
    _verdicts: dict[tuple[bytes, frozenset[bytes]], list[Verdict]] = field(default_factory=dict)
    _tallies: dict[tuple[bytes, Cut], Tally] = field(default_factory=dict)
    _rounds: dict[int, int] = field(default_factory=dict)
    _closed: set[bytes] = field(default_factory=set)  # closers who have, in any past

    def __post_init__(self) -> None:
        self._persons = frozenset(self.electors.values())

    @property
    def id(self) -> bytes:
        """The proposal's record id."""
        return self.deed.id

    @property
    def electorate(self) -> int:
        """Persons who may vote."""
        return len(self._persons)

    @property
    def closers(self) -> frozenset[bytes]:
        """Persons who may close, by one key each; keys of nobody who may vote are none."""
        return frozenset(self.electors[key] for key in self.form.closers if key in self.electors)

    def elector(self, author: bytes, past: int, pasts: Pasts) -> bytes | None:
        """The person who may vote that a key belongs to: by the proposal's past, else by the past given.

        A key let in since belongs to whom it was linked with, if that is one person.
        """
        if author in self.electors:
            return self.electors[author]
        members = pasts.members(past)
        person = members.get(author)
        if person is None:
            return None
        found = {self.electors[key] for key, other in members.items() if other == person and key in self.electors}
        return found.pop() if len(found) == 1 else None

    def current(self, within: int) -> list[Wording]:
        """The wordings no other came after, in this past; more than one: they were set without knowing of each other."""
        here = [wording for wording in self.wordings.values() if wording.bit & within]
        followed = 0
        for wording in here:
            followed |= wording.past
        return [wording for wording in here if not wording.bit & followed]

    def verdicts(self, wording: bytes, gathered: frozenset[bytes], pasts: Pasts) -> list[Verdict]:
        """What becomes of these ballots in a vote on this wording; which of them count is the same for ever."""
        found = self._verdicts.get((wording, gathered))
        if found is None:
            found = self._verdicts[wording, gathered] = self.judge(wording, gathered, pasts)
        return found

    def judge(self, wording: bytes, gathered: frozenset[bytes], pasts: Pasts) -> list[Verdict]:
        """As `verdicts`, with what is known by now of other wordings: for people, who ask why a ballot lapsed."""
        texts = {one.id: one.text for one in self.wordings.values()}
        ballots = [pasts.ballots[identifier] for identifier in gathered]

        def elector(ballot: Ballot) -> bytes | None:
            return self.elector(ballot.author, ballot.past, pasts)

        return judge_ballots(ballots, wording, texts, pasts.let_in, elector, pasts.casts, pasts.approving)

    def trial(self, verdicts: list[Verdict]) -> Tally:
        """What these ballots would come to."""
        said = (verdict.choice for verdict in verdicts if verdict.code == COUNTED)
        choices = (choice if isinstance(choice, str) else dict(choice) for choice in said)
        return tally(self.form.method, choices, quorum=self.form.quorum, electorate=self.electorate)

    def add_closing(self, deed: Deed, form: Close, pasts: Pasts) -> None:
        """Take a closing of this proposal, if its author may close (ASSEMBLY-14, ASSEMBLY-15)."""
        closer = self.elector(deed.author, deed.past, pasts)
        if closer is None or closer not in self.closers or not self.deed.bit & deed.past:
            return
        gathered = frozenset(
            ballot.id for ballot in pasts.gathered(deed.prev) if ballot.form.proposal == self.id
        )  # fmt: skip
        said = (form.wording, form.number, form.root)
        recount, counted = "wording", tuple[bytes, ...]()
        if [one.id for one in self.current(deed.past)] == [form.wording]:
            counted = tuple(v.id for v in self.verdicts(form.wording, gathered, pasts) if v.code == COUNTED)
            alike = (len(counted), ballots_root(counted)) == (form.number, form.root)
            recount = SAME if alike else DIFFERENT
        number = self.round(deed.past)
        self.closing_bits |= deed.bit
        self._closed.add(closer)
        self.closings.append(
            Closing(
                deed.id,
                deed.bit,
                deed.past,
                deed.time,
                deed.author,
                closer,
                said,
                recount,
                form,
                len(counted),
                gathered,
                number,
            )
        )

    def round(self, within: int) -> int:
        """The round in which a closing on this past is: the first that is not stuck there (ASSEMBLY-27)."""
        within &= self.closing_bits
        found = self._rounds.get(within)
        if found is None:
            found = 1
            while self._is_stuck(found, within):
                found += 1
            self._rounds[within] = found
        return found

    def _is_stuck(self, number: int, within: int) -> bool:
        """Whether no k closers can close a round alike any more, whatever comes."""
        if len(self.closers) - len(self._closed) >= self.form.k:
            return False
        some = [closing for closing in self.closings if closing.bit & within and closing.round == number]
        if not some:
            return False
        double = self.equivocators(within)
        alike: dict[tuple[bytes, int, bytes], set[bytes]] = {}
        for closing in some:
            if (closing.closer, number) not in double:  # who gathered badly may say the same again, gathering well
                alike.setdefault(closing.said, set()).add(closing.closer)
        left = len(self.closers) - len({closing.closer for closing in some})
        return max(map(len, alike.values()), default=0) + left < self.form.k

    def equivocators(self, within: int, cut: Cut = NOTHING) -> frozenset[tuple[bytes, int]]:
        """Closers who signed different closings of one round, in this past: none of theirs in it counts (ASSEMBLY-16)."""
        said: dict[tuple[bytes, int], set[Any]] = {}
        for closing in self.closings:
            if closing.bit & within and not cut.has(closing.id, closing.author):
                said.setdefault((closing.closer, closing.round), set()).add(closing.said)
        return frozenset(one for one, some in said.items() if len(some) > 1)

    def outcome(self, within: int, pasts: Pasts, cut: Cut) -> Outcome | None:
        """What stands closed in this past, with what is cut there; None while nothing does (ASSEMBLY-17)."""
        within &= self.closing_bits
        if not within or cut.has(self.id, self.deed.author):
            return None
        key = (within, cut)
        if key not in self._outcomes:
            self._outcomes[key] = self._outcome(within, pasts, cut)
        return self._outcomes[key]

    def _outcome(self, within: int, pasts: Pasts, cut: Cut) -> Outcome | None:
        double = self.equivocators(within, cut)
        alike: dict[tuple[int, bytes, int, bytes], list[Closing]] = {}
        for closing in self.closings:
            sound = closing.recount == SAME and (closing.closer, closing.round) not in double
            if sound and closing.bit & within and not cut.has(closing.id, closing.author):
                alike.setdefault((closing.round, *closing.said), []).append(closing)
        # k is more than half: at most one of a round has so many; a later round comes after one that was stuck.
        for (_, wording, _, root), closings in sorted(alike.items(), reverse=True):
            if len({closing.closer for closing in closings}) >= self.form.k:
                voted = self.verdicts(wording, closings[0].gathered, pasts)
                return Outcome(
                    self.id,
                    self.wordings[wording],
                    self._tally(root, voted, pasts, cut),
                    tuple(sorted(closings)),
                    min(closing.time for closing in closings),
                    root,
                )
        return None

    def _tally(self, root: bytes, voted: list[Verdict], pasts: Pasts, cut: Cut) -> Tally:
        """The tally of what was counted, without ballots that are cut (CHARTER-34)."""
        key = (root, cut)
        if key not in self._tallies:
            left = [one for one in voted if not cut.has(one.id, pasts.ballots[one.id].author)]
            self._tallies[key] = self.trial(left)
        return self._tallies[key]
