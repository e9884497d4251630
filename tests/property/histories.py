"""Random histories of plane 0 with hostile members, and the rules of chapter 21 written out as plainly as they read.

`rules` shares no code with the package but the reading of bodies and proofs: sets of ids, recursion, no bits.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple

from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons.doors import (
    Approval,
    Device,
    Founding,
    Invite,
    Join,
    Opening,
    Purge,
    Rotation,
    Stewards,
    act_hash,
    device_message,
    join_message,
    read_form,
    recovery_hash,
    remembered_verify,
)
from p2pcommons.commons.grounding import ground
from p2pcommons.commons.stamp import search_stamp, stamp_holds
from p2pcommons.core.identity import TAG_ROTATE, SigningKey
from p2pcommons.core.record import ZEROS, Record, build

KEYS = [SigningKey(sha256(b"person %d" % n).digest()) for n in range(9)]
RECOVERY = [SigningKey(sha256(b"recovery %d" % n).digest()) for n in range(9)]
TOKENS = [SigningKey(sha256(b"token %d" % n).digest()) for n in range(4)]
INDEX = {key.public: n for n, key in enumerate(KEYS)}


class History(NamedTuple):
    commons: bytes
    records: list[Record]  # plane 0 and 1, foreign ones too; order of making


def history(seed: int, length: int) -> History:
    """About `length` records by nine people, some of whom do all they can."""
    return _Maker(seed).make(length)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.records: list[Record] = []
        self.plane0: list[Record] = []
        self.grounded: list[Record] = []
        self.last: dict[bytes, bytes] = {}
        self.time = 1_700_000_000_000 << 16
        self.commons = ZEROS

    def make(self, length: int) -> History:
        dice = self.dice
        council = [KEYS[n].public for n in dice.sample(range(1, 5), dice.choice([0, 0, 1, 2]))]
        founded = acts.found(
            "seeds",
            entropy=dice.randbytes(32),
            recovery=recovery_hash(RECOVERY[0].public),
            join=dice.choice(["invite", "open"]),
            stamp_bits=0,
            stewards=council,
            quorum=dice.randint(1, 1 + len(council)) if dice.random() < 0.5 else 1,
        )
        founding = self.write(0, [], founded, ZEROS)
        self.commons = founding.id
        # Let a few in at first: histories in which nobody ever gets in are dull.
        for n in range(1, dice.randint(2, 5)):
            self.invite_and_join(n)
        steps = [
            (self.invite, 4), (self.join, 8), (self.open, 1), (self.device, 3), (self.rotate, 3), (self.purge, 5),
            (self.stewards, 3), (self.approved, 4), (self.odd, 4), (self.invented, 2), (self.foreign, 1),
            (self.malformed, 2), (self.catalogue, 2), (self.invite_and_join, 3),
        ]  # fmt: skip
        while len(self.records) < length:
            dice.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()
        return History(self.commons, self.records)

    # -- pieces

    def write(
        self, who: int, prev: list[bytes], made: acts.Made, commons: bytes | None = None, plane: int = 0
    ) -> Record:
        author = KEYS[who].public
        self.time += self.dice.randint(-3, 9)
        record = build(
            commons=self.commons if commons is None else commons,
            plane=plane,
            author=author,
            after=ZEROS if commons == ZEROS else self.last.get(author, ZEROS),
            time=self.time,
            subject=ZEROS if commons == ZEROS else sha256(author).digest(),
            prev=sorted(set(prev)),
            kind=made.kind,
            body=made.body,
            salt=self.dice.randbytes(16),
        )
        self.records.append(record)
        if plane == 0:
            self.plane0.append(record)
            self.last[author] = record.id
            if self.commons != ZEROS or commons == ZEROS:
                grounds = ground(
                    {r.id: r for r in self.plane0},
                    self.commons if self.commons != ZEROS else record.id,
                    remembered_verify,
                )
                self.grounded = [r for r in self.plane0 if r.id in grounds.records]
        return record

    def who(self) -> int:
        """Mostly somebody who has come in, whether or not still in."""
        if self.dice.random() < 0.15:
            return self.dice.randrange(len(KEYS))
        return INDEX[self.dice.choice(self.grounded).header.author]

    def past(self, who: int) -> list[bytes]:
        """Some prev: mostly own records and late ones, sometimes old ones only (as if one had seen nothing since)."""
        dice = self.dice
        # Mostly what stands on something: most acts of a history that is all invention do nothing at all.
        pool = self.plane0 if dice.random() < 0.04 else self.grounded
        if dice.random() < 0.35:
            pool = pool[: dice.randint(1, len(pool))]
        chosen = [r.id for r in dice.sample(pool[-12:], min(len(pool[-12:]), dice.randint(1, 4)))]
        own = [r.id for r in pool if r.header.author == KEYS[who].public]
        named = [r.id for r in pool if r.header.kind == "device.add" and r.content().get("key") == KEYS[who].public]
        if own or named:
            chosen.append(dice.choice((own + named)[-4:]))
        return chosen

    def invite(self, who: int | None = None) -> Record:
        who = self.who() if who is None else who
        token = self.dice.randrange(len(TOKENS))
        bits = self.dice.choice([0, 0, 3])
        return self.write(who, self.past(who), acts.invite(TOKENS[token].public, stamp_bits=bits))

    def join(self, who: int | None = None, way: Record | None = None) -> None:
        dice = self.dice
        who = self.who() if who is None else who
        author = KEYS[who].public
        if way is None:
            ways = [r for r in self.grounded if r.header.kind in ("member.invite", "charter.open", "commons.found")]
            way = dice.choice(ways)
        form = read_form(way.header.kind, way.body or b"")
        bits = form.stamp_bits if isinstance(form, Founding | Opening | Invite) else 0
        stamp = search_stamp(self.commons, way.id, author, bits) or bytes(8)
        if dice.random() < 0.05:
            stamp = dice.randbytes(8)
        recovery = recovery_hash(RECOVERY[who].public)
        if isinstance(form, Invite) and dice.random() < 0.93:
            token = next((t for t in TOKENS if t.public == form.public), TOKENS[0])
            if dice.random() < 0.05:
                token = dice.choice(TOKENS)
            made = acts.join_by_invitation(self.commons, way.id, author, token, recovery=recovery, stamp=stamp)
        else:
            made = acts.join_open(recovery=recovery, stamp=stamp)
        prev = [way.id]
        if dice.random() < 0.05:
            prev.append(dice.choice(self.plane0).id)
        self.write(who, prev, made)

    def invite_and_join(self, who: int | None = None) -> None:
        inviter = self.dice.choice([0, 0, 1, 2, self.who()])
        self.join(self.who() if who is None else who, self.invite(inviter))

    def open(self) -> None:
        who = self.who()
        self.write(who, self.past(who), acts.open_joining(stamp_bits=self.dice.choice([0, 2])))

    def device(self) -> None:
        who, device = self.who(), self.dice.randrange(len(KEYS))
        made = acts.add_device(self.commons, KEYS[who].public, KEYS[device])
        if self.dice.random() < 0.1:
            made = acts.add_device(self.commons, KEYS[self.who()].public, KEYS[device])
        self.write(who, self.past(who), made)

    def rotate(self) -> None:
        who, old = self.dice.randrange(len(KEYS)), self.who()
        words = RECOVERY[old] if self.dice.random() < 0.9 else RECOVERY[who]
        made = acts.rotate(
            self.commons, KEYS[who].public, KEYS[old].public, words,
            next_recovery=recovery_hash(RECOVERY[who].public), heads={0: []},
        )  # fmt: skip
        self.write(who, self.past(who) + self.past(old), made)

    def some_keys(self) -> list[bytes]:
        return [KEYS[n].public for n in self.dice.sample(range(len(KEYS)), self.dice.choice([0, 1, 1, 2]))]

    def a_purge(self) -> acts.Made:
        ways = [
            r.id
            for r in self.grounded
            if r.header.kind in ("member.invite", "charter.open", "key.rotate", "device.add")
        ]
        doors = self.dice.sample(ways, min(len(ways), self.dice.choice([0, 0, 1, 2])))
        return acts.purge(self.some_keys(), doors)

    def purge(self) -> None:
        who = self.dice.choice([0, 1, 2, self.who()])
        self.write(who, self.past(who), self.a_purge())
        if self.dice.random() < 0.3:  # and, not knowing of it, the other way round
            other = self.who()
            self.write(other, self.past(other), acts.purge([KEYS[who].public]))

    def a_change(self) -> acts.Made:
        return acts.name_stewards(
            add=self.some_keys(), end=self.some_keys(), quorum=self.dice.choice([None, None, 1, 2])
        )

    def stewards(self) -> None:
        who = self.dice.choice([0, 1, 2, self.who()])
        self.write(who, self.past(who), self.a_change())

    def approved(self) -> None:
        made = self.a_purge() if self.dice.random() < 0.6 else self.a_change()
        prev = []
        for _ in range(self.dice.randint(1, 2)):
            who = self.who()
            prev.append(self.write(who, self.past(who), acts.approve(self.commons, made)).id)
        who = self.dice.choice([0, 1, 2, self.who()])
        self.write(who, self.past(who) + prev, made)

    def odd(self) -> None:
        who = self.who()
        kind = self.dice.choice(["weather.report", "ballot.cast", "record.erase", "record.erase", "commons.found"])
        body: dict[str, Any] = {"x": self.dice.randrange(9)}
        if kind == "record.erase":
            body = acts.erase({self.dice.choice(self.records).id: ["title"]}).body
        if kind == "ballot.cast":
            self.write(who, [self.dice.choice(self.plane0).id], acts.Made(kind, body))
        else:
            self.write(who, self.past(who), acts.Made(kind, body))

    def invented(self) -> None:
        who = self.who()
        past = [*self.past(who), self.dice.randbytes(32)] if self.dice.random() < 0.7 else []
        self.write(who, past, self.dice.choice([acts.Made("weather.report", {"x": 0}), self.a_purge()]))

    def foreign(self) -> None:
        who = self.who()
        self.write(who, self.past(who), acts.invite(TOKENS[0].public, stamp_bits=0), commons=sha256(b"else").digest())

    def malformed(self) -> None:
        victim = self.dice.choice(self.plane0)
        body = dict(victim.content())
        if body:
            name = self.dice.choice(sorted(body))
            body[name] = self.dice.choice([b"", 7, None, [], {"quorum": 0}, True])
        who = INDEX[victim.header.author]
        self.write(who, list(victim.header.prev), acts.Made(victim.header.kind, body))

    def catalogue(self) -> None:
        who = self.who()
        self.write(who, [self.dice.choice(self.records).id], acts.Made("entry.edit", {"set": {"title": "x"}}), plane=1)


# -- the rules, read aloud


class Rules(NamedTuple):
    set_ids: frozenset[bytes]
    admitted: frozenset[bytes]
    ungrounded: frozenset[bytes]
    missing: frozenset[bytes]
    valid: frozenset[bytes]
    cut: frozenset[bytes]  # grounded doors that do not stand
    grounded: frozenset[bytes]
    stewards: frozenset[bytes]  # in the view: of the set alone
    quorum: int


class _Door(NamedTuple):
    key: bytes
    way: bytes
    maker: bytes
    recovery: bytes | None
    link: bool


def rules(records: list[Record], commons: bytes) -> Rules:
    given = {
        r.id: r
        for r in records
        if r.header.plane == 0 and r.body is not None and (r.header.commons == commons or r.id == commons)
    }

    @cache
    def form(i: bytes) -> Any:
        found = read_form(given[i].header.kind, given[i].body or b"")
        if isinstance(found, Founding):
            author = given[i].header.author
            return found if i == commons and found.quorum <= len({author} | found.stewards) else None
        return found

    @cache
    def ancestors(i: bytes) -> frozenset[bytes]:
        prev = given[i].header.prev
        return frozenset(prev).union(*(ancestors(p) for p in prev))

    @cache
    def grounded(i: bytes) -> bool:
        if i not in given or not all(grounded(p) for p in given[i].header.prev):
            return False
        author = given[i].header.author
        own = door(i)
        return (own is not None and own.key == author) or bool(doors_of(author, i))

    def doors_of(key: bytes, i: bytes) -> list[bytes]:
        return [a for a in ancestors(i) if (found := door(a)) is not None and found.key == key]

    @cache
    def door(i: bytes) -> _Door | None:
        """The door that a record, whose prev are grounded, is."""
        body, header = form(i), given[i].header
        author = header.author
        if isinstance(body, Founding):
            return _Door(author, i, b"", body.recovery, False)
        if isinstance(body, Join):
            if len(header.prev) != 1:
                return None
            way = header.prev[0]
            into = form(way)
            if not isinstance(into, Invite | Opening) and not (isinstance(into, Founding) and into.open):
                return None
            if not stamp_holds(commons, way, author, body.stamp, into.stamp_bits):
                return None
            if isinstance(into, Invite) and not (
                body.proof and remembered_verify(into.public, body.proof, join_message(commons, way, author))
            ):
                return None
            return _Door(author, way, given[way].header.author, body.recovery, False)
        if isinstance(body, Rotation) and body.old != author:
            hashes = {found.recovery for d in doors_of(body.old, i) if (found := door(d))}
            message = TAG_ROTATE + commons + author + body.signed
            if recovery_hash(body.recovery_key) in hashes and remembered_verify(body.recovery_key, body.proof, message):
                return _Door(author, i, body.old, body.next, True)
        if isinstance(body, Device) and body.key != author and doors_of(author, i):
            proven = remembered_verify(body.key, body.proof, device_message(commons, author, body.key))
            return _Door(body.key, i, author, None, True) if proven else None
        return None

    def stands(d: bytes, within: frozenset[bytes]) -> bool:
        found = door(d)
        if found is None or d not in within:
            return False
        if d == commons:
            return True
        for p in (p for p in valid_in(within) if isinstance(form(p), Purge) and d not in ancestors(p)):
            if found.way in form(p).doors or found.maker in form(p).keys:
                return False
        return any(stands_in(m, within) for m in doors_of(found.maker, d))

    @cache
    def stands_in(d: bytes, within: frozenset[bytes]) -> bool:
        return stands(d, within)

    @cache
    def valid_in(within: frozenset[bytes]) -> frozenset[bytes]:
        return frozenset(i for i in within if isinstance(form(i), Purge | Stewards) and valid(i))

    @cache
    def admitted_in(within: frozenset[bytes]) -> frozenset[bytes]:
        purged = {key for p in valid_in(within) if isinstance(form(p), Purge) for key in form(p).keys}
        keys = {found.key for i in within if (found := door(i)) and stands_in(i, within)}
        return frozenset(keys - purged)

    @cache
    def people_in(within: frozenset[bytes]) -> tuple[frozenset[bytes], ...]:
        people = [{found.key} for i in within if (found := door(i)) and stands_in(i, within)]
        links = [{found.key, found.maker} for i in within if (found := door(i)) and found.link and stands_in(i, within)]
        for link in links:
            joined = set(link).union(*(p for p in people if p & link))
            people = [p for p in people if not p & link] + [joined]
        return tuple({frozenset(p) for p in people})

    def has_role(key: bytes, within: frozenset[bytes]) -> bool:
        changes = [i for i in valid_in(within) if isinstance(form(i), Stewards)]
        ends = {i for i in changes if key in form(i).end}
        grants = [i for i in changes if key in form(i).add]
        founding = form(commons)
        named = key == given[commons].header.author or key in founding.stewards
        return (named and not ends) or any(ends <= ancestors(g) for g in grants)

    def quorum_in(within: frozenset[bytes]) -> int:
        setting = [i for i in valid_in(within) if isinstance(form(i), Stewards) and form(i).quorum is not None]
        last = [form(i).quorum for i in setting if not any(i in ancestors(j) for j in setting)]
        return max(last) if last else form(commons).quorum

    def stewards_in(within: frozenset[bytes]) -> list[frozenset[bytes]]:
        return [p & admitted_in(within) for p in people_in(within) if any(has_role(k, within) for k in p)]

    @cache
    def valid(i: bytes) -> bool:
        """Whether a grounded act is valid: in its own past alone."""
        within = ancestors(i)
        wanted = act_hash(commons, given[i].header.kind, given[i].body or b"")
        signing = {given[a].header.author for a in within if isinstance(form(a), Approval) and form(a).act == wanted}
        stewards = stewards_in(within)
        author = given[i].header.author
        if not any(author in p for p in stewards):
            return False
        return sum(bool(p & (signing | {author})) for p in stewards) >= quorum_in(within)

    everything = frozenset(i for i in given if grounded(i))
    admitted = admitted_in(everything)
    kept = {i for i in everything if given[i].header.author in admitted} | valid_in(everything)
    kept = kept.union(*(ancestors(i) for i in kept))

    @cache
    def waiting(i: bytes) -> bool:
        """Not grounded, and might be with other records."""
        prev = given[i].header.prev
        if any(p in given and not grounded(p) and not waiting(p) for p in prev):
            return False
        return any(p not in given or waiting(p) for p in prev)

    ungrounded = frozenset(i for i in given if i not in everything and waiting(i))
    return Rules(
        frozenset(kept),
        admitted,
        ungrounded,
        frozenset(p for i in ungrounded for p in given[i].header.prev if p not in given),
        valid_in(everything),
        frozenset(i for i in everything if door(i) and not stands_in(i, everything)),
        everything,
        frozenset().union(*stewards_in(frozenset(kept))),
        quorum_in(frozenset(kept)) if everything else 1,
    )
