"""Sessions that nobody has a use for end in time, and leave their link to others."""

from __future__ import annotations

from hashlib import sha256

from simulation.shelf import COMMONS, Shelf
from simulation.world import Link

from p2pcommons.core.limits import HANDSHAKE_MS_MAX, SESSION_UNSHARED_MS_MAX
from p2pcommons.sync.events import CommonsMatched, SessionEnded

ELSEWHERE = sha256(b"another commons").digest()


def strangers() -> tuple[Link, Shelf, Shelf]:
    """A session of two nodes that follow nothing in common."""
    one, two = Shelf([COMMONS]), Shelf([ELSEWHERE])
    return Link(one, two).run(), one, two


def ends(link: Link) -> list[str]:
    return [event.code for end in link.ends for event in end.told(SessionEnded)]  # type: ignore[attr-defined]


def test_a_listener_ends_a_session_in_which_nothing_is_shared_and_says_why() -> None:
    link, _, _ = strangers()
    began = link.clock.now_ms
    assert link.listener.session.next_deadline() == began + SESSION_UNSHARED_MS_MAX
    assert link.dialler.session.next_deadline() is None, "whoever called leaves it to the other"
    link.tick(SESSION_UNSHARED_MS_MAX - HANDSHAKE_MS_MAX)
    assert not ends(link.run())
    link.tick(HANDSHAKE_MS_MAX)
    assert ends(link.run()) == ["nothing_shared", "nothing_shared"]
    assert not any(event.violation for end in link.ends for event in end.told(SessionEnded))  # type: ignore[attr-defined]


def test_following_something_else_gives_it_as_much_time_again() -> None:
    for place in (0, 1):
        link, one, two = strangers()
        link.tick(SESSION_UNSHARED_MS_MAX - HANDSHAKE_MS_MAX)
        (one, two)[place].follow(sha256(b"a third").digest())
        link.changed()
        link.run()
        link.tick(SESSION_UNSHARED_MS_MAX - HANDSHAKE_MS_MAX)
        assert not ends(link.run()), place
        link.tick(HANDSHAKE_MS_MAX)
        assert ends(link.run()) == ["nothing_shared"] * 2


def test_records_that_are_written_meanwhile_do_not_keep_it() -> None:
    link, _, _ = strangers()
    for _ in range(4):
        link.tick(SESSION_UNSHARED_MS_MAX // 4)
        link.changed()
    assert ends(link.run()) == ["nothing_shared"] * 2


def test_a_commons_in_common_keeps_it_and_the_last_one_that_is_left_does_not() -> None:
    link, one, two = strangers()
    link.tick(SESSION_UNSHARED_MS_MAX - HANDSHAKE_MS_MAX)
    two.follow(COMMONS)
    link.changed()
    link.run()
    assert link.dialler.told(CommonsMatched)
    for _ in range(4):  # rounds go on
        link.tick(60_000)
        link.run()
    assert not ends(link)
    one.unfollow(COMMONS)
    link.changed()
    link.run()
    link.tick(SESSION_UNSHARED_MS_MAX)
    assert ends(link.run()) == ["nothing_shared"] * 2


def test_what_is_followed_during_the_handshake_is_named_at_its_end() -> None:
    for place in (0, 1):
        for deliveries in range(4):
            shelves = Shelf([ELSEWHERE]), Shelf([ELSEWHERE])
            shelves[1 - place].follow(COMMONS)
            link = Link(*shelves)
            link.run(deliveries=deliveries)
            shelves[place].follow(COMMONS)
            link.changed()
            link.run()
            assert COMMONS in link.dialler.session.commons(), (place, deliveries)
