"""A world of one seed from its beginning to rest, and what must hold at its end (`simulation.universe`).

Honest hosts come together within `REST_MINUTES_MAX` of the last fault, whatever hostile ones, up to a third of all, go
on saying: they hold together by links among themselves, and meet a hostile one again five minutes after it broke the
protocol.
"""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from p2pcommons.commons.charter import judge
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.clock import to_ms
from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.sync import flow
from p2pcommons.sync.replica import Replica
from simulation.council import can_act
from simulation.fate import Fate, drawn
from simulation.faults import end_all
from simulation.universe import BEGIN_MS, MINUTE_MS, Universe

REST_MINUTES_MAX = 15
_TRACE_LINES = 40
_LARGE = 100  # hosts: from here on every virtual minute costs as much as all deeds together


class Broken(AssertionError):
    """A law broke: `str` has the seed, what broke, and the end of the trace."""


class Lived(NamedTuple):
    """What came of one seed."""

    seed: int
    hosts: int
    hostile: int
    on_disk: bool
    virtual_s: float
    rest_s: float
    """How long after the last fault honest hosts held the same."""
    frames: int
    records: int
    checked: int
    agreed: int
    again: float
    """Records that came to honest hosts again, for each that was new."""
    heaviest: int
    """Bytes that the heaviest session held."""
    frames_worst: float
    """Frames that it took two ends to be the same again, as a part of what is allowed."""
    offenders: tuple[str, ...]
    """Why hostile hosts were named, once for each that named one."""
    sum: str
    """Hash of every word of the trace and of every frame."""
    met: dict[str, int]
    """What happened in its assemblies, as far as honest hosts saw it."""


def live(fate: Fate | int) -> Lived:
    """One world; `Broken` where a law broke, or anything was raised."""
    fate = drawn(fate) if isinstance(fate, int) else fate
    world = lived(fate)
    return Lived(
        fate.seed, fate.hosts, fate.hostile, fate.on_disk, (world.now_ms - BEGIN_MS) / 1000, world.rest_s, world.frames,
        len(world.written), world.laws.checked, world.laws.agreed, world.laws.again, world.laws.heaviest,
        world.laws.worst,
        tuple(sorted(code for host in world.honest for code in host.offenders.values())), world.sum,
        dict(sorted(world.sittings.met.items())),
    )  # fmt: skip


def lived(fate: Fate) -> Universe:
    """A world as it is at its end; `Broken` where a law broke, or anything was raised."""
    if not fate.on_disk:
        return _lived(fate, None)
    with TemporaryDirectory(prefix="universe-") as folder:
        return _lived(fate, Path(folder))


def _lived(fate: Fate, folder: Path | None) -> Universe:
    if fate.hosts >= _LARGE:
        gc.disable()  # it would walk over millions of living things again and again
    aim, flow.PACK_BYTES_AIM = flow.PACK_BYTES_AIM, fate.pack_bytes  # type: ignore[misc]
    world = Universe(fate.seed, fate.hosts, hostile=fate.hostile, folder=folder)
    try:
        fate.begins(world)
        world.rest_s = _rest(world)
        check(world)
    except Exception as error:
        last = "\n".join(world.trace[-_TRACE_LINES:])
        what = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        head = f"seed {fate.seed}, {fate.hosts} hosts, {fate.hostile} hostile, {len(fate.deeds)} deeds: {what}"
        raise Broken(f"{head}\n{last}") from error
    finally:
        gc.enable()
        flow.PACK_BYTES_AIM = aim  # type: ignore[misc]
        for host in world.hosts:
            host.store.close()
    return world


def _rest(world: Universe) -> float:
    """All faults end, and time passes until all honest hosts have everything; how long it took."""
    world.say("rest")
    end_all(world)
    times = [s.record.header.time for host in world.honest for s in host.store.sealed(sorted(world.kept(host)))]
    latest_ms = to_ms(max(times, default=0)) - AHEAD_MS_MAX
    world.run(max(latest_ms - world.now_ms, 0))  # what was written in the future comes when its time has come
    rest_s = _until_same(world)
    if len(world.hosts) < _LARGE:
        world.run(3 * MINUTE_MS)  # time for both ends of each link to say so
        world.laws.rested()
        _until_same(world)  # a hostile one may have kept something back until now
    return rest_s


def _until_same(world: Universe) -> float:
    """Let time pass until all honest hosts show the same, or too much has passed; virtual seconds."""
    began = world.now_ms
    for _ in range(REST_MINUTES_MAX * 4):
        world.run(MINUTE_MS / 4)
        if len({host.replica.digest(world.commons) for host in world.honest if host.replica}) == 1:
            break
    return (world.now_ms - began) / 1000


def check(world: Universe) -> None:
    """Every honest node is what a plain set says, and nothing acknowledged is gone."""
    held = {host.number: world.kept(host) for host in world.honest}
    everything = set().union(*held.values())
    charter = judge([record for host in world.honest for record in host.store.charter(world.commons)], world.commons)
    works = {one for one in everything if world.written[one][0] and world.written[one][1] in charter.admitted}
    model = set(charter.set_ids) | works
    first = world.honest[0]
    assert first.replica is not None
    digest = first.replica.digest(world.commons)
    for host in world.honest:
        assert host.replica is not None
        kept = held[host.number]
        assert kept == model, f"host {host.number} lacks {len(model - kept)} and has {len(kept - model)} too many"
        assert host.replica.digest(world.commons) == digest, f"host {host.number} shows something else"
        world.laws.check(host)
        again = Replica(host.store, CommonsMeaning(), bytes).digest(world.commons)
        assert again == digest, f"host {host.number} started anew shows something else"
    assert not digest.bodies_missing, "bodies are missing"
    assert first.replica.rebuild(world.commons) == digest, "what is made anew is something else"
    for one, number in world.acknowledged.items():
        author = world.written[one][1]
        if world.hosts[number].honest and author in charter.admitted:
            assert one in model, f"what host {number} was told is kept is gone"
    world.sittings.check()
    can_act(world)
    world.laws.finish()


def summed(lives: list[Lived]) -> Counter[str]:
    """Why hostile hosts were named in all these worlds, counted."""
    return Counter(code for lived in lives for code in lived.offenders)
