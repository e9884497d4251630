"""Vectors of chapter 13: trees, seals and packs."""

from __future__ import annotations

from typing import Any

from vectors_core import Cases
from vectors_identity import ed
from vectors_records import ALICE, BOB, BODY, COMMONS, FOUNDING, bytes_of, edit, header_values

from p2pcommons.core.encoding import encode, encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.merkle import node_hash, root
from p2pcommons.core.record import ZEROS, Record, body_hash, record_id
from p2pcommons.core.seal import pack_value, seal, seal_message

_TAIL_AT = 105
AUTHOR, COMMONS_AT, PLANE, SIZE, SIGNATURE, INDEXES, NODES, RECORDS = range(8)


def chain(number: int) -> list[Record]:
    """Edits of alice, each after the one before."""
    made: list[Record] = []
    for index in range(number):
        made.append(edit(index, after=made[-1].id if made else ZEROS))
    return made


def packed(records: list[Record], listed: list[int] | None = None, key: SigningKey = ALICE) -> list[Any]:
    """A good pack of some leaves of a tree over these records."""
    made, sealed = seal(key, records)
    known = {(index, index + 1): record.id for index, record in enumerate(records)}
    indexes = range(len(records)) if listed is None else listed
    return pack_value(made, known, [(index, sealed[index].record) for index in indexes])  # type: ignore[arg-type]


def changed(value: list[Any], **parts: Any) -> list[Any]:
    """A pack with some of its eight values exchanged."""
    places = {"author": 0, "commons": 1, "plane": 2, "size": 3, "signature": 4, "indexes": 5, "nodes": 6, "records": 7}
    copy = list(value)
    for name, part in parts.items():
        copy[places[name]] = part
    return copy


def end_of(salt: bytes, body: bytes) -> bytes:
    """What a header ends with: hash and size of the body."""
    return b"\xc4\x20" + body_hash(salt, body) + encode(len(body))


def unchecked(parts: list[list[bytes]], **others: Any) -> list[Any]:
    """A pack rightly signed over headers that nothing has checked, each first of its chain: tails, or stems with
    salt and body."""
    values = {"author": bytes(ALICE.public), "commons": COMMONS, "plane": 1, **others}
    start = b"\x9b\x01\xc4\x20" + values["commons"] + bytes([values["plane"]]) + b"\xc4\x20" + values["author"]
    wire = [[ZEROS, *part] for part in parts]
    tails = [part[0] if len(part) == 1 else part[0] + end_of(part[1], part[2]) for part in parts]
    ids = [record_id(start + b"\xc4\x20" + ZEROS + tail) for tail in tails]
    signature = ALICE.sign(seal_message(values["commons"], len(ids), root(ids)))
    return [values["author"], values["commons"], values["plane"], len(ids), signature, list(range(len(ids))), [], wire]


def _tail(**values: Any) -> bytes:
    return encode(header_values(**values))[_TAIL_AT:]


def _stem(**values: Any) -> bytes:
    return _tail(body_size=5, **values)[:-35]


def seal_cases() -> Cases:
    cases = Cases()
    _trees(cases)
    records = chain(13)

    def good(name: str, value: Any) -> Any:
        return cases.good(name, "pack", bytes=encode(value).hex())

    message = seal_message(ZEROS, 1, FOUNDING.id)
    cases.good("the seal of the founding record", "sign", seed=ALICE.seed().hex(), message=message.hex())
    good("the founding record, alone", packed([FOUNDING]))
    good("one edit", packed(records[:1]))
    good("a whole tree of 2", packed(records[:2]))
    good("a whole tree of 13", packed(records))
    for listed in ([0], [12], [6], [0, 12], [1, 3, 5, 7, 9, 11], [4, 5, 6, 7], [8, 9, 10, 11, 12], list(range(12))):
        good(f"of a tree of 13: {listed}", packed(records, listed))
    good("the second half of a tree of 2", packed(records[:2], [1]))
    good("an order of leaves that is not the chain's", packed(records[5::-1]))
    past = sorted(bytes_of(f"past {n}") for n in range(20))
    good("records of every shape", packed([edit(n, prev=past[:n], time=t, kind=k, body=b) for n, (t, k, b) in enumerate([
        (0, "a.b", {}), (2**32 - 1, "entry.edit", BODY), (2**32, "x." + "y" * 40, {"t": "a" * 300}),
    ])] + [edit(19, prev=past)]))  # fmt: skip
    mixed = [*chain(2), edit(9, plane=0, kind="member.invite", subject=ZEROS)]
    good("a tree over two planes, those of plane 1", packed(mixed, [0, 1]))
    good("a tree over two planes, that of plane 0", packed(mixed, [2]))
    erased = [record._replace(salt=None, body=None) if n == 1 else record for n, record in enumerate(records[:3])]
    good("the second of three without salt and body", packed(erased))
    good("the first of three without salt and body", packed([records[0]._replace(salt=None, body=None), *records[1:3]]))
    good("three of which none has salt and body", packed([r._replace(salt=None, body=None) for r in records[:3]]))
    for size in (1, 127, 128, 255, 256, 65536):
        body = b"\x80" if size == 1 else encode_body({"t": "a" * (size - (5 if size < 260 else 6))})
        good(f"a body of {size} bytes", packed([edit(0, body=body)]))
    _faults(cases)
    _bad(cases, records)
    _bad_headers(cases)
    return cases


def _trees(cases: Cases) -> None:
    leaves = [bytes_of(f"leaf {n}") for n in range(16)]
    for size in (*range(1, 10), 13, 16):
        cases.good(f"root over {size}", "root", leaves=[leaf.hex() for leaf in leaves[:size]])
    cases.bad("root over nothing", "bad_tree", "root", leaves=[])
    for size, indexes in ((1, [0]), (2, [1]), (3, [2]), (5, [4]), (7, [0, 6]), (13, [6]), (4096, [0]), (4095, [4094])):
        cases.good(f"subtrees of {size} without {indexes}", "uncovered", size=size, indexes=indexes)
    cases.good("subtrees of 8 when all are listed", "uncovered", size=8, indexes=list(range(8)))


def _faults(cases: Cases) -> None:
    """A body that should not have been signed loses its own record only."""
    salt, body = bytes_of("salt 1", 16), encode_body(BODY)
    for name, code, part in (
        ("a salt of 15 bytes", "bad_salt", [salt[1:], body]), ("a salt of 17 bytes", "bad_salt", [salt + b"\0", body]),
        ("no salt", "bad_salt", [b"", body]), ("an integer in two bytes", "not_canonical", [salt, b"\x81\xa1a\xcc\x01"]),
        ("a float", "forbidden_type", [salt, b"\x81\xa1a\xca\0\0\0\0"]), ("an array", "bad_body", [salt, b"\x90"]),
        ("keys in falling order", "key_order", [salt, b"\x82\xa1b\xc0\xa1a\xc0"]),
        ("a byte behind it", "trailing_bytes", [salt, body + b"\0"]), ("no value", "truncated", [salt, b"\x81"]),
        ("an integer of 64 bits", "integer_range", [salt, b"\x81\xa1a\xcf" + b"\xff" * 8]),
    ):  # fmt: skip
        parts = [[_stem(), bytes_of("salt 0", 16), body], [_stem(), *part]]
        out = cases.good(f"fault: a signed body that is {code}: {name}", "pack", bytes=encode(unchecked(parts)).hex())
        if [fault[1] for fault in out["faults"]] != [code] or [leaf for leaf, *_ in out["records"]] != [0]:
            raise AssertionError(out)


def _bad(cases: Cases, records: list[Record]) -> None:
    def bad(name: str, code: str, value: Any) -> None:
        data = value if isinstance(value, bytes) else encode(value)
        cases.bad(name, code, "pack", bytes=data.hex())

    whole, part = packed(records[:3]), packed(records, [3, 4, 11])
    founding = packed([FOUNDING])
    bad("a map", "bad_pack", {"author": whole[0]})
    bad("seven values", "bad_pack", whole[:-1])
    bad("nine values", "bad_pack", [*whole, 0])
    bad("an author of 31 bytes", "bad_pack", changed(whole, author=whole[0][1:]))
    bad("an author as text", "bad_pack", changed(whole, author="a" * 32))
    bad("a commons of 33 bytes", "bad_pack", changed(whole, commons=whole[1] + b"\0"))
    bad("a signature of 63 bytes", "bad_pack", changed(whole, signature=whole[4][1:]))
    bad("plane 128", "bad_plane", changed(whole, plane=128))
    bad("plane -1", "bad_plane", changed(whole, plane=-1))
    bad("plane true", "bad_plane", changed(whole, plane=True))
    bad("tree_size 0", "bad_tree", changed(whole, size=0))
    bad("tree_size 4,097", "bad_tree", changed(whole, size=4097))
    bad("tree_size nil", "bad_tree", changed(whole, size=None))
    bad("a founding record in a tree of 2", "bad_tree", changed(founding, size=2, nodes=[bytes(32)]))
    bad("no leaf listed", "bad_pack", changed(whole, indexes=[], nodes=[whole[0]], records=[]))
    bad("an index beyond the tree", "bad_pack", changed(whole, indexes=[0, 1, 3]))
    bad("indexes in falling order", "bad_pack", changed(whole, indexes=[1, 0, 2]))
    bad("an index twice", "bad_pack", changed(whole, indexes=[0, 0, 1]))
    bad("index -1", "bad_pack", changed(whole, indexes=[-1, 0, 1]))
    bad("index true", "bad_pack", changed(whole, indexes=[0, True, 2]))
    bad("more indexes than leaves", "bad_pack", changed(whole, indexes=[0, 1, 2, 3]))
    bad("indexes are nil", "bad_pack", changed(whole, indexes=None))
    bad("one index too few", "bad_pack", changed(whole, indexes=[0, 1], nodes=[records[2].id]))
    bad("one record too few", "bad_pack", changed(whole, records=whole[7][:-1]))
    bad("records are nil", "bad_pack", changed(whole, records=None))
    bad("a node of 31 bytes", "bad_nodes", changed(part, nodes=[part[6][0][1:], *part[6][1:]]))
    bad("a node as text", "bad_nodes", changed(part, nodes=["a" * 32, *part[6][1:]]))
    bad("nodes are nil", "bad_nodes", changed(part, nodes=None))
    bad("one node too many", "bad_nodes", changed(part, nodes=[*part[6], bytes(32)]))
    bad("one node too few", "bad_nodes", changed(part, nodes=part[6][:-1]))
    bad("a node for a whole tree", "bad_nodes", changed(whole, nodes=[bytes(32)]))
    halves = packed(records[:4], [0])
    bad("a subtree as its two halves", "bad_nodes", changed(halves, nodes=[halves[6][0], records[2].id, records[3].id]))

    def with_record(place: int, item: Any) -> list[Any]:
        wire = list(whole[RECORDS])
        wire[place] = item
        return changed(whole, records=wire)

    first, second = whole[RECORDS][0], whole[RECORDS][1]
    bad("a record of no values", "bad_pack", with_record(1, []))
    bad("a record of five values", "bad_pack", with_record(1, [records[0].id, *second, b""]))
    bad("a record that is bytes", "bad_pack", with_record(1, second[0]))
    bad("two values that begin with no id", "bad_pack", with_record(1, second[:2]))
    bad("a first tail without after", "bad_pack", with_record(0, [_tail()]))
    bad("an after before a tail that could be left out", "bad_pack", with_record(1, [records[0].id, _tail()]))
    bad("a body as a map", "bad_pack", with_record(1, [second[0], second[1], BODY]))
    bad("a salt that is nil", "bad_pack", with_record(1, [second[0], None, second[2]]))
    bad("the first record without after", "bad_pack", with_record(0, first[1:]))
    bad("an after of 31 bytes", "bad_pack", with_record(0, [first[0][1:], *first[1:]]))
    bad("an after that could be left out", "bad_pack", with_record(1, [records[0].id, *second]))
    bad("another after", "bad_seal", with_record(0, [records[5].id, *first[1:]]))
    bad("a stem without its last byte", "bad_seal", with_record(1, [second[0][:-1], *second[1:]]))
    bad("a stem with a byte behind it", "bad_seal", with_record(1, [second[0] + b"\0", *second[1:]]))
    bad("an empty stem", "bad_seal", with_record(1, [b"", *second[1:]]))
    bad("an empty tail", "bad_seal", with_record(1, [b""]))
    bad("a stem alone", "bad_seal", with_record(1, second[:1]))
    whole_tail = records[1].header_bytes[_TAIL_AT:]
    bad("a tail with its salt and body", "bad_seal", with_record(1, [whole_tail, *second[1:]]))
    bad("a tail cut short", "bad_seal", with_record(1, [whole_tail[:-1]]))
    stem, salt, body = second
    bad("another body of the same size", "bad_seal", with_record(1, [stem, salt, body.replace(b"lune", b"dune")]))
    bad("another salt", "bad_seal", with_record(1, [stem, bytes(16), body]))
    bad("a longer body", "bad_seal", with_record(1, [stem, salt, body + b"\0"]))
    bad("a salt and no body", "bad_seal", with_record(1, [stem, salt, b""]))
    bad("a body and no salt", "bad_seal", with_record(1, [stem, b"", body]))
    bad("neither salt nor body", "bad_seal", with_record(1, [stem, b"", b""]))
    bad("salt and body one byte apart", "bad_seal", with_record(1, [stem, salt + body[:1], body[1:]]))
    bad("two records exchanged", "bad_seal", changed(whole, records=[first, whole[7][2], second]))
    bad("another author", "bad_seal", changed(whole, author=bytes(BOB.public)))
    bad("another commons", "bad_seal", changed(whole, commons=bytes_of("another commons")))
    bad("another plane", "bad_seal", changed(whole, plane=2))
    bad("zeros as commons of a record that founds nothing", "bad_seal", changed(packed(records[:1]), commons=ZEROS))
    bad("another tree_size that needs as many nodes", "bad_seal", changed(packed(records[:7], [0, 2]), size=8))
    bad("a tree_size that needs other nodes", "bad_nodes", changed(part, size=12))
    bad("leaves at other places", "bad_seal", changed(packed(records[:4], [0, 1]), indexes=[2, 3]))
    bad("a node changed", "bad_seal", changed(part, nodes=[bytes(32), *part[6][1:]]))
    bad("two nodes exchanged", "bad_seal", changed(part, nodes=[part[6][1], part[6][0], *part[6][2:]]))
    bad("a signature changed", "bad_seal", changed(whole, signature=bytes([whole[4][0] ^ 1]) + whole[4][1:]))
    bad("the signature of another tree", "bad_seal", changed(whole, signature=part[4]))
    s = int.from_bytes(whole[4][32:], "little") + ed.L
    bad("S + L", "bad_seal", changed(whole, signature=whole[4][:32] + s.to_bytes(32, "little")))
    bad("signed by another key", "bad_seal", changed(whole, signature=BOB.sign(
        seal_message(COMMONS, 3, root([record.id for record in records[:3]])))))  # fmt: skip
    tree = root([record.id for record in records[:3]])
    bad("signed without the tag", "bad_seal", changed(whole, signature=ALICE.sign(seal_message(COMMONS, 3, tree)[19:])))
    bad("signed with the size in four bytes", "bad_seal", changed(whole, signature=ALICE.sign(
        seal_message(COMMONS, 3, tree).replace(bytes(7) + b"\3", bytes(3) + b"\3"))))  # fmt: skip
    twice = node_hash(node_hash(records[0].id, records[1].id), node_hash(records[2].id, records[2].id))
    bad(
        "a tree that doubles its odd leaf",
        "bad_seal",
        changed(whole, signature=ALICE.sign(seal_message(COMMONS, 3, twice))),
    )
    small = ed.encode(ed.ORDER_8)
    bad("an author of small order", "bad_seal", changed(whole, author=small))
    bad("an author not canonical", "bad_seal", changed(whole, author=(ed.P + 3).to_bytes(32, "little")))
    data = encode(whole)
    bad("a pack that ends early", "truncated", data[:-1])
    bad("a byte behind the pack", "trailing_bytes", data + b"\0")
    bad("an array of 16-bit length", "not_canonical", b"\xdc\0\x08" + data[1:])
    bad("tree_size in two bytes", "not_canonical", data.replace(b"\x01\x03\xc4\x40", b"\x01\xcc\x03\xc4\x40"))


def _bad_headers(cases: Cases) -> None:
    """Headers that are rightly signed and yet no headers: the pack as a whole is bad."""
    salt, body = bytes_of("salt 0", 16), encode_body(BODY)
    past = sorted([bytes_of("past 0"), bytes_of("past 1")])
    good = [_stem(), salt, body]
    for name, code, part in (
        ("a kind of one word", "bad_kind", [_stem(kind="entry"), salt, body]),
        ("predecessors in falling order", "bad_prev", [_stem(prev=past[::-1]), salt, body]),
        ("time 2^63", "bad_time", [_stem(time=2**63), salt, body]),
        ("an empty body", "bad_size", [_stem(), salt, b""]),
        ("a body of 65,537 bytes", "bad_size", [_stem(), salt, encode({"t": "a" * 65531})]),
        ("a subject of 31 bytes", "bad_header", [_stem(subject=bytes(31)), salt, body]),
        ("a stem without a kind", "truncated", [_stem()[:-11], salt, body]),
        ("a tail that ends early", "truncated", [_tail()[:-1]]),
        ("a tail with a value more", "trailing_bytes", [_tail() + b"\x01"]),
        ("a stem with a value more", "trailing_bytes", [_stem() + b"\x01", salt, body]),
        ("a time in a longer form", "not_canonical", [b"\xcc" + _stem(time=5), salt, body]),
        ("a header of more than 4 KiB", "too_large", [_tail() + bytes(4096)]),
        ("an empty tail", "truncated", [b""]),
        ("a tail with body_size 0", "bad_size", [_tail(body_size=0)]),
    ):
        cases.bad(f"signed: {name}", code, "pack", bytes=encode(unchecked([good, part])).hex())
    founding = unchecked([good], commons=ZEROS, plane=0)
    cases.bad("signed: zeros as commons with a subject", "bad_founding", "pack", bytes=encode(founding).hex())
    founding = unchecked([[_stem(subject=ZEROS), salt, body]], commons=ZEROS, plane=1)
    cases.bad("signed: zeros as commons in plane 1", "bad_founding", "pack", bytes=encode(founding).hex())
    wrong = unchecked([[_stem(kind="entry"), salt, body[1:]]])
    cases.bad("signed: a bad header comes before its bad body", "bad_kind", "pack", bytes=encode(wrong).hex())
