"""Merkle trees of RFC 9162 section 2.1, over leaf hashes (chapter 13).

A leaf hash is `SHA-256(0x00 || data)`, a node `SHA-256(0x01 || left || right)`; a tree of n > 1 leaves splits
at the largest power of two below n. Knows nothing of records: leaves are 32-byte hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from p2pcommons.core.limits import TREE_LEAVES_MAX
from p2pcommons.errors import FormError


class Span(NamedTuple):
    """The leaves `start` to `stop` (exclusive) of a tree: one of its subtrees."""

    start: int
    stop: int


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf's data."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over one or more leaf hashes (level by level: the odd last one moves up, as RFC 9162 has it)."""
    if not leaves:
        raise FormError("bad_tree", "a tree has at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        pairs = iter(level)
        above = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def split(span: Span) -> tuple[Span, Span]:
    """The two subtrees of a subtree of more than one leaf."""
    size = span.stop - span.start
    half = 1 << ((size - 1).bit_length() - 1)
    return Span(span.start, span.start + half), Span(span.start + half, span.stop)


def uncovered(size: int, indexes: Sequence[int]) -> list[Span]:
    """The maximal subtrees of a tree of `size` leaves without a listed (ascending) leaf, left to right."""
    spans: list[Span] = []
    _uncovered(Span(0, size), indexes, 0, len(indexes), spans)
    return spans


def _uncovered(span: Span, indexes: Sequence[int], low: int, high: int, spans: list[Span]) -> None:
    if low == high:
        spans.append(span)
        return
    if high - low == span.stop - span.start:
        return  # every leaf is listed
    left, right = split(span)
    middle = low
    while middle < high and indexes[middle] < left.stop:
        middle += 1
    _uncovered(left, indexes, low, middle, spans)
    _uncovered(right, indexes, middle, high, spans)


def root_from(size: int, known: Mapping[Span, bytes]) -> bytes:
    """The root of a tree of `size` leaves from subtree roots that cover it; FormError if they do not."""
    return subtree(Span(0, size), known)


def subtree(span: Span, known: Mapping[Span, bytes]) -> bytes:
    """The root of one subtree from known roots (leaves are spans of one)."""
    found = known.get(span)
    if found is not None:
        return found
    if span.stop - span.start <= 1:
        raise FormError("bad_tree", "a part of the tree is missing")
    left, right = split(span)
    return node_hash(subtree(left, known), subtree(right, known))


_LEAF_SPANS: Final = tuple(Span(index, index + 1) for index in range(TREE_LEAVES_MAX))  # made once: hot path


def leaves_known(indexes: Sequence[int], hashes: Sequence[bytes]) -> dict[Span, bytes]:
    """Leaf hashes by their spans, at ascending indexes."""
    if indexes and indexes[-1] >= TREE_LEAVES_MAX:  # a larger tree than seals have: media
        return {Span(index, index + 1): leaf for index, leaf in zip(indexes, hashes, strict=True)}
    return dict(zip(map(_LEAF_SPANS.__getitem__, indexes), hashes, strict=True))


def cover(size: int, indexes: Sequence[int], hashes: Sequence[bytes], nodes: Sequence[bytes]) -> dict[Span, bytes]:
    """What a pack tells of its tree: listed leaves and the nodes between them. FormError if the count differs."""
    spans = uncovered(size, indexes)
    if len(spans) != len(nodes):
        raise FormError("bad_nodes", f"{len(nodes)} nodes where the tree needs {len(spans)}")
    known = leaves_known(indexes, hashes)
    known.update(zip(spans, nodes, strict=True))
    return known


def nodes_for(size: int, indexes: Sequence[int], known: Mapping[Span, bytes]) -> list[bytes]:
    """The nodes a pack of the listed leaves needs, from what is known of the tree."""
    return [subtree(span, known) for span in uncovered(size, indexes)]
