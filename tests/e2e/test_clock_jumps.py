"""The clock of a node's process is set while it runs, by libfaketime: what it writes and says, and what is lost (nothing).

libfaketime answers for the system when a process asks for the time; it leaves alone the clocks that nobody sets
(`FAKETIME_DONT_FAKE_MONOTONIC`), as a real clock that is set does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from tests.e2e.judging import quiet, refused, until
from tests.e2e.processes import NodeProcess, answer, command, equal

FOUND: Final = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
BOOK: Final = ("entry", "add", "--type", "book", "--title")

pytestmark = pytest.mark.skipif(not FOUND, reason="libfaketime is not on this machine: apt-get install faketime")


class Clock:
    """The clock of one machine, and the hand that sets it."""

    def __init__(self, file: Path, ahead_s: int = 0) -> None:
        self._file = file
        self.set(ahead_s)

    def set(self, ahead_s: int) -> None:
        """So far ahead of the right time (behind: negative), at once."""
        partial = self._file.with_suffix(".partial")
        partial.write_text(f"{ahead_s:+d}\n")
        partial.replace(self._file)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process that goes by it."""
        return {
            "LD_PRELOAD": str(FOUND[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    pair = NodeProcess(tmp_path / "one"), NodeProcess(tmp_path / "two")
    yield pair
    for node in pair:
        node.kill()


def notices(node: NodeProcess) -> list[str]:
    return [notice["code"] for notice in answer(node.data, "status")["notices"]]


def copies(node: NodeProcess) -> list[tuple[str, str]]:
    return [(each["state"], each["code"]) for peer in answer(node.data, "status")["peers"] for each in peer["commons"]]


def says(node: NodeProcess, event: str, count: int) -> None:
    until(lambda: node.log().count(event) == count, f"{count} times {event}: {node.log()}")


@pytest.mark.slow
async def test_a_clock_set_ahead_and_back_in_a_session_loses_nothing(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    clock = Clock(tmp_path / "clock")
    one.start(variables=clock.variables)
    commons = answer(one.data, "commons", "create", "Horloge", "--join", "open")["id"]
    answer(one.data, *BOOK, "À l’heure")
    two.start("--follow", commons, "--peer", one.listen)
    await equal([one, two], bytes.fromhex(commons))

    clock.set(2 * HOUR_S)
    says(one, "was set ahead", 1)
    made = answer(one.data, *BOOK, "Du futur")["id"]
    until(lambda: copies(one) == [("same", "later")], "the neighbour says that it is too early")
    assert answer(two.data, "commons", "show", commons)["entries"] == 1
    answer(two.data, *BOOK, "D’ailleurs")
    until(lambda: answer(one.data, "commons", "show", commons)["entries"] == 3, "what others write comes")

    clock.set(0)
    says(one, "was set back", 1)
    assert notices(one) == ["clock-wrong"]
    refused(command(one.data, *BOOK, "Pas encore", check=False), "clock", "trust-clock")
    assert command(one.data, "doctor", check=False).returncode == 1
    command(one.data, "trust-clock")
    answer(one.data, *BOOK, "De nouveau à l’heure")
    until(lambda: answer(two.data, "commons", "show", commons)["entries"] == 3, "what is written now comes now")
    assert notices(one) == []
    assert answer(one.data, "entry", "show", made)["title"] == "Du futur", "it is there, and waits"

    one.kill()
    one.start(variables=clock.variables)
    assert answer(one.data, "entry", "show", made)["title"] == "Du futur"
    assert notices(one) == [], "what a person answered for stays answered"
    for node in nodes:
        assert answer(node.data, "verify")["faults"] == []
        assert node.stop() == 0
        quiet(node.log())


async def test_what_waits_for_its_time_comes_when_it_has_come(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    here, there = Clock(tmp_path / "here", 2 * HOUR_S), Clock(tmp_path / "there")
    one.start(variables=here.variables)
    commons = answer(one.data, "commons", "create", "Demain", "--join", "open")["id"]
    answer(one.data, *BOOK, "Trop tôt")
    two.start("--follow", commons, "--peer", one.listen, variables=there.variables)
    until(lambda: answer(two.data, "status")["peers"][0]["code"] == "clock-off", "its clock is said to be off")
    assert answer(two.data, "status")["commons"][0]["entries"] == 0
    there.set(2 * HOUR_S)  # two hours go by
    assert (await equal([one, two], bytes.fromhex(commons))).entries == 1


async def test_a_machine_that_wakes_up_in_another_year_reads_and_signs_nothing(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, _ = nodes
    clock = Clock(tmp_path / "clock")
    one.start(variables=clock.variables)
    commons = answer(one.data, "commons", "create", "Sans pile")["id"]
    made = answer(one.data, *BOOK, "Avant la panne")["id"]
    one.kill()  # the power is cut
    clock.set(-20 * 365 * DAY_S)
    one.start(variables=clock.variables)
    assert notices(one) == ["clock-wrong"]
    assert answer(one.data, "entry", "show", made)["title"] == "Avant la panne"
    refused(command(one.data, *BOOK, "En 2006", check=False), "clock")
    clock.set(0)  # the network told the time
    says(one, "was set ahead", 1)
    assert notices(one) == []
    answer(one.data, *BOOK, "Après la panne")
    assert answer(one.data, "commons", "show", commons)["entries"] == 2
    assert answer(one.data, "verify")["faults"] == []


@pytest.mark.slow
async def test_a_folder_restored_from_last_week_beside_living_neighbours_gets_everything_back(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    here, there = Clock(tmp_path / "here", -8 * DAY_S), Clock(tmp_path / "there", -8 * DAY_S)
    one.start(variables=here.variables)
    commons = answer(one.data, "commons", "create", "Semaine", "--join", "open")["id"]
    answer(one.data, *BOOK, "Il y a huit jours")
    two.start("--follow", commons, "--peer", one.listen, variables=there.variables)
    await equal([one, two], bytes.fromhex(commons))
    backup = tmp_path / "backup"
    command(one.data, "backup", str(backup))
    written = []
    for days in (7, 3, 0):
        here.set(-days * DAY_S)
        there.set(-days * DAY_S)
        written.append(answer(one.data, *BOOK, f"Il y a {days} jours")["id"])
        answer(two.data, *BOOK, f"De l’autre, il y a {days} jours")
        await equal([one, two], bytes.fromhex(commons))
    digest = await equal([one, two], bytes.fromhex(commons))
    one.kill()  # its disk is gone

    again = NodeProcess(tmp_path / "again")
    try:
        command(again.data, "restore", str(backup))
        again.start("--peer", two.listen)
        assert await equal([again, two], bytes.fromhex(commons)) == digest
        assert digest.entries == 7
        for entry in written:
            assert command(again.data, "entry", "show", entry).returncode == 0
        answer(again.data, *BOOK, "Revenu")
        assert (await equal([again, two], bytes.fromhex(commons))).entries == 8
        assert notices(again) == [] and notices(two) == []
        async with again.client() as client:
            assert (await client.search(Query(commons=(CommonsId(bytes.fromhex(commons)),)))).total == 8
        assert answer(again.data, "verify")["faults"] == []
    finally:
        again.kill()


def test_the_clock_is_set_for_the_process_and_the_steady_one_is_not(tmp_path: Path) -> None:
    """libfaketime does what these tests take for granted."""
    import os
    import subprocess
    import sys

    clock = Clock(tmp_path / "clock", -DAY_S)
    ask = "import time; print(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))"

    def asked(variables: dict[str, str]) -> Any:
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, env={**os.environ, **variables})
        return [float(each) for each in done.stdout.split()]

    right, wrong = asked({}), asked(clock.variables)
    assert right[0] - wrong[0] == pytest.approx(DAY_S, abs=600)
    assert wrong[1:] == pytest.approx(right[1:], abs=600)
