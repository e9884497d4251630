"""Open pages in a real browser follow what happens, without being loaded again and without losing where one is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from p2pcommons.core.record import CommonsId
from tests.browser.looking import DESKTOP, Browsing, Screen, World

pytestmark = pytest.mark.slow


def add(world: World, title: str) -> str:
    commons = CommonsId(bytes.fromhex(world.names["commons"]))
    return str(world.ask(lambda client: client.add_entry(commons, {"type": "place", "title": title})).entry["id"])


def test_a_new_entry_appears_and_nothing_is_loaded_again(world: World, browsing: Browsing) -> None:
    with browsing.look(world) as seen:
        page = seen.page
        page.goto(world.at("/?sort=created&commons={commons}"))
        page.evaluate("document.body.dataset.first = 'yes'")
        link = page.locator(".results h3 a").first
        link.focus()
        focused = link.get_attribute("href")
        page.locator("summary").last.click()  # a list of values is opened, or closed
        opened = page.locator("details[open]").count()
        link.focus()
        entry = add(world, "Four nouveau")
        page.locator(f'[data-key="{entry}"]').wait_for()
        assert page.evaluate("document.body.dataset.first") == "yes"
        assert page.evaluate("document.activeElement.getAttribute('href')") == focused
        assert page.locator("details[open]").count() == opened
        assert seen.faults() == []


def test_one_tab_listens_for_all_and_another_takes_its_place(world: World, browsing: Browsing) -> None:
    with browsing.look(world) as seen:
        first, second = seen.page, seen.page.context.new_page()
        streams: list[str] = []
        for page in (first, second):
            page.on("request", lambda request: streams.append(request.url) if request.url.endswith("/live") else None)
            page.goto(world.at("/?sort=created&commons={commons}"))
        second.locator(f'[data-key="{add(world, "Four premier")}"]').wait_for()
        assert len(streams) == 1
        first.close()
        second.locator(f'[data-key="{add(world, "Four second")}"]').wait_for()
        assert len(streams) == 2


def test_a_page_says_that_the_node_is_gone_and_goes_on_when_it_is_back(world: World, browsing: Browsing) -> None:
    with browsing.look(world) as seen:
        page = seen.page
        page.route("**/live", lambda route: route.abort())
        page.goto(world.at("/"))
        assert page.locator("#silent").is_hidden()
        page.locator("#silent").wait_for()
        page.unroute("**/live")
        page.locator("#silent").wait_for(state="hidden")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_page_shows_the_same_with_and_without_scripts(world: World, browsing: Browsing, scripts: bool) -> None:
    with browsing.look(world, Screen("plain", DESKTOP.width, DESKTOP.height, scripts=scripts)) as seen:
        seen.page.goto(world.at("/?q=lavoir&commons={commons}"))
        assert seen.page.locator(".results h3 a").count() > 1
        seen.page.get_by_label("Search for").fill("Lavoir entry")
        seen.page.keyboard.press("Enter")
        expect(seen.page.locator(".results h3 a")).to_have_count(1)
