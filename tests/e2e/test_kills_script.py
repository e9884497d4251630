"""`scripts/kills` does what it says, and goes on where it stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import WAIT_S

KILLS = [sys.executable, str(Path(__file__).parents[2] / "scripts" / "kills"), "--seed", "3"]


@pytest.mark.slow
def test_a_run_of_kills_goes_on_where_it_stopped_and_prints_one_table(tmp_path: Path) -> None:
    for kills in ("2", "4"):
        words = [*KILLS, "--kills", kills, "--state", str(tmp_path / "state")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=2 * WAIT_S)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert f"all           {kills:>2}" in done.stdout and "lost: 0, faults: 0" in done.stdout, done.stdout
    other = subprocess.run([*KILLS[:-1], "4", "--state", str(tmp_path / "state")], capture_output=True, text=True)
    assert other.returncode == 1 and "seed 3" in other.stderr
