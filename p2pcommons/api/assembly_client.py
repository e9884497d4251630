"""The verbs of an assembly over HTTP: a part of `Client`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from p2pcommons.api.connection import Connection
from p2pcommons.api.wire import from_json
from p2pcommons.core.identity import did_key
from p2pcommons.node.assembly_values import CommentInfo, ProposalInfo, ProposalItem, Question, RuleChange

if TYPE_CHECKING:
    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId, RecordId

T = TypeVar("T")


class AssemblyClient:
    """What `p2pcommons.api.verbs.Verbs` has of proposals and votes."""

    _connection: Connection

    if TYPE_CHECKING:

        async def _all(self, kind: type[T], path: str) -> tuple[T, ...]: ...

    async def charter_history(self, commons: CommonsId, rule: str | None = None) -> tuple[RuleChange, ...]:
        """The versions that rules had."""
        asked = [] if rule is None else [("rule", rule)]
        found = await self._connection.get(f"/commons/{commons.hex()}/charter/history", asked)
        return tuple(from_json(RuleChange, one) for one in found["items"])

    async def proposals(self, commons: CommonsId) -> tuple[ProposalItem, ...]:
        """What was ever proposed, the latest first."""
        return await self._all(ProposalItem, f"/commons/{commons.hex()}/proposals")

    async def proposal(self, commons: CommonsId, proposal: RecordId) -> ProposalInfo:
        """One proposal and what became of it."""
        return from_json(ProposalInfo, await self._connection.get(_path(commons, proposal)))

    async def comments(self, commons: CommonsId, proposal: RecordId) -> tuple[CommentInfo, ...]:
        """What was said of a proposal."""
        return await self._all(CommentInfo, f"{_path(commons, proposal)}/comments")

    async def comment(
        self, commons: CommonsId, proposal: RecordId, text: str, *, on: RecordId | None = None
    ) -> CommentInfo:
        """Say something of a proposal."""
        body = {"text": text} if on is None else {"text": text, "on": on.hex()}
        answer = await self._connection.send("POST", f"{_path(commons, proposal)}/comments", body)
        return from_json(CommentInfo, answer.value)

    async def propose(self, commons: CommonsId, question: Question) -> ProposalInfo:
        """Open a proposal."""
        said = {
            "rule": question.rule,
            "params": None if question.params is None else dict(question.params),
            "words": question.words,
            "person": None if question.person is None else did_key(question.person),
            "entry": None if question.entry is None else question.entry.hex(),
            "amendment": None if question.amendment is None else question.amendment.hex(),
            "grades": question.grades,
        }
        body: dict[str, Any] = {
            "text": question.text, "matter": question.matter, "stewards": [did_key(key) for key in question.stewards],
            "succession": question.succession, "options": list(question.options),
            "closers": [did_key(key) for key in question.closers],
        } | {name: value for name, value in said.items() if value is not None}  # fmt: skip
        return await self._send(f"/commons/{commons.hex()}/proposals", body)

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
        """Set, or offer, another wording."""
        body: dict[str, Any] = {"text": text, "stewards": [did_key(key) for key in stewards]}
        body |= {} if params is None else {"params": dict(params)}
        body |= {} if words is None else {"words": words}
        return await self._send(f"{_path(commons, proposal)}/amendments", body)

    async def answer_amendment(self, commons: CommonsId, amendment: RecordId, *, take: bool) -> ProposalInfo:
        """Take or refuse what somebody offered."""
        return await self._send(f"/commons/{commons.hex()}/amendments/{amendment.hex()}", {"take": take})

    async def vote(
        self,
        commons: CommonsId,
        proposal: RecordId,
        choice: str | Mapping[str, int],
        *,
        reason: str | None = None,
        wording: RecordId | None = None,
    ) -> ProposalInfo:
        """Cast a ballot, in the place of earlier ones."""
        body: dict[str, Any] = {"choice": choice} if isinstance(choice, str) else {"grades": dict(choice)}
        body |= {} if reason is None else {"reason": reason}
        body |= {} if wording is None else {"wording": wording.hex()}
        return await self._send(f"{_path(commons, proposal)}/ballots", body)

    async def close_vote(
        self, commons: CommonsId, proposal: RecordId, *, early: bool = False, afresh: bool = False
    ) -> ProposalInfo:
        """Publish what one counts, as a closer."""
        return await self._send(f"{_path(commons, proposal)}/closings", {"early": early, "afresh": afresh})

    async def _send(self, path: str, body: dict[str, Any]) -> ProposalInfo:
        return from_json(ProposalInfo, (await self._connection.send("POST", path, body)).value)


def _path(commons: CommonsId, proposal: RecordId) -> str:
    return f"/commons/{commons.hex()}/proposals/{proposal.hex()}"
