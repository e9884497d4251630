"""Organisations on nodes that meet: what one does counts when enough of its people have approved, each on their own node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from node_world import address_of, running, soon
from test_voting import me, member, refused, together

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.assembly_values import Question
from p2pcommons.node.daemon import Node
from p2pcommons.node.organisation_values import AskedInfo


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[tuple[list[Node], CommonsId]]:
    """Four nodes: three people, and an association that acts by two of them."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(tmp_path / "0"))
        commons = (await first.commons.create_commons("Ville")).id
        invitation = (await first.commons.invite(commons, uses=4)).invitation
        nodes = [first]
        for number in (1, 2, 3):
            node = await stack.enter_async_context(running(tmp_path / str(number), address_of(first)))
            await node.commons.join(invitation)
            await soon(partial(member, node, commons), "they are a member")
            nodes.append(node)
        await together(nodes, commons)
        done = await nodes[3].commons.declare_organisation(commons, [me(node) for node in nodes[:3]], needed=2)
        assert done.done
        await together(nodes, commons)
        yield nodes, commons


async def the_one(node: Node, commons: CommonsId) -> AskedInfo:
    (asked,) = await node.commons.asked_acts(commons)
    return asked


async def answered(node: Node, commons: CommonsId, proposal: RecordId) -> int:
    tally = (await node.commons.proposal(commons, proposal)).tally
    return 0 if tally is None else tally.answered


async def test_a_vote_counts_when_the_second_of_three_has_approved(town: tuple[list[Node], CommonsId]) -> None:
    (ana, bob, _, hall), commons = town
    nodes = town[0]
    proposal = (await ana.commons.propose(commons, Question("Shall we meet on Mondays?"))).id
    await together(nodes, commons)
    await refused(hall.commons.vote(commons, proposal, "for", reason="We can"), "people-asked", Conflict)
    await refused(hall.commons.vote(commons, proposal, "for"), "people-asked", Conflict)
    await together(nodes, commons)
    first = (await ana.commons.asked_acts(commons))[-1]
    assert (first.act, first.choice, first.proposal, first.text) == (
        "ballot.cast", "for", proposal, "Shall we meet on Mondays?"
    )  # fmt: skip
    assert (first.organisation, first.needed, first.approved, first.asked, first.done) == (me(hall), 2, (), True, False)
    mine = await ana.commons.approve_act(commons, first.id)
    assert (mine.yours, mine.approved) == (True, (me(ana),))
    await ana.commons.approve_act(commons, first.id)  # again: nothing more
    await together(nodes, commons)
    assert await answered(hall, commons, proposal) == 0
    again = (await bob.commons.asked_acts(commons))[-1]
    assert again.approved == (me(ana),) and not again.done
    await bob.commons.approve_act(commons, again.id)

    async def counted() -> bool:
        return [await answered(node, commons, proposal) for node in nodes] == [1, 1, 1, 1]

    await soon(counted, "its ballot counts everywhere")
    await together(nodes, commons)
    (ballot,) = (await bob.commons.proposal(commons, proposal)).ballots
    assert (ballot.said, ballot.choice, ballot.reason, ballot.person) == ("counted", "for", "We can", me(hall))
    assert (await ana.commons.asked_acts(commons))[-1].done
    assert (await hall.commons.proposal(commons, proposal)).yours == ballot.__class__(
        **{name: getattr(ballot, name) for name in ballot.__slots__ if name != "you"}, you=True
    )


async def test_a_proposal_waits_for_approvals_and_its_closers_count_the_organisation(
    town: tuple[list[Node], CommonsId],
) -> None:
    (ana, bob, carol, hall), commons = town
    nodes = town[0]
    await refused(hall.commons.propose(commons, Question("A bench")), "people-asked", Conflict)
    await together(nodes, commons)
    asked = await the_one(carol, commons)
    assert (asked.act, asked.text) == ("proposal.open", "A bench")
    for node in (carol, bob):
        await node.commons.approve_act(commons, asked.id)

    async def open_() -> bool:
        return [item.state for item in await ana.commons.proposals(commons)] == ["open"]

    await soon(open_, "it is proposed")
    await together(nodes, commons)
    (item,) = await ana.commons.proposals(commons)
    assert (item.author, item.title) == (me(hall), "A bench")


async def test_what_speaks_for_it_changes_by_the_word_of_those_before(town: tuple[list[Node], CommonsId]) -> None:
    (ana, bob, carol, hall), commons = town
    nodes = town[0]
    done = await hall.commons.declare_organisation(commons, [me(ana), me(carol)], needed=2)
    assert (done.done, done.needed) == (False, 2)
    await together(nodes, commons)
    asked = await the_one(bob, commons)
    assert (asked.act, asked.people) == ("member.organisation", tuple(sorted([me(ana), me(carol)])))
    for node in (ana, bob):
        await node.commons.approve_act(commons, asked.id)

    async def changed() -> bool:
        shown = next(one for one in (await bob.commons.members(commons)).members if one.organisation is not None)
        assert shown.organisation is not None
        return shown.key == me(hall) and len(shown.organisation.people) == 2

    await soon(changed, "others speak for it")
    await together(nodes, commons)
    await refused(bob.commons.approve_act(commons, asked.id), "not-asked")


async def test_it_leaves_when_its_people_say_so(town: tuple[list[Node], CommonsId]) -> None:
    (ana, bob, _, hall), commons = town
    nodes = town[0]
    await refused(hall.commons.leave(commons), "people-asked", Conflict)
    await together(nodes, commons)
    asked = await the_one(ana, commons)
    for node in (ana, bob):
        await node.commons.approve_act(commons, asked.id)

    async def gone() -> bool:
        return me(hall) not in {one.key for one in (await ana.commons.members(commons)).members}

    await soon(gone, "it has left")


async def test_what_people_call_themselves_is_shown_on_every_node(town: tuple[list[Node], CommonsId]) -> None:
    (ana, bob, carol, hall), commons = town
    await ana.commons.name_oneself(commons, "Ana")
    await ana.commons.name_oneself(commons, "Ana Le Goff")
    await bob.commons.name_oneself(commons, "Bob")
    await bob.commons.name_oneself(commons, "")
    await hall.commons.name_oneself(commons, "Salle des fêtes")  # words need nobody's approval
    await together(town[0], commons)
    shown = {one.key: one.name for one in (await carol.commons.members(commons)).members}
    assert shown == {me(ana): "Ana Le Goff", me(bob): None, me(carol): None, me(hall): "Salle des fêtes"}
    await refused(ana.commons.name_oneself(commons, "A\u202ena"), "bad-person-name")
    assert (await ana.commons.search(Query(commons=(commons,)))).total == 0, "a name is no entry"


async def test_what_cannot_be_declared_or_approved_is_refused(town: tuple[list[Node], CommonsId]) -> None:
    (ana, bob, _, hall), commons = town
    people = [me(bob)]
    declare = ana.commons.declare_organisation
    await refused(declare(commons, people, needed=2), "bad-organisation", Conflict)
    await refused(declare(commons, [me(ana)], needed=1), "bad-organisation", Conflict)
    await refused(declare(commons, [me(hall)], needed=1), "bad-organisation", Conflict)
    await refused(declare(commons, [type(me(ana))(bytes(32))], needed=1), "unknown-member", NotFound)
    await refused(ana.commons.approve_act(commons, RecordId(bytes(32))), "unknown-act", NotFound)
    await refused(hall.commons.leave(commons), "people-asked", Conflict)
    asked = await the_one(hall, commons)
    await refused(hall.commons.approve_act(commons, asked.id), "not-asked", Refused)
