"""Pack files: records carried by hand, in the same packs that travel between nodes (chapter 13).

A file is the 16 bytes of `MAGIC` followed by frames: a length of four bytes, big-endian, then that many bytes of
one canonical array `[commons, plane, [pack…]]`. Charter frames come first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from p2pcommons.core.encoding import decode, pack_ordered
from p2pcommons.core.limits import FRAME_BYTES_MAX, PACK_BYTES_AIM, PACK_FILE_COMMONS_MAX
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.node.folder import new_file
from p2pcommons.node.runtime import NodeReplica
from p2pcommons.node.values import PackInfo, UnpackInfo
from p2pcommons.sync.holding import SYNCED_PLANES
from p2pcommons.sync.storage import Key

MAGIC: Final = b"p2pcommons pack\x01"


def write_pack_file(
    replica: NodeReplica, commons: list[CommonsId], path: Path, progress: Callable[[int], None] = lambda records: None
) -> PackInfo:
    """Write all records of these commons; the file appears when it is whole."""
    partial = path.with_name(path.name + ".partial")
    records = 0
    with os.fdopen(new_file(partial), "wb") as file:  # of mode 0600: a commons' id may be all that protects it
        file.write(MAGIC)
        for one in commons:
            for plane in SYNCED_PLANES:
                after: Key | None = None
                while True:
                    packs, after, more = replica.page(one, plane, after, PACK_BYTES_AIM)
                    if not more:
                        break
                    frame = pack_ordered([one, int(plane), packs])
                    file.write(len(frame).to_bytes(4, "big") + frame)
                    records += sum(len(pack[5]) for pack in packs)
                    progress(records)
        size = file.tell()
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return PackInfo(records, size)


def read_pack_file(
    replica: NodeReplica, path: Path, now_ms: int, progress: Callable[[int], None] = lambda records: None
) -> UnpackInfo:
    """Take all records of a pack file, each hash and signature checked; what was kept before an error stays."""
    taking = _Taking(replica, now_ms, progress)
    try:
        with path.open("rb") as file:
            for commons, plane, packs in _frames(file):
                taking.frame(commons, plane, packs)
    except FormError:
        taking.end()
        raise
    return taking.end()


class _Taking:
    """One pack file on its way in."""

    def __init__(self, replica: NodeReplica, now_ms: int, progress: Callable[[int], None]) -> None:
        self._replica, self._now_ms, self._progress = replica, now_ms, progress
        self._records = self._new = 0
        self._refused: dict[str, int] = {}
        self._seen: dict[CommonsId, bool] = {}  # whether it was followed only for this file
        self._settled: set[CommonsId] = set()

    def frame(self, commons: CommonsId, plane: int, packs: list[Any]) -> None:
        """Take one frame. FormError."""
        if commons not in self._seen:
            self._follow(commons)
        if plane != Plane.CHARTER and commons not in self._settled:
            self._settled.add(commons)
            _count(self._refused, self._replica.settle(commons))
        try:
            receipt = self._replica.receive(commons, packs, self._now_ms)
        except RemoteProtocolError as error:
            raise FormError(error.code, f"This pack file is damaged: {error.detail}. Ask for it again.") from error
        self._records += sum(len(pack[5]) for pack in packs)
        self._new += receipt.new
        _count(self._refused, dict(receipt.refused))
        self._progress(self._records)

    def end(self) -> UnpackInfo:
        """The file is read, to its end or to its first fault. One that brings nothing of a commons makes nobody follow it."""
        for commons, only_here in self._seen.items():
            if commons not in self._settled:
                _count(self._refused, self._replica.settle(commons))
            if only_here and not self._replica.digest(commons).records:
                self._replica.unfollow(commons)
        return UnpackInfo(tuple(self._seen), self._records, self._new, self._refused)

    def _follow(self, commons: CommonsId) -> None:
        if len(self._seen) == PACK_FILE_COMMONS_MAX:
            raise FormError(
                "too_many_commons",
                f"This pack file names more than {PACK_FILE_COMMONS_MAX} commons. What came before was kept.",
            )
        self._seen[commons] = commons not in self._replica.followed()
        self._replica.follow(commons)


def _count(refused: dict[str, int], codes: dict[bytes, str]) -> None:
    for code in codes.values():
        refused[code] = refused.get(code, 0) + 1


def _frames(file: BinaryIO) -> Iterator[tuple[CommonsId, int, list[Any]]]:
    if file.read(len(MAGIC)) != MAGIC:
        raise FormError(
            "not_a_pack_file",
            "This is no pack file, or one of a newer version: name a file that `p2pcommons pack` wrote.",
        )
    while head := file.read(4):
        size = int.from_bytes(head, "big")
        frame = file.read(size) if size <= FRAME_BYTES_MAX else b""
        if len(head) < 4 or len(frame) < size:
            raise FormError("truncated", "This pack file ends in the middle: copy it again. What came before was kept.")
        try:
            value = decode(frame, bytes_max=FRAME_BYTES_MAX)
        except FormError as error:
            raise FormError(
                error.code, f"This pack file is damaged ({error.detail}): ask for it again. What came before was kept."
            ) from error
        if (
            type(value) is not list
            or len(value) != 3
            or type(value[0]) is not bytes
            or len(value[0]) != 32
            or type(value[1]) is not int
            or type(value[2]) is not list
        ):
            raise FormError("bad_pack", "This pack file is damaged: ask for it again. What came before was kept.")
        yield CommonsId(value[0]), value[1], value[2]
