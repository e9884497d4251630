"""What goes wrong in a universe: links, power, disks, clocks, copies."""

from __future__ import annotations

from random import Random

from simulation.host import Host
from simulation.universe import HOUR_MS, MINUTE_MS, Universe
from simulation.wire import Wire

SKEW_MS_MAX = 4 * MINUTE_MS  # of an ordinary clock


def cut(world: Universe, host: Host, random: Random) -> None:
    """Two no longer reach each other for a while."""
    wire = random.choice(world.wires.all)
    world.say(f"{wire} are cut off from each other")
    _cut(world, wire, random.uniform(1_000, 3 * MINUTE_MS))


def flap(world: Universe, host: Host, random: Random) -> None:
    """A link breaks again and again."""
    wire = random.choice(world.wires.all)
    world.say(f"the link of {wire} is bad")
    for _ in range(random.randint(3, 12)):
        world.at(random.uniform(0, MINUTE_MS), _cut, world, wire, random.uniform(10, 500))


def part(world: Universe, host: Host, random: Random) -> None:
    """The world in two."""
    side = {one.number for one in world.hosts if random.random() < 0.5}
    world.say(f"a partition: {sorted(side)}")
    for wire in world.wires.all:
        if (wire.a in side) != (wire.b in side):
            _cut(world, wire, random.uniform(10_000, 3 * MINUTE_MS))


def _cut(world: Universe, wire: Wire, for_ms: float) -> None:
    wire.cut = True
    world.wires.hang_up(wire)
    world.at(for_ms, _heal, wire)


def _heal(wire: Wire) -> None:
    wire.cut = False


def hang(world: Universe, host: Host, random: Random) -> None:
    """What one says to another no longer arrives, and nobody is told."""
    wire = random.choice(world.wires.all)
    if wire.sessions:
        wire.hangs = random.choice((wire.a, wire.b))
        world.say(f"what {wire.hangs} says to {wire.other(wire.hangs)} no longer arrives")


def connect(world: Universe, host: Host, random: Random) -> None:
    """Two meet that did not know each other."""
    other = random.choice(world.hosts)
    known = {wire.other(host.number) for wire in world.wires.of(host)}
    if other.node.public != host.node.public and other.number not in known:
        world.say(f"hosts {host.number} and {other.number} meet")
        world.wires.add(host.number, other.number)


def crash(world: Universe, host: Host, random: Random) -> None:
    """The next transaction is the last thing the host does."""
    host.store.crash = random.choice(("within", "behind"))


def switch_off(world: Universe, host: Host, random: Random) -> None:
    """For a while."""
    if host.up:
        world.stop(host, "switched off")
        world.at(random.uniform(1_000, 4 * MINUTE_MS), world.restart, host)


def back_up(world: Universe, host: Host, random: Random) -> None:
    """A copy of its disk."""
    if host.up:
        host.back_up()
        world.say(f"host {host.number} is backed up")


def restore(world: Universe, host: Host, random: Random) -> None:
    """The old copy is all there is."""
    world.restore(host)


def clone(world: Universe, host: Host, random: Random) -> None:
    """Its disk runs on two machines."""
    if len(world.hosts) < 60 and host.honest:
        world.clone(host)


def let_go(world: Universe, host: Host, random: Random) -> None:
    """The person no longer follows the commons, and then does again."""
    if host.replica is None or world.commons not in host.replica.followed():
        return
    world.say(f"host {host.number} lets the commons go")
    host.strays = True
    at_once = random.random() < 0.3
    world.doing(host, lambda replica: replica.unfollow(world.commons))
    if world.commons not in host.store.followed():  # also where it crashed just behind
        host.told.clear()
        world.forgo(host)
    if host.replica is not None:
        if at_once:  # before any session hears of it
            follow(world, host)
        else:
            world.wires.tell(host, [])
            world.at(random.uniform(10, MINUTE_MS), follow, world, host)


def follow(world: Universe, host: Host) -> None:
    """It follows the commons, if it does not."""
    if host.replica is not None and world.commons not in host.replica.followed():
        world.say(f"host {host.number} follows again")
        world.doing(host, lambda replica: replica.follow(world.commons))
        if host.replica is not None:
            world.wires.tell(host, [])


def set_clock(world: Universe, host: Host, random: Random) -> None:
    """Wrong by more than records may be ahead, or nearly so, or far behind, for a while."""
    host.skew_ms = random.choice((-2 * HOUR_MS, 20 * MINUTE_MS, 9 * MINUTE_MS))
    world.say(f"the clock of {host.number} is set {'ahead' if host.skew_ms > 0 else 'back'}")
    world.at(random.uniform(5_000, 2 * MINUTE_MS), _set_right, host)


def jump(world: Universe, host: Host, random: Random) -> None:
    """Back by seconds, as when a clock is set by the network."""
    host.skew_ms -= random.randint(1, 30_000)


def _set_right(host: Host) -> None:
    host.skew_ms = 0


def fill(world: Universe, host: Host, random: Random) -> None:
    """Its disk is full."""
    if host.replica is not None:
        world.say(f"the disk of {host.number} is full")
        host.replica.pauses = True
        world.at(random.uniform(5_000, MINUTE_MS), _make_room, host)


def _make_room(host: Host) -> None:
    if host.replica is not None:
        host.replica.pauses = False


def slow_down(world: Universe, host: Host, random: Random) -> None:
    """Its disk takes its time over each frame."""
    if not host.slow_ms:
        host.slow_ms = random.choice((20.0, 300.0, 4_000.0))
        world.say(f"the disk of {host.number} is slow: {host.slow_ms:.0f} ms")
        world.at(random.uniform(5_000, 2 * MINUTE_MS), _speed_up, host)


def _speed_up(host: Host) -> None:
    host.slow_ms = 0.0


def end_all(world: Universe) -> None:
    """Nothing goes wrong any more, but for hostile hosts."""
    for wire in world.wires.all:
        wire.cut = False
        if wire.hangs is not None:
            world.wires.hang_up(wire)
    for host in world.hosts:
        host.store.crash = ""
        if host.tamper is not None:
            host.tamper.quiet = True
        else:
            host.slow_ms = 0.0
            if abs(host.skew_ms) > SKEW_MS_MAX + MINUTE_MS:
                host.skew_ms = 0  # other clocks go on being as wrong as most are
        world.restart(host)
        follow(world, host)
        _make_room(host)
