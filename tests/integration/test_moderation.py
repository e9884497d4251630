"""Moderation on nodes that meet: what is hidden is hidden on all, says why, is found by nobody, and comes back."""

from __future__ import annotations

from typing import Any

import pytest
from node_world import address_of, running, soon
from test_voting import decided, me, refused, together, village

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import Conflict
from p2pcommons.node.assembly_values import Question
from p2pcommons.node.daemon import Node
from p2pcommons.node.moderation_values import EntryHidden, EntryWithheld

__all__ = ["village"]
Village = tuple[list[Node], CommonsId]


async def added(node: Node, commons: CommonsId, title: str, **more: Any) -> Subject:
    made = await node.commons.add_entry(commons, {"type": "text", "title": title, "subjects": ["mot"], **more})
    return Subject(bytes.fromhex(made.entry["id"]))


async def found(node: Node, commons: CommonsId, text: str = "") -> list[str]:
    page = await node.commons.search(Query(text, (commons,), facets=("subjects",)))
    assert page.total == len(page.items) == sum(one.count for one in page.facets["subjects"])
    return sorted(item.get("title", "?") for item in page.items)


async def changed(node: Node, since: int) -> set[Subject]:
    return {change.id for change in await node.commons.changes(since, 100)}


async def hidden(node: Node, entry: Subject) -> EntryHidden:
    with pytest.raises(EntryHidden) as caught:
        await node.commons.get_entry(entry)
    return caught.value


async def test_a_steward_hides_what_was_reported_and_shows_it_again_on_every_node(village: Village) -> None:
    nodes, commons = village
    one, two, three = nodes
    entry, other = await added(three, commons, "Crédit facile"), await added(three, commons, "Lavoir")
    await together(nodes, commons)
    report = await two.commons.report_entry(entry, "spam", "Encore de la réclame.")
    await two.commons.report_entry(entry, "spam")
    assert report.reason == "spam" and report.text == "Encore de la réclame." and report.you
    await together(nodes, commons)
    queue = await one.commons.moderation_queue(commons)
    assert queue.may_hide and queue.may_review and queue.by == "stewards"
    assert [(i.entry, i.title, i.persons, dict(i.reasons)) for i in queue.items] == [
        (entry, "Crédit facile", 1, {"spam": 1})
    ]
    assert len(queue.items[0].reports) == 1, "however often one person reports, one report is shown"
    assert not (await two.commons.moderation_queue(commons)).may_hide

    await refused(two.commons.hide_entry(entry, "spam"), "not-allowed")
    seen = [await node.commons.latest_change() for node in nodes]
    made = await one.commons.hide_entry(entry, "spam", "C'est de la réclame.")
    assert [(h.person, h.reason, h.text, h.you) for h in made.hidings] == [
        (me(one), "spam", "C'est de la réclame.", True)
    ]
    assert made.may_undo and made.proposal is None
    await together(nodes, commons)
    for node, since in zip(nodes, seen, strict=True):
        assert await found(node, commons) == ["Lavoir"]
        assert await found(node, commons, "crédit") == []
        assert (await node.commons.digest(commons)).entries == 1
        assert entry in await changed(node, since)
        why = (await hidden(node, entry)).hidden
        assert [(h.person, h.text) for h in why.hidings] == [(me(one), "C'est de la réclame.")]
        shown = await node.commons.get_entry(entry, hidden=True)
        assert shown.entry["title"] == "Crédit facile" and shown.entry["hidden"] is True
        assert [h.entry for h in await node.commons.hidden_entries(commons)] == [entry]
        assert not (await node.commons.moderation_queue(commons)).items
        before = await node.commons.digest(commons)
        await node.commons.rebuild()
        assert await node.commons.digest(commons) == before and await found(node, commons) == ["Lavoir"]
    assert not (await hidden(three, entry)).hidden.may_undo
    await refused(three.commons.unhide_entry(entry), "not-allowed")
    await refused(one.commons.unhide_entry(other), "not-hidden", Conflict)

    done = await one.commons.unhide_entry(entry)
    assert done.hidden is None and done.undone == tuple(h.id for h in made.hidings)
    await together(nodes, commons)
    for node in nodes:
        assert await found(node, commons, "crédit") == ["Crédit facile"]
        assert "hidden" not in (await node.commons.get_entry(entry)).entry


async def test_what_comes_after_the_hiding_is_hidden_too(village: Village) -> None:
    nodes, commons = village
    one, two, _ = nodes
    entry = await added(two, commons, "Insulte")
    await together(nodes, commons)
    await one.commons.hide_entry(entry, "harm")
    await two.commons.patch_entry(entry, {"title": "Insulte nouvelle"})
    await together(nodes, commons)
    for node in nodes:
        assert await found(node, commons) == []
        assert (await node.commons.get_entry(entry, hidden=True)).entry["title"] == "Insulte nouvelle"


async def test_the_members_vote_hides_and_no_steward_shows_it_again(village: Village) -> None:
    nodes, commons = village
    one, two, _ = nodes
    entry = await added(one, commons, "Plan du château")
    await together(nodes, commons)
    voted = await decided(nodes, commons, Question("Trop privé", "hide", entry=entry), ["for", "for", "against"])
    assert {info.state for info in voted} == {"passed"} and voted[0].effect.entry == entry
    for node in nodes:
        why = (await hidden(node, entry)).hidden
        assert why.proposal == voted[0].id and not why.hidings and not why.may_undo
        assert await found(node, commons) == []
    await refused(one.commons.unhide_entry(entry), "hidden-by-vote", Conflict)

    appeal = await decided(nodes, commons, Question("Il est public", "restore", entry=entry), ["for", "for", "for"])
    assert {info.state for info in appeal} == {"passed"}
    for node in nodes:
        assert await found(node, commons) == ["Plan du château"]
    await refused(one.commons.hide_entry(entry, "personal"), "shown-by-vote", Conflict)
    await refused(
        two.commons.propose(commons, Question("x", "hide", entry=Subject(bytes(32)))), "unknown-entry", Conflict
    )


async def test_an_open_appeal_is_named_where_the_entry_was(village: Village) -> None:
    nodes, commons = village
    one, two, _ = nodes
    entry = await added(two, commons, "Tract")
    await together(nodes, commons)
    await one.commons.hide_entry(entry, "other")
    await together(nodes, commons)
    made = await two.commons.propose(commons, Question("Pourquoi ?", "restore", entry=entry))
    assert (await hidden(two, entry)).hidden.appeals == (made.id,)


async def test_a_review_says_that_it_stays(village: Village) -> None:
    nodes, commons = village
    one, two, three = nodes
    entry = await added(one, commons, "Gravure")
    await together(nodes, commons)
    for node in (two, three):
        await node.commons.report_entry(entry, "duplicate")
    await together(nodes, commons)
    await refused(two.commons.review_reports(entry), "not-allowed")
    done = await one.commons.review_reports(entry)
    assert (done.answered, done.left) == (2, 0)
    await refused(one.commons.review_reports(entry), "nothing-reported", Conflict)
    await together(nodes, commons)
    for node in nodes:
        assert not (await node.commons.moderation_queue(commons)).items
        assert await found(node, commons) == ["Gravure"]


async def test_where_only_a_vote_hides_a_steward_is_told_how(village: Village) -> None:
    nodes, commons = village
    entry = await added(nodes[0], commons, "Puits")
    await together(nodes, commons)
    question = Question("Ensemble", "rule", rule="hide", params={"by": "vote"})
    await decided(nodes, commons, question, ["for", "for", "for"])
    await refused(nodes[0].commons.hide_entry(entry, "other"), "by-vote", Conflict)
    assert (await nodes[0].commons.moderation_queue(commons)).by == "vote"


async def test_a_block_list_counts_where_it_is_followed_and_says_whose(village: Village) -> None:
    nodes, commons = village
    one, two, three = nodes
    entry = await added(three, commons, "Réclame")
    await added(one, commons, "Four")
    await together(nodes, commons)
    states = {(await node.commons.digest(commons)).state for node in nodes}
    listed = await two.commons.change_block_list(commons, add=[me(three)], reason="spam")
    assert listed.you and listed.followed and [(k.key, k.reason) for k in listed.keys] == [(me(three), "spam")]
    await together(nodes, commons)
    page = await two.commons.search(Query("", (commons,)))
    [unshown] = [item for item in page.items if "title" not in item]
    assert unshown["id"] == entry.hex() and len(unshown["lists"]) == 1
    why = (await hidden(two, entry)).hidden
    assert why.lists == (me(two),) and not why.hidings
    assert (await two.commons.get_entry(entry, hidden=True)).entry["title"] == "Réclame"
    assert await found(one, commons) == ["Four", "Réclame"], "a list binds nobody"

    follows = await one.commons.follow_block_list(commons, me(two))
    assert follows.followed and not follows.you
    assert (await hidden(one, entry)).hidden.lists == (me(two),)
    await one.commons.follow_block_list(commons, me(two), follow=False)
    assert await found(one, commons) == ["Four", "Réclame"]
    await refused(two.commons.change_block_list(commons, add=[me(two)]), "yourself", Conflict)
    await two.commons.change_block_list(commons, remove=[me(three)])
    assert "?" not in await found(two, commons)
    assert {(await node.commons.digest(commons)).state for node in nodes} == states, "it is in no view"
    exported = b"".join([chunk async for chunk in (await two.commons.export("jsonl", Query("", (commons,)))).chunks])
    assert exported.count(b"\n") == 2


async def test_a_node_that_starts_again_hides_what_it_hid(tmp_path: Any) -> None:
    async with running(tmp_path / "a") as node:
        commons = (await node.commons.create_commons("Seul")).id
        entry = await added(node, commons, "Erreur")
        await node.commons.hide_entry(entry, "false")
        other = await added(node, commons, "Vrai")
        await node.commons.change_block_list(commons, add=[me(node).__class__(bytes(31) + b"\1")])
        before = await node.commons.digest(commons)
    async with running(tmp_path / "a") as node:
        assert await node.commons.digest(commons) == before
        assert await found(node, commons) == ["Vrai"]
        await node.commons.hide_entry(other, "false")
        assert await found(node, commons) == []
        assert (await node.commons.block_lists(commons))[0].followed


async def test_one_takes_back_ones_own_words_and_no_others(village: Village) -> None:
    nodes, commons = village
    one, two, _ = nodes
    entry = await added(one, commons, "Mon histoire")
    await together(nodes, commons)
    await two.commons.patch_entry(entry, {"description": "Sa suite"})
    await refused(nodes[2].commons.erase_words(entry), "nothing-of-yours", Conflict)
    done = await one.commons.erase_words(entry)
    assert done.records == 1
    await refused(one.commons.erase_words(entry), "nothing-of-yours", Conflict)
    await together(nodes, commons)
    for node in nodes:

        async def gone(node: Node = node) -> bool:
            shown = (await node.commons.get_entry(entry)).entry
            return "title" not in shown and shown["description"] == "Sa suite"

        await soon(gone, "what was erased is shown nowhere")


async def test_a_host_takes_an_entry_down_on_its_own_machine_alone(village: Village, tmp_path: Any) -> None:
    nodes, commons = village
    one, two, three = nodes
    entry = await added(three, commons, "Une photo")
    await added(one, commons, "Four")
    await together(nodes, commons)
    noted = await two.commons.take_down(entry, "Tribunal de Brest")
    assert noted.reason == "Tribunal de Brest" and [w.entry for w in await two.commons.withheld(commons)] == [entry]
    for look in (two.commons.get_entry(entry), two.commons.get_entry(entry, hidden=True)):
        with pytest.raises(EntryWithheld, match="Tribunal de Brest"):
            await look
    assert await found(two, commons) == ["Four"] and await found(one, commons) == ["Four", "Une photo"]
    await three.commons.patch_entry(entry, {"title": "Une autre photo"})

    async def all_alike() -> bool:
        return len({(await node.commons.digest(commons)).fingerprint for node in nodes}) == 1

    await soon(all_alike, "its sets are what they were")
    assert await found(two, commons) == ["Four"], "what comes later is not kept either"
    history = await two.commons.history(entry)
    assert len(history.items) == 2 and all(item.body is None for item in history.items)
    assert not (await two.commons.verify()).faults
    await two.commons.rebuild()
    assert await found(two, commons) == ["Four"]
    invitation = (await one.commons.invite(commons)).invitation
    async with running(tmp_path / "new", address_of(two)) as new:  # who comes by this host has it from others
        await new.commons.join(invitation)

        async def whole() -> bool:
            return await found(new, commons) == ["Four", "Une autre photo"]

        await soon(whole, "others whom the host knows gave it")

    await two.commons.release(entry)

    async def here_again() -> bool:
        return "Une autre photo" in await found(two, commons)

    await soon(here_again, "others gave it back")
    await refused(two.commons.release(entry), "not-withheld", Conflict)
