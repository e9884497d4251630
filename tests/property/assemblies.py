"""Random assemblies with hostile members, by seed."""

from __future__ import annotations

from random import Random

from towns import Town, key_of, read, text_of

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import organisation_bodies as organisations
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.core.record import Record
from p2pcommons.errors import FormError

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
STRANGERS = ("mallory", "trudy")


def assembly_history(seed: int, length: int, removing: bool = False, organised: bool = False) -> Town:
    """A town in which about `length` records were written, by people who see only some of what others wrote.

    `removing`: they leave and remove each other besides; `organised`: some say that they are organisations.
    """
    return _Maker(seed, length, removing, organised).town


class _Maker:
    def __init__(self, seed: int, length: int, removing: bool, organised: bool) -> None:
        self.dice = Random(seed)
        some, join = PEOPLE[: self.dice.randint(2, 5)], self.dice.choice(["invite", "open"])
        rules = {"organisations": {"needed": 1 + seed % 2}} if organised else None
        self.town = Town(*some, seed=seed, join=join, rules=rules)
        self.people = [name for name in PEOPLE if name in self.town.seen]
        self.proposals: list[Record] = []
        self.organised: dict[str, list[str]] = {}  # whom each named at some time
        steps = [
            (self.propose, 5), (self.vote, 12), (self.meet, 9), (self.close, 6), (self.amend, 4), (self.answer, 3),
            (self.stale, 4), (self.lie, 2), (self.other_person, 1), (self.stranger, 1), (self.purge, 1), (self.join, 1),
            (self.sitting, 2), (self.rivals, 1), (self.disorderly, 2), (self.close_on_the_old_text, 2), (self.odd, 1),
        ]  # fmt: skip
        if removing:
            steps += [
                (self.remove, 5), (self.remove_each_other, 2), (self.leave, 1), (self.keep, 1), (self.stewards, 3),
                (self.vote_out, 2),
            ]  # fmt: skip
        if organised:
            steps += [(self.declare, 6), (self.ask_people, 9), (self.needed, 1)]
        while len(self.town.records) < length:
            try:
                self.dice.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()
            except FormError:
                pass  # what a writer refuses to make

    def who(self) -> str:
        return self.dice.choice(self.people)

    def known(self, person: str, kind: str) -> Record | None:
        found = [r for r in self.town.seen[person].values() if r.header.kind == kind]
        found = [r for r in found if bodies.read_assembly(kind, r.body or b"") is not None]
        return self.dice.choice(found[-4:]) if found else None

    def in_order(self, person: str, proposal: Record) -> bool:
        case = self.town.assembly(person).cases.get(proposal.id)
        return case is not None and case.fault is None

    def matter(self) -> tuple[str, dict[str, object] | None]:
        dice = self.dice
        rule = dice.choice([("licence", {"expression": dice.choice(["CC0-1.0", "CC-BY-4.0"])}), ("replicas", {"floor": dice.randint(1, 9)}),
                            ("closing", {"closers": 1, "needed": 1}), ("join", {"policy": dice.choice(["vote", "open"])}), ("invite", {"by": "stewards"}), ("decide.text", {"mode": "consent", "heads": 1}),
                            ("nothing", {})])  # fmt: skip
        return dice.choice(
            [
                ("text", None),
                ("rule", {"rule": rule[0], "params": rule[1]}),
                ("rule", {"rule": "licence", "params": {"expression": "MIT"}}),
                ("hide", {"entry": bytes([dice.randint(1, 2)]) * 32}),
                ("restore", {"entry": bytes([dice.randint(1, 2)]) * 32}),
                ("steward", {"keys": [key_of(self.who()).public]}),
                ("admit", {"person": key_of(self.who()).public}),
            ]
        )

    def propose(self) -> None:
        person = self.who()
        matter, effect = self.matter()
        if effect is not None and effect.get("rule") == "nothing":
            effect = {**effect, "version": bytes(32), "text": bytes(32)}
        try:
            self.proposals.append(self.town.propose(person, matter, effect))
        except KeyError:
            pass  # a rule that nobody knows

    def vote(self) -> None:
        person = self.who()
        on = self.known(person, bodies.PROPOSE)
        if on is None:
            return
        choice = self.dice.choice(["for", "for", "for", "against", "abstain", "consent", "object", "perhaps"])
        key = key_of(person).public
        mine = [r.id for r in self.town.seen[person].values() if r.header.author == key and on.id in r.header.prev]
        replaces = self.dice.sample(mine, min(len(mine), self.dice.choice([0, 1])))
        wording = self.known(person, bodies.AMEND) if self.dice.random() < 0.2 else None
        text = self.dice.choice(["a text"] * 5 + ["another"])
        self.town.vote(person, wording or on, choice, replaces=replaces, proposal=on.id, text=text)

    def meet(self) -> None:
        self.town.meet(*self.dice.sample(self.people, self.dice.randint(2, len(self.people))))

    def close(self) -> None:
        person = self.who()
        proposal = self.known(person, bodies.PROPOSE)
        if proposal is None:
            return
        closers = [name for name in self.people if key_of(name).public in read(proposal).closers]
        for closer in closers if self.dice.random() < 0.7 else [self.who()]:
            if self.in_order(closer, proposal):
                left_out = [r.id for r in self.town.seen[closer].values() if r.header.kind == bodies.CAST]
                some = self.dice.sample(left_out, min(len(left_out), self.dice.choice([0, 0, 0, 1])))
                self.town.close(closer, proposal, without=some)

    def sitting(self) -> None:
        """A vote as it should go."""
        person = self.who()
        matter, effect = self.matter()
        if effect is not None and effect.get("rule") == "nothing":
            return
        some = self.dice.sample(self.people, self.dice.randint(1, len(self.people)))
        proposal = self.town.propose(person, matter, effect)
        if self.in_order(person, proposal):
            self.town.decide(proposal, dict.fromkeys([person, *some]))

    def rivals(self) -> None:
        """Two amendments of one version, each closed without knowing of the other's closing."""
        self.town.meet(*self.people)
        texts = [{"rule": "licence", "params": {"expression": licence}} for licence in ("MIT", "CC0-1.0")]
        both = [self.town.propose(self.who(), "rule", effect) for effect in texts]
        self.town.meet(*self.people)
        if not all(self.in_order(self.people[0], proposal) for proposal in both):
            return
        for person in self.people:
            for proposal in both:
                self.town.vote(person, proposal)
        self.town.meet(*self.people)
        for person in self.people:
            case = self.town.assembly(person).cases[both[0].id]
            if case.electors.get(key_of(person).public) in case.closers:
                past = self.town.heads(person)
                for proposal in both:
                    self.town.close(person, proposal, prev=past)
        self.town.meet(*self.people)

    def removal(self, other: str) -> acts.Made:
        return removals.remove(key_of(other).public, keep=self.dice.random() < 0.5)

    def remove(self) -> None:
        person = self.dice.choice(["alice", self.who()])
        prev = None
        if self.dice.random() < 0.3:  # backdated
            old = self.dice.choice(list(self.town.seen[person].values()))
            if not old.header.kind.startswith("ballot."):
                prev = self.town.heads(person, self.town.back_to(person, old.id))
        self.town.write(person, self.removal(self.who()), prev=prev)

    def remove_each_other(self) -> None:
        one, other = self.who(), self.who()
        self.town.write(one, self.removal(other))
        self.town.write(other, self.removal(one))

    def leave(self) -> None:
        person = self.who()
        self.town.write(person, removals.leave(key_of(self.dice.choice([person, person, self.who()])).public))

    def keep(self) -> None:
        person = self.who()
        some = self.dice.sample(list(self.town.seen[person]), 2)
        self.town.write(person, removals.keep(some))

    def stewards(self) -> None:
        person = self.dice.choice(["alice", self.who()])
        added = [key_of(self.who()).public]
        ended = [key_of(self.who()).public] if self.dice.random() < 0.2 else []
        self.town.write(person, acts.name_stewards(add=added, end=ended))

    def vote_out(self) -> None:
        """A removal by vote, and its record."""
        self.town.meet(*self.people)
        person, other = self.who(), self.who()
        effect = {"person": key_of(other).public}
        matter = self.dice.choice(["remove", "remove", "admit", "steward"])
        if matter == "steward":
            effect = {"keys": [key_of(other).public]}
        proposal = self.town.propose(person, matter, effect)
        if self.in_order(person, proposal):
            self.town.decide(proposal, self.people)
            if matter == "remove":
                self.town.write(person, self.removal(other))

    def spoken(self) -> tuple[str, list[str]]:
        """Somebody, and who approves of what they do: an organisation's people, most of the time."""
        if self.organised and self.dice.random() < 0.7:
            person = self.dice.choice(list(self.organised))
            return person, [name for name in self.organised[person] if name in self.people]
        return self.who(), self.dice.sample(self.people, self.dice.randint(0, len(self.people)))

    def declare(self) -> None:
        """Of anybody: themselves, each other, who is none; approved of or not; two at once."""
        person, by = self.spoken()
        before = self.town.heads(person)
        people = self.dice.sample([*self.people, *self.people, *STRANGERS], self.dice.randint(1, 4))
        self.organised[person] = [*self.organised.get(person, []), *people]
        quorum = self.dice.randint(1, min(2, len(set(people))))
        self.town.declare(person, people, quorum, by)
        if self.dice.random() < 0.3:
            made = organisations.declare([key_of(name).public for name in [*people, "erin"]], quorum)
            self.town.write(person, made, prev=before)

    def ask_people(self) -> None:
        """An act of whoever it is, of which some approve before it is written."""
        (person, by), dice = self.spoken(), self.dice
        on = self.known(person, bodies.PROPOSE)
        if on is None or dice.random() < 0.3:
            made = bodies.propose(
                "text", mode="majority", quorum=1, closers=[key_of("alice").public], k=1, text=text_of("a text")
            )
            self.town.write_together(person, made, by)
        elif dice.random() < 0.3:
            words = bodies.amend(on.id, text=text_of("newer"), effect={})
            self.town.write_together(person, words, by)
        else:
            made = bodies.cast(on.id, text_of("a text"), dice.choice(["for", "against"]), replaces=[])
            self.town.write_together(person, made, by, prev=[on.id])

    def needed(self) -> None:
        proposal = self.town.propose(
            self.who(), "rule", {"rule": "organisations", "params": {"needed": self.dice.randint(1, 2)}}
        )
        if self.in_order(self.who(), proposal):
            self.town.decide(proposal, self.people)

    def disorderly(self) -> None:
        """A proposal that does not keep to the rules."""
        person, dice = self.who(), self.dice
        effect = {
            "rule": "licence",
            "params": {"expression": "MIT"},
            "version": dice.choice([bytes(32), self.town.commons]),
        }
        some = [name for name in self.people if dice.random() < 0.6]
        changed = dice.choice(
            [{"quorum": 7}, {"mode": "consent", "threshold": None}, {"closers": some or [person], "k": 1}, {}]
        )
        self.town.propose(person, "rule", effect, **changed)

    def close_on_the_old_text(self) -> None:
        """By somebody who has seen the new one."""
        for case in self.town.assembly().cases.values():
            name = next((name for name in self.people if key_of(name).public == case.deed.author), None)
            if case.fault is None and name is not None and self.in_order(name, self.town.records[case.id]):
                words = bodies.amend(case.id, text=text_of("newer"), effect=dict(case.form.effect.content))
                self.town.write(name, words)
                self.town.meet(*self.people)
                closer = self.who()
                if self.in_order(closer, self.town.records[case.id]):
                    self.town.close(closer, self.town.records[case.id], wording=case.id)
                return

    def amend(self) -> None:
        person = self.who()
        proposal = self.known(person, bodies.PROPOSE)
        if proposal is None:
            return
        if self.dice.random() < 0.4:
            authors = [name for name in self.people if key_of(name).public == proposal.header.author]
            person = authors[0] if authors else person
        effect = dict(read(proposal).effect.content)
        if effect.get("rule") == "licence":
            effect["params"] = {"expression": "EUPL-1.2"}
        words = text_of(self.dice.choice(["another", "a third"]))
        prev = [proposal.id] if self.dice.random() < 0.5 else None
        self.town.write(person, bodies.amend(proposal.id, text=words, effect=effect), prev=prev)

    def answer(self) -> None:
        person = self.who()
        offered = self.known(person, bodies.AMEND)
        if offered is not None:
            authors = [n for n in self.people if key_of(n).public == self.proposer(offered)]
            self.town.write(authors[0] if authors else person, bodies.answer(offered.id, take=self.dice.random() < 0.6))

    def proposer(self, offered: Record) -> bytes:
        proposal = self.town.records.get(offered.content()["proposal"])
        return b"" if proposal is None else proposal.header.author

    def stale(self) -> None:
        """Something on an old past, as if all since were unknown: a forged electorate, a backdated closing."""
        person = self.who()
        old = self.dice.choice(list(self.town.seen[person].values()))
        if old.header.kind.startswith("ballot."):
            return
        past = self.town.heads(person, self.town.back_to(person, old.id))
        matter, effect = self.matter()
        try:
            self.proposals.append(self.town.propose(person, matter, effect, prev=past))
        except KeyError:
            pass

    def lie(self) -> None:
        """A second closing, over other ballots or none."""
        person = self.who()
        proposal = self.known(person, bodies.PROPOSE)
        if proposal is not None and self.in_order(person, proposal):
            self.town.close(person, proposal, claim=lambda ids: ids[: len(ids) // 2])

    def other_person(self) -> None:
        person, other = self.who(), self.dice.choice([*PEOPLE, *STRANGERS])
        if self.dice.random() < 0.5:
            self.town.device(person, other)
        else:
            self.town.rotate(person, other)

    def stranger(self) -> None:
        """Somebody who was never let in."""
        name = self.dice.choice(STRANGERS)
        self.town.seen[name] = dict(self.town.seen[self.who()])
        self.town.propose(name, "text")

    def purge(self) -> None:
        other = self.who()
        self.town.write(self.who(), acts.purge([key_of(other).public]))

    def join(self) -> None:
        self.town.bring(self.dice.choice(PEOPLE), by=self.who())
        self.people = [name for name in PEOPLE if name in self.town.seen]

    def odd(self) -> None:
        person = self.who()
        kind = self.dice.choice([bodies.PROPOSE, bodies.AMEND, bodies.ANSWER, bodies.CAST, bodies.CLOSE, bodies.SHEET])
        self.town.write(person, acts.Made(kind, {"closers": [], "text": self.dice.choice([None, 7, bytes(32)])}))
