"""What must be kept of a seal's tree when some of its leaves are not here (chapter 13)."""

from __future__ import annotations

from collections.abc import Mapping

from p2pcommons.core.merkle import Span, subtree, uncovered


def remaining(size: int, leaves: Mapping[int, bytes], known: Mapping[Span, bytes]) -> dict[Span, bytes]:
    """Nodes for the leaves not among `leaves` (index: hash), so that any part of those can be proved.

    `known`: everything told or kept of the tree; FormError `bad_tree` if it does not cover what is missing.
    """
    if len(leaves) == size:
        return {}
    whole = {**known, **spans(leaves)}
    return {span: subtree(span, whole) for span in uncovered(size, sorted(leaves))}


def spans(leaves: Mapping[int, bytes]) -> dict[Span, bytes]:
    """Leaves as subtrees of one."""
    return {Span(index, index + 1): leaf for index, leaf in leaves.items()}
