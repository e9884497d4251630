"""Sameness: the digest of a set, the fingerprint of a commons, and the state check (chapter 30).

The digest is LtHash16-1024 over SHAKE-128: 1,024 lanes of 16 bits, added lane by lane. A set can so be changed
record by record, in any order, and whoever holds the same records has the same digest. It alone judges "same".
Knows no store and no records: ids come in, a `SetState` goes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256, shake_128
from typing import Final

import numpy as np
from numpy.typing import NDArray

from p2pcommons.core.identity import TAG_BOTH, TAG_SET
from p2pcommons.errors import LocalProtocolError
from p2pcommons.sync.storage import SetState

LANES: Final = 1024
LANES_BYTES: Final = LANES * 2
EMPTY: Final = SetState(0, bytes(LANES_BYTES))
"""The sum of no record."""

# 64 expansions are 128 KiB: they stay in the processor's second-level cache while numpy adds them up.
_BATCH: Final = 64
_SUM_MODULUS: Final = 2**256

_Lanes = NDArray[np.uint16]


def add(state: SetState, ids: Iterable[bytes]) -> SetState:
    """The set with these records added. The caller knows that none of them was in it."""
    count, lanes = _expand(ids)
    if not count:
        return state
    return SetState(state.count + count, _bytes_of(_lanes_of(state) + lanes))


def remove(state: SetState, ids: Iterable[bytes]) -> SetState:
    """The set without these records. The caller knows that all of them were in it."""
    count, lanes = _expand(ids)
    if not count:
        return state
    if count > state.count:
        raise LocalProtocolError("bad_count", "more records were taken from a set than it holds")
    return SetState(state.count - count, _bytes_of(_lanes_of(state) - lanes))


def published(state: SetState) -> bytes:
    """The digest told to others, 32 bytes: SHA-256(u64be(count) ‖ lanes little-endian)."""
    return sha256(state.count.to_bytes(8, "big") + state.lanes).digest()


def fingerprint(charter: bytes, catalogue: bytes) -> bytes:
    """One digest for a commons, 32 bytes, from the published digests of its planes 0 and 1."""
    return sha256(TAG_BOTH + charter + catalogue).digest()


def add_views(total: int, *, added: Iterable[bytes] = (), removed: Iterable[bytes] = ()) -> int:
    """The sum modulo 2^256 of view digests (32 bytes each, big-endian) after a change."""
    for digest in added:
        total += int.from_bytes(digest, "big")
    for digest in removed:
        total -= int.from_bytes(digest, "big")
    return total % _SUM_MODULUS


def state(vocabulary_version: int, charter_hash: bytes, views_sum: int) -> bytes:
    """The state check, 32 bytes: SHA-256(u32be(vocabulary version) ‖ charter view's hash ‖ Σ views, u256be).

    Equal between nodes of one vocabulary version that hold the same records. A check, not a judge.
    """
    return sha256(vocabulary_version.to_bytes(4, "big") + charter_hash + views_sum.to_bytes(32, "big")).digest()


def _expand(ids: Iterable[bytes]) -> tuple[int, _Lanes]:
    total: _Lanes = np.zeros(LANES, np.uint16)
    count = 0
    expanded: list[bytes] = []
    for identifier in ids:
        expanded.append(shake_128(TAG_SET + identifier).digest(LANES_BYTES))
        if len(expanded) == _BATCH:
            total += _sum(expanded)
            count += _BATCH
            expanded.clear()
    if expanded:
        total += _sum(expanded)
        count += len(expanded)
    return count, total


def _sum(expanded: list[bytes]) -> _Lanes:
    rows = np.frombuffer(b"".join(expanded), "<u2").reshape(-1, LANES)
    summed: _Lanes = np.add.reduce(rows, axis=0, dtype=np.uint16)  # wraps: lanes are modulo 2^16
    return summed


def _lanes_of(state: SetState) -> _Lanes:
    lanes = np.frombuffer(state.lanes, "<u2").astype(np.uint16)
    if len(lanes) != LANES:
        raise LocalProtocolError("bad_state", f"a set's state is {LANES_BYTES} bytes")
    return lanes


def _bytes_of(lanes: _Lanes) -> bytes:
    return lanes.astype("<u2").tobytes()
