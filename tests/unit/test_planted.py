"""The bugs that `scripts/mutants` plants fit the code as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted import PLANTED, Planted

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.law)
def test_a_planted_bug_has_one_place_and_changes_it(planted: Planted) -> None:
    assert (ROOT / planted.path).read_text(encoding="utf-8").count(planted.was) == 1
    assert planted.bug != planted.was
    assert all((ROOT / test.partition("::")[0]).exists() for test in planted.tests)


def test_each_law_is_named_once_and_there_are_forty() -> None:
    laws = [planted.law for planted in PLANTED]
    assert len(set(laws)) == len(laws) >= 40
