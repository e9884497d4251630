"""What finding a difference costs, as scripts/reconciling counts it: the promises of the README, over fixed seeds."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from random import Random
from statistics import median
from types import ModuleType

import pytest

from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.session import FEATURES
from p2pcommons.sync.sketch import Sketch

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "reconciling"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = SourceFileLoader("reconciling", str(SCRIPT))
    spec = spec_from_loader("reconciling", loader)
    assert spec is not None
    module = module_from_spec(spec)
    path = sys.path[:]
    loader.exec_module(module)
    sys.path[:] = path
    return module


@pytest.mark.parametrize(
    ("differences", "bytes_max", "tries"), [(0, 120, 1), (1, 1_000, 9), (100, 6_000, 9), (1000, 50_000, 3)]
)
@pytest.mark.parametrize("size", [0, 1_000])
def test_what_differs_is_found_for_its_own_price_whatever_the_size_of_the_sets(
    script: ModuleType, size: int, differences: int, bytes_max: int, tries: int
) -> None:
    random = Random(differences)
    base = Sketch([random.randbytes(32) for _ in range(size)]), RangeIndex()
    costs = [
        script.meet(*script.sets(size or 1_000_000, differences, random, base), FEATURES) for _ in range(tries)
    ]  # the count alone is told of the million: what is in both is in no symbol of the difference
    assert median(cost.bytes for cost in costs) <= bytes_max
    assert median(cost.trips for cost in costs) <= 2 and max(cost.trips for cost in costs) <= 4
    assert all(cost.wanted == differences - differences // 2 for cost in costs)
