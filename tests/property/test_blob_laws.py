"""Laws of blobs (chapter 40): any range verifies, whatever is changed in it is refused, pieces make no difference."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.core.blob import EMPTY_ROOT, Hasher, Tree, blob_id, chunk_count, chunk_hashes, range_bytes, verify
from p2pcommons.core.limits import BLOB_BYTES_MAX, CHUNK_BYTES
from p2pcommons.core.merkle import root
from p2pcommons.errors import FormError

SIZES = st.one_of(
    st.integers(1, 3 * CHUNK_BYTES),
    st.builds(lambda chunks, more: max(1, chunks * CHUNK_BYTES + more), st.integers(1, 20), st.integers(-1, 1)),
)


def leaves_of(count: int) -> list[bytes]:
    return [index.to_bytes(32, "big") for index in range(count)]


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.one_of(SIZES, st.integers(1, 3000 * CHUNK_BYTES)))
    count = chunk_count(size)
    start = draw(st.integers(0, count - 1))
    return size, start, draw(st.integers(start + 1, count))


@given(ranges())
def test_any_range_verifies(drawn: tuple[int, int, int]) -> None:
    size, start, stop = drawn
    tree = Tree(leaves_of(chunk_count(size)))
    assert tree.root == root(tree.leaves)
    verify(blob_id(size, tree.root), size, start, tree.leaves[start:stop], tree.proof(start, stop))


@given(ranges(), st.data())
def test_whatever_is_changed_in_a_range_is_refused(drawn: tuple[int, int, int], data: st.DataObject) -> None:
    size, start, stop = drawn
    tree = Tree(leaves_of(chunk_count(size)))
    blob, leaves, nodes = blob_id(size, tree.root), list(tree.leaves[start:stop]), tree.proof(start, stop)
    change = data.draw(st.sampled_from(["leaf", "node", "size", "start", "fewer", "more", "id"]))
    if change == "leaf" or (change == "node" and not nodes):
        at = data.draw(st.integers(0, len(leaves) - 1))
        leaves[at] = flipped(leaves[at], data)
    elif change == "node":
        at = data.draw(st.integers(0, len(nodes) - 1))
        nodes[at] = flipped(nodes[at], data)
    elif change == "size":
        size = data.draw(st.integers(0, 2 * size).filter(lambda other: other != size))
    elif change == "start":
        start += data.draw(st.sampled_from([-1, 1]))
    elif change == "fewer":
        leaves.pop()
    elif change == "more":
        nodes.append(bytes(32))
    else:
        blob = flipped(blob, data)
    with pytest.raises(FormError):
        verify(blob, size, start, leaves, nodes)


def flipped(value: bytes, data: st.DataObject) -> bytes:
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


@given(SIZES, st.integers(0, 2**32), st.lists(st.integers(1, 2 * CHUNK_BYTES), max_size=8))
def test_pieces_make_no_difference(size: int, seed: int, lengths: list[int]) -> None:
    content = random.Random(seed).randbytes(size)
    hasher, at = Hasher(), 0
    for length in lengths:
        hasher.update(content[at : at + length])
        at += length
    hasher.update(memoryview(content)[at:])
    blob, tree = hasher.finish()
    assert list(tree.leaves) == chunk_hashes(content)
    assert blob == (blob_id(size, root(chunk_hashes(content))), size, root(chunk_hashes(content)))
    count = chunk_count(size)
    assert sum(range_bytes(size, index, index + 1) for index in range(count)) == size


def test_the_empty_file_has_no_chunk_and_a_root_of_zeros() -> None:
    blob, tree = Hasher().finish()
    assert (blob.size, blob.root, tree.root) == (0, EMPTY_ROOT, EMPTY_ROOT)
    with pytest.raises(FormError, match="chunks 0 to 1"):
        verify(blob.id, 0, 0, [bytes(32)], [])


@pytest.mark.parametrize("size", [-1, BLOB_BYTES_MAX + 1])
def test_sizes_no_file_has_are_refused(size: int) -> None:
    with pytest.raises(FormError):
        chunk_count(size)
