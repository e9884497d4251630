from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from p2pcommons.commons import charter_bodies as bodies
from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.stamp import search_stamp, stamp_holds
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import ZEROS, Record, build
from p2pcommons.errors import FormError


def key(name: str) -> SigningKey:
    return SigningKey(sha256(name.encode()).digest())


ALICE, BOB, CAROL, DAVE, EVE = (key(name) for name in ("alice", "bob", "carol", "dave", "eve"))
TOKEN = key("token")


def words(owner: SigningKey) -> SigningKey:
    """A person's recovery key."""
    return key(f"words of {owner.public.hex()}")


class World:
    """A commons of alice's, and short words for what people do in it."""

    def __init__(self, **founding: Any) -> None:
        self.records: list[Record] = []
        self.time = 0
        self.commons = ZEROS
        made = bodies.found(
            "Graines de Brest",
            entropy=sha256(b"entropy").digest(),
            recovery=recovery_hash(words(ALICE).public),
            **{"stamp_bits": 0, **founding},
        )
        self.founding = self.write(ALICE, [], made)
        self.commons = self.founding.id

    def write(self, who: SigningKey, prev: list[Record], made: Made, plane: int = 0) -> Record:
        self.time += 1 << 16
        record = build(
            commons=self.commons, plane=plane, author=who.public, after=ZEROS, time=self.time,
            subject=self.commons, prev=[r.id for r in prev], kind=made.kind, body=made.body, salt=bytes(16),
        )  # fmt: skip
        self.records.append(record)
        return record

    def invite(self, who: SigningKey, *prev: Record) -> Record:
        return self.write(who, list(prev) or [self.founding], bodies.invite(TOKEN.public, stamp_bits=0))

    def join(self, who: SigningKey, invite: Record) -> Record:
        made = bodies.join_by_invitation(
            self.commons, invite.id, who.public, TOKEN, recovery=recovery_hash(words(who).public), stamp=bytes(8)
        )
        return self.write(who, [invite], made)

    def walk_in(self, who: SigningKey, opening: Record) -> Record:
        return self.write(who, [opening], bodies.join_open(recovery=bytes(32), stamp=bytes(8)))

    def bring(self, who: SigningKey) -> Record:
        return self.join(who, self.invite(ALICE))

    def device(self, who: SigningKey, device: SigningKey, *prev: Record) -> Record:
        return self.write(who, list(prev), bodies.add_device(self.commons, who.public, device))

    def rotate(self, new: SigningKey, old: SigningKey, *prev: Record, by: SigningKey | None = None) -> Record:
        made = bodies.rotate(
            self.commons, new.public, old.public, by or words(old),
            next_recovery=recovery_hash(words(new).public), heads={0: [prev[0].id]},
        )  # fmt: skip
        return self.write(new, list(prev), made)

    def purge(
        self, who: SigningKey, prev: list[Record], *keys: SigningKey, doors: list[Record] | None = None
    ) -> Record:
        return self.write(who, prev, bodies.purge([k.public for k in keys], [d.id for d in doors or []]))

    def judge(self) -> Charter:
        return judge(self.records, self.commons)

    def admitted(self) -> set[bytes]:
        return set(self.judge().admitted)


def names(*keys: SigningKey) -> set[bytes]:
    return {k.public for k in keys}


# -- doors


def test_the_founder_is_in_and_steward() -> None:
    charter = World(languages=["fr", "br"], territory="29019", licence="CC-BY-SA-4.0").judge()
    assert charter.admitted == charter.stewards == names(ALICE)
    assert (charter.name, charter.languages, charter.territory) == ("Graines de Brest", ("fr", "br"), "29019")
    assert (charter.join, charter.announced, charter.licence) == ("invite", False, "CC-BY-SA-4.0")
    assert charter.counts(bytes(32), ALICE.public)
    assert not charter.counts(bytes(32), EVE.public)


def test_nothing_stands_without_the_founding_record() -> None:
    world = World()
    invite = world.invite(ALICE)
    charter = judge([invite], world.commons)
    assert (charter.founded, charter.set_ids, charter.admitted) == (False, frozenset(), frozenset())
    assert charter.ungrounded == {invite.id}
    assert charter.missing == {world.commons}


def test_a_founding_record_that_does_not_fit_founds_nothing() -> None:
    fits = bodies.found("x", entropy=bytes(32), recovery=bytes(32)).body
    bad: list[dict[str, Any]] = [
        {**fits, "entropy": bytes(31)},
        {**fits, "recovery": None},
        {**fits, "stamp": 31},
        {**fits, "stamp": True},
        {**fits, "stewards": {"keys": [], "quorum": 2}},
        {**fits, "stewards": {"keys": [ALICE.public], "quorum": 2}},
        {**fits, "stewards": {"keys": [], "quorum": 0}},
        {**fits, "stewards": {"keys": []}},
        {**fits, "stewards": {"keys": [bytes([n] * 32) for n in range(33)], "quorum": 1}},
        {**fits, "stewards": []},
    ]
    for body in bad:
        world = World()
        world.records.clear()
        world.commons = ZEROS
        record = world.write(ALICE, [], Made("commons.found", body))
        assert not judge([record]).founded, body
    world.commons = ZEROS
    assert not judge([world.write(ALICE, [], Made("commons.find", fits))]).founded


def test_what_a_view_cannot_read_of_a_founding_record_changes_no_set() -> None:
    world = World()
    body = {**world.founding.content(), "name": 7, "languages": "fr", "join": "sometimes", "announced": 1, "later": {}}
    world.commons = ZEROS
    charter = judge([world.write(ALICE, [], Made("commons.found", body))])
    assert charter.admitted == names(ALICE)
    assert (charter.name, charter.languages, charter.join, charter.announced) == ("", (), "invite", False)


def test_an_invited_key_is_in_and_its_invite_tells_so() -> None:
    world = World()
    invite = world.invite(ALICE)
    world.join(BOB, invite)
    charter = world.judge()
    assert charter.admitted == names(ALICE, BOB)
    entrance = charter.entrance(invite.id)
    assert entrance is not None
    assert (entrance.public, entrance.uses, entrance.used, entrance.stamp_bits) == (TOKEN.public, 1, 1, 0)
    assert charter.open_entrance() is None


@pytest.mark.parametrize(
    "fault", ["proof", "no proof", "other author", "stamp", "prev", "no recovery", "not an invite"]
)
def test_an_unproven_join_is_no_door(fault: str) -> None:
    world = World()
    bits = 6 if fault == "stamp" else 0
    invite = world.write(ALICE, [world.founding], bodies.invite(TOKEN.public, stamp_bits=bits))
    author = DAVE if fault == "other author" else BOB
    made = bodies.join_by_invitation(
        world.commons, invite.id, author.public, EVE if fault == "proof" else TOKEN,
        recovery=bytes(32), stamp=bytes(8),
    )  # fmt: skip
    if fault in ("no proof", "no recovery"):
        del made.body[fault.removeprefix("no ")]
    if fault == "stamp":
        stamps = (n.to_bytes(8, "big") for n in range(999))
        made.body["stamp"] = next(s for s in stamps if not stamp_holds(world.commons, invite.id, BOB.public, s, bits))
    prev = {"prev": [invite, world.founding], "not an invite": [world.founding]}.get(fault, [invite])
    join = world.write(BOB, prev, made)
    child = world.write(BOB, [join], Made("weather.report", {}))
    charter = world.judge()
    assert charter.admitted == names(ALICE)
    assert not charter.set_ids & {join.id, child.id}
    assert not charter.ungrounded  # nothing that could come would make it one


def test_a_stamp_found_in_slices_lets_in_and_a_neighbour_does_not() -> None:
    world = World(join="open", stamp_bits=10)
    start, stamp = 0, None
    while stamp is None:
        stamp = search_stamp(world.commons, world.commons, BOB.public, 10, start=start, tries=100)
        start += 100
    assert stamp_holds(world.commons, world.commons, BOB.public, stamp, 10)
    assert not stamp_holds(world.commons, world.commons, BOB.public, stamp + b"\0", 10)
    world.write(BOB, [world.founding], bodies.join_open(recovery=bytes(32), stamp=stamp))
    assert world.admitted() == names(ALICE, BOB)


def test_default_stamps_are_sixteen_and_twenty_two_bits() -> None:
    world = World(join="open", stamp_bits=None)
    invite = world.write(ALICE, [world.founding], bodies.invite(TOKEN.public))
    charter = world.judge()
    assert [e.stamp_bits for e in (charter.open_entrance(), charter.entrance(invite.id)) if e] == [22, 16]


def test_an_open_commons_lets_anyone_in_and_is_announced() -> None:
    world = World(join="open")
    world.walk_in(BOB, world.founding)
    charter = world.judge()
    assert charter.admitted == names(ALICE, BOB)
    assert charter.announced
    assert charter.join == "open"
    assert charter.open_entrance() is not None


def test_a_steward_opens_joining_later_and_a_purge_of_that_way_closes_it() -> None:
    world = World()
    opening = world.write(ALICE, [world.founding], bodies.open_joining(stamp_bits=0))
    bob = world.walk_in(BOB, opening)
    assert world.judge().join == "open"
    world.purge(ALICE, [bob], doors=[opening])
    world.walk_in(EVE, opening)
    charter = world.judge()
    assert charter.admitted == names(ALICE, BOB)
    assert charter.join == "invite"
    assert charter.entrances == ()


def test_opening_by_one_who_may_not_is_a_way_for_the_sets_and_none_for_people() -> None:
    world = World()
    bob = world.bring(BOB)
    opening = world.write(BOB, [bob], bodies.open_joining(stamp_bits=0))
    world.walk_in(EVE, opening)
    charter = world.judge()
    assert EVE.public in charter.admitted
    assert charter.open_entrance() is None
    assert charter.join == "invite"


def test_joins_on_joins_stand_on_their_makers() -> None:
    world = World()
    bob = world.bring(BOB)
    carol = world.join(CAROL, world.invite(BOB, bob))
    world.join(DAVE, world.invite(CAROL, carol))
    assert world.admitted() == names(ALICE, BOB, CAROL, DAVE)


def test_several_joins_of_a_key_are_one_admission() -> None:
    world = World(join="open")
    world.walk_in(BOB, world.founding)
    world.bring(BOB)
    charter = world.judge()
    assert [member.key for member in charter.members].count(BOB.public) == 1


# -- keys of one person


def test_a_device_is_the_same_person_shown_under_the_smallest_door() -> None:
    world = World()
    bob = world.bring(BOB)
    device = world.device(BOB, DAVE, bob)
    charter = world.judge()
    person = charter.person(DAVE.public)
    assert person is not None
    assert person.keys == tuple(sorted(names(BOB, DAVE)))
    assert person.key == (BOB if bob.id < device.id else DAVE).public
    assert charter.person(BOB.public) == person


def test_a_key_cannot_let_itself_in_as_its_own_device() -> None:
    world = World()
    made = world.device(EVE, EVE, world.founding)
    charter = world.judge()
    assert charter.admitted == names(ALICE)
    assert made.id not in charter.set_ids
    for _ in range(9):
        world.device(ALICE, ALICE, world.founding)
    assert [member.by for member in world.judge().members] == [None]


def test_a_device_must_agree() -> None:
    world = World()
    bob = world.bring(BOB)
    made = bodies.add_device(world.commons, BOB.public, DAVE)
    world.write(BOB, [bob], made._replace(body={**made.body, "key": EVE.public}))
    assert world.admitted() == names(ALICE, BOB)


def test_recovery_words_bring_a_person_back_under_a_new_key() -> None:
    world = World()
    bob = world.bring(BOB)
    first = world.rotate(CAROL, BOB, bob)
    world.rotate(DAVE, CAROL, first)
    charter = world.judge()
    assert charter.admitted == names(ALICE, BOB, CAROL, DAVE)
    person = charter.person(DAVE.public)
    assert person is not None
    assert set(person.keys) == names(BOB, CAROL, DAVE)


def test_a_key_that_words_replaced_is_left_behind_until_it_is_purged() -> None:
    world = World()
    bob = world.bring(BOB)
    device = world.device(BOB, EVE, bob)
    first = world.rotate(CAROL, BOB, bob)
    world.rotate(DAVE, CAROL, first)
    charter = world.judge()
    assert set(charter.left_behind(DAVE.public)) == names(BOB, CAROL)
    assert set(charter.left_behind(EVE.public)) == names(BOB, CAROL), "another device of the person is told too"
    assert charter.left_behind(ALICE.public) == ()
    world.purge(ALICE, [first, device], BOB)
    assert BOB.public not in world.judge().left_behind(EVE.public)


def test_other_words_or_a_past_without_the_door_bring_nobody_back() -> None:
    world = World()
    bob = world.bring(BOB)
    world.rotate(EVE, BOB, bob, by=words(EVE))
    world.rotate(EVE, BOB, world.founding)
    changed = bodies.rotate(
        world.commons, BOB.public, BOB.public, words(BOB), next_recovery=recovery_hash(words(EVE).public), heads={}
    )
    own = world.write(BOB, [bob], changed)  # does nothing: no key takes its own place
    world.rotate(EVE, BOB, own, by=words(EVE))
    later = world.rotate(DAVE, BOB, own)
    charter = world.judge()
    assert EVE.public not in charter.admitted
    assert later.id in charter.set_ids  # its past has bob's door
    body = {**later.content(), "next": bytes(32)}
    world.write(EVE, [bob], Made("key.rotate", body))
    assert EVE.public not in world.admitted()


# -- purges


def test_a_purged_key_never_returns() -> None:
    world = World()
    bob = world.bring(BOB)
    world.purge(ALICE, [bob], BOB)
    assert world.admitted() == names(ALICE)
    world.bring(BOB)
    world.device(ALICE, BOB, world.records[-1])
    assert world.admitted() == names(ALICE)


def test_a_purge_cuts_doors_that_it_has_not_seen_and_no_others() -> None:
    world = World()
    bob = world.bring(BOB)
    invite = world.invite(BOB, bob)
    carol = world.join(CAROL, invite)
    world.purge(ALICE, [carol], BOB)
    world.join(EVE, invite)
    assert world.admitted() == names(ALICE, CAROL)


def test_what_rests_on_a_cut_door_falls() -> None:
    world = World()
    invite = world.invite(ALICE)
    bob = world.join(BOB, invite)
    world.join(CAROL, world.invite(BOB, bob))
    world.purge(ALICE, [invite], doors=[invite])
    assert world.admitted() == names(ALICE)


def test_a_purge_without_the_right_does_nothing() -> None:
    world = World()
    bob = world.bring(BOB)
    made = world.purge(BOB, [bob], ALICE)
    charter = world.judge()
    assert charter.admitted == names(ALICE, BOB)
    assert made.id in charter.set_ids


def test_stewards_who_purge_each_other_unknowing_both_go() -> None:
    world = World(stewards=[BOB.public])
    bob = world.bring(BOB)
    carol = world.bring(CAROL)
    one, other = world.purge(ALICE, [bob, carol], BOB), world.purge(BOB, [bob, carol], ALICE)
    charter = world.judge()
    assert charter.admitted == names(CAROL)
    assert {one.id, other.id} <= charter.set_ids


def test_a_purge_by_one_already_purged_in_its_past_does_nothing() -> None:
    world = World(stewards=[BOB.public])
    bob = world.bring(BOB)
    gone = world.purge(ALICE, [bob], BOB)
    late = world.purge(BOB, [gone], ALICE)
    charter = world.judge()
    assert charter.admitted == names(ALICE)
    assert late.id not in charter.set_ids


def test_a_quorum_counts_persons_whose_approval_lies_in_the_past() -> None:
    world = World(stewards=[BOB.public, CAROL.public], quorum=2)
    bob, carol = world.bring(BOB), world.bring(CAROL)
    eve = world.bring(EVE)
    made = bodies.purge([EVE.public])
    alone = world.write(ALICE, [eve, bob, carol], made)
    second = world.device(ALICE, DAVE, alone)
    own = world.write(DAVE, [second], bodies.approve(world.commons, made))
    other = world.write(BOB, [alone], bodies.approve(world.commons, bodies.purge([CAROL.public])))
    stranger = world.write(EVE, [alone], bodies.approve(world.commons, made))
    beside = world.write(CAROL, [alone], bodies.approve(world.commons, made))
    world.write(ALICE, [own, other, stranger], made)
    assert EVE.public in world.admitted()
    world.write(ALICE, [own, beside], made)
    assert world.admitted() == names(ALICE, BOB, CAROL, DAVE)


def test_new_stewards_and_a_new_quorum_are_an_act_of_the_quorum() -> None:
    world = World()
    bob = world.bring(BOB)
    eve = world.bring(EVE)
    refused = world.write(EVE, [eve, bob], bodies.name_stewards(add=[EVE.public]))
    named = world.write(ALICE, [refused], bodies.name_stewards(add=[BOB.public], quorum=2))
    charter = world.judge()
    assert charter.stewards == names(ALICE, BOB)
    assert charter.quorum == 2
    world.purge(ALICE, [named], EVE)
    assert EVE.public in world.admitted()
    made = bodies.purge([EVE.public])
    world.write(ALICE, [world.write(BOB, [named], bodies.approve(world.commons, made))], made)
    assert world.admitted() == names(ALICE, BOB)


def test_the_latest_quorum_holds_and_of_concurrent_ones_the_greatest() -> None:
    world = World(stewards=[BOB.public])
    bob = world.bring(BOB)
    two = world.write(ALICE, [bob], bodies.name_stewards(quorum=2))
    beside = world.write(BOB, [bob], bodies.name_stewards(quorum=1))
    assert world.judge().quorum == 2
    lower = bodies.name_stewards(quorum=1)
    yes = world.write(BOB, [two, beside], bodies.approve(world.commons, lower))
    world.write(ALICE, [yes], lower)
    assert world.judge().quorum == 1


def test_a_role_ended_is_ended_until_it_is_given_again_knowing_of_it() -> None:
    world = World(stewards=[BOB.public])
    bob = world.bring(BOB)
    ended = world.write(ALICE, [bob], bodies.name_stewards(end=[BOB.public]))
    world.write(ALICE, [bob], bodies.name_stewards(add=[BOB.public]))
    assert world.judge().stewards == names(ALICE)
    world.purge(BOB, [ended], ALICE)
    assert ALICE.public in world.admitted()
    world.write(ALICE, [ended], bodies.name_stewards(add=[BOB.public]))
    assert world.judge().stewards == names(ALICE, BOB)


def test_an_act_stays_valid_when_its_author_has_gone() -> None:
    world = World()
    bob = world.bring(BOB)
    named = world.write(ALICE, [bob], bodies.name_stewards(add=[BOB.public]))
    world.purge(BOB, [named], ALICE)
    charter = world.judge()
    assert charter.admitted == charter.stewards == names(BOB)
    assert {named.id, world.founding.id} <= charter.set_ids


# -- the rest of the plane


def test_an_invented_predecessor_waits_and_is_seen_by_nobody() -> None:
    world = World()
    bad = world.write(ALICE, [world.founding], Made("weather.report", {}))
    header = {**bad.header._asdict(), "prev": sorted([world.founding.id, bytes(32)])}
    del header["body_hash"], header["body_size"]
    invented = build(**header, body={}, salt=bytes(16))
    child = world.write(ALICE, [invented], Made("weather.report", {}))
    charter = judge([*world.records, invented], world.commons)
    assert charter.ungrounded == {invented.id, child.id}
    assert charter.missing == {bytes(32)}
    assert charter.heads == (bad.id,)


def test_a_record_without_its_body_is_as_good_as_not_here() -> None:
    world = World()
    invite = world.invite(ALICE)
    join = world.join(BOB, invite)
    charter = judge([world.founding, invite._replace(salt=None, body=None), join])
    assert charter.missing == {invite.id}
    assert charter.ungrounded == {join.id}
    assert judge([world.founding, invite, invite._replace(salt=None, body=None), join]).admitted == names(ALICE, BOB)


def test_unknown_kinds_stay_and_do_nothing() -> None:
    world = World()
    before = world.judge()
    odd = world.write(ALICE, [world.founding], Made("weather.report", {"rain": True}))
    after = world.judge()
    assert odd.id in after.set_ids
    assert after.digest == before.digest
    assert after.admitted == before.admitted


def test_ballots_are_no_heads_and_hide_none() -> None:
    world = World()
    proposal = world.write(ALICE, [world.founding], Made("proposal.open", {}))
    ballot = world.write(ALICE, [proposal], Made("ballot.cast", {}))
    charter = world.judge()
    assert charter.heads == (proposal.id,)
    assert ballot.id in charter.set_ids


def test_with_many_heads_a_record_names_32_its_own_door_among_them() -> None:
    world = World(join="open")
    keys = [key(f"guest {n}") for n in range(40)]
    doors = {guest.public: world.walk_in(guest, world.founding) for guest in keys}
    for _ in range(40):
        world.write(ALICE, [world.founding], Made("weather.report", {}))
    charter = world.judge()
    assert len(charter.heads) == 80
    for guest in keys:
        prev = charter.prev_for(guest.public)
        assert len(prev) == 32
        assert list(prev) == sorted(prev)
        assert doors[guest.public].id in prev
    authors = {r.id: r.header.author for r in world.records}
    assert len({authors[i] for i in charter.prev_for(ALICE.public)}) == 32


def test_a_device_with_many_heads_names_the_door_that_let_it_in() -> None:
    world = World(join="open")
    device = world.device(ALICE, DAVE, world.founding)
    world.write(ALICE, [device], Made("weather.report", {}))
    for n in range(40):
        world.walk_in(key(f"guest {n}"), world.founding)
    assert device.id in world.judge().prev_for(DAVE.public)


def test_authors_erase_their_own_and_stewards_anybodys_entry() -> None:
    world = World()
    bob, carol = world.bring(BOB), world.bring(CAROL)
    entry = sha256(b"an entry's record").digest()
    device = world.device(BOB, DAVE, bob)
    world.write(DAVE, [device], bodies.erase({entry: ["title"], carol.id: []}))
    charter = world.judge()
    assert charter.erased_fields(entry, BOB.public) == {"title"}
    assert charter.erased_fields(entry, DAVE.public) == {"title"}
    assert charter.erased_fields(entry, CAROL.public) is None
    assert charter.erased == {}
    assert carol.id not in charter.erased_own
    world.write(ALICE, [carol], bodies.erase({entry: ["period"]}))
    charter = world.judge()
    assert charter.erased == {entry: {"period"}}
    assert charter.erased_fields(entry, CAROL.public) == {"period"}
    assert charter.erased_fields(entry, BOB.public) == {"title", "period"}


def test_an_erasure_of_the_charter_itself_does_nothing() -> None:
    world = World()
    bob = world.bring(BOB)
    world.write(ALICE, [bob], bodies.erase({bob.id: [], world.founding.id: []}))
    charter = world.judge()
    assert charter.erased == {}
    assert BOB.public in charter.admitted


def test_an_erasure_falls_with_its_author() -> None:
    world = World(stewards=[BOB.public])
    bob = world.bring(BOB)
    device = world.device(BOB, DAVE, bob)
    stolen = world.write(BOB, [device], bodies.erase({bytes(32): ["title"]}))
    assert world.judge().erased == {bytes(32): {"title"}}
    world.purge(ALICE, [stolen], BOB)
    charter = world.judge()
    assert stolen.id in charter.set_ids  # kept, for the purge stands on it
    assert charter.erased == charter.erased_own == {}
    assert charter.admitted == charter.stewards == names(ALICE, DAVE)


@pytest.mark.parametrize("ids", [7, [7], [[bytes(31), []]], [[bytes(32)]], [[bytes(32), "title"]], [[bytes(32), [7]]]])
def test_an_erasure_that_does_not_fit_erases_nothing(ids: Any) -> None:
    world = World()
    world.write(ALICE, [world.founding], Made("record.erase", {"ids": ids}))
    assert world.judge().erased == {}


def test_of_two_foundings_the_named_one_is_judged() -> None:
    one, other = World(), World(join="open")
    records = one.records + other.records
    assert judge(records, one.commons) == one.judge()
    assert judge(records, other.commons) == other.judge()
    assert judge(records).commons == min(one.commons, other.commons)


def test_equal_sets_have_one_digest_and_another_name_another() -> None:
    one = World()
    assert replace(one.judge()) == one.judge()
    assert len({one.judge().digest, World(territory="29").judge().digest, judge([]).digest}) == 3


def test_makers_refuse_what_would_be_no_door() -> None:
    good: dict[str, Any] = {"entropy": bytes(32), "recovery": bytes(32)}
    for name, wrong in (("", {}), ("x", {"join": "closed"}), ("x", {"quorum": 2}), ("x", {"entropy": b""})):
        with pytest.raises(FormError):
            bodies.found(name, **{**good, **wrong})
    with pytest.raises(FormError):
        bodies.invite(TOKEN.public, stamp_bits=31)
    with pytest.raises(FormError):
        bodies.name_stewards(quorum=0)


def test_signatures_are_asked_for_through_the_check_that_is_given() -> None:
    world = World()
    world.bring(BOB)
    asked: list[bytes] = []

    def nobody(public: bytes, signature: bytes, message: bytes) -> bool:
        asked.append(public)
        return False

    assert judge(world.records, check=nobody).admitted == names(ALICE)
    assert asked == [TOKEN.public]
