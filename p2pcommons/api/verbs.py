"""The verbs the API consumes: declared here by their consumer, implemented by `p2pcommons.node.commons.Commons`.

`Client` implements them too, over HTTP, so that a program (the command line first of all) speaks one language
to a running node and to a folder it has opened itself.

Ids and keys come as bytes, parsed at the door. Refusals are raised, with stable kebab-case codes:

    NotFound        `unknown-commons` (not followed), `unknown-entry`, `unknown-peer`
    EntryWithdrawn  `withdrawn`, with who, when, why
    EntryChanged    `entry-changed`, with the present entry
    Conflict        other states in the way, e.g. `commons-waiting` (nothing here yet to write to)
    Refused         `not-a-member`, `not-a-steward`, `not-allowed`, `joining-closed` (403); `unknown-format`, `bad-cursor`,
                    `bad-address`, `bad-invitation`, `unknown-language` … (400)
    FormError       an entry, file or value that is not what it must be (400)
    StoreError      the folder cannot be used just now (503)

After a writing verb has returned, every reading verb sees what it wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from p2pcommons.api.moderation_verbs import ModerationVerbs
from p2pcommons.api.organisation_verbs import OrganisationVerbs
from p2pcommons.commons.query import Query
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.node.assembly_values import CommentInfo, ProposalInfo, ProposalItem, Question, RuleChange
from p2pcommons.node.values import (
    ActInfo,
    BatchAnswer,
    Change,
    CharterInfo,
    Check,
    CommonsInfo,
    CriteriaInfo,
    DigestInfo,
    EntryAnswer,
    EntryJson,
    EntryPage,
    Export,
    ForkInfo,
    Health,
    HistoryItem,
    IdentityInfo,
    Invitation,
    LineageInfo,
    MembersInfo,
    Metric,
    NearbyCommons,
    PackInfo,
    Page,
    PeerInfo,
    Progress,
    RawRecord,
    Rebuilt,
    RecipeFile,
    Status,
    UnpackInfo,
    VerifyInfo,
    Withdrawal,
)


class Verbs(ModerationVerbs, OrganisationVerbs, Protocol):
    """What one can ask of a node."""

    # -- status

    async def health(self) -> Health:
        """Whether every verb works now; from memory, asked at each request."""
        ...

    async def status(self) -> Status:
        """The whole picture."""
        ...

    async def metrics(self) -> Sequence[Metric]:
        """Numbers beyond those in `status` (sessions, bytes, times, queues); may be empty."""
        ...

    async def identity(self) -> IdentityInfo:
        """Who writes here."""
        ...

    async def add_device(self) -> str:
        """Let a new key of this person in wherever they are a member; its line, a secret. Refused `no-commons`."""
        ...

    async def trust_clock(self) -> None:
        """A person says that the clock is right as it is now: what was signed ahead of it was signed by a wrong one."""
        ...

    async def recovery_words(self, language: str = "en") -> tuple[str, ...]:
        """The 12 recovery words in a BCP 47 language. Refused `unknown-language`, `no-words`."""
        ...

    # -- peers

    async def peers(self) -> tuple[PeerInfo, ...]:
        """Peers kept, met and connected, in a stable order."""
        ...

    async def add_peer(self, address: str) -> PeerInfo:
        """Keep and dial `[KEY@]HOST:PORT` or `[KEY@]wss://…`; again is no error. Refused `bad-address`."""
        ...

    async def remove_peer(self, address: str) -> None:
        """Forget a kept address. NotFound `unknown-peer`."""
        ...

    async def block_peer(self, key: PublicKey) -> None:
        """End this node's sessions and refuse new ones."""
        ...

    async def unblock_peer(self, key: PublicKey) -> None:
        """Meet this node again. NotFound `unknown-peer` for one that is not blocked."""
        ...

    # -- commons

    async def list_commons(self) -> tuple[CommonsInfo, ...]:
        """All followed commons, ascending by id."""
        ...

    async def nearby(self) -> tuple[NearbyCommons, ...]:
        """Announced commons of nodes connected or on the local network, by their word; those that most name first."""
        ...

    async def create_commons(
        self,
        name: str,
        *,
        join: str | None = None,
        languages: Sequence[str] = (),
        territory: str | None = None,
        charter: str | None = None,
        recipe: bytes | None = None,
    ) -> CommonsInfo:
        """Found a commons: the caller is founder, member and follower.

        `charter`: a template (`charter_text.TEMPLATES`), else the default rules; `join` None: as its charter says.
        `recipe`: the bytes of a recipe, whose rules it takes instead. FormError `bad_bundle`, `bad_recipe`,
        `bad_template`, `bad_key`, `bad_signature`; Refused `two-charters` where both are given.
        """
        ...

    async def recipe(self, commons: CommonsId) -> RecipeFile:
        """Its rules as a signed file that another commons starts from. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def lineage(self, commons: CommonsId) -> LineageInfo:
        """Where a commons came from, and what of those followed here came from it. NotFound; Conflict `commons-waiting`."""
        ...

    async def fork(self, commons: CommonsId, name: str, progress: Progress | None = None) -> ForkInfo:
        """Found another commons from the state of this one, and copy what it shows; again goes on. As `create_commons`."""
        ...

    async def criteria(self, commons: CommonsId) -> CriteriaInfo:
        """The four criteria, by numbers of this node. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def charter(self, commons: CommonsId, language: str = "en") -> CharterInfo:
        """The rules of a commons in words. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def charter_history(self, commons: CommonsId, rule: str | None = None) -> tuple[RuleChange, ...]:
        """The versions that one rule had, or all that were changed; the first ones first. Refused `unknown-rule`."""
        ...

    async def proposals(self, commons: CommonsId) -> tuple[ProposalItem, ...]:
        """What was ever proposed, the latest first. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def proposal(self, commons: CommonsId, proposal: RecordId) -> ProposalInfo:
        """One proposal: text, ballots, closings recounted here, tally, outcome. NotFound `unknown-proposal`."""
        ...

    async def comments(self, commons: CommonsId, proposal: RecordId) -> tuple[CommentInfo, ...]:
        """What was said of a proposal, an answer behind what it answers. NotFound `unknown-proposal`."""
        ...

    async def comment(
        self, commons: CommonsId, proposal: RecordId, text: str, *, on: RecordId | None = None
    ) -> CommentInfo:
        """Say something of it, or answer a comment. Refused `not-a-member`; NotFound `unknown-comment`.

        FormError `bad_text`.
        """
        ...

    async def propose(self, commons: CommonsId, question: Question) -> ProposalInfo:
        """Open a proposal, by the rules in force. Refused `not-a-member`, `unknown-rule`, `bad-params`, `bad-options`…"""
        ...

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
        """Another wording: who proposed sets it, and earlier ballots lapse; any other member offers it.

        Refused `not-a-member`, `bad-params`, `bad-proposal`; Conflict `closed`, `out-of-order`; NotFound.
        """
        ...

    async def answer_amendment(self, commons: CommonsId, amendment: RecordId, *, take: bool) -> ProposalInfo:
        """Take or refuse what somebody offered. Refused `not-the-proposer`; NotFound `unknown-amendment`."""
        ...

    async def vote(
        self,
        commons: CommonsId,
        proposal: RecordId,
        choice: str | Mapping[str, int],
        *,
        reason: str | None = None,
        wording: RecordId | None = None,
    ) -> ProposalInfo:
        """Cast a ballot on the text up to vote, in the place of earlier ones: a word, or a grade for each option.

        `wording`: the record of the text that was read; Conflict `text-changed` where it is another one by now. Refused
        `not-a-member`, `no-elector`, `bad-choice`; Conflict `closed`, `split`, `voting-over`, `out-of-order`.
        """
        ...

    async def close_vote(
        self, commons: CommonsId, proposal: RecordId, *, early: bool = False, afresh: bool = False
    ) -> ProposalInfo:
        """Closers: publish what one counts, which is what another closer gathered, or `afresh` all that is here.

        `early`: although there is time to vote. Refused `not-a-closer`; Conflict `closed`, `closed-by-you`, `voting-open`.
        """
        ...

    async def get_commons(self, commons: CommonsId) -> CommonsInfo:
        """One followed commons. NotFound `unknown-commons`."""
        ...

    async def follow(self, commons: CommonsId, addresses: Sequence[str] = ()) -> CommonsInfo:
        """Follow, and keep and dial these addresses; again, or nothing here yet, is no error."""
        ...

    async def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons and its records. NotFound `unknown-commons`."""
        ...

    async def invite(self, commons: CommonsId, *, uses: int = 1, days: int = 30) -> Invitation:
        """Write an invitation and give its one line."""
        ...

    async def join(self, invitation: str) -> CommonsInfo:
        """Follow the commons of an invitation line and join it as soon as its charter is here."""
        ...

    async def members(self, commons: CommonsId) -> MembersInfo:
        """Who is in, who are stewards, and by which ways one comes in. NotFound, Conflict `commons-waiting`."""
        ...

    async def purge(
        self, commons: CommonsId, *, keys: Sequence[PublicKey] = (), entrances: Sequence[bytes] = ()
    ) -> ActInfo:
        """Stewards: take keys out for good, with all they wrote, and close ways in.

        Refused `not-a-steward`, `nothing-named`; Conflict `too-few-stewards`, where nobody could act any more; NotFound
        `unknown-member`, `unknown-entrance`.
        """
        ...

    async def name_stewards(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        end: Sequence[PublicKey] = (),
        quorum: int | None = None,
    ) -> ActInfo:
        """Stewards: make and unmake stewards, and say how many must agree from then on. Refusals as for `purge`."""
        ...

    async def leave(self, commons: CommonsId) -> ActInfo:
        """Be a member no more: what one wrote goes on counting. Refused `not-a-member`; Conflict `too-few-stewards`."""
        ...

    async def remove_member(self, commons: CommonsId, key: PublicKey, *, words: str = "seen") -> ActInfo:
        """Stewards, or any member where that was voted: take a person off the members.

        `words`: what counts of what they wrote: "seen", what is here now; "all", with what they write yet; "none".
        Refused `not-a-steward`, `not-a-member`, `yourself`; Conflict `too-few-stewards`; NotFound `unknown-member`.
        """
        ...

    async def admit(self, commons: CommonsId, key: PublicKey) -> ActInfo:
        """Write an invite of this very key: after a vote for it any member, else who may invite. Its node joins by itself.

        Refused `not-a-member`, `not-a-steward`; Conflict `already-a-member`, `not-voted`.
        """
        ...

    async def keep_words(self, commons: CommonsId, key: PublicKey, *, entries: Sequence[Subject] = ()) -> ActInfo:
        """Stewards: let what a former member wrote, about these entries or at all, count after all.

        Refused `not-a-steward`, `nothing-named` where all of it counts, `too-many`; NotFound `unknown-member`.
        """
        ...

    async def digest(self, commons: CommonsId) -> DigestInfo:
        """One consistent moment, from memory: 10 ms at most at any size. NotFound `unknown-commons`."""
        ...

    # -- entries

    async def search(self, query: Query) -> EntryPage:
        """Shown entries. NotFound `unknown-commons`; Refused `bad-cursor`."""
        ...

    async def get_entry(self, entry: Subject, commons: CommonsId | None = None, *, hidden: bool = False) -> EntryAnswer:
        """One shown entry, in whichever followed commons it is. NotFound `unknown-entry`; EntryWithdrawn; EntryHidden,
        unless `hidden` asks for what is hidden as well: it then has `hidden` set."""
        ...

    async def add_entry(self, commons: CommonsId, entry: EntryJson) -> EntryAnswer:
        """A new entry; with `source` an import write, which edits the entry of that source where there is one."""
        ...

    async def patch_entry(
        self,
        entry: Subject,
        patch: dict[str, Any],
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> EntryAnswer:
        """A human write: JSON Merge Patch. `if_match`: EntryChanged unless the present etag is one of these."""
        ...

    async def withdraw_entry(
        self,
        entry: Subject,
        reason: str | None = None,
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> Withdrawal:
        """Withdraw. NotFound, EntryWithdrawn (already), EntryChanged."""
        ...

    async def restore_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> EntryAnswer:
        """Show a withdrawn entry again; one that is shown stays as it is. NotFound."""
        ...

    async def history(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[HistoryItem]:
        """What was written about an entry, newest first by (time, id); withdrawn entries too."""
        ...

    async def raw_records(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[RawRecord]:
        """The signed bytes themselves, oldest first by (time, id); withdrawn entries too."""
        ...

    async def conflicts(
        self, commons: CommonsId | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[EntryJson]:
        """Shown entries that have `conflicts`, as Entry JSON."""
        ...

    async def batch(
        self, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
    ) -> AsyncIterator[Sequence[BatchAnswer]]:
        """Add many entries: NDJSON lines in, as they arrived together; answers out, in order, durable when given.

        Awaiting it raises what speaks against the whole batch (`unknown-commons`, `not-a-member`) before a line
        is read; the iterator then never raises for a line. Lines come without their newline, the first is 1;
        an empty line (white space only) counts as a line and has no answer; a line longer than
        `BATCH_LINE_BYTES_MAX` comes cut at one byte more and is answered `line-too-long`. What was answered
        stays, however the batch ends.
        """
        ...

    # -- changes, in this node's own order of arrival; positions are > 0 and grow

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        """At most `limit` changes with a position greater than `since`, ascending."""
        ...

    async def latest_change(self) -> int:
        """The greatest position given so far, 0 when there is none."""
        ...

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        """Wait until there is a change behind `since` (True), at most so long (False)."""
        ...

    # -- exchange and upkeep; a path is on this machine and is written whole or not at all

    async def export(self, format: str, query: Query) -> Export:
        """All shown entries a query finds (its limit and cursor ignored). Refused `unknown-format`."""
        ...

    async def pack(self, path: Path, commons: CommonsId | None = None) -> PackInfo:
        """Write a pack file of one or all followed commons."""
        ...

    async def unpack(self, path: Path) -> UnpackInfo:
        """Take a pack file; commons not followed yet are followed. FormError for a file that is none."""
        ...

    async def backup(self, path: Path) -> int:
        """Write a backup of the whole folder, private keys included; its size in bytes."""
        ...

    async def verify(self, progress: Progress | None = None) -> VerifyInfo:
        """Check every hash and signature."""
        ...

    async def rebuild(self, progress: Progress | None = None) -> tuple[Rebuilt, ...]:
        """Make all views from records anew."""
        ...

    async def doctor(self) -> tuple[Check, ...]:
        """Look at what commonly goes wrong."""
        ...
