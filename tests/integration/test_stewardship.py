"""What stewards do, on nodes that meet: keys go for good, ways in close, several must agree, and somebody can always act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from node_world import address_of, running, same, soon

from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.daemon import Node

STRANGER = PublicKey(b"\x07" * 32)


@pytest.fixture
async def village(tmp_path: Path) -> AsyncIterator[tuple[list[Node], CommonsId]]:
    """Three nodes in one commons: who founded it, and two whom they invited, each with an entry."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(tmp_path / "0"))
        commons = (await first.commons.create_commons("Village")).id
        invitation = (await first.commons.invite(commons, uses=2)).invitation
        nodes = [first]
        for number in (1, 2):
            node = await stack.enter_async_context(running(tmp_path / str(number), address_of(first)))
            await node.commons.join(invitation)
            await soon(partial(member, node, commons), "they are a member")
            await node.commons.add_entry(commons, {"type": "book", "title": f"Of {number}"})
            nodes.append(node)
        await together(nodes, commons)
        yield nodes, commons


async def member(node: Node, commons: CommonsId) -> bool:
    return (await node.commons.get_commons(commons)).member


async def together(nodes: list[Node], commons: CommonsId) -> None:
    async def all_same() -> bool:
        members = [await node.commons.members(commons) for node in nodes]
        equal = len({tuple((m.key, m.steward) for m in each.members) for each in members}) == 1
        return equal and all([await same(nodes[0], node, commons) for node in nodes[1:]])

    await soon(all_same, "all hold the same")


def me(node: Node) -> PublicKey:
    return node.runtime.keys.person.public


async def test_members_are_listed_the_same_everywhere(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    lists = [await node.commons.members(commons) for node in nodes]
    assert {tuple(m.key for m in each.members) for each in lists} == {tuple(m.key for m in lists[0].members)}
    assert [m.steward for m in lists[1].members] == [True, False, False] and not lists[1].steward and lists[0].steward
    assert [[m.key for m in each.members if m.you] for each in lists] == [[me(node)] for node in nodes]
    assert lists[0].members[1].by == me(nodes[0]) and lists[0].members[0].by is None
    (way,) = [each for each in lists[2].entrances if not each.open]
    assert (way.used, way.uses, way.author) == (2, 2, me(nodes[0])) and way.expires_at is not None


async def test_a_purged_key_is_out_everywhere_with_all_it_wrote_and_never_returns(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    done = await nodes[0].commons.purge(commons, keys=[me(nodes[1])])
    assert done.done and done.agreed == done.needed == 1 and done.record is not None
    await together(nodes, commons)
    for node in nodes:
        assert me(nodes[1]) not in {m.key for m in (await node.commons.members(commons)).members}
        assert (await node.commons.digest(commons)).entries == 1
    with pytest.raises(Refused) as refused:
        await nodes[1].commons.add_entry(commons, {"type": "book", "title": "Again"})
    assert refused.value.code == "not-a-member" and "for good" in refused.value.detail


async def test_nobody_comes_in_by_an_entrance_that_is_closed(
    village: tuple[list[Node], CommonsId], tmp_path: Path
) -> None:
    nodes, commons = village
    line = (await nodes[0].commons.invite(commons)).invitation
    way = parse_invitation(line).invite
    assert way is not None
    await nodes[0].commons.purge(commons, entrances=[way])
    assert way not in {each.id for each in (await nodes[0].commons.members(commons)).entrances}
    async with running(tmp_path / "late", address_of(nodes[0])) as late:
        await late.commons.join(line)
        await soon(lambda: here(late, commons), "the charter is there")
        with pytest.raises(Refused) as refused:
            await late.commons.add_entry(commons, {"type": "book", "title": "Late"})
        assert refused.value.code == "not-a-member"


async def here(node: Node, commons: CommonsId) -> bool:
    return (await node.commons.get_commons(commons)).state != "waiting"


async def test_where_two_must_agree_the_second_yes_does_it(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    one, two, three = nodes
    await one.commons.name_stewards(commons, add=[me(two)], quorum=2)
    await together(nodes, commons)
    assert (await three.commons.members(commons)).quorum == 2
    first = await one.commons.purge(commons, keys=[me(three)])
    assert not first.done and (first.agreed, first.needed, first.record) == (1, 2, None)
    again = await one.commons.purge(commons, keys=[me(three)])
    assert not again.done and again.agreed == 1, "one person counts once"
    await together(nodes, commons)
    assert await member(three, commons)
    other = await two.commons.purge(commons, keys=[me(three)], entrances=[])
    assert other.done and other.agreed == 2
    await together(nodes, commons)
    assert not await member(three, commons)


async def test_there_are_always_enough_stewards_left_to_act(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    one, two, _ = nodes
    for attempt in (
        one.commons.purge(commons, keys=[me(one)]),
        one.commons.name_stewards(commons, end=[me(one)]),
        one.commons.name_stewards(commons, quorum=2),
    ):
        with pytest.raises(Conflict) as left:
            await attempt
        assert left.value.code == "too-few-stewards"
    await one.commons.name_stewards(commons, add=[me(two)], end=[me(one)])
    await together(nodes, commons)
    assert (await two.commons.members(commons)).steward and not (await one.commons.members(commons)).steward
    with pytest.raises(Refused) as refused:
        await one.commons.purge(commons, keys=[me(two)])
    assert refused.value.code == "not-a-steward"


async def test_what_is_not_there_or_says_nothing_is_refused(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    verbs = nodes[0].commons
    for attempt, code in (
        (verbs.purge(commons, keys=[STRANGER]), "unknown-member"),
        (verbs.purge(commons, entrances=[STRANGER]), "unknown-entrance"),
        (verbs.purge(commons), "nothing-named"),
        (verbs.purge(commons, entrances=[bytes([n]) * 32 for n in range(33)]), "too-many"),
        (verbs.name_stewards(commons), "nothing-named"),
        (verbs.name_stewards(commons, add=[STRANGER]), "unknown-member"),
        (verbs.name_stewards(commons, add=[me(nodes[1])], end=[me(nodes[1])]), "both-ways"),
    ):
        with pytest.raises((Refused, NotFound)) as refused:
            await attempt
        assert refused.value.code == code
    members = (await verbs.members(commons)).members
    assert len(members) == 3


# -- leaving and removing


async def entries(node: Node, commons: CommonsId) -> int:
    return (await node.commons.digest(commons)).entries


async def test_who_is_removed_is_a_member_nowhere_and_only_what_was_seen_of_theirs_counts(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, three = nodes
    done = await one.commons.remove_member(commons, me(two))
    assert done.done and (done.agreed, done.needed) == (1, 1) and done.record is not None
    later = await two.commons.add_entry(commons, {"type": "book", "title": "Not knowing of it"})
    await together(nodes, commons)
    for node in nodes:
        found = await node.commons.members(commons)
        assert me(two) not in {m.key for m in found.members}
        assert [(f.key, f.how, f.by, f.words) for f in found.former] == [(me(two), "removed", (me(one),), False)]
        assert found.former[0].you == (node is two) and found.former[0].since is not None
        assert await entries(node, commons) == 2, "what was seen, and that of the third"
    assert not await member(two, commons)
    for attempt in (
        two.commons.add_entry(commons, {"type": "book", "title": "Again"}),
        two.commons.invite(commons),
        two.commons.leave(commons),
        two.commons.remove_member(commons, me(three)),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.code == "not-a-member"
    kept = await one.commons.keep_words(commons, me(two), entries=[Subject(bytes.fromhex(str(later.entry["id"])))])
    assert kept.done
    await together(nodes, commons)
    assert [await entries(node, commons) for node in nodes] == [3, 3, 3]
    with pytest.raises(Refused) as refused:
        await one.commons.keep_words(commons, me(two))
    assert refused.value.code == "nothing-named"


@pytest.mark.parametrize(("words", "counting"), [("all", 3), ("none", 1)])
async def test_all_words_of_who_is_removed_count_or_none(
    village: tuple[list[Node], CommonsId], words: str, counting: int
) -> None:
    nodes, commons = village
    await nodes[0].commons.remove_member(commons, me(nodes[1]), words=words)
    await nodes[1].commons.add_entry(commons, {"type": "book", "title": "Not knowing of it"})
    await together(nodes, commons)
    assert {await entries(node, commons) for node in nodes} == {counting}
    assert (await nodes[2].commons.members(commons)).former[0].words == (words == "all")


async def test_who_leaves_is_a_member_no_more_and_comes_back_by_an_invitation_made_since(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, _ = nodes
    old = (await one.commons.invite(commons)).invitation
    with pytest.raises(Conflict) as left:
        await one.commons.leave(commons)
    assert left.value.code == "too-few-stewards"
    assert (await two.commons.leave(commons)).done
    await together(nodes, commons)
    for node in nodes:
        assert [(f.key, f.how, f.by, f.words) for f in (await node.commons.members(commons)).former] == [
            (me(two), "left", (), True)
        ]
        assert await entries(node, commons) == 2
    for line in (None, old):
        if line is not None:
            await two.commons.join(line)
        with pytest.raises(Refused) as refused:
            await two.commons.add_entry(commons, {"type": "book", "title": "Again"})
        assert refused.value.code == "not-a-member" and "left" in refused.value.detail
    await two.commons.join((await one.commons.invite(commons)).invitation)
    await together(nodes, commons)
    await two.commons.add_entry(commons, {"type": "book", "title": "Back"})
    await together(nodes, commons)
    assert await member(two, commons) and {await entries(node, commons) for node in nodes} == {3}


async def test_where_two_must_agree_they_remove_together_whatever_was_written_between(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, three = nodes
    await one.commons.name_stewards(commons, add=[me(two)], quorum=2)
    await together(nodes, commons)
    first = await one.commons.remove_member(commons, me(three))
    assert not first.done and (first.agreed, first.needed, first.record) == (1, 2, None)
    await three.commons.add_entry(commons, {"type": "book", "title": "Between"})
    await together(nodes, commons)
    other = await two.commons.remove_member(commons, me(three))
    assert other.done and other.agreed == 2
    await together(nodes, commons)
    assert not await member(three, commons)
    assert {await entries(node, commons) for node in nodes} == {2}, "as the first one saw it"
    assert not (await one.commons.keep_words(commons, me(three))).done
    await together(nodes, commons)
    assert (await two.commons.keep_words(commons, me(three))).done
    await together(nodes, commons)
    assert {await entries(node, commons) for node in nodes} == {3}


async def test_a_removal_that_cannot_be_is_refused(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    one, two, three = nodes
    for attempt, code in (
        (one.commons.remove_member(commons, STRANGER), "unknown-member"),
        (one.commons.remove_member(commons, me(one)), "yourself"),
        (two.commons.remove_member(commons, me(three)), "not-a-steward"),
        (one.commons.keep_words(commons, me(two)), "unknown-member"),
    ):
        with pytest.raises((Refused, NotFound)) as refused:
            await attempt
        assert refused.value.code == code
    await one.commons.name_stewards(commons, add=[me(two)], quorum=2)
    with pytest.raises(Conflict) as left:
        await one.commons.remove_member(commons, me(two))
    assert left.value.code == "too-few-stewards"
    assert len((await one.commons.members(commons)).members) == 3
