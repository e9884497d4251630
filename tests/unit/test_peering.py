"""Telling of peers in a session: when it may be said, and what ends the session (chapter 35)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.shelf import NOW_MS, Shelf, key_of
from simulation.world import CHANNEL, dice

from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import INTRODUCE_EVERY_MS, PEERS_SPEECHES_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.events import Event, PeerSpoke, SessionEnded
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.message import Introduce, Peers, Reached
from p2pcommons.sync.peer_record import Checked, Introduced, PeerRecord, Told, make_record
from p2pcommons.sync.peering import FEATURE, Peering, introduce
from p2pcommons.sync.session import FEATURES, Session

DAY = 24 * 3600 * 1000


def record(name: str, *places: str) -> PeerRecord:
    addresses = [parse_address(place) for place in places or ("5.1.0.7:7421",)]
    return make_record(key_of(name), addresses, NOW_MS, NOW_MS + DAY)


class Pair:
    """Two sessions, of alice who dialled and of bob, and what became of what was said."""

    def __init__(self, alice: tuple[str, ...] = FEATURES, bob: tuple[str, ...] = FEATURES) -> None:
        self.alice, self.bob = (
            Session(
                Shelf(), role=role, key=key_of(name), channel=CHANNEL, nonce=dice(role)(32), random=dice(role),
                now_ms=NOW_MS, features=features,
            )
            for name, role, features in (("alice", Role.DIALLER, alice), ("bob", Role.LISTENER, bob))
        )  # fmt: skip
        self.carry()

    def carry(self) -> list[Event]:
        happened: list[Event] = []
        while frames := [(self.bob, self.alice.data_to_send()), (self.alice, self.bob.data_to_send())]:
            if not any(said for _, said in frames):
                return happened
            for to, said in frames:
                for frame in said:
                    happened += to.receive_data(frame, NOW_MS)
        return happened

    def heard(self) -> list[object]:
        return [event.said for event in self.carry() if isinstance(event, PeerSpoke)]


def test_an_introduction_its_answer_and_a_dial_back_come_through() -> None:
    pair = Pair()
    one = record("alice", "5.1.0.7:7421", "5.1.0.8:7421")
    pair.alice.speak(introduce(one, wants_peers=True, wants_check=True))
    assert pair.heard() == [Introduced(one, True, True)]
    other = record("carol")
    pair.bob.speak(Peers(((other.sealed, 1),)))
    pair.bob.speak(Reached("5.1.0.7", 3, 2))
    assert pair.heard() == [Told(((other, 1),)), Checked("5.1.0.7", one.addresses, one.addresses[1:])]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_where_one_end_does_not_name_the_feature_nothing_is_said(who: str) -> None:
    without = tuple(name for name in FEATURES if name != FEATURE)
    pair = Pair(**{who: without})
    assert not pair.alice.speaks_of_peers and not pair.bob.speaks_of_peers
    for session in (pair.alice, pair.bob):
        session.speak(introduce(record("alice"), wants_peers=True, wants_check=False))
    assert pair.carry() == []


def test_what_was_not_asked_for_is_not_said() -> None:
    pair = Pair()
    pair.bob.speak(Peers(((record("carol").sealed, 1),)))
    pair.bob.speak(Reached("", 0, 0))
    assert pair.carry() == []


def test_the_record_of_another_ends_the_session() -> None:
    pair = Pair()
    pair.alice.speak(introduce(record("carol"), wants_peers=False, wants_check=False))
    (ended,) = [event for event in pair.carry() if isinstance(event, SessionEnded) and event.violation]
    assert ended.code == "wrong_peer" and pair.bob.is_over


def test_a_second_dial_back_waits_for_the_first() -> None:
    pair = Pair()
    pair.alice.speak(introduce(record("alice"), wants_peers=False, wants_check=True))
    pair.alice.speak(introduce(record("alice"), wants_peers=False, wants_check=True))
    assert len(pair.heard()) == 1
    pair.bob.speak(Reached("", 1, 1))
    assert len(pair.heard()) == 1
    pair.alice.speak(introduce(record("alice"), wants_peers=False, wants_check=True))
    assert len(pair.heard()) == 1


@given(st.lists(st.integers(0, 200_000), max_size=200))
def test_however_it_comes_a_flood_ends_and_the_right_pace_never_does(pauses: list[int]) -> None:
    peering, now_ms, taken = Peering(True, b""), NOW_MS, 0
    started = now_ms
    try:
        for pause in pauses:
            now_ms += pause
            peering.take(Introduce(None, 1), now_ms)
            taken += 1
    except RemoteProtocolError as error:
        assert error.code == "too_soon"
        assert taken >= PEERS_SPEECHES_MAX
    assert taken <= PEERS_SPEECHES_MAX + 1 + (now_ms - started) // INTRODUCE_EVERY_MS
    steady = Peering(True, b"")
    for turn in range(50):
        steady.take(Introduce(None, 1), NOW_MS + turn * INTRODUCE_EVERY_MS)


def test_a_clock_set_back_ends_no_session() -> None:
    peering = Peering(True, b"")
    for turn in range(PEERS_SPEECHES_MAX - 1):
        peering.take(Introduce(None, 1), NOW_MS - turn * DAY)


@given(st.binary(max_size=64), st.integers(0, 255))
def test_any_bytes_give_a_record_or_a_fault_of_the_peer(data: bytes, bits: int) -> None:
    peering = Peering(True, SigningKey(b"\x01" * 32).public)
    peering.may_say(Introduce(None, 3))
    for message in (Introduce((data or b"\0", bytes(64)), 0), Peers((((data or b"\0", bytes(64)), bits or 1),))):
        with pytest.raises(RemoteProtocolError):
            peering.take(message, NOW_MS)
