"""A node's replica: takes records from peers and from its own person, for all the commons it follows.

Driven by one thread: each call runs to completion, and what it wrote is durable when it returns. Knows no
socket and no clock; the store is asked through `sync.storage`, what records mean through `sync.meaning`.
Chapters 12 (times, chains) and 30.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple

from p2pcommons.core.clock import from_ms, is_later, next_time
from p2pcommons.core.identity import SigningKey, verify
from p2pcommons.core.limits import AHEAD_MS_MAX, SALT_BYTES, TIME_MAX, TREE_LEAVES_AIM
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import ZEROS, CommonsId, Plane, Record, RecordId, build, commons_of
from p2pcommons.core.seal import Pack, Seal, Sealed, Verifier, read_pack, seal
from p2pcommons.errors import FormError, LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.bodies import forget
from p2pcommons.sync.chains import Chains, Fork
from p2pcommons.sync.digest import published
from p2pcommons.sync.holding import SYNCED_PLANES, Change, Digest, Holding, Receipt
from p2pcommons.sync.library import NUMBER_BITS
from p2pcommons.sync.meaning import C, Meaning
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.sketches import forget as forget_sketches
from p2pcommons.sync.spread import Spread
from p2pcommons.sync.storage import Key, SetState, Store
from p2pcommons.sync.verified import VerifiedSeals


class Draft(NamedTuple):
    """A record still to be signed. `body` is canonical.

    `known`: what `Meaning.single_row` need not read again of the body, where the writer has that at hand.
    """

    plane: int
    subject: bytes
    prev: Sequence[bytes]
    kind: str
    body: bytes
    known: Any = None
    first: bool = False
    """Whether its writer looked, in this very step, and found nothing about the subject."""


class Replica(Generic[C]):
    """All the commons that one node follows."""

    def __init__(
        self, store: Store, meaning: Meaning[C], random: Callable[[int], bytes], verify: Verifier = verify
    ) -> None:
        self._store = store
        self._meaning = meaning
        self._random = random
        self._verified = VerifiedSeals(verify)
        self._spreads: dict[CommonsId, Spread] = {}
        self._last: dict[tuple[bytes, int, bytes], Key] = {}
        self._chains = Chains()
        self.watched: frozenset[bytes] = frozenset()
        """Keys whose chains are watched for forks: this person's own."""
        self.forks: list[Fork] = []
        """Forks of watched chains found since the driver last emptied this list."""
        self.changes: list[Change] = []
        """What changed since the driver last emptied this list."""
        self.pauses = False
        """While set, records from elsewhere are answered `paused` and not kept: the disk is nearly full, say."""
        self._follows = 0
        self._held = {commons: self._holding(commons) for commons in store.followed()}

    def _holding(self, commons: CommonsId) -> Holding[C]:
        self._follows += 1
        return Holding(commons, self._store, self._meaning, self.changes, self._follows << NUMBER_BITS)

    def restore(self) -> None:
        """Read anew what is kept: what was written last did not become durable after all.

        All commons are as if they were followed anew, so that sessions begin again with what is there.
        """
        self.changes.clear()
        self.forks.clear()
        self._last.clear()
        self._chains = Chains()
        self._spreads.clear()
        self._held = {commons: self._holding(commons) for commons in self._store.followed()}
        for key in self.watched:
            self.watch(key)

    def followed(self) -> list[CommonsId]:
        """The commons this node keeps."""
        return list(self._held)

    def follow(self, commons: CommonsId) -> None:
        """Keep a commons from now on; it waits until a peer brings it."""
        if commons not in self._held:
            with self._store.transaction():
                self._store.follow(commons)
            self._held[commons] = self._holding(commons)

    def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons and all its records on this node."""
        if commons in self._held:
            with self._store.transaction():
                self._store.unfollow(commons)
                for plane in SYNCED_PLANES:
                    self._store.put_value(_cursor_name(commons, plane), None)
                forget(self._store, commons)
                forget_sketches(self._store, commons)
            del self._held[commons]
            self._spreads.pop(commons, None)
            self._last = {name: key for name, key in self._last.items() if name[0] != commons}

    def charter(self, commons: CommonsId) -> C | None:
        """The charter, or None while nothing of this commons is here."""
        return self._of(commons).charter

    def charters(self) -> dict[bytes, C]:
        """The charters that are here, by commons; safe to call from any thread."""
        return {commons: held.charter for commons, held in list(self._held.items()) if held.charter is not None}

    def announced(self) -> list[tuple[CommonsId, str]]:
        """The followed commons that anybody may hear of, and their names."""
        charters = [(commons, held.charter) for commons, held in self._held.items()]
        return [(commons, charter.name) for commons, charter in charters if charter is not None and charter.announced]

    def digest(self, commons: CommonsId) -> Digest:
        """One consistent moment of one commons; from memory, safe to call from any thread."""
        return self._of(commons).digest()

    def state_number(self, commons: CommonsId) -> int:
        """Grows with every change of the commons' sets."""
        return self._of(commons).number

    def history(self, commons: CommonsId, subject: bytes) -> list[Record]:
        """All records kept about one subject, in order of (time, id)."""
        found = self._store.about(commons, [subject]).get(subject, [])
        return sorted(found, key=lambda r: (r.header.time, r.id))

    def found(self, key: SigningKey, kind: str, body: Mapping[str, Any], now_ms: int) -> CommonsId:
        """Found a commons and follow it; returns its id."""
        time = next_time(now_ms, None)
        record = build(
            commons=ZEROS, plane=Plane.CHARTER, author=key.public, after=ZEROS, time=time, subject=ZEROS,
            prev=(), kind=kind, body=body, salt=self._random(SALT_BYTES),
        )  # fmt: skip
        commons = commons_of(record)
        if not self._meaning.judge([record], commons).set_ids:
            raise LocalProtocolError("bad_founding", "this founding record does not found a commons")
        self.follow(commons)
        made, sealed = seal(key, [record])
        self._of(commons).take(sealed, {made: {}}, now_ms)
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
        known = {record.id: draft.known for record, draft in zip(records, drafts, strict=True)}
        receipt = self._of(commons).take(sealed, trees, now_ms, known, all(draft.first for draft in drafts))
        refused = dict(receipt.refused)
        if plane == Plane.CHARTER:
            refused |= self.settle(commons)
        lost = [record.id for record in records if record.id in refused]
        if lost:
            raise LocalProtocolError(refused[lost[0]], "this key may not write into this commons")
        self.spread(commons).wrote([record.id for record in records], now_ms)
        self._watch(commons, records, now_ms)
        last = records[-1]
        self._last[commons, plane, key.public] = Key(last.header.time, last.id)
        return records

    def watch(self, key: bytes) -> None:
        """Tell of forks in this key's chains from now on."""
        self.watched |= {key}
        for commons in self._held:
            for plane in SYNCED_PLANES:
                last = self._store.last_of(commons, plane, key, TIME_MAX)
                if last is not None:
                    now_ms = last.time >> 16  # nothing is known yet that could be ahead of it
                    self._watch(commons, [sealed.record for sealed in self._store.sealed([last.id])], now_ms)

    def _watch(self, commons: CommonsId, records: Iterable[Record], now_ms: int) -> None:
        for record in records:
            if record.header.author in self.watched:
                fork = self._chains.note(commons, record, now_ms)
                self.forks += [fork] if fork is not None else []

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

    def receive(self, commons: CommonsId, packs: Sequence[Any], now_ms: int) -> Receipt:
        """Check and keep the packs of one frame. RemoteProtocolError if one of them is bad as a whole."""
        records: list[Sealed] = []
        trees: dict[Seal, dict[Span, bytes]] = {}
        refused: dict[bytes, str] = {}
        contents: dict[RecordId, Any] = {}
        for value in packs:
            pack = self._read(commons, value)
            contents.update(pack.contents)
            records.extend(pack.records)
            trees.setdefault(pack.seal, {}).update(pack.known)
            refused.update(pack.faults)
        if self.pauses:
            identifiers = [sealed.record.id for sealed in records]
            present = self._store.present(identifiers)
            return Receipt(0, refused | {each: "paused" for each in identifiers if each not in present})
        receipt = self._of(commons).take(records, trees, now_ms, contents)
        own = [sealed.record for sealed in records if sealed.record.header.author in self.watched]
        if own:
            taken = set(receipt.ids)
            self._watch(commons, [record for record in own if record.id in taken], now_ms)
            for record in own:  # another device with this key, or one's own from before: go on behind it
                self._last.pop((commons, record.header.plane, record.header.author), None)
        return Receipt(receipt.new, refused | dict(receipt.refused), receipt.ids)

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

    def opening(self, commons: CommonsId, plane: int) -> tuple[int, bytes]:
        """Count and published digest of one set, now."""
        kept = self.set_state(commons, plane)
        return kept.count, published(kept)

    def set_state(self, commons: CommonsId, plane: int) -> SetState:
        """One set, summed, now: a session takes what was refused away from it."""
        return self._of(commons).set_state(plane)

    def ranges(self, commons: CommonsId, plane: int) -> RangeIndex:
        """The places of one set; built at the first opening, kept up from then on."""
        return self._of(commons).ranges(plane)

    def sketch(self, commons: CommonsId, plane: int) -> Sketch:
        """The coded symbols of one set, now, as a copy."""
        return self._of(commons).sketch(plane)

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        """For each of these beginnings of ids: the ids of the set that begin so."""
        return self._store.named(commons, plane, prefixes)

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, bytes_max: int
    ) -> tuple[list[Any], Key | None, bool]:
        """Packs of the next records in order of (time, id), the last place given, and whether more follow."""
        held = self._of(commons)
        page = held.packer.page(commons, plane, after, bytes_max, held.is_bare)
        self._note_damage(held)
        return page

    def packs(
        self, commons: CommonsId, plane: int, ids: Sequence[bytes], bytes_max: int
    ) -> tuple[list[Any], list[bytes]]:
        """Packs of the records asked for, as many as fit, and the ids left for the next call."""
        held = self._of(commons)
        chosen = held.packer.chosen(commons, plane, ids, bytes_max, held.is_bare)
        self._note_damage(held)
        return chosen

    def _note_damage(self, held: Holding[C]) -> None:
        # SEAL-12: a body that a disk changed is not offered, and is asked for like any other that was lost.
        if found := held.packer.damaged():
            held.lose_bodies(found)

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

    def settle(self, commons: CommonsId) -> dict[bytes, str]:
        """The end of a stream of plane 0: what of it is not admitted."""
        return self._of(commons).settle()

    def missing(self, commons: CommonsId, of: Iterable[bytes]) -> Sequence[bytes]:
        """Plane-0 past that is not here and that these records, in hand, name."""
        return self._of(commons).missing(of)

    def spread(self, commons: CommonsId) -> Spread:
        """What all sessions share about the news of a commons."""
        return self._spreads.setdefault(commons, Spread())

    def lacking(self, commons: CommonsId, ids: Sequence[bytes]) -> list[bytes]:
        """Those of these records that are not here."""
        present = self._store.present(ids)
        held = self._of(commons)
        return [i for i in ids if i not in present and not held.is_waiting(i)]

    def clock_was_set(self) -> None:
        """What was asked for by another clock is free to be asked for again; sessions under way are to begin anew."""
        self._spreads.clear()

    def wanted_bodies(self, commons: CommonsId) -> list[bytes]:
        """Records whose body was lost here and is asked for."""
        return sorted(self._of(commons).wanted)

    def lose_bodies(self, commons: CommonsId, ids: Iterable[bytes]) -> None:
        """Bodies found damaged: put them on the list of wanted ones."""
        self._of(commons).lose_bodies(ids)

    def withhold(self, commons: CommonsId, subject: bytes, *, away: bool) -> int:
        """Keep no body about a subject of the catalogue from now on, or ask for them again; how many it is about."""
        return self._of(commons).withhold(subject, away=away)

    def withheld(self, commons: CommonsId) -> frozenset[bytes]:
        """Subjects of which no body is kept here; safe to ask from any thread."""
        return self._of(commons).withheld

    def sweep(self, commons: CommonsId, now_ms: int) -> int:
        """Take the bytes of what has been erased for 30 days and still is; returns how many bodies went."""
        return self._of(commons).sweep(now_ms)

    def has_late(self) -> bool:
        """Whether `tend` has anything to do; safe to ask from any thread."""
        return any(held.late for held in list(self._held.values()))

    def tend(self) -> int:
        """Fold the entries that were put off, in all commons; how many commons changed. Once a second is enough."""
        return sum([held.tend() for held in list(self._held.values())])

    def rebuild(self, commons: CommonsId, progress: Callable[[int], None] = lambda done: None) -> Digest:
        """Make all rows and sums of views anew from the records."""
        return self._of(commons).rebuild(progress)

    def _of(self, commons: CommonsId) -> Holding[C]:
        held = self._held.get(commons)
        if held is None:
            raise LocalProtocolError("unknown_commons", "this node does not follow that commons")
        return held


def _cursor_name(commons: bytes, plane: int) -> str:
    return f"cursor/{commons.hex()}/{plane}"
