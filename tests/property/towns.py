"""Random assemblies: people who see some of what others wrote, vote, close, and some who do all they can.

Every person holds what has reached them (`seen`), so that pasts are those of partitions. `Town` is also the way in
which scenario tests are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from random import Random
from typing import Any

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import organisation_bodies as organisations
from p2pcommons.commons.assembly import Assembly, assemble
from p2pcommons.commons.assembly_bodies import Cast
from p2pcommons.commons.ballots import COUNTED
from p2pcommons.commons.charter import judge
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import PREV_MAX
from p2pcommons.core.record import ZEROS, Record, RecordId, build

TOKEN = SigningKey(sha256(b"a town's invitation").digest())
START_MS = 1_750_000_000_000
RULES = {"closing": {"closers": 3, "needed": 2}}
LOWS = {
    f"decide.{matter}": {"heads": 1, "percent": 0}
    for matter in ("text", "rule", "hide", "restore", "remove", "admit", "amend", "steward")
}


def key_of(name: str) -> SigningKey:
    """A person's key, by name."""
    return SigningKey(sha256(b"key of " + name.encode()).digest())


def words_of(name: str) -> SigningKey:
    """A person's recovery key."""
    return SigningKey(sha256(b"words of " + name.encode()).digest())


def text_of(words: str) -> bytes:
    """The hash of a text."""
    return sha256(b"text " + words.encode()).digest()


class Town:
    """A commons founded by alice. People are names; what they write is theirs until they `meet`."""

    def __init__(self, *people: str, rules: Mapping[str, Any] | None = None, seed: int = 0, **founding: Any) -> None:
        self.dice = Random(seed)
        self.records: dict[bytes, Record] = {}
        self.seen: dict[str, dict[bytes, Record]] = {}
        self.last: dict[bytes, bytes] = {}
        self.commons = ZEROS
        self.minutes = 0
        made = acts.found(
            "A town", entropy=bytes(32), recovery=recovery_hash(words_of("alice").public), stamp_bits=0, **founding
        )
        body = {**made.body, "rules": {**RULES, **LOWS, **(rules or {})}}
        founding_record = self.write("alice", Made(made.kind, body), prev=())
        self.commons = bytes(founding_record.id)
        for person in people:
            if person != "alice":
                self.bring(person)
        self.meet(*people)

    # -- writing

    def heads(self, person: str, within: Mapping[bytes, Record] | None = None) -> list[bytes]:
        """What a person's next record names, of what they hold."""
        held = self.seen.setdefault(person, {}) if within is None else within
        plain = [record for record in held.values() if not record.header.kind.startswith("ballot.")]
        named = {parent for record in plain for parent in record.header.prev}
        found = sorted(record.id for record in plain if record.id not in named)
        while len(found) > PREV_MAX and within is None:
            found = [*found[PREV_MAX:], self.write(person, bodies.seen(), prev=found[:PREV_MAX]).id]
        return found[:PREV_MAX]

    def write(
        self, person: str, made: Made, *, prev: Iterable[bytes] | None = None, key: SigningKey | None = None
    ) -> Record:
        """A record by a person, on all they hold unless `prev` is given."""
        author = (key or key_of(person)).public
        self.minutes += 1
        record = build(
            commons=self.commons, plane=0, author=author, after=self.last.get(author, ZEROS),
            time=(START_MS + 60_000 * self.minutes) << 16, subject=self.commons,
            prev=sorted(set(self.heads(person) if prev is None else prev)), kind=made.kind, body=made.body,
            salt=sha256(b"salt %d" % len(self.records)).digest()[:16],
        )  # fmt: skip
        self.records[record.id] = record
        if self.commons != ZEROS:
            self.last[author] = record.id
        self.seen.setdefault(person, {})[record.id] = record
        return record

    def bring(self, person: str, by: str = "alice") -> Record:
        """Invites and lets in."""
        invite = self.write(by, acts.invite(TOKEN.public, stamp_bits=0))
        self.seen.setdefault(person, {}).update(self.seen[by])
        return self.join(person, invite.id)

    def join(self, person: str, invite: bytes) -> Record:
        """Lets in by an invitation."""
        made = acts.join_by_invitation(
            self.commons, invite, key_of(person).public, TOKEN,
            recovery=recovery_hash(words_of(person).public), stamp=bytes(8),
        )  # fmt: skip
        return self.write(person, made, prev=[invite])

    def rotate(self, person: str, new: str) -> Record:
        """Takes a person's place by their words, with the key of another name, which from here on sees what they saw."""
        made = acts.rotate(
            self.commons, key_of(new).public, key_of(person).public, words_of(person),
            next_recovery=recovery_hash(words_of(new).public), heads={},
        )  # fmt: skip
        self.seen[new] = dict(self.seen[person])
        return self.write(new, made)

    def device(self, person: str, new: str) -> Record:
        """A further key of a person, under another name."""
        self.seen.setdefault(new, {}).update(self.seen[person])
        record = self.write(person, acts.add_device(self.commons, key_of(person).public, key_of(new)))
        self.seen[new][record.id] = record
        return record

    def meet(self, *people: str) -> None:
        """These people exchange all they hold, and keep what is in the set."""
        together: dict[bytes, Record] = {}
        for person in people:
            together.update(self.seen.get(person, {}))
        kept = judge(together.values(), self.commons).set_ids
        for person in people:
            self.seen[person] = {identifier: together[identifier] for identifier in together if identifier in kept}

    def back_to(self, person: str, record: bytes) -> Mapping[bytes, Record]:
        """What lies in the past of a record, and it: to write as if one had seen nothing since."""
        found: dict[bytes, Record] = {}
        more = [record]
        while more:
            identifier = more.pop()
            if identifier not in found:
                found[identifier] = self.records[RecordId(identifier)]
                more.extend(found[identifier].header.prev)
        return found

    def declare(self, person: str, people: Iterable[str], quorum: int, by: Iterable[str] = ()) -> Record:
        """Says that a member is an organisation of these people; `by`: who approve of it before."""
        made = organisations.declare([key_of(name).public for name in people], quorum)
        return self.write_together(person, made, by)

    def approve(self, person: str, made: Made, organisation: str) -> Record:
        """A person's yes to an act of an organisation."""
        return self.write(person, organisations.approve_for(self.commons, key_of(organisation).public, made))

    def write_together(
        self, person: str, made: Made, by: Iterable[str], *, prev: Iterable[bytes] | None = None
    ) -> Record:
        """An act that these approve of first; on these records and the approvals, or on all that the person holds."""
        approvals = []
        for name in by:
            approvals.append(self.approve(name, made, person).id)
            self.seen[person].update(self.back_to(name, approvals[-1]))
        return self.write(person, made, prev=None if prev is None else [*prev, *approvals])

    # -- deciding

    def assembly(self, person: str | None = None) -> Assembly:
        """What a person's node folds; None: all that was written."""
        held = self.records if person is None else self.seen[person]
        return assemble(held.values(), self.commons)

    def propose(
        self,
        person: str,
        matter: str = "text",
        effect: Mapping[str, Any] | None = None,
        *,
        text: str = "a text",
        closers: Iterable[str] | None = None,
        prev: Iterable[bytes] | None = None,
        **changed: Any,
    ) -> Record:
        """A proposal as the rules in force in its past ask for it."""
        past = list(self.heads(person) if prev is None else prev)
        held = {identifier: record for one in past for identifier, record in self.back_to(person, one).items()}
        assembly = assemble(held.values(), self.commons)
        members = assembly.pasts.members(assembly.pasts.all)
        electorate = len(set(members.values()))
        rules = assembly.rules()
        decision = rules.decision(matter)
        count, k = rules.closing(electorate)
        keys = (
            [key_of(name).public for name in closers] if closers is not None else sorted(set(members.values()))[:count]
        )
        if matter == "rule" and effect is not None:
            effect = {"text": text_of(text), "version": rules[effect["rule"]].version, **effect}
        values: dict[str, Any] = {
            "mode": decision.mode, "threshold": decision.threshold, "quorum": decision.quorum(electorate),
            "closers": keys, "k": k, "text": text_of(text), "effect": effect, **changed,
        }  # fmt: skip
        return self.write(person, bodies.propose(matter, **values), prev=past)

    def vote(
        self, person: str, on: Record, choice: str | Mapping[str, int] = "for", *, replaces: Iterable[bytes] = (),
        proposal: bytes | None = None, text: str = "a text", prev: Iterable[bytes] = (),
    ) -> Record:  # fmt: skip
        """A ballot on a wording (the proposal, unless it was amended)."""
        made = bodies.cast(proposal or on.id, text_of(text), choice, replaces=replaces)
        return self.write(person, made, prev=[on.id, *prev])

    def room(self, person: str) -> list[bytes]:
        """Heads that leave a closing room for ballots."""
        found = self.heads(person)
        return found if len(found) < PREV_MAX // 2 else [self.write(person, bodies.seen(), prev=found).id]

    def close(
        self,
        person: str,
        proposal: Record,
        *,
        wording: bytes | None = None,
        without: Iterable[bytes] = (),
        key: SigningKey | None = None,
        prev: Iterable[bytes] | None = None,
        claim: Callable[[list[bytes]], list[bytes]] = lambda ids: ids,
    ) -> Record:
        """A closing over all ballots the person holds but some; `claim` lies about what was counted."""
        assembly = self.assembly(person)
        pasts = assembly.pasts
        case = assembly.cases[proposal.id]
        on = wording or sorted(one.id for one in case.current(pasts.all))[0]
        left_out = set(without)
        held = frozenset(
            b.id for b in pasts.ballots.values() if b.form.proposal == proposal.id and b.id not in left_out
        )  # fmt: skip
        counted = [verdict.id for verdict in case.verdicts(on, held, pasts) if verdict.code == COUNTED]
        gathered: list[bytes] = sorted(held)
        heads = list(self.room(person) if prev is None else prev)
        *sheets, named = bodies.sheets_for(len(gathered), PREV_MAX - len(heads))
        places = gathered
        for sheet in sheets:
            places.append(self.write(person, bodies.sheet(), prev=[places[at] for at in sheet]).id)
        excluded = [(identifier, "late") for identifier in sorted(left_out)]
        made = bodies.close(proposal.id, on, claim(counted), excluded=excluded)
        return self.write(person, made, prev=[*heads, *(places[at] for at in named)], key=key)

    def decide(
        self, proposal: Record, people: Iterable[str], *, against: Iterable[str] = (), text: str = "a text"
    ) -> None:
        """Everybody votes and meets, and the closers close."""
        no = set(against)
        people = list(people)
        self.meet(*people)
        for person in people:
            words = ("consent", "object") if proposal.content()["mode"] == "consent" else ("for", "against")
            self.vote(person, proposal, words[person in no], text=text)
        self.meet(*people)
        for person in people:
            case = self.assembly(person).cases.get(proposal.id)
            if case is not None and case.fault is None and case.electors.get(key_of(person).public) in case.closers:
                self.close(person, proposal)
        self.meet(*people)


def read(proposal: Record) -> bodies.Open:
    """The form of a proposal's record."""
    form = bodies.read_assembly(proposal.header.kind, proposal.body or b"")
    assert isinstance(form, bodies.Open)
    return form


def is_ballot(record: Record) -> bool:
    """Whether a record is a ballot that fits."""
    return isinstance(bodies.read_assembly(record.header.kind, record.body or b""), Cast)


def encoded(made: Made) -> bytes:
    """A body's bytes."""
    return encode_body(made.body)
