"""Columns kept in a file beside the database, and mapped at the next start instead of read.

A million entries start in 0.1 s more than none, and take memory only as far as they are looked at. The file is
derived: the database says which one is true (a mark that both hold), and without it the columns are made by a scan.
It holds only what is shown, in the byte order of this machine, and is readable by its owner alone.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from p2pcommons.core.encoding import pack_ordered, unpack_ordered
from p2pcommons.store.columns import Columns
from p2pcommons.store.frequent import Known, Name

_MAGIC: Final = b"p2pcommons columns 1 " + sys.byteorder.encode().ljust(11)
_ALIGNED: Final = 4096
_ROOM: Final = 16  # behind each column there is room for a sixteenth more, as a hole in the file
_ROOM_LEAST: Final = 1 << 14

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """Columns as a file holds them. A column is an array with its room, and its length."""

    mark: bytes
    version: int
    next: int  # entries from this number on are not in it
    first: int
    learnt: int
    columns: Mapping[str, tuple[Array, int]]
    listed: int  # rows whose facets are in `lists`
    lists: Mapping[str, Array]
    starts: NDArray[np.int64]
    facet_numbers: NDArray[np.uint32]
    words: Mapping[Name, Known]


def keep(path: str, mark: bytes, columns: Columns, after: int, words: Mapping[Name, Known], learnt: int) -> None:
    """Write columns of which no row ended, durably; OSError where it cannot. `after`: the next entry number; `learnt`:
    how many rows there were when words were learnt."""
    rows = len(columns)
    room = rows // _ROOM + _ROOM_LEAST
    grown = {**columns.arrays(), "rows_by_number": columns.rows_by_number}
    fixed = {**columns.facets.arrays(), "starts": columns.starts, "facet_numbers": columns.facet_numbers}
    fixed["words"] = np.zeros((len(words), -(-rows // 64)), np.uint64)
    for line, each in zip(fixed["words"], words.values(), strict=True):
        line[: len(each.bits)] = each.bits
    table: list[list[Any]] = []
    at = 0
    for name, array in (*grown.items(), *fixed.items()):
        more = room if name in grown else 0
        table.append([name, array.dtype.str, list(array.shape), more, at])
        at += -(-(array.nbytes + more * array.itemsize) // _ALIGNED) * _ALIGNED
    known = [[*name, each.rows] for name, each in words.items()]
    head = pack_ordered([mark, columns.version, after, columns.first, columns.facets.rows, learnt, table, known, at])
    begin = -(-(len(_MAGIC) + 8 + len(head)) // _ALIGNED) * _ALIGNED
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(_MAGIC + len(head).to_bytes(8, "big") + head)
        for (_, _, _, _, place), array in zip(table, (*grown.values(), *fixed.values()), strict=True):
            file.seek(begin + place)
            file.write(np.ascontiguousarray(array).data)
        file.truncate(begin + at)
        file.flush()
        os.fsync(handle)


def kept(path: str, mark: bytes) -> Kept | None:
    """What such a file holds, mapped; None where there is none, or not with this mark. What is written into the
    arrays stays in memory."""
    try:
        with open(path, "rb") as file:
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):  # ValueError: an empty file
        return None
    size = int.from_bytes(whole[len(_MAGIC) : len(_MAGIC) + 8], "big")
    if whole[: len(_MAGIC)] != _MAGIC or size > len(whole):
        return None
    begin = len(_MAGIC) + 8
    try:
        found, version, after, first, listed, learnt, table, known, length = unpack_ordered(whole[begin : begin + size])
    except (ValueError, TypeError):
        return None
    begin = -(-(begin + size) // _ALIGNED) * _ALIGNED
    if found != mark or len(whole) != begin + length:
        return None
    columns: dict[str, tuple[Array, int]] = {}
    fixed: dict[str, Array] = {}
    for name, dtype, shape, more, place in table:
        array = np.frombuffer(whole, dtype, int(np.prod(shape)) + more, begin + place)
        if more:
            columns[name] = (array, shape[0])
        else:
            fixed[name] = array.reshape(shape)
    bits = fixed.pop("words")
    words = {(commons, text): Known(version, 0, rows, bits[at]) for at, (commons, text, rows) in enumerate(known)}
    starts, numbers = fixed.pop("starts"), fixed.pop("facet_numbers")
    return Kept(mark, version, after, first, learnt, columns, listed, fixed, starts, numbers, words)
