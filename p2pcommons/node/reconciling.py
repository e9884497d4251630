"""What it costs to find out what differs: two sessions in one process over two folders, each frame counted."""

from __future__ import annotations

import json
import secrets
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
from p2pcommons.sync.handshake import Role, direct_channel
from p2pcommons.sync.message import Packs, decode_message
from p2pcommons.sync.replica import Draft, Replica
from p2pcommons.sync.session import Session, State

_CHANNEL: Final = direct_channel(b"the bench has no certificate")
_TURNS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Bytes of frames after the handshake."""

    handshake_bytes: int
    reconciliation_bytes: int
    record_bytes: int
    round_trips: int  # turns of the dialler before it first gets or gives records


def reconcile(one: Path, two: Path, commons: CommonsId, new: int) -> Reconciled:
    """Write `new` entries on the first folder and as many on the second, then let them meet."""
    stores = [SqliteStore(folder / DATABASE) for folder in (one, two)]
    keys = [DataFolder(folder).keys().person for folder in (one, two)]
    writer = keys[0]  # one member, writing on two devices: the second folder need not join first
    replicas = [Replica(store, CommonsMeaning(), secrets.token_bytes) for store in stores]
    now_ms = _latest_ms(stores[0], commons, writer) + 1000
    try:
        for side, replica in enumerate(replicas):
            _write(replica, commons, writer, side, new, now_ms + side)
        found = _meet(replicas, now_ms + 1000)
        if replicas[0].digest(commons) != replicas[1].digest(commons):
            raise SystemExit("the two sides did not become equal: this is a fault, please report it")
        return found
    finally:
        for store in stores:
            store.close()


def _write(replica: Replica[Charter], commons: CommonsId, key: SigningKey, side: int, count: int, now_ms: int) -> None:
    for number in range(count):
        text = {"type": "image", "title": f"New {side} {number}", "description": "An entry written by hand, " * 10}
        body = edit_body_new(draft_from_json(json.loads(json.dumps(text))))
        draft = Draft(Plane.CATALOGUE, secrets.token_bytes(32), (), EDIT, body)
        replica.write(commons, key, [draft], now_ms + number * 7)


def _latest_ms(store: SqliteStore, commons: CommonsId, key: SigningKey) -> int:
    last = store.last_of(commons, Plane.CATALOGUE, key.public, 2**62)
    return 0 if last is None else last.time >> 16


def _meet(replicas: list[Replica[Charter]], now_ms: int) -> Reconciled:
    ends = [
        Session(
            replica, role=role, key=SigningKey(secrets.token_bytes(32)), channel=_CHANNEL,
            nonce=secrets.token_bytes(32), random=secrets.token_bytes, now_ms=now_ms,
        )
        for replica, role in zip(replicas, (Role.DIALLER, Role.LISTENER), strict=True)
    ]  # fmt: skip
    handshake = reconciliation = records = trips = 0
    met = False
    for turn in range(_TURNS_MAX):
        speaker, hearer = ends[turn % 2], ends[1 - turn % 2]
        spoken = False
        while frames := speaker.data_to_send():
            for frame in frames:
                spoken = True
                message = decode_message(frame)
                if isinstance(message, Packs):
                    records += len(frame)
                    met = True
                elif speaker.state is State.ESTABLISHED:
                    reconciliation += len(frame)
                else:
                    handshake += len(frame)
                hearer.receive_data(frame, now_ms)
        trips += spoken and turn % 2 == 0 and not met and speaker.state is State.ESTABLISHED
        if not spoken and turn > 2 and not ends[1 - turn % 2].data_to_send():
            break
    return Reconciled(handshake, reconciliation, records, trips)
