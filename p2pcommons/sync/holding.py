"""One followed commons as a replica holds it: its sets, its charter, its views, and their sums.

Driven by one thread; each call is one transaction or none. What is refused, and why, are the answers of chapter
30; which records are in the sets, chapter 21; how views come from records, chapter 20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from p2pcommons.core.clock import is_later
from p2pcommons.core.limits import NEWS_IDS_MAX
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import CommonsId, Plane, Record, RecordId, body_hash, commons_of
from p2pcommons.core.seal import Seal, Sealed
from p2pcommons.sync.bodies import due, put_wanted, put_withheld, quarantine, release, wanted, withheld
from p2pcommons.sync.digest import EMPTY, add, fingerprint, published, remove, state
from p2pcommons.sync.erasing import newly_erased
from p2pcommons.sync.gossip import Growth
from p2pcommons.sync.meaning import C, Meaning
from p2pcommons.sync.packing import Packer
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.reaching import NOTHING_REACHED, Reached
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.sketches import Sketches, keys
from p2pcommons.sync.sketches import forget as forget_sketches
from p2pcommons.sync.storage import CommonsState, EntryRow, Key, SetState, Store
from p2pcommons.sync.views import Views
from p2pcommons.sync.waiting import Waiting

T = TypeVar("T")
SYNCED_PLANES = (Plane.CHARTER, Plane.CATALOGUE)
_NOTHING = CommonsState(EMPTY, EMPTY, 0, 0, 0)
_KEYS_PER_READ = 20_000  # places read at once when a range index is built: 3 MB of tuples
_IDS_PER_STEP = 4096  # records or entries of one read where there may be any number: some 10 MB


_NOTHING_READ: Mapping[RecordId, Any] = {}
Growing = Sequence[tuple[int, bytes]]
"""Records by plane and id."""


class Receipt(NamedTuple):
    """What became of packs: records new here, and those refused with a code (chapter 30)."""

    new: int
    refused: Mapping[bytes, str]
    ids: Sequence[bytes] = ()  # the new ones, and those that wait to be judged


class Digest(NamedTuple):
    """One commons, summed, at one moment."""

    records: int
    fingerprint: bytes
    bodies_missing: int
    entries: int
    state: bytes


class Change(NamedTuple):
    """A commons changed: how many records came in, and the entries they touched."""

    commons: CommonsId
    records: int
    subjects: Sequence[bytes]
    growth: Growth
    relayed: bool = False  # a peer brought it


class Holding(Generic[C]):
    """The sets and views of one commons, over a store."""

    def __init__(
        self, commons: CommonsId, store: Store, meaning: Meaning[C], changes: list[Change], number: int = 0
    ) -> None:
        self.commons = commons
        self._store = store
        self._meaning = meaning
        self._changes = changes
        self._waiting = Waiting()
        self._ungrounded: frozenset[bytes] = frozenset()  # those of them whose past was not here when judged last
        self._now_ms = 0  # when records came last
        self._ranges: dict[int, RangeIndex] = {}
        self._sketches = Sketches(commons, store)
        self.packer = Packer(store)
        self._views = Views(commons, store, meaning)
        self.number = number
        kept = store.state(commons)
        records = [] if kept is None else store.charter(commons)
        self._reached = NOTHING_REACHED
        self.charter: C | None = None if kept is None else self._reaching(meaning.judge(records, commons))
        self._charter_lost = frozenset(record.id for record in records if not _is_whole(record))
        self.wanted = wanted(store, commons) | self._charter_lost
        self.withheld = withheld(store, commons)
        """Subjects of the catalogue of which no body is kept here, whatever comes."""
        self.state = replace(kept or _NOTHING, bodies_missing=len(self.wanted))
        self._digest: Digest | None = None

    def digest(self) -> Digest:
        """One consistent moment; from memory, safe to call from any thread."""
        if self._digest is None:
            self._digest = self._summed()
        return self._digest

    def is_waiting(self, identifier: bytes) -> bool:
        """Whether this record of plane 0 is here and waits for its past or its judgement."""
        return identifier in self._waiting

    def set_state(self, plane: int) -> SetState:
        """One set, summed, now."""
        return self.state.charter if plane == Plane.CHARTER else self.state.catalogue

    def is_erased(self, record: Record) -> bool:
        """Whether an erasure in hand names this record: its body is neither shown nor given."""
        return self.charter is not None and self.charter.erased_fields(record.id, record.header.author) is not None

    def is_bare(self, record: Record) -> bool:
        """Whether a record is kept and given without its body: it was erased, or this replica withholds it.

        Who is given one that is withheld answers `no_body`, and has it from others (SESSION-32).
        """
        return (record.header.subject in self.withheld and record.header.plane == Plane.CATALOGUE) or self.is_erased(
            record
        )

    def withhold(self, subject: bytes, *, away: bool) -> int:
        """Keep no body about a subject from now on, or (`away` False) ask for them again; how many it is about."""
        about = self._store.about(self.commons, [subject]).get(subject, [])
        ids = [record.id for record in about]
        with self._changing():
            self.withheld = self.withheld | {subject} if away else self.withheld - {subject}
            put_withheld(self._store, self.commons, self.withheld)
            if away:
                self._store.erase_bodies(self.commons, ids)
                self._want_no_more(ids)
            else:
                self._set_wanted(self.wanted | {r.id for r in about if r.body is None and not self.is_erased(r)})
            self._refold([subject] if ids else [])
        self._changed(0, [subject] if ids else [])
        return len(ids)

    def take(
        self,
        records: Sequence[Sealed],
        trees: Mapping[Seal, Mapping[Span, bytes]],
        now_ms: int,
        known: Mapping[RecordId, Any] = _NOTHING_READ,
        first: bool = False,
    ) -> Receipt:
        """Keep what of these checked records belongs in the sets; say what was refused and why.

        `trees`: what their packs told of the trees they were sealed in. `known`: of bodies that were read before,
        what `Meaning.single_row` need not read again. `first`: nothing is here about any of their subjects.
        """
        self._now_ms = now_ms
        refused: dict[bytes, str] = {}
        absent = self._absent(records)
        if self._charter_lost:  # who may write cannot be said: nothing is taken, and nothing let go, on half a charter
            return Receipt(0, dict.fromkeys(absent, "paused"))
        new = 0
        charter = [s for s in absent.values() if s.record.header.plane == Plane.CHARTER]
        others = [s for s in absent.values() if s.record.header.plane != Plane.CHARTER]
        for sealed in self._acceptable(charter, refused, now_ms):
            if not self._await_judgement(sealed, trees):
                refused[sealed.record.id] = "paused"
        # First the charter, which says who may write the others. While only it comes, many frames are judged at once.
        if (charter and others) or self._waiting.is_due(self.state.charter.count):
            new += self._judge()
        fresh = self._acceptable(others, refused, now_ms)
        if fresh:
            self._keep(fresh, trees, known, first)
            new += len(fresh)
        return Receipt(new, refused, [identifier for identifier in absent if identifier not in refused])

    def _absent(self, records: Sequence[Sealed]) -> dict[bytes, Sealed]:
        """Those neither here nor waiting, each once. What is here may have come to give a lost body back."""
        absent: dict[bytes, Sealed] = {s.record.id: s for s in self._store.absent(self.commons, records)}
        if self.wanted and len(absent) < len(records):
            self._give_back_bodies([sealed.record for sealed in records if sealed.record.id not in absent])
        if len(self._waiting):
            absent = {identifier: sealed for identifier, sealed in absent.items() if identifier not in self._waiting}
        return absent

    def _acceptable(self, records: Sequence[Sealed], refused: dict[bytes, str], now_ms: int) -> list[Sealed]:
        fresh = []
        for sealed in records:
            code = self._refusal(sealed, now_ms)
            if code is None:
                fresh.append(sealed)
            else:
                refused[sealed.record.id] = code
        return fresh

    def _refusal(self, sealed: Sealed, now_ms: int) -> str | None:
        record = sealed.record
        header = record.header
        if is_later(header.time, now_ms):
            return "later"
        if header.plane not in SYNCED_PLANES:
            return "plane_not_kept"
        if header.plane == Plane.CATALOGUE:
            if self.charter is None or header.author not in self.charter.admitted:
                return "not_admitted"
            if record.body is None and not self.is_bare(record):
                return "no_body"
        elif record.body is None:
            return "no_body"
        return None

    def _await_judgement(self, sealed: Sealed, trees: Mapping[Seal, Mapping[Span, bytes]]) -> bool:
        tree = trees.get(sealed.seal, {})
        if self._waiting.put(sealed, tree):
            return True
        self.settle()  # what strangers left here must not keep others out
        return self._waiting.put(sealed, tree)

    def settle(self) -> dict[bytes, str]:
        """The end of a stream of plane 0: what of it is not admitted is answered and let go.

        Records whose past is not here yet are kept a while, at most `UNGROUNDED_MAX`.
        """
        if not len(self._waiting) or self._charter_lost:
            return {}
        if self._waiting.is_unjudged:
            self._judge()
        return dict.fromkeys(self._waiting.let_go(self._ungrounded), "not_admitted")

    def missing(self, of: Iterable[bytes]) -> Sequence[bytes]:
        """Ids that these records, waiting for their past, name and that are not here."""
        known = frozenset() if self.charter is None else self.charter.set_ids
        return self._waiting.missing(of, known)

    def _judge(self) -> int:
        """Let in what the charter's sets now hold, and let go what they no longer hold."""
        before = self.charter
        kept: Sequence[Record] = ()
        judged = None if before is None else self._meaning.grown(before, self._waiting.records())
        if judged is None:
            kept = self._store.charter(self.commons)
            judged = self._meaning.judge([*kept, *self._waiting.records()], self.commons)
        leaving = sorted(before.set_ids - judged.set_ids) if before else []
        unadmitted = sorted(before.admitted - judged.admitted) if before else []
        if (leaving or unadmitted) and (damaged := [record.id for record in kept if not _is_whole(record)]):
            self.lose_bodies(damaged)  # a fault of this disk, not a purge: nothing goes for that
            return 0
        self._waiting.judged()
        self._ungrounded = judged.ungrounded
        entering = self._waiting.among(judged.set_ids)
        if not entering:
            return 0
        with self._changing():
            self.charter = judged
            self._store.put_records(self.commons, entering, self._waiting.trees)
            self.state = replace(
                self.state,
                charter=remove(add(self.state.charter, [s.record.id for s in entering]), leaving),
            )
            self._sketches.leave(Plane.CHARTER, leaving, self.state.charter.count + len(leaving))
            self._store.drop_records(self.commons, leaving)
            self._want_no_more(leaving)
            touched = self._drop_authors(unadmitted) | self._erase_and_restore(before, judged)
            touched |= self._count_anew(before, judged) | self._hide_and_show(before, judged)
            self._refold(touched)
        self._sketches.left()
        self._waiting.admit(entering)
        self._index(Plane.CHARTER, entering, leaving)
        self._changed(len(entering), sorted(touched), _ids(entering))
        return len(entering)

    def _drop_authors(self, authors: Sequence[bytes]) -> set[bytes]:
        """These keys are purged: their catalogue records go; the entries they were about."""
        if not authors:
            return set()
        subjects: set[bytes] = set()
        purged = self._store.authored(self.commons, authors)
        self._sketches.leave(Plane.CATALOGUE, purged, self.state.catalogue.count)
        for ids in _steps(purged):
            subjects.update(sealed.record.header.subject for sealed in self._store.sealed(ids))
            self._store.drop_records(self.commons, ids)
            self.state = replace(self.state, catalogue=remove(self.state.catalogue, ids))
        self._want_no_more(purged)
        self._ranges.pop(Plane.CATALOGUE, None)  # read again from the store at the next opening
        return subjects

    def _erase_and_restore(self, before: C | None, after: C) -> set[bytes]:
        """Hide what is erased from now on, and show again what is not any more; the entries they were about."""
        found = newly_erased(self._store, before, after)
        quarantine(self._store, self.commons, found.hidden, found.shown, self._now_ms)
        self._want_no_more(found.hidden)
        if found.lost:
            lost = (sealed.record for sealed in self._store.sealed(sorted(found.lost)))
            self._set_wanted(self.wanted | {record.id for record in lost if not self.is_bare(record)})
        return found.subjects

    def _reaching(self, judged: C) -> C:
        """A charter that knows what of the catalogue here counts of persons who are out."""
        self._reached = self._reached.under(judged.limits, self._store, self.commons)
        return judged.reaching(self._reached.by_key) if judged.limits else judged

    def _count_anew(self, before: C | None, after: C) -> set[bytes]:
        """Go by the new charter; the entries with records that count from now on, or count no more."""
        self.charter = after = self._reaching(after)
        if before is None or not (before.limits or after.limits):
            return set()
        keys = before.limits.keys() | after.limits.keys()
        some = [key for key in sorted(keys) if before.limits.get(key) != after.limits.get(key)]
        subjects: set[bytes] = set()
        for ids in _steps([*self._store.authored(self.commons, some), *sorted(before.kept ^ after.kept)]):
            for record in (sealed.record for sealed in self._store.sealed(ids)):
                name = record.id, record.header.author
                if record.header.plane == Plane.CATALOGUE and before.counts(*name) != after.counts(*name):
                    subjects.add(record.header.subject)
        return subjects

    def _hide_and_show(self, before: C | None, after: C) -> set[bytes]:
        """The entries kept here that are hidden from now on, or are so no more."""
        changed = after.hidden if before is None else before.hidden ^ after.hidden
        return set(self._store.entries(self.commons, sorted(changed))) if changed else set()

    def ranges(self, plane: int) -> RangeIndex:
        """The places of one set; built at the first opening, kept up from then on."""
        index = self._ranges.get(plane)
        if index is None:
            index = RangeIndex()
            places = keys(self._store, self.commons, plane)
            while some := list(islice(places, _KEYS_PER_READ)):
                index.add(some)
            self._ranges[plane] = index
        return index

    def sketch(self, plane: int) -> Sketch:
        """The coded symbols of one set, now; brought up at each opening."""
        return self._sketches.copy(plane, self.set_state(plane).count)

    def _give_back_bodies(self, records: Sequence[Record]) -> None:
        back = [record for record in records if record.id in self.wanted and record.body is not None]
        if not back:
            return
        subjects = sorted({record.header.subject for record in back if record.header.plane == Plane.CATALOGUE})
        with self._changing():
            self._store.put_bodies(back)
            self._want_no_more([record.id for record in back])
            self._refold(subjects)
        self._changed(0, subjects)
        if self._charter_lost:
            self._give_back_charter({record.id for record in back})

    def _give_back_charter(self, ids: set[bytes]) -> None:
        self._charter_lost -= ids
        if self._charter_lost or self.charter is None:
            return
        whole = self._meaning.judge(self._store.charter(self.commons), self.commons)
        if whole.digest != self.charter.digest:  # this node started while the charter was not whole
            self.charter = self._reaching(whole)
            self.rebuild()

    def lose_bodies(self, ids: Iterable[bytes]) -> None:
        """Bodies found damaged: put them on the list of wanted ones. While one of the charter is, nothing is taken."""
        lost = [s.record for s in self._store.sealed(sorted(set(ids))) if commons_of(s.record) == self.commons]
        subjects = sorted({record.header.subject for record in lost if record.header.plane == Plane.CATALOGUE})
        with self._changing():
            self._store.erase_bodies(self.commons, [record.id for record in lost])
            self._set_wanted(self.wanted | {record.id for record in lost if not self.is_bare(record)})
            self._refold(subjects)
            self._charter_lost |= {record.id for record in lost if record.header.plane == Plane.CHARTER}
        self._changed(0, subjects)

    def _want_no_more(self, ids: Iterable[bytes]) -> None:
        left = self.wanted.difference(ids)
        if left != self.wanted:
            self._set_wanted(left)

    def _set_wanted(self, ids: frozenset[bytes]) -> None:
        self.wanted = ids
        self.state = replace(self.state, bodies_missing=len(ids))
        put_wanted(self._store, self.commons, ids)

    def sweep(self, now_ms: int) -> int:
        """Take the bytes of what has been erased for 30 days and still is; returns how many bodies went."""
        self._ranges.clear()  # 43 bytes a record that are seldom asked for: read again at the next large difference
        found = [s.record for s in self._store.sealed(due(self._store, self.commons, now_ms))]
        gone = [record.id for record in found if self.is_erased(record)]
        if found:
            with self._store.transaction():
                self._store.erase_bodies(self.commons, gone)
                release(self._store, self.commons, now_ms)
        return len(gone)

    def rebuild(self, progress: Callable[[int], None] = lambda done: None) -> Digest:
        """Make all rows and sums of views anew from the records; the digest must come out as before."""
        if self.charter is None:
            return self.digest()
        done: set[bytes] = set()
        after: Key | None = None
        with self._changing():
            self._store.forget_entries(self.commons)
            forget_sketches(self._store, self.commons)
            self.state = replace(self.state, charter=EMPTY, catalogue=EMPTY, views=0, entries=0)
            self.state = replace(self.state, charter=add(EMPTY, [r.id for r in self._store.charter(self.commons)]))
            while page := self._store.page(self.commons, Plane.CATALOGUE, after, records_max=4096, bytes_max=1 << 24):
                last = page[-1].record
                after = Key(last.header.time, last.id)
                self.state = replace(self.state, catalogue=add(self.state.catalogue, [s.record.id for s in page]))
                subjects = {s.record.header.subject for s in page} - done
                done |= subjects
                self._refold(subjects)
                progress(self.state.catalogue.count)
            assert self.charter is not None
            self.state = self._views.tend(self.state, self.charter)
        self._ranges.clear()
        self._sketches.forget()
        self._changed(0, [])
        return self.digest()

    def _keep(
        self,
        records: Sequence[Sealed],
        trees: Mapping[Seal, Mapping[Span, bytes]],
        read: Mapping[RecordId, Any],
        first: bool,
    ) -> None:
        assert self.charter is not None, "nothing of plane 1 is acceptable without a charter"
        if self.charter.erasures or self.withheld:
            records = [_without_body(s) if self.is_bare(s.record) else s for s in records]
        by_subject: dict[bytes, list[Record]] = {}
        for sealed in records:
            by_subject.setdefault(sealed.record.header.subject, []).append(sealed.record)
        known = {} if first else self._store.entries(self.commons, by_subject)
        charter, reached, others = self._reach_on(self.charter, [sealed.record for sealed in records])
        single_row = self._meaning.single_row
        singles: list[EntryRow] = []
        for subject, found in by_subject.items():
            one = found[0]
            plain = len(found) == 1 and subject not in known and one.body is not None and subject not in charter.hidden
            if not plain or not charter.counts(one.id, one.header.author):
                others.add(subject)
            else:
                singles.append(single_row(one, read.get(one.id)))
        with self._changing():
            self.charter, self._reached = charter, reached
            self._store.put_records(self.commons, records, trees)
            self.state = replace(self.state, catalogue=add(self.state.catalogue, [s.record.id for s in records]))
            self.state = self._views.put(self.state, singles, {})
            self._refold(others)
        self._index(Plane.CATALOGUE, records, ())
        self._sketches.arrived(Plane.CATALOGUE, self.state.catalogue.count)
        self._changed(len(records), sorted(others | by_subject.keys()) if others else list(by_subject), _ids(records))

    def _reach_on(self, charter: C, records: Sequence[Record]) -> tuple[C, Reached, set[bytes]]:
        """What counts with these new records: the charter that knows it, and entries that others of these touch."""
        reached = self._reached.with_new(records, self._store, self.commons)
        if reached is self._reached:
            return charter, reached, set()
        new = {record.id for record in records}
        more = [ids - self._reached.by_key[key] - new for key, ids in reached.by_key.items()]
        here = (
            sealed.record.header.subject
            for ids in _steps(sorted(set().union(*more)))
            for sealed in self._store.sealed(ids)
        )
        return charter.reaching(reached.by_key), reached, set(here)

    def _refold(self, subjects: Iterable[bytes]) -> None:
        if self.charter is not None:
            self.state = self._views.fold(self.state, subjects, self.charter)

    @property
    def late(self) -> bool:
        """Whether `tend` has anything to do."""
        return bool(self._views.late)

    def tend(self) -> bool:
        """Fold the entries that were put off for their many records; whether there were any."""
        if self.charter is None or not self._views.late:
            return False
        late = sorted(self._views.late)
        with self._changing():
            self.state = self._views.tend(self.state, self.charter)
        self._changed(0, late)
        return True

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction; if it fails (a full disk), memory goes back to what is on disk."""
        before = (
            self.state, self.charter, self._reached, self.wanted, self.withheld, self._charter_lost, self._views.late,
        )  # fmt: skip
        try:
            with self._store.transaction():
                yield
                self._store.put_state(self.commons, self.state)
        except BaseException:
            (
                self.state, self.charter, self._reached, self.wanted, self.withheld, self._charter_lost,
                self._views.late,
            ) = before  # fmt: skip
            self._ranges.clear()
            self._sketches.forget()
            raise

    def _changed(self, records: int, subjects: Sequence[bytes], ids: Growing = ()) -> None:
        self.number += 1
        self.packer.forget()
        self._digest = self._summed()
        told = None if len(ids) > NEWS_IDS_MAX or (records and not ids) else tuple(ids)
        self._changes.append(Change(self.commons, records, subjects, Growth(self.number, told)))

    def _summed(self) -> Digest:
        if self.charter is None:
            return Digest(0, bytes(32), 0, 0, bytes(32))
        summed = self.state
        return Digest(
            records=summed.charter.count + summed.catalogue.count,
            fingerprint=fingerprint(published(summed.charter), published(summed.catalogue)),
            bodies_missing=summed.bodies_missing,
            entries=summed.entries,
            state=state(self._meaning.vocabulary_version, self.charter.digest, summed.views),
        )

    def _index(self, plane: int, records: Sequence[Sealed], leaving: Sequence[bytes]) -> None:
        index = self._ranges.get(plane)
        if index is None:
            return
        if leaving:
            self._ranges.pop(plane)
            return
        index.add([Key(s.record.header.time, s.record.id) for s in records])


def _ids(records: Sequence[Sealed]) -> Growing:
    return [(sealed.record.header.plane, sealed.record.id) for sealed in records]


def _without_body(sealed: Sealed) -> Sealed:
    return sealed._replace(record=sealed.record._replace(salt=None, body=None))


def _is_whole(record: Record) -> bool:
    salt, body = record.salt, record.body
    return salt is not None and body is not None and body_hash(salt, body) == record.header.body_hash


def _steps(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _IDS_PER_STEP):
        yield list(items[start : start + _IDS_PER_STEP])
