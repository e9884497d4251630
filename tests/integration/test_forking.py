"""Forks: a commons that was captured goes on as another one, in one command, with its history."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from node_world import address_of, imported, running, same, soon

from p2pcommons.commons.forks import source_of_copy
from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict, P2PCommonsError, Refused
from p2pcommons.node import forking
from p2pcommons.node.daemon import Node

FEW = 7


async def titles(node: Node, *commons: CommonsId) -> list[str]:
    page = await node.commons.search(Query(commons=commons, sort="title", limit=500))
    return [str(entry["title"]) for entry in page.items]


async def test_a_fork_stands_by_itself_and_each_entry_names_the_one_it_was(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        base = (await node.commons.create_commons("Lavoirs", join="open", languages=("fr",), territory="29019")).id
        plain = {
            "type": "place",
            "title": {"fr": "Lavoir"},
            "subjects": ["eau", "linge"],
            "place": {"lat": 48.39, "lon": -4.48},
        }
        added = (await node.commons.add_entry(base, plain)).entry
        bought = (await node.commons.add_entry(base, {"type": "image", "title": "Nuit", "source": "tate:A1"})).entry
        gone = (await node.commons.add_entry(base, {"type": "place", "title": "Perdu"})).entry
        await node.commons.withdraw_entry(Subject(bytes.fromhex(gone["id"])), "perdu")
        made = await node.commons.fork(base, "Lavoirs libres")
        fork = made.commons
        assert (made.copied, made.kept, made.refused) == (2, 0, {}) and fork.id != base
        assert (fork.name, fork.languages, fork.territory, fork.join) == ("Lavoirs libres", ("fr",), "29019", "open")
        assert (fork.member, fork.members, fork.entries) == (True, 1, 2)
        copies = {str(e["source"]): e for e in (await node.commons.search(Query(commons=(fork.id,)))).items}
        assert set(copies) == {source_of_copy(base, bytes.fromhex(added["id"]), ()), "tate:A1"}
        copy = copies[f"p2pcommons-entry:{base.hex()}/{added['id']}"]
        assert {name: copy[name] for name in plain} == plain
        again = (await node.commons.add_entry(fork.id, {"type": "image", "title": "Nuit", "source": "tate:A1"})).entry
        assert again["id"] == copies["tate:A1"]["id"] != bought["id"], "what is imported again meets its copy"
        assert len(await titles(node, base, fork.id)) == 4, "who follows both searches both"
        [child] = (await node.commons.lineage(base)).children
        assert (child.commons, child.by) == (fork.id, "fork")


async def test_the_history_stays_verifiable_whatever_is_done_to_the_base_since(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        base = (await one.commons.create_commons("Lavoirs", join="open")).id
        await two.commons.follow(base)

        async def here() -> bool:
            return (await two.commons.get_commons(base)).may_write

        await soon(here, "the charter came")
        await imported(two, base, FEW)
        mine = (await two.commons.add_entry(base, {"type": "book", "title": "Mémoire"})).entry

        async def equal() -> bool:
            return await same(one, two, base)

        await soon(equal, "both hold all")
        before = await two.commons.digest(base)
        made = await two.commons.fork(base, "Libres")
        assert made.base.state == "same" and made.base.records == before.records and made.base.file is not None
        # It is captured: who founded it takes the other one's key out, and with it all they wrote.
        await one.commons.purge(base, keys=[two.runtime.keys.person.public])

        async def emptied() -> bool:
            return not await titles(two, base)

        await soon(emptied, "the purge came")
        assert len(await titles(two, made.commons.id)) == FEW + 1
        lineage = await two.commons.lineage(made.commons.id)
        assert lineage.base is not None and lineage.base.state == "changed" and lineage.base.file == made.base.file
        async with running(tmp_path / "three") as three:
            taken = await three.commons.unpack(Path(made.base.file))
            assert (taken.commons, taken.new, taken.refused) == ((base,), before.records, {})
            assert await three.commons.digest(base) == before, "the frozen history, signatures checked"
            [item] = (await three.commons.history(Subject(bytes.fromhex(mine["id"])))).items
            assert item.author == two.runtime.keys.person.public


async def test_who_joins_the_fork_reads_what_it_came_from(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        base = (await one.commons.create_commons("Lavoirs", join="open")).id
        await imported(one, base, FEW)
        made = await one.commons.fork(base, "Libres")
        await two.commons.follow(made.commons.id)

        async def equal() -> bool:
            return await same(one, two, made.commons.id)

        await soon(equal, "the fork came")
        told = (await two.commons.lineage(made.commons.id)).base
        assert told is not None and (told.commons, told.state, told.file) == (base, "absent", None)
        await two.commons.follow(told.commons)

        async def whole() -> bool:
            shown = (await two.commons.lineage(made.commons.id)).base
            return shown is not None and shown.state == "same"

        await soon(whole, "the base came, as it was")
        assert len(await titles(two, base, made.commons.id)) == 2 * FEW


async def test_a_fork_that_was_interrupted_goes_on_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "PAGE_ITEMS_MAX", 2)
    async with running(tmp_path) as node:
        base = (await node.commons.create_commons("Lavoirs")).id
        await imported(node, base, FEW)

        def stop(done: int, total: int) -> None:
            raise Refused("stopping", "enough")

        with pytest.raises(P2PCommonsError, match="enough"):
            await node.commons.fork(base, "Libres", stop)
        told: list[tuple[int, int]] = []
        made = await node.commons.fork(base, "Libres", lambda done, total: told.append((done, total)))
        assert made.copied + made.kept == FEW and told[-1] == (FEW, FEW)
        assert len(await titles(node, made.commons.id)) == FEW and len(await node.commons.list_commons()) == 2
        records = (await node.commons.digest(made.commons.id)).records
        entry = (await node.commons.search(Query(commons=(made.commons.id,), limit=1))).items[0]
        await node.commons.withdraw_entry(Subject(bytes.fromhex(str(entry["id"]))), "ours")
        await node.commons.add_entry(base, {"type": "book", "title": "Later"})
        again = await node.commons.fork(base, "Libres")
        assert (again.copied, again.kept) == (0, FEW) and again.base.state == "changed"
        assert (await node.commons.digest(made.commons.id)).records == records + 1, "what is done is done once"
        other = await node.commons.fork(base, "Autres")
        assert other.commons.id != made.commons.id and other.copied == FEW + 1


async def test_asked_twice_at_once_it_is_one_fork(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        base = (await node.commons.create_commons("Lavoirs")).id
        await imported(node, base, FEW)
        made = await asyncio.gather(*[node.commons.fork(base, "Libres") for _ in range(3)])
        assert len({each.commons.id for each in made}) == 1 and len(await node.commons.list_commons()) == 2
        assert sorted(each.copied for each in made) == [0, 0, FEW]


async def test_nobody_needs_a_right_to_fork_but_a_name(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        base = (await one.commons.create_commons("Lavoirs", charter="association")).id
        await imported(one, base, FEW)
        await two.commons.follow(base)

        async def equal() -> bool:
            return await same(one, two, base)

        await soon(equal, "all came")
        assert not (await two.commons.get_commons(base)).may_write
        for name in ("", " "):
            with pytest.raises(P2PCommonsError):
                await two.commons.fork(base, name)
        with pytest.raises(Conflict, match="commons-waiting"):
            await two.commons.fork((await two.commons.follow(CommonsId(b"\x05" * 32))).id, "x")
        made = await two.commons.fork(base, "Libres")
        rules: list[Any] = [(await two.commons.charter(c)).parts for c in (base, made.commons.id)]
        said = [{a.rule: dict(a.params) for part in parts for a in part.articles} for parts in rules]
        assert said[0] == said[1], "the rules in force go on"
        assert made.copied == FEW and (await two.commons.members(made.commons.id)).steward
