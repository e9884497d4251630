"""Seals and packs: one signature over a Merkle tree of an author's records, and their wire form (chapter 13).

A pack carries any subset of a tree's records with the nodes that stand for the rest. Knows no set and no
right: who may write is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import pack as struct_pack
from typing import Any, Final, NamedTuple

from p2pcommons.core.encoding import pack_ordered
from p2pcommons.core.identity import TAG_SEAL, PublicKey, SigningKey, is_point, verify
from p2pcommons.core.limits import PLANE_MAX, TREE_LEAVES_MAX
from p2pcommons.core.merkle import Span, cover, leaves_known, nodes_for, root, root_from
from p2pcommons.core.record import (
    ZEROS,
    CommonsId,
    Record,
    RecordId,
    body_hash,
    check_content,
    parse_header,
    record_id,
)
from p2pcommons.errors import FormError


class Seal(NamedTuple):
    """One signature over the root of a tree of `tree_size` records. `commons` is zeros for a founding record."""

    author: PublicKey
    commons: CommonsId
    tree_size: int
    root: bytes
    signature: bytes


class Sealed(NamedTuple):
    """A record and its place under a seal."""

    record: Record
    seal: Seal
    leaf: int


class Pack(NamedTuple):
    """A checked pack: its seal, what it tells of the tree, the good records and those signed with a bad body.

    A record whose `body` is None came with its header alone: it is good only where an erasure names it.
    """

    seal: Seal
    plane: int
    known: Mapping[Span, bytes]
    records: tuple[Sealed, ...]
    faults: tuple[tuple[RecordId, str], ...]  # (record id, error code)
    contents: Mapping[RecordId, Mapping[str, Any]]  # what the bodies hold, as it was read when they were checked


Verifier = Callable[[bytes, bytes, bytes], bool]
_COMMONS_AT: Final = b"\x9b\x01\xc4\x20"
_BIN32: Final = b"\xc4\x20"
_ONLY_BYTES: Final = {bytes}
_TAIL_AT: Final = 4 + 32 + 1 + 2 + 32 + 2 + 32  # where `time` begins in every header: planes take one byte


def seal_message(commons: bytes, tree_size: int, tree_root: bytes) -> bytes:
    """The bytes an author signs."""
    return TAG_SEAL + commons + struct_pack(">Q", tree_size) + tree_root


def seal(key: SigningKey, records: Sequence[Record]) -> tuple[Seal, list[Sealed]]:
    """Seal 1 to 4,096 records of one author and commons, in the order given."""
    if not 1 <= len(records) <= TREE_LEAVES_MAX:
        raise FormError("bad_tree", f"a seal covers 1 to {TREE_LEAVES_MAX} records")
    commons = records[0].header.commons
    if any(r.header.commons != commons or r.header.author != key.public for r in records):
        raise FormError("bad_tree", "a seal covers records of one author and one commons")
    if commons == ZEROS and len(records) > 1:
        raise FormError("bad_tree", "a founding record is sealed alone")
    tree_root = root([r.id for r in records])
    made = Seal(key.public, commons, len(records), tree_root, b"")
    made = made._replace(signature=key.sign(seal_message(commons, made.tree_size, tree_root)))
    return made, [Sealed(record, made, index) for index, record in enumerate(records)]


def encode_pack(made: Seal, known: Mapping[Span, bytes], records: Sequence[tuple[int, Record]]) -> bytes:
    """The canonical bytes of a pack; see `pack_value`."""
    return pack_ordered(pack_value(made, known, records))


def pack_value(made: Seal, known: Mapping[Span, bytes], records: Sequence[tuple[int, Record]]) -> list[Any]:
    """A pack of the listed records of one plane (ascending leaf index), as the array that goes on the wire.

    `known` holds what is known of the tree besides the listed leaves. An erased record goes with its header
    alone (SEAL-9). Bodies are the caller's: one that is not its header's makes a pack that nobody takes.
    """
    if not records:
        raise FormError("bad_pack", "a pack lists at least one leaf of its tree")
    indexes = [index for index, _ in records]
    known = {**known, **leaves_known(indexes, [record.id for _, record in records])}
    plane = records[0][1].header.plane
    start = _COMMONS_AT + made.commons + bytes([plane]) + _BIN32 + made.author + _BIN32
    wire: list[list[bytes]] = []
    last: bytes | None = None
    for _, record in records:
        header = record.header_bytes
        if not header.startswith(start):
            raise FormError("bad_pack", "a pack holds records of one author, commons and plane")
        if record.salt and record.body:
            stem = header[_TAIL_AT : -34 - len(pack_ordered(record.header.body_size))]
            item = [stem, record.salt, record.body]
        else:
            item = [header[_TAIL_AT:]]
        if record.header.after != last:
            item.insert(0, record.header.after)
        wire.append(item)
        last = record.id
    nodes = nodes_for(made.tree_size, indexes, known)
    return [made.author, made.commons, plane, made.tree_size, made.signature, indexes, nodes, wire]


def read_pack(value: Any, check: Verifier = verify) -> Pack:
    """Check a pack that came as part of a canonical frame: form, tree, one signature, then each body.

    FormError with a code of chapter 13 if the pack as a whole is bad; a bad body loses that record only.
    """
    author, commons, plane, size, signature, indexes, nodes, wire = _pack_form(value)
    headers, ids = _headers(commons, plane, author, wire)
    known = cover(size, indexes, ids, nodes)
    tree_root = root_from(size, known) if nodes else root(ids)
    if not check(author, signature, seal_message(commons, size, tree_root)):
        raise FormError("bad_seal", "the seal is not the author's over these records")
    made = Seal(PublicKey(author), CommonsId(commons), size, tree_root, signature)
    parsed = [parse_header(header_bytes) for header_bytes in headers]  # SEAL-7: all of them, before what is in a body
    records: list[Sealed] = []
    faults: list[tuple[RecordId, str]] = []
    contents: dict[RecordId, Mapping[str, Any]] = {}
    for index, identifier, header_bytes, header, item in zip(indexes, ids, headers, parsed, wire, strict=True):
        salt: bytes | None = None
        body: bytes | None = None
        if len(item) > 2:
            salt, body = item[-2], item[-1]
            try:
                contents[identifier] = check_content(salt, body)
            except FormError as error:
                faults.append((identifier, error.code))
                continue
        records.append(Sealed(Record(identifier, header, header_bytes, salt, body), made, index))
    return Pack(made, plane, known, tuple(records), tuple(faults), contents)


def _pack_form(value: Any) -> tuple[bytes, bytes, int, int, bytes, list[int], list[bytes], list[list[bytes]]]:
    if type(value) is not list or len(value) != 8:
        raise FormError("bad_pack", "a pack is an array of eight values")
    author, commons, plane, size, signature, indexes, nodes, wire = value
    if not (_is_bytes(author, 32) and _is_bytes(commons, 32) and _is_bytes(signature, 64)):
        raise FormError("bad_pack", "author, commons or signature is not of its size")
    if not is_point(author):
        raise FormError("bad_seal", "the author is no key that can sign")
    if type(plane) is not int or not 0 <= plane <= PLANE_MAX:
        raise FormError("bad_plane", f"a plane is a number from 0 to {PLANE_MAX}")
    if type(size) is not int or not 1 <= size <= TREE_LEAVES_MAX or (commons == ZEROS and size != 1):
        raise FormError("bad_tree", f"a seal covers 1 to {TREE_LEAVES_MAX} records, a founding record alone")
    if type(indexes) is not list or not 1 <= len(indexes) <= size:
        raise FormError("bad_pack", "a pack lists at least one leaf of its tree")
    last = -1
    for index in indexes:
        if type(index) is not int or not last < index < size:
            raise FormError("bad_pack", "leaf indexes are ascending and within the tree")
        last = index
    if type(nodes) is not list or not all(_is_bytes(node, 32) for node in nodes):
        raise FormError("bad_nodes", "nodes are hashes of 32 bytes")
    if type(wire) is not list or len(wire) != len(indexes):
        raise FormError("bad_pack", "a pack holds one record for each listed leaf")
    return author, commons, plane, size, signature, indexes, nodes, wire


def _headers(commons: bytes, plane: int, author: bytes, wire: Sequence[Any]) -> tuple[list[bytes], list[RecordId]]:
    start = _COMMONS_AT + commons + bytes([plane]) + _BIN32 + author + _BIN32
    headers: list[bytes] = []
    ids: list[RecordId] = []
    last: RecordId | None = None
    for item in wire:
        if type(item) is not list or not 1 <= len(item) <= 4 or set(map(type, item)) != _ONLY_BYTES:
            raise FormError("bad_pack", "a record is stem, salt and body, or a tail, `after` before them or not")
        after: bytes
        if not len(item) & 1:
            after = item[0]
            if len(after) != 32 or after == last:
                raise FormError("bad_pack", "`after` is an id, left out where it is the record before")
        elif last is None:
            raise FormError("bad_pack", "the first record of a pack names its `after`")
        else:
            after = last
        if len(item) > 2:
            stem, salt, body = item[-3:]
            header = b"".join((start, after, stem, _BIN32, body_hash(salt, body), pack_ordered(len(body))))
        else:
            header = start + after + item[-1]
        last = record_id(header)
        headers.append(header)
        ids.append(last)
    return headers, ids


def _is_bytes(value: Any, size: int) -> bool:
    return type(value) is bytes and len(value) == size
