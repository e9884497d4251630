"""Nodes that meet by files alone: what they closed apart they end together, and whom they voted in comes in by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from node_world import running, same

from p2pcommons.commons.rules import MONTH_MS
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import Conflict, Refused
from p2pcommons.node.assembly_values import ProposalInfo, Question
from p2pcommons.node.daemon import Node


class Valley:
    """Three nodes, cut off from each other but for what is carried."""

    def __init__(self, nodes: list[Node], folder: Path) -> None:
        self.nodes = nodes
        self.stick = folder / "stick"

    async def carry(self, commons: CommonsId) -> None:
        """A stick goes round until all hold the same."""
        for _ in range(4):
            for node in self.nodes:
                await node.commons.pack(self.stick, commons)
                for other in self.nodes:
                    if other is not node:
                        await other.commons.unpack(self.stick)
                        other.commons.settling.add(commons)
                        await other.commons.settle()
            if all([await same(self.nodes[0], node, commons) for node in self.nodes[1:]]):
                return
        raise AssertionError("they never hold the same")

    async def passed_alone(self, commons: CommonsId, question: Question) -> ProposalInfo:
        """The first proposes, votes and closes, being the only member."""
        verbs = self.nodes[0].commons
        made = await verbs.propose(commons, question)
        await verbs.vote(commons, made.id, "for")
        return await verbs.close_vote(commons, made.id)

    async def passed(self, commons: CommonsId, question: Question, closers: list[Node]) -> ProposalInfo:
        """The first proposes, all members vote for it, these close."""
        made = await self.nodes[0].commons.propose(commons, question)
        await self.carry(commons)
        for node in self.nodes:
            if (await node.commons.get_commons(commons)).member:
                await node.commons.vote(commons, made.id, "for")
        await self.carry(commons)
        for node in closers:
            made = await node.commons.close_vote(commons, made.id)
            await self.carry(commons)
        return made


def me(node: Node) -> PublicKey:
    return node.runtime.keys.person.public


@pytest.fixture
async def valley(tmp_path: Path) -> AsyncIterator[Valley]:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(running(tmp_path / str(number))) for number in range(3)]
        yield Valley(nodes, tmp_path)


async def test_three_closers_who_closed_apart_close_once_more_by_the_same_command(valley: Valley) -> None:
    one, two, three = valley.nodes
    commons = (await one.commons.create_commons("Vallée")).id
    for node in (two, three):
        await node.commons.follow(commons)
        await one.commons.admit(commons, me(node))
    await valley.carry(commons)
    made = await one.commons.propose(commons, Question("A bridge"))
    await valley.carry(commons)
    for node in valley.nodes:
        await node.commons.vote(commons, made.id, "for")
        shown = await node.commons.close_vote(commons, made.id, early=True)
        assert (shown.round, shown.closings[0].count) == (1, 1)
        with pytest.raises(Conflict) as closed:
            await node.commons.close_vote(commons, made.id, early=True)
        assert closed.value.code == "closed-by-you" and "--closer" in closed.value.detail
    await valley.carry(commons)
    for node in valley.nodes:
        shown = await node.commons.proposal(commons, made.id)
        assert (shown.state, shown.round, len(shown.closings)) == ("open", 2, 3)
        assert not any(closing.equivocates for closing in shown.closings)
    for node in (two, one):
        await node.commons.close_vote(commons, made.id)
        await valley.carry(commons)
    for node in valley.nodes:
        shown = await node.commons.proposal(commons, made.id)
        assert (shown.state, shown.applied, shown.round) == ("passed", "yes", 2)
        assert shown.tally is not None and shown.tally.answered == 3
        assert (
            sorted((closing.round, closing.stands) for closing in shown.closings) == [(1, False)] * 3 + [(2, True)] * 2
        )


async def test_whom_the_members_voted_in_comes_in_with_no_line_to_send(valley: Valley) -> None:
    one, two, three = valley.nodes
    commons = (await one.commons.create_commons("Vallée", join="vote")).id
    for node in (two, three):
        await node.commons.follow(commons)
    await valley.carry(commons)
    assert (await two.commons.get_commons(commons)).join == "vote"
    with pytest.raises(Refused) as refused:
        await one.commons.invite(commons)
    assert refused.value.code == "by-vote" and "--admit" in refused.value.detail
    with pytest.raises(Conflict) as not_voted:
        await one.commons.admit(commons, me(two))
    assert not_voted.value.code == "not-voted"
    for attempt in (
        two.commons.add_entry(commons, {"type": "book", "title": "Mine"}),
        two.commons.admit(commons, me(two)),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.code == "not-a-member"
    await valley.passed(commons, Question("She mends nets", "admit", person=me(two)), [one])
    assert [(await node.commons.get_commons(commons)).member for node in valley.nodes] == [True, True, False]
    await two.commons.add_entry(commons, {"type": "book", "title": "Hers"})
    await valley.passed(commons, Question("He brings wood", "admit", person=me(three)), [one, two])
    assert [(await node.commons.get_commons(commons)).members for node in valley.nodes] == [3, 3, 3]
    assert {(await node.commons.digest(commons)).entries for node in valley.nodes} == {1}
    with pytest.raises(Conflict) as there:
        await two.commons.admit(commons, me(three))
    assert there.value.code == "already-a-member"


async def test_what_was_voted_of_joining_and_licence_is_what_a_node_does(valley: Valley) -> None:
    one, two, three = valley.nodes
    commons = (await one.commons.create_commons("Vallée")).id
    for node in (two, three):
        await node.commons.follow(commons)
    assert (await one.commons.admit(commons, me(two))).done
    assert (await one.commons.admit(commons, me(two))).done, "said already"
    await valley.carry(commons)
    assert (await two.commons.get_commons(commons)).member
    await valley.passed(
        commons, Question("Share", "rule", rule="licence", params={"expression": "CC0-1.0"}), [one, two]
    )
    for entry, licence in (
        ({"type": "book", "title": "Plain"}, "CC0-1.0"),
        ({"type": "book", "title": "Said", "licence": "MIT"}, "MIT"),
        ({"type": "book", "title": "Brought", "source": "urn:isbn:1"}, None),
    ):
        assert (await two.commons.add_entry(commons, entry)).entry.get("licence") == licence
    announced = Question("Tell of it", "rule", rule="announcing", params={"announced": True})
    await valley.passed(commons, announced, [one, two])
    assert all([(await node.commons.get_commons(commons)).announced for node in valley.nodes])
    steward = Question("He knows it", "steward", stewards=(me(two),))
    await valley.passed(commons, steward, [one, two])
    for node in valley.nodes:
        members = {m.key: m for m in (await node.commons.members(commons)).members}
        assert (members[me(two)].steward, members[me(two)].chosen, members[me(one)].chosen) == (True, True, False)
    await valley.passed(commons, Question("Open", "rule", rule="join", params={"policy": "open"}), [one, two])
    assert (await three.commons.get_commons(commons)).join == "open"
    await three.commons.add_entry(commons, {"type": "book", "title": "By a newcomer"})
    await valley.carry(commons)
    assert {(await node.commons.get_commons(commons)).members for node in valley.nodes} == {3}
    await valley.passed(commons, Question("Vote", "rule", rule="join", params={"policy": "vote"}), [one, two])
    assert {(await node.commons.get_commons(commons)).join for node in valley.nodes} == {"vote"}
    assert {(await node.commons.get_commons(commons)).members for node in valley.nodes} == {3}


async def test_a_rule_whose_review_is_past_is_said_to_be_so_and_goes_on_holding(valley: Valley) -> None:
    one, two, _ = valley.nodes
    commons = (await one.commons.create_commons("Vallée")).id
    made = await valley.passed_alone(commons, Question("Share", "rule", rule="licence", params={"expression": "MIT"}))

    async def due(node: Node) -> list[str]:
        parts = (await node.commons.charter(commons)).parts
        return [article.rule for part in parts for article in part.articles if article.review_due]

    async def told(node: Node) -> list[tuple[str, ...]]:
        return [notice.about for notice in (await node.commons.status()).notices if notice.code == "review-due"]

    assert (await due(one), await told(one)) == ([], [])
    assert made.closed_at is not None
    later = made.closed_at + 12 * MONTH_MS
    one.runtime.now_ms = lambda: later - 1  # type: ignore[method-assign]
    assert (await told(one), await due(one)) == ([("Vallée", "join")], ["join"]), "the founding record is older"
    one.runtime.now_ms = lambda: later  # type: ignore[method-assign]
    assert (await told(one), await due(one)) == ([("Vallée", "join", "licence")], ["join", "licence"])
    parts = (await one.commons.charter(commons)).parts
    assert [a.params for p in parts for a in p.articles if a.rule == "licence"] == [{"expression": "MIT"}]
    await two.commons.follow(commons)
    await one.commons.pack(valley.stick, commons)
    await two.commons.unpack(valley.stick)
    two.runtime.now_ms = lambda: later  # type: ignore[method-assign]
    assert await told(two) == [], "who only follows is asked nothing"
    again = Question("As it is", "rule", rule="licence", params={"expression": "MIT"})
    one.runtime.now_ms = one.runtime.watch.now_ms  # type: ignore[method-assign]
    await valley.passed_alone(commons, again)
    one.runtime.now_ms = lambda: later  # type: ignore[method-assign]
    assert await told(one) == [("Vallée", "join")], "looked at again, it is reviewed"
