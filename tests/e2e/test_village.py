"""A small village: whatever is written anywhere is on every node in the end."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "village"


def _village() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("village", str(SCRIPT))
    spec = importlib.util.spec_from_loader("village", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["village"] = module  # dataclasses look there for their annotations
    loader.exec_module(module)
    return module


@pytest.mark.slow
async def test_nothing_is_lost_and_all_are_equal_where_six_nodes_write_at_once(tmp_path: Path) -> None:
    village = _village()
    asked = village.asked_for(["--nodes", "6", "--seconds", "10", "--links", "3", "--idle", "0"])
    print(f"seed {asked.seed}: set P2PCOMMONS_SEED to see it again")
    found = await village.live(tmp_path, asked)
    assert (found.written, found.failed, found.lost, found.equal) == (680, 0, 0, True)


def test_a_write_that_one_node_lacks_counts_as_lost() -> None:
    village = _village()
    figures = village.Figures(2, 1, 1.0, 3, 0, 1, False, 0.1, 0.2, 0.3, 0.01, 0.1, 0.0, 0.0, 1)
    assert "lost" in village.table(figures) and "no" in village.table(figures)
