"""The client gives, takes and raises what the node itself does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from api_world import STUCK_S, TOKEN, World, world
from fake_assembly import AMENDMENT, PROPOSAL
from fake_node import ALICE, NOW, PACK

from p2pcommons import Client
from p2pcommons.api.connection import NoAnswer
from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.assembly_values import Question
from p2pcommons.node.values import BatchAnswer, EntryChanged, EntryWithdrawn, FacetCount

# -- the client


@asynccontextmanager
async def client_world() -> AsyncIterator[tuple[World, Client]]:
    async with world() as here, Client(here.place.url, TOKEN) as client:
        yield here, client


async def test_the_client_gives_the_values_that_the_node_gave() -> None:
    async with client_world() as (here, client):
        node = here.place.node
        commons, entry = CommonsId(bytes.fromhex(here.commons)), Subject(bytes.fromhex(here.entry))
        assert await client.health() == await node.health()
        assert await client.status() == await node.status()
        assert await client.identity() == await node.identity()
        assert await client.recovery_words("fr") == await node.recovery_words("fr")
        assert await client.peers() == await node.peers()
        assert await client.list_commons() == await node.list_commons()
        assert await client.get_commons(commons) == await node.get_commons(commons)
        assert await client.digest(commons) == await node.digest(commons)
        assert await client.invite(commons, uses=2, days=3) == await node.invite(commons, uses=2, days=3)
        assert await client.join("p2pcommons-invite") == await node.join("p2pcommons-invite")
        query = Query("lav", (commons,), (("type", "place"),), sort="title", facets=("type",), limit=3)
        assert await client.search(query) == await node.search(query)
        assert (await client.search(query)).facets == {"type": (FacetCount("place", 1),)}
        assert await client.get_entry(entry) == await node.get_entry(entry)
        assert await client.history(entry, limit=1) == await node.history(entry, limit=1)
        assert await client.raw_records(entry) == await node.raw_records(entry)
        assert await client.conflicts(commons) == await node.conflicts(commons)
        assert await client.changes(1, 10) == await node.changes(1, 10)
        assert await client.latest_change() == await node.latest_change()
        assert await client.doctor() == await node.doctor()
        told: list[tuple[int, int]] = []
        assert await client.verify(lambda done, total: told.append((done, total))) == await node.verify()
        assert await client.rebuild() == await node.rebuild()


async def test_the_client_writes() -> None:
    async with client_world() as (here, client):
        node = here.place.node
        made = await client.create_commons("Fours", join="open", languages=("fr",), territory="29019")
        assert node.known[made.id] == made
        added = await client.add_entry(made.id, {"type": "place", "title": "four"})
        name = Subject(bytes.fromhex(added.entry["id"]))
        changed = await client.patch_entry(name, {"title": "four banal"}, if_match=[added.etag])
        with pytest.raises(EntryChanged) as stale:
            await client.patch_entry(name, {"title": "x"}, if_match=[added.etag])
        assert stale.value.present == changed
        withdrawal = await client.withdraw_entry(name, "a double", if_match=[changed.etag])
        with pytest.raises(EntryWithdrawn) as gone:
            await client.get_entry(name)
        assert gone.value.withdrawal == withdrawal
        assert (withdrawal.at, withdrawal.reason) == (NOW, "a double")
        peer = await client.add_peer("192.0.2.5:1")
        assert peer in await client.peers()
        await client.remove_peer("192.0.2.5:1")
        await client.block_peer(ALICE)
        assert ALICE in node.blocked
        await client.unblock_peer(ALICE)
        assert ALICE not in node.blocked
        with pytest.raises(NotFound):
            await client.unblock_peer(ALICE)
        await client.trust_clock()
        assert node.clock_trusted
        await client.follow(CommonsId(b"\x07" * 32), ["h:1"])
        await client.unfollow(CommonsId(b"\x07" * 32))
        assert CommonsId(b"\x07" * 32) not in node.known


async def test_the_client_proposes_votes_and_reads_what_became_of_it() -> None:
    async with client_world() as (here, client):
        node, commons = here.place.node, CommonsId(bytes.fromhex(here.commons))
        assert await client.charter_history(commons, "review") == await node.charter_history(commons, "review")
        assert await client.proposals(commons) == await node.proposals(commons)
        shown = await client.proposal(commons, PROPOSAL)
        assert shown == await node.proposal(commons, PROPOSAL)
        for question in (
            Question("A bench"),
            Question("x", "rule", rule="review", params={"months": 3}, words="We look again."),
            Question("x", "remove", person=ALICE, closers=(ALICE,)),
            Question("x", "amend", amendment=AMENDMENT, options=("a", "b"), grades=3, succession=True),
        ):
            assert await client.propose(commons, question) == shown and node.asked == question
        assert await client.comments(commons, PROPOSAL) == await node.comments(commons, PROPOSAL)
        assert (await client.comment(commons, PROPOSAL, "Why?", on=AMENDMENT)).text == "Why?"
        assert (await client.comment(commons, PROPOSAL, "So?")).on is None
        assert [node.said.pop(0) for _ in range(2)] == [("Why?", AMENDMENT), ("So?", None)]
        await client.amend_proposal(commons, PROPOSAL, text="y", params={"months": 4}, words="z", stewards=(ALICE,))
        await client.amend_proposal(commons, PROPOSAL, text="y")
        await client.answer_amendment(commons, AMENDMENT, take=True)
        await client.vote(commons, PROPOSAL, {"hill": 3})
        await client.vote(commons, PROPOSAL, "for", reason="why", wording=PROPOSAL)
        await client.close_vote(commons, PROPOSAL, early=True)
        assert node.said == [
            ("y", {"months": 4}, "z", (ALICE,)), ("y", None, None, ()), ({"hill": 3}, None, None), ("for", "why", PROPOSAL),
        ]  # fmt: skip
        with pytest.raises(Conflict) as caught:
            await client.close_vote(commons, PROPOSAL)
        assert caught.value.code == "voting-open"


async def test_the_client_founds_from_recipes_forks_and_counts() -> None:
    async with client_world() as (here, client):
        node, commons = here.place.node, CommonsId(bytes.fromhex(here.commons))
        made = await client.recipe(commons)
        assert made == await node.recipe(commons)
        assert (await client.create_commons("Puits", recipe=made.content)).name == "Puits"
        with pytest.raises(Refused):
            await client.create_commons("Puits", recipe=b"\xff")
        assert await client.lineage(commons) == await node.lineage(commons)
        assert await client.criteria(commons) == await node.criteria(commons)
        told: list[tuple[int, int]] = []
        forked = await client.fork(commons, "Libres", lambda done, total: told.append((done, total)))
        assert forked == await node.fork(commons, "Libres")
        with pytest.raises(NotFound):
            await client.fork(CommonsId(b"\xee" * 32), "Libres")


async def test_the_client_raises_what_the_node_raised() -> None:
    async with client_world() as (here, client):
        waiting = CommonsId(bytes.fromhex(here.waiting))
        for kind, code, asked in (
            (NotFound, "unknown-commons", client.get_commons(CommonsId(b"\xee" * 32))),
            (NotFound, "unknown-entry", client.get_entry(Subject(b"\xee" * 32))),
            (Conflict, "commons-waiting", client.add_entry(waiting, {"title": "a"})),
            (Refused, "bad-invitation", client.join("x")),
            (NotFound, "unknown-commons", client.batch(CommonsId(b"\xee" * 32), _groups([b"{}"]))),
        ):
            with pytest.raises(kind) as caught:
                await asked
            assert caught.value.code == code
            assert caught.value.detail
    async with Client(here.place.url) as client:
        with pytest.raises(NoAnswer):
            await client.status()


async def _groups(*groups: list[bytes]) -> AsyncIterator[Sequence[bytes]]:
    for group in groups:
        yield group


async def test_the_client_sends_and_reads_a_batch_at_once() -> None:
    async with client_world() as (here, client):
        commons = CommonsId(bytes.fromhex(here.commons))
        lines = [[b'{"n":%d}' % number for number in range(start, start + 500)] for start in range(0, 20_000, 500)]
        answers = [
            answer for group in [g async for g in await client.batch(commons, _groups(*lines))] for answer in group
        ]
        assert [answer.line for answer in answers] == list(range(1, 20_001))
        assert answers[0] == BatchAnswer(1, answers[0].id)


async def test_an_export_that_breaks_is_seen_to_be_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with client_world() as (here, client):
        here.place.node.entries[Subject(bytes(32))] = {"title": b"no JSON"}
        export = await client.export("jsonl", Query())
        with pytest.raises(NoAnswer):
            async for _ in export.chunks:
                pass
    assert "broke off" in caplog.text


async def test_the_client_hears_of_changes() -> None:
    async with client_world() as (here, client):
        commons = CommonsId(bytes.fromhex(here.commons))
        assert await client.wait_change(0, STUCK_S)
        assert not await client.wait_change(3, 0.01)
        stream = client.stream_changes(2)
        assert (await anext(stream)).position == 3
        added = await client.add_entry(commons, {"title": "new"})
        assert (await anext(stream)).id.hex() == added.entry["id"]
        await stream.aclose()


async def test_the_client_carries_files(tmp_path: Path) -> None:
    async with client_world() as (here, client):
        info = await client.pack(tmp_path / "all.pack")
        assert (tmp_path / "all.pack").stat().st_size == info.bytes == len(PACK) * 40_000
        assert info.records == 7
        assert (await client.unpack(tmp_path / "all.pack")).records == 40_000
        assert await client.backup(tmp_path / "backup") == 6
        assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
        export = await client.export("jsonl", Query())
        assert export.file_name == "entries__.jsonl"
        assert here.entry.encode() in b"".join([chunk async for chunk in export.chunks])
        with pytest.raises(Refused):
            await client.export("pdf", Query())
        with pytest.raises(NotFound):
            await client.pack(tmp_path / "none.pack", CommonsId(b"\xee" * 32))
        assert {path.name for path in tmp_path.iterdir()} == {"all.pack", "backup"}  # noqa: ASYNC240
