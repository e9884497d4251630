"""The assembly: proposals, what became of them, and the rules they changed (chapter 22).

One pass over the deeds of plane 0, ancestors first: whether a deed counts depends on its own past, so all that it
rests on is settled when it comes. Then every question is asked within a past, the whole set's being the view's.
Knows no clock: what opens and closes at a time is a form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from p2pcommons.commons.assembly_bodies import Amend, Answer, Close, Open
from p2pcommons.commons.closings import Case, Outcome, Wording
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.docket import Docket
from p2pcommons.commons.doors import BALLOT_PREFIX, Invite, Join, read_form, remembered_verify
from p2pcommons.commons.grounding import Grounds, Way, ground
from p2pcommons.commons.matters import Effect, Topic, read_effect
from p2pcommons.commons.membership import Membership
from p2pcommons.commons.order import RULE, effect_fault, fault, is_succession
from p2pcommons.commons.organisation_bodies import Declare
from p2pcommons.commons.organisations import Organisations
from p2pcommons.commons.outgrowing import Outgrowing, Outgrown
from p2pcommons.commons.pasts import Arrival, Deed, Pasts, Sight, ancestors
from p2pcommons.commons.removal import Removals
from p2pcommons.commons.removal_bodies import Keep, Leave, Remove
from p2pcommons.commons.rules import MONTH_MS, Rules, RuleVersion, read_params
from p2pcommons.commons.seating import SEATING, Seats
from p2pcommons.commons.succession import Silence, silence
from p2pcommons.core.record import Plane, Record, commons_of, decode_body
from p2pcommons.core.seal import Verifier
from p2pcommons.errors import FormError

ON_PEOPLE: Final = ("admit", "remove", "steward")


@dataclass(slots=True, eq=False)
class Offer:
    """An amendment that is not the proposer's: it waits for an answer."""

    deed: Deed
    case: Case
    form: Amend
    effect: Effect
    taken: bool = False
    refused: bool = False
    own: bool = False  # became a proposal of its own

    @property
    def state(self) -> str:
        """One of "taken", "own", "refused", "open"."""
        return "taken" if self.taken else "own" if self.own else "refused" if self.refused else "open"


class Assembly:
    """Everything that was proposed and decided, on these grounds. Settled by the constructor; the rest are questions."""

    def __init__(self, grounds: Grounds, membership: Membership) -> None:
        self.pasts = Pasts(grounds, membership)
        self.cases: dict[bytes, Case] = {}  # every proposal, in order or not
        self.offers: dict[bytes, Offer] = {}
        self._dockets: dict[Topic, Docket] = {}
        self._rule_topics: dict[Topic, None] = {}
        self._rule_bits = 0
        self._on_people = False
        self._least_on_rules = 0  # the fewest persons that outgrow a proposal on a rule; 0: there is none
        self._least_on_seats = 0  # the same, on a rule that says who is seated
        self._least_on_people = 0  # on persons and stewards, and removals
        self._rules: dict[tuple[int, Cut], Rules] = {}
        self._versions: dict[tuple[bytes, bytes, int], RuleVersion] = {}
        self.founded = _founded(grounds)  # the rules before any outcome
        self._commons = grounds.commons
        self.removals = Removals(self.pasts, grounds, membership, self)
        self.seats = Seats(self)
        self.removals.outgrown, self.removals.unseated = self._removal_outgrown, self.seats.unseated
        self.pasts.unseated = self.seats.unseated
        self.pasts.cut_in = self.removals.within
        self.organisations = Organisations(self.pasts, grounds, self._needed)
        self.pasts.casts, self.removals.agreed = self.organisations.casts, self.organisations.agreed
        self._grounds, self._membership = grounds, membership
        self._named: bytearray | None = None  # all that records but ballots say, once it is asked for
        self._outgrowing = Outgrowing(self.pasts.persons, self.pasts.after(grounds.records.values()))
        for event in self.pasts.events:
            self._settle(event)
        self.seats.settle()
        self._outgrowing.settled()

    def take(self, record: Record) -> bool:
        """One more record of plane 0; False where it changes who is in, or is not known to be in the set: fold anew.

        Equal to folding anew. Adds the record to the grounds that this was made of.
        """
        body, past = record.body, self.pasts.past(record)
        if record.id in self.pasts:
            return True
        if body is None or past is None or record.header.plane != Plane.CHARTER or commons_of(record) != self._commons:
            return False
        form, events = read_form(record.header.kind, body), len(self.pasts.events)
        if isinstance(form, Join):
            if not self._let_in(record, past):
                return False
        elif not (form is None or isinstance(form, Invite)) or not self._add(record, past):
            return False
        if self._named is not None and not record.header.kind.startswith(BALLOT_PREFIX):
            self._named += body
        self.removals.came(record.id)
        for event in self.pasts.events[events:]:
            self._settle(event)
        return True

    def _add(self, record: Record, past: int) -> bool:
        """Take a record that lets nobody in."""
        if record.header.author not in self._membership.admitted or self._grounds.add(record, past) is None:
            return False
        self.pasts.add(record)
        return True

    def _let_in(self, record: Record, past: int) -> bool:
        """Take a join that stands, of a key that is not here yet and that nothing here speaks of."""
        key, prev, grounds = record.header.author, record.header.prev, self._grounds
        way = grounds.ways.get(prev[0]) if len(prev) == 1 else None
        if way is None or grounds.doors_of(key) or self._is_named(key):
            return False
        if not self._membership.lets_in(way.id, way.author, past & grounds.doors_of(way.author)):
            return False
        grounds.number_from(self.pasts.next_bit)
        if grounds.add(record, past) is None:
            return False
        self._membership.let_in(grounds.doors[-1])
        self.pasts.let_key_in(record, grounds.doors[-1], way)
        return True

    def _is_named(self, key: bytes) -> bool:
        """Whether anything here may speak of a key: a removal in advance, an invite of its own, who is steward. Ballots
        and what gathers them speak of records."""
        if self._named is None:
            records = self._grounds.records.values()
            self._named = bytearray().join(
                r.body or b"" for r in records if not r.header.kind.startswith(BALLOT_PREFIX)
            )
        return key in self._named

    def closer(self) -> Callable[[Way], bool]:
        """Says of a way whether nobody who comes in by it from here on would be a member."""
        everything = self.pasts.all
        removed = self.removals.closing(everything)

        def closes(way: Way) -> bool:
            if way.id not in self.pasts:
                return True  # it is in no set: nobody comes in by it
            invite = way.form if isinstance(way.form, Invite) else None
            key = b"" if invite is None else invite.public  # whom a vote let in has an invite of their own key
            joining = Arrival(way.id, 1, self.pasts.reach(way.id), key, way.author, invite is not None)
            return removed(self._grounds.records[way.id]) or not self.seats.seats(joining, everything)

        return closes

    @property
    def size(self) -> int:
        """How many records of the set it was made of, with those taken since."""
        return len(self.pasts)

    # -- questions, each within a past; `cut`: what removals cut there

    def outcome(self, proposal: bytes, within: int | None = None) -> Outcome | None:
        """What stands closed of a proposal."""
        case, past = self.cases[proposal], self._past(within)
        return None if case.fault else case.outcome(past, self.pasts, self.removals.within(past))

    def in_force(self, topic: Topic, within: int | None = None, cut: Cut | None = None) -> Outcome | None:
        """The outcome that holds on one topic (ASSEMBLY-20); None: what held before any."""
        docket, past = self._dockets.get(topic), self._past(within)
        if docket is None:
            return None
        return docket.in_force(past, self.removals.within(past) if cut is None else cut)

    def decides(self, topic: Topic, within: int, cut: Cut) -> tuple[str, int, frozenset[bytes]] | None:
        """For removals: the matter, the proposal's past, and the keys named, of what is in force."""
        outcome = self.in_force(topic, within, cut)
        if outcome is None:
            return None
        case = self.cases[outcome.proposal]
        return case.form.matter, case.deed.past, frozenset(outcome.wording.effect.content.get("keys", ()))

    @property
    def on_people(self) -> bool:
        """Whether anything was ever proposed, in order, on a person or on who is a steward."""
        return self._on_people

    def admits(self, key: bytes, within: int) -> bool:
        """Whether the outcome in force on a key in a past, with nothing cut, is to let it in."""
        outcome = self.in_force(("person", key), within, NOTHING)
        return outcome is not None and self.cases[outcome.proposal].form.matter == "admit"

    def is_steward(self, key: bytes, within: int) -> bool:
        """Whether a key acts as a steward in a past: by role, or chosen by the assembly."""
        return key in self.removals.stewards(within, self.removals.within(within))

    def reopened(self, topic: Topic, within: int | None = None) -> list[Outcome]:
        """The outcomes on one topic that undo each other: each was closed without knowing of the others."""
        docket, past = self._dockets.get(topic), self._past(within)
        return [] if docket is None else docket.reopened(past, self.removals.within(past))

    def rules(self, within: int | None = None) -> Rules:
        """The rules in force."""
        past = self._past(within)
        cut = self.removals.within(past)
        key = (past & (self._rule_bits | self._outgrowing.large(self._least_on_rules)), cut)
        found = self._rules.get(key)
        if found is None:
            versions = dict(self.founded.versions)
            for topic in self._rule_topics:
                if (outcome := self.in_force(topic, past, cut)) is not None:
                    version = self.version(outcome)
                    versions[version.rule] = version
            found = self._rules[key] = replace(self.founded, versions=versions)
        return found

    @property
    def topics(self) -> list[Topic]:
        """All that was ever proposed on in order, ascending."""
        return sorted(self._dockets)

    def written_by(self, keys: frozenset[bytes]) -> frozenset[bytes]:
        """The records of the set that these keys wrote."""
        if not keys:
            return frozenset()
        records = self._grounds.records.values()
        return frozenset(r.id for r in records if r.header.author in keys and r.id in self.pasts)

    def applied(self, sort: str) -> dict[bytes, Outcome]:
        """What is in force on every topic of one sort ("entry", "person", "rule"…), by its key, id or name."""
        found = ((topic[1], self.in_force(topic)) for topic in self.topics if topic[0] == sort)
        return {name: outcome for name, outcome in found if outcome is not None}

    def is_outgrown(self, case: Case, within: int | None = None) -> bool:
        """Whether others, who did not know of this proposal, had seen an assembly twice as large (ASSEMBLY-19)."""
        return bool(case.outgrown.bits & self._past(within))

    def _past(self, within: int | None) -> int:
        return self.pasts.all if within is None else within

    def _settle(self, event: Deed | Arrival | Sight) -> None:
        if isinstance(event, Arrival):
            self.seats.arrive(event)
            return
        self.seats.settle()
        if isinstance(event, Sight):
            self._saw(event)
            return
        deed = event
        if isinstance(deed.form, Close):  # a recount: what an organisation closes needs nobody's approval
            self._close(deed, deed.form)
        elif isinstance(deed.form, Declare):
            self.organisations.add(deed, deed.form)
        elif isinstance(deed.form, Open):
            self._open(deed, deed.form)
        elif self._approved(deed) is False:
            self.removals.refuse(deed)
        elif isinstance(deed.form, Amend):
            self._amend(deed, deed.form)
        elif isinstance(deed.form, Answer):
            self._answer(deed, deed.form)
        elif isinstance(deed.form, Leave | Remove | Keep):
            self.removals.add(deed, deed.form)

    def _saw(self, sight: Sight) -> None:
        """Let one more record outgrow what it did not know of."""
        self._outgrowing.saw(sight)
        if sight.bit & self._outgrowing.large(self._least_on_seats):
            self.seats.watch(sight.bit)
            self.removals.watch(sight.bit)
        if sight.bit & self._outgrowing.large(self._least_on_people):
            self.removals.watch(sight.bit)

    def _removal_outgrown(self, deed: Deed) -> Outgrown:
        found = self._outgrowing.of(deed)
        self._least_on_people = _smaller(self._least_on_people, found.least)
        return found

    def version(self, outcome: Outcome) -> RuleVersion:
        """What an outcome on a rule makes of it."""
        effect, since = outcome.wording.effect, outcome.closed >> 16
        key = (outcome.proposal, outcome.wording.id, since)
        found = self._versions.get(key)
        if found is None:
            rule, params = effect.content["rule"], read_params(effect.content["rule"], effect.content["params"])
            assert params is not None, "a wording whose parameters do not fit is none"
            found = RuleVersion(rule, outcome.proposal, params, effect.content["text"], since)
            self._versions[key] = found
        return found

    # -- deeds, ancestors first

    def _open(self, deed: Deed, form: Open) -> None:
        members = self.pasts.members(deed.past)
        case = Case(deed, form, members)
        self.cases[deed.id] = case
        rules = self.rules(deed.past)
        case.fault = fault(
            case, rules, self._approved(deed), lambda: self._silence(case, rules), self._is_offered(deed.past)
        )
        if case.fault is not None:
            return
        case.wordings[deed.id] = Wording(deed.id, deed.bit, deed.past, form.text, form.effect)
        case.outgrown = self._outgrowing.of(deed)
        topic = form.effect.topic
        if topic is not None:
            docket = self._dockets.get(topic)
            if docket is None:
                docket = self._dockets[topic] = Docket(self.pasts, self.removals.within, self._outgrowing.large)
            docket.add(case)
            if form.matter in ON_PEOPLE:
                self._on_people = True
                self._least_on_people = _smaller(self._least_on_people, case.outgrown.least)
        if topic is not None and topic[0] == RULE:
            self._rule_topics.setdefault(topic)
            self._least_on_rules = _smaller(self._least_on_rules, case.outgrown.least)
            if topic in SEATING:
                self._least_on_seats = _smaller(self._least_on_seats, case.outgrown.least)
            self._on_rule(case, case.outgrown.bits)
        offer = self.offers.get(form.amendment or b"")
        if offer is not None and offer.deed.bit & deed.past:
            offer.own = True

    def _approved(self, deed: Deed) -> bool | None:
        """Whether the people of the organisation that wrote this approved of it; None where no organisation did."""
        return self.organisations.speaks(self._grounds.records[deed.id], deed.past)

    def _needed(self, within: int) -> int:
        """How many of its people an organisation acts by, at least."""
        return int(self.rules(within).params("organisations")["needed"])

    def _is_offered(self, past: int) -> Callable[[bytes], bool]:
        return lambda amendment: amendment in self.offers and bool(self.offers[amendment].deed.bit & past)

    def _silence(self, case: Case, rules: Rules) -> Silence:
        records, past = self._grounds.records, case.deed.past
        stewards = self.removals.stewards(past, self.removals.within(past))
        months = int(rules.params("succession")["months"])
        before = (records[identifier] for identifier in ancestors(records, case.id))
        return silence(before, case.electors, stewards, months * MONTH_MS)

    def _amend(self, deed: Deed, form: Amend) -> None:
        case = self._still_open(form.proposal, deed.past)
        if case is None or deed.author not in self.pasts.members(deed.past):
            return
        effect = read_effect(case.form.matter, form.content)
        first, past = case.form.effect, case.deed.past
        if effect is None or (effect.topic, effect.version) != (first.topic, first.version):
            return
        if is_succession(effect) != is_succession(first):
            return
        if effect_fault(case.form.matter, effect, self.rules(past), self._is_offered(past)) is not None:
            return
        if self._proposes(case, deed):
            case.wordings[deed.id] = Wording(deed.id, deed.bit, deed.past, form.text, effect)
        else:
            self.offers[deed.id] = Offer(deed, case, form, effect)

    def _answer(self, deed: Deed, form: Answer) -> None:
        offer = self.offers.get(form.amendment)
        if offer is None or not offer.deed.bit & deed.past:
            return
        case = self._still_open(offer.case.id, deed.past)
        if case is None:
            return
        by_vote = form.take and self.in_force(("amendment", offer.deed.id), deed.past) is not None
        if not self._proposes(case, deed) and not (by_vote and deed.author in self.pasts.members(deed.past)):
            return
        if form.take:
            offer.taken = True
            case.wordings[deed.id] = Wording(deed.id, deed.bit, deed.past, offer.form.text, offer.effect)
        else:
            offer.refused = True

    def _close(self, deed: Deed, form: Close) -> None:
        case = self.cases.get(form.proposal)
        if case is None or case.fault is not None:
            return
        case.add_closing(deed, form, self.pasts)
        if case.form.effect.topic is not None:
            self._dockets[case.form.effect.topic].note(case)
        if case.form.matter == RULE:
            self._on_rule(case, case.closing_bits | case.outgrown.bits)
        elif case.form.matter in ON_PEOPLE:
            self.removals.watch(case.closing_bits | case.outgrown.bits, deed)

    def _on_rule(self, case: Case, bits: int) -> None:
        """Take note of what an outcome on a rule depends on."""
        self._rule_bits |= bits
        if case.form.effect.topic in SEATING:
            self.seats.watch(bits)
            self.removals.watch(bits)

    def _still_open(self, proposal: bytes, past: int) -> Case | None:
        """A proposal in order that this past has, and has not seen closed."""
        case = self.cases.get(proposal)
        if case is None or case.fault is not None or not case.deed.bit & past:
            return None
        return None if case.outcome(past, self.pasts, self.removals.within(past)) is not None else case

    def _proposes(self, case: Case, deed: Deed) -> bool:
        """Whether the author is the person who proposed."""
        return case.elector(deed.author, deed.past, self.pasts) == case.electors[case.deed.author]


def _smaller(least: int, other: int) -> int:
    return min(least, other) if least else other


def assemble(records: Iterable[Record], commons: bytes, *, check: Verifier = remembered_verify) -> Assembly:
    """The assembly of a commons, from plane-0 records in any order; other planes and commons are passed over."""
    given: dict[bytes, Record] = {
        record.id: record
        for record in records
        if record.header.plane == Plane.CHARTER and record.body is not None and commons_of(record) == commons
    }
    grounds = ground(given, commons, check)
    return Assembly(grounds, Membership(grounds))


def _founded(grounds: Grounds) -> Rules:
    record = grounds.records.get(grounds.commons)
    content: Mapping[str, Any] = {}
    if record is None:
        return Rules()
    try:
        content = decode_body(record.body or b"")
    except FormError:
        pass
    return Rules.founded(content, grounds.commons, record.header.time >> 16)
