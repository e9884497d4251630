"""A node that is stopped in the middle of everything (`SIGSTOP`: a lid that is closed, a frozen container) and goes on.

With the program's own limits a neighbour notices after a minute or two (a ping after 60 s of silence, half as long for
its answer). `QUICK` makes that a second; `P2PCOMMONS_REAL_LIMITS=1` runs the same with the limits as they are.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from p2pcommons.core.limits import CONNECT_MS_MAX, HEARTBEAT_MS
from p2pcommons.core.record import CommonsId
from tests.e2e.judging import quiet, started, until
from tests.e2e.processes import NodeProcess, answer, command, equal, faults, made_up

REAL: Final = bool(os.environ.get("P2PCOMMONS_REAL_LIMITS"))
QUICK: Final = {} if REAL else faults("limit:HEARTBEAT_MS=600", "limit:CONNECT_MS_MAX=500")
NOTICED_S_MAX: Final = (1.5 * HEARTBEAT_MS + CONNECT_MS_MAX) / 1000 + 60  # by the limits, and a dial behind a back-off
BOOK: Final = ("entry", "add", "--type", "book", "--title")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    pair = NodeProcess(tmp_path / "awake"), NodeProcess(tmp_path / "asleep")
    yield pair
    for node in pair:
        node.kill()  # ends a stopped process, too


def row(node: NodeProcess) -> dict[str, Any]:
    """What a node says of the one neighbour that it dials."""
    (found,) = [peer for peer in answer(node.data, "status")["peers"] if peer["address"]]
    return dict(found)


@pytest.mark.slow
async def test_a_node_that_slept_goes_on_loses_nothing_and_was_said_not_to_answer(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    awake, asleep = nodes
    asleep.start(variables=QUICK)
    commons = answer(asleep.data, "commons", "create", "Endormi", "--join", "open")["id"]
    awake.start("--follow", commons, "--peer", asleep.listen, variables=QUICK)
    await equal([awake, asleep], bytes.fromhex(commons))
    lines = b"".join(made_up(1_000)).decode().splitlines(keepends=True)
    words = ("--json", "import", "-", "--format", "jsonl", "--commons", commons)
    with started(asleep.data, *words, stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        importing.stdin.writelines(lines[:600])
        importing.stdin.flush()
        until(lambda: answer(asleep.data, "commons", "show")["entries"] > 0, "the first entries")
        asleep.process.send_signal(signal.SIGSTOP)
        try:
            why = until(
                lambda: (found := row(awake))["code"] == "timed-out" and found, "it does not answer", NOTICED_S_MAX
            )
            assert why["state"] != "connected" and "did not answer in time" in why["why"]
            (shown,) = answer(awake.data, "status")["commons"]
            assert shown["code"] == "no-neighbour"
            written = answer(awake.data, *BOOK, "Écrit pendant ce temps")["id"]
            importing.stdin.writelines(lines[600:])
            importing.stdin.flush()
            assert importing.poll() is None
        finally:
            asleep.process.send_signal(signal.SIGCONT)
        said, errors = importing.communicate(timeout=120)
    assert (importing.returncode, errors) == (0, ""), errors
    done = json.loads(said)
    assert (done["complete"], done["added"], done["refused"]) == (True, 1_000, 0)
    assert (await equal([awake, asleep], bytes.fromhex(commons))).entries == 1_001
    assert answer(asleep.data, "entry", "show", written)["title"] == "Écrit pendant ce temps"
    until(lambda: row(awake)["state"] == "connected", "they are together again")
    for node in nodes:
        assert answer(node.data, "status")["notices"] == [], "time went by, and no clock was set"
        assert answer(node.data, "verify")["faults"] == []
        assert node.stop() == 0
        quiet(node.log())
        assert "clock" not in node.log()


async def test_a_short_sleep_is_noticed_by_nobody(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    awake, asleep = nodes
    asleep.start()
    commons = answer(asleep.data, "commons", "create", "Assoupi", "--join", "open")["id"]
    awake.start("--follow", commons, "--peer", asleep.listen)
    await equal([awake, asleep], bytes.fromhex(commons))
    since = row(awake)["connected_at"]
    asleep.process.send_signal(signal.SIGSTOP)
    try:
        for number in range(5):
            answer(awake.data, *BOOK, f"Pendant le somme {number}")
    finally:
        asleep.process.send_signal(signal.SIGCONT)
    assert (await equal([awake, asleep], bytes.fromhex(commons))).entries == 5
    assert (row(awake)["state"], row(awake)["connected_at"]) == ("connected", since), "the same session"


async def test_a_stop_of_the_machine_while_a_node_sleeps_loses_nothing_answered(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    _, asleep = nodes
    asleep.start()
    commons = answer(asleep.data, "commons", "create", "Coupé")["id"]
    made = [answer(asleep.data, *BOOK, f"Avant {number}")["id"] for number in range(3)]
    asleep.process.send_signal(signal.SIGSTOP)
    asleep.kill()
    asleep.start()
    async with asleep.client() as client:
        assert (await client.digest(CommonsId(bytes.fromhex(commons)))).entries == len(made)
        assert (await client.verify()).faults == ()
    assert command(asleep.data, "entry", "show", made[-1]).returncode == 0
