"""Every store that the tests of this folder run over; memory is the control."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from p2pcommons.store import MemoryStore, SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | SqliteStore]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "commons.sqlite")
    yield made
    made.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "commons.sqlite")
    yield made
    made.close()
