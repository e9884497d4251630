"""The assembly of the fake node: one proposal, on which all has happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.assembly_values import (
    AmendmentInfo,
    BallotInfo,
    ClosingInfo,
    CommentInfo,
    EffectInfo,
    LeftOut,
    OptionInfo,
    ProposalInfo,
    ProposalItem,
    Question,
    RuleChange,
    StepInfo,
    TallyInfo,
)
from p2pcommons.node.values import Hash, Instant

WHO = SigningKey(b"a" * 32).public
AT = Instant(1_750_000_000_123)
PROPOSAL = RecordId(b"\x51" * 32)
AMENDMENT = RecordId(b"\x52" * 32)
OTHER = RecordId(b"\x53" * 32)


class FakeAssembly:
    def __init__(self) -> None:
        self.asked: Question | None = None
        self.said: list[Any] = []

    def _check(self, commons: CommonsId | None) -> None:
        raise NotImplementedError

    def _shown(self, commons: CommonsId) -> ProposalInfo:
        effect = EffectInfo("licence", {"expression": "MIT"}, Hash(bytes(32)), "All may copy.", stewards=(WHO,))
        ballot = BallotInfo(OTHER, WHO, AT, None, {"hill": 4}, "counted", True, "The view.", True)
        closing = ClosingInfo(
            OTHER, WHO, AT, 1, Hash(bytes(32)), "same", 1, "1", 1, False, True, (LeftOut(OTHER, "late"),), True
        )
        options = (OptionInfo("hill", 1, 4, (0, 0, 0, 0, 1)), OptionInfo("well", 2, 0, (1, 0, 0, 0, 0)))
        tally = TallyInfo(
            True, True, "passed", 3, 1, 1, 0, 0, {"for": 1}, 1, options, (StepInfo("hill", "well", 0, 4, 0),)
        )
        return ProposalInfo(
            id=PROPOSAL, commons=commons, author=WHO, at=AT, matter="rule", state="passed", fault=None,
            wordings=(PROPOSAL,), text="Share alike", text_hash=Hash(bytes(32)), effect=effect, mode="judgment",
            threshold=(2, 3), options=("hill", "well"), grades=5, electorate=3, quorum=1, closers=(WHO,), closers_needed=1, round=1,
            opens_at=AT, closes_at=AT, closed_at=AT, may_vote=True, may_close=True, yours=ballot, ballots=(ballot,),
            closings=(closing,), amendments=(AmendmentInfo(AMENDMENT, WHO, AT, "open", "Mine", EffectInfo()),), tally=tally,
            applied="yes", revised=None,
        )  # fmt: skip

    async def charter_history(self, commons: CommonsId, rule: str | None = None) -> tuple[RuleChange, ...]:
        self._check(commons)
        if rule == "gravity":
            raise Refused("unknown-rule", "there is no rule 'gravity'")
        return (RuleChange(rule or "licence", PROPOSAL, AT, {"expression": "MIT"}, None, True, "All may copy."),)

    async def proposals(self, commons: CommonsId) -> tuple[ProposalItem, ...]:
        self._check(commons)
        item = ProposalItem(PROPOSAL, WHO, AT, "rule", "Share alike", "passed", 3, 1, AT, "yes", True, True, True)
        return item, replace(item, id=OTHER, title=None, applied="revised")

    async def proposal(self, commons: CommonsId, proposal: RecordId) -> ProposalInfo:
        self._check(commons)
        if proposal != PROPOSAL:
            raise NotFound("unknown-proposal", "there is no such proposal")
        return self._shown(commons)

    async def comments(self, commons: CommonsId, proposal: RecordId) -> tuple[CommentInfo, ...]:
        await self.proposal(commons, proposal)
        first = CommentInfo(OTHER, WHO, AT, "And the well?", None, True)
        return first, replace(first, id=AMENDMENT, text="That too.", on=OTHER, member=False)

    async def comment(
        self, commons: CommonsId, proposal: RecordId, text: str, *, on: RecordId | None = None
    ) -> CommentInfo:
        await self.proposal(commons, proposal)
        if on == PROPOSAL:
            raise NotFound("unknown-comment", "nobody said this")
        self.said.append((text, on))
        return CommentInfo(AMENDMENT, WHO, AT, text, on, True)

    async def propose(self, commons: CommonsId, question: Question) -> ProposalInfo:
        self._check(commons)
        if question.rule == "gravity":
            raise Refused("unknown-rule", "there is no rule 'gravity'")
        if question.stewards:
            raise Conflict("not-by-vote", "stewards choose stewards here")
        self.asked = question
        return self._shown(commons)

    async def amend_proposal(
        self,
        commons: CommonsId,
        proposal: RecordId,
        *,
        text: str,
        params: Mapping[str, Any] | None = None,
        words: str | None = None,
        stewards: Sequence[PublicKey] = (),
    ) -> ProposalInfo:
        self.said.append((text, params, words, tuple(stewards)))
        return await self.proposal(commons, proposal)

    async def answer_amendment(self, commons: CommonsId, amendment: RecordId, *, take: bool) -> ProposalInfo:
        self._check(commons)
        if amendment != AMENDMENT:
            raise NotFound("unknown-amendment", "nobody offered it")
        if not take:
            raise Refused("not-the-proposer", "only who proposed answers")
        return self._shown(commons)

    async def vote(
        self,
        commons: CommonsId,
        proposal: RecordId,
        choice: str | Mapping[str, int],
        *,
        reason: str | None = None,
        wording: RecordId | None = None,
    ) -> ProposalInfo:
        if choice == "against":
            raise Refused("no-elector", "you came in later")
        if wording == OTHER:
            raise Conflict("text-changed", "it is another text by now")
        self.said.append((choice, reason, wording))
        return await self.proposal(commons, proposal)

    async def close_vote(
        self, commons: CommonsId, proposal: RecordId, *, early: bool = False, afresh: bool = False
    ) -> ProposalInfo:
        if afresh:
            raise Refused("not-a-closer", "only its closers close it")
        if not early:
            raise Conflict("voting-open", "there is time still")
        return await self.proposal(commons, proposal)
