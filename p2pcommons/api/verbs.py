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

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from p2pcommons.commons.query import Query
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.node.values import (
    ActInfo,
    BatchAnswer,
    Change,
    CharterInfo,
    Check,
    CommonsInfo,
    DigestInfo,
    EntryAnswer,
    EntryJson,
    EntryPage,
    Export,
    Health,
    HistoryItem,
    IdentityInfo,
    Invitation,
    MembersInfo,
    Metric,
    NearbyCommons,
    PackInfo,
    Page,
    PeerInfo,
    Progress,
    RawRecord,
    Rebuilt,
    Status,
    UnpackInfo,
    VerifyInfo,
    Withdrawal,
)


class Verbs(Protocol):
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
    ) -> CommonsInfo:
        """Found a commons: the caller is founder, member and follower.

        `charter`: a template (`charter_text.TEMPLATES`), else the default rules; `join` None: as its charter says.
        """
        ...

    async def charter(self, commons: CommonsId, language: str = "en") -> CharterInfo:
        """The rules of a commons in words. NotFound `unknown-commons`; Conflict `commons-waiting`."""
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

    async def digest(self, commons: CommonsId) -> DigestInfo:
        """One consistent moment, from memory: 10 ms at most at any size. NotFound `unknown-commons`."""
        ...

    # -- entries

    async def search(self, query: Query) -> EntryPage:
        """Shown entries. NotFound `unknown-commons`; Refused `bad-cursor`."""
        ...

    async def get_entry(self, entry: Subject, commons: CommonsId | None = None) -> EntryAnswer:
        """One shown entry, in whichever followed commons it is. NotFound `unknown-entry`; EntryWithdrawn."""
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
