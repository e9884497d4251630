from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.identity import SigningKey, verify
from p2pcommons.core.limits import TREE_LEAVES_MAX
from p2pcommons.core.merkle import Span, root
from p2pcommons.core.record import ZEROS, Record, build
from p2pcommons.core.seal import encode_pack, pack_value, read_pack, seal, seal_message
from p2pcommons.errors import FormError

ALICE, BOB = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
COMMONS = b"\xc0" * 32


def record(number: int, after: bytes = ZEROS, **changed: Any) -> Record:
    values: dict[str, Any] = {
        "commons": COMMONS, "plane": 1, "author": ALICE.public, "after": after,
        "time": (1_767_225_600_000 + number) << 16, "subject": bytes([number % 256]) * 32, "prev": [],
        "kind": "entry.edit", "body": {"set": {"title": f"number {number}"}}, "salt": bytes([number % 256]) * 16,
    }  # fmt: skip
    return build(**{**values, **changed})


def chain(size: int) -> list[Record]:
    made = [record(0)]
    for number in range(1, size):
        made.append(record(number, after=made[-1].id))
    return made


def packed(records: Sequence[Record], listed: Sequence[int]) -> list[Any]:
    made, _ = seal(ALICE, records)
    known = {Span(at, at + 1): item.id for at, item in enumerate(records)}
    return pack_value(made, known, [(at, records[at]) for at in listed])


def refusal(value: Any) -> str:
    with pytest.raises(FormError) as caught:
        read_pack(value)
    return caught.value.code


def test_a_seal_is_a_signature_over_the_tree() -> None:
    records = chain(5)
    made, sealed = seal(ALICE, records)
    assert made.root == root([item.id for item in records])
    assert verify(ALICE.public, made.signature, seal_message(COMMONS, 5, made.root))
    assert [(item.leaf, item.record) for item in sealed] == list(enumerate(records))


def test_a_pack_goes_over_the_wire_and_comes_back() -> None:
    records = chain(9)
    made, _ = seal(ALICE, records)
    data = encode_pack(made, {}, list(enumerate(records)))
    assert encode(decode(data, bytes_max=1 << 20)) == data
    read = read_pack(decode(data, bytes_max=1 << 20))
    assert read.seal == made
    assert [item.record for item in read.records] == records
    assert (read.plane, read.faults) == (1, ())


def test_what_a_pack_told_of_its_tree_makes_smaller_packs() -> None:
    records = chain(13)
    read = read_pack(packed(records, [2, 3, 7]))
    again = pack_value(read.seal, read.known, [(3, records[3])])
    assert again == packed(records, [3])


def test_after_is_left_out_only_within_a_chain() -> None:
    records = chain(4)
    assert [len(item) for item in packed(records, [0, 1, 2, 3])[7]] == [4, 3, 3, 3]
    assert [len(item) for item in packed(records, [0, 2, 3])[7]] == [4, 4, 3]


def test_what_a_body_tells_of_its_header_does_not_travel() -> None:
    records = chain(2)
    for item, one in zip(packed(records, [0, 1])[7], records, strict=True):
        assert one.header.body_hash not in b"".join(item)
        assert one.header_bytes.endswith(item[-3] + b"\xc4\x20" + one.header.body_hash + bytes([len(one.body or b"")]))


@pytest.mark.parametrize("size", [1, 127, 128, 255, 256, 65_535, 65_536])
def test_a_body_of_any_size_gives_its_header_back(size: int) -> None:
    body = b"\x80" if size == 1 else encode({"t": "a" * (size - (5 if size < 260 else 6))})
    assert len(body) == size
    made = record(0, body=body)
    assert read_pack(packed([made], [0])).records[0].record == made


def test_an_erased_record_travels_with_its_header_alone() -> None:
    records = chain(3)
    erased = [records[0], records[1]._replace(salt=None, body=None), records[2]]
    value = packed(erased, [0, 1, 2])
    assert [len(item) for item in value[7]] == [4, 1, 3]
    read = read_pack(value)
    assert [item.record for item in read.records] == erased
    assert read.faults == ()
    assert [len(item) for item in packed(erased, [1, 2])[7]] == [2, 3]


def test_a_changed_body_breaks_the_seal() -> None:
    value = packed(chain(3), [0, 1, 2])
    value[7][1][-1] = value[7][1][-1].replace(b"number 1", b"number 7")
    assert refusal(value) == "bad_seal"


def test_a_body_that_should_not_have_been_signed_loses_its_record_only() -> None:
    records = chain(3)
    body = b"\x81\xa1a\xcc\x01"  # 1 in two bytes
    records[1] = record(1, after=records[0].id, body=body)
    records[2] = record(2, after=records[1].id)
    read = read_pack(packed(records, [0, 1, 2]))
    assert [item.record for item in read.records] == [records[0], records[2]]
    assert read.faults == ((records[1].id, "not_canonical"),)


def test_the_signature_is_asked_for_once_and_before_bodies_are_read() -> None:
    records = chain(20)
    records[3] = record(3, after=records[2].id, body=b"no body")
    value = packed(records, range(20))
    asked: list[tuple[bytes, bytes, bytes]] = []

    def check(author: bytes, signature: bytes, message: bytes) -> bool:
        asked.append((author, signature, message))
        return False

    with pytest.raises(FormError, match="bad_seal"):
        read_pack(value, check)
    assert asked == [(ALICE.public, value[4], seal_message(COMMONS, 20, root([item.id for item in records])))]


@pytest.mark.parametrize(
    "records",
    [
        [],
        [record(0), record(1, author=BOB.public)],
        [record(0), record(1, commons=b"\xc1" * 32)],
        [record(n, commons=ZEROS, plane=0, subject=ZEROS) for n in range(2)],
        [record(0)] * (TREE_LEAVES_MAX + 1),
        [record(0, author=BOB.public)],
    ],
    ids=["none", "two authors", "two commons", "two founding records", "too many", "another's"],
)
def test_what_no_seal_covers_is_not_sealed(records: list[Record]) -> None:
    with pytest.raises(FormError, match="bad_tree"):
        seal(ALICE, records)


def test_a_pack_of_records_that_do_not_belong_together_is_not_made() -> None:
    records = [record(0), record(1, plane=0)]
    made, _ = seal(ALICE, records)
    with pytest.raises(FormError, match="bad_pack"):
        pack_value(made, {}, list(enumerate(records)))
    with pytest.raises(FormError, match="bad_pack"):
        pack_value(made, {}, [])


def test_a_full_tree_is_one_pack() -> None:
    records = [record(n % 200, time=n) for n in range(TREE_LEAVES_MAX)]
    read = read_pack(packed(records, range(TREE_LEAVES_MAX)))
    assert len(read.records) == TREE_LEAVES_MAX


@pytest.mark.parametrize("value", [None, 1, b"", "pack", {}, [], [None] * 8, [b"\x01" * 32] * 8])
def test_what_is_no_pack_is_refused(value: Any) -> None:
    assert refusal(value) == "bad_pack"
