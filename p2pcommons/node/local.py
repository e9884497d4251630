"""A folder opened by one command, with no node running: the same verbs, no neighbour, no port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from p2pcommons.core.words import entropy
from p2pcommons.node.archive import read_backup
from p2pcommons.node.commons import Commons
from p2pcommons.node.devices import adopt_device
from p2pcommons.node.folder import DataFolder
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import IdentityInfo


@asynccontextmanager
async def local_client(data: Path) -> AsyncIterator[Commons]:
    """The verbs of a folder, under its lock. StoreError `folder_locked` where another process holds it."""
    async with Runtime(DataFolder(data)) as runtime, Neighbours(runtime, dials=False) as neighbours:
        commons = Commons(runtime, neighbours)  # addresses are kept for when a node runs; nobody is dialled
        await commons.open()
        yield commons


async def restore(path: Path, data: Path) -> None:
    """Bring a backup into a folder that holds no node yet."""
    folder = DataFolder(data)
    folder.lock()
    try:
        read_backup(path, folder)
    finally:
        folder.release()


async def adopt(data: Path, line: str) -> IdentityInfo:
    """Start in an empty folder as a further device: its commons are followed, its addresses kept."""
    read = adopt_device(data, line)
    async with local_client(data) as commons:
        for one in read.commons:
            await commons.follow(one, [str(address) for address in read.addresses])
        return await commons.identity()


async def restore_identity(data: Path, words: str) -> IdentityInfo:
    """Start an identity from its recovery words, in an empty folder."""
    found = entropy(words)
    folder = DataFolder(data)
    folder.lock()
    try:
        folder.adopt(found)
        keys = folder.keys()
        return IdentityInfo(keys.person.public, keys.node.public, str(data), True)
    finally:
        folder.release()
