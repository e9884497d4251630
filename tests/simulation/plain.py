"""The plain model: sets of ids, and what a fold from nothing makes of them.

Nothing here is kept in step with anything: digests, charters and views are made anew of the ids that a host holds, and
remembered by those ids alone. That is the law: sets and views are functions of the set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.record import Record
from p2pcommons.sync.digest import EMPTY, add, fingerprint, published, state

if TYPE_CHECKING:
    from simulation.host import Host
    from simulation.universe import Universe

_REMEMBERED_MAX = 20_000


class _Row(NamedTuple):
    digest: bytes
    shown: bool


class Plain:
    """What the hosts of one universe must show, by what they hold."""

    def __init__(self, world: Universe) -> None:
        self._world = world
        self._meaning = CommonsMeaning()
        self._sums: dict[frozenset[bytes], bytes] = {}
        self._charters: dict[frozenset[bytes], Charter] = {}
        self._rows: dict[tuple[object, ...], _Row] = {}

    def charter(self, host: Host, plane0: frozenset[bytes]) -> Charter:
        """Of these records, which this host holds."""
        found = self._charters.get(plane0)
        if found is None:
            self._tidy()
            found = self._charters[plane0] = judge(host.store.charter(self._world.commons), self._world.commons)
        return found

    def published(self, ids: frozenset[bytes]) -> bytes:
        """The digest of a set."""
        found = self._sums.get(ids)
        if found is None:
            found = self._sums[ids] = published(add(EMPTY, sorted(ids)))
        return found

    def check(self, host: Host) -> None:
        """A host against the ids that it holds: AssertionError where it shows anything else."""
        world, commons, name = self._world, self._world.commons, f"host {host.number}"
        if host.replica is None or commons not in host.replica.followed():
            return
        planes = [frozenset(key.id for key in host.store.keys(commons, plane, None, 10**9)) for plane in (0, 1)]
        kept = planes[0] | planes[1]
        assert world.written.keys() >= kept, f"{name} holds what nobody sealed"
        digest = host.replica.digest(commons)
        if not kept:
            assert not digest.records and not digest.entries, f"{name} shows what it does not hold"
            return
        charter = self._reaching(host, self.charter(host, planes[0]), planes[1])
        assert charter.set_ids == planes[0], f"the charter of {name} is not a set"
        authors = {world.written[one][1] for one in planes[1]}
        assert authors <= charter.admitted, f"{name} holds records of keys that are not admitted"
        for one in host.told:
            assert one in kept or world.written[one][1] not in charter.admitted, f"{name} lost what it was told is kept"
        sums = [self.published(ids) for ids in planes]
        assert digest.records == len(kept), f"{name} counts wrong"
        assert digest.fingerprint == fingerprint(*sums), f"the digest of {name} is not that of its sets"
        if not digest.bodies_missing:
            self._check_views(host, charter, planes[1])

    def _check_views(self, host: Host, charter: Charter, plane1: frozenset[bytes]) -> None:
        world, name = self._world, f"host {host.number}"
        by_subject: dict[bytes, list[bytes]] = {}
        for one in plane1:
            by_subject.setdefault(world.written[one][2], []).append(one)
        rows = {subject: self._row(host, charter, subject, ids) for subject, ids in by_subject.items()}
        assert host.replica is not None
        digest = host.replica.digest(world.commons)
        views = sum(int.from_bytes(row.digest, "big") for row in rows.values()) % 2**256
        expected = state(self._meaning.vocabulary_version, charter.digest, views)
        if digest.state != expected:
            kept = host.store.entries(world.commons, by_subject)
            wrong = [subject for subject, row in rows.items() if kept[subject].digest != row.digest]
            raise AssertionError(f"the views of {name} are not those of its records, in {len(wrong)} entries")
        assert digest.entries == sum(row.shown for row in rows.values()), f"{name} counts its entries wrong"
        if len(rows) * len(world.hosts) < 2_000:
            counts = host.store.counts(world.commons)
            assert counts.entries == len(rows), f"{name} has {counts.entries} rows for {len(rows)} entries"
            kept = host.store.entries(world.commons, by_subject)
            assert {subject: one.digest for subject, one in kept.items()} == {
                subject: row.digest for subject, row in rows.items()
            }, f"a row of {name} is not what its records say"

    def _reaching(self, host: Host, charter: Charter, plane1: frozenset[bytes]) -> Charter:
        """With what counts of persons who are out: what lies behind the records that every removal of them names."""
        if not charter.limits:
            return charter
        written = self._world.written
        theirs = sorted(one for one in plane1 if written[one][1] in charter.limits)
        behind = {sealed.record.id: sealed.record.header for sealed in host.store.sealed(theirs)}
        reached = {}
        for key, chains in charter.limits.items():
            parts = []
            for heads in chains:
                some, more = set[bytes](), list(heads)
                while more:
                    header = behind.get(one := more.pop())
                    if header is not None and header.author == key and one not in some:
                        some.add(one)
                        more.append(header.after)
                parts.append(some)
            reached[key] = frozenset(set.intersection(*parts))
        return charter.reaching(reached)

    def _row(self, host: Host, charter: Charter, subject: bytes, ids: list[bytes]) -> _Row:
        written = self._world.written
        erased = [(one, charter.erased_fields(one, written[one][1])) for one in sorted(ids)]
        name = (
            subject,
            *(
                (one, charter.counts(one, written[one][1]), None if fields is None else tuple(sorted(fields)))
                for one, fields in erased
            ),
        )
        found = self._rows.get(name)
        if found is None:
            records: list[Record] = [sealed.record for sealed in host.store.sealed(ids)]
            row = self._meaning.row(subject, sorted(records, key=lambda r: (r.header.time, r.id)), charter)
            found = self._rows[name] = _Row(row.digest, row.document is not None)
        return found

    def _tidy(self) -> None:
        for remembered in (self._sums, self._charters, self._rows):
            if len(remembered) > _REMEMBERED_MAX:
                remembered.clear()
