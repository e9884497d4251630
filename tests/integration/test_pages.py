"""The pages over a real folder, with a browser that has no scripts: every page in both languages, every form wrongly."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from page_world import TOKEN, Browser, Place, Shown, page_world, served

from p2pcommons.config import Endpoint, Settings
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.record import CommonsId
from p2pcommons.node.daemon import Node
from p2pcommons.node.local import local_client
from p2pcommons.web.pages import HEADERS

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> \u202eevil"
LANGUAGES = ("en", "fr")
STRANGER = SigningKey(b"s" * 32).public


@asynccontextmanager
async def founded(data: Path, language: str = "en", name: str = "Recouvrance") -> AsyncIterator[tuple[Place, str]]:
    """A page over one commons, founded at the page."""
    async with page_world(data, language) as place:
        page = await place.browser.get("/")
        assert page.path == "/welcome"
        made = await place.browser.send(page, "/commons/new", name=name)
        assert made.status == 200 and made.path.startswith("/commons/")
        yield place, made.path.split("/")[2].partition("?")[0]


async def add(browser: Browser, **fields: Any) -> Shown:
    """Fill in the form of a new entry."""
    given = {"type": "place", "title": "Tour Tanguy", "words": "fr", **fields}
    return await browser.send(await browser.get("/add"), "/add", **given)


def entry_path(shown: Shown) -> str:
    return shown.path.partition("?")[0]


# -- the first minute


async def test_the_first_page_leads_from_nothing_to_an_entry_and_asks_once_what_is_public_for_ever(
    tmp_path: Path,
) -> None:
    async with page_world(tmp_path, "fr-FR,fr;q=0.9,en;q=0.1") as place:
        browser = place.browser
        page = await browser.get("/")
        assert page.path == "/welcome" and "Bienvenue" in page.text
        asked = await browser.send(page, "/commons/new", accept=False, name="Commun d'essai")
        assert "Ce que vous écrivez est signé par vous" in asked.text
        assert await place.commons.list_commons() == ()  # nothing is written before
        form = asked.html.forms[0]
        assert ("name", "Commun d'essai") in form.fields
        made = await browser.post(form.action, form.fields)
        assert "Le commun est là" in made.text
        (info,) = await place.commons.list_commons()
        assert (info.name, info.languages, info.join) == ("Commun d'essai", ("fr",), "invite")
        added = await browser.send(
            await browser.get("/add"), "/add", accept=False, type="place", title="Tour Tanguy", words="fr"
        )
        assert added.path.startswith("/entries/") and "Fiche ajoutée." in added.text


async def test_refusing_what_is_public_for_ever_leaves_nothing_behind(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        page = await place.browser.get("/welcome")
        await place.browser.send(page, "/commons/new", accept=False, name="Never")
        assert "/welcome" in (await place.browser.get("/")).path


async def test_the_language_is_the_browsers_until_a_person_chooses(tmp_path: Path) -> None:
    async with page_world(tmp_path, "de, fr;q=0.4, en;q=0.3") as place:
        browser = place.browser
        assert "Réglages" in (await browser.get("/settings")).text
        page = await browser.get("/language/en?back=%2Fsettings")
        assert page.path == "/settings" and "Settings" in page.text and page.headers["Content-Language"] == "en"
        assert "Settings" in (await browser.get("/settings")).text
        assert "Settings" in (await browser.get("/language/xx?back=/settings")).text


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example", "/\\evil.example", "\\\\evil", "/\n/x"])
async def test_a_switch_never_leads_off_this_node(tmp_path: Path, back: str) -> None:
    async with (
        page_world(tmp_path) as place,
        place.browser.http.get(place.url + "/language/fr", params={"back": back}, allow_redirects=False) as response,
    ):
        assert response.headers["Location"] == "/"


# -- every page


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_whole_in_each_language(tmp_path: Path, language: str) -> None:
    async with founded(tmp_path, language) as (place, commons):
        browser = place.browser
        await browser.send(await browser.get(f"/commons/{commons}"), f"/commons/{commons}/sample")
        listed = await browser.get("/?type=trail&sort=title")
        first = next(link for link in listed.html.links if link.startswith("/entries/"))
        assert first.partition("?")[2] == ""  # one commons: it need not be named
        paths = [
            "/", "/?q=phare", "/?q=zzzz", "/?tag=phare", "/?licence=CC0-1.0&language=fr", f"/?commons={commons}",
            "/add", "/commons", f"/commons/{commons}", "/commons/new", "/join", "/welcome", "/public", "/neighbours",
            "/settings", "/enter", "/unsettled", f"/commons/{commons}/unfollow", f"/commons/{commons}/charter",
            f"/commons/{commons}/charter/decide.rule", f"/commons/{commons}/charter/decide.rule/question",
            f"/commons/{commons}/proposals", f"/commons/{commons}/proposals/new?matter=steward",
            f"/commons/{commons}/proposals/new?matter=remove", f"/commons/{commons}/proposals/new?matter=admit",
            f"/commons/{commons}/members", f"/commons/{commons}/lineage", f"/commons/{commons}/fork", f"/commons/{commons}/moderation",
             f"{first}/moderate?do=report", f"{first}/moderate?do=hide", f"{first}/moderate?do=erase", first, f"{first}/history", f"{first}/edit", f"{first}/withdraw",
        ]  # fmt: skip
        seen = set()
        for path in paths:
            page = await browser.get(path)
            assert page.status == 200, path
            assert page.headers["Content-Language"] == language
            for name, value in HEADERS.items():
                assert page.headers[name] == value
            seen.update(link for link in page.html.links if link.startswith("/"))
        for link in seen:  # nothing on any page leads nowhere
            async with browser.http.get(place.url + link) as response:
                assert response.status == 200, link


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/entries/" + "0" * 64, 404),
        ("/entries/xyz", 404),
        ("/entries/" + "0" * 64 + "/history", 404),
        ("/entries/" + "0" * 64 + "/edit", 404),
        ("/commons/" + "0" * 64, 404),
        ("/commons/xyz", 404),
        ("/?commons=xyz", 404),
        ("/?commons=" + "0" * 64, 404),
        ("/add?commons=" + "0" * 64, 200),
        ("/?cursor=xyz", 200),
        ("/?sort=xyz&type=xyz", 200),
        ("/?q=" + "+".join("abcdefghij" * 5), 200),
        ("/unsettled?cursor=xyz", 404),
    ],
)
async def test_wrong_addresses_answer_with_a_page(tmp_path: Path, path: str, status: int, language: str) -> None:
    async with founded(tmp_path, language) as (place, _):
        page = await place.browser.get(path)
        assert page.status == status
        assert page.headers["Content-Language"] == language


async def test_programs_still_get_problem_documents(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _), place.browser.http.get(place.url + "/api/v1/nowhere") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")


async def test_the_stylesheet_is_kept_for_ever_and_small(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        page = await place.browser.get("/")
        sheet = next(given["href"] for tag, given in page.html.tags if given.get("rel") == "stylesheet")
        async with place.browser.http.get(place.url + sheet) as response:
            assert "immutable" in response.headers["Cache-Control"] and response.content_type == "text/css"
            assert len(await response.read()) <= 20_000
        async with place.browser.http.get(place.url + "/static/0/style.css") as response:
            assert response.status == 404
        async with place.browser.http.get(place.url + "/favicon.ico") as response:
            assert response.content_type == "image/svg+xml"


# -- searching


async def test_results_narrow_by_what_they_have_and_widen_again(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser = place.browser
        loaded = await browser.send(await browser.get("/"), f"/commons/{commons}/sample")
        assert "The sample is loaded." in loaded.text and "66 entries" in loaded.text
        again = await browser.send(await browser.get(f"/commons/{commons}"), f"/commons/{commons}/sample")
        assert "Nothing was added twice." in again.text and "66 entries" in again.text
        page = await browser.get("/")
        trail = next(link for link in page.html.links if link == "/?type=trail")
        narrowed = await browser.get(trail)
        assert "6 entries" in narrowed.text
        both = await browser.get("/?type=trail&q=Portzic")
        assert "/?q=Portzic" in both.html.links  # the chip takes the filter away
        assert (
            "Du Petit Minou au Portzic"
            in (await browser.get("/?type=trail&q=Portzic", **{"Accept-Language": "fr"})).text
        )


async def test_pages_of_results_hold_every_entry_once(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser = place.browser
        await browser.send(await browser.get("/"), f"/commons/{commons}/sample")
        path, found = "/?sort=title", []
        for _ in range(10):
            page = await browser.get(path)
            found += [link for link in page.html.links if link.startswith("/entries/")]
            following = [given["href"] for tag, given in page.html.tags if given.get("rel") == "next"]
            if not following:
                break
            path = following[0]
        assert len(found) == len(set(found)) == 66


# -- adding and changing


async def test_an_entry_says_what_was_typed(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        shown = await add(
            place.browser,
            description="Une tour.\n\nMédiévale.",
            creators="Anna Le Gall; photographer\nJean\n",
            subjects="tour\nMoyen Âge",
            created="1920~",
            language="fr, br",
            **{"place.name": "Brest", "place.lat": "48,3834", "place.lon": "-4.4969"},
        )
        entry = (await place.commons.get_entry(bytes.fromhex(entry_path(shown).split("/")[2]))).entry  # type: ignore[arg-type]
        assert entry["title"] == {"fr": "Tour Tanguy"}
        assert entry["description"] == {"fr": "Une tour.\n\nMédiévale."}
        assert entry["creators"] == [{"name": "Anna Le Gall", "role": "photographer"}, "Jean"]
        assert entry["subjects"] == ["tour", "Moyen Âge"]
        assert entry["place"] == {"name": "Brest", "lat": 48.3834, "lon": -4.4969}
        assert (entry["created"], entry["language"], entry["licence"]) == ("1920~", ["fr", "br"], "CC-BY-SA-4.0")
        for words in (
            "Tour Tanguy",
            "about 1920",
            "Breton",
            "Anna Le Gall",
            "photographer",
            "free",
            "you",
        ):
            assert words in shown.text
        assert ("bdi", {"lang": "fr"}) in shown.html.tags


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": "  "}, "title"),
        ({"type": ""}, "type"),
        ({"type": "spaceship"}, "type"),
        ({"licence": "other", "licence.other": "free for all"}, "licence"),
        ({"language": "français"}, "language"),
        ({"place.lat": "north"}, "place.lat"),
        ({"place.lat": "91", "place.lon": "1"}, "place.lat"),
        ({"place.lat": "nan", "place.lon": "1"}, "place.lat"),
        ({"place.lat": "48.1"}, "place.lon"),
        ({"place.lon": "181", "place.lat": "1"}, "place.lon"),
        ({"title": "half \x00 zero"}, "title"),
        ({"subjects": "a\x00"}, "subjects"),
    ],
)
async def test_wrong_input_is_told_at_its_field_and_kept(
    tmp_path: Path, wrong: dict[str, str], field: str, language: str
) -> None:
    async with founded(tmp_path, language) as (place, _):
        page = await add(place.browser, description="What I wrote.", **wrong)
        assert page.status == 422
        assert page.html.values("/add")["description"] == "What I wrote."
        for name, value in wrong.items():
            if value.strip() and name not in ("licence", "type") and "\x00" not in value:
                assert page.html.values("/add")[name] == value
        (at,) = [given for _, given in page.html.tags if given.get("aria-invalid")]
        assert at["id"] == f"f-{field}"
        assert f"#f-{field}" in page.html.links  # the summary leads there
        assert (await place.browser.get("/")).text.count("Tour Tanguy") == 0


async def test_an_entry_too_long_for_a_record_is_refused_and_kept(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        page = await add(place.browser, description="long " * 20_000)
        assert page.status == 422 and "too long" in page.text
        assert len(page.html.values("/add")["description"]) > 90_000


async def test_changing_one_field_leaves_all_others_as_they_are(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        whole = {
            "type": "equipment", "title": {"fr": "Perceuse", "en": "Drill"}, "creators": [{"name": "X", "id": "u:1"}],
            "place": {"name": "Brest", "territory": "29019"}, "terms": {"days": 3}, "language": "fr",
            "subjects": ["outil"], "model": "Z9", "url": "https://example.org/a",
        }  # fmt: skip
        (info,) = await place.commons.list_commons()
        made = (await place.commons.add_entry(info.id, whole)).entry
        path = f"/entries/{made['id']}"
        page = await place.browser.get(f"{path}/edit")
        unchanged = await place.browser.send(page, f"{path}/edit")
        assert "Nothing was changed." in unchanged.text
        saved = await place.browser.send(
            page, f"{path}/edit", **{"title.en": "Power drill", "place.lat": "1", "place.lon": "2"}
        )
        assert "Saved." in saved.text
        now = (await place.commons.get_entry(bytes.fromhex(made["id"]))).entry  # type: ignore[arg-type]
        for name in ("type", "creators", "terms", "language", "subjects", "model", "url"):
            assert now[name] == made[name]
        assert now["title"] == {"fr": "Perceuse", "en": "Power drill"}
        assert now["place"] == {"name": "Brest", "territory": "29019", "lat": 1, "lon": 2}


async def test_another_language_and_an_emptied_field(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        shown = await add(place.browser, words="", description="A tower.", **{"place.name": "Brest"})
        path = entry_path(shown)
        page = await place.browser.get(f"{path}/edit")
        await place.browser.send(
            page, f"{path}/edit", words="br", description="", **{"title.new": "Tour Tangi", "place.name": ""}
        )
        now = (await place.commons.get_entry(bytes.fromhex(path.split("/")[2]))).entry  # type: ignore[arg-type]
        assert now["title"] == {"und": "Tour Tanguy", "br": "Tour Tangi"}
        assert "description" not in now and "place" not in now
        page = await place.browser.get(f"{path}/edit")
        wrong = await place.browser.send(page, f"{path}/edit", words="br", **{"title.new": "Again"})
        assert wrong.status == 422 and "#f-words" in wrong.html.links
        wrong = await place.browser.send(page, f"{path}/edit", title="", **{"title.br": ""})
        assert wrong.status == 422 and "Give it a title." in wrong.text


async def test_who_is_overtaken_keeps_what_they_typed_and_sees_what_is_there(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        shown = await add(place.browser, subjects="tour")
        path = entry_path(shown)
        entry = bytes.fromhex(path.split("/")[2])
        page = await place.browser.get(f"{path}/edit")
        await place.commons.patch_entry(entry, {"title": {"fr": "Tour de Tanguy"}, "subjects": ["tour", "musée"]})  # type: ignore[arg-type]
        late = await place.browser.send(page, f"{path}/edit", **{"title.fr": "La tour"})
        assert late.status == 412 and "There now: Tour de Tanguy" in late.text
        form = late.html.values(f"{path}/edit")
        assert form["title.fr"] == "La tour" and form["subjects"] == "tour\nmusée"
        saved = await place.browser.send(late, f"{path}/edit")
        assert "Saved." in saved.text
        now = (await place.commons.get_entry(entry)).entry  # type: ignore[arg-type]
        assert now["title"] == {"fr": "La tour"} and now["subjects"] == ["tour", "musée"]


async def test_withdrawing_asks_first_and_says_who_and_why(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        path = entry_path(await add(place.browser))
        asked = await place.browser.get(f"{path}/withdraw")
        await place.commons.patch_entry(bytes.fromhex(path.split("/")[2]), {"title": "Changed"})  # type: ignore[arg-type]
        late = await place.browser.send(asked, f"{path}/withdraw", reason="twice here")
        assert late.status == 422 and late.html.values(f"{path}/withdraw")["reason"] == "twice here"
        gone = await place.browser.send(late, f"{path}/withdraw")
        assert gone.status == 410 and "twice here" in gone.text
        history = await place.browser.get(f"{path}/history")
        assert history.status == 200 and "Withdrawn" in history.text and "Added" in history.text
        assert "Tour Tanguy" not in (await place.browser.get("/")).text


# -- strangers' texts


async def test_hostile_text_is_shown_as_text_everywhere(tmp_path: Path) -> None:
    async with founded(tmp_path, name=HOSTILE) as (place, commons):
        (info,) = await place.commons.list_commons()
        made = await place.commons.add_entry(
            info.id,
            {
                "type": "place", "title": {"fr": HOSTILE, "x-a": HOSTILE}, "description": HOSTILE,
                "creators": [{"name": HOSTILE, "role": HOSTILE}], "subjects": [HOSTILE], "place": HOSTILE,
                "url": "javascript:alert(1)", "identifiers": ["data:text/html,x", "https://a.example/'\"><b>"],
                "same_as": ["javascript:alert(3)"], "media": [{"url": "javascript:x", "name": HOSTILE}],
                "source": "x:" + HOSTILE, "rights_note": HOSTILE, "terms": {"note": HOSTILE},
            },
        )  # fmt: skip
        path = f"/entries/{made.entry['id']}"
        for page in ("/", f"/?q=%3Cscript%3E&tag={HOSTILE[:20]}", path, f"{path}/edit", f"{path}/history",
                     f"{path}/withdraw", "/commons", f"/commons/{commons}", "/add", "/neighbours"):  # fmt: skip
            shown = await place.browser.get(page)  # the browser refuses scripts, handlers and javascript: links
            assert shown.status == 200
        assert not [link for link in shown.html.links if link.startswith(("javascript", "data"))]
        entry = await place.browser.get(path)
        assert HOSTILE in entry.html.texts
        title = entry.html.tags.index(("h1", {}))
        assert entry.html.tags[title + 1][0] == "bdi"
        await place.commons.withdraw_entry(bytes.fromhex(made.entry["id"]), HOSTILE)  # type: ignore[arg-type]
        assert HOSTILE in (await place.browser.get(path)).html.texts
        assert (await place.browser.get(f"{path}/history")).status == 200


# -- conflicts


@pytest.mark.parametrize("choice", [0, 1])
@pytest.mark.parametrize("field", [{"title": {"fr": "Un"}}, {"licence": "CC0-1.0"}, {"title": "Plain"}])
async def test_a_conflict_shows_both_values_and_is_settled_by_choosing(
    tmp_path: Path, choice: int, field: dict[str, Any]
) -> None:
    """The same entry is changed on two copies of one person's folder that did not meet."""
    ((name, value),) = field.items()
    other = {"fr": "Deux"} if isinstance(value, dict) else "CC-BY-4.0" if name == "licence" else "Other"
    async with founded(tmp_path / "a") as (place, commons):
        entry_id = entry_path(await add(place.browser)).split("/")[2]
        invitation = (await place.commons.invite(bytes.fromhex(commons))).invitation  # type: ignore[arg-type]
        await place.commons.pack(tmp_path / "there")
        async with page_world(tmp_path / "b") as far:
            await far.commons.unpack(tmp_path / "there")
            await far.commons.join(invitation)
            await far.commons.patch_entry(bytes.fromhex(entry_id), {name: other})  # type: ignore[arg-type]
            await far.commons.pack(tmp_path / "back")
        await place.commons.patch_entry(bytes.fromhex(entry_id), {name: value})  # type: ignore[arg-type]
        await place.commons.unpack(tmp_path / "back")

        path = f"/entries/{entry_id}"
        assert path in "".join((await place.browser.get("/unsettled")).html.links)
        assert "/unsettled" in (await place.browser.get("/")).html.links
        page = await place.browser.get(path)
        texts = [value["fr"] if isinstance(value, dict) else value, other["fr"] if isinstance(other, dict) else other]
        assert all(text in page.text for text in texts)
        shown = (await place.commons.get_entry(bytes.fromhex(entry_id))).entry[name]  # type: ignore[arg-type]
        pressed = page.html.form(f"{path}/settle").buttons[choice]
        settled = await place.browser.send(page, f"{path}/settle", press=pressed)
        assert "Settled." in settled.text
        now = (await place.commons.get_entry(bytes.fromhex(entry_id))).entry  # type: ignore[arg-type]
        assert "conflicts" not in now
        assert (now[name] == shown) is (choice == 0)
        assert "/unsettled" not in (await place.browser.get("/")).html.links
        stale = await place.browser.send(page, f"{path}/settle", press=pressed)
        assert stale.status in (200, 412)  # settled already: nothing is written, or it is said


@pytest.mark.parametrize("choice", [0, 1])
async def test_what_a_source_says_otherwise_is_offered_and_chosen(tmp_path: Path, choice: int) -> None:
    async with founded(tmp_path) as (place, _):
        (info,) = await place.commons.list_commons()
        first = {"type": "book", "title": "Old", "subjects": ["a"], "source": "shop:1"}
        made = (await place.commons.add_entry(info.id, first)).entry
        entry, path = bytes.fromhex(made["id"]), f"/entries/{made['id']}"
        await place.commons.patch_entry(entry, {"title": "Mine"})  # type: ignore[arg-type]
        await place.commons.add_entry(info.id, {**first, "title": "New in the shop"})
        page = await place.browser.get(path)
        assert "its source says something else" in page.text and "New in the shop" in page.text
        settled = await place.browser.send(
            page, f"{path}/settle", press=page.html.form(f"{path}/settle").buttons[choice]
        )
        assert "Settled." in settled.text
        now = (await place.commons.get_entry(entry)).entry  # type: ignore[arg-type]
        assert "offered" not in now and now["title"] == ("Mine", "New in the shop")[choice]
        assert now["subjects"] == ["a"]


# -- commons


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_invitation_is_one_line_that_another_page_takes(tmp_path: Path, language: str) -> None:
    async with founded(tmp_path / "a", language) as (place, commons):
        page = await place.browser.get(f"/commons/{commons}")
        for wrong in ({"uses": "0"}, {"uses": "many"}, {"days": "9999"}, {"days": ""}, {"uses": "٣"}):
            again = await place.browser.send(page, f"/commons/{commons}/invite", **wrong)
            assert again.status == 422 and "#f-uses" in again.html.links
        made = await place.browser.send(page, f"/commons/{commons}/invite", uses="3", days="9")
        line = next(text.strip() for text in made.html.texts if text.strip().startswith("p2pcommons:"))
        assert "\n" not in line
        async with page_world(tmp_path / "b", language) as other:
            page = await other.browser.get("/welcome")
            for wrong_line in ("", "hello", line[:-9], "p2pcommons:xx"):
                refused = await other.browser.send(page, "/join", invitation=wrong_line)
                assert refused.status == 422 and refused.html.values("/join")["invitation"] == wrong_line
            joined = await other.browser.send(page, "/join", invitation=f"  {line[:40]}\r\n{line[40:]} ")
            assert joined.path.startswith(f"/commons/{commons}")
            (info,) = await other.commons.list_commons()
            assert info.state == "waiting"
            assert (await other.browser.get("/")).status == 200


async def test_a_commons_is_followed_by_its_id(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        page = await place.browser.get("/commons")
        refused = await place.browser.send(page, "/commons/follow", commons="abc")
        assert refused.status == 422 and refused.html.values("/commons/follow")["commons"] == "abc"
        followed = await place.browser.send(page, "/commons/follow", commons=" " + "AB" * 32)
        assert followed.path.startswith("/commons/" + "ab" * 32)
        assert "Waiting" in followed.text
        assert (await place.browser.get("/add")).path == "/commons"  # nowhere to write yet


async def test_founding_needs_a_name(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        page = await place.browser.get("/commons/new")
        for name in ("", " ", "x" * 300):
            refused = await place.browser.send(page, "/commons/new", name=name, join="open")
            assert refused.status == 422 and "#f-name" in refused.html.links
        assert await place.commons.list_commons() == ()
        made = await place.browser.send(page, "/commons/new", name="Open house", join="open", languages=["fr", "en"])
        assert "Open to everyone" in made.text


# -- neighbours and settings


async def test_neighbours_are_added_shown_and_forgotten(tmp_path: Path) -> None:
    def settings(name: str) -> Settings:
        return Settings(tmp_path / name, api=None, listen=Endpoint("127.0.0.1", 0), lan=False)

    async with Node(settings("a")) as a, Node(settings("b")) as b, served(a.commons) as place:
        info = await a.commons.create_commons("Shared")
        await b.commons.follow(info.id)
        browser = place.browser
        page = await browser.get("/neighbours")
        assert a.commons.addresses[0].address in page.text
        for wrong in ("", "here", "host:99999", "z6Mk@host:1"):
            refused = await browser.send(page, "/neighbours", address=wrong)
            assert refused.status == 422 and refused.html.values("/neighbours")["address"] == wrong
        address = b.commons.addresses[0].address
        kept = await browser.send(page, "/neighbours", address=address)
        assert "The address is kept." in kept.text

        async def met() -> bool:
            return any(
                p.state == "connected" and p.commons and p.commons[0].state == "same" for p in await a.commons.peers()
            )

        assert await a.runtime.wait_until(met, 10) or await met()
        page = await browser.get("/neighbours")
        assert "Connected" in page.text and "Up to date" in page.text
        assert "peer" not in page.text.lower().replace("p2pcommons", "") and "replica" not in page.text.lower()
        target = address.rpartition("@")[2]
        gone = await browser.send(page, "/neighbours/forget", address=target)
        assert "forgotten" in gone.text
        assert (await browser.send(page, "/neighbours/forget", address="other:1")).status == 422


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_recovery_words_are_shown_only_when_asked_for(tmp_path: Path, language: str) -> None:
    async with page_world(tmp_path, language) as place:
        words = await place.commons.recovery_words(language)
        page = await place.browser.get("/settings")
        assert str(tmp_path) in page.text
        assert sum(word in page.text.split() for word in words) < 6
        shown = await place.browser.send(page, "/settings/words")
        assert [text for text in shown.html.texts if text in words] == list(words)
        assert shown.headers["Cache-Control"] == "no-store"
        assert (await place.browser.get("/settings/words")).status == 404


# -- who may write


async def everything_posted(place: Place, commons: str, entry: str) -> list[tuple[str, dict[str, str]]]:
    return [
        ("/add", {"type": "place", "title": "X", "commons": commons}),
        (f"/entries/{entry}/edit", {"title": "X"}),
        (f"/entries/{entry}/settle", {"field": "title", "choice": "0"}),
        (f"/entries/{entry}/withdraw", {"etag": "*"}),
        (f"/entries/{entry}/restore", {}),
        (f"/entries/{entry}/moderate", {"do": "hide", "reason": "spam", "commons": commons}),
        (f"/commons/{commons}/block-list", {"do": "add", "key": did_key(STRANGER)}),
        ("/commons/new", {"name": "X", "join": "open"}),
        ("/commons/follow", {"commons": "ab" * 32}),
        (f"/commons/{commons}/invite", {"uses": "1", "days": "1"}),
        (f"/commons/{commons}/sample", {}),
        (f"/commons/{commons}/fork", {"name": "X"}),
        (f"/commons/{commons}/proposals/new", {"matter": "text", "text": "X"}),
        (f"/commons/{commons}/charter/review/question", {"text": "X", "p.months": "6"}),
        (f"/commons/{commons}/proposals/{'0' * 64}/vote", {"choice": "for"}),
        (f"/commons/{commons}/proposals/{'0' * 64}/answer", {"answer": "take"}),
        (f"/commons/{commons}/proposals/{'0' * 64}/amend", {"text": "X"}),
        (f"/commons/{commons}/proposals/{'0' * 64}/close", {"early": "yes"}),
        (f"/commons/{commons}/proposals/{'0' * 64}/discussion", {"text": "X"}),
        (f"/commons/{commons}/recipe", {}),
        (f"/commons/{commons}/unfollow", {}),
        (f"/commons/{commons}/members/act", {"do": "purge", "key": did_key(STRANGER)}),
        ("/join", {"invitation": "x"}),
        ("/neighbours", {"address": "h:1"}),
        ("/neighbours/forget", {"address": "h:1"}),
        ("/neighbours/block", {"key": did_key(STRANGER)}),
        ("/neighbours/unblock", {"key": did_key(STRANGER)}),
        ("/settings/clock", {}),
        ("/settings/words", {}),
    ]


async def test_nothing_is_written_without_the_token_of_the_session_from_this_very_origin(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser = place.browser
        entry = entry_path(await add(browser)).split("/")[2]
        token = (await browser.get("/add")).html.values("/add")["form"]
        posts = await everything_posted(place, commons, entry)
        from p2pcommons.web.views import VIEWS

        assert len(posts) == sum(view.method == "POST" for view in VIEWS)
        before = (await place.commons.digest(bytes.fromhex(commons)), await place.commons.list_commons())  # type: ignore[arg-type]
        async with place.another() as stranger:
            for path, fields in posts:
                good = {**fields, "form": token, "accepted": "yes"}
                for headers in (
                    {"Origin": "http://evil.example"},
                    {"Origin": "null"},
                    {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"},
                    {"Sec-Fetch-Site": "none"},
                    {"Origin": place.url.replace("127.0.0.1", "localhost")},
                ):
                    assert (await browser.post(path, good, **headers)).status == 403, (path, headers)
                async with browser.http.post(place.url + path, data=good) as response:
                    assert response.status == 403  # neither header: no browser of today
                for wrong in ("", "x", token[:-1], "ü"):
                    assert (await browser.post(path, {**good, "form": wrong})).status == 403
                assert (await stranger.post(path, good)).status == 403  # no session
        async with place.another() as second:  # a session of its own, and another's token
            await second.get("/")
            assert (await second.post("/add", {"form": token, "title": "X", "type": "place"})).status == 403
        after = (await place.commons.digest(bytes.fromhex(commons)), await place.commons.list_commons())  # type: ignore[arg-type]
        assert before == after


@pytest.mark.parametrize("mark", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
async def test_who_comes_through_a_proxy_reads_and_does_not_write(tmp_path: Path, mark: str) -> None:
    async with founded(tmp_path) as (place, commons):
        async with place.another() as stranger:
            page = await stranger.get("/", **{mark: "for=198.51.100.7"})
            assert page.status == 200 and "may read here, not write" in page.text
            assert "Set-Cookie" not in page.headers and "/add" not in page.html.links
            shown = await stranger.get(f"/commons/{commons}", **{mark: "1"})
            assert not [form for form in shown.html.forms if form.method == "post"]
        token = (await place.browser.get("/add")).html.values("/add")["form"]
        posted = await place.browser.post("/settings/words", {"form": token}, **{mark: "1"})
        assert posted.status == 403


async def test_another_user_of_the_machine_reads_and_does_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with founded(tmp_path) as (place, _):
        token = (await place.browser.get("/add")).html.values("/add")["form"]
        monkeypatch.setattr("p2pcommons.web.session.is_own_user", lambda caller, here: False)
        async with place.another() as stranger:
            page = await stranger.get("/")
            assert "Set-Cookie" not in page.headers and "may read here, not write" in page.text
        # Even with the owner's cookie, which browsers share between the ports of a machine.
        assert (await place.browser.post("/settings/words", {"form": token})).status == 403


async def test_the_token_of_the_data_folder_lets_a_browser_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pcommons.web.session.is_own_user", lambda caller, here: None)
    async with page_world(tmp_path) as place:
        browser = place.browser
        page = await browser.get("/enter")
        assert (await browser.send(page, "/enter", token="wrong")).status == 422
        assert (await browser.send(page, "/enter", token="ü\x00")).status == 422
        foreign = await browser.post("/enter", {"token": TOKEN}, Origin="http://evil.example")
        assert foreign.status == 403
        entered = await browser.send(page, "/enter", token=f" {TOKEN}\n")
        assert entered.status == 200 and entered.path == "/welcome"
        made = await browser.send(await browser.get("/welcome"), "/commons/new", name="Mine")
        assert made.status == 200


async def test_forged_and_old_cookies_open_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with founded(tmp_path) as (place, _):
        (name, value), *_ = [
            (cookie.key, cookie.value) for cookie in place.browser.http.cookie_jar if cookie.value.startswith("own.")
        ]
        monkeypatch.setattr("p2pcommons.web.session.is_own_user", lambda caller, here: None)
        _, expires, nonce, mark = value.split(".")
        forged = [
            f"token.{expires}.{nonce}.{mark}", f"own.{int(expires) + 1}.{nonce}.{mark}", f"own.{expires}.x.{mark}",
            f"own.{expires}.{nonce}.", "own...", "", "own.²2.x.y", value + "x", value[:-1],
        ]  # fmt: skip
        for cookie in forged:
            async with aiohttp.ClientSession() as http:
                page = await Browser(http, place.url).get("/", Cookie=f'{name}="{cookie}"')
                assert "may read here, not write" in page.text, cookie


async def test_session_cookies_are_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        page = await place.browser.get("/welcome")
        cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
        assert "Set-Cookie" not in (await place.browser.get("/welcome")).headers


async def test_the_session_opens_the_api_to_this_origin_only(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        browser = place.browser
        token = (await browser.get("/welcome")).html.values("/commons/new")["form"]
        own = {"Origin": place.url, "Sec-Fetch-Site": "same-origin", "P2PCommons-Form": token}
        for headers in ({}, {**own, "P2PCommons-Form": "x"}, {**own, "Origin": "http://evil.example"}):
            async with browser.http.post(
                place.url + "/api/v1/commons", json={"name": "X"}, headers=headers
            ) as response:
                assert response.status == 401
        async with browser.http.post(place.url + "/api/v1/commons", json={"name": "X"}, headers=own) as response:
            assert response.status == 201


async def test_a_foreign_host_gets_no_page(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        response = await place.browser.http.get(place.url + "/", headers={"Host": "evil.example"})
        assert response.status == 403 and "Set-Cookie" not in response.headers


async def test_forms_that_are_no_forms_are_refused(tmp_path: Path) -> None:
    async with page_world(tmp_path) as place:
        http, url = place.browser.http, place.url
        await place.browser.get("/")
        own = {"Origin": url}
        for data, kind in (
            (b"{}", "application/json"),
            (b"\xff\xfe=%ff", "application/x-www-form-urlencoded"),
            (b"&".join(b"a=1" for _ in range(600)), "application/x-www-form-urlencoded"),
            (b"x" * 2_000_000, "application/x-www-form-urlencoded"),
        ):
            async with http.post(
                url + "/commons/new", data=BytesIO(data), headers={**own, "Content-Type": kind}
            ) as response:
                assert response.status == 400 and response.content_type == "text/html"


async def test_a_fault_nobody_foresaw_is_a_page_without_its_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with founded(tmp_path) as (place, _):

        async def broken(*_: Any, **__: Any) -> Any:
            raise RuntimeError("the secret inside")

        place.commons.search = broken  # type: ignore[method-assign]
        page = await place.browser.get("/")
        assert page.status == 500 and "secret" not in page.html.source
    assert "the secret inside" in caplog.text


def test_the_sample_lines_are_what_the_page_loads() -> None:
    from importlib.resources import files

    lines = (files("p2pcommons") / "data" / "sample.jsonl").read_bytes().splitlines()
    assert all(json.loads(line)["source"].startswith("sample:") for line in lines)


# -- members


async def test_a_steward_asks_first_then_makes_stewards_and_closes_ways_in(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser, at = place.browser, f"/commons/{commons}/members"
        page = await browser.get(f"/commons/{commons}")
        await browser.send(page, f"/commons/{commons}/invite", uses="1", days="1")
        before = await place.commons.members(bytes.fromhex(commons))  # type: ignore[arg-type]
        (invited,) = [way.id.hex() for way in before.entrances if not way.open]
        me = did_key(before.members[0].key)
        page = await browser.get(at)
        assert page.status == 200 and "Steward" in page.text and "Close it" in page.text
        asked = await browser.get(f"{at}/act?do=close&entrance={invited}")
        assert asked.status == 200 and "Close this way in?" in asked.text
        token = asked.html.values(f"{at}/act")["form"]
        done = await browser.send(asked, f"{at}/act")
        assert "Nobody else comes in by it." in done.text
        assert invited not in {way.id.hex() for way in (await place.commons.members(bytes.fromhex(commons))).entrances}  # type: ignore[arg-type]
        for deed in ("purge", "end"):
            refused = await browser.send(await browser.get(f"{at}/act?do={deed}&key={me}"), f"{at}/act")
            assert refused.status == 409 and "nobody could act any more" in refused.text
        for wrong in (
            {"do": "fly", "key": me},
            {"do": "purge", "key": did_key(STRANGER)},
            {"do": "close", "entrance": invited},
        ):
            shown = await browser.post(f"{at}/act", {**wrong, "form": token, "accepted": "yes"})
            assert shown.status == (404 if wrong["do"] == "fly" else 409), (wrong, shown.text)
        assert len((await place.commons.members(bytes.fromhex(commons))).members) == 1  # type: ignore[arg-type]


async def test_a_steward_takes_a_member_off_and_lets_what_they_wrote_count_and_members_leave(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser, at, id = place.browser, f"/commons/{commons}/members", CommonsId(bytes.fromhex(commons))
        async with local_client(tmp_path / "bob") as bob:
            await bob.join((await place.commons.invite(id)).invitation)
            await place.commons.pack(tmp_path / "x.pack", id)
            await bob.unpack(tmp_path / "x.pack")
            await bob.settle()
            await bob.add_entry(id, {"type": "book", "title": "By bob"})
            await bob.pack(tmp_path / "x.pack", id)
            await place.commons.unpack(tmp_path / "x.pack")
            key = did_key((await bob.identity()).person)
        shown = (await place.commons.digest(id)).entries
        page = await browser.get(at)
        assert "Take off the members" in page.text and "Leave" in page.text and "Members no more" not in page.text
        asked = await browser.get(f"{at}/act?do=remove&key={key}")
        assert "Take this member off?" in asked.text and asked.html.values(f"{at}/act")["words"] == "seen"
        assert (await browser.send(asked, f"{at}/act", words="some")).status == 404
        done = await browser.send(asked, f"{at}/act", words="none")
        assert "A member no more." in done.text and "Members no more" in done.text and "removed by you" in done.text
        assert (await place.commons.digest(id)).entries == shown - 1
        asked = await browser.get(f"{at}/act?do=keep&key={key}")
        assert "is shown again" in asked.text
        assert "What they wrote counts again." in (await browser.send(asked, f"{at}/act")).text
        assert (await place.commons.digest(id)).entries == shown
        refused = await browser.send(await browser.get(f"{at}/act?do=leave"), f"{at}/act")
        assert refused.status == 409 and "nobody could act any more" in refused.text


# -- how a commons began, and how it fares


@pytest.mark.parametrize(
    ("language", "title", "governed", "copied", "open_format"),
    [
        ("en", "Is it a commons?", "Governed by all its users", "is a fork of it", "taken out in an open format"),
        ("fr", "Est-ce un commun ?", "Gouverné par tous ses usagers", "en est une bifurcation", "un format ouvert"),
    ],
)
async def test_a_commons_shows_the_four_criteria_and_what_came_of_it(
    tmp_path: Path, language: str, title: str, governed: str, copied: str, open_format: str
) -> None:
    async with founded(tmp_path) as (place, commons):
        base = CommonsId(bytes.fromhex(commons))
        fork = (await place.commons.fork(base, "<Libre>")).commons.id
        await place.commons.create_commons("Puits", recipe=(await place.commons.recipe(base)).content)
        spoken = {"Accept-Language": language}
        shown = await place.browser.get(f"/commons/{commons}", **spoken)
        [picture] = [given for tag, given in shown.html.tags if tag == "svg" and given.get("class") == "criteria"]
        assert picture["lang"] == language and title in shown.text.replace("\xa0", " ")
        assert governed in shown.text and copied in shown.text and open_format in shown.text
        assert f"/commons/{fork.hex()}" in shown.html.links and "<Libre>" in shown.text and "Puits" in shown.text
        other = await place.browser.get(f"/commons/{fork.hex()}", **spoken)
        assert f"/commons/{commons}" in other.html.links
        waiting = (await place.commons.follow(CommonsId(b"\x05" * 32))).id
        nothing = await place.browser.get(f"/commons/{waiting.hex()}", **spoken)
        assert "criteria" not in [given.get("class") for _, given in nothing.html.tags]


async def test_a_commons_is_forked_on_its_page_after_it_was_said_what_that_means(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        await add(place.browser)
        page = await place.browser.get(f"/commons/{commons}")
        assert f"/commons/{commons}/fork" in page.html.links
        page = await place.browser.get(f"/commons/{commons}/fork")
        assert page.status == 200 and "1 entry, copied in your name" in page.text and not page.html.faults
        form = page.html.values(f"/commons/{commons}/fork")
        for name, said in ((" ", "Give it a name"), ("x" * 201, "at most 200")):
            wrong = await place.browser.post(f"/commons/{commons}/fork", {**form, "name": name})
            assert wrong.status == 422 and said in wrong.text and not wrong.html.faults
        done = await place.browser.post(f"/commons/{commons}/fork", {**form, "name": "Libres"})
        assert done.status == 200 and "The new commons is there" in done.text and "It is a fork of" in done.text
        assert sorted(one.entries for one in await place.commons.list_commons()) == [1, 1]
        waiting = (await place.commons.follow(CommonsId(b"\x05" * 32))).id
        assert (await place.browser.get(f"/commons/{waiting.hex()}/fork")).status == 409


# -- moderation


async def test_an_entry_is_reported_hidden_with_a_reason_and_shown_again(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser = place.browser
        path = entry_path(await add(browser, title="Cheap credit"))
        asked = await browser.get(f"{path}/moderate?do=report&commons={commons}")
        assert "Report this entry?" in asked.text and f"{path}/moderate?do=hide&commons={commons}" in asked.html.links
        wrong = await browser.send(asked, f"{path}/moderate", reason="dull")
        assert wrong.status == 422
        done = await browser.send(asked, f"{path}/moderate", reason="spam", text="Twice <b>a day</b>")
        assert "Reported." in done.text
        waiting = await browser.get(f"/commons/{commons}/moderation")
        assert (
            "Cheap credit" in waiting.text
            and "Twice <b>a day</b>" in waiting.text
            and "1 person reported it" in waiting.text
        )

        asked = await browser.get(f"{path}/moderate?do=hide&commons={commons}")
        gone = await browser.send(asked, f"{path}/moderate", reason="spam", text="As reported")
        assert gone.status == 403 and "This entry is hidden" in gone.text and "As reported" in gone.text
        assert "Cheap credit" not in gone.text and "Cheap credit" not in (await browser.get("/?q=credit")).text
        assert "Cheap credit" not in (await browser.get(f"/commons/{commons}/moderation")).text
        shown = await browser.get(f"{path}?hidden=yes")
        assert shown.status == 200 and "Cheap credit" in shown.text and "because you asked to" in shown.text

        asked = await browser.get(f"{path}/moderate?do=unhide&commons={commons}")
        back = await browser.send(asked, f"{path}/moderate")
        assert back.status == 200 and "shown again" in back.text and "Cheap credit" in back.text
        assert (await browser.get(f"{path}/moderate?do=dance")).status == 404


async def test_a_review_leaves_an_entry_where_it_is(tmp_path: Path) -> None:
    async with founded(tmp_path, "fr") as (place, commons):
        browser = place.browser
        path = entry_path(await add(browser))
        await browser.send(await browser.get(f"{path}/moderate?do=report"), f"{path}/moderate", reason="false")
        asked = await browser.get(f"{path}/moderate?do=review&commons={commons}")
        done = await browser.send(asked, f"{path}/moderate")
        assert "elle reste" in done.text
        assert "Rien n’attend" in (await browser.get(f"/commons/{commons}/moderation")).text
        again = await browser.send(asked, f"{path}/moderate")
        assert again.status == 409 and "Aucun signalement" in again.text


async def test_ones_own_words_are_erased_after_asking(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, _):
        browser = place.browser
        path = entry_path(await add(browser, title="My secret"))
        asked = await browser.get(f"{path}/moderate?do=erase")
        assert "cannot be undone" in asked.text
        await browser.send(asked, f"{path}/moderate")
        assert "My secret" not in (await browser.get(path)).text
        assert "My secret" not in (await browser.get(f"{path}/history")).text


async def test_block_lists_are_kept_and_followed_on_the_page(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser, path = place.browser, f"/commons/{commons}/moderation"
        page = await browser.get(path)
        adding = page.html.forms[-1]
        fields = {**dict(adding.fields), "key": did_key(STRANGER), "reason": "spam"}
        added = await browser.post(adding.action, fields)
        assert "On your list." in added.text and did_key(STRANGER) in added.html.source
        assert (await browser.post(adding.action, {**fields, "key": "z6Mk"})).status == 409
        assert (await browser.post(adding.action, {**fields, "do": "dance"})).status == 404
        following = next(form for form in added.html.forms if ("do", "unfollow") in form.fields)
        assert "no more" in (await browser.post(following.action, following.fields)).text
        removing = next(form for form in added.html.forms if ("do", "remove") in form.fields)
        assert "Off your list." in (await browser.post(removing.action, removing.fields)).text


async def test_what_is_on_a_followed_block_list_says_whose_it_is(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        there = CommonsId(bytes.fromhex(commons))
        async with local_client(tmp_path / "eve") as eve:
            await eve.join((await place.commons.invite(there)).invitation)
            await place.commons.pack(tmp_path / "a.pack", there)
            await eve.unpack(tmp_path / "a.pack")
            await eve.settle()
            made = await eve.add_entry(there, {"type": "text", "title": "Buy now"})
            await eve.pack(tmp_path / "b.pack", there)
            key = (await eve.identity()).person
        await place.commons.unpack(tmp_path / "b.pack")
        assert "Buy now" in (await place.browser.get("/")).text
        await place.commons.change_block_list(there, add=[key], reason="spam")
        listed = await place.browser.get("/")
        assert "Buy now" not in listed.text and "block list of" in listed.text
        page = await place.browser.get(f"/entries/{made.entry['id']}")
        assert page.status == 403 and "block list of" in page.text and "Buy now" not in page.text
        assert "Buy now" in (await place.browser.get(f"/entries/{made.entry['id']}?hidden=yes")).text
