"""The assembly of a commons: proposals, amendments, ballots, closings, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import ENTRY, ID, KEY, NO_ZERO, NOT_BLANK, Choice, Flag, Integer, Items, Named, Text
from p2pcommons.api.operation import Call, Listing, Operation, answer_items, answer_json, slice_of
from p2pcommons.api.routes.commons import COMMONS_ID
from p2pcommons.api.schema import CURSOR, LIMIT, Fields, Member, in_path
from p2pcommons.api.wire import Schema, to_json
from p2pcommons.commons.rules import RULES
from p2pcommons.core.limits import (
    CLOSERS_MAX,
    GRADES_MAX,
    LICENCE_CHARACTERS_MAX,
    OPTION_CHARACTERS_MAX,
    OPTIONS_MAX,
    STEWARDS_NAMED_MAX,
    WRITTEN_CHARACTERS_MAX,
)
from p2pcommons.errors import Refused
from p2pcommons.node.assembly_values import MATTERS, CommentInfo, ProposalInfo, ProposalItem, Question

_WORDS: Final = ("for", "against", "abstain", "consent", "object")
_PARAMS_MAX: Final = 16  # parameters of one rule: none has more than six


_VALUE: Final = Text(LICENCE_CHARACTERS_MAX, 0, NO_ZERO, "a text here holds no character of code 0")


@dataclass(frozen=True, slots=True)
class Values:
    """An object of up to `most` values by name: whole numbers within bounds, and if `any_kind` words and truth values."""

    most: int
    least_number: int
    most_number: int
    any_kind: bool = False

    def text(self, value: str) -> Any:
        """None has the form of a text."""
        raise ValueError("give an object")

    def json(self, value: Any) -> Mapping[str, Any]:
        """The values; 3.0 is 3."""
        if not isinstance(value, dict) or len(value) > self.most:
            raise ValueError(f"give an object of at most {self.most} values")
        return {name: self._one(given) for name, given in value.items()}

    def _one(self, value: Any) -> Any:
        if self.any_kind and isinstance(value, bool | str):
            return value if isinstance(value, bool) else _VALUE.text(value)
        return Integer(self.least_number, self.most_number).json(value)

    def schema(self) -> Schema:
        """An object of these."""
        one = Integer(self.least_number, self.most_number).schema()
        kinds = {"anyOf": [one, _VALUE.schema(), {"type": "boolean"}]} if self.any_kind else one
        return {"type": "object", "additionalProperties": kinds, "maxProperties": self.most}


_WRITTEN: Final = Text(WRITTEN_CHARACTERS_MAX, 1, NOT_BLANK, "write some words")
_OPTION: Final = Text(OPTION_CHARACTERS_MAX, 1, NOT_BLANK, "name the option")
_PARAMS: Final = Values(_PARAMS_MAX, 0, 2**31 - 1, any_kind=True)
_GRADES: Final = Values(OPTIONS_MAX, 0, GRADES_MAX - 1)
_STEWARDS: Final = Items(KEY, STEWARDS_NAMED_MAX)
_PROPOSAL_ID: Final = in_path("proposal", ID, "the proposal: the id of its record")
_HERE: Final = "`unknown-commons`: not followed here"
_THERE: Final = "`unknown-commons`: not followed here; `unknown-proposal`"
_NO_MEMBER: Final = "`not-a-member`"
_STANDS: Final = "`closed`, `out-of-order`, `split`; `commons-waiting`"


async def _told(made: ProposalInfo, *, status: int = 201, headers: Mapping[str, str] = {}) -> web.StreamResponse:
    """An answer, written in a thread of its own: of 1,000 ballots it takes 30 ms."""
    return answer_json(await asyncio.to_thread(to_json, made), status=status, headers=headers)


def _place(call: Call) -> tuple[Any, Any]:
    return call.arguments["id"], call.arguments["proposal"]


async def _list(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.proposals(call.arguments["id"]), call)
    return answer_items(map(to_json, items), following)


async def _show(call: Call) -> web.StreamResponse:
    return await _told(await call.commons.proposal(*_place(call)), status=200)


async def _propose(call: Call) -> web.StreamResponse:
    commons = call.arguments["id"]
    made = await call.commons.propose(commons, Question(**call.body))
    where = f"/api/v1/commons/{commons.hex()}/proposals/{made.id.hex()}"
    return await _told(made, headers={"Location": where})


async def _amend(call: Call) -> web.StreamResponse:
    body = call.body
    made = await call.commons.amend_proposal(
        *_place(call), text=body["text"], params=body["params"], words=body["words"], stewards=body["stewards"]
    )
    return await _told(made)


async def _answer(call: Call) -> web.StreamResponse:
    commons, amendment = call.arguments["id"], call.arguments["amendment"]
    return await _told(await call.commons.answer_amendment(commons, amendment, take=call.body["take"]))


async def _comments(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.comments(*_place(call)), call)
    return answer_items(map(to_json, items), following)


async def _comment(call: Call) -> web.StreamResponse:
    return answer_json(
        to_json(await call.commons.comment(*_place(call), call.body["text"], on=call.body["on"])), status=201
    )


async def _vote(call: Call) -> web.StreamResponse:
    body = call.body
    if (body["choice"] is None) == (body["grades"] is None):
        raise Refused("bad-choice", "Give a choice, or grades, and not both.")
    said = body["choice"] if body["grades"] is None else body["grades"]
    made = await call.commons.vote(*_place(call), said, reason=body["reason"], wording=body["wording"])
    return await _told(made)


async def _close(call: Call) -> web.StreamResponse:
    body = call.body
    return await _told(await call.commons.close_vote(*_place(call), early=body["early"], afresh=body["afresh"]))


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons/{id}/proposals", "listProposals", "What was ever proposed, the latest first, and its state",
        _list, answer=Listing(ProposalItem), parameters=(COMMONS_ID, LIMIT, CURSOR),
        refusals={404: _HERE, 409: "`commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/proposals", "propose",
        "Open a proposal, by the rules in force: they say how it is decided, by how many, and who closes", _propose,
        answer=ProposalInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={
            404: _HERE, 403: _NO_MEMBER,
            409: "`bad-proposal`, `bad-params`, `bad-options`, `bad-closers`: not by the rules in force; `not-by-vote`, "
            "`not-silent`, `already-a-member`, `unknown-member`, `unknown-entry`, `unknown-amendment`: not as things stand; `commons-waiting`",
        },
        body=Fields((
            Member("text", _WRITTEN, "for people: what, and why", required=True),
            Member("matter", Choice(MATTERS), "what it is about", default="text"),
            Member("rule", Named(tuple(RULES)), "matter `rule`: its id"),
            Member("params", _PARAMS, "matter `rule`: those of its parameters that change"),
            Member("words", _WRITTEN, "matter `rule`: how it is to read from then on, in words of your own"),
            Member("person", KEY, "matters `admit` (again, who was removed) and `remove`: a key of theirs"),
            Member("entry", ENTRY, "matters `hide` and `restore` (to show again): the entry"),
            Member("stewards", _STEWARDS, "matter `steward`: who are to be stewards", default=()),
            Member("succession", Flag(), "matter `steward`: since those there were are gone", default=False),
            Member("amendment", ID, "matter `amend`: one that its proposer did not take"),
            Member("options", Items(_OPTION, OPTIONS_MAX), "majority judgment: what is judged", default=()),
            Member("grades", Integer(2, GRADES_MAX), "majority judgment: how many grades there are"),
            Member("closers", Items(KEY, CLOSERS_MAX), "who close the vote; else its author, stewards, the eldest members", default=()),
        )),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/proposals/{proposal}", "getProposal",
        "One proposal: text, electorate, ballots, closings as recounted here, tally with its working, outcome", _show,
        answer=ProposalInfo, parameters=(COMMONS_ID, _PROPOSAL_ID), refusals={404: _THERE, 409: "`commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/proposals/{proposal}/amendments", "amendProposal",
        "Another wording: who proposed sets it, and ballots lapse; any other member offers it", _amend,
        answer=ProposalInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID, _PROPOSAL_ID),
        refusals={404: _THERE, 403: _NO_MEMBER, 409: f"`bad-params`, `bad-proposal`, {_STANDS}"},
        body=Fields((
            Member("text", _WRITTEN, "the whole new text", required=True),
            Member("params", _PARAMS, "of a rule: those that change further"),
            Member("words", _WRITTEN, "how the rule is to read"),
            Member("stewards", _STEWARDS, "who are to be stewards, if others", default=()),
        )),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/amendments/{amendment}", "answerAmendment", "The proposer: take an amendment, or refuse it",
        _answer, answer=ProposalInfo, status=201, needs=Grant.OWN,
        parameters=(COMMONS_ID, in_path("amendment", ID, "the amendment: the id of its record")),
        refusals={404: f"{_HERE}; `unknown-amendment`", 403: f"{_NO_MEMBER}, `not-the-proposer`", 409: _STANDS},
        body=Fields((Member("take", Flag(), "whether its text is up to vote from now on", required=True),)),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/proposals/{proposal}/comments", "listComments",
        "What was said of it, an answer behind what it answers", _comments, answer=Listing(CommentInfo),
        parameters=(COMMONS_ID, _PROPOSAL_ID, LIMIT, CURSOR), refusals={404: _THERE, 409: "`commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/proposals/{proposal}/comments", "comment", "Say something of it, or answer a comment",
        _comment, answer=CommentInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID, _PROPOSAL_ID),
        refusals={404: f"{_THERE}; `unknown-comment`", 403: _NO_MEMBER, 409: "`commons-waiting`"},
        body=Fields((
            Member("text", _WRITTEN, "what you say, in words that can be erased", required=True),
            Member("on", ID, "the comment that this answers"),
        )),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/proposals/{proposal}/ballots", "castBallot",
        "Vote, in the place of earlier ballots: a choice, or a grade for each option", _vote,
        answer=ProposalInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID, _PROPOSAL_ID),
        refusals={404: _THERE, 403: f"{_NO_MEMBER}, `no-elector`", 409: f"`bad-choice`, `text-changed`, `voting-over`, {_STANDS}"},
        body=Fields((
            Member("choice", Choice(_WORDS), "majority: `for`, `against`; consent: `consent`, `object`; always: `abstain`"),
            Member("grades", _GRADES, "majority judgment: by option, 0 being the lowest grade"),
            Member("reason", _WRITTEN, "why, in words that can be erased"),
            Member("wording", ID, "the text that was read, one of `wordings`: refused where it is another one by now"),
        ), some=True),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/proposals/{proposal}/closings", "closeVote",
        "Closers: publish what one counts, the same as another closer where that recounts", _close,
        answer=ProposalInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID, _PROPOSAL_ID),
        refusals={404: _THERE, 403: f"{_NO_MEMBER}, `not-a-closer`", 409: f"`voting-open`, `closed-by-you`, {_STANDS}"},
        body=Fields((
            Member("early", Flag(), "although there is time to vote still", default=False),
            Member("afresh", Flag(), "over all ballots that are here, whatever other closers gathered", default=False),
        ), required=False),
    ),
)  # fmt: skip
