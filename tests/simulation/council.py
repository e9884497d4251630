"""What people decide on the hosts of a universe: they propose, vote, amend, close, leave, remove; hostile ones cheat.

Honest ones write what the verbs of a node write (`node.proposing`, `node.counting`); what they refuse is not done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.ballots import COUNTED, LAPSED, NO_ELECTOR, REPLACED, UNFIT
from p2pcommons.commons.charter import judge
from p2pcommons.commons.charter_bodies import Made, add_device, approve, invite, name_stewards
from p2pcommons.commons.minutes import Minute
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import PREV_MAX
from p2pcommons.core.record import ZEROS, Record, build
from p2pcommons.errors import FormError, Refused
from p2pcommons.node.assemblies import Folded, Moment
from p2pcommons.node.assembly_values import Question
from p2pcommons.node.counting import count_ballots
from p2pcommons.node.proposing import new_proposal, new_wording
from p2pcommons.sync.replica import Draft
from simulation.host import Host
from simulation.universe import MINUTE_MS, Universe

_ROOM = 8  # of the heads that a record names beside ballots
_LATELY = 4  # proposals that people still speak of
_TURNOUT = 0.8
_LICENCES = ("CC0-1.0", "CC-BY-4.0", "MIT")


# -- as a node does


def propose(world: Universe, host: Host, random: Random) -> None:
    """On words, a rule, a person, or who is a steward."""
    moment = _sitting(world, host)
    if moment is not None and _propose(world, host, moment, _question(moment, random), random):
        world.say(f"host {host.number} proposes")


def vote(world: Universe, host: Host, random: Random) -> None:
    """One person, on something that is open."""
    moment = world.sittings.moment(host)
    open_ = [] if moment is None else _open(moment)
    if moment is not None and open_:
        _vote(world, host, moment, random.choice(open_), random)


def poll(world: Universe, host: Host, random: Random) -> None:
    """Most people vote on what is open where they are."""
    voted = 0
    for one in world.hosts:
        if random.random() < _TURNOUT:
            moment = world.sittings.moment(one)
            for minute in [] if moment is None else _open(moment)[:2]:
                voted += moment is not None and _vote(world, one, moment, minute, random)
    if voted:
        world.say(f"{voted} vote")


def close(world: Universe, host: Host, random: Random) -> None:
    """Whoever is up and closes something, publishes what they count."""
    for one in world.hosts:
        moment = world.sittings.moment(one) if random.random() < _TURNOUT else None
        for minute in [] if moment is None else _open(moment):
            if moment is not None and _close(world, one, moment, minute, random):
                world.say(f"host {one.number} closes {minute.id.hex()[:8]}")


def amend(world: Universe, host: Host, random: Random) -> None:
    """Another wording for something that is open: who proposed sets it, anybody else offers it."""
    moment = _sitting(world, host)
    if moment is None or not (open_ := _open(moment)):
        return
    minute = random.choice(open_)
    mine = [one for one in open_ if one.author == host.key.public]
    if mine and random.random() < 0.5:
        minute = random.choice(mine)
    case = moment.assembly.cases[minute.id]
    effect = case.wordings[minute.wordings[0]].effect
    params = {"expression": random.choice(_LICENCES)} if effect.content.get("rule") == "licence" else None
    try:
        made = new_wording(case, effect, random.randbytes(32), None, params, ())
    except (Refused, FormError):
        return
    if _write(world, host, moment, made):
        world.say(f"host {host.number} words {minute.id.hex()[:8]} anew")


def answer(world: Universe, host: Host, random: Random) -> None:
    """Take or refuse what others offered."""
    moment = _sitting(world, host)
    if moment is None:
        return
    offers = [one for one in moment.assembly.offers.values() if one.case.deed.author == host.key.public]
    if offers and _write(world, host, moment, bodies.answer(random.choice(offers).deed.id, take=random.random() < 0.7)):
        world.say(f"host {host.number} answers an amendment")


def name_stewards_(world: Universe, host: Host, random: Random) -> None:
    """The founder asks another to help."""
    founder = world.hosts[0]
    moment = _sitting(world, founder)
    if moment is None or host.key.public not in moment.charter.admitted:
        return
    if _write(world, founder, moment, name_stewards(add=[host.key.public])):
        world.say(f"host {host.number} is made a steward")


def remove(world: Universe, host: Host, random: Random) -> None:
    """A steward, or who carries out a vote, takes somebody off the members."""
    moment = _sitting(world, host)
    if moment is None:
        return
    voted = [key for key, one in moment.assembly.applied("person").items() if _matter(moment, one.proposal) == "remove"]
    if host.key.public not in moment.charter.stewards and not voted:
        return
    others = [one for one in world.hosts[1:] if one is not host and moment.charter.is_member(one.key.public)]
    person = voted[0] if voted else random.choice(others).key.public if others else None
    if person is not None and _remove(world, host, moment, person, random):
        world.say(f"host {host.number} removes {person.hex()[:8]}")


def leave(world: Universe, host: Host, random: Random) -> None:
    """A person goes; never the founder, as a node of one steward would refuse it."""
    moment = _sitting(world, host)
    if moment is None or host is world.hosts[0] or not moment.charter.is_member(host.key.public):
        return
    if _write(world, host, moment, removals.leave(host.key.public)):
        world.say(f"host {host.number} leaves")


def keep(world: Universe, host: Host, random: Random) -> None:
    """A steward lets something that a former member wrote count."""
    moment = _sitting(world, host)
    if moment is None or host.key.public not in moment.charter.stewards or not moment.charter.limits:
        return
    theirs = [one for one, (plane, author, _) in world.written.items() if plane and author in moment.charter.limits]
    if theirs:
        made = removals.keep(random.sample(theirs, min(3, len(theirs))))
        if _write(world, host, moment, made):
            world.say(f"host {host.number} lets words of a former member count")


def vanish(world: Universe, host: Host, random: Random) -> None:
    """Somebody who was to close a vote is gone until all is over."""
    moment = world.sittings.moment(host)
    open_ = [] if moment is None else _open(moment)
    keys = {key for minute in open_ for key in _closers(moment, minute)}
    some = [one for one in world.hosts[1:] if one.up and one.key.public in keys]
    if some:
        world.stop(random.choice(some), "for good, with a vote to close")


# -- as a node would not


def mischief(world: Universe, host: Host, random: Random) -> None:
    """One of the ways to cheat that are open, by a hostile host where there is one."""
    hostile = [one for one in world.hosts if not one.honest and one.up]
    liar = random.choice(hostile) if hostile and host.honest else host
    moment = world.sittings.moment(liar)
    if moment is None or liar.key.public not in moment.charter.admitted:
        return
    for name in random.sample(sorted(WAYS), len(WAYS)):
        if WAYS[name](world, liar, moment, random):
            world.say(f"host {liar.number}: {name}")
            world.sittings.met[name] += 1
            return


def _double(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """Two ballots that say different things, whatever was said before."""
    done = False
    for minute in _open(moment)[:1]:
        for choice in _choices(moment, minute)[:2]:
            made = bodies.cast(minute.id, _text(moment, minute), choice)
            done |= bool(_cast(world, host, moment, minute, made))
    return done


def _late(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """On what was closed, with a clock that says it was in time."""
    closed = [one for one in moment.minutes.proposals if one.outcome is not None][-_LATELY:]
    if not closed:
        return False
    minute = random.choice(closed)
    made = bodies.cast(minute.id, _text(moment, minute), random.choice(_choices(moment, minute)))
    skew, host.skew_ms = host.skew_ms, host.skew_ms - random.randint(1, 40) * MINUTE_MS
    done = bool(_cast(world, host, moment, minute, made))
    host.skew_ms = skew
    return done


def _old_text(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """A ballot for words that stand no more."""
    for minute in _open(moment):
        if minute.wordings != (minute.id,):
            case = moment.assembly.cases[minute.id]
            made = bodies.cast(minute.id, case.form.text, random.choice(_choices(moment, minute)))
            return bool(_put(world, host, made, (minute.id,)))
    return False


def _stranger_votes(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """A ballot that names everybody's proposal as its own past does not: on another record than its wording."""
    for minute in _open(moment)[:1]:
        made = bodies.cast(minute.id, _text(moment, minute), random.choice(_choices(moment, minute)))
        return bool(_put(world, host, made, (_door(moment, host.key.public),)))
    return False


def _close_twice(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """A second closing by one closer, over fewer ballots; also where an outcome holds already."""
    for minute in moment.minutes.proposals:
        case = moment.assembly.cases[minute.id]
        if minute.state == "disorder" or case.electors.get(host.key.public) not in case.closers:
            continue
        ballots = [verdict.id for verdict in minute.ballots if verdict.code == COUNTED][: PREV_MAX - 2]
        past = sorted({minute.id, _door(moment, host.key.public), *ballots})
        for some in (ballots, ballots[1:]):
            _put(world, host, bodies.close(minute.id, minute.wordings[0], some), past)
        return True
    return False


def _close_lying(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """A closing over ballots that there are not, by whoever likes to."""
    for minute in _open(moment)[:1]:
        invented = [random.randbytes(32) for _ in range(3)]
        made = bodies.close(minute.id, minute.wordings[0], invented)
        return bool(_write(world, host, moment, made, heads=_ROOM))
    return False


def _forged_electorate(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """A proposal on the past in which hardly anybody else had joined, voted on and closed at once."""
    door = _door(moment, host.key.public)
    past = [moment.grounds.records[one] for one in (door, *moment.grounds.records[door].header.prev)]
    if any(not record.header.kind.startswith(("member.join", "commons.found")) for record in past):
        return False
    early = Folded(past, moment.charter)
    moment_then = moment._replace(
        grounds=early.grounds, assembly=early.assembly, minutes=early.minutes,
    )  # fmt: skip
    if host.key.public not in early.assembly.pasts.members(early.assembly.pasts.all):
        return False
    question = Question("x", "rule", rule="licence", params={"expression": random.choice(_LICENCES)})
    try:
        made = new_proposal(moment_then, question, host.key.public, random.randbytes(32), None, 0)
    except (Refused, FormError):
        return False
    proposal = _put(world, host, made, (door,))
    if not proposal:
        return False
    ballot = _put(world, host, bodies.cast(proposal[0].id, made.body["text"], "for"), (proposal[0].id,))
    counted = [record.id for record in ballot]
    _put(world, host, bodies.close(proposal[0].id, proposal[0].id, counted), (proposal[0].id, *counted))
    return True


def _remove_anyway(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """Remove a steward, by right or not, on all there is or on an old past: two may do so of each other."""
    stewards = [one for one in world.hosts if one.key.public in moment.charter.stewards and one is not host]
    if not stewards:
        return False
    made = removals.remove(random.choice(stewards).key.public, keep=random.random() < 0.5)
    if random.random() < 0.5:
        return bool(_put(world, host, made, (_door(moment, host.key.public),)))
    return bool(_write(world, host, moment, made))


def _each_other(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """Stewards of a row each remove the next, none knowing of the others."""
    some = [one for one in world.hosts if one.up and one.key.public in moment.charter.stewards]
    random.shuffle(some)
    if len(some) < 2:
        return False
    moments = [world.sittings.moment(one) for one in some]  # all of them before any of it is written
    for one, other, seen in zip(some, some[1:] + some[:1], moments, strict=True):
        if seen is not None and one.key.public in seen.charter.admitted:
            _write(world, one, seen, removals.remove(other.key.public, keep=True))
    return True


def _come_back(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    """Whoever is out: another device on an old past, an invitation, a vote on themselves."""
    if moment.charter.out(host.key.public) is None:
        return False
    door = _door(moment, host.key.public)
    device = SigningKey(random.randbytes(32))
    if _put(world, host, add_device(world.commons, host.key.public, device), (door,)):
        host.keys.insert(0, device)
    _put(world, host, invite(device.public, uses=None, stamp_bits=0), (door,))
    _put(world, host, removals.keep([random.choice(list(world.written))]), (door,))
    return True


def _approve_nothing(world: Universe, host: Host, moment: Moment, random: Random) -> bool:
    made = approve(world.commons, removals.remove(world.hosts[0].key.public, keep=False))
    return bool(_write(world, host, moment, made))


WAYS = {
    "votes twice": _double,
    "votes late and says it was in time": _late,
    "votes on a text that stands no more": _old_text,
    "votes beside the proposal": _stranger_votes,
    "closes twice": _close_twice,
    "closes over ballots that there are not": _close_lying,
    "forges an electorate": _forged_electorate,
    "removes a steward": _remove_anyway,
    "and others remove each other": _each_other,
    "tries to come back": _come_back,
    "approves of the founder's removal": _approve_nothing,
}


# -- whether a commons can go on


def can_act(world: Universe) -> bool:
    """Whether those who are members could still change a rule, all keys being known here; False where nobody is left.

    AssertionError where there are members, and they cannot.
    """
    host = next((one for one in world.honest if world.sittings.moment(one) is not None), None)
    moment = None if host is None else world.sittings.moment(host)
    if moment is None:
        return False
    keys = {key.public: key for one in world.hosts for key in (*one.keys, *(one.tamper.sybils if one.tamper else ()))}
    members = moment.assembly.pasts.members(moment.everything)
    persons = {person: keys[key] for key, person in members.items() if key in keys}
    if not persons:
        return False
    assert len(persons) == len(set(members.values())), "a member nobody knows"
    desk = _Desk(world, moment)
    chair = next(iter(persons.values()))
    question = Question("x", "rule", rule="alarms", params={"days": 41})
    made = new_proposal(desk.moment, question, chair.public, bytes(32), None, 0)
    proposal = desk.write(chair, made)
    assert desk.minute(proposal).state == "open", f"a proposal is {desk.minute(proposal).state}"
    for key in persons.values():
        desk.write(key, bodies.cast(proposal, bytes(32), "for"), past=(proposal, _door(desk.moment, key.public)))
    for person, key in persons.items():
        if person in desk.moment.assembly.cases[proposal].closers and desk.minute(proposal).state == "open":
            count = count_ballots(
                desk.moment, desk.minute(proposal), key.public, 0, early=True, afresh=True, room=PREV_MAX - _ROOM
            )
            desk.write(key, count.made, beside=count.names)
    assert desk.minute(proposal).in_force, f"nothing comes of what all members want: {desk.minute(proposal).state}"
    assert desk.moment.minutes.rules.params("alarms")["days"] == 41
    return True


class _Desk:
    """Writes on what one host holds, for itself alone."""

    def __init__(self, world: Universe, moment: Moment) -> None:
        self._records = list(moment.grounds.records.values())
        self._commons = world.commons
        self._time = max(record.header.time for record in self._records)
        self.moment = moment

    def minute(self, proposal: bytes) -> Minute:
        return next(one for one in self.moment.minutes.proposals if one.id == proposal)

    def write(
        self, key: SigningKey, made: Made, *, past: Iterable[bytes] | None = None, beside: Sequence[bytes] = ()
    ) -> bytes:
        """One record, on all heads or on this past."""
        layer = list(self.moment.charter.heads) if past is None else []
        while len(layer) > _ROOM:
            layer = self._name(key, bodies.seen(), layer)
        named = list(beside)
        while len(named) > PREV_MAX - _ROOM:
            named = self._name(key, bodies.sheet(), named)
        return self._add(key, made, sorted({*(past or ()), *layer, *named}))

    def _name(self, key: SigningKey, made: Made, ids: list[bytes]) -> list[bytes]:
        door, room = _door(self.moment, key.public), PREV_MAX - 1
        return [
            self._add(key, made, sorted({*ids[at : at + room], door}), look=False) for at in range(0, len(ids), room)
        ]

    def _add(self, key: SigningKey, made: Made, prev: Sequence[bytes], *, look: bool = True) -> bytes:
        self._time += 1
        record = build(
            commons=self._commons, plane=0, author=key.public, after=ZEROS, time=self._time, subject=ZEROS, prev=prev,
            kind=made.kind, body=made.body, salt=bytes(16),
        )  # fmt: skip
        self._records.append(record)
        if look:
            charter = judge(self._records, self._commons)
            folded = Folded([one for one in self._records if one.id in charter.set_ids], charter)
            self.moment = self.moment._replace(
                charter=charter, grounds=folded.grounds, assembly=folded.assembly, minutes=folded.minutes
            )
        return record.id


# -- pieces


def _sitting(world: Universe, host: Host) -> Moment | None:
    """A host's assembly, where its key may write."""
    moment = world.sittings.moment(host)
    return moment if moment is not None and host.key.public in moment.charter.admitted else None


def _open(moment: Moment) -> list[Minute]:
    """What is open, with one text, the latest first."""
    found = [one for one in moment.minutes.proposals if one.state == "open"]
    found.sort(key=lambda one: (-moment.grounds.records[one.id].header.time, one.id))
    return found[:_LATELY]


def _closers(moment: Moment | None, minute: Minute) -> frozenset[bytes]:
    return frozenset() if moment is None else moment.assembly.cases[minute.id].closers


def _matter(moment: Moment, proposal: bytes) -> str:
    return moment.assembly.cases[proposal].form.matter


def _question(moment: Moment, random: Random) -> Question:
    members = sorted(moment.assembly.pasts.members(moment.everything))
    former = sorted(key for one in moment.charter.former for key in one.keys)
    what = random.random()
    if what < 0.2 or not members:
        return Question("words")
    if what < 0.6:
        rule, params = random.choice(
            [("licence", {"expression": random.choice(_LICENCES)}), ("alarms", {"days": random.randint(1, 9)})]
        )
        return Question("a rule", "rule", rule=rule, params=params)
    if what < 0.75:
        return Question("a steward", "steward", stewards=tuple(random.sample(members, min(2, len(members)))))  # type: ignore[arg-type]
    if what < 0.85 and former:
        return Question("back", "admit", person=random.choice(former))  # type: ignore[arg-type]
    return Question("out", "remove", person=random.choice(members))  # type: ignore[arg-type]


def _propose(world: Universe, host: Host, moment: Moment, question: Question, random: Random) -> list[Record]:
    try:
        made = new_proposal(moment, question, host.key.public, random.randbytes(32), None, world.clock(host))
    except (Refused, FormError):
        return []
    return _write(world, host, moment, made)


def _choices(moment: Moment, minute: Minute) -> list[str]:
    mode = moment.assembly.cases[minute.id].form.method
    words = ["consent", "object"] if type(mode).__name__ == "Consent" else ["for", "against"]
    return [*words, "abstain"]


def _text(moment: Moment, minute: Minute) -> bytes:
    return moment.assembly.cases[minute.id].wordings[minute.wordings[0]].text


def _vote(world: Universe, host: Host, moment: Moment, minute: Minute, random: Random) -> bool:
    key, case = host.key.public, moment.assembly.cases[minute.id]
    person = case.elector(key, moment.everything, moment.assembly.pasts)
    if person is None or key not in moment.charter.admitted:
        return False
    choice = random.choices(_choices(moment, minute), (6, 2, 1))[0]
    mine = [v for v in minute.ballots if v.elector == person and v.code not in (LAPSED, UNFIT, NO_ELECTOR, REPLACED)]
    if len(mine) == 1 and mine[0].choice == choice:
        return False
    made = bodies.cast(minute.id, _text(moment, minute), choice, replaces=[v.id for v in mine][:32])
    return bool(_cast(world, host, moment, minute, made))


def _cast(world: Universe, host: Host, moment: Moment, minute: Minute, made: Made) -> list[Record]:
    known = host.key.public in moment.assembly.cases[minute.id].electors
    door = () if known else (_door(moment, host.key.public),)
    return _put(world, host, made, (minute.wordings[0], *door))


def _close(world: Universe, host: Host, moment: Moment, minute: Minute, random: Random) -> bool:
    if host.key.public not in moment.charter.admitted:
        return False
    now_ms, afresh = world.clock(host), random.random() < 0.2
    try:
        count = count_ballots(moment, minute, host.key.public, now_ms, early=True, afresh=afresh, room=PREV_MAX - _ROOM)
    except (Refused, FormError):
        return False
    return bool(_write(world, host, moment, count.made, heads=_ROOM, beside=count.names))


def _remove(world: Universe, host: Host, moment: Moment, person: bytes, random: Random) -> bool:
    member = moment.charter.person(person)
    keys = (person,) if member is None else member.keys
    lasts = [(key, world.last(host, key)) for key in keys]
    heads = {(key, 1): [last] for key, last in lasts if last is not None and random.random() < 0.7}
    ballots = [one.id for one in moment.assembly.pasts.ballots.values() if one.author in keys]
    made = removals.remove(person, heads, keep=random.random() < 0.4)
    return bool(_write(world, host, moment, made, heads=PREV_MAX // 2, beside=ballots))


def _write(
    world: Universe, host: Host, moment: Moment, made: Made, *, heads: int = PREV_MAX, beside: Sequence[bytes] = ()
) -> list[Record]:
    """On all heads, through records that name them where there are many, and beside ballots."""
    door = _door(moment, host.key.public)
    layer = _layers(world, host, bodies.seen(), moment.charter.heads, heads, door)
    named = _layers(world, host, bodies.sheet(), beside, PREV_MAX - heads, door)
    if layer is None or named is None:
        return []
    return _put(world, host, made, (*layer, *named))


def _layers(
    world: Universe, host: Host, made: Made, ids: Sequence[bytes], room: int, door: bytes
) -> list[bytes] | None:
    layer, most = list(ids), PREV_MAX - 1
    while len(layer) > room:
        drafts = [
            Draft(0, ZEROS, tuple(sorted({*layer[at : at + most], door})), made.kind, encode_body(made.body))
            for at in range(0, len(layer), most)
        ]
        written = world.put(host, host.key, 0, drafts)
        if not written:
            return None
        layer = [record.id for record in written]
    return layer


def _put(world: Universe, host: Host, made: Made, past: Iterable[bytes]) -> list[Record]:
    """A record on exactly this past."""
    return world.put(host, host.key, 0, [Draft(0, ZEROS, tuple(sorted(set(past))), made.kind, encode_body(made.body))])


def _door(moment: Moment, key: bytes) -> bytes:
    """The record that let a key in."""
    return next(door.id for door in reversed(moment.grounds.doors) if door.key == key)
