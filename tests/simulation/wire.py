"""The links of a universe: frames on their way between two hosts, sessions at both ends, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from p2pcommons.sync.compression import compressed
from p2pcommons.sync.events import Event
from p2pcommons.sync.handshake import Role, direct_channel
from p2pcommons.sync.holding import Change
from p2pcommons.sync.session import Session, State
from simulation.tamper import Certain

if TYPE_CHECKING:
    from simulation.host import Host
    from simulation.universe import Universe

BYTES_WAITING_MAX = 8 * 1024 * 1024  # behind a reader that does not read, as in `node.meeting`
_CHANNEL = direct_channel(b"a certificate")
_REDIAL_MS = (500, 8_000)
_PENALTY_MS = 5 * 60_000  # as long as the daemon keeps away from who broke the protocol
_FLUSHES_MAX = 64
_ROOM_MS = 100.0  # when it is looked again whether a slow reader has read


@dataclass(slots=True, eq=False)
class Wire:
    """Between two hosts. `sessions` while it is up, by host number."""

    a: int
    b: int
    random: Random
    latency_ms: float
    joins_ms: float = 0.0
    """Frames arrive together, once in so long; 0: each when it comes."""
    compresses: bool = False
    cut: bool = False
    gone: bool = False
    """For good."""
    hangs: int | None = None
    """What this host says no longer arrives, and nobody is told."""
    generation: int = 0
    sessions: dict[int, Session] = field(default_factory=dict)
    arrives: dict[int, float] = field(default_factory=dict)
    came: dict[int, list[bytes]] = field(default_factory=dict)
    """What arrived and was not taken yet."""
    unread: dict[int, int] = field(default_factory=dict)
    """Bytes said to this host that it did not take yet."""
    wakes: dict[int, int] = field(default_factory=dict)
    """The deadline that is waited for, by host number."""
    frames: int = 0
    not_before_ms: float = 0.0

    def other(self, host: int) -> int:
        return self.b if host == self.a else self.a

    def __str__(self) -> str:
        return f"{self.a} and {self.b}"


class Wires:
    """All of them, between the hosts of one universe."""

    def __init__(self, world: Universe) -> None:
        self._world = world
        self.all: list[Wire] = []
        self._of: dict[int, list[Wire]] = {}

    def __len__(self) -> int:
        return len(self.all)

    def of(self, host: Host) -> Sequence[Wire]:
        """Those that end here."""
        return self._of.get(host.number, ())

    def add(self, a: int, b: int) -> Wire:
        """A new one; it is dialled soon."""
        dice = Random(f"wire {self._world.seed} {a} {b} {len(self.all)}")
        latency_ms, joins_ms = dice.choice((1, 5, 20, 60, 200)), dice.choice((0, 0, 0, 15, 400))
        wire = Wire(a, b, dice, latency_ms, joins_ms, dice.random() < 0.5)
        self.all.append(wire)
        for end in (a, b):
            self._of.setdefault(end, []).append(wire)
        self.dial_later(wire)
        return wire

    # -- up and down

    def dial_later(self, wire: Wire) -> None:
        """Try again, when it is time."""
        wait = max(wire.random.uniform(*_REDIAL_MS), wire.not_before_ms - self._world.now_ms)
        self._world.at(wait, self._dial, wire, wire.generation)

    def _dial(self, wire: Wire, generation: int) -> None:
        if generation != wire.generation or wire.sessions or wire.gone:
            return
        hosts = [self._world.hosts[wire.a], self._world.hosts[wire.b]]
        if wire.cut or not all(host.up for host in hosts):
            self.dial_later(wire)
            return
        wire.arrives, wire.came, wire.unread, wire.wakes, wire.frames = {}, {}, {}, {}, 0
        for host, role in zip(hosts, (Role.DIALLER, Role.LISTENER), strict=True):
            assert host.replica is not None
            wire.sessions[host.number] = Session(
                host.replica, role=role, key=host.node, channel=_CHANNEL, nonce=wire.random.randbytes(32),
                random=wire.random.randbytes, now_ms=self._world.clock(host), eager=wire.random.random() < 0.5,
                expected=hosts[1].node.public if role is Role.DIALLER else None,
            )  # fmt: skip
            if host.tamper is not None:
                host.tamper.begin(wire.other(host.number))
        self._world.laws.met(wire)
        for host in hosts:
            self.flush(host, wire)

    def hang_up(self, wire: Wire) -> None:
        """The link is gone; both ends notice, and what was on the way is lost."""
        wire.generation += 1
        wire.sessions = {}
        wire.hangs = None
        if not wire.gone:
            self.dial_later(wire)

    # -- frames

    def flush(self, host: Host, wire: Wire) -> None:
        """Let a session say all it has to say."""
        session = wire.sessions.get(host.number)
        if session is None:
            return
        for _ in range(_FLUSHES_MAX):
            frames = self._world.doing(host, lambda replica: session.data_to_send())
            if not frames:
                break
            self._world.laws.said(wire, host, frames)
            there = wire.other(host.number)
            for frame in frames if host.tamper is None else host.tamper.frames(there, frames):
                self._send(wire, host, session, frame)
        else:
            raise AssertionError("a session never has said all")
        if wire.sessions.get(host.number) is session:
            if session.is_over:
                self._world.at(wire.latency_ms * 4, self._over, wire, wire.generation)
            elif (due := session.next_deadline()) is not None and wire.wakes.get(host.number) != due:
                wire.wakes[host.number] = due
                self._world.at(max(due - self._world.clock(host), 1), self._wake, host, wire, wire.generation, due)

    def _over(self, wire: Wire, generation: int) -> None:
        if generation == wire.generation:
            self.hang_up(wire)

    def _send(self, wire: Wire, host: Host, session: Session, frame: bytes) -> None:
        if wire.hangs == host.number:
            return
        if wire.compresses and type(frame) is bytes:
            frame = compressed(frame, session.compression)
        there = wire.other(host.number)
        arrives = self._world.now_ms + wire.latency_ms * wire.random.uniform(0.5, 2)
        if wire.joins_ms:
            arrives = -(-arrives // wire.joins_ms) * wire.joins_ms
        wire.arrives[there] = arrives = max(wire.arrives.get(there, 0.0), arrives)  # in order
        wire.unread[there] = wire.unread.get(there, 0) + len(frame)
        self._world.laws.waits(wire, host)
        arriving = (wire, wire.generation, self._world.hosts[there], frame)
        self._world.at(arrives - self._world.now_ms, self._arrive, *arriving)

    def _arrive(self, wire: Wire, generation: int, host: Host, frame: bytes) -> None:
        if generation != wire.generation or host.number not in wire.sessions:
            return
        came = wire.came.setdefault(host.number, [])
        came.append(frame)
        if len(came) == 1:  # what else arrives at this moment is taken together with it
            world = self._world
            host.busy_until_ms = max(host.busy_until_ms, world.now_ms) + host.slow_ms
            world.at(host.busy_until_ms - world.now_ms, self._take, wire, generation, host)

    def _take(self, wire: Wire, generation: int, host: Host) -> None:
        session = wire.sessions.get(host.number)
        if generation != wire.generation or session is None:
            return
        if wire.unread.get(wire.other(host.number), 0) > BYTES_WAITING_MAX:  # who does not read is not heard further
            self._world.at(_ROOM_MS, self._take, wire, generation, host)
            return
        frames, wire.came[host.number] = wire.came.get(host.number, []), []
        for frame in frames:
            wire.unread[host.number] -= len(frame)
            wire.frames += 1
            self._world.delivered(frame)
            if host.tamper is not None:
                host.tamper.hear(wire.other(host.number), frame)
            certain = isinstance(frame, Certain) and self._is_open(wire, host, session)
            events = self._world.doing(
                host, lambda replica, frame=frame: session.receive_data(bytes(frame), self._world.clock(host))
            )
            if events is None:
                return
            self._world.laws.took(wire, host, frame)
            self.heard(host, wire, events)
            if certain:
                assert session.is_over, f"host {host.number} lets {frame.what} pass"  # type: ignore[attr-defined]
            if wire.sessions.get(host.number) is not session:
                return
        self.flush(host, wire)

    def _is_open(self, wire: Wire, host: Host, session: Session) -> bool:
        """Whether what breaks the protocol now must end this session."""
        other = self._world.hosts[wire.other(host.number)]
        shares = bool(session.commons()) and not (host.strays or other.strays)
        return host.honest and session.state is State.ESTABLISHED and shares

    def _wake(self, host: Host, wire: Wire, generation: int, due: int) -> None:
        session = wire.sessions.get(host.number)
        if generation != wire.generation or session is None or wire.wakes.get(host.number) != due:
            return  # it was moved since
        if self._world.clock(host) < due:  # the clock was set back meanwhile
            self._world.at(due - self._world.clock(host), self._wake, host, wire, generation, due)
            return
        del wire.wakes[host.number]
        events = self._world.doing(host, lambda replica: session.handle_timeout(self._world.clock(host)))
        self.heard(host, wire, events or [])
        self.flush(host, wire)

    def tell(self, host: Host, changes: Sequence[Change]) -> None:
        """A host's sets changed: its sessions hear of it, and have something to say."""
        grown = [(change.commons, change.growth) for change in changes]
        for wire in self.of(host):
            session = wire.sessions.get(host.number)
            if session is not None:
                self.heard(host, wire, session.local_change(self._world.clock(host), grown))
                self._world.at(0, self.flush, host, wire)

    def heard(self, host: Host, wire: Wire, events: Sequence[Event]) -> None:
        """What a session told its node."""
        for event in events:
            if self._world.laws.heard(wire, host, event):
                wire.not_before_ms = self._world.now_ms + _PENALTY_MS
