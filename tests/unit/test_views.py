"""Entries with very many records are folded later, and then as if they had been folded at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256

import pytest

from p2pcommons.commons.charter_bodies import found
from p2pcommons.commons.draft import draft_from_json, edit_body_new
from p2pcommons.commons.edit import EDIT
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import Plane
from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync import views
from p2pcommons.sync.replica import Draft, Replica
from p2pcommons.sync.storage import Store

ALICE = SigningKey(sha256(b"alice").digest())
NOW_MS = 1_790_000_000_000
CROWDED = sha256(b"crowded").digest()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path_factory.mktemp("s") / "s.sqlite")
    yield made
    with suppress(AttributeError):
        made.close()


def test_a_crowded_entry_is_put_off_and_comes_right(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "SUBJECT_RECORDS_INLINE_MAX", 3)
    replica = Replica(store, CommonsMeaning(), lambda size: bytes(size))
    made = found("A crowd", entropy=bytes(32), recovery=bytes(32))
    commons = replica.found(ALICE, made.kind, made.body, NOW_MS)

    def write(number: int, subject: bytes = CROWDED) -> None:
        body = edit_body_new(draft_from_json({"type": "book", "title": f"Title {number}"}))
        replica.write(commons, ALICE, [Draft(Plane.CATALOGUE, subject, (), EDIT, body)], NOW_MS + number)

    for number in range(3):
        write(number)
    assert not replica.has_late()
    for number in range(3, 8):
        write(number)
        write(number, sha256(b"calm %d" % number).digest())
    assert replica.has_late()
    put_off = replica.digest(commons)
    again = Replica(store, CommonsMeaning(), lambda size: bytes(size))  # a restart remembers what was put off
    assert again.has_late()
    assert again.tend() == 1
    assert not again.has_late() and again.tend() == 0
    tended = again.digest(commons)
    assert tended.state != put_off.state and tended.fingerprint == put_off.fingerprint
    assert again.rebuild(commons) == tended
    monkeypatch.setattr(views, "SUBJECT_RECORDS_INLINE_MAX", 1000)
    assert again.rebuild(commons) == tended
