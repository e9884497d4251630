"""The pages on which members decide: the charter, proposals, votes and what comes of them, without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_assembly import WHO, FakeAssembly
from fake_node import FakeNode
from page_world import Place, Shown, page_world, served
from test_pages import HOSTILE, LANGUAGES, STRANGER, founded

from p2pcommons.commons.order import FAULTS
from p2pcommons.commons.rules import MATTERS
from p2pcommons.commons.tally import MODES, REASONS
from p2pcommons.core.identity import did_key, parse_did_key
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.node.assembly_values import APPLIED, EffectInfo, LeftOut, ProposalInfo, ProposalItem, Question
from p2pcommons.node.commons import Commons
from p2pcommons.node.values import CharterInfo, CommonsInfo, Hash, Instant, PeerCommons, PeerInfo
from p2pcommons.web import assembly_labels
from p2pcommons.web.texts import texts

COMMONS = CommonsId(b"c" * 32)
SAID = ("counted", "same", "double", "replaced", "lapsed", "no_elector", "unfit")


def of(commons: str) -> CommonsId:
    return CommonsId(bytes.fromhex(commons))


def record(path: str) -> RecordId:
    """The proposal of a path."""
    return RecordId(bytes.fromhex(path.split("/")[4]))


def where(shown: Shown) -> str:
    return shown.path.partition("?")[0]


async def propose(place: Place, commons: str, text: str = "A bench\nBy the well.", **fields: Any) -> Shown:
    """Open a proposal at the page."""
    at = f"/commons/{commons}/proposals/new"
    made = await place.browser.send(
        await place.browser.get(at + f"?matter={fields.get('matter', 'text')}"), at, text=text, **fields
    )
    assert made.status == 200, made.text
    return made


async def passed(place: Place, commons: str, question: Question) -> None:
    """Decide on one's own."""
    made = await place.commons.propose(of(commons), question)
    await place.commons.vote(of(commons), made.id, "for")
    assert (await place.commons.close_vote(of(commons), made.id)).applied == "yes"


async def met(tmp_path: Path, one: Commons, other: Commons, commons: str) -> None:
    """Give the other all that one has."""
    pack = tmp_path / "met.pack"
    await one.pack(pack, of(commons))
    await other.unpack(pack)
    pack.unlink()


@asynccontextmanager
async def neighbour(tmp_path: Path, place: Place, commons: str) -> AsyncIterator[Place]:
    """Bob's page; he is a member."""
    async with page_world(tmp_path / "bob") as bob:
        await bob.commons.join((await place.commons.invite(of(commons))).invitation)
        await met(tmp_path, place.commons, bob.commons, commons)
        await bob.commons.settle()
        await met(tmp_path, bob.commons, place.commons, commons)
        assert len((await place.commons.members(of(commons))).members) == 2
        await bob.browser.get("/")
        yield bob


async def test_a_rule_is_questioned_voted_closed_and_says_something_else(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser, at = place.browser, f"/commons/{commons}"
        page = await browser.get(at)
        assert {f"{at}/charter", f"{at}/proposals", f"{at}/members", f"{at}/lineage"} <= set(page.html.links)
        charter = await browser.get(f"{at}/charter")
        assert f"{at}/charter/review/question" in charter.html.links and "Since" in charter.text
        rule = await browser.get(f"{at}/charter/join")
        assert "Set when the commons was founded" in rule.text and "In force" in rule.text
        assert "holds by default" in (await browser.get(f"{at}/charter/review")).text
        form = await browser.get(f"{at}/charter/review/question")
        assert form.html.values(f"{at}/charter/review/question")["p.months"] == "12"
        looked = await browser.send(
            form, f"{at}/charter/review/question", press=("look", "yes"), text="Every half year", **{"p.months": "6"}
        )
        assert "Nothing is proposed yet." in looked.text and "6 months after it was set" in looked.text
        assert await place.commons.proposals(of(commons)) == ()
        made = await browser.send(looked, f"{at}/charter/review/question")
        assert made.status == 200 and "the vote is open" in made.text and "You have not voted yet." in made.text
        assert "12 months after it was set" in made.text and "6 months after it was set" in made.text
        assert "(changed)" in made.text
        assert "1 proposal waits for your vote" in (await browser.get(at)).text
        assert "Waiting for your vote" in (await browser.get(f"{at}/proposals")).text
        path = where(made)
        voted = await browser.send(made, f"{path}/vote", choice="against", reason="Too often.")
        assert "Your vote is recorded." in voted.text and "You have voted: Against" in voted.text
        assert "No neighbour has confirmed it yet" in voted.text and "Too often." in voted.text
        voted = await browser.send(voted, f"{path}/vote", choice="for", reason="")
        assert "You have voted: For" in voted.text and "changed by a later one" in voted.text
        assert "Nothing waits for your vote." in (await browser.get(f"{at}/proposals")).text
        asked = await browser.get(f"{path}/close")
        assert "Close this vote?" in asked.text and "not everybody has voted" not in asked.text
        closed = await browser.send(asked, f"{path}/close")
        assert "The vote is closed." in closed.text and "Passed" in closed.text and "It was counted." in closed.text
        assert "The same, counted again here." in closed.text
        assert "12 months after it was set" in closed.text, "what it said before stays before"
        rule = await browser.get(f"{at}/charter/review")
        assert "6 months after it was set" in rule.text and path in rule.html.links and "Every half year" in rule.text
        assert "Decided" in (await browser.get(f"{at}/proposals")).text


# -- forms that are not right


@pytest.mark.parametrize("language", LANGUAGES)
async def test_wrong_input_is_told_at_its_field_and_kept(tmp_path: Path, language: str) -> None:
    async with founded(tmp_path, language) as (place, commons):
        browser, at = place.browser, f"/commons/{commons}"
        rule = f"{at}/charter/closing/question"
        for path, wrong, field in (
            (rule, {"text": " "}, "text"),
            (rule, {"text": "x" * 12_001}, "text"),
            (rule, {"text": "x\x00"}, "text"),
            (rule, {"p.closers": "many"}, "p.closers"),
            (rule, {"p.closers": "32"}, "p.closers"),
            (rule, {"p.closers": "4", "p.needed": "2"}, "p.closers"),
            (rule, {"words": "x" * 12_001}, "words"),
            (f"{at}/charter/licence/question", {"p.expression": "free for all"}, "p.expression"),
            (f"{at}/charter/announcing/question", {"p.announced": "perhaps"}, "p.announced"),
            (f"{at}/proposals/new", {"matter": "remove", "key": ""}, "key"),
            (f"{at}/proposals/new", {"matter": "remove", "key": "did:key:z6MkwrongMkwrong"}, "key"),
            (f"{at}/proposals/new", {"matter": "admit", "key": did_key(STRANGER)[:-3]}, "key"),
            (f"{at}/proposals/new", {"matter": "steward"}, "steward"),
        ):
            asked = f"{path}?matter={wrong['matter']}" if "matter" in wrong else path
            page = await browser.send(await browser.get(asked), path, **{"text": "What I wrote.", **wrong})
            assert page.status == 422, (path, wrong)
            assert f"#f-{field}" in page.html.links and f"f-{field}" in page.html.ids, (wrong, page.html.links)
            kept = page.html.values(path)
            for name, value in {"text": "What I wrote.", **wrong}.items():
                if "\x00" not in value and name in ("text", "p.closers", "words", "p.expression"):
                    assert kept[name].strip() == value.strip(), name
        assert await place.commons.proposals(of(commons)) == ()


async def test_what_the_rules_refuse_is_said_in_the_form(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser, at = place.browser, f"/commons/{commons}/proposals/new"
        me = did_key((await place.commons.identity()).person)
        for fields, said in (
            ({"matter": "admit", "key": me}, "is a member already"),
            ({"matter": "steward", "steward": me, "succession": "yes"}, "A steward has written something since"),
            ({"matter": "text", "closer": did_key(STRANGER)}, "exactly as many as the rules ask"),
        ):
            page = await browser.get(f"{at}?matter={fields['matter']}")
            refused = await browser.send(page, at, text="Kept.", **fields)
            assert refused.status == 422 and said in refused.text, fields
            assert refused.html.values(at)["text"] == "Kept."
        for wrong in ("?matter=fly", "?matter=assess", "?matter=rule"):
            assert (await browser.get(at + wrong)).status == 404
        assert (await browser.get(f"/commons/{commons}/charter/gravity")).status == 404
        assert (await browser.get(f"/commons/{commons}/charter/gravity/question")).status == 404
        for proposal in ("0" * 64, "x"):
            assert (await browser.get(f"/commons/{commons}/proposals/{proposal}")).status == 404
        waiting = (await place.commons.follow(CommonsId(b"\x05" * 32))).id.hex()
        for page in ("charter", "charter/join", "charter/join/question", "proposals", "proposals/new", "lineage"):
            assert (await browser.get(f"/commons/{waiting}/{page}")).status in (403, 409), page
        assert await place.commons.proposals(of(commons)) == ()


async def test_a_vote_without_a_choice_is_no_vote_and_an_objection_says_why(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        rule = Question("By consent", "rule", rule="decide.text", params={"mode": "consent"})
        await passed(place, commons, rule)
        path = where(await propose(place, commons, "A road"))
        page = await place.browser.get(path)
        assert "nobody upholds an objection" in page.text
        none = await place.browser.send(page, f"{path}/vote", reason="Kept.")
        assert none.status == 422 and "Choose one." in none.text and "You have not voted yet." in none.text
        assert none.html.values(f"{path}/vote")["reason"] == "Kept."
        bare = await place.browser.send(page, f"{path}/vote", choice="object")
        assert bare.status == 422 and "Say why you object" in bare.text
        assert bare.html.values(f"{path}/vote")["choice"] == "object"
        assert (await place.browser.send(page, f"{path}/vote", choice="for")).status == 422
        long = await place.browser.send(page, f"{path}/vote", choice="object", reason="x" * 12_001)
        assert long.status == 422 and "#f-reason" in long.html.links
        done = await place.browser.send(page, f"{path}/vote", choice="object", reason="The frogs.")
        assert "You have voted: I object" in done.text and "The frogs." in done.text
        again = await place.browser.send(done, f"{path}/vote")
        assert "Your vote is recorded." in again.text
        assert len((await place.commons.proposal(of(commons), record(path))).ballots) == 1, "said already"


async def test_options_are_graded_and_the_page_says_why_one_is_before_another(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        await passed(place, commons, Question("By grades", "rule", rule="decide.text", params={"mode": "judgment"}))
        at = f"/commons/{commons}/proposals/new"
        form = await place.browser.get(at)
        for wrong in (
            {"options": "a\na", "grades": "5"},
            {"options": "a\nb", "grades": "11"},
            {"options": "", "grades": "5"},
        ):
            refused = await place.browser.send(form, at, text="Where?", **wrong)
            assert refused.status == 422 and refused.html.values(at)["options"] == wrong["options"], wrong
        path = where(await propose(place, commons, "Where?", options=f"{HOSTILE}\nWell", grades="5"))
        page = await place.browser.get(path)
        none = await place.browser.send(page, f"{path}/vote")
        assert none.status == 422 and "Give at least one option a grade" in none.text
        voted = await place.browser.send(page, f"{path}/vote", **{"grade.0": "1", "grade.1": "4", "grade.7": "9"})
        assert "Well : 4" in voted.text and f"{HOSTILE}" in voted.html.texts
        assert voted.html.values(f"{path}/vote")["grade.1"] == "4"
        away = await place.browser.send(voted, f"{path}/vote", press=("choice", "abstain"))
        assert "You have voted: Abstain" in away.text
        await place.browser.send(away, f"{path}/vote", **{"grade.0": "1", "grade.1": "4"})
        closed = await place.browser.send(await place.browser.get(f"{path}/close"), f"{path}/close")
        assert "its middle grade is 4, not 1" in closed.text and "Options, the best first" in closed.text


async def test_a_text_changed_meanwhile_is_not_voted_on_unread(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        path = where(await propose(place, commons))
        read = await place.browser.get(path)
        form = await place.browser.get(f"{path}/amend")
        assert "This text is voted on from then on." in form.text
        assert form.html.values(f"{path}/amend")["text"] == "A bench\nBy the well."
        wrong = await place.browser.send(form, f"{path}/amend", text="")
        assert wrong.status == 422 and "#f-text" in wrong.html.links
        done = await place.browser.send(form, f"{path}/amend", text="Two benches")
        assert "This is the text that is voted on now." in done.text and "Two benches" in done.text
        late = await place.browser.send(read, f"{path}/vote", choice="for", reason="Because.")
        assert late.status == 409 and "your vote was not recorded" in late.text and "Two benches" in late.text
        assert "You have not voted yet." in late.text
        kept = late.html.values(f"{path}/vote")
        assert kept["reason"] == "Because." and "choice" not in kept
        voted = await place.browser.send(late, f"{path}/vote", choice="for")
        assert "You have voted: For" in voted.text
        await place.browser.send(await place.browser.get(f"{path}/amend"), f"{path}/amend", text="Three benches")
        lapsed = await place.browser.get(path)
        assert "The text was changed after you voted (For)" in lapsed.text and "You have voted" not in lapsed.text


async def test_amendments_are_offered_put_to_a_vote_taken_and_refused(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons), neighbour(tmp_path, place, commons) as bob:
        rule = f"/commons/{commons}/charter/review/question"
        form = await place.browser.get(rule)
        path = where(await place.browser.send(form, rule, text="Every half year", **{"p.months": "6"}))
        await met(tmp_path, place.commons, bob.commons, commons)
        page = await bob.browser.get(path)
        assert "You have not voted yet." in page.text and "Close this vote" in page.text
        form = await bob.browser.get(f"{path}/amend")
        assert form.html.values(f"{path}/amend")["p.months"] == "6" and "Offer another text" in form.text
        for months in ("3", "9"):
            made = await bob.browser.send(form, f"{path}/amend", text=f"Rather {months}", **{"p.months": months})
            assert "Your text is offered." in made.text and f"{months} months after it was set" in made.text
        assert any("matter=amend" in link for link in made.html.links)
        to_vote = next(link for link in made.html.links if "matter=amend" in link)
        asked = await bob.browser.get(to_vote)
        voting = await bob.browser.send(asked, asked.html.forms[0].action, text="Let us vote on it")
        assert "this amendment is taken, whatever its proposer thinks of it" in voting.text
        await met(tmp_path, bob.commons, place.commons, commons)
        page = await place.browser.get(path)
        first, second = [form for form in page.html.forms if form.action == f"{path}/answer"][:2]
        refused = await place.browser.post(f"{path}/answer", [*first.fields, ("answer", "refuse")])
        assert "Refused: the text stays." in refused.text and "Refused by who proposed" in refused.text
        assert (await place.browser.post(f"{path}/answer", second.fields)).status == 422
        taken = await place.browser.post(f"{path}/answer", [*second.fields, ("answer", "take")])
        assert "Taken: this is the text that is voted on now." in taken.text and "Rather" in taken.text


async def test_an_amendment_that_a_vote_took_is_set_by_any_member(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons), neighbour(tmp_path, place, commons) as bob:
        one, id = place.commons, of(commons)
        made = await one.propose(id, Question("A bench"))
        await met(tmp_path, one, bob.commons, commons)
        offered = (await bob.commons.amend_proposal(id, made.id, text="Two benches")).amendments[0].id
        voting = (await bob.commons.propose(id, Question("Two are better", "amend", amendment=offered))).id
        await met(tmp_path, bob.commons, one, commons)
        for each in (one, bob.commons):
            await each.vote(id, voting, "for")
        await met(tmp_path, bob.commons, one, commons)
        await one.close_vote(id, voting)
        await met(tmp_path, one, bob.commons, commons)
        page = await bob.browser.get(f"/commons/{commons}/proposals/{voting.hex()}")
        assert not [form for form in page.html.forms if form.action.endswith("/answer")], "it is not closed"
        await bob.commons.close_vote(id, voting)
        page = await bob.browser.get(f"/commons/{commons}/proposals/{voting.hex()}")
        action = f"/commons/{commons}/proposals/{voting.hex()}/answer"
        taken = await bob.browser.send(page, action, press=("answer", "take"))
        assert where(taken) == f"/commons/{commons}/proposals/{made.id.hex()}"
        assert "Taken: this is the text that is voted on now." in taken.text and "Two benches" in taken.text


async def test_members_propose_who_is_a_steward_and_offer_others(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons), neighbour(tmp_path, place, commons) as bob:
        key = did_key((await bob.commons.identity()).person)
        me = did_key((await place.commons.identity()).person)
        path = where(await propose(place, commons, "Bob looks after it", matter="steward", steward=key))
        info = await place.commons.proposal(of(commons), record(path))
        assert info.effect.stewards == (parse_did_key(key),)
        form = await place.browser.get(f"{path}/amend")
        assert ("steward", key) in form.html.form(f"{path}/amend").fields
        assert ("steward", me) not in form.html.form(f"{path}/amend").fields
        none = await place.browser.send(form, f"{path}/amend", steward=[])
        assert none.status == 422 and "#f-steward" in none.html.links
        await place.browser.send(form, f"{path}/amend", steward=[me, key], text="Both of us")
        info = await place.commons.proposal(of(commons), record(path))
        assert set(info.effect.stewards or ()) == {parse_did_key(key), parse_did_key(me)} and info.text == "Both of us"


async def test_a_proposal_is_talked_over_and_answers_stand_behind_what_they_answer(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        path = where(await propose(place, commons))
        page = await place.browser.get(path)
        assert f"{path}/discussion" in page.html.links and "0 comments" in page.text
        empty = await place.browser.get(f"{path}/discussion")
        assert "Nobody said anything yet." in empty.text
        for wrong in (" ", "x" * 12_001, "x\x00"):
            refused = await place.browser.send(empty, f"{path}/discussion", text=wrong)
            assert refused.status == 422 and "#f-text" in refused.html.links
            if wrong.strip() and "\x00" not in wrong:
                assert refused.html.values(f"{path}/discussion")["text"] == wrong
        said = await place.browser.send(empty, f"{path}/discussion", text=HOSTILE)
        assert HOSTILE in said.html.texts and "Said." in said.text
        answer = await place.browser.get(next(link for link in said.html.links if "on=" in link).partition("#")[0])
        assert "Your answer" in answer.text
        done = await place.browser.send(answer, f"{path}/discussion", text="Why so?")
        assert "answers you" in done.text and "Why so?" in done.text
        first, second = await place.commons.comments(of(commons), record(path))
        assert (first.on, second.on, second.text) == (None, first.id, "Why so?")
        gone = await place.browser.send(answer, f"{path}/discussion", text="Kept?", on="0" * 64)
        assert gone.status == 404 and "it was erased" in gone.text


async def test_closing_before_its_time_is_asked_for_and_late_votes_are_listed(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons), neighbour(tmp_path, place, commons) as bob:
        path = where(await propose(place, commons))
        await met(tmp_path, place.commons, bob.commons, commons)
        await place.browser.send(await place.browser.get(path), f"{path}/vote", choice="for")
        asked = await place.browser.get(f"{path}/close")
        assert "not everybody has voted" in asked.text
        unsure = await place.browser.send(asked, f"{path}/close")
        assert unsure.status == 422 and "#f-early" in unsure.html.links
        counted = await place.browser.send(asked, f"{path}/close", early="yes")
        assert "Your count is published." in counted.text and "1 of those who close it" in counted.text
        assert f"{path}/close" not in counted.html.links
        twice = await place.browser.send(asked, f"{path}/close", early="yes")
        assert twice.status == 409 and "would make both worthless" in twice.text
        await bob.browser.send(await bob.browser.get(path), f"{path}/vote", choice="against")
        await met(tmp_path, place.commons, bob.commons, commons)
        both = await bob.browser.get(f"{path}/close")
        assert "so the result comes to stand" in both.text
        closed = await bob.browser.send(both, f"{path}/close")
        assert "The vote is closed." in closed.text and "Your vote (Against) was not counted" in closed.text
        assert "it came after the count" in closed.text and "1 vote left out" in closed.text
        assert "Fewer answered than have to." in closed.text


async def test_a_member_is_proposed_to_be_removed_and_let_in_again(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons), neighbour(tmp_path, place, commons) as bob:
        at, key = f"/commons/{commons}/members", did_key((await bob.commons.identity()).person)
        page = await place.browser.get(at)
        link = next(link for link in page.html.links if "matter=remove" in link)
        form = await place.browser.get(link)
        assert form.html.values(f"/commons/{commons}/proposals/new")["key"] == key
        made = await place.browser.send(form, f"/commons/{commons}/proposals/new", text="He sold the bench")
        assert "any member may take" in made.text and made.status == 200
        await place.commons.remove_member(of(commons), parse_did_key(key))
        page = await place.browser.get(at)
        link = next(link for link in page.html.links if "matter=admit" in link)
        form = await place.browser.get(link)
        assert form.html.values(f"/commons/{commons}/proposals/new")["key"] == key
        made = await place.browser.send(form, f"/commons/{commons}/proposals/new", text="He is sorry")
        assert "is let in" in made.text


async def test_an_entry_is_proposed_to_be_hidden_and_shown_again_from_its_page(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        added = await place.commons.add_entry(of(commons), {"type": "place", "title": "A well"})
        entry, at = str(added.entry["id"]), f"/commons/{commons}/proposals/new"
        page = await place.browser.get(f"/entries/{entry}")
        link = next(link for link in page.html.links if "matter=hide" in link)
        form = await place.browser.get(link)
        assert form.html.values(at)["entry"] == entry and form.html.values(at)["matter"] == "hide"
        wrong = await place.browser.send(form, at, text="")
        assert wrong.status == 422 and wrong.html.values(at)["entry"] == entry
        made = await place.browser.send(form, at, text="It is private")
        assert made.status == 200 and "It is private" in made.text
        (proposal,) = await place.commons.proposals(of(commons))
        assert (proposal.matter, proposal.title) == ("hide", "It is private")
        await place.commons.vote(of(commons), proposal.id, "for")
        await place.commons.close_vote(of(commons), proposal.id)
        page = await place.browser.get(f"/entries/{entry}?commons={commons}")
        link = next(link for link in page.html.links if "matter=restore" in link)
        form = await place.browser.get(link)
        assert form.html.values(at)["matter"] == "restore"
        await place.browser.send(form, at, text="It is for all")
        assert {one.matter for one in await place.commons.proposals(of(commons))} == {"hide", "restore"}
        page = await place.browser.get(f"/entries/{entry}?commons={commons}")
        assert not [link for link in page.html.links if "matter=restore" in link], "it is proposed already"
        for bad in ("x", "00" * 31):
            assert (await place.browser.send(form, at, text="x", entry=bad)).status == 404


async def test_members_are_shown_by_what_they_call_themselves_and_organisations_with_their_people(
    tmp_path: Path,
) -> None:
    async with founded(tmp_path) as (place, commons), neighbour(tmp_path, place, commons) as bob:
        await place.commons.name_oneself(of(commons), "<b>Ana</b>")
        await bob.commons.declare_organisation(of(commons), [(await place.commons.identity()).person], needed=1)
        await bob.commons.name_oneself(of(commons), "The hall")
        await met(tmp_path, place.commons, bob.commons, commons)
        page = await bob.browser.get(f"/commons/{commons}/members")
        assert "let in by <b>Ana</b>" in page.text, "as it was written, and no markup"
        assert "counts when 2 of its people have approved" in page.text
        await met(tmp_path, bob.commons, place.commons, commons)
        page = await place.browser.get(f"/commons/{commons}/members")
        assert "The hall" in page.text
        made = await place.commons.propose(of(commons), Question("A bench"))
        await place.commons.comment(of(commons), made.id, "Where?")
        await met(tmp_path, place.commons, bob.commons, commons)
        at = f"/commons/{commons}/proposals/{made.id.hex()}"
        for path in (at, f"{at}/discussion"):
            assert "<b>Ana</b>" in (await bob.browser.get(path)).text


async def test_who_only_reads_sees_everything_and_has_no_form(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        path = where(await propose(place, commons, HOSTILE + "\n" + HOSTILE))
        proxied = {"Via": "1"}
        async with place.another() as stranger:
            for page in (
                path,
                f"/commons/{commons}/proposals",
                f"/commons/{commons}/charter",
                f"/commons/{commons}/lineage",
            ):
                shown = await stranger.get(page, **proxied)
                assert shown.status == 200 and not [form for form in shown.html.forms if form.method == "post"], page
                assert not [
                    link for link in shown.html.links if link.endswith(("/close", "/amend", "/question", "/new"))
                ]
            assert HOSTILE in (await stranger.get(path, **proxied)).html.texts


async def test_rules_go_out_as_a_file_and_the_page_says_where_a_commons_comes_from(tmp_path: Path) -> None:
    async with founded(tmp_path) as (place, commons):
        browser, at = place.browser, f"/commons/{commons}"
        page = await browser.get(f"{at}/lineage")
        assert "which is not announced" in page.text and "Nothing that is followed here." in page.text
        form = page.html.form(f"{at}/recipe")
        own = {"Origin": place.url, "Sec-Fetch-Site": "same-origin"}
        async with browser.http.post(place.url + form.action, data=dict(form.fields), headers=own) as response:
            assert response.status == 200 and response.content_type == "application/zip"
            assert response.headers["Content-Disposition"] == f'attachment; filename="rules-{commons[:8]}.zip"'
            made = await place.commons.create_commons("Puits", recipe=await response.read())
        fork = (await place.commons.fork(of(commons), HOSTILE)).commons.id.hex()
        page = await browser.get(f"{at}/lineage")
        assert f"/commons/{fork}" in page.html.links and "began with its rules" in page.text
        assert HOSTILE in page.html.texts
        other = await browser.get(f"/commons/{fork}/lineage")
        assert at in other.html.links and "signed record" in other.text and "Your copy of it" in other.text
        await place.commons.unfollow(of(commons))
        gone = await browser.get(f"/commons/{fork}/lineage")
        assert "It is not on this machine." in gone.text and gone.html.form("/commons/follow")
        rules = await browser.get(f"/commons/{made.id.hex()}/lineage")
        assert "Its rules come from" in rules.text and "(not followed here)" in rules.text


# -- what takes too long to bring about, told by verbs of the test's own


class Told(FakeNode):
    """Verbs that show one proposal."""

    def __init__(self, shown: ProposalInfo | None = None, items: tuple[ProposalItem, ...] = ()) -> None:
        super().__init__()
        self.commons = COMMONS
        self.known[COMMONS] = CommonsInfo(COMMONS, "here", "Told", "invite", ("en",), member=True, may_write=True)
        self.shown, self.items = shown, items
        self.review_at: int | None = None

    async def proposal(self, commons: CommonsId, proposal: RecordId) -> ProposalInfo:
        assert self.shown is not None
        return self.shown

    async def proposals(self, commons: CommonsId) -> tuple[ProposalItem, ...]:
        return self.items

    async def peers(self) -> tuple[PeerInfo, ...]:
        same, other = PeerCommons(COMMONS, "same"), PeerCommons(COMMONS, "sending")
        return (
            PeerInfo("h:1", WHO, "connected", commons=(same,)),
            PeerInfo("h:2", WHO, "connected", commons=(same,)),  # the same neighbour by another way
            PeerInfo("h:3", STRANGER, "connected", commons=(other,)),
        )

    async def charter(self, commons: CommonsId, language: str = "en") -> CharterInfo:
        made = await super().charter(commons, language)
        (part,) = made.parts
        review = None if self.review_at is None else Instant(self.review_at)
        return replace(made, parts=(replace(part, articles=(replace(part.articles[0], review_at=review),)),))


SHOWN = FakeAssembly()._shown(COMMONS)
BALLOT = SHOWN.ballots[0]
CLOSING = SHOWN.closings[0]
LATER = Instant(4_000_000_000_000)
OPEN = replace(
    SHOWN, state="open", closed_at=None, closings=(), mode="majority", threshold=(), options=(), grades=None, tally=None,
    ballots=(), yours=None, applied="no", closes_at=LATER, amendments=(),
)  # fmt: skip


def spoken(language: str) -> Callable[..., str]:
    """Says a message in a language, as the text of a page has it."""

    def say(message: str, **places: Any) -> str:
        return " ".join(texts(language).text(message, **places).split())

    return say


async def told(shown: ProposalInfo, language: str) -> Shown:
    async with served(Told(shown), language) as place:
        page = await place.browser.get(f"/commons/{COMMONS.hex()}/proposals/{shown.id.hex()}")
        assert page.status == 200
        return page


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_state_has_its_words(language: str) -> None:
    say = spoken(language)
    for state in ("open", "split", "passed", "failed", "disorder", "outgrown", "reopened"):
        for applied in APPLIED:
            for fault in (*FAULTS, None) if state == "disorder" else (None,):
                revised = "removal" if applied == "revised" else None
                page = await told(replace(OPEN, state=state, applied=applied, fault=fault, revised=revised), language)
                name = "revised" if applied == "revised" else state
                assert say(assembly_labels.STATES[name][0]) in page.text, (state, applied)
                if fault:
                    assert say(assembly_labels.FAULTS[fault]) in page.text
    for why in ("equivocation", "reopened", "outgrown", "removal"):
        page = await told(replace(OPEN, applied="revised", revised=why), language)
        assert say(assembly_labels.REVISED[why]) in page.text
    page = await told(replace(OPEN, closes_at=Instant(1)), language)
    assert say("You have not voted, and the time to vote is over.") in page.text
    assert not [form for form in page.html.forms if form.action.endswith("/vote")]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_mode_matter_ballot_and_recount_has_its_words(language: str) -> None:
    say = spoken(language)
    for mode in MODES:
        page = await told(replace(SHOWN, mode=mode, threshold=(2, 3), state="open", closes_at=LATER), language)
        assert say(assembly_labels.MODES[mode], p=2, q=3) in page.text
    for matter in MATTERS:
        effect = EffectInfo(person=WHO) if matter in ("admit", "remove") else EffectInfo(entry=BALLOT.id, criterion="x")  # type: ignore[arg-type]
        page = await told(replace(OPEN, matter=matter, effect=effect), language)
        assert say(assembly_labels.MATTERS[matter]) in page.text
    for said in SAID:
        page = await told(replace(OPEN, ballots=(replace(BALLOT, said=said, late=False),)), language)
        assert say(assembly_labels.SAID[said]) in page.text
        page = await told(replace(OPEN, ballots=(replace(BALLOT, said=said, late=True),)), language)
        assert say(assembly_labels.SAID["late"]) in page.text
    for reason in REASONS:
        assert SHOWN.tally is not None
        page = await told(replace(SHOWN, tally=replace(SHOWN.tally, reason=reason, options=())), language)
        assert say(assembly_labels.REASONS[reason]) in page.text
    for closing, words in (
        (replace(CLOSING, equivocates=True), "Signed two different counts: neither counts for anything."),
        (CLOSING, "The same, counted again here."),
        (replace(CLOSING, recount="wording"), "Different: another text was up to vote when this was counted."),
        (replace(CLOSING, recount="different"), "Different: as many votes count here, but others than it says."),
    ):
        assert say(words) in (await told(replace(SHOWN, closings=(closing,)), language)).text
    page = await told(replace(SHOWN, closings=(replace(CLOSING, recount="different", count=7, counted=5),)), language)
    assert "5" in page.text and "7" in page.text
    for state in ("open", "taken", "refused", "own"):
        amendment = replace(SHOWN.amendments[0], state=state)
        page = await told(replace(SHOWN, amendments=(amendment,)), language)
        assert say(assembly_labels.AMENDMENTS[state]) in page.text


async def test_the_receipt_says_what_is_known_and_no_more() -> None:
    yours = replace(BALLOT, choice="for", grades=None, late=False)
    voted = replace(OPEN, yours=yours, ballots=(yours,))
    page = await told(voted, "en")
    assert "You have voted: For" in page.text and "1 neighbour has confirmed that it is there as well." in page.text
    assert "You may change it below." in page.text and "not voted" not in page.text
    for said, words in (
        ("double", "on two machines: neither counts"),
        ("lapsed", "The text was changed after you voted (For)"),
    ):
        page = await told(replace(OPEN, ballots=(replace(yours, said=said),)), "en")
        assert words in page.text and "You have voted" not in page.text, said
    late = replace(SHOWN, yours=replace(yours, late=True))
    assert "Your vote (For) was not counted" in (await told(late, "en")).text
    theirs = replace(OPEN, ballots=(replace(yours, you=False),))
    assert "You have not voted yet." in (await told(theirs, "en")).text
    other = await told(replace(OPEN, may_vote=False), "en")
    assert "those do who were members when it was proposed" in other.text
    assert not [form for form in other.html.forms if form.action.endswith("/vote")]


async def test_strangers_can_make_no_page_long() -> None:
    many = tuple(replace(BALLOT, id=RecordId(n.to_bytes(32)), reason="x" * 12_000) for n in range(1, 400))
    offered = tuple(replace(SHOWN.amendments[0], id=one.id, text="y" * 12_000) for one in many)
    left = replace(CLOSING, left_out=tuple(LeftOut(one.id, "late") for one in many))
    shown = replace(SHOWN, ballots=many, amendments=offered, closings=(left,) * 300)
    items = tuple(
        ProposalItem(one.id, WHO, one.at, "text", "z" * 120, "open", 1, 0, LATER, "no", may_vote=True) for one in many
    )
    async with served(Told(shown, items)) as place:
        path = f"/commons/{COMMONS.hex()}/proposals"
        page = await place.browser.get(f"{path}/{shown.id.hex()}")
        assert len(page.html.source) < 3_000_000 and page.text.count("x" * 12_000) == 50
        seen, at = set(), path
        while at:
            page = await place.browser.get(at)
            seen.update(link for link in page.html.links if link.startswith(path + "/") and len(link) > len(path) + 60)
            at = next((link for link in page.html.links if "from=" in link and "language" not in link), "")
            at = "" if at and int(at.rpartition("=")[2]) > 600 else at
        assert len(seen) == len(many)
        for wrong in ("-1", "x", "9" * 20, "99999"):
            assert (await place.browser.get(f"{path}?from={wrong}")).status == 200


async def test_a_rule_that_is_due_says_so() -> None:
    for review_at, due in ((1, True), (4_000_000_000_000, False)):
        verbs = Told()
        verbs.review_at = review_at
        async with served(verbs) as place:
            page = await place.browser.get(f"/commons/{COMMONS.hex()}/charter")
            assert ("1 rule is due to be looked at again" in page.text) is due
            page = await place.browser.get(f"/commons/{COMMONS.hex()}/charter/join")
            assert ("due to be looked at again since" in page.text) is due


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_strangers_propose_is_shown_as_text_whatever_it_says(language: str) -> None:
    odd = (
        EffectInfo(rule=HOSTILE, params={HOSTILE: HOSTILE, "b": b"x"}, version=Hash(bytes(32))),
        EffectInfo(rule="review", params={"months": HOSTILE}, version=Hash(bytes(32)), words=HOSTILE),
        EffectInfo(rule="review", params={"months": 6}, version=Hash(b"v" * 32), words="{months} " + HOSTILE),
        EffectInfo(stewards=(), succession=True),
        EffectInfo(criterion=HOSTILE),
    )
    for effect in odd:
        for text in (HOSTILE, None, "x" * 12_000, "a\n" + HOSTILE):
            amendment = replace(SHOWN.amendments[0], effect=effect, text=text)
            shown = replace(
                SHOWN, state="open", closes_at=LATER, text=text, matter=HOSTILE, fault=HOSTILE, effect=effect
            )
            async with served(Told(replace(shown, amendments=(amendment,))), language) as place:
                path = f"/commons/{COMMONS.hex()}/proposals/{shown.id.hex()}"
                for page in (path, f"{path}/amend", f"{path}/close"):
                    assert (await place.browser.get(page)).status == 200, (effect, page)
                texts_shown = (await place.browser.get(path)).html.texts
                lengths = [len(each) for each in texts_shown if each.startswith("xxx")]
                assert (min(lengths) == 121) if text == "x" * 12_000 else not lengths, "a title is a line"
