"""The disk under a data folder: how much of it is free, and whether that is too little to take more.

Below the floor a node takes no records from peers and no imports; what its people write by hand it keeps as long as
there is room at all. It takes again when there is a tenth more than the floor, so that it does not change its mind
with every file. Knows no peer and no record.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from p2pcommons.errors import StoreError
from p2pcommons.node.values import DiskInfo

LOOK_S: Final = 2.0  # between two looks: what a fast disk takes meanwhile is far less than the floor
FLOOR_SHARE: Final = 0.05  # of the disk: below, file systems slow down and other programs begin to fail
FLOOR_BYTES: Final = 1024**3  # a first sync of a large commons, its log and a checkpoint; on small disks:
FLOOR_SHARE_SMALL: Final = 0.10  # at most so much of the disk is kept free for our own caution
_BACK: Final = 1.1  # the floor times this, and there is room again


class Disk:
    """Looks when asked. `keep_free`: bytes that are to stay free; None: by the size of the disk."""

    def __init__(self, folder: Path, keep_free: int | None = None) -> None:
        self._folder = folder
        self._keep_free = keep_free
        self._is_low = False

    def look(self) -> DiskInfo:
        """How it stands now."""
        usage = shutil.disk_usage(self._folder)
        floor = floor_of(usage.total) if self._keep_free is None else self._keep_free
        self._is_low = usage.free < (floor * _BACK if self._is_low else floor)
        return DiskInfo(usage.total, usage.free, floor, self._is_low)

    def check_room(self, what: str) -> None:
        """StoreError `disk_low` where there is too little room for `what` ("an import")."""
        found = self.look()
        if found.low:
            raise StoreError("disk_low", f"There is too little room for {what}: {told(found)}. {ADVICE}.")


ADVICE: Final = "Make room on the disk; this node goes on by itself"


def told(disk: DiskInfo) -> str:
    """A disk in words for people."""
    return f"{_size(disk.free)} of {_size(disk.total)} are free, {_size(disk.floor)} are to stay free"


def floor_of(total: int) -> int:
    """How much of a disk of this size stays free: 5 %, and 1 GiB, or a tenth where that is less."""
    return int(max(total * FLOOR_SHARE, min(FLOOR_BYTES, total * FLOOR_SHARE_SMALL)))


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
