"""What pages say of neighbours, copies and clocks, in both languages; and what they ask before something is let go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from node_world import address_of, filled, running, same, soon
from page_world import Place, page_world, served

from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.record import CommonsId
from p2pcommons.node.daemon import Node
from p2pcommons.node.values import (
    COPY_CODES,
    NOTICE_CODES,
    PEER_CODES,
    CommonsInfo,
    Instant,
    NearbyCommons,
    Notice,
    PeerCommons,
    PeerInfo,
    Status,
)
from p2pcommons.node.watch import Watch
from p2pcommons.web import labels

LANGUAGES = ("en", "fr")
KEY = SigningKey(b"p" * 32).public
COMMONS = CommonsId(b"c" * 32)
EVIL = "<b>Évil</b>\u202e"


class Told:
    """Verbs that tell a status of the test's own, for what takes too long to bring about."""

    def __init__(self, status: Status) -> None:
        self._status = status

    async def status(self) -> Status:
        return self._status

    async def health(self) -> Any:
        from p2pcommons.node.values import Health

        return Health(True)

    async def peers(self) -> tuple[PeerInfo, ...]:
        return self._status.peers

    async def list_commons(self) -> tuple[CommonsInfo, ...]:
        return self._status.commons

    async def metrics(self) -> tuple[()]:
        return ()


@asynccontextmanager
async def telling(language: str, **told: Any) -> AsyncIterator[Place]:
    info = CommonsInfo(COMMONS, "here", "Fours", "open", member=True, may_write=True, members=1)
    base: dict[str, Any] = {"commons": (info,), **told}
    status = Status(True, "0", KEY, KEY, "/data", Instant(1_790_000_000_000), 0, **base)
    async with served(Told(status), language) as place:
        yield place


# -- every code has its words


def test_every_code_that_a_node_gives_has_words_for_people() -> None:
    assert set(labels.WHYS) == set(PEER_CODES)
    assert set(labels.COPY_WHYS) == {*COPY_CODES, "no-neighbour"}
    assert set(labels.NOTICES) == set(NOTICE_CODES)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_notice_says_what_it_is_what_to_do_and_what_it_is_about(language: str) -> None:
    found = tuple(Notice(code, "in English", (f"z6Mk{code}", EVIL)) for code in NOTICE_CODES)
    async with telling(language, notices=found) as place:
        for path in ("/neighbours", "/commons"):
            page = await place.browser.get(path)
            assert page.text.count("z6Mk") >= len(NOTICE_CODES) and "in English" not in page.text
            assert sum(given.get("class") == "notice turn" for _, given in page.html.tags) == len(NOTICE_CODES)
            assert page.html.form("/settings/clock")
    async with telling(language, notices=(Notice("a-new-one", "said in English"),)) as place:
        assert "said in English" in (await place.browser.get("/neighbours")).text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_state_of_a_neighbour_and_of_a_copy_is_shown_in_words(language: str) -> None:
    copies = [PeerCommons(COMMONS, state, "x", 1, 2) for state in ("same", "comparing", "sending", "differs")]
    copies += [PeerCommons(COMMONS, "same", "x", 1, 2, code) for code in COPY_CODES]
    copies += [PeerCommons(COMMONS, "receiving", "x", 1, 2, "receiving", 1234, 5678)]
    peers = [PeerInfo(f"192.0.2.{n}:1", KEY, "waiting", "said so", code=code) for n, code in enumerate(PEER_CODES)]
    peers += [PeerInfo("192.0.2.99:1", KEY, "connected", commons=tuple(copies), code="clock-off")]
    async with telling(language, peers=tuple(peers)) as place:
        page = await place.browser.get("/neighbours")
        assert page.text.count("said so") == 1, "only where it was the other side's own word"
        assert ("1,234" if language == "en" else "1 234") in page.text
        good = sum(given.get("class") == "state good" for _, given in page.html.tags)
        assert good == 1, "only two whole copies are said to be up to date"


# -- nearby commons


@pytest.mark.parametrize("language", LANGUAGES)
async def test_commons_that_neighbours_announce_are_followed_by_a_button(language: str, tmp_path: Path) -> None:
    told = (NearbyCommons(COMMONS, EVIL, False, 2), NearbyCommons(CommonsId(b"d" * 32), "Mine", True, 1))
    async with telling(language, nearby=told) as place:
        for path in ("/neighbours", "/commons"):
            page = await place.browser.get(path)
            assert EVIL in page.html.texts and "Mine" not in page.text
            assert ("commons", COMMONS.hex()) in page.html.form("/commons/follow").fields
    async with running(tmp_path / "a") as a, running(tmp_path / "b") as b, served(b.commons, language) as place:
        commons = (await a.commons.create_commons("Ouvert", join="open")).id
        await b.commons.add_peer(address_of(a))

        async def told_it() -> bool:
            return bool(await b.commons.nearby())

        await soon(told_it, "the neighbour tells what it announces")
        page = await place.browser.get("/neighbours")
        assert "Ouvert" in page.text
        followed = await place.browser.send(page, "/commons/follow")
        assert followed.path.startswith(f"/commons/{commons.hex()}")
        await soon(lambda: same(a, b, commons), "it comes")
        assert "Ouvert" in (await place.browser.get("/commons")).text


# -- letting a commons go


@pytest.mark.parametrize("language", LANGUAGES)
async def test_unfollowing_says_what_is_lost_and_what_stays_and_asks(language: str, tmp_path: Path) -> None:
    async with running(tmp_path / "a") as a, running(tmp_path / "b") as b, served(a.commons, language) as place:
        commons = await filled(a, 3)
        alone = await place.browser.get(f"/commons/{commons.hex()}/unfollow")
        assert sum(given.get("class") == "notice bad" for _, given in alone.html.tags) == 1, "it may be the only copy"
        await b.commons.follow(commons)
        await b.commons.add_peer(address_of(a))

        async def whole() -> bool:
            return any(each.state == "same" for peer in await a.commons.peers() for each in peer.commons)

        await soon(lambda: same(a, b, commons), "a second copy")
        await soon(whole, "and it is known")
        page = await place.browser.get(f"/commons/{commons.hex()}")
        assert f"/commons/{commons.hex()}/unfollow" in page.html.links
        asked = await place.browser.get(f"/commons/{commons.hex()}/unfollow")
        assert not [given for _, given in asked.html.tags if given.get("class") == "notice bad"]
        assert {info.id for info in await a.commons.list_commons()} == {commons}, "asking does nothing"
        gone = await place.browser.send(asked, f"/commons/{commons.hex()}/unfollow")
        assert gone.path.startswith("/commons?done=") and await a.commons.list_commons() == ()
        assert (await b.commons.digest(commons)).entries == 3
        assert (await place.browser.get(f"/commons/{commons.hex()}/unfollow")).status == 404
        await a.commons.follow(commons)
        await soon(lambda: same(a, b, commons), "it comes back")


# -- blocking


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_neighbour_is_blocked_and_unblocked_after_a_question(language: str, tmp_path: Path) -> None:
    async with running(tmp_path / "a") as a, running(tmp_path / "b") as b, served(a.commons, language) as place:
        commons = await filled(a, 1)
        await b.commons.follow(commons)
        await b.commons.add_peer(address_of(a))
        await soon(lambda: same(a, b, commons), "they met")
        key = did_key(b.runtime.keys.node.public)
        path = f"/neighbours/block?key={quote(key)}"
        page = await place.browser.get("/neighbours")
        assert path in [link.replace(":", "%3A") for link in page.html.links]
        asked = await place.browser.get(path)
        assert asked.html.form("/neighbours/block")
        done = await place.browser.send(asked, "/neighbours/block")
        assert done.path == "/neighbours?done=blocked"

        async def refused(code: str) -> bool:
            return any(peer.code == code for peer in await b.commons.peers())

        await soon(lambda: refused("blocked"), "the other is told")
        assert [peer.blocked for peer in await a.commons.peers()] == [True]
        asked = await place.browser.get(path)
        done = await place.browser.send(asked, "/neighbours/unblock")
        assert done.path == "/neighbours?done=unblocked"
        again = await place.browser.send(asked, "/neighbours/unblock")
        assert again.status == 404

        async def met() -> bool:
            return any(peer.state == "connected" for peer in await a.commons.peers())

        await soon(met, "they meet again")


@pytest.mark.parametrize("text", ["", "x", did_key(KEY)])
async def test_only_a_neighbour_can_be_blocked_at_the_page(text: str, tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        assert (await place.browser.get(f"/neighbours/block?key={quote(text)}")).status == 404
        form = (await place.browser.get("/settings")).html.values("/settings/words")["form"]
        posted = await place.browser.post("/neighbours/block", {"key": text + "!", "form": form})
        assert posted.status == 404


# -- the clock


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_doubtful_clock_is_shown_everywhere_and_settled_by_a_button(language: str, tmp_path: Path) -> None:
    async with running(tmp_path / "a") as a, served(a.commons, language) as place:
        await filled(a, 1)
        turn_back(a, 7_200_000)
        for path in ("/", "/neighbours", "/commons", "/settings"):
            assert [form for form in (await place.browser.get(path)).html.forms if form.action == "/settings/clock"]
        page = await place.browser.get("/add")
        refused = await place.browser.send(page, "/add", type="place", title="Lavoir")
        assert refused.status == 409
        assert ("span", {"lang": "en", "dir": "ltr"}) not in refused.html.tags, "said in the person's own language"
        settled = await place.browser.send(await place.browser.get("/settings"), "/settings/clock")
        assert settled.path == "/settings?done=clock"
        assert not [form for form in settled.html.forms if form.action == "/settings/clock"]
        added = await place.browser.send(page, "/add", type="place", title="Lavoir")
        assert added.path.startswith("/entries/")


def turn_back(node: Node, ms: int) -> None:
    """Give a node a clock that is behind, and what it knew of its own records."""
    late = node.runtime.now_ms()
    node.runtime.watch = Watch(read_ms=lambda: late - ms)
    node.runtime.watch.note_own(late)
