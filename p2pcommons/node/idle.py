"""What a node does for its own sake while nobody writes: columns kept beside the database, frequent words learnt.

Both only make the next search or start quicker: whatever stops them, nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Final

from p2pcommons.errors import StoreError
from p2pcommons.node.runtime import Runtime
from p2pcommons.store.keeping import Written

logger = logging.getLogger(__name__)

_LOOK_S: Final = 15  # nothing was written for so long: the node is idle
_BREATH_S: Final = 0.05  # between two words, for others' sake


async def keep_columns(runtime: Runtime) -> None:
    """For ever: when the columns are worth keeping and nothing was written lately, learn words and keep them."""
    before = -1
    while True:
        await asyncio.sleep(_LOOK_S)
        now = await runtime.run(runtime.store.last_change)
        idle = now == before and not runtime.disk.look().low
        if idle and await runtime.run(runtime.store.columns_due):
            try:
                await _keep(runtime)
            except StoreError as error:  # a full disk: they stay in memory
                logger.info("the columns could not be kept: %s", error.detail)
        before = now


async def _keep(runtime: Runtime) -> None:
    left = threading.Event()
    await runtime.run(runtime.store.compact_columns)
    keeper = await runtime.run(runtime.store.keeper)

    def goes_on() -> bool:
        while not left.wait(_BREATH_S) and runtime.engine.jobs:
            pass  # others first
        return not left.is_set()

    def write() -> Written | None:
        try:
            keeper.learn(goes_on)
            return None if left.is_set() else keeper.write()
        finally:
            keeper.close()

    try:
        written = await asyncio.to_thread(write)
    finally:
        left.set()  # where the node stops, the thread lets go at its next word
    if written is not None:
        await runtime.run(lambda: runtime.store.adopt_columns(written))
