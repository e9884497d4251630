"""The laws of chapter 20: the fold against a slow model that reads the rules aloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.edit import read_edit
from p2pcommons.commons.entry import (
    EntryRecord,
    EntryView,
    Withdrawal,
    entry_record,
    fold,
    fold_single,
    predecessors,
    view_from_bytes,
)
from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.record import ZEROS, build

SUBJECT = b"s" * 32
ALICE, BOB, EVE = (name * 32 for name in (b"a", b"b", b"e"))

registers = st.sampled_from(["title", "title.fr", "licence", "length_m"])
texts = st.sampled_from(["x", "y", "z"])
places = st.sampled_from([{"name": "Brest"}, "Brest", {"lat": 484_000_000, "lon": -45_000_000}])
elements = st.sampled_from(["u", "v", "w", {"name": "u"}])
strings = st.sampled_from(["u", "v", "w"])


def some_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=3, unique_by=repr)


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if draw(st.booleans()):
        body["set"] = draw(st.dictionaries(st.sampled_from(["title", "title.fr", "licence"]), texts, max_size=2))
        if draw(st.booleans()):
            body["set"]["place"] = draw(places)
    if draw(st.booleans()):
        body["add"] = draw(
            st.fixed_dictionaries({}, optional={"subjects": some_of(strings), "creators": some_of(elements)})
        )
    if draw(st.integers(0, 3)) == 0:
        body["remove"] = draw(
            st.fixed_dictionaries({}, optional={"subjects": some_of(strings), "creators": some_of(elements)})
        )
    if draw(st.integers(0, 3)) == 0:
        body["clear"] = draw(some_of(st.sampled_from(["title", "title.fr", "place"])))
    if draw(st.booleans()):
        body["origin"], body["map"] = draw(st.sampled_from(["tate:1", "moma:2"])), "m1"
    return body


misfits = st.sampled_from([
    {"set": {"titel": "x"}}, {"set": {"title": 3}}, {"set": {"title": ""}}, {"set": {"subjects": "u"}}, {"put": {}},
    {"add": {"subjects": []}}, {"add": {"subjects": ["u", "u"]}}, {"add": {"title": ["u"]}}, {"clear": ["subjects"]},
    {"origin": "tate:1"}, {"map": "m1"}, {"reason": 3}, {"set": None}, {"set": {"title.und": "x"}},
    {"add": {"creators": [{"name": "u"}, {"name": "u"}]}}, {"set": {"place": {"lat": 1}}},
])  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[EntryRecord], dict[bytes, frozenset[str]]]:
    """Up to nine records in any shape of past, some of them missing, misfitting, erased or not counting."""
    records: list[EntryRecord] = []
    erased: dict[bytes, frozenset[str]] = {}
    for index in range(draw(st.integers(0, 9))):
        identifier = bytes([draw(st.integers(0, 255)), index]) * 16
        past = [record.id for record in records]
        prev = draw(st.lists(st.sampled_from(past), max_size=3, unique=True)) if past else []
        if draw(st.integers(0, 9)) == 0:
            prev.append(b"elsewhere" + bytes(23))
        kind = draw(st.sampled_from(["entry.edit"] * 6 + ["entry.withdraw"] * 2 + ["thank.you"]))
        if draw(st.integers(0, 9)) == 0:
            body = draw(misfits)
        elif kind == "entry.withdraw":
            body = draw(st.sampled_from([{}, {"reason": "sold"}]))
        else:
            body = draw(edits())
        if draw(st.integers(0, 9)) == 0:
            erased[identifier] = frozenset(draw(st.lists(registers, max_size=2)) + draw(st.sampled_from([[], ["foo"]])))
        records.append(
            EntryRecord(
                identifier,
                draw(st.integers(0, 4)) << 16,
                draw(st.sampled_from([ALICE, BOB, EVE])),
                tuple(sorted(prev)),
                kind,
                draw(st.sampled_from([body] * 9 + [None])),
                draw(st.integers(0, 9)) > 0,
            )
        )
    return records, erased


# -- the model


CLEAR = "(cleared)"


def model(records: Sequence[EntryRecord], erased: Mapping[bytes, frozenset[str]]) -> EntryView:
    by_id = {record.id: record for record in records}
    past: dict[bytes, set[bytes]] = {}
    for record in records:  # a history lists every past before what rests on it
        past[record.id] = set()
        for prev in record.prev:
            if prev in by_id:
                past[record.id] |= {prev} | past[prev]

    edit = {r.id: r.counts and r.id not in erased and fits(r) and r.kind == "entry.edit" for r in records}
    withdraw = {r.id: r.counts and r.id not in erased and fits(r) and r.kind == "entry.withdraw" for r in records}
    human = {r.id: not (edit[r.id] and r.body is not None and "origin" in r.body) for r in records}

    # (record, key, what): every single write
    writes: list[tuple[EntryRecord, Any, Any]] = []
    for record in records:
        if record.counts and record.id in erased and record.kind == "entry.edit":
            writes += [(record, key, CLEAR) for key in erased[record.id] if key != "foo"]
        if not edit[record.id]:
            continue
        body = record.body or {}
        state: dict[Any, Any] = dict.fromkeys(body.get("clear", ()), CLEAR)
        state.update(body.get("set", {}))
        for what in ("remove", "add"):
            for name, values in body.get(what, {}).items():
                for at, value in enumerate(values):
                    state[name, encode(value)] = (what, at, value)
        writes += [(record, key, value) for key, value in state.items()]

    def standing(record: EntryRecord, key: Any) -> bool:
        return not any(
            key == other_key and record.id in past[other.id] and (human[other.id] or not human[record.id])
            for other, other_key, _ in writes
        )

    def place(record: EntryRecord) -> tuple[int, bytes]:
        return record.time, record.id

    shown: dict[str, Any] = {}
    conflicts: dict[str, list[Any]] = {}
    offered: dict[str, list[Any]] = {}
    elements_shown: dict[str, list[Any]] = {}
    elements_offered: dict[str, list[Any]] = {}
    for key in {repr(k): k for _, k, _ in writes}.values():
        left = sorted((w for w in writes if w[1] == key and standing(w[0], key)), key=lambda w: place(w[0]))
        by_people = [w for w in left if human[w[0].id]]
        by_imports = [w for w in left if not human[w[0].id]]
        assert bool(by_people) == any(w[1] == key and human[w[0].id] for w in writes)
        deciding = by_people or by_imports
        if type(key) is str:
            values = unique([w[2] for w in reversed(deciding) if w[2] != CLEAR])
            if values:
                shown[key] = values[0]
            if by_people and values[1:]:
                conflicts[key] = values[1:]
            imported = unique([w[2] for w in reversed(by_imports) if w[2] != CLEAR])
            differing = [v for v in imported if encode(v) not in [encode(other) for other in values]]
            if by_people and differing:
                offered[key] = differing
        else:
            adds = [w for w in deciding if w[2][0] == "add"]
            import_adds = [w for w in by_imports if w[2][0] == "add"]
            if adds:
                elements_shown.setdefault(key[0], []).append((place(adds[0][0]), adds[0][2][1], adds[0][2][2]))
            elif by_people and import_adds:
                first = import_adds[0]
                elements_offered.setdefault(key[0], []).append((place(first[0]), first[2][1], first[2][2]))

    def lists(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {name: [v for _, _, v in sorted(found[name], key=lambda w: w[:2])] for name in sorted(found)}

    all_edits = sorted((r for r in records if edit[r.id]), key=place)
    effective = [
        w
        for w in records
        if withdraw[w.id] and all(e.id in past[w.id] or (not human[e.id] and w.id in past[e.id]) for e in all_edits)
    ]
    latest = max(effective, key=place, default=None) if all_edits else None
    seen = [r.time for r in records if edit[r.id] or withdraw[r.id]]
    return EntryView(
        SUBJECT,
        dict(sorted(shown.items())),
        lists(elements_shown),
        dict(sorted(conflicts.items())),
        dict(sorted({**offered, **lists(elements_offered)}.items())),
        None if latest is None else Withdrawal(latest.author, latest.time, (latest.body or {}).get("reason")),
        tuple(dict.fromkeys(r.author for r in all_edits)),
        all_edits[0].time if all_edits else 0,
        max(seen) if all_edits else 0,
        tuple(sorted(r.id for r in records if not any(r.id in p for p in past.values()))),
        tuple(dict.fromkeys((r.body or {})["origin"] for r in all_edits if not human[r.id])),
    )


def fits(record: EntryRecord) -> bool:
    if record.body is None:
        return False
    if record.kind == "entry.withdraw":
        return set(record.body) <= {"reason"} and type(record.body.get("reason", "x")) is str
    return read_edit(record.body) is not None


def unique(values: list[Any]) -> list[Any]:
    return [v for at, v in enumerate(values) if encode(v) not in [encode(w) for w in values[:at]]]


# -- the laws


@given(histories())
def test_the_fold_is_what_the_rules_say_literally(history: Any) -> None:
    records, erased = history
    assert fold(SUBJECT, records, erased) == model(records, erased)


@given(histories(), st.randoms(use_true_random=False))
def test_order_and_repetition_never_change_a_view(history: Any, random: Any) -> None:
    records, erased = history
    shuffled = [*records, *records[: len(records) // 2]]
    random.shuffle(shuffled)
    assert fold(SUBJECT, shuffled, erased).canonical() == fold(SUBJECT, records, erased).canonical()


@given(histories())
def test_canonical_views_are_canonical_and_read_back_equal(history: Any) -> None:
    records, erased = history
    view = fold(SUBJECT, records, erased)
    data = view.canonical()
    assert encode(decode(data, bytes_max=1 << 20)) == data
    assert view_from_bytes(SUBJECT, data) == view


@given(st.one_of(edits(), misfits), st.sampled_from(["entry.edit", "entry.withdraw", "thank.you"]))
def test_the_fast_path_equals_the_fold_of_one_record(body: dict[str, Any], kind: str) -> None:
    record = build(
        commons=b"c" * 32, plane=1, author=ALICE, after=ZEROS, time=7 << 16, subject=SUBJECT, prev=[b"p" * 32],
        kind=kind, body=body, salt=bytes(16),
    )  # fmt: skip
    single = fold_single(record)
    general = fold(SUBJECT, [entry_record(record)])
    assert single == general
    assert single.canonical() == general.canonical()


@given(histories())
def test_what_an_erasure_takes_is_never_looked_at_again(history: Any) -> None:
    records, erased = history
    without = [record._replace(body=None) if record.id in erased else record for record in records]
    assert fold(SUBJECT, records, erased) == fold(SUBJECT, without, erased)


@given(histories())
def test_a_body_that_does_not_count_or_fit_leaves_only_its_causality(history: Any) -> None:
    records, erased = history
    hollow = [
        r if r.counts and (fits(r) or r.id in erased) else r._replace(kind="other.kind", body=None) for r in records
    ]
    assert fold(SUBJECT, hollow, erased) == fold(SUBJECT, records, erased)


@given(histories())
def test_a_write_that_has_seen_everything_ends_every_conflict(history: Any) -> None:
    records, erased = history
    view = fold(SUBJECT, records, erased)
    decided = {key: "w" for key in view.conflicts if key != "place"} | {
        key: {"name": "Brest"} for key in view.conflicts if key == "place"
    }
    last = EntryRecord(b"last" * 8, 0, BOB, view.heads, "entry.edit", {"set": decided}, True)
    after = fold(SUBJECT, [*records, last], erased)
    assert not after.conflicts
    assert {key: after.registers[key] for key in decided} == decided


@given(histories())
def test_imports_never_change_a_field_that_people_wrote(history: Any) -> None:
    records, erased = history
    view = fold(SUBJECT, records, erased)
    # An erased edit of either sort is a person's clear at its place (MERGE-21): a person erased it.
    people = [r._replace(counts=r.counts and (r.id in erased or "origin" not in (r.body or {}))) for r in records]
    written = fold(SUBJECT, people, erased)
    for key, value in written.registers.items():
        assert view.registers[key] == value
    for name, values in written.sets.items():
        assert [v for v in view.sets[name] if v in values] == values


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3), edits()),
        max_size=7,
        unique_by=lambda r: r[0],
    )
)
def test_any_pasts_give_a_view_even_impossible_ones(shape: Any) -> None:
    records = [
        EntryRecord(bytes([at]) * 32, at, ALICE, tuple(bytes([p]) * 32 for p in prev), "entry.edit", body, True)
        for at, prev, body in shape
    ]
    view = fold(SUBJECT, records)
    assert fold(SUBJECT, records[::-1]) == view


@given(st.integers(0, 80), st.integers(0, 5))
def test_predecessors_are_heads_at_most_32_own_last_first(count: int, keys: int) -> None:
    records = [
        EntryRecord(bytes([at]) * 32, at, bytes([at % (keys + 1)]) * 32, (), "entry.edit", {}, True)
        for at in range(count)
    ]
    chosen = predecessors(records, b"\0" * 32)
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == min(count, 32)
    if count:
        latest = {record.author: record.id for record in records}
        assert set(latest.values()) <= set(chosen)
