"""What a seed decides: how large a world is, how many of it are hostile, and what happens in it when, as plain data.

All of it is drawn before anything happens, and each deed has dice of its own: so deeds can be left out one by one, and
what is left does the same as before. That is how a failing seed is made small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from p2pcommons.core.limits import PACK_BYTES_AIM
from simulation import council, faults, people
from simulation.host import Host
from simulation.meeting import meet
from simulation.universe import MINUTE_MS, Universe

SIZES = (5, 5, 5, 6, 6, 6, 8, 8, 8, 8, 12, 12, 12, 16, 16, 16, 25, 25, 50)
ON_DISK = 10  # one seed of so many has its hosts on disks


class Deed(NamedTuple):
    """Something that happens: when, in ms, what, to whom, and the dice that decide the rest."""

    at_ms: int
    what: str
    host: int
    dice: int


class Fate(NamedTuple):
    """One world, before it begins."""

    seed: int
    hosts: int
    hostile: int
    deeds: tuple[Deed, ...]
    on_disk: bool = False
    pack_bytes: int = PACK_BYTES_AIM
    """How much goes into a frame of packs: little, and there are cuts between the frames of a small stream."""

    def only(self, deeds: Iterable[int]) -> Fate:
        """With these deeds alone, by their places."""
        return self._replace(deeds=tuple(self.deeds[at] for at in sorted(set(deeds))))

    def begins(self, world: Universe) -> None:
        """Let time pass, and everything happen in it."""
        dice = Random(f"clocks {self.seed}")
        for host in world.hosts:
            host.skew_ms = host.tamper.skew_ms if host.tamper else dice.randint(-faults.SKEW_MS_MAX, faults.SKEW_MS_MAX)
        began = world.now_ms
        for deed in sorted(self.deeds):
            world.run(max(began + deed.at_ms - world.now_ms, 0))
            random = Random(f"deed {self.seed} {deed.dice}")
            DEEDS[deed.what].do(world, world.hosts[deed.host % len(world.hosts)], random)


class Kind(NamedTuple):
    """What can happen, and how often beside all else."""

    do: Callable[[Universe, Host, Random], None]
    weight: float


DEEDS: dict[str, Kind] = {
    "write": Kind(people.write, 30),
    "write many": Kind(people.write_many, 4),
    "write very many": Kind(people.write_very_many, 0.3),
    "edit": Kind(people.edit, 14),
    "import": Kind(people.import_, 6),
    "withdraw": Kind(people.withdraw, 2),
    "join": Kind(people.join, 10),
    "invite": Kind(people.invite_, 2),
    "follow invitation": Kind(people.follow_invitation, 6),
    "open door": Kind(people.open_door, 0.3),
    "take device": Kind(people.take_device, 1.5),
    "recover": Kind(people.recover, 1),
    "steal": Kind(people.steal, 0.7),
    "erase": Kind(people.erase_, 2),
    "purge": Kind(people.purge_, 0.7),
    "purge door": Kind(people.purge_door, 0.5),
    "back up": Kind(faults.back_up, 2),
    "restore": Kind(faults.restore, 1.5),
    "clone": Kind(faults.clone, 0.5),
    "let go": Kind(faults.let_go, 1),
    "cut": Kind(faults.cut, 4),
    "flap": Kind(faults.flap, 1),
    "part": Kind(faults.part, 1),
    "hang": Kind(faults.hang, 2),
    "connect": Kind(faults.connect, 1),
    "crash": Kind(faults.crash, 3),
    "switch off": Kind(faults.switch_off, 2),
    "set clock": Kind(faults.set_clock, 0.5),
    "jump": Kind(faults.jump, 1),
    "fill": Kind(faults.fill, 1),
    "slow down": Kind(faults.slow_down, 2),
    "meet": Kind(meet, 2),
}

COUNCIL: dict[str, Kind] = {
    "propose": Kind(council.propose, 8),
    "vote": Kind(council.vote, 8),
    "poll": Kind(council.poll, 6),
    "close": Kind(council.close, 6),
    "amend": Kind(council.amend, 3),
    "answer": Kind(council.answer, 2),
    "make a steward": Kind(council.name_stewards_, 2),
    "remove": Kind(council.remove, 2),
    "leave": Kind(council.leave, 1),
    "let count": Kind(council.keep, 2),
    "vanish": Kind(council.vanish, 0.5),
    "mischief": Kind(council.mischief, 8),
}
"""What people decide together; drawn apart from all else, so that older seeds keep their worlds."""
DEEDS |= COUNCIL


def drawn(seed: int, *, hosts: int | None = None, hostile: int | None = None, deeds: int | None = None) -> Fate:
    """The fate of a seed; a number given here takes the place of a drawn one."""
    random = Random(f"fate {seed}")
    drawn_hosts, drawn_deeds = random.choice(SIZES), random.randrange(20, 120)
    count = drawn_hosts if hosts is None else hosts
    bad = random.choice((0, 0, 1, count // 5, count // 3)) if hostile is None else hostile
    what = [name for name in DEEDS if name not in COUNCIL]
    weights = [DEEDS[name].weight for name in what]
    at_ms = random.uniform(1_000, MINUTE_MS)
    made: list[Deed] = []
    for number in range(count):  # most people join early: else little is written
        if random.random() < 0.6 and number < 40:
            made.append(Deed(int(random.uniform(0, 2 * MINUTE_MS)), "join", number, len(made)))
    for _ in range(drawn_deeds if deeds is None else deeds):
        at_ms += random.expovariate(1 / 4_000)
        made.append(Deed(int(at_ms), random.choices(what, weights)[0], random.randrange(count), len(made)))
    pack_bytes = random.choice((PACK_BYTES_AIM, PACK_BYTES_AIM, 8_192, 1_500))
    decided = _deciding(Random(f"council {seed}"), count, at_ms, len(made))
    return Fate(seed, count, bad, (*sorted(made), *decided), seed % ON_DISK == ON_DISK - 1, pack_bytes)


def _deciding(random: Random, hosts: int, until_ms: float, dice: int) -> list[Deed]:
    """In one world of three, people decide some things besides: in the time that it has, and behind the older deeds."""
    if random.random() > 1 / 3:
        return []
    whats, weights = list(COUNCIL), [kind.weight for kind in COUNCIL.values()]
    times = sorted(random.uniform(MINUTE_MS / 2, until_ms) for _ in range(random.randrange(4, 20)))
    chosen = random.choices(whats, weights, k=len(times))
    return [
        Deed(int(at_ms), what, random.randrange(hosts), dice + number)
        for number, (at_ms, what) in enumerate(zip(times, chosen, strict=True))
    ]


_BESIDE = (["mischief", "remove", "leave", "let count", "write", "edit", "purge"], (14, 2, 1, 1, 2, 1, 0.3))


def assembly(seed: int, hosts: int = 50) -> Fate:
    """A world that decides: most join, some are made stewards, then things are proposed, voted on and closed, several
    times over, while a part of the world is cut off across the closing, closers vanish, and a third of all cheat."""
    random = Random(f"assembly {seed}")
    made: list[Deed] = []

    def add(at_ms: float, what: str, host: int | None = None) -> None:
        made.append(Deed(int(at_ms), what, random.randrange(hosts) if host is None else host, len(made)))

    for number in range(hosts):
        if random.random() < 0.9:
            add(random.uniform(0, MINUTE_MS), "join", number)
    for _ in range(random.randrange(1, 4)):
        add(random.uniform(1.5, 2) * MINUTE_MS, "make a steward")
    now_ms = 2.5 * MINUTE_MS
    faults_ = ["part", "part", "vanish", "crash", "restore", "steal", "recover", "take device", "switch off"]
    for _ in range(random.randrange(3, 6)):
        for _ in range(random.randrange(1, 4)):
            add(now_ms, "propose")
            now_ms += random.uniform(0, 10_000)
        for what in random.sample(["poll", "poll", "amend", "mischief", "mischief", "answer", "back up"], 5):
            add(now_ms + random.uniform(15_000, 40_000), what)
        add(now_ms + random.uniform(30_000, 60_000), random.choice(faults_))
        for at_s in (50, 70, 90):  # each closer in their own time, some of them on the other side
            add(now_ms + 1000 * (at_s + random.uniform(-8, 8)), "close")
        for what in random.choices(*_BESIDE, k=7):
            add(now_ms + random.uniform(20_000, 120_000), what)
        now_ms += 2 * MINUTE_MS
    add(now_ms, "poll")
    add(now_ms + 30_000, "close")
    bad = random.choice((0, hosts // 5, hosts // 3, hosts // 3))
    return Fate(seed, hosts, bad, tuple(sorted(made)))


def large(seed: int, hosts: int) -> Fate:
    """A world of very many nodes in which little happens: some join and write, a part of them is cut off, some fail."""
    random = Random(f"large {seed}")
    whats = ["join"] * 8 + ["write"] * 10 + ["edit"] * 3 + ["part", "crash", "crash", "back up", "purge"]
    members = [random.randrange(hosts) for _ in range(6)]
    made = []
    for number, what in enumerate(whats):
        at_ms, host = 10_000 + 1_500 * number, random.choice(members) if what in ("write", "edit", "purge") else 0
        made.append(Deed(at_ms, what, members[number % 6] if what == "join" else host, number))
    return Fate(seed, hosts, 0, tuple(made))
