"""Two associations and their three people, each on a running node: what an association votes counts when two of three say so."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from p2pcommons.api.client import Client
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import Conflict
from p2pcommons.node.assembly_values import Question
from tests.e2e.judging import until_async
from tests.e2e.processes import NodeProcess, answer, command, equal

PEOPLE = ("ana", "bob", "carol")
ASSOCIATIONS = ("hall", "club")


async def test_associations_vote_by_two_of_their_three_people(tmp_path: Path) -> None:
    with ExitStack() as stack:
        nodes: dict[str, NodeProcess] = {}
        for name in (*PEOPLE, *ASSOCIATIONS):
            more = ["--peer", nodes["ana"].listen] if nodes else []
            nodes[name] = NodeProcess(tmp_path / name)
            stack.callback(nodes[name].kill)
            nodes[name].start(*more)
        commons = await _founded(nodes)
        people = [answer(nodes[name].data, "identity", "show")["person"] for name in PEOPLE]
        for name in ASSOCIATIONS:
            command(nodes[name].data, "organisation", "declare", *people, "--needed", "2")
            command(nodes[name].data, "member", "name", f"The {name}")
        async with nodes["ana"].client() as ana:
            made = await ana.propose(commons, Question("One key for both rooms"))
        await equal(list(nodes.values()), commons)
        async with nodes["hall"].client() as hall, nodes["club"].client() as club:
            for association in (hall, club):
                await _asks(association, commons, made.id)
        await equal(list(nodes.values()), commons)
        shown = command(nodes["bob"].data, "organisation", "list").stdout
        assert shown.count("0 of 2") == 2 and "“The hall”" in shown and "“The club”" in shown and "One key" in shown
        asked = _asked(nodes["bob"])
        assert set(asked) == {"The hall", "The club"}
        assert "1 more to go" in command(nodes["bob"].data, "organisation", "approve", asked["The hall"]).stdout
        assert "1 more to go" in command(nodes["bob"].data, "organisation", "approve", asked["The club"]).stdout
        await equal(list(nodes.values()), commons)
        assert [await _answered(node, commons, made.id) for node in nodes.values()] == [0] * 5
        assert "That is enough" in command(nodes["carol"].data, "organisation", "approve", asked["The hall"]).stdout

        async def one_everywhere() -> bool:
            return [await _answered(node, commons, made.id) for node in nodes.values()] == [1] * 5

        await until_async(one_everywhere, "the ballot of the hall counts everywhere, and that of the club nowhere")


async def _founded(nodes: dict[str, NodeProcess]) -> CommonsId:
    async with nodes["ana"].client() as ana:
        commons = (await ana.create_commons("Fédération")).id
        line = (await ana.invite(commons, uses=9)).invitation
    for name, node in nodes.items():
        if name != "ana":
            async with node.client() as client:
                await client.join(line)
                await until_async(lambda client=client: _member(client, commons), f"{name} is a member")  # type: ignore[misc]
    await equal(list(nodes.values()), commons)
    return commons


async def _member(client: Client, commons: CommonsId) -> bool:
    return (await client.get_commons(commons)).member


async def _asks(association: Client, commons: CommonsId, proposal: RecordId) -> None:
    try:
        await association.vote(commons, proposal, "for")
    except Conflict as asked:
        assert asked.code == "people-asked"
    else:
        raise AssertionError("its people were not asked")


def _asked(node: NodeProcess) -> dict[str, str]:
    """What waits, by the name of who asks."""
    names = {one["key"]: one["name"] for one in answer(node.data, "member", "list")["members"]}
    found = command(node.data, "--json", "organisation", "list").stdout.splitlines()
    return {names[one["organisation"]]: one["id"] for one in map(json.loads, found)}


async def _answered(node: NodeProcess, commons: CommonsId, proposal: RecordId) -> int:
    async with node.client() as client:
        tally = (await client.proposal(commons, proposal)).tally
    return 0 if tally is None else tally.answered
