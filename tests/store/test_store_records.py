"""Records, states and values: the same over every store."""

import pytest
from store.making import ALICE, BOB, OURS, THEIRS, AnyStore, put, record, row, sealed, show, subject

from p2pcommons.core.record import ZEROS, Plane, build, commons_of
from p2pcommons.core.seal import seal
from p2pcommons.errors import LocalProtocolError
from p2pcommons.sync.storage import CommonsState, Key, SetState


def test_a_record_comes_back_as_it_was_with_its_seal(store: AnyStore) -> None:
    made = put(store, [record(n) for n in range(5)])
    assert sorted(store.sealed([s.record.id for s in made])) == sorted(made)
    assert store.sealed([bytes(32)]) == []
    assert store.present([made[2].record.id, bytes(32)]) == {made[2].record.id}


def test_a_founding_record_keeps_its_seal_over_zeros(store: AnyStore) -> None:
    founding = build(
        commons=ZEROS, plane=0, author=ALICE.public, after=ZEROS, time=1 << 16, subject=ZEROS, prev=[],
        kind="commons.found", body={"name": "x"}, salt=bytes(16),
    )  # fmt: skip
    made, leaves = seal(ALICE, [founding])
    with store.transaction():
        store.put_records(commons_of(founding), leaves, {})
    assert store.sealed([founding.id]) == leaves
    assert store.charter(commons_of(founding)) == [founding]
    assert made.commons == ZEROS


def test_a_record_kept_already_is_not_kept_twice(store: AnyStore) -> None:
    first = put(store, [record(n) for n in range(3)])
    _, again = sealed([record(2), record(3)])
    with store.transaction():
        store.put_records(OURS, again, {})
    assert store.counts(OURS).catalogue == 4
    assert store.sealed([record(2).id]) == [first[2]]
    assert [len(store.tree(s.seal)) for s in (first[0], again[1])] == [3, 2]


def test_what_is_absent_is_said_whatever_is_known_of_its_author(store: AnyStore) -> None:
    old, new = [record(n, time=n << 16) for n in range(1, 9)], [record(n, time=n << 16) for n in range(9, 12)]
    first = put(store, [old[n] for n in (1, 3, 5)])
    _, all_of = sealed([*old, *new])
    absent = [s for n, s in enumerate(all_of) if n not in (1, 3, 5)]
    assert store.absent(OURS, all_of) == absent
    assert store.absent(THEIRS, all_of[6:]) == all_of[6:]
    assert store.absent(OURS, sealed([record(1, key=BOB)], BOB)[1]) == sealed([record(1, key=BOB)], BOB)[1]
    with store.transaction():
        store.drop_records(OURS, [first[2].record.id])  # the last of the chain: what is the last now is not known
    assert store.absent(OURS, all_of) == [s for n, s in enumerate(all_of) if n not in (1, 3)]
    assert store.absent(OURS, []) == []


def test_pages_go_by_time_then_id_and_hold_at_least_one(store: AnyStore) -> None:
    records = [record(n, time=(1000 + n // 3) << 16) for n in range(10)]
    put(store, records)
    expected = sorted(records, key=lambda r: (r.header.time, r.id))
    keys = [Key(r.header.time, r.id) for r in expected]
    assert store.keys(OURS, 1, None, 100) == keys
    assert store.keys(OURS, 1, keys[3], 2) == keys[4:6]
    page = store.page(OURS, 1, keys[1], records_max=4, bytes_max=1_000_000)
    assert [s.record for s in page] == expected[2:6]
    assert [s.record for s in store.page(OURS, 1, None, records_max=4, bytes_max=1)] == expected[:1]
    assert store.page(OURS, 1, keys[-1], records_max=4, bytes_max=1000) == []
    assert store.page(OURS, 0, None, records_max=4, bytes_max=1000) == []


def test_what_is_about_a_subject_is_of_this_commons_and_the_catalogue(store: AnyStore) -> None:
    one = subject("one")
    ours = [record(2, about=one), record(1, about=one, key=BOB)]
    put(store, ours[:1])
    put(store, ours[1:], BOB)
    put(store, [record(3, about=one, plane=0), record(4, about=one, plane=2)])
    put(store, [record(5, about=one, commons=THEIRS)], commons=THEIRS)
    put(store, [record(6)])
    found = store.about(OURS, [one, one, subject("none")])
    assert found == {one: sorted(ours, key=lambda r: (r.header.time, r.id))}
    assert store.about(THEIRS, [one]).keys() == {one}


def test_the_last_record_of_an_author_is_within_the_time_asked(store: AnyStore) -> None:
    records = [record(n, time=n << 16) for n in (5, 9, 7)]
    made = put(store, records)
    put(store, [record(8, key=BOB, time=8 << 16)], BOB)
    last = lambda time: store.last_of(OURS, Plane.CATALOGUE, ALICE.public, time << 16)  # noqa: E731
    assert last(100) == Key(9 << 16, records[1].id)
    assert last(8) == Key(7 << 16, records[2].id)
    assert last(4) is None
    assert store.last_of(OURS, 0, ALICE.public, 100 << 16) is None
    assert store.last_of(OURS, 1, bytes(32), 100 << 16) is None
    with store.transaction():
        store.drop_records(OURS, [made[1].record.id])
    assert last(100) == Key(7 << 16, records[2].id)
    put(store, [record(6, time=6 << 16)])
    assert last(100) == Key(7 << 16, records[2].id)


def test_records_of_authors_are_found_for_a_purge(store: AnyStore) -> None:
    put(store, [record(1), record(2)])
    put(store, [record(3, key=BOB)], BOB)
    put(store, [record(4, plane=0)])
    assert set(store.authored(OURS, [ALICE.public])) == {record(1).id, record(2).id}
    assert store.authored(OURS, [bytes(32)]) == store.authored(THEIRS, [ALICE.public]) == []


def test_a_body_goes_and_comes_back(store: AnyStore) -> None:
    made = put(store, [record(n) for n in range(3)])
    whole = made[1].record
    with store.transaction():
        store.erase_bodies(OURS, [whole.id])
    (without,) = store.sealed([whole.id])
    assert without.record == whole._replace(salt=None, body=None)
    with store.transaction():
        store.put_bodies([whole])
    assert store.sealed([whole.id]) == [made[1]]


def test_unfollowing_forgets_one_commons_and_nothing_else(store: AnyStore) -> None:
    state = CommonsState(SetState(1, bytes(2048)), SetState(2, b"\1" * 2048), 3 << 200, 4, 5)
    for commons in (OURS, THEIRS):
        put(store, [record(n, commons=commons) for n in range(3)], commons=commons)
        show(store, [row(n, None) for n in range(3)], commons)
        with store.transaction():
            store.put_state(commons, state)
    with store.transaction():
        store.unfollow(OURS)
    assert store.followed() == [THEIRS]
    assert store.state(OURS) is None and store.state(THEIRS) == state
    assert store.counts(OURS) == (0, 0, 0, 0, 0) and store.counts(THEIRS) == (0, 3, 3, 0, 0)
    assert {commons for _, commons, _ in store.changes(0, 10)} == {THEIRS}
    assert not store.entries(OURS, [subject(1)]) and store.entries(THEIRS, [subject(1)])
    put(store, [record(1)])  # and it may come back
    assert store.counts(OURS).catalogue == 1


def test_a_state_is_absent_until_something_is_here(store: AnyStore) -> None:
    with store.transaction():
        store.follow(OURS)
    assert store.followed() == [OURS]
    assert store.state(OURS) is None


def test_small_values_are_kept_and_taken_away(store: AnyStore) -> None:
    with store.transaction():
        store.put_value("cursor", b"1")
        store.put_value("cursor", b"2")
    assert store.value("cursor") == b"2"
    with store.transaction():
        store.put_value("cursor", None)
    assert store.value("cursor") is None


def test_a_failed_transaction_leaves_nothing(store: AnyStore) -> None:
    put(store, [record(1)])
    show(store, [row(1, None)])
    before = (store.counts(OURS), store.changes(0, 10), store.followed())
    with pytest.raises(RuntimeError), store.transaction():
        _, made = sealed([record(2), record(3)])
        store.put_records(OURS, made, {})
        store.put_entries(OURS, [row(1, None), row(2, None)])
        store.follow(THEIRS)
        store.put_value("x", b"x")
        assert store.present([record(2).id])  # read within what it wrote
        raise RuntimeError
    assert (store.counts(OURS), store.changes(0, 10), store.followed()) == before
    assert store.value("x") is None


def test_writes_need_a_transaction_and_none_is_nested(store: AnyStore) -> None:
    with pytest.raises(LocalProtocolError):
        store.put_value("x", b"x")
    with pytest.raises(LocalProtocolError):
        store.put_records(OURS, sealed([record(1)])[1], {})
    with pytest.raises(LocalProtocolError), store.transaction(), store.transaction():
        pass
    assert store.present([record(1).id]) == set()


def test_an_entry_is_replaced_hidden_and_gone_and_the_log_tells_each_once(store: AnyStore) -> None:
    show(store, [row(n, None) for n in range(3)])
    first = store.changes(0, 10)
    assert [found for _, _, found in first] == [subject(n) for n in range(3)]
    show(store, [row(1, None)._replace(view=b"\x80")])
    assert [found for _, _, found in store.changes(0, 10)] == [subject(n) for n in (0, 2, 1)]
    assert [found for _, _, found in store.changes(first[-1][0], 10)] == [subject(1)]
    assert store.changes(store.last_change(), 10) == []
    assert store.entries(OURS, [subject(1)])[subject(1)].view == b"\x80"
    show(store, [row(1, None)._replace(view=None)])
    assert store.entries(OURS, [subject(1)]) == {} and store.entry(OURS, subject(1)) is None
    assert store.find_entry(subject(1)) == []
    assert store.changes(store.last_change() - 1, 10)[0][1:] == (OURS, subject(1))


def test_an_entry_of_one_record_has_its_fold_as_view(store: AnyStore) -> None:
    from p2pcommons.commons.entry import fold_single

    made = record(7)
    put(store, [made])
    show(store, [row(7, None)._replace(view=None, record=made.id)])
    hit = store.entry(OURS, made.header.subject)
    assert hit == (OURS, made.header.subject, fold_single(made).canonical())
    assert store.find_entry(made.header.subject) == [(OURS, made.header.subject)]


def test_records_are_found_by_the_beginnings_of_their_ids(store: AnyStore) -> None:
    made = [one.record.id for one in put(store, [record(n) for n in range(40)])]
    put(store, [record(n, commons=THEIRS) for n in range(40)], commons=THEIRS)
    put(store, [record(n, plane=Plane.CHARTER) for n in range(40)])
    for size in (8, 16, 32):
        assert store.named(OURS, 1, [one[:size] for one in made]) == [[one] for one in made]
    alike = [one for one in made if one[0] == made[0][0]]
    assert list(map(sorted, store.named(OURS, 1, [made[0][:1], b"\xff" * 8, made[1][:8], made[1][:8]]))) == [
        sorted(alike), [], [made[1]], [made[1]],
    ]  # fmt: skip
    assert store.named(OURS, 2, [made[0]]) == [[]] and store.named(OURS, 1, []) == []


def test_what_arrived_behind_a_place_is_told_by_commons_and_plane(store: AnyStore) -> None:
    assert store.arrivals() == 0 and store.arrived(OURS, 1, 0) == []
    first = {one.record.id for one in put(store, [record(n) for n in range(5)])}
    place = store.arrivals()
    put(store, [record(n, commons=THEIRS) for n in range(3)], commons=THEIRS)
    put(store, [record(n, plane=Plane.CHARTER) for n in range(3)])
    second = {one.record.id for one in put(store, [record(n) for n in range(5, 9)])}
    assert set(store.arrived(OURS, 1, 0)) == first | second
    assert set(store.arrived(OURS, 1, place)) == second
    assert len(store.arrived(OURS, 0, place)) == 3
    assert store.arrived(OURS, 1, store.arrivals()) == []
