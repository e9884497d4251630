"""What members do in an assembly: propose, amend, answer, vote, close, and read what became of it (chapter 22).

What is written is made of one moment of the assembly and names all of it as its past, so that it is in order whatever
comes meanwhile. Nothing here decides: an act that has no right does nothing, on every node alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from p2pcommons.commons.assembly_bodies import answer, cast, seen, sheet
from p2pcommons.commons.ballots import LAPSED, NO_ELECTOR, REPLACED, UNAPPROVED, UNFIT
from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.closings import Case, Wording
from p2pcommons.commons.minutes import Minute
from p2pcommons.commons.rules import RULES
from p2pcommons.commons.tally import ABSTAIN, Consent, Judgment, is_choice
from p2pcommons.commons.written import WRITE, Written, write
from p2pcommons.core.limits import BALLOT_REPLACES_MAX, PREV_MAX, SALT_BYTES
from p2pcommons.core.record import CommonsId, Plane, RecordId
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.acting import Acting, door_of
from p2pcommons.node.admitting import Admitting
from p2pcommons.node.assemblies import Assemblies, Moment
from p2pcommons.node.assembly_values import ProposalInfo, ProposalItem, Question, RuleChange
from p2pcommons.node.counting import Count, count_ballots, minute_of, open_minute, whole_text
from p2pcommons.node.membership import Membership
from p2pcommons.node.proposal_info import proposal_info, proposal_items, rule_changes
from p2pcommons.node.proposing import new_proposal, new_wording
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.speaking import Speaking
from p2pcommons.sync.replica import Draft

T = TypeVar("T")
_HEADS_OF_CLOSING: Final = 8  # of the 32 that a closing names; the others are for ballots, or sheets of them
_BALLOTS_OF_CLOSING: Final = PREV_MAX - _HEADS_OF_CLOSING


class Voting:
    """The assemblies of the commons followed here, and what this node's person does in them."""

    def __init__(
        self, runtime: Runtime, membership: Membership, assemblies: Assemblies, admitting: Admitting, speaking: Speaking
    ) -> None:
        self._runtime = runtime
        self._admitting = admitting
        self._speaking = speaking
        self._membership = membership
        self._assemblies = assemblies
        self._acting = Acting(runtime)

    # -- reading

    async def proposals(self, commons: CommonsId) -> tuple[ProposalItem, ...]:
        """All proposals, the latest first."""
        return await self._read(commons, lambda moment: proposal_items(moment, self._me))

    async def proposal(self, commons: CommonsId, proposal: RecordId) -> ProposalInfo:
        """One proposal. NotFound `unknown-proposal`."""
        return await self._read(commons, lambda moment: proposal_info(moment, minute_of(moment, proposal), self._me))

    async def rule_changes(self, commons: CommonsId, rule: str | None) -> tuple[RuleChange, ...]:
        """The versions that rules had. Refused `unknown-rule`."""
        if rule is not None and rule not in RULES:
            raise Refused(
                "unknown-rule", f"There is no rule {rule[:40]!r}: `p2pcommons charter show --exact` names all."
            )
        return await self._read(commons, lambda moment: rule_changes(moment, rule))

    # -- proposing

    async def propose(self, commons: CommonsId, question: Question) -> ProposalInfo:
        """Open a proposal. Refused `not-a-member`, and as `proposing.new_proposal`."""
        text, words = _write(question.text), None if question.words is None else _write(question.words)
        await self._membership.ensure(commons)
        now_ms = self._runtime.now_ms()

        def draft(moment: Moment) -> Made:
            self._check_electing(moment)
            return new_proposal(moment, question, self._me, text.hash, None if words is None else words.hash, now_ms)

        made, heads = await self._draft(commons, draft)
        await self._keep(commons, text, words)
        await self._speaking.before(commons, [made])
        record = await self._acting.write(commons, made, subject=commons, prev=heads)
        return await self.proposal(commons, record)

    async def amend(
        self,
        commons: CommonsId,
        proposal: RecordId,
        text: str,
        params: Mapping[str, Any] | None,
        words: str | None,
        stewards: Iterable[bytes],
    ) -> ProposalInfo:
        """Another wording: who proposed sets it, and earlier ballots lapse; anybody else offers it.

        Refused `not-a-member`, `bad-params`, `bad-proposal`; Conflict `closed`, `out-of-order`; NotFound.
        """
        written, rule_words = _write(text), None if words is None else _write(words)
        named = tuple(stewards)
        await self._be_member(commons)

        def draft(moment: Moment) -> Made:
            self._check_electing(moment)
            minute = open_minute(moment, proposal)
            case = moment.assembly.cases[minute.id]
            effect = case.wordings[minute.wordings[0]].effect
            return new_wording(
                case, effect, written.hash, None if rule_words is None else rule_words.hash, params, named
            )

        made, heads = await self._draft(commons, draft)
        await self._keep(commons, written, rule_words)
        await self._speaking.before(commons, [made])
        await self._acting.write(commons, made, subject=commons, prev=heads)
        return await self.proposal(commons, proposal)

    async def answer(self, commons: CommonsId, amendment: RecordId, take: bool) -> ProposalInfo:
        """Take or refuse what somebody offered. Refused `not-the-proposer`; Conflict `closed`; NotFound `unknown-amendment`."""
        await self._be_member(commons)

        def draft(moment: Moment) -> tuple[Made, RecordId]:
            offer = moment.assembly.offers.get(amendment)
            if offer is None:
                raise NotFound(
                    "unknown-amendment",
                    "Nobody offered this amendment: `p2pcommons proposal show PROPOSAL` shows them.",
                )
            case = offer.case
            open_minute(moment, RecordId(case.id))
            own = case.elector(self._me, moment.everything, moment.assembly.pasts) == case.electors[case.deed.author]
            voted = take and moment.assembly.in_force(("amendment", offer.deed.id)) is not None
            if not own and not voted:
                raise Refused(
                    "not-the-proposer",
                    "Only who proposed takes or refuses amendments; a vote can take one as well: "
                    f"p2pcommons propose --amendment {amendment.hex()[:8]}",
                )
            return answer(amendment, take=take), RecordId(case.id)

        (made, proposal), heads = await self._draft(commons, draft)
        await self._speaking.before(commons, [made])
        await self._acting.write(commons, made, subject=commons, prev=heads)
        return await self.proposal(commons, proposal)

    # -- voting

    async def vote(
        self,
        commons: CommonsId,
        proposal: RecordId,
        choice: str | Mapping[str, int],
        reason: str | None,
        wording: RecordId | None,
    ) -> ProposalInfo:
        """Cast a ballot on the text that is up to vote, in the place of earlier ones.

        `wording`: the text that was read, by its record. Refused `not-a-member`, `no-elector`, `bad-choice`; Conflict
        `closed`, `split`, `voting-over`, `text-changed`, `out-of-order`; NotFound.
        """
        written = None if reason is None else _write(reason)
        charter = self._membership.charter(commons)
        if self._membership.devices.lost_key(charter) is not None:
            await self._membership.ensure(commons)
        now_ms = self._runtime.now_ms()

        def draft(moment: Moment) -> tuple[Made, tuple[bytes, ...]] | None:
            minute = open_minute(moment, proposal)
            case, on = moment.assembly.cases[minute.id], whole_text(moment, minute)
            if wording is not None and wording != on.id:
                raise Conflict("text-changed", "The text was changed since you read it: read it again, then vote.")
            if now_ms > minute.closes:
                raise Conflict("voting-over", "The time to vote on this is over; it waits to be closed.")
            person = self._elector(moment, case)
            if not is_choice(case.form.method, choice):
                raise Refused("bad-choice", _choices(case))
            return self._ballot(moment, minute, on, person, choice, written)

        made = await self._ask(commons, draft)
        if made is not None:
            await self._keep(commons, written)
            approvals = await self._speaking.before(commons, [made[0]])
            prev = tuple(sorted({*made[1], *approvals}))
            await self._acting.write(commons, made[0], subject=commons, prev=prev)
        return await self.proposal(commons, proposal)

    def _ballot(
        self,
        moment: Moment,
        minute: Minute,
        on: Wording,
        person: bytes,
        choice: str | Mapping[str, int],
        reason: Written | None,
    ) -> tuple[Made, tuple[bytes, ...]] | None:
        """The ballot and what it names; None where this person's ballot says the same already."""
        said = choice if isinstance(choice, str) else tuple(sorted(choice.items()))
        mine = [
            v for v in minute.ballots if v.elector == person and v.code not in (LAPSED, UNFIT, UNAPPROVED, NO_ELECTOR)
        ]
        standing = [v for v in mine if v.code != REPLACED]
        if reason is None and len(standing) == 1 and standing[0].choice == said:
            return None
        replaced = [v.id for v in standing][:BALLOT_REPLACES_MAX]
        made = cast(minute.id, on.text, choice, replaces=replaced, reason=None if reason is None else reason.hash)
        case = moment.assembly.cases[minute.id]
        door = () if self._me in case.electors else (door_of(moment.grounds, self._me),)
        return made, tuple(sorted({on.id, *door}))

    # -- closing

    async def close(self, commons: CommonsId, proposal: RecordId, early: bool, afresh: bool) -> ProposalInfo:
        """Publish what one counts. It agrees with what another closer gathered before, where that recounts the same.

        `early`: although there is time to vote, and not everybody has. `afresh`: over all ballots that are here, whatever
        others gathered. Refused `not-a-closer`; Conflict `closed`, `closed-by-you`, `split`, `voting-open`, `out-of-order`.
        """
        await self._be_member(commons)
        now_ms = self._runtime.now_ms()

        def draft(moment: Moment) -> tuple[Count, bytes]:
            minute = open_minute(moment, proposal)
            count = count_ballots(
                moment, minute, self._me, now_ms, early=early, afresh=afresh, room=_BALLOTS_OF_CLOSING
            )
            return count, door_of(moment.grounds, self._me)

        charter = await self._runtime.run(lambda: self._acting.known(commons))
        count, door = await self._ask(commons, draft, charter)
        heads = await self._merge(commons, charter, door, _HEADS_OF_CLOSING)
        gathered = await self._acting.merged(commons, sheet(), count.names, door, _BALLOTS_OF_CLOSING)
        await self._acting.write(commons, count.made, subject=commons, prev=tuple(sorted({*heads, *gathered})))
        made = await self.proposal(commons, proposal)
        await self._admitting.carry_out(commons, made)
        return made

    # -- what all of these share

    @property
    def _me(self) -> bytes:
        return self._runtime.keys.person.public

    async def _read(self, commons: CommonsId, question: Callable[[Moment], T]) -> T:
        return await self._assemblies.ask(lambda: self._membership.charter(commons), commons, question)

    async def _ask(self, commons: CommonsId, question: Callable[[Moment], T], charter: Charter | None = None) -> T:
        found = await self._runtime.run(lambda: self._acting.known(commons)) if charter is None else charter
        return await self._assemblies.ask(lambda: found, commons, question, noted=False)

    async def _draft(self, commons: CommonsId, draft: Callable[[Moment], T]) -> tuple[T, tuple[bytes, ...]]:
        """What to write, and the heads of the moment it is made of: at most as many as a record names."""
        charter = await self._runtime.run(lambda: self._acting.known(commons))
        made, door = await self._ask(
            commons, lambda moment: (draft(moment), door_of(moment.grounds, self._me)), charter
        )
        return made, await self._merge(commons, charter, door, PREV_MAX)

    async def _merge(self, commons: CommonsId, charter: Charter, door: bytes, room: int) -> tuple[bytes, ...]:
        """The heads of a charter, or records that name them all."""
        return await self._acting.merged(commons, seen(), charter.heads, door, room)

    async def _keep(self, commons: CommonsId, *texts: Written | None) -> None:
        """Write texts into plane 1, where they can be erased."""
        runtime = self._runtime
        drafts = [Draft(Plane.CATALOGUE, one.hash, (), WRITE, one.body) for one in texts if one is not None]
        if drafts:
            await runtime.run(
                lambda: runtime.replica.write(commons, runtime.keys.person, drafts, runtime.watch.signing_ms())
            )

    async def _be_member(self, commons: CommonsId) -> None:
        """Refused `not-a-member`: who joins now could neither vote nor change what was proposed before."""
        charter = self._membership.charter(commons)
        if self._membership.is_member(charter):
            return
        if self._membership.devices.lost_key(charter) is not None:
            await self._membership.ensure(commons)
            return
        raise _not_a_member()

    def _check_electing(self, moment: Moment) -> None:
        if self._me not in moment.assembly.pasts.members(moment.everything):
            raise _not_a_member()

    def _elector(self, moment: Moment, case: Case) -> bytes:
        person = case.elector(self._me, moment.everything, moment.assembly.pasts)  # who left since may vote still
        if person is None:
            self._check_electing(moment)
            raise Refused(
                "no-elector", "You became a member after this was proposed: those vote who were members then."
            )
        return person


def _not_a_member() -> Refused:
    return Refused(
        "not-a-member",
        "You are not a member of this commons: only its members decide. Join it first, or ask a member for an invitation.",
    )


def _write(text: str) -> Written:
    return write(text, secrets.token_bytes(SALT_BYTES))


def _choices(case: Case) -> str:
    method = case.form.method
    if isinstance(method, Judgment):
        return (
            f"This is a majority judgment: give options a grade from 0, the lowest, to {method.grades - 1}, or abstain. "
            f"Options: {', '.join(method.options)}."
        )
    words = ("consent", "object") if isinstance(method, Consent) else ("for", "against")
    return f"Here one votes {', '.join(words)} or {ABSTAIN}."
