"""The vectors of chapter 40: ids of files, proofs of ranges, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from p2pcommons.core.blob import Hasher, Tree, blob_id, chunk_count, range_bytes, verify
from p2pcommons.core.limits import BLOB_BYTES_MAX, CHUNK_BYTES
from p2pcommons.errors import FormError

Case = dict[str, Any]
SIZES = (0, 1, 63, 64, 32 * 1024, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 7 * CHUNK_BYTES + 5)


def content(size: int) -> bytes:
    """The bytes of a file in the vectors: SHA-256 of 0, 1, 2 ... (8 bytes, big-endian), one after the other, cut."""
    return b"".join(sha256(place.to_bytes(8, "big")).digest() for place in range(-(-size // 32)))[:size]


def leaves_of(count: int) -> list[bytes]:
    """Made-up leaf hashes, for files too large for vectors."""
    return [sha256(place.to_bytes(8, "big")).digest() for place in range(count)]


def _blob(given: Mapping[str, Any]) -> Any:
    hasher = Hasher()
    hasher.update(content(given["size"]))
    blob, _ = hasher.finish()
    return {"id": blob.id.hex(), "root": blob.root.hex(), "chunks": chunk_count(blob.size)}


def _id(given: Mapping[str, Any]) -> Any:
    size = int(given["size"])
    return {"id": blob_id(size, bytes.fromhex(given["root"])).hex(), "chunks": chunk_count(size)}


def _proof(given: Mapping[str, Any]) -> Any:
    size, start, stop = (given[name] for name in ("size", "start", "stop"))
    tree = Tree(leaves_of(chunk_count(size)))
    return {"nodes": [node.hex() for node in tree.proof(start, stop)], "bytes": range_bytes(size, start, stop)}


def _verify(given: Mapping[str, Any]) -> Any:
    leaves, nodes = ([bytes.fromhex(item) for item in given[name]] for name in ("leaves", "nodes"))
    verify(bytes.fromhex(given["id"]), int(given["size"]), given["start"], leaves, nodes)
    return {"verified": True}


OPERATIONS = {"blob": _blob, "blob_id": _id, "range_proof": _proof, "range": _verify}


def answer(op: str, given: Mapping[str, Any]) -> Case:
    """What the package says: {"out": …} or {"error": code}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except FormError as error:
        return {"error": error.code}
    except KeyError:
        return {"error": "unsupported"}


_TEXT = (
    "Files are made up. blob (size: of a file whose bytes are SHA-256 of 0, 1, 2 ... as 8 bytes big-endian, one after "
    "the other, cut) -> id, root, chunks. blob_id (size as text, root) -> id, chunks. range_proof (size, start, stop; "
    "leaf hashes: SHA-256 of 0, 1, 2 ... as 8 bytes) -> nodes, and the bytes of these chunks. range (id, size as text, "
    "start, leaves: leaf hashes of the chunks, nodes) -> verified, or a code."
)


def vectors() -> dict[str, Any]:
    """The vectors of this chapter."""
    cases: list[Case] = []

    def asked(name: str, op: str, given: Mapping[str, Any], error: str | None = None) -> None:
        got = answer(op, given)
        if got.get("error") != error:
            raise AssertionError(f"{name}: {got} where {error} is expected")
        cases.append({"name": name, "op": op, "in": given, **got})

    for size in SIZES:
        asked(f"a file of {size} bytes", "blob", {"size": size})
    for size in (0, 1, 2**32 - 1, 2**32, BLOB_BYTES_MAX):
        asked(f"a file said to have {size} bytes", "blob_id", {"size": str(size), "root": bytes([7] * 32).hex()})
    asked("a file larger than any", "blob_id", {"size": str(BLOB_BYTES_MAX + 1), "root": bytes(32).hex()}, "bad_size")
    asked("a file of fewer bytes than none", "range", _range(5, 0, 1, size="-1"), "bad_size")
    for count in (1, 2, 3, 5, 8, 13, 100):
        for start, stop in sorted(
            {(0, 1), (0, count), (count - 1, count), (count // 3, count // 3 + (count + 1) // 2)}
        ):
            size = count * CHUNK_BYTES - 9
            given = {"size": size, "start": start, "stop": stop}
            asked(f"the proof of chunks {start} to {stop} of {count}", "range_proof", given)
            asked(f"chunks {start} to {stop} of {count}", "range", _range(count, start, stop))
    good = _range(13, 4, 7)
    asked("no chunk", "range", {**good, "leaves": []}, "bad_range")
    asked("a start before the file", "range", {**good, "start": -1}, "bad_range")
    asked("chunks behind the end", "range", {**good, "start": 11}, "bad_range")
    asked("a place whose proof has as many nodes", "range", {**good, "start": 8}, "bad_chunks")
    asked("a place whose proof has another number of nodes", "range", {**good, "start": 10}, "bad_nodes")
    asked("a chunk fewer", "range", {**good, "leaves": good["leaves"][:-1]}, "bad_chunks")
    asked("a node fewer", "range", {**good, "nodes": good["nodes"][:-1]}, "bad_nodes")
    asked("a node more", "range", {**good, "nodes": [*good["nodes"], bytes(32).hex()]}, "bad_nodes")
    asked("nodes in another order", "range", {**good, "nodes": good["nodes"][::-1]}, "bad_chunks")
    asked("chunks in another order", "range", {**good, "leaves": good["leaves"][::-1]}, "bad_chunks")
    asked("another file's id", "range", {**good, "id": _range(13, 4, 7, size="5")["id"]}, "bad_chunks")
    asked(
        "a size one byte less, of as many chunks", "range", {**good, "size": str(int(good["size"]) - 1)}, "bad_chunks"
    )
    asked("a chunk for the empty file", "range", {**good, "size": "0", "start": 0}, "bad_range")
    flipped = bytes.fromhex(good["leaves"][0])
    changed = bytes([flipped[0] ^ 1]) + flipped[1:]
    asked("a flipped bit in a chunk", "range", {**good, "leaves": [changed.hex(), *good["leaves"][1:]]}, "bad_chunks")
    return {"chapter": "40-media", "operations": _TEXT, "cases": cases}


def _range(count: int, start: int, stop: int, size: str | None = None) -> dict[str, Any]:
    """Chunks of a file of so many, with their proof; with `size` the id is that of another file."""
    tree = Tree(leaves_of(count))
    said = count * CHUNK_BYTES - 9
    return {
        "id": blob_id(said if size is None else abs(int(size)), tree.root).hex(),
        "size": str(said) if size is None else size,
        "start": start,
        "leaves": [leaf.hex() for leaf in tree.leaves[start:stop]],
        "nodes": [node.hex() for node in tree.proof(start, stop)],
    }
