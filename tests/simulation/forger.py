"""Records that a hostile node makes: some that break the rules of packs, some that keep them and mean harm."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from p2pcommons.commons.charter_bodies import Made, erase, join_open, purge
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.core.record import ZEROS, CommonsId, Record, build
from p2pcommons.core.seal import pack_value, seal, seal_message
from p2pcommons.sync.message import Packs, encode_message
from simulation.tamper import Certain, certain

if TYPE_CHECKING:
    from simulation.host import Host
    from simulation.universe import Universe

_EDIT = Made("entry.edit", {"set": {"type": "text", "title": "forged"}})
_BOMB_RECORDS = 2_000
_MONTH_MS = 30 * 24 * 3_600_000


class Forger:
    """Makes them in the name of one host, or of somebody else."""

    def __init__(self, world: Universe, host: Host) -> None:
        self._world = world
        self._host = host
        self._number = 0
        self._bomb: Certain | None = None
        self.sybils: list[SigningKey] = []

    # -- what nobody may take

    def broken(self, random: Random) -> Certain:
        """A frame of packs that breaks a rule of chapter 13."""
        own = self._host.key
        plane = random.randrange(2)
        some = [self._record(own, plane=plane) for _ in range(4)]
        pack = self._packed(own, some)
        honest = self._world.hosts[0].key
        way = random.randrange(6)
        if way == 0:
            pack[4] = bytes(64)
            return self._frame(plane, pack, "a bad seal")
        if way == 1:
            forged = self._record(honest, plane=plane)
            made, _ = seal(honest, [forged])
            signature = own.sign(seal_message(made.commons, 1, made.root))
            return self._frame(
                plane, pack_value(made._replace(signature=signature), {}, [(0, forged)]), "another's seal"
            )
        if way == 2:
            pack[6] = [random.randbytes(32)]
            return self._frame(plane, pack, "nodes that are not needed")
        if way == 3:
            pack[3] = 3
            return self._frame(plane, pack, "more leaves than the tree has")
        if way == 4:
            pack[7] = [*pack[7][1:], pack[7][0]]
            return self._frame(plane, pack, "records in other places")
        made, _ = seal(own, [self._record(own, commons=random.randbytes(32))])
        elsewhere = self._record(own, commons=made.commons)
        return self._frame(1, self._packed(own, [elsewhere]), "a pack of another commons")

    def bomb(self) -> Certain:
        """As many records as fit, under a seal that is none."""
        if self._bomb is None:
            records = [self._record(self._host.key) for _ in range(_BOMB_RECORDS)]
            pack = self._packed(self._host.key, records)
            pack[4] = bytes(64)
            self._bomb = self._frame(1, pack, "a large pack with a bad seal")
        return self._bomb

    # -- what is refused, or does nothing, or does what it says

    def twisted(self, random: Random, *, new: bool) -> list[bytes]:
        """Frames of packs that keep all rules of form. `new`: they may hold records that get into sets."""
        made = [self._headers_alone, self._body_of_no_form, self._ahead, self._strangers, self._invented_past]
        if new:
            made += [self._twins, self._gap, self._sybil, self._sybil, self._erasure, self._invalid_purge]
        return [bytes(frame) for frame in random.choice(made)(random)]

    def _headers_alone(self, random: Random) -> Sequence[bytes]:
        record = self._record(self._host.key)
        return [self._frame(1, self._packed(self._host.key, [record._replace(salt=None, body=None)]), "")]

    def _body_of_no_form(self, random: Random) -> Sequence[bytes]:
        record = self._record(self._host.key, made=Made("entry.edit", b"\xff\x00"))  # type: ignore[arg-type]
        return [self._frame(1, self._packed(self._host.key, [record]), "")]

    def _ahead(self, random: Random) -> Sequence[bytes]:
        later = self._record(self._host.key, ahead_ms=_MONTH_MS + AHEAD_MS_MAX)
        return [self._frame(1, self._packed(self._host.key, [later]), "")]

    def _strangers(self, random: Random) -> Sequence[bytes]:
        nobody = SigningKey(random.randbytes(32))
        return [self._frame(1, self._packed(nobody, [self._record(nobody)]), "")]

    def _invented_past(self, random: Random) -> Sequence[bytes]:
        """Of plane 0, on something that is nowhere: never in a set, and asked for once."""
        prev = sorted(random.randbytes(32) for _ in range(random.randint(1, 32)))
        record = self._record(self._host.key, plane=0, prev=prev, made=purge([self._world.hosts[0].key.public]))
        return [self._frame(0, self._packed(self._host.key, [record]), "")]

    def _twins(self, random: Random) -> Sequence[bytes]:
        """Two records behind one, given to two peers perhaps: both stay valid."""
        after = self._some_id(random)
        twins = [self._record(self._host.key, after=after) for _ in range(2)]
        return [self._frame(1, self._packed(self._host.key, [self._sealed(twin)]), "") for twin in twins]

    def _gap(self, random: Random) -> Sequence[bytes]:
        """Behind a record that is nowhere, with a past in which nothing is, about something that is there."""
        record = self._record(
            self._host.key, after=random.randbytes(32), prev=sorted(random.randbytes(32) for _ in range(3)),
            subject=self._some_subject(random),
        )  # fmt: skip
        return [self._frame(1, self._packed(self._host.key, [self._sealed(record)]), "")]

    def _sybil(self, random: Random) -> Sequence[bytes]:
        """A new person by the open door; one who came in writes."""
        if self.sybils and random.random() < 0.5:
            sybil = random.choice(self.sybils)
            return [self._frame(1, self._packed(sybil, [self._sealed(self._record(sybil))]), "")]
        sybil = SigningKey(random.randbytes(32))
        self.sybils.append(sybil)
        joins = join_open(recovery=bytes(32), stamp=bytes(8))
        record = self._record(sybil, plane=0, prev=[self._world.commons], subject=sybil.public, made=joins)
        return [self._frame(0, self._packed(sybil, [self._sealed(record)]), "")]

    def _erasure(self, random: Random) -> Sequence[bytes]:
        """Of what others wrote."""
        targets = [one for one, (plane, _, _) in self._world.written.items() if plane == 1]
        return self._act(erase({one: ["title"] for one in random.sample(targets, min(3, len(targets)))}))

    def _invalid_purge(self, random: Random) -> Sequence[bytes]:
        """By no steward: it does nothing."""
        return self._act(purge([self._world.hosts[0].key.public], [self._world.commons]))

    def _act(self, made: Made) -> Sequence[bytes]:
        charter = self._world.charter(self._host)
        if charter is None:
            return []
        record = self._record(self._host.key, plane=0, prev=charter.prev_for(self._host.key.public), made=made)
        return [self._frame(0, self._packed(self._host.key, [self._sealed(record)]), "")]

    # -- pieces

    def _record(
        self, who: SigningKey, *, plane: int = 1, prev: Sequence[bytes] = (), after: bytes = ZEROS, ahead_ms: int = 0,
        subject: bytes | None = None, commons: bytes | None = None, made: Made = _EDIT,
    ) -> Record:  # fmt: skip
        self._number += 1
        numbered = f"{self._host.number} {self._number}".encode().rjust(32, b".")[-32:]
        body: Any = made.body
        return build(
            commons=self._world.commons if commons is None else CommonsId(commons), plane=plane, author=who.public,
            after=after, time=(self._world.clock(self._host) + ahead_ms << 16) + self._number % 65_536,
            subject=subject or numbered, prev=prev, kind=made.kind, body=body, salt=numbered[-16:],
        )  # fmt: skip

    def _sealed(self, record: Record) -> Record:
        header = record.header
        self._world.written[record.id] = (header.plane, header.author, header.subject)
        return record

    def _packed(self, who: SigningKey, records: Sequence[Record]) -> list[Any]:
        made, _ = seal(who, records)
        return pack_value(made, {}, list(enumerate(records)))

    def _frame(self, plane: int, pack: list[Any], what: str) -> Certain:
        return certain(encode_message(Packs(0, plane, 0, None, [pack], hops=0)), what)

    def _some_id(self, random: Random) -> bytes:
        return random.choice(list(self._world.written))

    def _some_subject(self, random: Random) -> bytes:
        return self._world.written[self._some_id(random)][2]
