"""Laws of what a node knows of others: whatever is told, in whatever order, by whomever (chapter 35)."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.limits import (
    HEARD_GROUP_MAX,
    HEARD_RANDOM_MAX,
    HEARD_STABLE_MAX,
    KNOCKS_ALL_MAX,
    KNOCKS_MAX,
    KNOCKS_MS,
    PEER_PROVED_MS_MAX,
    PEER_SOURCE_RECORDS_MAX,
    PEER_SOURCES_MAX,
    PEERS_MET_GROUP_MAX,
    PEERS_MET_MAX,
    PEERS_TOLD_MAX,
)
from p2pcommons.core.outside import is_outside, may_exchange, place_of
from p2pcommons.core.record import CommonsId
from p2pcommons.sync.address_book import AddressBook
from p2pcommons.sync.dial_plan import DialPlan, Held, Knocks, Sort
from p2pcommons.sync.peer_record import PeerRecord, make_record

NOW = 1_750_000_000_000
HOUR, DAY = 3600 * 1000, 24 * 3600 * 1000
OWN = SigningKey(b"\xaa" * 32).public
SALT = b"\x05" * 32
LAVOIRS, SECRET = CommonsId(b"\x01" * 32), CommonsId(b"\x02" * 32)


@cache
def key(number: int) -> SigningKey:
    return SigningKey(number.to_bytes(32, "big"))


@cache
def record(number: int, made_ms: int = NOW, valid_ms: int = DAY, *places: str) -> PeerRecord:
    """The record of node `number`, at an address of a network of its own where none is named."""
    found = places or (f"5.{number % 200}.{number // 200}.7:7421",)
    return make_record(key(number), [parse_address(place) for place in found], made_ms, made_ms + valid_ms)


def book() -> AddressBook:
    return AddressBook(OWN, SALT)


def met(a_book: AddressBook, one: PeerRecord, now_ms: int = NOW, commons: CommonsId = LAVOIRS) -> None:
    address = one.addresses[0]
    a_book.prove(one, address, place_of(address.host), [commons], now_ms)


TELLINGS = st.lists(
    st.tuples(
        st.integers(1, 120), st.integers(0, 2), st.integers(1, 7), st.sampled_from([f"source {n}" for n in range(40)])
    ),
    max_size=200,
)


@given(TELLINGS, st.randoms(use_true_random=False), st.lists(st.integers(0, 199), max_size=50))
@settings(max_examples=60, deadline=None)
def test_any_order_and_repetition_gives_the_same_book(
    told: list[tuple[int, int, int, str]], dice: random.Random, again: list[int]
) -> None:
    def tell(order: list[tuple[int, int, int, str]]) -> bytes:
        a_book = book()
        for number, age, bits, source in order:
            three = (f"5.{number}.0.7:7421", f"5.{number}.0.8:7421", f"5.{number}.0.9:7421")
            a_book.hear(record(number, NOW + age, DAY, *three), bits, source, NOW)
        return a_book.dump()

    other = [*told, *(told[place] for place in again if place < len(told))]
    dice.shuffle(other)
    assert tell(told) == tell(other)


@given(TELLINGS, st.integers(1, 600))
@settings(max_examples=40, deadline=None)
def test_a_flood_displaces_nothing_that_others_told_or_that_proved_itself(
    told: list[tuple[int, int, int, str]], flood: int
) -> None:
    a_book = book()
    for number, age, bits, _ in told:
        a_book.hear(record(number, NOW + age), bits, f"source {number % 5}", NOW)
    for number in range(200, 210):
        met(a_book, record(number))
    before = a_book.nodes()
    for number in range(1000, 1000 + flood):
        a_book.hear(record(number), 1, "eve", NOW)
    assert before <= a_book.nodes()
    assert len(a_book.sources()["eve"]) <= PEER_SOURCE_RECORDS_MAX
    assert len(a_book.nodes() - before) <= PEER_SOURCE_RECORDS_MAX


def test_the_newest_record_of_a_key_is_known_whoever_told_it() -> None:
    old, new = record(1, NOW, DAY, "5.1.0.7:7421"), record(1, NOW + 1, DAY, "5.1.0.8:7421")
    for order in ((old, new), (new, old)):
        a_book = book()
        for number, one in enumerate(order):
            a_book.hear(one, 1, f"source {number}", NOW)
        known = a_book.known(old.key, NOW)
        assert known is not None and known.record == new and known.sources == ("source 0", "source 1")


def test_many_networks_are_not_more_than_are_kept_and_those_a_person_chose_stay() -> None:
    a_book = book()
    a_book.hear(record(1), 1, "a friend", NOW, chosen=True)
    for number in range(2, 500):
        a_book.hear(record(number), 1, f"network {number}", NOW)
    assert len(a_book.sources()) == PEER_SOURCES_MAX and "a friend" in a_book.sources()


def test_nodes_met_are_bounded_in_all_and_in_each_network_and_the_useful_stay() -> None:
    a_book = book()
    for number in range(1, 40):
        met(a_book, record(number, NOW, DAY, f"5.5.0.{number}:7421"))
        if number == 1:
            a_book.serve(key(1).public, [LAVOIRS], HOUR, NOW)
    assert len(a_book.met()) == 39  # each is a place of its own: a network here is what the caller says
    crowd = book()
    for number in range(1, 400):
        one = record(number)
        crowd.prove(
            one, one.addresses[0], "5.5.0.0/16" if number < 60 else f"network {number}", [LAVOIRS], NOW + number
        )
        if number == 1:
            crowd.serve(key(1).public, [LAVOIRS], HOUR, NOW + number)
    assert len(crowd.met()) == PEERS_MET_MAX and key(1).public in crowd.met()
    assert sum(one.group == "5.5.0.0/16" for one in crowd.met().values()) <= PEERS_MET_GROUP_MAX


@given(st.integers(1, 7 * 24), st.integers(0, 9 * 24))
def test_what_has_expired_never_leaves_and_is_never_dialled(valid_hours: int, later_hours: int) -> None:
    a_book, now_ms = book(), NOW + later_hours * HOUR
    one = record(1, NOW, valid_hours * HOUR)
    met(a_book, one)
    a_book.hear(record(2, NOW, valid_hours * HOUR), 1, "a source", NOW)
    expired = later_hours >= valid_hours
    told = a_book.to_tell(key(9).public, [LAVOIRS], now_ms, lambda n: 0)
    assert bool(told) == (not expired and now_ms - NOW < PEER_PROVED_MS_MAX)
    choice = DialPlan(a_book, is_outside, lambda n: 0).next({}, (), now_ms)
    assert (choice is not None) == (not expired)
    a_book.sweep(now_ms)
    assert len(a_book) == (0 if expired else 2)


def test_a_record_from_the_future_or_of_oneself_is_not_kept() -> None:
    a_book = book()
    assert not a_book.hear(record(1, NOW + HOUR), 1, "a source", NOW)
    own = make_record(SigningKey(b"\xaa" * 32), [parse_address("5.9.9.9:7421")], NOW, NOW + DAY)
    assert not a_book.hear(own, 1, "a source", NOW)
    assert len(a_book) == 0


def test_only_what_was_met_is_told_to_those_who_share_a_commons_and_only_where_it_was_met() -> None:
    a_book = book()
    one = record(1, NOW, DAY, "5.1.0.7:7421", "5.1.0.8:7421")
    a_book.hear(record(2), 1, "a source", NOW)  # heard, never met
    a_book.prove(one, one.addresses[1], "5.1.0.0/16", [LAVOIRS], NOW)
    asker = key(9).public
    assert a_book.to_tell(asker, [LAVOIRS], NOW, lambda n: 0) == ((one, 2),)
    assert a_book.to_tell(asker, [SECRET], NOW, lambda n: 0) == ()
    assert a_book.to_tell(one.key, [LAVOIRS], NOW, lambda n: 0) == ()
    a_book.refused = {one.key}
    assert a_book.to_tell(asker, [LAVOIRS], NOW, lambda n: 0) == ()


def test_an_address_proved_in_one_record_is_not_told_of_another_that_names_it_no_more() -> None:
    a_book = book()
    met(a_book, record(1, NOW, DAY, "5.1.0.7:7421"))
    a_book.hear(record(1, NOW + 5, DAY, "5.1.0.9:7421"), 1, "a source", NOW)
    assert a_book.to_tell(key(9).public, [LAVOIRS], NOW, lambda n: 0) == ()


def test_at_most_so_many_are_told_by_lot() -> None:
    a_book, dice = book(), random.Random(20260802)
    for number in range(1, 100):
        met(a_book, record(number))
    told = [a_book.to_tell(key(200).public, [LAVOIRS], NOW, dice.randrange) for _ in range(20)]
    assert {len(one) for one in told} == {PEERS_TOLD_MAX}
    assert len({one.key for answer in told for one, _ in answer}) > 2 * PEERS_TOLD_MAX


def test_who_broke_the_protocol_is_forgotten_and_not_heard_of_for_a_day() -> None:
    a_book = book()
    met(a_book, record(1))
    a_book.hear(record(1), 1, "a source", NOW)
    a_book.shun(key(1).public, NOW)
    assert len(a_book) == 0
    assert not a_book.hear(record(1), 1, "another", NOW + HOUR)
    assert a_book.hear(record(1, NOW + DAY), 1, "another", NOW + DAY)


def test_a_node_that_is_never_reached_is_forgotten_after_doubling_pauses() -> None:
    a_book, now_ms, tries = book(), NOW, 0
    a_book.hear(record(1, NOW, 7 * DAY), 1, "a source", NOW)
    plan, pauses = DialPlan(a_book, is_outside, lambda n: 0), []
    while len(a_book):
        choice = plan.next({}, (), now_ms)
        if choice is None:
            now_ms += 60_000
            continue
        pauses.append(now_ms)
        a_book.fail(choice.key, choice.addresses, now_ms)
        tries += 1
    gaps = [second - first for first, second in pairwise(pauses)]
    assert gaps == [60_000 << place for place in range(len(gaps))] and tries == 8


def test_the_book_comes_back_from_its_bytes() -> None:
    a_book = book()
    for number in range(1, 30):
        a_book.hear(record(number), 1, f"source {number % 3}", NOW, chosen=number % 3 == 1)
    met(a_book, record(40))
    a_book.serve(key(40).public, [LAVOIRS, SECRET], HOUR, NOW)
    a_book.shun(key(50).public, NOW)
    again = AddressBook.load(OWN, a_book.dump(), NOW)
    assert again.dump() == a_book.dump() and again.met() == a_book.met()
    assert len(AddressBook.load(OWN, a_book.dump(), NOW + 2 * DAY)) == 0


PLACES = st.one_of(
    st.sampled_from(
        [
            "127.0.0.1:7421",
            "10.1.2.3:7421",
            "192.168.1.1:443",
            "172.17.0.2:7421",
            "[::1]:7421",
            "[fe80::1]:7421",
            "[64:ff9b::a00:1]:7421",
            "[::ffff:192.168.0.1]:7421",
            "8.8.8.8:22",
            "8.8.8.8:443",
            "8.8.8.8:7421",
            "9.9.9.9:5000",
            "localhost:7421",
            "router.local:7421",
            "wss://example.org/p2p",
            "0.0.0.0:7421",
        ]
    ),
    st.ip_addresses(v=4).map(lambda ip: f"{ip}:7421"),
    st.ip_addresses(v=6).map(lambda ip: f"[{ip}]:7421"),
)


@given(st.lists(st.lists(PLACES, min_size=1, max_size=8, unique=True), min_size=1, max_size=30), st.integers())
@settings(max_examples=60, deadline=None)
def test_a_stranger_makes_nobody_dial_inside_nor_knock_often_at_one_place(told: list[list[str]], seed: int) -> None:
    dice = random.Random(seed)
    a_book, knocks, plan = book(), Knocks(), None
    plan = DialPlan(a_book, is_outside, dice.randrange)
    knocked: list[tuple[int, str]] = []
    now_ms = NOW
    for _ in range(200):  # nothing is ever reached; new records come all the time
        for number, places in enumerate(told):
            addresses = list(dict.fromkeys(parse_address(place).target for place in places))
            one = record(number + 1, now_ms, DAY, *addresses)
            a_book.hear(one, one.all_bits, f"source {number % 3}", now_ms)
        choice = plan.next({}, (), now_ms)
        if choice is not None:
            for address in choice.addresses:
                assert may_exchange(address.host, address.port)
                if knocks.may(address.host, now_ms):
                    knocked.append((now_ms, place_of(address.host)))
            a_book.fail(choice.key, choice.addresses, now_ms)
        now_ms += 90_000
    for at_ms, _ in knocked:
        lately = Counter(place for when_ms, place in knocked if 0 <= when_ms - at_ms < KNOCKS_MS)
        assert max(lately.values()) <= KNOCKS_MAX and lately.total() <= KNOCKS_ALL_MAX


def _filled(count: int, network: str) -> AddressBook:
    a_book = book()
    for number in range(1, count + 1):
        place = f"{network.format(number)}:7421"
        a_book.hear(record(number, NOW, DAY, place), 1, f"source {number % 4}", NOW)
    return a_book


def _all_choices(plan: DialPlan, held: dict[PublicKey, Held], now_ms: int) -> dict[PublicKey, Held]:
    while (choice := plan.next(held, (), now_ms)) is not None:
        held[choice.key] = Held(choice.sort, choice.group, now_ms)
    return held


def test_a_few_stable_and_a_few_random_are_dialled_and_never_more() -> None:
    a_book, dice = _filled(100, "5.{}.0.7"), random.Random(1)
    useful = [record(number, NOW, DAY, f"6.{number}.0.7:7421") for number in range(200, 210)]
    for place, one in enumerate(useful):
        met(a_book, one)
        a_book.serve(one.key, [LAVOIRS], (place + 1) * HOUR, NOW)
    held = _all_choices(DialPlan(a_book, is_outside, dice.randrange), {}, NOW)
    stable = {one for one, how in held.items() if how.sort is Sort.STABLE}
    assert stable == {one.key for one in useful[-HEARD_STABLE_MAX:]}
    assert len(held) == HEARD_STABLE_MAX + HEARD_RANDOM_MAX


def test_few_of_one_network_are_dialled() -> None:
    dice = random.Random(2)
    held = _all_choices(DialPlan(_filled(100, "5.5.0.{}"), is_outside, dice.randrange), {}, NOW)
    assert len(held) == HEARD_GROUP_MAX


def test_who_tells_of_many_is_dialled_no_oftener_than_who_tells_of_few() -> None:
    a_book, dice = book(), random.Random(3)
    a_book.hear(record(1), 1, "honest", NOW)
    for number in range(100, 132):
        a_book.hear(record(number), 1, "eve", NOW)
    plan = DialPlan(a_book, is_outside, dice.randrange)
    first = Counter(choice.key for _ in range(400) if (choice := plan.next({}, (), NOW)) is not None)
    assert 140 < first[key(1).public] < 260


def test_a_random_link_gives_its_place_to_another_after_a_while() -> None:
    dice = random.Random(4)
    plan = DialPlan(_filled(50, "5.{}.0.7"), is_outside, dice.randrange)
    held = _all_choices(plan, {}, NOW)
    assert plan.to_rotate(held, list(held), NOW + 60_000) is None
    leaving = plan.to_rotate(held, list(held), NOW + HOUR)
    assert leaving is not None and held[leaving].sort is Sort.RANDOM
    few = DialPlan(_filled(HEARD_RANDOM_MAX, "5.{}.0.7"), is_outside, dice.randrange)
    held = _all_choices(few, {}, NOW)
    assert few.to_rotate(held, list(held), NOW + HOUR) is None  # nobody waits for the place


def test_the_useless_are_not_dialled_before_something_else_is_followed() -> None:
    a_book = _filled(1, "5.{}.0.7")
    plan = DialPlan(a_book, is_outside, lambda n: 0)
    a_book.find_useless(key(1).public)
    assert plan.next({}, (), NOW + HOUR) is None
    a_book.follow_changed()
    assert plan.next({}, (), NOW + HOUR) is not None


def test_an_address_that_proved_itself_is_tried_before_others_of_the_record() -> None:
    a_book = book()
    one = record(1, NOW, DAY, "5.1.0.7:7421", "5.1.0.8:7421")
    a_book.hear(one, 3, "a source", NOW)
    a_book.prove(one, one.addresses[1], "5.1.0.0/16", [LAVOIRS], NOW)
    choice = DialPlan(a_book, is_outside, lambda n: 0).next({}, (), NOW)
    assert choice is not None and choice.addresses == (one.addresses[1], one.addresses[0])


def test_knocks_for_links_and_for_dialling_back_share_the_places_but_not_the_whole() -> None:
    knocks = Knocks()
    assert [knocks.may("5.5.5.5", NOW, check=n % 2 == 0) for n in range(8)] == [True] * KNOCKS_MAX + [False] * 2
    others = [knocks.may(f"6.{n}.0.1", NOW, check=True) for n in range(200)]
    assert sum(others) == KNOCKS_ALL_MAX - KNOCKS_MAX // 2
    assert knocks.may("7.7.7.7", NOW)  # a flood of wishes to be dialled back stops no link
    assert knocks.may("5.5.5.5", NOW + KNOCKS_MS)
    six = Knocks()
    assert [six.may(f"2a01:4f8::{n}", NOW) for n in range(7)] == [True] * KNOCKS_MAX + [False]
