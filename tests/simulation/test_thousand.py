"""One world of a thousand nodes; beside `test_universe`, which is for planted bugs as well and must be quick."""

from __future__ import annotations

import pytest

from simulation.fate import large
from simulation.life import live


@pytest.mark.slow
def test_a_thousand_nodes_in_one_world_come_together() -> None:
    assert live(large(1, 1000)).hosts == 1000
