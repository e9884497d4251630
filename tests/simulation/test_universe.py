"""Whole worlds of real replicas, sessions and folds, each from one seed; `scripts/soak` lives through more of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulation.fate import ON_DISK, Fate, drawn
from simulation.life import Broken, check, live
from simulation.people import join, write
from simulation.seeds import FILE, Kept, kept, shrunk
from simulation.universe import MINUTE_MS, Universe
from simulation.weight import weight

ROOT = Path(__file__).parents[2]
LINES = list(kept(FILE.read_text(encoding="utf-8")))
SMALL = [seed for seed in range(20_000, 20_080) if drawn(seed).hosts <= 16][:40]


@pytest.mark.parametrize("seed", SMALL)
def test_honest_hosts_come_together_and_show_what_plain_sets_say(seed: int) -> None:
    live(seed)


@pytest.mark.parametrize("line", LINES, ids=str)
def test_what_once_failed_holds(line: Kept) -> None:
    live(line.fate)


def test_a_seed_decides_every_word_and_every_byte() -> None:
    code = "from simulation.life import live; print([live(seed).sum for seed in (20_002, 20_014)])"
    said = set()
    for hashes in ("0", "1"):
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": path}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1


# -- the net itself


def _quiet(seed: int = 1) -> Universe:
    """Five hosts who have joined and written, at rest."""
    world = Universe(seed, 5)
    world.run(MINUTE_MS)
    for host in world.hosts:
        join(world, host, world.random)
    world.run(MINUTE_MS)
    for host in world.hosts:
        write(world, host, world.random)
    world.run(5 * MINUTE_MS)
    return world


def _lose(world: Universe) -> None:
    host = world.hosts[2]
    with host.store.transaction():
        host.store.drop_records(world.commons, [next(one for one in host.told if world.written[one][0])])


def _forget_a_sum(world: Universe) -> None:
    host = world.hosts[2]
    state = host.store.state(world.commons)
    with host.store.transaction():
        host.store.put_state(world.commons, state.__class__(state.charter, state.catalogue, 7, state.entries, 0))
    world.stop(host, "to read its disk")
    world.start(host)


def _hide_a_row(world: Universe) -> None:
    host = world.hosts[2]
    with host.store.transaction():
        host.store.forget_entries(world.commons)


def _keep_a_stranger(world: Universe) -> None:
    world.written.pop(next(one for one, (plane, _, _) in world.written.items() if plane))


@pytest.mark.parametrize("harm", [_lose, _forget_a_sum, _hide_a_row, _keep_a_stranger])
def test_the_laws_see_what_is_wrong(harm: Callable[[Universe], None]) -> None:
    world = _quiet()
    check(world)
    harm(world)
    with pytest.raises(AssertionError):
        world.laws.check(world.hosts[2])


def test_a_session_that_says_the_same_too_early_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _quiet()
    assert world.laws.agreed
    wire = world.wires.all[0]
    digests = world.laws._digests
    monkeypatch.setattr(world.laws, "_digests", lambda host: (*digests(host), (host.number, b"")))
    monkeypatch.setattr(world.laws, "_digests_of", lambda opening: ())
    ends = [world.hosts[wire.a], world.hosts[wire.b]]
    monkeypatch.setattr(world.laws, "_opened", {(wire, end.number): end.number for end in ends})
    monkeypatch.setattr(world.laws, "_digests_of", lambda number: world.laws._digests(world.hosts[number]))
    world.laws._note_same(wire, *ends)
    with pytest.raises(AssertionError, match="and have not"):
        world.laws._note_same(wire, *ends[::-1])


# -- fates and lines


def test_leaving_a_deed_out_changes_no_other() -> None:
    fate = drawn(7)
    assert fate.only(range(len(fate.deeds))) == fate
    assert fate.only([0, 3]).deeds == (fate.deeds[0], fate.deeds[3])
    assert drawn(7) == fate and drawn(ON_DISK - 1).on_disk and not drawn(ON_DISK).on_disk


def test_a_failing_seed_becomes_small() -> None:
    def fails(fate: Fate) -> bool:
        return len({deed.what for deed in fate.deeds} & {"write", "edit"}) == 2

    small = shrunk(11, fails)
    assert small.fate.hosts <= 5 and len(small.fate.deeds) == 2 and fails(small.fate)
    assert next(kept(str(small))) == small


@pytest.mark.parametrize("line", ["17", "17 hosts 5 hostile 1 deeds 0,3-5,9  # lost", "4 assembly 9", "3 deeds none"])
def test_a_line_of_a_seed_is_read_as_it_is_written(line: str) -> None:
    (read,) = kept(line)
    assert str(read) == line
    read.fate  # noqa: B018


def test_what_breaks_is_told_with_its_seed_and_the_end_of_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(world: Universe) -> None:
        raise AssertionError("a law")

    monkeypatch.setattr("simulation.life.check", broken)
    with pytest.raises(Broken, match=r"(?s)seed 4, .*: a law\n.*rest"):
        live(drawn(4, hosts=5, hostile=0, deeds=5))


def test_the_weight_of_a_thing_is_that_of_what_it_holds() -> None:
    assert weight([bytes(1000)] * 3) > weight([bytes(1000)]) > 1000
    assert weight({b"a" * 100: {1, 2}}) < 1000
