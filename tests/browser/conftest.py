"""One furnished node and one Chromium for all browser tests of a worker process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.browser.looking import CHROMIUM, Browsing, World

MISSING = "" if Path(CHROMIUM).exists() else f"{CHROMIUM} is not here: apt-get install chromium fonts-dejavu-core"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A node with something of everything in it."""
    if MISSING:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    place = tmp_path_factory.mktemp("browser")
    made = World(place)
    try:
        # In a thread of its own: this one belongs to the browser's loop as soon as there is one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, made.furnish()).result()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def browsing(world: World) -> Iterator[Browsing]:
    """Chromium, with nothing of its own that speaks to a network.

    Of a module and no longer: as long as it is there, its driver's loop runs in this thread, and asynchronous tests of
    other modules could not.
    """
    with Browsing() as made:
        yield made
