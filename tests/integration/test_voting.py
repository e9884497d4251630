"""An assembly on nodes that meet: what is proposed, amended, voted and closed comes out the same on all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from node_world import address_of, running, same, soon

from p2pcommons.commons.assembly_bodies import close
from p2pcommons.commons.charter_bodies import Made, erase
from p2pcommons.commons.query import Query
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import PREV_MAX
from p2pcommons.core.record import ZEROS, CommonsId, Plane, RecordId, Subject
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.acting import Acting
from p2pcommons.node.assembly_values import ProposalInfo, Question
from p2pcommons.node.daemon import Node
from p2pcommons.sync.replica import Draft

LICENCE = Question("Share alike\nSo that it stays ours.", "rule", rule="licence", params={"expression": "CC-BY-SA-4.0"})


@pytest.fixture
async def village(tmp_path: Path) -> AsyncIterator[tuple[list[Node], CommonsId]]:
    """Three nodes in one commons: who founded it, and two whom they invited."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(tmp_path / "0"))
        commons = (await first.commons.create_commons("Village")).id
        invitation = (await first.commons.invite(commons, uses=2)).invitation
        nodes = [first]
        for number in (1, 2):
            node = await stack.enter_async_context(running(tmp_path / str(number), address_of(first)))
            await node.commons.join(invitation)
            await soon(partial(member, node, commons), "they are a member")
            nodes.append(node)
        await together(nodes, commons)
        yield nodes, commons


async def member(node: Node, commons: CommonsId) -> bool:
    return (await node.commons.get_commons(commons)).member


async def here(node: Node, commons: CommonsId) -> bool:
    return (await node.commons.get_commons(commons)).state != "waiting"


async def together(nodes: list[Node], commons: CommonsId) -> None:
    async def all_same() -> bool:
        members = [await node.commons.members(commons) for node in nodes]  # a join that is under way is no digest's yet
        equal = len({tuple(member.key for member in each.members) for each in members}) == 1
        return equal and all([await same(nodes[0], node, commons) for node in nodes[1:]])

    await soon(all_same, "all hold the same")


async def asked_of(node: Node, commons: CommonsId) -> tuple[bool, bool, bool]:
    """What waits for this node's person of the one proposal there is."""
    (item,) = await node.commons.proposals(commons)
    return item.may_vote, item.voted, item.may_close


def me(node: Node) -> PublicKey:
    return node.runtime.keys.person.public


async def refused(attempt: Awaitable[object], code: str, kind: type[Exception] = Refused) -> None:
    with pytest.raises(kind) as caught:
        await attempt
    assert getattr(caught.value, "code", "") == code
    assert len(getattr(caught.value, "detail", "")) > 20


async def everywhere(nodes: list[Node], commons: CommonsId, proposal: RecordId) -> list[ProposalInfo]:
    await together(nodes, commons)
    return [await node.commons.proposal(commons, proposal) for node in nodes]


def params_of(node: Node, commons: CommonsId, rule: str) -> Callable[[], Awaitable[dict[str, object]]]:
    async def found() -> dict[str, object]:
        parts = (await node.commons.charter(commons)).parts
        return next(a.params for part in parts for a in part.articles if a.rule == rule)

    return found


async def decided(
    nodes: list[Node], commons: CommonsId, question: Question, choices: list[str | dict[str, int]]
) -> list[ProposalInfo]:
    """A proposal of the first, voted by all in turn, closed by two of them."""
    proposal = (await nodes[0].commons.propose(commons, question)).id
    await together(nodes, commons)
    for node, choice in zip(nodes, choices, strict=True):
        await node.commons.vote(commons, proposal, choice)
    await together(nodes, commons)
    await nodes[0].commons.close_vote(commons, proposal)
    await together(nodes, commons)
    await nodes[1].commons.close_vote(commons, proposal)
    return await everywhere(nodes, commons, proposal)


async def test_what_members_say_of_a_proposal_is_read_in_one_order_everywhere_and_can_be_erased(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, three = nodes
    proposal = (await one.commons.propose(commons, LICENCE)).id
    await together(nodes, commons)
    asked = await two.commons.comment(commons, proposal, "And the photographs?")
    await together(nodes, commons)
    answered = await three.commons.comment(commons, proposal, "Those too.", on=asked.id)
    await together(nodes, commons)
    for node in nodes:
        said = await node.commons.comments(commons, proposal)
        assert [(c.id, c.author, c.text, c.on, c.member) for c in said] == [
            (asked.id, me(two), "And the photographs?", None, True),
            (answered.id, me(three), "Those too.", asked.id, True),
        ]
    await refused(one.commons.comment(commons, proposal, "x", on=proposal), "unknown-comment", NotFound)
    await refused(one.commons.comment(commons, RecordId(ZEROS), "x"), "unknown-proposal", NotFound)
    with pytest.raises(FormError):
        await one.commons.comment(commons, proposal, " ")

    await Acting(two.runtime).write(commons, erase({asked.id: []}), subject=commons)
    await together(nodes, commons)
    for node in nodes:
        assert [c.id for c in await node.commons.comments(commons, proposal)] == [answered.id], (
            "its author took it back"
        )
    assert (await one.commons.search(Query())).total == 0, "what is said of a proposal is no entry"
    await three.commons.leave(commons)
    await together(nodes[:2], commons)
    await refused(three.commons.comment(commons, proposal, "y"), "not-a-member")


async def test_a_rule_is_questioned_amended_voted_closed_and_applied_the_same_everywhere(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, three = nodes
    made = await one.commons.propose(commons, LICENCE)
    assert (made.state, made.electorate, made.quorum, made.mode) == ("open", 3, 3, "qualified")
    assert set(made.closers) == {me(node) for node in nodes} and made.closers_needed == 2
    assert made.text == LICENCE.text and made.effect.rule == "licence" and made.effect.version == ZEROS
    await together(nodes, commons)
    early = await two.commons.vote(commons, made.id, "against", reason="It should be free for all.")
    assert early.yours is not None and early.yours.reason == "It should be free for all."

    better = "Or rather\nAs others have it."
    offered = await three.commons.amend_proposal(commons, made.id, text="Mine", params={"expression": "MIT"})
    assert [a.state for a in offered.amendments] == ["open"] and offered.text == LICENCE.text
    await together(nodes, commons)
    kept = await one.commons.answer_amendment(commons, offered.amendments[0].id, take=False)
    assert kept.amendments[0].state == "refused"
    amended = await one.commons.amend_proposal(commons, made.id, text=better, params={"expression": "CC0-1.0"})
    assert amended.text == better and amended.effect.params == {"expression": "CC0-1.0"}
    for shown in await everywhere(nodes, commons, made.id):
        (lapsed,) = shown.ballots
        assert (lapsed.person, lapsed.said, shown.tally and shown.tally.answered) == (me(two), "lapsed", 0)
        assert shown.text == better and lapsed.reason == "It should be free for all."
    await refused(two.commons.vote(commons, made.id, "for", wording=made.wordings[0]), "text-changed", Conflict)

    await one.commons.vote(commons, made.id, "for")
    await three.commons.vote(commons, made.id, "against")
    await together(nodes, commons)
    await refused(three.commons.close_vote(commons, made.id), "voting-open", Conflict)
    asked = [await asked_of(node, commons) for node in nodes]
    assert asked == [(True, True, True), (True, False, True), (True, True, True)], "the ballot of the second lapsed"
    changed = await three.commons.vote(commons, made.id, "for")
    assert sorted(b.said for b in changed.ballots) == ["counted", "counted", "lapsed", "replaced"]
    assert await three.commons.vote(commons, made.id, "for") == changed, "said already"
    await two.commons.vote(commons, made.id, "abstain")
    await together(nodes, commons)
    first = await two.commons.close_vote(commons, made.id)
    assert first.closed_at is None and first.state == "open" and first.closings[0].recount == "same"
    assert await asked_of(two, commons) == (True, True, False), "they have closed it"
    await together(nodes, commons)
    await refused(two.commons.close_vote(commons, made.id), "closed-by-you", Conflict)
    await three.commons.close_vote(commons, made.id)
    for shown in await everywhere(nodes, commons, made.id):
        assert (shown.state, shown.applied) == ("passed", "yes") and shown.closed_at is not None
        assert [(c.recount, c.count, c.counted, c.stands) for c in shown.closings] == [("same", 3, 3, True)] * 2
        tally = shown.tally
        assert tally is not None and tally.final and tally.passed and tally.counts == {"for": 2, "against": 0}
        assert (tally.answered, tally.abstained, tally.needed) == (3, 1, 2)
    for node in nodes:
        assert await params_of(node, commons, "licence")() == {"expression": "CC0-1.0"}
        assert await asked_of(node, commons) == (False, False, False)
        (change,) = await node.commons.charter_history(commons)
        assert (change.rule, change.version, change.in_force, change.title) == ("licence", made.id, True, "Or rather")
    for late in (
        two.commons.vote(commons, made.id, "for"),
        one.commons.close_vote(commons, made.id),
        one.commons.amend_proposal(commons, made.id, text="Once more"),
    ):
        await refused(late, "closed", Conflict)


async def test_a_ballot_that_no_closing_gathered_is_listed_as_late_on_every_node(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, three = nodes
    made = await one.commons.propose(commons, Question("A bench by the well"))
    await together(nodes, commons)
    await one.commons.vote(commons, made.id, "for")
    await two.commons.vote(commons, made.id, "for")
    await together(nodes, commons)
    await one.commons.close_vote(commons, made.id, early=True)
    await together(nodes, commons)
    await three.commons.vote(commons, made.id, "against")
    await together(nodes, commons)
    agreed = await two.commons.close_vote(commons, made.id)
    own = next(closing for closing in agreed.closings if closing.you)
    assert own.count == 2 and [left.why for left in own.left_out] == ["late"], "it agrees with who closed first"
    for shown in await everywhere(nodes, commons, made.id):
        assert shown.state == "failed" and shown.tally is not None and shown.tally.reason == "no_quorum"
        (late,) = [ballot for ballot in shown.ballots if ballot.late]
        assert (late.person, late.choice) == (me(three), "against")


async def test_objections_and_grades_decide_where_the_rule_says_so(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    consent = Question(
        "By consent", "rule", rule="decide.text", params={"mode": "consent"}, words="We ask for objections."
    )
    await decided(nodes, commons, consent, ["for", "for", "for"])
    charter = await nodes[2].commons.charter(commons)
    article = next(a for part in charter.parts for a in part.articles if a.rule == "decide.text")
    assert article.text == "We ask for objections." and article.params["mode"] == "consent"
    await refused(nodes[0].commons.propose(commons, Question("x", options=("a", "b"), grades=3)), "bad-options")

    blocked = (await nodes[0].commons.propose(commons, Question("A road"))).id
    await together(nodes, commons)
    await refused(nodes[0].commons.vote(commons, blocked, "for"), "bad-choice")
    for node, choice in zip(nodes, ("consent", "consent", "object"), strict=True):
        await node.commons.vote(commons, blocked, choice, reason="The frogs." if choice == "object" else None)
    for shown in await everywhere(nodes, commons, blocked):
        assert shown.tally is not None and (shown.tally.passed, shown.tally.reason) == (False, "objections")
        assert [b.reason for b in shown.ballots if b.choice == "object"] == ["The frogs."]

    judged = Question("By grades", "rule", rule="decide.text", params={"mode": "judgment"})
    await decided(nodes, commons, judged, ["for", "for", "for"])
    await refused(nodes[0].commons.propose(commons, Question("Where?")), "bad-options")
    where = Question("Where?", options=("hill", "well"), grades=5)
    grades: list[str | dict[str, int]] = [{"hill": 4, "well": 3}, {"hill": 1, "well": 3}, {"hill": 1}]
    for shown in await decided(nodes, commons, where, grades):
        tally = shown.tally
        assert tally is not None and shown.state == "passed" and shown.applied == "yes"
        assert [(o.name, o.rank, o.median) for o in tally.options] == [("well", 1, 3), ("hill", 2, 1)]
        assert [(s.better, s.other) for s in tally.steps] == [("well", "hill")]
    changes = await nodes[1].commons.charter_history(commons, "decide.text")
    assert [change.words for change in changes] == ["We ask for objections."] * 2
    charter = await nodes[1].commons.charter(commons)
    since = {a.rule: a.since for part in charter.parts for a in part.articles}
    assert since["decide.text"] == changes[-1].at and since["decide.rule"] is None


async def test_who_leaves_may_vote_on_what_was_proposed_before_and_proposes_no_more(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    made = await nodes[0].commons.propose(commons, Question("A bench"))
    await together(nodes, commons)
    await nodes[1].commons.leave(commons)
    await refused(nodes[1].commons.propose(commons, Question("Mine")), "not-a-member")
    await nodes[1].commons.vote(commons, made.id, "for")
    for shown in await everywhere(nodes, commons, made.id):
        assert shown.tally is not None and shown.tally.counts["for"] == 1 and shown.electorate == 3
    later = await nodes[0].commons.propose(commons, Question("Another"))
    assert later.electorate == 2
    await together(nodes, commons)
    await refused(nodes[1].commons.vote(commons, later.id, "for"), "not-a-member")


async def test_a_vote_to_remove_gives_any_member_the_right_and_one_to_admit_takes_it_back(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    one, two, three = nodes
    await decided(nodes, commons, Question("He sold the bench", "remove", person=me(three)), ["for", "for", "against"])
    await two.commons.remove_member(commons, me(three))
    await together(nodes, commons)
    assert not await member(three, commons)
    await refused(three.commons.propose(commons, Question("Mine")), "not-a-member")
    back = await one.commons.propose(commons, Question("He brought it back", "admit", person=me(three)))
    assert (back.electorate, back.closers_needed, back.effect.person) == (2, 2, me(three))
    await together(nodes, commons)
    for node in (one, two):
        await node.commons.vote(commons, back.id, "for")
    await together(nodes, commons)
    await one.commons.close_vote(commons, back.id)
    await together(nodes, commons)
    await two.commons.close_vote(commons, back.id)
    for shown in await everywhere(nodes, commons, back.id):
        assert (shown.state, shown.applied) == ("passed", "yes")
    assert await member(three, commons)


async def test_who_is_no_member_decides_nothing(village: tuple[list[Node], CommonsId], tmp_path: Path) -> None:
    nodes, commons = village
    made = await nodes[0].commons.propose(commons, Question("A bench"))
    line = (await nodes[0].commons.invite(commons)).invitation
    async with running(tmp_path / "other", address_of(nodes[0])) as other:
        await other.commons.follow(commons)
        await soon(lambda: here(other, commons), "the charter is there")
        await together([nodes[0], other], commons)
        shown = await other.commons.proposal(commons, made.id)
        assert shown.text == "A bench" and not shown.may_vote and not shown.may_close
        for attempt in (
            other.commons.propose(commons, Question("Mine")),
            other.commons.vote(commons, made.id, "for"),
            other.commons.amend_proposal(commons, made.id, text="Mine"),
            other.commons.close_vote(commons, made.id, early=True),
        ):
            await refused(attempt, "not-a-member")
        await other.commons.join(line)
        await soon(lambda: member(other, commons), "they are a member")
        await refused(other.commons.vote(commons, made.id, "for"), "no-elector")
        await refused(other.commons.close_vote(commons, made.id, early=True), "not-a-closer")


async def test_what_cannot_be_proposed_says_why(village: tuple[list[Node], CommonsId]) -> None:
    nodes, commons = village
    verbs, stranger = nodes[0].commons, PublicKey(b"\x07" * 32)
    for question, code in (
        (Question("x", "rule", rule="gravity"), "unknown-rule"),
        (Question("x", "rule"), "bad-proposal"),
        (Question("x", "rule", rule="licence", params={"colour": "red"}), "bad-params"),
        (Question("x", "rule", rule="review", params={"months": 0}), "bad-params"),
        (Question("x", "rule", rule="closing", params={"needed": 1}), "bad-params"),
        (Question("x", "rule", rule="review", person=stranger), "bad-proposal"),
        (Question("x", "assess"), "unknown-matter"),
        (Question("x", "remove", person=stranger), "unknown-member"),
        (Question("x", "admit", person=me(nodes[1])), "already-a-member"),
        (Question("x", "steward"), "bad-proposal"),
        (Question("x", "steward", stewards=(stranger,)), "unknown-member"),
        (Question("x", "steward", stewards=(me(nodes[1]),), succession=True), "not-silent"),
        (Question("x", "amend", amendment=RecordId(ZEROS)), "unknown-amendment"),
        (Question("x", options=("a",), grades=3), "bad-options"),
        (Question("x", closers=(stranger,)), "bad-closers"),
    ):
        await refused(verbs.propose(commons, question), code)
    await refused(verbs.propose(commons, Question(" ")), "bad_text", FormError)
    await refused(verbs.proposal(commons, RecordId(ZEROS)), "unknown-proposal", NotFound)
    await refused(verbs.charter_history(commons, "gravity"), "unknown-rule")
    assert await verbs.proposals(commons) == ()


async def test_a_text_that_is_erased_is_gone_everywhere_and_the_vote_stands(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    made = await nodes[0].commons.propose(commons, Question("What I should not have said"))
    await together(nodes, commons)
    assert [item.title for item in await nodes[2].commons.proposals(commons)] == ["What I should not have said"]
    assert (await nodes[0].commons.digest(commons)).entries == 0, "a text is no entry"
    with pytest.raises(NotFound):
        await nodes[0].commons.get_entry(Subject(made.text_hash))
    (text,) = nodes[0].runtime.replica.history(commons, made.text_hash)
    await written(nodes[0], commons, erase({text.id: []}))
    for shown in await everywhere(nodes, commons, made.id):
        assert (shown.state, shown.text) == ("open", None)
    assert (await nodes[1].commons.vote(commons, made.id, "for")).yours is not None


async def test_an_outcome_that_was_shown_and_is_undone_is_shown_as_revised(
    village: tuple[list[Node], CommonsId],
) -> None:
    nodes, commons = village
    shown = await decided(nodes, commons, LICENCE, ["for", "for", "for"])
    assert {one.applied for one in shown} == {"yes"}
    # One of the two closers signs something else: with neither of theirs nothing stands.
    await written(nodes[1], commons, close(shown[0].id, shown[0].wordings[0], ()))
    for node, one in zip(nodes, await everywhere(nodes, commons, shown[0].id), strict=True):
        assert (one.state, one.applied, one.revised) == ("open", "revised", "equivocation")
        assert [c.equivocates for c in one.closings].count(True) == 2
        assert await params_of(node, commons, "licence")() == {"expression": ""}
        assert await node.commons.charter_history(commons) == ()
    # A third one closes as the first did: it stands again, and is no revision any more.
    await nodes[2].commons.close_vote(commons, shown[0].id)
    for one in await everywhere(nodes, commons, shown[0].id):
        assert (one.state, one.applied, one.revised) == ("passed", "yes", None)


async def written(node: Node, commons: CommonsId, made: Made) -> None:
    await Acting(node.runtime).write(commons, made, subject=commons)


async def test_a_proposal_on_many_heads_has_everybody_in_its_past(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as node:
        commons = (await node.commons.create_commons("Many heads")).id
        runtime = node.runtime
        drafts = [Draft(Plane.CHARTER, commons, (commons,), "charter.seen", b"\x80") for _ in range(3 * PREV_MAX)]

        def put() -> None:
            runtime.replica.write(commons, runtime.keys.person, drafts, runtime.watch.signing_ms())

        await runtime.run(put)
        charter = runtime.replica.charter(commons)
        assert charter is not None and len(charter.heads) == 3 * PREV_MAX
        made = await node.commons.propose(commons, Question("One"))
        charter = runtime.replica.charter(commons)
        assert charter is not None and charter.heads == (made.id,), "all others are in its past"
        for number in range(PREV_MAX + 1):
            shown = await node.commons.vote(commons, made.id, ("for", "against")[number % 2])
        assert [ballot.said for ballot in shown.ballots].count("replaced") == PREV_MAX
        await runtime.run(put)
        closed = await node.commons.close_vote(commons, made.id)
        assert closed.state == "passed" and closed.closings[0].recount == "same"
        assert not any(ballot.late for ballot in closed.ballots), "sheets name what a record has no room for"


async def test_who_may_vote_does_until_the_time_is_over_and_then_it_is_closed(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as node:
        commons = (await node.commons.create_commons("One")).id
        stewards = await node.commons.propose(commons, Question("I look after it", "steward", stewards=(me(node),)))
        made = await node.commons.propose(commons, Question("A bench"))
        await node.commons.vote(commons, stewards.id, "for")
        day_ms = 24 * 3600 * 1000
        assert made.closes_at - made.opens_at == 7 * day_ms and stewards.closes_at - stewards.opens_at == 14 * day_ms
        await refused(node.commons.close_vote(commons, made.id), "voting-open", Conflict)
        later = made.closes_at + 1
        node.runtime.now_ms = lambda: later  # type: ignore[method-assign]
        await refused(node.commons.vote(commons, made.id, "for"), "voting-over", Conflict)
        failed = await node.commons.close_vote(commons, made.id)
        assert failed.state == "failed" and failed.tally is not None and failed.tally.reason == "no_quorum"
        passed = await node.commons.close_vote(commons, stewards.id)
        assert (passed.state, passed.applied, passed.effect.stewards) == ("passed", "yes", (me(node),))
