"""Charters in words: what a commons began with is what everybody reads, in each of its languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from node_world import address_of, running, soon

from p2pcommons.commons.charter_text import TEMPLATES
from p2pcommons.commons.rules import RULES
from p2pcommons.errors import Conflict, NotFound, Refused


@pytest.mark.parametrize("name", TEMPLATES)
async def test_a_commons_begins_with_the_rules_of_its_charter(name: str, tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        made = await node.commons.create_commons("Fours", charter=name)
        shown = {language: await node.commons.charter(made.id, language) for language in ("en", "fr", "fr-FR", "br")}
        for charter in shown.values():
            articles = [article for part in charter.parts for article in part.articles]
            assert sorted(article.rule for article in articles) == sorted(RULES) and charter.template == name
            assert all("{" not in article.text and article.text for article in articles)
            assert {article.version for article in articles} == {made.id}
            (join,) = [article.params["policy"] for article in articles if article.rule == "join"]
            assert join == made.join
        assert shown["fr"] == shown["fr-FR"] != shown["en"] == shown["br"], "what it does not speak is shown in English"


async def test_how_one_joins_may_be_said_beside_the_charter(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        made = await node.commons.create_commons("Fours", join="open", charter="association")
        assert made.join == "open" and made.announced is False
        with pytest.raises(Refused) as refused:
            await node.commons.create_commons("Fours", charter="kingdom")
        assert refused.value.code == "unknown-charter" and all(name in refused.value.detail for name in TEMPLATES)


async def test_who_follows_reads_the_same_rules_and_a_commons_without_says_its_defaults(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        made = await one.commons.create_commons("Photos", charter="collection")
        plain = await one.commons.create_commons("Plain", join="open")
        await two.commons.follow(made.id)

        async def here() -> bool:
            return (await two.commons.get_commons(made.id)).state != "waiting"

        await soon(here, "the charter came")
        assert await two.commons.charter(made.id, "fr") == await one.commons.charter(made.id, "fr")
        articles = {
            article.rule: article for part in (await one.commons.charter(plain.id)).parts for article in part.articles
        }
        assert articles["join"].params == {"policy": "open"} and articles["join"].version == plain.id
        assert articles["closing"].review_at is None and not any(articles["closing"].version)


async def test_without_its_founding_record_there_is_no_charter_to_read(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        waiting = (await node.commons.follow(b"\x05" * 32)).id  # type: ignore[arg-type]
        with pytest.raises(Conflict) as waits:
            await node.commons.charter(waiting)
        with pytest.raises(NotFound):
            await node.commons.charter(b"\x06" * 32)  # type: ignore[arg-type]
        assert waits.value.code == "commons-waiting"
