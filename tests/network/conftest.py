"""What the tests of this folder share: a test bed of network namespaces, where the machine allows one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bed import Bed, require_namespaces


@pytest.fixture(scope="session")
def namespaces() -> None:
    require_namespaces()


@pytest.fixture
def bed(namespaces: None) -> Iterator[Bed]:
    with Bed() as made:
        yield made
