"""Every page in a real browser: no fault it could tell, nothing foreign, no barrier, nothing that does not fit."""

from __future__ import annotations

import pytest

from p2pcommons.web.views import VIEWS
from tests.browser.looking import DESKTOP, NARROW, PHONE, Browsing, Screen, World
from tests.browser.places import PLACES, Place

# Each page on each of two screens; what else there is, one of them for each page in turn.
OTHERS = (
    NARROW,
    Screen("dark-french", 1280, 900, dark=True, language="fr-FR"),
    Screen("narrow-french", 320, 600, language="fr-FR"),
    Screen("dark-phone", 375, 740, dark=True),
    Screen("contrast", 1280, 900, contrast=True),
)
LOOKS = [
    pytest.param(place, screen, id=f"{place.name}-{screen.name}")
    for number, place in enumerate(PLACES)
    for screen in (DESKTOP if number % 2 else PHONE, OTHERS[number % len(OTHERS)])
]


def test_every_view_has_a_place() -> None:
    assert {view.path for view in VIEWS if view.method == "GET"} == {place.view for place in PLACES} - {""}


@pytest.mark.slow
@pytest.mark.parametrize(("place", "screen"), LOOKS)
def test_a_page_is_without_fault(world: World, browsing: Browsing, place: Place, screen: Screen) -> None:
    with browsing.look(world, screen) as seen:
        answer = seen.page.goto(world.at(place.target))
        assert answer is not None
        assert answer.status == place.status
        assert seen.page.locator("html").get_attribute("lang") == screen.language[:2]
        assert seen.faults(place.status) == []
