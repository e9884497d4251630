"""`verify`: every hash and every signature of a folder checked again, from the bytes up (chapters 12, 13, 30).

Runs in the engine's thread, page by page; what it finds it tells, and it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from p2pcommons.core.identity import verify
from p2pcommons.core.merkle import root_from
from p2pcommons.core.record import CommonsId, Plane, Record, check_body, commons_of, parse_header, record_id
from p2pcommons.core.seal import Seal, Sealed, seal_message
from p2pcommons.errors import FormError, StoreError
from p2pcommons.node.runtime import NodeReplica
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.digest import EMPTY, add
from p2pcommons.sync.holding import SYNCED_PLANES
from p2pcommons.sync.storage import Key, SetState

_PAGE_RECORDS = 4096
_PAGE_BYTES = 8 * 1024 * 1024
FAULTS_TOLD_MAX = 1000  # a wholly broken folder need not fill the screen


@dataclass(slots=True)
class Checked:
    """What was looked at, and what was wrong."""

    records: int = 0
    bodies: int = 0
    faults: list[str] = field(default_factory=list)
    damaged_bodies: dict[CommonsId, list[bytes]] = field(default_factory=dict)

    def fault(self, text: str) -> None:
        """Note one."""
        if len(self.faults) < FAULTS_TOLD_MAX:
            self.faults.append(text)


def check_store(
    store: SqliteStore, replica: NodeReplica, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Checked]:
    """Check everything a node keeps; yields the same growing result after each page, so that others may run."""
    result = Checked()
    total = sum(replica.digest(commons).records for commons in replica.followed())
    for text in store.integrity():
        result.fault(f"database: {text}")
    for commons in replica.followed():
        for plane in SYNCED_PLANES:
            if commons not in replica.followed():
                continue
            try:
                for _ in _check_plane(commons, plane, store, replica, result):
                    progress(result.records, total)
                    yield result
                    if commons not in replica.followed():  # a person let it go meanwhile
                        break
            except StoreError as error:  # so damaged that the check cannot go on here
                result.fault(f"commons {commons.hex()}, {Plane(plane).name.lower()}: {error.detail}")
    yield result


def _check_plane(
    commons: CommonsId, plane: int, store: SqliteStore, replica: NodeReplica, result: Checked
) -> Iterator[None]:
    summed = EMPTY
    seals: set[Seal] = set()
    after: Key | None = None
    before = replica.set_state(commons, plane)
    while page := store.page(commons, plane, after, records_max=_PAGE_RECORDS, bytes_max=_PAGE_BYTES):
        last = page[-1].record
        place = Key(last.header.time, last.id)
        if after is not None and place <= after:  # a damaged index that leads back would be walked for ever
            result.fault(f"commons {commons.hex()}, {Plane(plane).name.lower()}: the order of the records is damaged")
            return
        after = place
        for sealed in page:
            _check_record(commons, plane, sealed, replica, result)
            if sealed.seal not in seals:
                seals.add(sealed.seal)
                _check_seal(store, sealed.seal, result)
        summed = add(summed, [sealed.record.id for sealed in page])
        result.records += len(page)
        yield
    _check_sum(commons, plane, before, summed, replica, result)


def _check_record(commons: CommonsId, plane: int, sealed: Sealed, replica: NodeReplica, result: Checked) -> None:
    record = sealed.record
    name = record.id.hex()
    try:
        header = parse_header(record.header_bytes)
    except FormError as error:
        result.fault(f"record {name}: {error.detail}")
        return
    if record_id(record.header_bytes) != record.id:
        result.fault(f"record {name}: its header has another hash")
    if commons_of(record) != commons or header.plane != plane or header.author != sealed.seal.author:
        result.fault(f"record {name}: kept in a place that is not its own")
    if record.body is None or record.salt is None:
        bare = _erased(record, commons, replica) or header.subject in replica.withheld(commons)
        if not bare and record.id not in replica.wanted_bodies(commons):
            result.fault(f"record {name}: its body is missing")
        return
    try:
        check_body(header, record.salt, record.body)
        result.bodies += 1
    except FormError as error:
        result.fault(f"record {name}: {error.detail}")
        result.damaged_bodies.setdefault(commons, []).append(record.id)


def _erased(record: Record, commons: CommonsId, replica: NodeReplica) -> bool:
    charter = replica.charter(commons)
    return charter is not None and charter.erased_fields(record.id, record.header.author) is not None


def _check_seal(store: SqliteStore, made: Seal, result: Checked) -> None:
    try:
        tree_root = root_from(made.tree_size, store.tree(made))
    except FormError as error:
        result.fault(f"seal {made.signature.hex()[:32]}: {error.detail}")
        return
    if tree_root != made.root or not verify(
        made.author, made.signature, seal_message(made.commons, made.tree_size, tree_root)
    ):
        result.fault(f"seal {made.signature.hex()[:32]}: its signature does not fit its records")


def _check_sum(
    commons: CommonsId, plane: int, before: SetState, summed: SetState, replica: NodeReplica, result: Checked
) -> None:
    # While peers write, the set may have moved on under the check: then the sum is not comparable, and is not judged.
    if replica.set_state(commons, plane) == before and summed != before:
        result.fault(
            f"commons {commons.hex()}, {Plane(plane).name.lower()}: the digest does not fit the records; run rebuild"
        )
