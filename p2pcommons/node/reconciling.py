"""What it costs to find out what differs, and to bring it: two sessions in one process, each frame counted."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.draft import draft_from_json, edit_body_new
from p2pcommons.commons.edit import EDIT
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.node.folder import DATABASE, DataFolder
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.choice import table
from p2pcommons.sync.compression import compressed, message_of
from p2pcommons.sync.handshake import Role, direct_channel
from p2pcommons.sync.hello import Hello
from p2pcommons.sync.library import Library
from p2pcommons.sync.message import Done, More, Names, Open, Packs, Proof, Range, Symbols, Want
from p2pcommons.sync.replica import Draft, Replica
from p2pcommons.sync.session import FEATURES, Session
from p2pcommons.sync.storage import Key

_CHANNEL: Final = direct_channel(b"the bench has no certificate")
_TURNS_MAX: Final = 10_000
_KEYS_PER_READ: Final = 20_000
_HANDSHAKE: Final = (Hello, Proof, Names)
_FINDING: Final = (Open, Symbols, More, Range, Want)
_ASKING: Final = (Open, More, Range)

choices = table
"""How a difference is found, and why, as people read it."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Bytes of frames as they travel."""

    handshake_bytes: int
    reconciliation_bytes: int  # what finds the difference, up to the first records
    all_bytes: int  # everything after the handshake, records and their answers too
    round_trips: int  # turns of the dialler that ask, before it first gets or gives records
    dialler_s: float  # processor time for finding the difference
    listener_s: float
    kept_bytes: int = 0  # header and body of the records that one side lacked


def reconcile(one: Path, two: Path, commons: CommonsId, new: int = 0) -> Reconciled:
    """Write `new` entries on the first folder and as many on the second, then let them meet; they end equal."""
    stores = [SqliteStore(folder / DATABASE) for folder in (one, two)]
    try:
        keys = [DataFolder(folder).keys().person for folder in (one, two)]
        writer = keys[0]  # one member, writing on two devices: the second folder need not join first
        replicas = [Replica(store, CommonsMeaning(), secrets.token_bytes) for store in stores]
        now_ms = _latest_ms(stores, commons, writer) + 1000
        for side, replica in enumerate(replicas):
            _write(replica, commons, writer, side, new, now_ms + side)
        kept = _lacking_bytes(stores, commons)
        found = meet(replicas[0], replicas[1], now_ms + 1000, kept_bytes=kept)
        if replicas[0].digest(commons) != replicas[1].digest(commons):
            raise SystemExit("the two sides did not become equal: this is a fault, please report it")
        return found
    finally:
        for store in stores:
            store.close()


def record_bytes(folder: Path, commons: CommonsId) -> int:
    """Header and body of all records of a commons."""
    store = SqliteStore(folder / DATABASE)
    try:
        return sum(
            sum(_bytes(store, [key.id for key in some])) for plane in Plane for some in _places(store, commons, plane)
        )
    finally:
        store.close()


def meet(
    dialler: Library,
    listener: Library,
    now_ms: int,
    *,
    features: Sequence[str] = FEATURES,
    random: Callable[[int], bytes] = secrets.token_bytes,
    kept_bytes: int = 0,
    found: bool = False,
) -> Reconciled:
    """One session from its handshake until both fall silent, or (`found`) the difference is found."""
    ends = [
        Session(
            library, role=role, key=SigningKey(random(32)), channel=_CHANNEL, nonce=random(32), random=random,
            now_ms=now_ms, features=features,
        )
        for library, role in zip((dialler, listener), (Role.DIALLER, Role.LISTENER), strict=True)
    ]  # fmt: skip
    handshake = finding = later = trips = silent = 0
    spent = [0.0, 0.0]
    coming: list[bytes] = []
    opened = met = False
    for turn in range(_TURNS_MAX):
        side = turn % 2
        began = time.process_time()
        for frame in coming:
            ends[side].receive_data(frame, now_ms)
        coming = []
        while frames := ends[side].data_to_send():
            coming += frames
        if opened and not met:
            spent[side] += time.process_time() - began
        coming = [compressed(frame, ends[side].compression) for frame in coming]
        messages = [message_of(frame, ends[side].compression) for frame in coming]
        trips += side == 0 and not met and any(isinstance(message, _ASKING) for message in messages)
        for frame, message in zip(coming, messages, strict=True):
            if isinstance(message, _HANDSHAKE):
                handshake += len(frame)
            elif isinstance(message, _FINDING) and not met:
                finding += len(frame)
            else:
                later += len(frame)
        opened = opened or any(isinstance(message, Open) for message in messages)
        met = met or any(isinstance(message, Packs | Done) for message in messages)
        silent = 0 if coming else silent + 1
        if silent == len(ends) or (found and met):
            break
    return Reconciled(handshake, finding, finding + later, trips, spent[0], spent[1], kept_bytes)


def _write(replica: Replica[Charter], commons: CommonsId, key: SigningKey, side: int, count: int, now_ms: int) -> None:
    for number in range(count):
        text = {"type": "image", "title": f"New {side} {number}", "description": "An entry written by hand, " * 10}
        body = edit_body_new(draft_from_json(json.loads(json.dumps(text))))
        draft = Draft(Plane.CATALOGUE, secrets.token_bytes(32), (), EDIT, body)
        replica.write(commons, key, [draft], now_ms + number * 7)


def _latest_ms(stores: Sequence[SqliteStore], commons: CommonsId, key: SigningKey) -> int:
    last = [store.last_of(commons, Plane.CATALOGUE, key.public, 2**62) for store in stores]
    return max((key.time >> 16 for key in last if key is not None), default=0)


def _lacking_bytes(stores: Sequence[SqliteStore], commons: CommonsId) -> int:
    ids = [{key.id for plane in Plane for some in _places(store, commons, plane) for key in some} for store in stores]
    return sum(sum(_bytes(store, list(ids[side] - ids[1 - side]))) for side, store in enumerate(stores))


def _places(store: SqliteStore, commons: CommonsId, plane: int) -> list[list[Key]]:
    found: list[list[Key]] = []
    while some := store.keys(commons, plane, found[-1][-1] if found else None, _KEYS_PER_READ):
        found.append(some)
    return found


def _bytes(store: SqliteStore, ids: Sequence[bytes]) -> list[int]:
    return [len(record.header_bytes) + len(record.body or b"") for record, *_ in store.sealed(ids)]
