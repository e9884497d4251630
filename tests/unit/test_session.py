"""Sessions, step by step: handshake, naming, windows, leaving, time, and what ends a session."""

from dataclasses import replace
from hashlib import sha256

import pytest
from simulation.laws import SESSION_BYTES_MAX
from simulation.shelf import COMMONS, NOW_MS, Shelf, key_of, records_of
from simulation.weight import weight
from simulation.world import CHANNEL, NO_SKETCH, Clock, Link, dice

from p2pcommons.core.limits import (
    AHEAD_MS_MAX,
    FRAME_BYTES_MAX,
    HANDSHAKE_MS_MAX,
    IDS_PER_FRAME_MAX,
    LISTING_MAX,
    LISTING_NAME_BYTES_MAX,
    NAMES_MIN,
    SESSION_IDLE_MS_MAX,
    WINDOW_BYTES,
)
from p2pcommons.core.seal import Sealed
from p2pcommons.sync import message as m
from p2pcommons.sync.events import (
    ClockDiffered,
    CollisionFound,
    CommonsLeft,
    CommonsListed,
    CommonsMatched,
    Completed,
    Differed,
    HandshakeDone,
    PeerRefused,
    ProgressMade,
    RecordsReceived,
    RecordsSent,
    SessionEnded,
)
from p2pcommons.sync.handshake import Role, hosted_channel, prove, transcript
from p2pcommons.sync.listing import listing
from p2pcommons.sync.naming import tag
from p2pcommons.sync.peeling import Peeling
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.rounds import TRANSITIONS as ROUND
from p2pcommons.sync.rounds import Stage, Step
from p2pcommons.sync.session import FEATURES, TRANSITIONS, Session, State
from p2pcommons.sync.storage import Key

OTHER = bytes(range(32))
DOOR = records_of("alice", 0, [0])
NOTHING = m.Opening(0, 0, m.SetDigest(0, OTHER), m.SetDigest(0, OTHER))


def session(role: Role = Role.LISTENER, **changed: object) -> Session:
    random = dice(role)
    settings: dict[str, object] = {
        "key": key_of(role.name), "channel": CHANNEL, "nonce": random(32), "random": random, "now_ms": NOW_MS,
    }  # fmt: skip
    return Session(changed.pop("library", Shelf()), role=role, **{**settings, **changed})  # type: ignore[arg-type]


def end_of(events: list[object]) -> SessionEnded:
    (ended,) = [event for event in events if isinstance(event, SessionEnded)]
    return ended


def shelf(works: int = 0, start: int = 0, commons: bytes = COMMONS, size: int = 0) -> Shelf:
    made = Shelf([commons])
    made.put(DOOR if commons == COMMONS else records_of("alice", 0, [0], commons=commons), commons)
    made.put(records_of("alice", 1, range(start, start + works), commons=commons, size=size), commons)
    return made


class Puppet:
    """A peer that speaks as it is told, with a handshake that is right unless it is told otherwise."""

    def __init__(self, subject: Session, **hello: object) -> None:
        self.subject = subject
        self.role = subject.role.other
        self.key = key_of("puppet")
        self.transcript = self.heard_hello = b""
        self.events: list[object] = []
        said = m.Hello(key=self.key.public, nonce=bytes(32), now_ms=NOW_MS, window=FRAME_BYTES_MAX)
        self.hello = m.encode_message(replace(said, **hello))  # type: ignore[arg-type]

    def say(self, *messages: m.Message | bytes, now_ms: int = NOW_MS) -> list[m.Message]:
        for message in messages:
            frame = message if isinstance(message, bytes) else m.encode_message(message)
            self.events += self.subject.receive_data(frame, now_ms)
        return self.hear()

    def hear(self) -> list[m.Message]:
        heard: list[m.Message] = []
        while frames := self.subject.data_to_send():
            heard += [m.decode_message(frame) for frame in frames]
            if not self.transcript and isinstance(heard[0], m.Hello):
                mine, theirs = self.hello, frames[0]
                self.heard_hello = theirs
                both = (mine, theirs) if self.role is Role.DIALLER else (theirs, mine)
                self.transcript = transcript(*both, CHANNEL)
        return heard

    def proof(self) -> m.Proof:
        return m.Proof(prove(self.key, self.role, self.transcript))

    def tags(self, *commons: bytes) -> m.Names:
        made = [tag(one, self.role, self.transcript) for one in commons]
        size = NAMES_MIN if self.role is Role.DIALLER else len(made)
        return m.Names(tuple(sorted(made + [bytes([i]) * 32 for i in range(size - len(made))])))

    def shake(self, *commons: bytes) -> list[m.Message]:
        self.hear()
        heard = self.say(self.hello)
        return heard + self.say(self.proof(), self.tags(*(commons or (COMMONS,))))


# -- handshake


def test_the_listener_proves_first() -> None:
    dialler, listener = session(Role.DIALLER), session(Role.LISTENER)
    assert listener.data_to_send() == []
    (hello,) = dialler.data_to_send()
    listener.receive_data(hello, NOW_MS)
    answers = listener.data_to_send()
    assert [type(m.decode_message(frame)) for frame in answers] == [m.Hello, m.Proof]
    dialler.receive_data(answers[0], NOW_MS)
    assert dialler.data_to_send() == [] and dialler.peer is None
    dialler.receive_data(answers[1], NOW_MS)
    assert dialler.peer == key_of("LISTENER").public
    assert [type(m.decode_message(frame)) for frame in dialler.data_to_send()] == [m.Proof, m.Names]


def test_both_ends_learn_each_others_key_and_clock() -> None:
    link = Link(Shelf(), Shelf()).run()
    for end, other in zip(link.ends, ("node two", "node one"), strict=True):
        (done,) = end.told(HandshakeDone)
        assert done == HandshakeDone(key_of(other).public, "", 0)
        assert end.session.peer == key_of(other).public


@pytest.mark.parametrize("ahead_ms", [-AHEAD_MS_MAX - 1, AHEAD_MS_MAX + 1])
def test_a_clock_that_differs_by_more_than_ten_minutes_is_told(ahead_ms: int) -> None:
    puppet = Puppet(session(), now_ms=NOW_MS + ahead_ms)
    puppet.shake()
    assert ClockDiffered(ahead_ms) in puppet.events
    assert puppet.subject.state is State.ESTABLISHED


def test_a_proof_by_another_key_ends_the_session() -> None:
    for role in Role:
        puppet = Puppet(session(role))
        puppet.hear()
        puppet.say(puppet.hello)
        puppet.key = key_of("eve")
        heard = puppet.say(puppet.proof())
        assert end_of(puppet.events).code == "bad_proof" and end_of(puppet.events).violation
        assert isinstance(heard[-1], m.End) and heard[-1].code == "bad_proof"
        assert puppet.subject.peer is None


def test_a_proof_of_the_other_role_or_channel_or_session_is_none() -> None:
    def ends_with(change: str) -> str:
        puppet = Puppet(session())
        puppet.say(puppet.hello)
        if change == "role":
            proof = m.Proof(prove(puppet.key, Role.LISTENER, puppet.transcript))
        elif change == "channel":
            other = transcript(puppet.hello, puppet.heard_hello, b"\1" + bytes(32))
            proof = m.Proof(prove(puppet.key, Role.DIALLER, other))
        else:
            proof = m.Proof(prove(puppet.key, Role.DIALLER, bytes(32)))
        puppet.say(proof)
        return end_of(puppet.events).code

    assert [ends_with(change) for change in ("role", "channel", "session")] == ["bad_proof"] * 3


def test_a_listener_of_another_key_than_expected_is_left_before_anything_is_said() -> None:
    puppet = Puppet(session(Role.DIALLER, expected=OTHER))
    puppet.hear()
    heard = puppet.say(puppet.hello)
    assert end_of(puppet.events).code == "wrong_key"
    assert [type(message) for message in heard] == [m.End]


def test_a_dialler_that_expects_another_key_is_refused() -> None:
    puppet = Puppet(session(), expected=OTHER)
    puppet.say(puppet.hello)
    assert end_of(puppet.events).code == "wrong_key"


def test_no_shared_version_ends_the_session() -> None:
    puppet = Puppet(session(), versions=(2, 3))
    puppet.say(puppet.hello)
    assert end_of(puppet.events).code == "no_shared_version"


def test_a_node_that_meets_itself_says_so() -> None:
    puppet = Puppet(session(), key=key_of("LISTENER").public)
    puppet.say(puppet.hello)
    assert end_of(puppet.events).code == "own_key"


def test_a_host_name_is_part_of_what_is_proved_and_must_be_the_listeners() -> None:
    def meet(dialled: str, hosts: tuple[str, ...]) -> list[object]:
        dialler = session(Role.DIALLER, channel=hosted_channel(dialled))
        listener = session(Role.LISTENER, hosts=hosts)
        events: list[object] = []
        for _ in range(3):
            for here, there in ((dialler, listener), (listener, dialler)):
                for frame in here.data_to_send():
                    events += there.receive_data(frame, NOW_MS)
        return events

    assert sum(isinstance(event, HandshakeDone) for event in meet("a.example", ("a.example", "b.example"))) == 2
    assert end_of([e for e in meet("c.example", ("a.example",)) if not isinstance(e, PeerRefused)][:1]).code == (
        "unknown_host"
    )


@pytest.mark.parametrize("deliveries", [0, 1, 2, 3])
def test_a_handshake_that_does_not_end_is_given_up(deliveries: int) -> None:
    link = Link(Shelf(), Shelf())
    while link.deliveries < deliveries:
        link.step()
    waiting = [end for end in link.ends if end.session.state is not State.ESTABLISHED]
    assert waiting
    for end in waiting:
        assert end.session.next_deadline() == NOW_MS + HANDSHAKE_MS_MAX
        assert end.session.handle_timeout(NOW_MS + HANDSHAKE_MS_MAX - 1) == []
        assert end_of(end.session.handle_timeout(NOW_MS + HANDSHAKE_MS_MAX)).code == "handshake_timeout"
        assert end.session.next_deadline() is None


# -- naming


def test_an_echo_of_the_same_tags_gets_nothing() -> None:
    subject = session(Role.DIALLER, library=shelf(3))
    puppet = Puppet(subject)
    puppet.hear()
    heard = puppet.say(puppet.hello)
    heard = puppet.say(puppet.proof())
    (names,) = [message for message in heard if isinstance(message, m.Names)]
    assert puppet.say(m.Names(names.tags[:1]))[-1] == m.End("bad_names", end_of(puppet.events).detail)


def test_nothing_is_said_of_a_commons_that_the_peer_did_not_name() -> None:
    puppet = Puppet(session(library=shelf(3)))
    puppet.shake(OTHER)
    assert puppet.subject.commons() == []
    for message in (m.Ask(0, 1, None), m.Want(0, 1, (OTHER,)), m.Leave(0, "unfollowed")):
        puppet = Puppet(session(library=shelf(3)))
        puppet.shake(OTHER)
        heard = puppet.say(message)
        assert end_of(puppet.events).code == "bad_slot" and len(heard) == 1


def test_names_are_padded_to_a_power_of_two() -> None:
    for count, size in ((0, 8), (1, 8), (8, 8), (9, 16), (33, 64)):
        puppet = Puppet(session(Role.DIALLER, library=Shelf(bytes([i]) * 32 for i in range(count))))
        puppet.hear()
        puppet.say(puppet.hello)
        (names,) = [message for message in puppet.say(puppet.proof()) if isinstance(message, m.Names)]
        assert len(names.tags) == size and list(names.tags) == sorted(names.tags)


@pytest.mark.parametrize("first", [0, 1])
def test_a_commons_followed_during_a_session_is_found(first: int) -> None:
    shelves = [shelf(3), shelf(3)]
    link = Link(*shelves).run()
    for place in (first, 1 - first):
        shelves[place].follow(OTHER)
        link.changed()
        link.run()
    assert all(end.told(CommonsMatched)[-1] == CommonsMatched(OTHER) for end in link.ends)  # type: ignore[arg-type]
    shelves[0].put(records_of("alice", 0, [0], commons=OTHER), OTHER)
    link.changed()
    link.run()
    assert shelves[1].ids(OTHER) == shelves[0].ids(OTHER) != (set(), set())


@pytest.mark.parametrize("place", [0, 1])
def test_a_commons_left_is_spoken_of_no_more_and_can_come_back(place: int) -> None:
    shelves = [shelf(3), shelf(5)]
    link = Link(*shelves).run()
    shelves[place].unfollow(COMMONS)
    link.changed()
    link.run()
    assert all(end.told(CommonsLeft) == [CommonsLeft(COMMONS)] for end in link.ends)
    assert all(end.session.commons() == [] and not end.session.is_over for end in link.ends)
    deliveries = link.deliveries
    link.changed()
    link.run()
    assert link.deliveries == deliveries, "the one that stays names it again and again"
    shelves[place].follow(COMMONS)
    link.changed()
    link.run()
    assert shelves[0].ids() == shelves[1].ids()
    assert len(shelves[place].ids()[1]) == 5


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("deliveries", range(3, 16))
def test_leaving_while_frames_are_on_the_way_is_no_fault(place: int, deliveries: int) -> None:
    shelves = [shelf(40), shelf(40, start=20)]
    link = Link(*shelves).run(deliveries)
    for end in link.ends:
        end.flush()
    shelves[place].unfollow(COMMONS)
    link.changed()
    link.run()
    assert all(end.session.state is State.ESTABLISHED and end.session.commons() == [] for end in link.ends)


# -- moving records


def test_a_session_with_nothing_new_costs_one_round_trip_and_few_bytes() -> None:
    link = Link(shelf(100), shelf(100)).run()
    before = [(end.frames, end.bytes) for end in link.ends]
    assert sum(bytes_ for _, bytes_ in before) < 1200
    link.tick(30_000)
    link.run()
    after = [(end.frames - frames, end.bytes - sent) for end, (frames, sent) in zip(link.ends, before, strict=True)]
    assert [frames for frames, _ in after] == [1, 1]
    assert sum(sent for _, sent in after) < 180


def test_one_new_record_among_many_moves_few_bytes() -> None:
    shelves = shelf(3000), shelf(3000)
    link = Link(*shelves).run()
    sent = sum(end.bytes for end in link.ends)
    shelves[1].put(records_of("alice", 1, [5000]))
    link.changed()
    link.tick(1)
    link.run()
    assert shelves[0].ids() == shelves[1].ids()
    assert sum(end.bytes for end in link.ends) - sent < 4000


def test_an_empty_node_gets_the_sets_in_order_and_hears_of_progress() -> None:
    full = shelf(1000)
    empty = Shelf()
    link = Link(full, empty).run()
    assert empty.ids() == full.ids()
    told = [event for event in link.listener.told(ProgressMade) if event.plane == 1]
    assert [event.have for event in told] == sorted(event.have for event in told) and len(told) > 2
    assert told[-1] == ProgressMade(COMMONS, 1, 1000, 1000)
    assert empty.cursors == {}


def test_what_one_end_says_it_sent_is_what_the_other_received() -> None:
    full = shelf(1000)
    link = Link(full, Shelf()).run()
    sent = sum(event.count for event in link.dialler.told(RecordsSent))
    assert sent == sum(event.count for event in link.listener.told(RecordsReceived)) == sum(map(len, full.ids()))
    assert link.listener.told(RecordsSent) == []


def test_a_stream_that_was_cut_goes_on_where_it_was() -> None:
    full, empty = shelf(2000), Shelf()
    link = Link(full, empty)
    while len(empty.ids()[1]) < 1200:
        link.step()
    assert empty.cursors
    have = len(empty.ids()[1])
    again = Link(full, empty, link.clock).run()
    assert empty.ids() == full.ids() and empty.cursors == {}
    assert sum(event.count for event in again.listener.told(RecordsReceived)) == 2000 - have
    # Nothing came twice: what came in place of it would have shown as more frames.
    assert sum(event.plane for event in again.listener.told(RecordsReceived)) <= -(-(2000 - have) // 262)


@pytest.mark.parametrize(("window", "at_once"), [(FRAME_BYTES_MAX, 1), (2 * WINDOW_BYTES, 4)])
def test_packs_under_way_stay_within_the_smaller_window_and_go_on_when_confirmed(window: int, at_once: int) -> None:
    puppet = Puppet(session(library=shelf(3000, size=2000)), window=window)
    heard = puppet.shake()
    (opening,) = next(message for message in heard if isinstance(message, m.Open)).openings
    puppet.say(m.Open((m.Opening(0, m.STREAM[1], opening.charter, m.SetDigest(0, OTHER)),)))
    heard = puppet.say(m.Ask(0, 1, None), m.Done(0, 1))
    under_way: list[int] = []
    got = most = 0
    while True:
        packs = [message for message in heard if isinstance(message, m.Packs)]
        under_way += [len(m.encode_message(message)) for message in packs]
        assert sum(under_way) <= min(window, WINDOW_BYTES)
        most = max(most, len(under_way))
        got += sum(len(pack[7]) for message in packs for pack in message.packs)
        if not under_way:
            break
        assert puppet.hear() == []
        under_way.pop(0)
        heard = puppet.say(m.Confirm(0, 1, ()))
    assert got == 3000 and most == at_once
    assert heard == []


def test_what_one_call_gives_is_bounded() -> None:
    puppet = Puppet(session(library=shelf(3000, size=2000)), window=WINDOW_BYTES)
    heard = puppet.shake()
    (opening,) = next(message for message in heard if isinstance(message, m.Open)).openings
    for message in (m.Open((m.Opening(0, m.STREAM[1], opening.charter, m.SetDigest(0, OTHER)),)), m.Ask(0, 1, None)):
        puppet.subject.receive_data(m.encode_message(message), NOW_MS)
    sizes = []
    while frames := puppet.subject.data_to_send():
        sizes.append(sum(map(len, frames)))
    assert len(sizes) > 1 and max(sizes) < 2 * FRAME_BYTES_MAX


def test_commons_take_turns() -> None:
    names = [bytes([number]) * 32 for number in range(1, 5)]
    full = Shelf(names)
    for name in names:
        full.put(records_of("alice", 0, [0], commons=name), name)
        full.put(records_of("alice", 1, range(600), commons=name), name)
    puppet = Puppet(session(library=full), window=WINDOW_BYTES)
    heard = puppet.shake(*names)
    (told,) = [message for message in heard if isinstance(message, m.Open)]
    empty = m.SetDigest(0, OTHER)
    frames = [m.Open(tuple(m.Opening(one.slot, m.STREAM[1], one.charter, empty) for one in told.openings))]
    for message in [*frames, *(m.Ask(slot, 1, None) for slot in range(4))]:
        puppet.subject.receive_data(m.encode_message(message), NOW_MS)
    served = [message.slot for message in puppet.hear() if isinstance(message, m.Packs)]
    assert sorted(served[:4]) == [0, 1, 2, 3]


def test_a_charter_that_grows_during_the_stream_brings_what_was_refused_meanwhile() -> None:
    full, empty = shelf(3000, size=2000), Shelf()
    link = Link(full, empty)
    while len(empty.ids()[1]) < 300:
        link.step()
    full.put(records_of("bob", 0, [1], prev=[DOOR[0].record.id]))
    full.put(records_of("bob", 1, range(3000, 3040)))
    link.changed()
    link.run()
    assert sum(event.refused for event in link.listener.told(RecordsReceived)) == 40
    assert empty.ids() == full.ids()
    for end in link.ends:
        assert end.told(Completed)[-1] == Completed(COMMONS, 0, ())


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("works", [0, 5])
def test_what_was_refused_is_not_offered_again_when_other_things_change(place: int, works: int) -> None:
    shelves = [shelf(30, start=100), shelf(works)]
    shelves[1].paused = True
    link = Link(*(shelves if place else shelves[::-1])).run()
    holder, refuser = link.ends if place else link.ends[::-1]
    assert holder.told(Completed)[-1].but_for == 30
    for number in range(3):
        shelves[number % 2].put(records_of("alice", 1, [500 + number]))
        sent = holder.bytes
        link.changed()
        link.tick(500)
        link.run()
        assert holder.bytes - sent < 3000, "thirty records take six thousand"
    assert refuser.told(Completed)[-1].but_for == 32
    assert len(shelves[0].ids()[1]) == 30 + works + 3


def test_an_opening_that_crossed_with_one_that_forgets_refusals_is_made_again() -> None:
    puppet = Puppet(session(library=shelf(3)))
    heard = puppet.shake()
    (first,) = next(message for message in heard if isinstance(message, m.Open)).openings
    puppet.say(m.Open((first,)))
    (refused,) = [s.record.id for s in records_of("alice", 1, range(3))][:1]
    puppet.say(m.Refuse(0, 1, ((refused, "paused"),)))
    puppet.subject.handle_timeout(NOW_MS + 45_000)
    ((less,),) = [message.openings for message in puppet.hear() if isinstance(message, m.Open)]
    assert less.catalogue.count == 2
    puppet.say(m.Open((replace(less, flags=m.AFRESH),)), now_ms=NOW_MS + 45_000)
    puppet.subject.handle_timeout(NOW_MS + 45_200)
    ((again,),) = [message.openings for message in puppet.hear() if isinstance(message, m.Open)]
    assert again.catalogue == first.catalogue


@pytest.mark.parametrize("place", [0, 1])
def test_a_refused_record_that_leaves_the_set_is_off_no_digest_and_forgotten_by_both(place: int) -> None:
    """As where one side refused it for a purge that then takes it away on the other side, too."""
    shelves = [shelf(10), shelf(10)]
    shelves[0].put(records_of("bob", 1, range(100, 103)))
    link = Link(*shelves[:: -1 if place else 1]).run()
    holder, refuser = link.ends[place], link.ends[1 - place]
    assert [end.told(Completed)[-1].but_for for end in link.ends] == [3, 3]
    for sealed in records_of("bob", 1, range(100, 102)):
        del shelves[0].sets[COMMONS][1][sealed.record.id]
    shelves[0].numbers[COMMONS] += 1
    opened: list[m.Message] = []
    holder.carry = lambda frame: opened.append(m.decode_message(frame)) or frame
    link.changed()
    link.tick(500)
    link.run()
    for end in (holder, refuser):
        assert end.told(Completed)[-1] == Completed(COMMONS, 1, (("not_admitted", 1),))
        assert not end.told(Differed)
    assert sum(isinstance(message, m.Open) for message in opened) <= 2


def test_who_asks_and_never_confirms_has_little_remembered_for_it() -> None:
    """Answers that no records are in weigh nothing on the wire; what is kept until they are confirmed does."""
    puppet = Puppet(session(library=shelf(3)), window=WINDOW_BYTES)
    heard = puppet.shake()
    puppet.say(m.Open(next(message for message in heard if isinstance(message, m.Open)).openings))
    held = []
    for number in range(200):
        made_up = tuple(sha256(b"%d %d" % (number, at)).digest() for at in range(IDS_PER_FRAME_MAX))
        puppet.events += puppet.subject.receive_data(m.encode_message(m.Want(0, 1, made_up)), NOW_MS)
        while puppet.subject.data_to_send():
            pass
        held.append(weight(puppet.subject))
    assert end_of(puppet.events).code == "too_many_wants"
    assert max(held) <= SESSION_BYTES_MAX


def test_a_refusal_of_what_was_never_here_changes_no_digest() -> None:
    puppet = Puppet(session(library=shelf(3)))
    heard = puppet.shake()
    (first,) = next(message for message in heard if isinstance(message, m.Open)).openings
    puppet.say(m.Open((first,)))
    puppet.say(m.Refuse(0, 1, tuple((bytes([n]) * 32, "later") for n in range(9))))
    puppet.subject.handle_timeout(NOW_MS + 45_000)
    ((again,),) = [message.openings for message in puppet.hear() if isinstance(message, m.Open)]
    assert again == replace(first, flags=m.AFRESH)


def test_a_paused_library_completes_but_for_what_it_leaves_out_and_is_offered_it_again_later() -> None:
    full, paused = shelf(20), shelf(0)
    paused.paused = True
    link = Link(full, paused).run()
    assert link.dialler.told(Completed)[-1] == Completed(COMMONS, 20, (("paused", 20),))
    assert link.listener.told(Completed)[-1] == link.dialler.told(Completed)[-1]
    sent = link.dialler.bytes
    for _ in range(19):
        link.tick(30_000)
        link.run()
    assert link.dialler.bytes - sent < 19 * 100, "it was offered again"
    paused.paused = False
    for _ in range(3):
        link.tick(30_000)
        link.run()
    assert paused.ids() == full.ids()
    assert link.dialler.told(Completed)[-1] == Completed(COMMONS, 0, ())


def test_a_record_whose_past_is_missing_is_refused_and_its_past_is_asked_for() -> None:
    orphan = records_of("bob", 0, [1], prev=[OTHER])
    full, other = shelf(3), shelf(3)
    full.put(orphan)
    link = Link(full, other).run()
    assert link.listener.told(Completed)[-1] == Completed(COMMONS, 1, (("not_admitted", 1),))
    assert len(other.ids()[0]) == 1


def test_a_lost_body_is_asked_for_beside_the_round() -> None:
    whole, hurt = shelf(20), shelf(20)
    hurt.lost = set(list(hurt.ids()[1])[:3])
    link = Link(whole, hurt).run()
    assert hurt.lost == set()
    assert link.listener.told(Completed)


def test_what_the_peer_does_not_have_is_asked_for_once() -> None:
    hurt = shelf(20)
    hurt.lost = set(list(hurt.ids()[1])[:3])
    puppet = Puppet(session(library=hurt))
    heard = puppet.shake()
    (opening,) = next(message for message in heard if isinstance(message, m.Open)).openings
    heard += puppet.say(m.Open((opening,)))
    wanted = [message for message in heard if isinstance(message, m.Want)]
    assert {identifier for message in wanted for identifier in message.ids} == hurt.lost
    heard = puppet.say(*(m.Packs(0, message.plane, len(message.ids), None, []) for message in wanted))
    puppet.subject.handle_timeout(NOW_MS + 60_000)
    heard += puppet.hear()
    assert any(isinstance(message, m.Open) for message in heard)
    assert not any(isinstance(message, m.Want) for message in heard)


@pytest.mark.parametrize("place", [0, 1])
def test_a_stream_that_was_cut_at_its_very_end_is_done_at_once(place: int) -> None:
    shelves = [shelf(20), shelf(20)]
    last = max((s.record.header.time, s.record.id) for s in shelves[place].sets[COMMONS][1].values())
    shelves[place].set_cursor(COMMONS, 1, Key(*last))
    shelves[place].put(records_of("alice", 1, [50]))
    link = Link(*shelves).run()
    assert shelves[0].ids() == shelves[1].ids()
    assert shelves[place].cursors == {}
    assert link.dialler.told(Completed)


@pytest.mark.parametrize("features", [FEATURES, NO_SKETCH], ids=["with sketch", "without"])
def test_sets_that_sums_cannot_tell_apart_come_together_by_lists(
    monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...]
) -> None:
    monkeypatch.setattr(RangeIndex, "sum", lambda self, lower, upper: 0)
    monkeypatch.setattr(Peeling, "_peel", lambda self, waiting: None)
    a, b = shelf(100), shelf(100)
    for library, number in ((a, 7), (b, 8)):
        gone = records_of("alice", 1, range(100))[number]
        del library.sets[COMMONS][1][gone.record.id]
    link = Link(a, b, features=(features, features)).run()
    assert a.ids() == b.ids() and len(a.ids()[1]) == 100
    assert link.dialler.told(Completed)
    assert link.dialler.told(CollisionFound) == [CollisionFound(COMMONS, 1)]


def test_a_library_that_never_keeps_what_it_takes_ends_in_a_difference_not_in_a_loop() -> None:
    class Sieve(Shelf):
        def _take(self, commons: bytes, sealed: Sealed, now_ms: int) -> str:  # type: ignore[override]
            return ""

    full, sieve = shelf(10), Sieve()
    sieve.put(DOOR)
    link = Link(full, sieve).run()
    assert link.dialler.told(Differed) == link.listener.told(Differed) == [Differed(COMMONS, (1,))]
    assert link.dialler.told(CollisionFound) == []
    deliveries = link.deliveries
    link.tick(60_000)
    link.run()
    assert link.deliveries - deliveries <= 4


def test_a_difference_in_the_charter_does_not_hold_up_the_catalogue() -> None:
    class Forgetful(Shelf):
        def _ground(self, commons: bytes) -> int:  # type: ignore[override]
            self.pending.clear()
            return 0

    full, other = shelf(10), Forgetful()
    other.put(DOOR)
    full.put(records_of("bob", 0, [1], prev=[DOOR[0].record.id]))
    link = Link(full, other).run()
    assert other.ids()[1] == full.ids()[1]
    assert link.dialler.told(Differed) == [Differed(COMMONS, (0,))]


# -- the end


def test_a_bad_seal_ends_the_session_and_says_so() -> None:
    library = shelf(0)
    puppet = Puppet(session(library=library))
    heard = puppet.shake()
    (opening,) = next(message for message in heard if isinstance(message, m.Open)).openings
    puppet.say(m.Open((m.Opening(0, 0, opening.charter, m.SetDigest(1, OTHER)),)))
    (work,) = records_of("alice", 1, [1], tree=1)
    pack = _pack(work)
    pack[4] = bytes(64)
    heard = puppet.say(m.Packs(0, 1, 0, None, [pack]))
    assert end_of(puppet.events).code == "bad_seal" and end_of(puppet.events).violation
    assert heard[-1] == m.End("bad_seal", end_of(puppet.events).detail)
    assert puppet.say(m.Done(0, 1)) == [] and puppet.subject.data_to_send() == []


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ((m.Proof(bytes(64)),), "unexpected_message"),
        ((m.Names((OTHER,)),), "bad_names"),
        ((m.Done(0, 1),), "unexpected_message"),
        ((m.Range(0, 1, b"\x61"),), "unexpected_message"),
        ((m.Ask(0, 1, None),), "unexpected_message"),
        ((m.Packs(0, 1, 0, None, []),), "unexpected_message"),
        ((m.Packs(0, 1, 1, None, []),), "unexpected_message"),
        ((m.Confirm(0, 1, ()),), "bad_confirm"),
        ((m.Want(0, 1, (OTHER,) * 9000), m.Want(0, 1, (OTHER,) * 9000)), "too_many_wants"),
        ((m.Want(1, 1, (OTHER,)),), "bad_slot"),
    ],
)  # fmt: skip
def test_messages_out_of_place_end_the_session(messages: tuple[m.Message, ...], code: str) -> None:
    library = shelf(0)
    puppet = Puppet(session(library=library))
    heard = puppet.shake()
    (opening,) = next(message for message in heard if isinstance(message, m.Open)).openings
    puppet.say(m.Open((opening,)))  # nothing differs: the commons rests
    for message in messages:
        puppet.events += puppet.subject.receive_data(m.encode_message(message), NOW_MS)
    assert end_of(puppet.events).code == code


@pytest.mark.parametrize("role", Role)
def test_steps_of_a_round_out_of_turn_end_the_session(role: Role) -> None:
    puppet = Puppet(session(role, library=shelf(3)))
    puppet.hear()
    if role is Role.DIALLER:
        puppet.say(puppet.hello, puppet.proof())
        puppet.say(puppet.tags(COMMONS))
    else:
        puppet.shake()
    other = replace(NOTHING, charter=m.SetDigest(1, OTHER))
    puppet.say(m.Open((other,)))
    assert not puppet.subject.is_over
    puppet.say(m.Done(0, 0) if role is Role.DIALLER else m.Open((other,)))  # the dialler is done first, and opens
    assert end_of(puppet.events).code == "unexpected_message"


def test_the_end_of_a_peer_is_told_with_its_code() -> None:
    puppet = Puppet(session())
    puppet.shake()
    puppet.say(m.End("closing", "good night"))
    assert puppet.events[-2:] == [PeerRefused("closing", "good night"), SessionEnded("closing", "good night", False)]
    assert puppet.subject.is_over and puppet.subject.next_deadline() is None


# -- announced commons


def test_only_announced_commons_are_listed_and_only_to_who_asks() -> None:
    told = Shelf([COMMONS, OTHER])
    told.told = {COMMONS}
    link = Link(Shelf([]), told).run()
    assert link.dialler.told(CommonsListed) == []
    link.dialler.events += link.dialler.session.browse(link.clock.now_ms)
    link.run()
    (listed,) = link.dialler.told(CommonsListed)
    assert listed == CommonsListed(((COMMONS, told.announced()[0][1]),))
    assert link.listener.told(CommonsListed) == [] and not link.dialler.session.is_over


def test_either_end_may_ask_again_once_it_was_answered() -> None:
    link = Link(Shelf([]), Shelf([])).run()
    for end in link.ends:
        end.session.browse(link.clock.now_ms)
        end.session.browse(link.clock.now_ms)  # not sent: the first is not answered yet
        link.run()
        end.session.browse(link.clock.now_ms)
        link.run()
        assert end.told(CommonsListed) == [CommonsListed(()), CommonsListed(())]


def test_a_listing_is_bounded_and_long_names_are_cut() -> None:
    many = [(sha256(b"%d" % n).digest(), "é" * LISTING_NAME_BYTES_MAX) for n in range(LISTING_MAX + 1)]
    made = listing(many)
    assert m.decode_message(m.encode_message(made)) == made
    assert len(made.commons) == LISTING_MAX and made.commons[0][1] == "é" * (LISTING_NAME_BYTES_MAX // 2)


def test_a_peer_that_does_not_know_the_feature_is_not_asked() -> None:
    puppet = Puppet(session())
    puppet.shake()
    assert puppet.subject.browse(NOW_MS) == [CommonsListed(())]
    assert puppet.hear() == []
    puppet.say(m.Browse())
    assert end_of(puppet.events).code == "unexpected_message"


def test_a_listing_nobody_asked_for_ends_the_session() -> None:
    puppet = Puppet(session(), features=("listing",))
    puppet.shake()
    assert m.Browse() not in puppet.hear()
    puppet.say(m.Listing(()))
    assert end_of(puppet.events) == SessionEnded("unexpected_message", "a listing that was not asked for", True)


def test_nothing_is_listed_before_the_handshake_is_over() -> None:
    puppet = Puppet(session(), features=("listing",))
    assert puppet.subject.browse(NOW_MS) == [] and puppet.hear() == []
    puppet.say(puppet.hello, m.Browse())
    assert end_of(puppet.events).code == "unexpected_message"


def test_closing_says_goodbye_once() -> None:
    link = Link(shelf(3), shelf(3)).run()
    link.dialler.events += link.dialler.session.close()
    link.run()
    assert link.dialler.events[-1] == SessionEnded("closing", "this node ends the session", False)
    assert link.listener.events[-1] == SessionEnded("closing", "this node ends the session", False)
    assert link.dialler.session.close() == []


def test_a_silent_peer_is_given_up() -> None:
    link = Link(shelf(3), shelf(3)).run()
    silent = link.clock.now_ms + SESSION_IDLE_MS_MAX
    assert link.dialler.session.handle_timeout(silent - 1) == []
    assert end_of(link.dialler.session.handle_timeout(silent)).code == "idle"


def test_tables_of_transitions_forbid_what_they_do_not_name() -> None:
    assert (State.HELLO_AWAITED, m.Proof) not in TRANSITIONS
    assert (State.PROOF_AWAITED, m.Names) not in TRANSITIONS
    assert all(before is not State.ENDED for before, _ in TRANSITIONS)
    assert (Stage.EXCHANGING, Step.DONE_TAKEN) not in ROUND[Role.DIALLER]
    assert (Stage.BOTH_DONE, Step.OPENING_SENT) not in ROUND[Role.LISTENER]
    for table in ROUND.values():
        assert {stage for stage, _ in table} == set(table.values())


def test_a_clock_that_is_shared_by_two_links_moves_both() -> None:
    clock = Clock()
    shelves = shelf(5), shelf(0), shelf(0)
    Link(shelves[0], shelves[1], clock).run()
    Link(shelves[1], shelves[2], clock).run()
    assert shelves[0].ids() == shelves[2].ids()


def _pack(sealed: Sealed) -> list[object]:
    library = Shelf()
    library.put([sealed])
    (pack,) = library._packs([sealed])
    made: list[object] = pack
    return made
