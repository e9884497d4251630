"""Files as blobs: an id that binds size and content, and proofs of any range of chunks (chapter 40).

A blob is cut into chunks of 64 KiB, the last one shorter. Over the chunks stands the Merkle tree of RFC 9162 section
2.1 (`core.merkle`); the id is a hash of size and root, so that a part can be checked by whoever knows the id alone.
Knows no file and no type: what a blob means is said by the entries that name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from p2pcommons.core.limits import BLOB_BYTES_MAX, CHUNK_BYTES
from p2pcommons.core.merkle import Span, cover, root_from, uncovered
from p2pcommons.errors import FormError

_TAG: Final = b"p2pcommons blob v1\0"
EMPTY_ROOT: Final = bytes(32)
"""Stands for the root of a tree without leaves: the empty file."""


class Blob(NamedTuple):
    """What a file's bytes give."""

    id: bytes
    size: int
    root: bytes


def chunk_count(size: int) -> int:
    """How many chunks a file of so many bytes has. FormError `bad_size` for a size that no blob has."""
    if not 0 <= size <= BLOB_BYTES_MAX:
        raise FormError("bad_size", f"a file has 0 to {BLOB_BYTES_MAX} bytes, not {size}")
    return -(-size // CHUNK_BYTES)


def blob_id(size: int, root: bytes) -> bytes:
    """The id of a file of `size` bytes with this root."""
    return sha256(_TAG + size.to_bytes(8, "big") + root).digest()


def chunk_hash(chunk: bytes | memoryview) -> bytes:
    """The leaf hash of one chunk (without a copy of it: hashing this much lets other threads run)."""
    hasher = sha256(b"\0")
    hasher.update(chunk)
    return hasher.digest()


def chunk_hashes(data: bytes | memoryview) -> list[bytes]:
    """Leaf hashes of whole chunks in a row, the last one shorter perhaps."""
    view = memoryview(data)
    return [chunk_hash(view[at : at + CHUNK_BYTES]) for at in range(0, len(view), CHUNK_BYTES)]


class Tree:
    """Every node of a file's tree, level by level: 64 bytes for each chunk, a thousandth of the file."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(level := self._levels[-1]) > 1:
            pairs = iter(level)
            above = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
            if len(level) % 2:
                above.append(level[-1])
            self._levels.append(above)

    @property
    def leaves(self) -> Sequence[bytes]:
        """The hashes of the chunks."""
        return self._levels[0]

    @property
    def root(self) -> bytes:
        """The root; zeros for the empty file."""
        return self._levels[-1][0] if self._levels[0] else EMPTY_ROOT

    def proof(self, start: int, stop: int) -> list[bytes]:
        """The nodes that prove chunks `start` to `stop` (exclusive): roots of the maximal subtrees without one."""
        return [self._node(span) for span in uncovered(len(self._levels[0]), range(start, stop))]

    def _node(self, span: Span) -> bytes:
        level = (span.stop - span.start - 1).bit_length()
        return self._levels[level][span.start >> level]


def verify(blob: bytes, size: int, start: int, leaves: Sequence[bytes], nodes: Sequence[bytes]) -> None:
    """Check that chunks with these hashes stand at `start` in the blob. FormError, with what is wrong, if not."""
    count = chunk_count(size)
    if not (leaves and start >= 0 and start + len(leaves) <= count):
        raise FormError("bad_range", f"chunks {start} to {start + len(leaves)} of a file of {count}")
    known = cover(count, range(start, start + len(leaves)), leaves, nodes)
    if blob_id(size, root_from(count, known)) != blob:
        raise FormError("bad_chunks", "these chunks are not of the file that was asked for")


def range_bytes(size: int, start: int, stop: int) -> int:
    """How many bytes chunks `start` to `stop` (exclusive) have together."""
    return min(stop * CHUNK_BYTES, size) - min(start * CHUNK_BYTES, size)


class Hasher:
    """Finds the blob of a file that comes piece by piece, of any lengths."""

    __slots__ = ("_chunk", "_filled", "_leaves", "_size")

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._size = self._filled = 0
        self._chunk = sha256(b"\0")

    def update(self, data: bytes | memoryview) -> None:
        """The next bytes. FormError `bad_size` when the file is larger than a blob may be."""
        view = memoryview(data)
        self._size += len(view)
        chunk_count(self._size)
        while len(view):
            piece = view[: CHUNK_BYTES - self._filled]
            self._chunk.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == CHUNK_BYTES:
                self._end_chunk()

    def _end_chunk(self) -> None:
        self._leaves.append(self._chunk.digest())
        self._chunk, self._filled = sha256(b"\0"), 0

    def finish(self) -> tuple[Blob, Tree]:
        """The blob and its tree; nothing may be added after."""
        if self._filled:
            self._end_chunk()
        tree = Tree(self._leaves)
        return Blob(blob_id(self._size, tree.root), self._size, tree.root), tree
