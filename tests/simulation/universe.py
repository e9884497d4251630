"""A world of nodes from one seed: real replicas, sessions, gossip and folds, in virtual time, with all that goes wrong.

The daemon interprets what sessions say over sockets and a clock; this is another interpreter of the same, over a heap
of what happens next. Links have latency and jitter, deliver several frames together, break, and hang in one direction;
nodes crash within a transaction or just behind one, restart, come back from an old copy, run twice from one, and have
wrong clocks, slow and full disks; a third of them may be hostile. Every choice is the seed's; `trace` tells what
happened, in words, and `sum` stands for every byte of it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import found
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import TIME_MAX
from p2pcommons.core.record import ZEROS, CommonsId, Record
from p2pcommons.errors import LocalProtocolError
from p2pcommons.sync.replica import Draft, Replica
from simulation.forger import Forger
from simulation.host import Checks, Counting, Crash, FragileMemory, FragileSqlite, Host, key_of
from simulation.laws import Laws
from simulation.meaning import SharedMeaning
from simulation.sittings import Sittings
from simulation.tamper import Tamper
from simulation.wire import Wires

T = TypeVar("T")
BEGIN_MS = 1_790_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_NEIGHBOURS_MAX = 3  # dialled by each host besides the ring; worlds get no denser with more of them


class Universe:
    """All of it. `run` lets time pass; what people and faults do is `simulation.deeds`."""

    def __init__(self, seed: int, hosts: int, *, hostile: int = 0, folder: Path | None = None) -> None:
        self.seed = seed
        self.random = Random(f"universe {seed}")
        self.now_ms = float(BEGIN_MS)
        self.trace: list[str] = []
        self.frames = 0
        self.rest_s = 0.0
        """How long after the last fault honest hosts held the same."""
        self.written: dict[bytes, tuple[int, bytes, bytes]] = {}
        """Everything that anybody ever sealed: id → (plane, author, subject)."""
        self.acknowledged: dict[bytes, int] = {}
        """Records that a person was told were kept: id → host."""
        self.tokens: dict[bytes, SigningKey] = {}
        """Private halves of invitations, by the records that made them."""
        self.hosts: list[Host] = []
        self.meaning = SharedMeaning()
        self.laws = Laws(self)
        self.sittings = Sittings(self)
        self.wires = Wires(self)
        self._sum = sha256()
        self._coming: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._folder = folder
        for number in range(hosts):
            self._new_host(number, hostile=number >= hosts - hostile)
        self.commons = self._found()
        self._connect_all()

    # -- time and words

    def say(self, what: str) -> None:
        """One line of the trace."""
        self.trace.append(f"{(self.now_ms - BEGIN_MS) / 1000:10.3f} {what}")
        self._sum.update(what.encode())

    def delivered(self, frame: bytes) -> None:
        """A frame was taken: it counts, byte for byte, into `sum`."""
        self.frames += 1
        self._sum.update(b"%d " % round(self.now_ms * 1000) + frame)

    @property
    def sum(self) -> str:
        """Hash of all words and frames so far."""
        return self._sum.hexdigest()

    def at(self, in_ms: float, do: Callable[..., None], *what: Any) -> None:
        """Let something happen so much later."""
        self._order += 1
        heappush(self._coming, (self.now_ms + in_ms, self._order, do, what))

    def run(self, for_ms: float) -> None:
        """Let so much time pass."""
        until = self.now_ms + for_ms
        while self._coming and self._coming[0][0] <= until:
            self.now_ms, _, do, what = heappop(self._coming)
            do(*what)
        self.now_ms = max(until, self.now_ms)

    def clock(self, host: Host) -> int:
        """What this host's clock shows."""
        return round(self.now_ms) + host.skew_ms

    @property
    def honest(self) -> list[Host]:
        return [host for host in self.hosts if host.honest]

    # -- hosts

    def _new_host(self, number: int, *, hostile: bool) -> Host:
        path = None if self._folder is None else self._folder / f"{number}.sqlite"
        host = Host(
            number, key_of(self.seed, "node", number), [key_of(self.seed, "person", number)],
            key_of(self.seed, "recovery", number), FragileMemory() if path is None else FragileSqlite(path), path,
        )  # fmt: skip
        if hostile:
            host.tamper = Tamper(Random(f"tamper {self.seed} {number}"), Forger(self, host))
            if host.tamper.is_slow:
                host.slow_ms = 20_000
        self.hosts.append(host)
        self.start(host)
        return host

    def clone(self, host: Host) -> None:
        """Start a copy of a host beside it: the same person, the same node key, both at work."""
        if not host.up or host.path is not None:
            return
        number = len(self.hosts)
        self.say(f"host {number} starts as a copy of {host.number}")
        twin = Host(number, host.node, list(host.keys), host.recovery, host.store.copied())
        self.hosts.append(twin)
        self.start(twin)
        others = [one for one in self.hosts if one.node.public != host.node.public]
        near = [one for one in others if one.honest] or others
        for other in {self.random.choice(near).number: None, self.random.choice(others).number: None}:
            self.wires.add(number, other)

    def start(self, host: Host) -> None:
        """From what its disk holds."""
        host.store.crash = ""
        host.checks = Checks()
        host.starts += 1
        host.busy_until_ms = 0.0
        dice = Random(f"salts {self.seed} {host.number} {host.starts}")
        host.replica = Counting(host.store, self.meaning.of(len(self.hosts)), dice.randbytes, host.checks)
        for key in host.keys:
            host.replica.watch(key.public)

    def stop(self, host: Host, why: str) -> None:
        """All at once, as by a lost plug: only what its disk holds is left."""
        self.say(f"host {host.number} stops: {why}")
        self.laws.stops(host)
        host.replica = None
        host.open_again()
        for wire in self.wires.of(host):
            self.wires.hang_up(wire)

    def restart(self, host: Host) -> None:
        """Start it, if it is not up."""
        if not host.up:
            self.say(f"host {host.number} starts")
            self.start(host)
            self.laws.changed(host)

    def restore(self, host: Host) -> None:
        """Its disk is as it was when the copy was made; what only it had since is gone, and its person knows."""
        if host.copy is None or not host.up:
            return
        self.stop(host, "restored from an old copy")
        host.put_back()
        self.forgo(host)
        self.start(host)
        self.laws.changed(host)

    def forgo(self, host: Host) -> None:
        """What only this host had is gone, by its person's will or knowledge."""
        kept = self.kept(host)
        host.told = {one: None for one in host.told if one in kept}
        elsewhere = {one for other in self.hosts if other is not host for one in self.kept(other)}
        for lost in [one for one in self.acknowledged if one not in elsewhere and one not in kept]:
            del self.acknowledged[lost]

    def kept(self, host: Host) -> set[bytes]:
        """Ids in its sets."""
        return {key.id for plane in (0, 1) for key in host.store.keys(self.commons, plane, None, 10**9)}

    def doing(self, host: Host, deed: Callable[[Replica[Charter]], T]) -> T | None:
        """Let a host do something; a crash in it stops the host. What changed is told to its neighbours."""
        replica = host.replica
        if replica is None:
            return None
        try:
            done = deed(replica)
        except Crash:
            self.laws.crashed(host)
            self.stop(host, f"crash {host.store.crash} a transaction")
            self.at(self.random.uniform(500, MINUTE_MS), self.restart, host)
            return None
        if replica.changes:
            changes = list(replica.changes)
            replica.changes.clear()
            self.laws.changed(host)
            self.wires.tell(host, changes)
        return done

    def _connect_all(self) -> None:
        """A ring of the honest ones, so that they hold together by themselves, and random links between all."""
        honest, count = self.honest, len(self.hosts)
        pairs = {tuple(sorted((a.number, b.number))) for a, b in zip(honest, honest[1:] + honest[:1], strict=True)}
        for host in self.hosts:
            for _ in range(self.random.randint(1, min(2 + count // 8, _NEIGHBOURS_MAX))):
                pairs.add(tuple(sorted((host.number, self.random.randrange(count)))))
        for a, b in sorted(pairs):
            if a != b:
                self.wires.add(a, b)

    # -- what people do

    def _found(self) -> CommonsId:
        founder = self.hosts[0]
        made = found(
            "A commons", entropy=self.random.randbytes(32), recovery=recovery_hash(founder.recovery.public),
            join="open", stamp_bits=0,
        )  # fmt: skip
        assert founder.replica is not None
        commons = founder.replica.found(founder.key, made.kind, made.body, self.clock(founder))
        founder.replica.changes.clear()
        self.written[commons] = (0, founder.key.public, ZEROS)
        self.acknowledged[commons] = 0
        for host in self.hosts[1:]:
            assert host.replica is not None
            host.replica.follow(commons)
        return commons

    def charter(self, host: Host, key: SigningKey | None = None) -> Charter | None:
        """Its charter, if this key (None: its own) may write."""
        if host.replica is None or self.commons not in host.replica.followed():
            return None
        charter = host.replica.charter(self.commons)
        return charter if charter is not None and (key or host.key).public in charter.admitted else None

    def last(self, host: Host, key: bytes) -> bytes | None:
        """A key's last record in the catalogue, as far as a host has it."""
        found = host.store.last_of(self.commons, 1, key, TIME_MAX)
        return None if found is None else bytes(found.id)

    def put(self, host: Host, key: SigningKey, plane: int, drafts: list[Draft]) -> list[Record]:
        """Write; what comes back was acknowledged."""

        def write(replica: Replica[Charter]) -> list[Record]:
            try:
                records = replica.write(self.commons, key, drafts, self.clock(host))
            except LocalProtocolError as error:
                assert error.code in ("not_admitted", "later"), error  # purged meanwhile, or its clock was set back
                return []
            for record in records:
                self.written[record.id] = (plane, key.public, record.header.subject)
                self.acknowledged[record.id] = host.number
                host.told[record.id] = None
            return records

        host.writing = key
        return self.doing(host, write) or []
