"""Clocks that jump, ahead and back, while nodes are in session: noticed, said, and nothing is lost by it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from node_world import address_of, filled, running, same, soon, true

from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.errors import Conflict
from p2pcommons.node import daemon, neighbours
from p2pcommons.node.daemon import Node
from p2pcommons.node.watch import Watch
from p2pcommons.sync.exchange import Exchange

HOUR_MS = 3_600_000


class Hands:
    """What a person does to the clock of one machine; its time goes on by itself."""

    def __init__(self, node: Node) -> None:
        self.node = node
        right = Watch()
        self.ahead_ms = 0
        self._sleep_ms = 0
        watch = Watch(
            read_ms=lambda: right.now_ms() + self.ahead_ms + self._sleep_ms,
            steady_ms=lambda: right.now_ms() + self._sleep_ms,
        )
        watch.note_own(right.now_ms())
        watch.ask_peers(node.runtime.watch._ask_peers)
        node.runtime.watch = watch

    def turn(self, ms: int) -> None:
        """Set the clock ahead (back: negative)."""
        self.ahead_ms += ms

    def wait(self, ms: int) -> None:
        """So much time goes by."""
        self._sleep_ms += ms


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "CLOCK_LOOK_S", 0.01)
    monkeypatch.setattr(neighbours, "STABLE_S", 0.0)


async def _copies(node: Node) -> list[tuple[str, str]]:
    return [(each.state, each.code) for peer in await node.commons.peers() for each in peer.commons]


def _stands(node: Node, *, code: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        found = await _copies(node)
        return bool(found) and all(each == ("same", code) for each in found)

    return look


async def _notices(node: Node) -> list[str]:
    return [notice.code for notice in (await node.commons.status()).notices]


async def _entry(node: Node, commons: CommonsId, title: str) -> str:
    made = await node.commons.add_entry(commons, {"type": "text", "title": title})
    return str(made.entry["id"])


def _has(node: Node, commons: CommonsId, entries: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return (await node.commons.digest(commons)).entries == entries

    return look


async def test_what_was_written_with_a_clock_ahead_waits_for_its_time_and_writing_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        commons = await filled(one, 1)
        await two.commons.follow(commons)
        await soon(lambda: same(one, two, commons), "two copies")
        here, there = Hands(one), Hands(two)
        here.turn(2 * HOUR_MS)
        await _entry(one, commons, "from the future")
        await soon(_stands(one, code="later"), "the neighbour says that it is too early")
        assert (await one.commons.get_commons(commons)).code == "later"
        (peer,) = await two.commons.peers()
        assert (await two.commons.digest(commons)).entries == 1
        assert peer.state == "connected" and peer.code == "clock-off", "its clock is 2 hours ahead"

        here.turn(-2 * HOUR_MS)
        assert await _notices(one) == ["clock-wrong"]
        with pytest.raises(Conflict, match="trust-clock"):
            await _entry(one, commons, "now")
        (check,) = [each for each in await one.commons.doctor() if each.name == "clock"]
        assert not check.ok and "trust-clock" in (check.advice or "")
        await one.commons.trust_clock()
        await _entry(one, commons, "now")
        await soon(_has(two, commons, 2), "what is written now comes now")
        assert await _notices(one) == [], "no other device, no copy: a record that was not built upon"
        await soon(_stands(one, code="later"), "and what is too early is still said to be")

        for hands in (here, there):
            hands.wait(2 * HOUR_MS)
        await soon(lambda: same(one, two, commons), "its time has come")
        await soon(_stands(one, code=""), "and it is said so")
        assert (await two.commons.digest(commons)).entries == 3


async def test_a_person_answers_for_the_clock_once_and_a_restart_remembers(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = await filled(one, 1)
        hands = Hands(one)
        hands.turn(2 * HOUR_MS)
        await _entry(one, commons, "from the future")
        hands.turn(-2 * HOUR_MS)
        await one.commons.trust_clock()
        await _entry(one, commons, "now")
    async with running(tmp_path / "one") as one:
        assert await _notices(one) == []
        await _entry(one, commons, "again")
    async with running(tmp_path / "one") as one:
        hands = Hands(one)
        one.runtime._note_own(commons, Plane.CATALOGUE)
        hands.turn(-2 * HOUR_MS)
        assert await _notices(one) == ["clock-wrong"], (
            "a clock that is behind all that was written since is another thing"
        )


async def test_an_act_of_a_clock_ahead_holds_up_none_that_comes_behind_it(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = (await one.commons.create_commons("Sur invitation")).id
        hands = Hands(one)
        hands.turn(10 * 365 * 24 * HOUR_MS)
        await one.commons.invite(commons)
        hands.turn(-10 * 365 * 24 * HOUR_MS)
        await one.commons.trust_clock()
        line = (await one.commons.invite(commons)).invitation
        async with running(tmp_path / "two", address_of(one)) as two:
            await two.commons.join(line)

            async def member() -> bool:
                return (await two.commons.get_commons(commons)).member

            await soon(member, "the second invitation lets a member in")
            await _entry(two, commons, "hello")
            await soon(_has(one, commons, 1), "and what they write comes")


async def test_a_clock_that_is_set_back_in_a_session_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(
        Exchange, "tell", lambda self, growth, now_ms: self.local_change(now_ms)
    )  # no news, rounds alone
    monkeypatch.setattr("p2pcommons.sync.exchange.ROUND_EVERY_MS", 10**9)  # and those only for a reason

    async def set_times(count: int) -> bool:
        return sum(getattr(record, "event", "") == "clock_set" for record in caplog.records) == count

    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        commons = await filled(one, 1)
        await two.commons.follow(commons)
        await soon(lambda: same(one, two, commons), "two copies")
        hands = Hands(one)
        hands.turn(2 * HOUR_MS)
        await soon(lambda: set_times(1), "it is noticed")
        await _entry(one, commons, "from the future")
        await soon(_stands(one, code="later"), "they met again, and compared")
        hands.turn(-2 * HOUR_MS)
        await soon(lambda: set_times(2), "it is noticed")
        await one.commons.trust_clock()
        await _entry(one, commons, "now")
        await soon(_has(two, commons, 2), "records go on")

        async def agree() -> bool:
            return [(peer.state, peer.code) for peer in await two.commons.peers()] == [("connected", "")]

        await soon(agree, "the two clocks agree now")


async def test_a_record_asked_for_by_a_clock_ahead_is_asked_for_again(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = await filled(one, 1)
        hands = Hands(one)
        hands.turn(HOUR_MS)
        await soon(lambda: true(not one.runtime.watch.moved_ms()), "it is noticed")

        def is_free() -> bool:
            now_ms = one.runtime.now_ms()
            return one.runtime.replica.spread(commons).claim(b"w" * 32, now_ms, now_ms + 2_000) is None

        assert is_free() and not is_free()
        hands.turn(-HOUR_MS)

        async def again() -> bool:
            return is_free()

        await soon(again, "nobody waits an hour for it")


async def test_a_clock_ahead_of_most_neighbours_is_told_and_stops_nobody(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = await filled(one, 1)
        hands = Hands(one)
        one.runtime.watch.ask_peers(lambda: [-2 * HOUR_MS] * 3)
        assert await _notices(one) == ["clock-ahead"]
        await _entry(one, commons, "all the same")
        await one.commons.trust_clock()
        assert await _notices(one) == []
        hands.turn(AHEAD_MS_MAX)
        await soon(lambda: true(one.runtime.watch.ahead() is not None), "a clock that is set again is looked at again")
