"""Recipes on nodes: the rules of one commons begin another one, and nothing else of it comes along."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from node_world import address_of, imported, running, soon

from p2pcommons.commons.recipe import read_recipe, write_recipe
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.daemon import Node


async def rules(node: Node, commons: bytes) -> dict[str, dict[str, object]]:
    shown = await node.commons.charter(commons)  # type: ignore[arg-type]
    return {article.rule: dict(article.params) for part in shown.parts for article in part.articles}


async def test_another_commons_begins_with_the_same_rules_and_names_where_they_are_from(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        first = await one.commons.create_commons("Lavoirs", charter="collection", languages=("fr", "br"))
        made = await one.commons.recipe(first.id)
        assert made.info.author == one.runtime.keys.person.public and made.info.name == "Lavoirs"
        second = await two.commons.create_commons("Puits", recipe=made.content)
        assert await rules(two, second.id) == await rules(one, first.id)
        assert (second.join, second.languages, second.announced) == (first.join, ("fr", "br"), first.announced)
        line = (await two.commons.lineage(second.id)).line
        assert [(each.commons, each.recipe, each.name) for each in line] == [(first.id, made.info.hash, None)]
        third = await one.commons.create_commons(
            "Bornes", join="invite", recipe=(await two.commons.recipe(second.id)).content
        )
        assert third.join == "invite"
        lineage = await one.commons.lineage(third.id)
        assert [each.commons for each in lineage.line] == [first.id, second.id], "the whole line, the eldest first"
        assert lineage.line[0].name == "Lavoirs" and lineage.line[1].name is None


async def test_who_follows_a_commons_sees_the_line_it_came_by(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        first = await one.commons.create_commons("Lavoirs", join="open")
        second = await one.commons.create_commons("Puits", recipe=(await one.commons.recipe(first.id)).content)
        for commons in (first.id, second.id):
            await two.commons.follow(commons)

        async def here() -> bool:
            return all([(await two.commons.get_commons(c)).state == "here" for c in (first.id, second.id)])

        async def told() -> bool:
            return await two.commons.lineage(second.id) == await one.commons.lineage(second.id)

        await soon(here, "both came")
        await soon(told, "what they say of it is read")
        [child] = (await two.commons.lineage(first.id)).children
        assert (child.commons, child.name, child.by) == (second.id, "Puits", "recipe")


async def test_a_recipe_holds_no_member_no_entry_and_no_key_but_its_authors(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        commons = (await one.commons.create_commons("Lavoirs", join="open")).id
        await two.commons.follow(commons)

        async def here() -> bool:
            return (await two.commons.get_commons(commons)).may_write

        await soon(here, "the charter came")
        await imported(two, commons, 3, prefix="A secret place")
        made = await two.commons.recipe(commons)
        with ZipFile(BytesIO(made.content)) as archive:
            text = b"".join(archive.read(name) for name in archive.namelist()).decode()
        others = [one.runtime.keys.person.public, one.runtime.keys.node.public, two.runtime.keys.node.public]
        assert not [key for key in others if did_key(key) in text or key.hex() in text]
        assert "secret place" not in text and text.count(did_key(two.runtime.keys.person.public)) == 1


async def test_words_that_people_wrote_for_a_rule_come_along_with_recipe_and_fork(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        plain = (await node.commons.create_commons("Lavoirs", charter="association", languages=("fr",))).id
        read = read_recipe((await node.commons.recipe(plain)).content).recipe
        own = {"edit": {"br": "Pep hini a skriv.", "fr": "Chacun écrit, tous relisent."}}
        written = write_recipe(replace(read, own=own), SigningKey(b"e" * 32))
        second = await node.commons.create_commons("Puits", recipe=written)
        made = await node.commons.recipe(second.id)
        assert made.info.own_words == ("edit",)
        assert read_recipe(made.content).recipe.own == {"edit": {"fr": "Chacun écrit, tous relisent."}}
        fork = (await node.commons.fork(second.id, "Puits libres")).commons
        for commons in (second.id, fork.id):
            shown = await node.commons.charter(commons, "fr")
            told = {article.rule: article.text for part in shown.parts for article in part.articles}
            assert told["edit"] == "Chacun écrit, tous relisent."
        assert second.entries == fork.entries == 0, "words are no entries"
        blank = write_recipe(replace(read, own={"edit": {"fr": " "}}), SigningKey(b"e" * 32))
        with pytest.raises(FormError, match="bad_text"):
            await node.commons.create_commons("Bornes", recipe=blank)
        assert len(await node.commons.list_commons()) == 3


async def test_what_is_damaged_or_no_recipe_founds_nothing_and_says_why(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        commons = (await node.commons.create_commons("Lavoirs")).id
        good = (await node.commons.recipe(commons)).content
        assert read_recipe(good).author == node.runtime.keys.person.public
        place = good.index(b"Lavoirs")
        for bad in (b"", b"PK", good[:-100], good[:place] + b"Lavoire" + good[place + 7 :], good + b"x"):
            with pytest.raises(FormError) as fault:
                await node.commons.create_commons("Puits", recipe=bad)
            assert fault.value.code in ("bad_bundle", "bad_recipe") and len(fault.value.detail) > 20
        with pytest.raises(Refused) as both:
            await node.commons.create_commons("Puits", recipe=good, charter="collection")
        with pytest.raises(Refused) as place_of:
            await node.commons.create_commons("Puits", recipe=good, territory="Bretagne")
        assert (both.value.code, place_of.value.code) == ("two-charters", "bad-territory")
        assert len(await node.commons.list_commons()) == 1


async def test_without_its_founding_record_there_is_nothing_to_tell(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        waiting = (await node.commons.follow(b"\x05" * 32)).id  # type: ignore[arg-type]
        for ask in (node.commons.recipe, node.commons.lineage, node.commons.criteria):
            with pytest.raises(Conflict, match="commons-waiting"):
                await ask(waiting)  # type: ignore[operator]
            with pytest.raises(NotFound):
                await ask(b"\x06" * 32)  # type: ignore[operator]
