"""A node's replica: takes records from peers and from its own person, and keeps sets, views and sums true.

Driven by one thread: each call runs to completion, and what it wrote is durable when it returns. Knows no
socket and no clock; the store is asked through `sync.storage`, what records mean through `sync.meaning`.
Chapters 12 (times, chains), 21 (sets) and 30 (digests, answers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple

from p2pcommons.core.clock import from_ms, is_later, next_time
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import (
    AHEAD_MS_MAX,
    PENDING_BYTES_MAX,
    SALT_BYTES,
    TREE_LEAVES_AIM,
    UNGROUNDED_MAX,
)
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import (
    ZEROS,
    CommonsId,
    Plane,
    Record,
    RecordId,
    build,
    commons_of,
)
from p2pcommons.core.seal import Pack, Seal, Sealed, read_pack, seal
from p2pcommons.errors import FormError, LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.bodies import due, put_wanted, quarantine, release, wanted
from p2pcommons.sync.digest import EMPTY, add, fingerprint, published, remove, state
from p2pcommons.sync.meaning import C, Meaning
from p2pcommons.sync.packing import Packer, weight
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.storage import CommonsState, EntryRow, Key, SetState, Store
from p2pcommons.sync.verified import VerifiedSeals

SYNCED_PLANES = (Plane.CHARTER, Plane.CATALOGUE)
_NOTHING = CommonsState(EMPTY, EMPTY, 0, 0, 0)
_VIEWS_MODULUS = 1 << 256
_KEYS_PER_READ = 20_000  # places read at once when a range index is built: 3 MB of tuples


class Draft(NamedTuple):
    """A record still to be signed. `body` is canonical."""

    plane: int
    subject: bytes
    prev: Sequence[bytes]
    kind: str
    body: bytes


class Receipt(NamedTuple):
    """What became of packs: records new here, and those refused with a code (chapter 30)."""

    new: int
    refused: Mapping[bytes, str]


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


@dataclass(slots=True)
class _Followed(Generic[C]):
    """What is held in memory of one followed commons."""

    state: CommonsState
    charter: C | None
    pending: dict[bytes, Sealed] = field(default_factory=dict)  # plane 0, not judged or not grounded yet
    pending_trees: dict[Seal, dict[Span, bytes]] = field(default_factory=dict)
    ranges: dict[int, RangeIndex] = field(default_factory=dict)
    wanted: frozenset[bytes] = frozenset()  # records whose body was lost here
    number: int = 0
    digest: Digest | None = None


class Replica(Generic[C]):
    """All the commons that one node follows."""

    def __init__(self, store: Store, meaning: Meaning[C], random: Callable[[int], bytes]) -> None:
        self._store = store
        self._meaning = meaning
        self._random = random
        self._verified = VerifiedSeals()
        self._last: dict[tuple[bytes, int, bytes], Key | None] = {}
        self._held: dict[CommonsId, _Followed[C]] = {}
        self._packer = Packer(store)
        self.changes: list[Change] = []
        """What changed since the driver last emptied this list."""
        for commons in store.followed():
            self._held[commons] = self._load(commons)

    # -- following

    def followed(self) -> list[CommonsId]:
        """The commons this node keeps."""
        return list(self._held)

    def follow(self, commons: CommonsId) -> None:
        """Keep a commons from now on; it waits until a peer brings it."""
        if commons not in self._held:
            with self._store.transaction():
                self._store.follow(commons)
            self._held[commons] = self._load(commons)

    def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons and all its records on this node."""
        if commons in self._held:
            with self._store.transaction():
                self._store.unfollow(commons)
                for plane in SYNCED_PLANES:
                    self._store.put_value(_cursor_name(commons, plane), None)
            del self._held[commons]
            self._last = {name: key for name, key in self._last.items() if name[0] != commons}

    # -- what is here

    def charter(self, commons: CommonsId) -> C | None:
        """The charter, or None while nothing of this commons is here."""
        return self._of(commons).charter

    def digest(self, commons: CommonsId) -> Digest:
        """One consistent moment of one commons; from memory, safe to call from any thread."""
        held = self._of(commons)
        if held.digest is None:
            held.digest = self._digest(held)
        return held.digest

    def state_number(self, commons: CommonsId) -> int:
        """Grows with every change of the commons' sets."""
        return self._of(commons).number

    def history(self, commons: CommonsId, subject: bytes) -> list[Record]:
        """All records kept about one subject, in order of (time, id)."""
        found = self._store.about(commons, [subject]).get(subject, [])
        return sorted(found, key=lambda r: (r.header.time, r.id))

    # -- writing

    def found(self, key: SigningKey, kind: str, body: Mapping[str, Any], now_ms: int) -> CommonsId:
        """Found a commons and follow it; returns its id."""
        time = next_time(now_ms, None)
        record = build(
            commons=ZEROS, plane=Plane.CHARTER, author=key.public, after=ZEROS, time=time, subject=ZEROS,
            prev=(), kind=kind, body=body, salt=self._random(SALT_BYTES),
        )  # fmt: skip
        commons = commons_of(record)
        if not self._meaning.judge([record]).set_ids:
            raise LocalProtocolError("bad_founding", "this founding record does not found a commons")
        self.follow(commons)
        made, sealed = seal(key, [record])
        self._take(commons, sealed, {made: {}}, now_ms)
        self.settle(commons)
        return commons

    def write(self, commons: CommonsId, key: SigningKey, drafts: Sequence[Draft], now_ms: int) -> list[Record]:
        """Sign and keep records of one plane; durable, shown and searchable when this returns."""
        if not drafts:
            return []
        plane = drafts[0].plane
        if any(draft.plane != plane for draft in drafts):
            raise LocalProtocolError("bad_plane", "records written together are of one plane")
        records = self._build(commons, key, plane, drafts, now_ms)
        sealed: list[Sealed] = []
        trees: dict[Seal, dict[Span, bytes]] = {}
        for start in range(0, len(records), TREE_LEAVES_AIM):
            made, tree = seal(key, records[start : start + TREE_LEAVES_AIM])
            self._verified.remember(made)
            trees[made] = {}
            sealed.extend(tree)
        receipt = self._take(commons, sealed, trees, now_ms)
        refused = dict(receipt.refused)
        if plane == Plane.CHARTER:
            refused |= self.settle(commons)
        lost = [record.id for record in records if record.id in refused]
        if lost:
            raise LocalProtocolError(refused[lost[0]], "this key may not write into this commons")
        last = records[-1]
        self._last[commons, plane, key.public] = Key(last.header.time, last.id)
        return records

    def _build(
        self, commons: CommonsId, key: SigningKey, plane: int, drafts: Sequence[Draft], now_ms: int
    ) -> list[Record]:
        chain = self._chain_end(commons, plane, key.public, now_ms)
        after, time = (ZEROS, None) if chain is None else (chain.id, chain.time)
        salts = self._random(SALT_BYTES * len(drafts))
        records: list[Record] = []
        for at, draft in enumerate(drafts):
            time = next_time(now_ms, time)
            record = build(
                commons=commons, plane=plane, author=key.public, after=after, time=time, subject=draft.subject,
                prev=draft.prev, kind=draft.kind, body=draft.body,
                salt=salts[at * SALT_BYTES : (at + 1) * SALT_BYTES],
            )  # fmt: skip
            records.append(record)
            after = record.id
        return records

    def _chain_end(self, commons: CommonsId, plane: int, author: bytes, now_ms: int) -> Key | None:
        # REC: `last` is the greatest time not more than 10 minutes ahead; one signed in 2036 must not brick a key.
        name = (commons, plane, author)
        found = self._last.get(name)
        if found is None or is_later(found.time, now_ms):
            found = self._store.last_of(commons, plane, author, from_ms(now_ms + AHEAD_MS_MAX + 1) - 1)
        return found

    # -- taking from peers

    def receive(self, commons: CommonsId, packs: Sequence[Any], now_ms: int) -> Receipt:
        """Check and keep the packs of one frame. RemoteProtocolError if one of them is bad as a whole."""
        records: list[Sealed] = []
        trees: dict[Seal, dict[Span, bytes]] = {}
        refused: dict[bytes, str] = {}
        for value in packs:
            pack = self._read(commons, value)
            records.extend(pack.records)
            trees.setdefault(pack.seal, {}).update(pack.known)
            refused.update(pack.faults)
        receipt = self._take(commons, records, trees, now_ms)
        return Receipt(receipt.new, refused | dict(receipt.refused))

    def _read(self, commons: CommonsId, value: Any) -> Pack:
        try:
            pack = read_pack(value, self._verified.check)
        except FormError as error:
            raise RemoteProtocolError(error.code, error.detail) from error
        named = (
            CommonsId(pack.records[0].record.id) if pack.seal.commons == ZEROS and pack.records else pack.seal.commons
        )
        if named != commons and pack.records:
            raise RemoteProtocolError("wrong_commons", "a pack of another commons than the one agreed on")
        return pack

    def _take(
        self,
        commons: CommonsId,
        records: Sequence[Sealed],
        trees: Mapping[Seal, Mapping[Span, bytes]],
        now_ms: int,
    ) -> Receipt:
        held = self._of(commons)
        refused: dict[bytes, str] = {}
        fresh: dict[bytes, Sealed] = {}
        present = self._store.present([sealed.record.id for sealed in records])
        self._give_back_bodies(commons, held, [s.record for s in records if s.record.id in present])
        for sealed in records:
            record = sealed.record
            if record.id in present or record.id in fresh or record.id in held.pending:
                continue
            code = self._refusal(held, sealed, now_ms)
            if code is None:
                fresh[record.id] = sealed
            else:
                refused[record.id] = code
        charter = [s for s in fresh.values() if s.record.header.plane == Plane.CHARTER]
        catalogue = [s for s in fresh.values() if s.record.header.plane == Plane.CATALOGUE]
        new = 0
        if charter:
            self._await_judgement(held, charter, trees, refused)
            new += self._judge(commons, held, now_ms)
        if catalogue:
            self._keep(commons, held, Plane.CATALOGUE, catalogue, trees)
            new += len(catalogue)
        return Receipt(new, refused)

    def _refusal(self, held: _Followed[C], sealed: Sealed, now_ms: int) -> str | None:
        record = sealed.record
        header = record.header
        if is_later(header.time, now_ms):
            return "later"
        if header.plane not in SYNCED_PLANES:
            return "plane_not_kept"
        if header.plane == Plane.CATALOGUE:
            if held.charter is None or header.author not in held.charter.admitted:
                return "not_admitted"
            if record.body is None and record.id not in held.charter.erased:
                return "no_body"
        elif record.body is None:
            return "no_body"
        return None

    def _await_judgement(
        self,
        held: _Followed[C],
        records: Sequence[Sealed],
        trees: Mapping[Seal, Mapping[Span, bytes]],
        refused: dict[bytes, str],
    ) -> None:
        room = PENDING_BYTES_MAX - sum(weight(sealed) for sealed in held.pending.values())
        for sealed in records:
            room -= weight(sealed)
            if room < 0:
                refused[sealed.record.id] = "paused"
                continue
            held.pending[sealed.record.id] = sealed
            held.pending_trees.setdefault(sealed.seal, {}).update(trees.get(sealed.seal, {}))

    def settle(self, commons: CommonsId) -> dict[bytes, str]:
        """The end of a stream of plane 0: what of it is not admitted is answered and let go.

        Records whose past is not here yet are kept a while, at most `UNGROUNDED_MAX`.
        """
        held = self._of(commons)
        if not held.pending:
            return {}
        verdict = self._meaning.judge(self._charter_records(commons, held))
        refused: dict[bytes, str] = {}
        kept = 0
        for identifier in list(held.pending):
            waits = identifier in verdict.ungrounded and kept < UNGROUNDED_MAX
            kept += waits
            refused[identifier] = "not_admitted"
            if not waits:
                del held.pending[identifier]
        live = {sealed.seal for sealed in held.pending.values()}
        held.pending_trees = {made: tree for made, tree in held.pending_trees.items() if made in live}
        return refused

    def missing(self, commons: CommonsId) -> list[bytes]:
        """Ids that records waiting for their past name, and that are not here."""
        held = self._of(commons)
        if not held.pending:
            return []
        return sorted(self._meaning.judge(self._charter_records(commons, held)).missing)

    def _charter_records(self, commons: CommonsId, held: _Followed[C]) -> list[Record]:
        return self._store.charter(commons) + [sealed.record for sealed in held.pending.values()]

    def _judge(self, commons: CommonsId, held: _Followed[C], now_ms: int) -> int:
        """Let in what the charter's sets now hold, and let go what they no longer hold."""
        before = held.charter
        judged = self._meaning.judge(self._charter_records(commons, held))
        entering = [sealed for sealed in held.pending.values() if sealed.record.id in judged.set_ids]
        if not entering:
            return 0
        leaving = sorted(before.set_ids - judged.set_ids) if before else []
        unadmitted = sorted(before.admitted - judged.admitted) if before else []
        purged = self._store.authored(commons, unadmitted) if unadmitted else []
        erased = [i for i in judged.erased if before is None or i not in before.erased]
        with self._changing(commons, held):
            held.charter = judged
            self._store.put_records(commons, entering, held.pending_trees)
            held.state = replace(
                held.state,
                charter=remove(add(held.state.charter, [s.record.id for s in entering]), leaving),
            )
            self._store.drop_records(commons, leaving)
            touched = self._drop(commons, held, purged) | self._subjects_of(commons, erased)
            self._refold(commons, held, touched)
            quarantine(self._store, commons, erased, now_ms)
        for sealed in entering:
            del held.pending[sealed.record.id]
        self._index(held, Plane.CHARTER, entering, leaving)
        live = {sealed.seal for sealed in held.pending.values()}
        held.pending_trees = {made: tree for made, tree in held.pending_trees.items() if made in live}
        self._changed(commons, held, len(entering), sorted(touched))
        return len(entering)

    def _drop(self, commons: CommonsId, held: _Followed[C], ids: Sequence[RecordId]) -> set[bytes]:
        if not ids:
            return set()
        gone = self._store.sealed(ids)
        self._store.drop_records(commons, ids)
        held.state = replace(held.state, catalogue=remove(held.state.catalogue, list(ids)))
        held.ranges.pop(Plane.CATALOGUE, None)  # read again from the store at the next opening
        return {sealed.record.header.subject for sealed in gone}

    def _subjects_of(self, commons: CommonsId, ids: Sequence[bytes]) -> set[bytes]:
        found = [s.record for s in self._store.sealed(ids)]
        own = [r for r in found if r.header.plane == Plane.CATALOGUE and commons_of(r) == commons]
        return {record.header.subject for record in own}

    # -- giving to peers

    def opening(self, commons: CommonsId, plane: int) -> tuple[int, bytes]:
        """Count and published digest of one set, now."""
        kept = self._set(commons, plane)
        return kept.count, published(kept)

    def set_state(self, commons: CommonsId, plane: int) -> SetState:
        """One set, summed, now: a session takes what was refused away from it."""
        return self._set(commons, plane)

    def ranges(self, commons: CommonsId, plane: int) -> RangeIndex:
        """The places of one set; built at the first opening, kept up from then on."""
        held = self._of(commons)
        index = held.ranges.get(plane)
        if index is None:
            index = RangeIndex()
            after: Key | None = None
            while keys := self._store.keys(commons, plane, after, _KEYS_PER_READ):
                index.add(keys)
                after = keys[-1]
            held.ranges[plane] = index
        return index

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, bytes_max: int
    ) -> tuple[list[Any], Key | None, bool]:
        """Packs of the next records in order of (time, id), the last place given, and whether more follow."""
        return self._packer.page(commons, plane, after, bytes_max, self._hidden(commons))

    def packs(
        self, commons: CommonsId, plane: int, ids: Sequence[bytes], bytes_max: int
    ) -> tuple[list[Any], list[bytes]]:
        """Packs of the records asked for, as many as fit, and the ids left for the next call."""
        return self._packer.chosen(commons, plane, ids, bytes_max, self._hidden(commons))

    def _hidden(self, commons: CommonsId) -> Mapping[bytes, frozenset[str]]:
        charter = self._of(commons).charter
        return {} if charter is None else charter.erased

    def _set(self, commons: CommonsId, plane: int) -> SetState:
        kept = self._of(commons).state
        return kept.charter if plane == Plane.CHARTER else kept.catalogue

    def cursor(self, commons: CommonsId, plane: int) -> Key | None:
        """How far an unfinished first stream came, or None."""
        kept = self._store.value(_cursor_name(commons, plane))
        return None if kept is None else Key(int.from_bytes(kept[:8], "big"), kept[8:])

    def set_cursor(self, commons: CommonsId, plane: int, key: Key | None) -> None:
        """Remember how far a first stream came; what lies before it is durable already."""
        with self._store.transaction():
            self._store.put_value(
                _cursor_name(commons, plane), None if key is None else key.time.to_bytes(8, "big") + key.id
            )

    # -- bodies lost, bodies erased

    def wanted_bodies(self, commons: CommonsId) -> list[bytes]:
        """Records whose body was lost here and is asked for."""
        return sorted(self._of(commons).wanted)

    def lose_bodies(self, commons: CommonsId, ids: Iterable[bytes]) -> None:
        """Bodies found damaged: put them on the list of wanted ones."""
        held = self._of(commons)
        lost = frozenset(ids)
        with self._changing(commons, held):
            self._store.erase_bodies(commons, sorted(lost))
            self._set_wanted(commons, held, held.wanted | lost)
        self._changed(commons, held, 0, [])

    def _give_back_bodies(self, commons: CommonsId, held: _Followed[C], records: Sequence[Record]) -> None:
        back = [record for record in records if record.id in held.wanted and record.body is not None]
        if not back:
            return
        subjects = sorted({record.header.subject for record in back if record.header.plane == Plane.CATALOGUE})
        with self._changing(commons, held):
            self._store.put_bodies(back)
            self._set_wanted(commons, held, held.wanted - {record.id for record in back})
            self._refold(commons, held, subjects)
        self._changed(commons, held, 0, subjects)

    def _set_wanted(self, commons: CommonsId, held: _Followed[C], ids: frozenset[bytes]) -> None:
        held.wanted = ids
        held.state = replace(held.state, bodies_missing=len(ids))
        put_wanted(self._store, commons, ids)

    def sweep(self, commons: CommonsId, now_ms: int) -> int:
        """Take the bytes of what has been erased for 30 days and still is; returns how many bodies went."""
        held = self._of(commons)
        gone = (
            [] if held.charter is None else [i for i in due(self._store, commons, now_ms) if i in held.charter.erased]
        )
        if gone:
            with self._store.transaction():
                self._store.erase_bodies(commons, gone)
                release(self._store, commons, now_ms)
        return len(gone)

    # -- upkeep

    def rebuild(self, commons: CommonsId, progress: Callable[[int], None] = lambda done: None) -> Digest:
        """Make all rows and sums of views anew from the records; the digest must come out as before."""
        held = self._of(commons)
        if held.charter is None:
            return self.digest(commons)
        done: set[bytes] = set()
        after: Key | None = None
        with self._changing(commons, held):
            self._store.clear_entries(commons)
            held.state = replace(held.state, charter=EMPTY, catalogue=EMPTY, views=0, entries=0)
            held.state = replace(held.state, charter=add(EMPTY, [r.id for r in self._store.charter(commons)]))
            while page := self._store.page(commons, Plane.CATALOGUE, after, records_max=4096, bytes_max=1 << 24):
                last = page[-1].record
                after = Key(last.header.time, last.id)
                held.state = replace(held.state, catalogue=add(held.state.catalogue, [s.record.id for s in page]))
                subjects = {s.record.header.subject for s in page} - done
                done |= subjects
                self._refold(commons, held, subjects)
                progress(held.state.catalogue.count)
        held.ranges.clear()
        self._changed(commons, held, 0, [])
        return self.digest(commons)

    # -- keeping

    def _keep(
        self,
        commons: CommonsId,
        held: _Followed[C],
        plane: int,
        records: Sequence[Sealed],
        trees: Mapping[Seal, Mapping[Span, bytes]],
    ) -> None:
        by_subject: dict[bytes, list[Record]] = {}
        for sealed in records:
            by_subject.setdefault(sealed.record.header.subject, []).append(sealed.record)
        known = self._store.entries(commons, by_subject)
        assert held.charter is not None
        erased = held.charter.erased
        singles: list[EntryRow] = []
        others: set[bytes] = set()
        for subject, found in by_subject.items():
            if subject in known or len(found) > 1 or found[0].body is None or found[0].id in erased:
                others.add(subject)
            else:
                singles.append(self._meaning.single_row(found[0]))
        with self._changing(commons, held):
            self._store.put_records(commons, records, trees)
            held.state = replace(held.state, catalogue=add(held.state.catalogue, [s.record.id for s in records]))
            self._put_rows(commons, held, singles, {})
            self._refold(commons, held, others)
        self._index(held, plane, records, ())
        self._changed(commons, held, len(records), list(by_subject))

    def _refold(self, commons: CommonsId, held: _Followed[C], subjects: Iterable[bytes]) -> None:
        wanted = sorted(subjects)
        if not wanted or held.charter is None:
            return
        known = self._store.entries(commons, wanted)
        about = self._store.about(commons, wanted)
        rows = [self._meaning.row(subject, about.get(subject, []), held.charter) for subject in wanted]
        self._put_rows(commons, held, rows, known)

    def _put_rows(
        self, commons: CommonsId, held: _Followed[C], rows: Sequence[EntryRow], known: Mapping[bytes, Any]
    ) -> None:
        if not rows:
            return
        views = held.state.views
        shown = held.state.entries
        for row in rows:
            before = known.get(row.subject)
            if before is not None:
                views -= int.from_bytes(before.digest, "big")
                shown -= before.shown
            views += int.from_bytes(row.digest, "big")
            shown += row.document is not None
        held.state = replace(held.state, views=views % _VIEWS_MODULUS, entries=shown)
        self._store.put_entries(commons, rows)

    @contextmanager
    def _changing(self, commons: CommonsId, held: _Followed[C]) -> Iterator[None]:
        """One transaction; if it fails (a full disk), memory goes back to what is on disk."""
        state, charter, wanted = held.state, held.charter, held.wanted
        try:
            with self._store.transaction():
                yield
                self._store.put_state(commons, held.state)
        except BaseException:
            held.state, held.charter, held.wanted = state, charter, wanted
            held.ranges.clear()
            raise

    def _changed(self, commons: CommonsId, held: _Followed[C], records: int, subjects: Sequence[bytes]) -> None:
        held.number += 1
        self._packer.forget()
        held.digest = self._digest(held)
        self.changes.append(Change(commons, records, subjects))

    def _digest(self, held: _Followed[C]) -> Digest:
        if held.charter is None:
            return Digest(0, bytes(32), 0, 0, bytes(32))
        summed = held.state
        return Digest(
            records=summed.charter.count + summed.catalogue.count,
            fingerprint=fingerprint(published(summed.charter), published(summed.catalogue)),
            bodies_missing=summed.bodies_missing,
            entries=summed.entries,
            state=state(self._meaning.vocabulary_version, held.charter.digest, summed.views),
        )

    def _index(self, held: _Followed[C], plane: int, records: Sequence[Sealed], leaving: Sequence[bytes]) -> None:
        index = held.ranges.get(plane)
        if index is None:
            return
        if leaving:
            held.ranges.pop(plane)
            return
        index.add([Key(s.record.header.time, s.record.id) for s in records])

    def _load(self, commons: CommonsId) -> _Followed[C]:
        kept = self._store.state(commons)
        if kept is None:
            return _Followed(_NOTHING, None)
        judged = self._meaning.judge(self._store.charter(commons))
        return _Followed(kept, judged, wanted=wanted(self._store, commons))

    def _of(self, commons: CommonsId) -> _Followed[C]:
        held = self._held.get(commons)
        if held is None:
            raise LocalProtocolError("unknown_commons", "this node does not follow that commons")
        return held


def _cursor_name(commons: bytes, plane: int) -> str:
    return f"cursor/{commons.hex()}/{plane}"
