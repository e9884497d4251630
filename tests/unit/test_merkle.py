from __future__ import annotations

from hashlib import sha256

import pytest

from p2pcommons.core.limits import TREE_LEAVES_MAX
from p2pcommons.core.merkle import (
    Span,
    cover,
    leaf_hash,
    leaves_known,
    node_hash,
    nodes_for,
    root,
    root_from,
    split,
    uncovered,
)
from p2pcommons.errors import FormError

LEAVES = [sha256(bytes([n])).digest() for n in range(40)]


def by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_the_book(leaves[:k]) + by_the_book(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(1, 41))
def test_the_root_is_that_of_rfc_9162(size: int) -> None:
    assert root(LEAVES[:size]) == by_the_book(LEAVES[:size])


def test_known_roots_of_certificate_transparency() -> None:
    data = [bytes.fromhex(d) for d in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
    last = bytes.fromhex("606162636465666768696a6b6c6d6e6f")
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root([leaf_hash(d) for d in [*data, last]]).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


def test_leaves_and_nodes_are_told_apart() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


def test_a_tree_splits_at_the_largest_power_of_two_below() -> None:
    assert split(Span(0, 2)) == (Span(0, 1), Span(1, 2))
    assert split(Span(0, 7)) == (Span(0, 4), Span(4, 7))
    assert split(Span(4, 7)) == (Span(4, 6), Span(6, 7))
    assert split(Span(0, 4096)) == (Span(0, 2048), Span(2048, 4096))


def test_nothing_listed_leaves_the_whole_tree() -> None:
    assert uncovered(7, []) == [Span(0, 7)]
    assert uncovered(7, range(7)) == []
    assert uncovered(7, [0, 6]) == [Span(1, 2), Span(2, 4), Span(4, 6)]


def test_an_empty_tree_has_no_root() -> None:
    with pytest.raises(FormError, match="bad_tree"):
        root([])


def test_a_gap_is_refused() -> None:
    with pytest.raises(FormError, match="bad_tree"):
        root_from(3, {Span(0, 2): LEAVES[0]})


@pytest.mark.parametrize("extra", [-1, 1])
def test_more_or_fewer_nodes_than_needed_are_refused(extra: int) -> None:
    nodes = nodes_for(13, [3], dict(leaves_known(range(13), LEAVES[:13])))
    changed = nodes[:-1] if extra < 0 else [*nodes, LEAVES[0]]
    with pytest.raises(FormError, match="bad_nodes"):
        cover(13, [3], [LEAVES[3]], changed)


def test_leaves_beyond_a_seal_have_spans_too() -> None:
    far = TREE_LEAVES_MAX
    assert leaves_known([0, far], LEAVES[:2]) == {Span(0, 1): LEAVES[0], Span(far, far + 1): LEAVES[1]}
