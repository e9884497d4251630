"""Laws of the atom and its proof: encoding, records, trees, packs (chapters 10 to 13)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgpack
from hypothesis import example, given, settings
from hypothesis import strategies as st

from p2pcommons.core.encoding import INTEGER_WIRE_MAX, decode, encode, plain
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import INTEGER_BODY_MAX
from p2pcommons.core.merkle import Span, cover, leaves_known, nodes_for, root, root_from, uncovered
from p2pcommons.core.record import ZEROS, Record, build, parse_header, parse_header_plain
from p2pcommons.core.seal import pack_value, read_pack, seal
from p2pcommons.errors import FormError

ALICE = SigningKey(b"\x01" * 32)
COMMONS = b"\xc0" * 32

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | text | st.binary(max_size=40)
    | st.sampled_from([0, 127, 128, 255, 256, 65535, 65536, 2**32, -32, -33, -128, -129, -32769, -(2**31) - 1, 2**53])
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5))
foreign = st.recursive(  # what other writers of MessagePack may send
    scalars | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(text | st.integers() | st.binary(), inner)
)
hashes = st.binary(min_size=32, max_size=32)
sizes = st.integers(1, 24)


def judged(data: bytes, integer_max: int = INTEGER_WIRE_MAX) -> Any:
    try:
        return decode(data, bytes_max=1 << 16, integer_max=integer_max)
    except FormError as error:
        return error.code


def judged_plainly(data: bytes, integer_max: int = INTEGER_WIRE_MAX) -> Any:
    try:
        return plain(data, integer_max)
    except FormError as error:
        return error.code


def same(a: Any, b: Any) -> bool:
    """Equal in value, type and order."""
    return repr(a) == repr(b)


@given(values)
def test_what_is_encoded_is_decoded_as_it_was(value: Any) -> None:
    data = encode(value)
    assert decode(data, bytes_max=len(data)) == value
    assert encode(decode(data, bytes_max=len(data))) == data


@given(st.binary(max_size=80))
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\x81\xc0\xc0")
def test_any_bytes_give_a_value_or_a_form_error_and_taken_bytes_come_back(data: bytes) -> None:
    try:
        value = decode(data, bytes_max=len(data))
    except FormError:
        return
    assert encode(value) == data


@given(st.binary(max_size=60), st.sampled_from([INTEGER_WIRE_MAX, INTEGER_BODY_MAX]))
def test_the_fast_and_the_plain_reader_agree_on_any_bytes(data: bytes, integer_max: int) -> None:
    assert same(judged(data, integer_max), judged_plainly(data, integer_max))


@given(foreign, st.sampled_from([INTEGER_WIRE_MAX, INTEGER_BODY_MAX]))
def test_the_fast_and_the_plain_reader_agree_on_foreign_messagepack(value: Any, integer_max: int) -> None:
    try:
        data: bytes = msgpack.packb(value)
    except (OverflowError, UnicodeEncodeError):
        return
    assert same(judged(data, integer_max), judged_plainly(data, integer_max))


@given(values, st.data())
def test_the_fast_and_the_plain_reader_agree_on_damaged_values(value: Any, data: st.DataObject) -> None:
    raw = bytearray(encode(value))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=3)):
        raw[at] = data.draw(st.integers(0, 255))
    del raw[data.draw(st.integers(0, len(raw))) :]
    assert same(judged(bytes(raw)), judged_plainly(bytes(raw)))


@given(values)
def test_order_of_keys_and_kind_of_containers_do_not_change_the_bytes(value: Any) -> None:
    def shuffled(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: shuffled(item[key]) for key in reversed(item)}
        return tuple(map(shuffled, item)) if isinstance(item, list) else item

    assert encode(shuffled(value)) == encode(value)


# -- records

kinds = st.from_regex(r"[a-z][a-z0-9]{0,5}(\.[a-z][a-z0-9_]{0,20}){1,2}", fullmatch=True).filter(lambda k: len(k) <= 48)
fields = st.fixed_dictionaries(
    {
        "commons": hashes.filter(lambda commons: commons != ZEROS), "plane": st.integers(0, 127),
        "author": hashes, "after": st.just(ZEROS) | hashes, "subject": hashes, "kind": kinds,
        "time": st.integers(0, 2**63 - 1) | st.sampled_from([0, 2**32 - 1, 2**32, 2**63 - 1]),
        "prev": st.lists(hashes, max_size=33, unique=True), "salt": st.binary(min_size=16, max_size=16),
        "body": st.dictionaries(text, text, max_size=3),
    }
)  # fmt: skip


def parsed(data: bytes, read: Any) -> Any:
    try:
        return read(data)
    except FormError as error:
        return error.code


@given(fields)
def test_a_header_is_read_alike_fast_and_plain(given_fields: dict[str, Any]) -> None:
    if len(given_fields["prev"]) > 32:
        given_fields["prev"] = given_fields["prev"][:32]
    made = build(**given_fields)
    assert same(parse_header(made.header_bytes), parse_header_plain(made.header_bytes))
    assert same(made.header, parse_header_plain(made.header_bytes))
    header = made.header
    values = [1, *header[:6], list(header.prev), *header[7:]]
    assert made.header_bytes == encode(values)


@settings(max_examples=400)
@given(fields, st.data())
def test_a_damaged_header_is_judged_alike_fast_and_plain(given_fields: dict[str, Any], data: st.DataObject) -> None:
    given_fields["prev"] = given_fields["prev"][:16]
    raw = bytearray(build(**given_fields).header_bytes)
    # Where a header is not opaque bytes: heads, plane, time, kind, size.
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1) | st.integers(105, 116), min_size=1, max_size=3)):
        raw[at] = data.draw(st.integers(0, 255) | st.sampled_from(b"\x90\x91\xa0\xd9\xcc\xcd\xce\xcf\xc4\x20\x00"))
    cut = data.draw(st.just(len(raw)) | st.integers(0, len(raw)))
    damaged = bytes(raw[:cut])
    assert same(parsed(damaged, parse_header), parsed(damaged, parse_header_plain))


@given(st.lists(hashes, max_size=16))
def test_predecessors_in_another_order_are_refused_fast_and_plain(prev: list[bytes]) -> None:
    made = build(
        commons=COMMONS, plane=1, author=ALICE.public, after=ZEROS, time=1 << 40, subject=COMMONS, prev=[],
        kind="entry.edit", body={}, salt=bytes(16),
    )  # fmt: skip
    header = made.header
    damaged = encode([1, *header[:6], prev, *header[7:]])
    expected = all(a < b for a, b in pairwise(prev))
    assert (parsed(damaged, parse_header) != "bad_prev") == expected
    assert same(parsed(damaged, parse_header), parsed(damaged, parse_header_plain))


# -- trees


@given(sizes, st.data())
def test_every_subset_of_every_tree_gives_its_root(size: int, data: st.DataObject) -> None:
    leaves = [bytes([at]) * 32 for at in range(size)]
    listed = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    whole = leaves_known(range(size), leaves)
    nodes = nodes_for(size, listed, whole)
    assert root_from(size, cover(size, listed, [leaves[at] for at in listed], nodes)) == root(leaves)


def test_every_subset_of_small_trees_gives_its_root() -> None:
    for size in range(1, 9):
        leaves = [bytes([at]) * 32 for at in range(size)]
        whole = leaves_known(range(size), leaves)
        for chosen in range(2**size):
            listed = [at for at in range(size) if chosen >> at & 1]
            known = cover(size, listed, [leaves[at] for at in listed], nodes_for(size, listed, whole))
            assert root_from(size, known) == root(leaves)


@given(sizes, st.data())
def test_the_subtrees_without_a_listed_leaf_are_all_and_none_could_be_larger(size: int, data: st.DataObject) -> None:
    listed = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    spans = uncovered(size, listed)
    assert sorted([at for span in spans for at in range(*span)] + listed) == list(range(size))
    leaves = [bytes([at]) * 32 for at in range(size)]
    for left, right in pairwise(spans):
        if left.stop != right.start:
            continue
        wider = [span for span in spans if span not in (left, right)]
        known = leaves_known(listed, [leaves[at] for at in listed])
        known.update(dict.fromkeys(wider, ZEROS))
        known[Span(left.start, right.stop)] = ZEROS
        try:
            root_from(size, known)
        except FormError:
            continue
        raise AssertionError(f"{left} and {right} are one subtree")


@given(st.integers(2, 24), st.data())
def test_another_leaf_gives_another_root(size: int, data: st.DataObject) -> None:
    leaves = [bytes([at]) * 32 for at in range(size)]
    at, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    changed = list(leaves)
    changed[at], changed[other] = changed[other], changed[at]
    assert (root(changed) == root(leaves)) == (at == other)
    assert root(leaves[:-1]) != root(leaves)


# -- packs


def chain(size: int) -> list[Record]:
    made: list[Record] = []
    for number in range(size):
        made.append(
            build(
                commons=COMMONS, plane=1, author=ALICE.public, after=made[-1].id if made else ZEROS,
                time=(1_767_225_600_000 + number) << 16, subject=bytes([number]) * 32, prev=[], kind="entry.edit",
                body={"set": {"title": f"number {number}"}}, salt=bytes([number]) * 16,
            )
        )  # fmt: skip
    return made


RECORDS = chain(24)
TREES = {size: seal(ALICE, RECORDS[:size])[0] for size in range(1, 25)}


def packed(size: int, listed: list[int]) -> list[Any]:
    known = {Span(at, at + 1): RECORDS[at].id for at in range(size)}
    return pack_value(TREES[size], known, [(at, RECORDS[at]) for at in listed])


@given(sizes, st.data())
def test_any_records_of_a_tree_travel_in_one_pack(size: int, data: st.DataObject) -> None:
    listed = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    read = read_pack(decode(encode(packed(size, listed)), bytes_max=1 << 20))
    assert [(item.leaf, item.record) for item in read.records] == [(at, RECORDS[at]) for at in listed]
    assert read.seal == TREES[size]
    assert root_from(size, read.known) == TREES[size].root


@settings(max_examples=300)
@given(st.integers(1, 8), st.data())
def test_a_pack_with_one_flipped_bit_is_refused(size: int, data: st.DataObject) -> None:
    listed = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    raw = encode(packed(size, listed))
    assert refused_with_flipped(raw, data.draw(st.integers(0, len(raw) * 8 - 1)))


def test_a_small_pack_is_refused_whichever_bit_is_flipped() -> None:
    raw = encode(packed(3, [1]))
    assert all(refused_with_flipped(raw, bit) for bit in range(len(raw) * 8))


def refused_with_flipped(raw: bytes, bit: int) -> bool:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        read_pack(decode(bytes(changed), bytes_max=1 << 20))
    except FormError:
        return True
    return False


@given(st.integers(1, 24), st.data())
def test_records_without_their_bodies_travel_beside_others(size: int, data: st.DataObject) -> None:
    listed = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    bare = data.draw(st.sets(st.sampled_from(listed)))
    shown = [RECORDS[at]._replace(salt=None, body=None) if at in bare else RECORDS[at] for at in listed]
    known = {Span(at, at + 1): RECORDS[at].id for at in range(size)}
    made = pack_value(TREES[size], known, list(zip(listed, shown, strict=True)))
    assert [item.record for item in read_pack(made).records] == shown


@given(values)
def test_any_value_is_a_pack_or_a_form_error(value: Any) -> None:
    try:
        read_pack(value)
    except FormError:
        pass


@given(st.integers(0, 7), values)
def test_any_value_in_a_pack_is_refused_or_changes_nothing(place: int, value: Any) -> None:
    good = packed(5, [1, 2])
    changed = [value if at == place else item for at, item in enumerate(good)]
    try:
        read = read_pack(changed)
    except FormError:
        return
    assert changed == good
    assert len(read.records) == 2
