"""The four criteria of a real commons: numbers of this node's own state."""

from __future__ import annotations

from pathlib import Path

from node_world import address_of, imported, running, same, soon

from p2pcommons.commons.criteria import CRITERIA, MEASURES
from p2pcommons.core.record import CommonsId
from p2pcommons.node.assembly_values import Question
from p2pcommons.node.daemon import Node


async def pieces(node: Node, commons: CommonsId) -> dict[str, tuple[str, int | None, int | None]]:
    shown = await node.commons.criteria(commons)
    assert [one.criterion for one in shown.criteria] == list(CRITERIA)
    found = {piece.measure: (piece.state, piece.value, piece.of) for one in shown.criteria for piece in one.evidence}
    assert list(found) == list(MEASURES)
    return found


async def test_numbers_are_those_of_this_node_and_follow_what_happens(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two", address_of(one)) as two:
        commons = (await one.commons.create_commons("Lavoirs", join="open", charter="collection")).id
        found = await pieces(one, commons)
        assert found["voters"] == ("met", 1, 1) and found["deciders"] == ("not_met", 0, 1)
        assert found["last_decision"][:2] == ("not_met", None)
        assert found["recipe"] == ("unknown", None, 1) and found["maintainers"][1] == 0
        assert found["copies"][1] == 1 and found["licence"][0] == "met"
        await one.commons.recipe(commons)
        await imported(one, commons, 2)
        await two.commons.follow(commons)

        async def may_write() -> bool:
            return (await two.commons.get_commons(commons)).may_write

        await soon(may_write, "the charter came")
        await imported(two, commons, 2, prefix="m")

        async def confirmed() -> bool:
            return await same(one, two, commons) and (await pieces(one, commons))["copies"][1] == 2

        await soon(confirmed, "the other copy is confirmed")
        found = await pieces(one, commons)
        assert found["recipe"] == ("met", 1, 1) and found["voters"] == ("met", 2, 2)
        assert found["maintainers"][1] == 2 and found["deciders"] == ("not_met", 0, 2)


async def test_a_commons_with_no_charter_of_its_own_says_what_is_by_default(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        commons = (await node.commons.create_commons("Plain")).id
        found = await pieces(node, commons)
        assert found["licence"][0] == "not_met" and found["rules_reviewed"][:2] == ("met", 1)


async def test_what_was_decided_counts_and_goes_along_with_recipe_and_fork(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        commons = (await node.commons.create_commons("Lavoirs", charter="association", languages=("fr",))).id
        await node.commons.recipe(commons)
        before = (await node.commons.charter(commons)).parts
        question = Question("Plus de copies", "rule", rule="replicas", params={"floor": 5}, words="Cinq copies.")
        proposal = (await node.commons.propose(commons, question)).id
        await node.commons.vote(commons, proposal, "for")
        await node.commons.close_vote(commons, proposal, early=True)
        found = await pieces(node, commons)
        assert found["deciders"] == ("met", 1, 1) and found["last_decision"] == ("met", 0, 12)
        assert found["copies"][2] == 5, "the floor in force"
        assert found["recipe"] == ("partly", 1, 1), "the one written here has the rules of before"
        made = await node.commons.recipe(commons)
        assert (await pieces(node, commons))["recipe"] == ("met", 1, 1)
        started = (await node.commons.create_commons("Puits", recipe=made.content)).id
        fork = (await node.commons.fork(commons, "Lavoirs libres")).commons.id
        assert before != (await node.commons.charter(commons)).parts
        for one in (commons, started, fork):
            shown = await node.commons.charter(one, "fr")
            [rule] = [each for part in shown.parts for each in part.articles if each.rule == "replicas"]
            assert (rule.params, rule.text) == ({"floor": 5}, "Cinq copies.")
