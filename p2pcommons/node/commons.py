"""`Commons`: the verbs of a node, one class that API, command line and pages all speak through.

Implements `p2pcommons.api.verbs.Verbs` over an open `Runtime`; with `Neighbours` where the node meets others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from p2pcommons import __version__
from p2pcommons.commons.entry import view_from_bytes
from p2pcommons.commons.entry_json import entry_json
from p2pcommons.commons.query import Query
from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.limits import INVITATION_ADDRESSES_MAX
from p2pcommons.core.record import CommonsId, Plane, RecordId, Subject
from p2pcommons.core.words import LANGUAGES, words
from p2pcommons.errors import LocalProtocolError, Refused
from p2pcommons.formats.registry import find_format
from p2pcommons.node.admitting import Admitting
from p2pcommons.node.assemblies import Assemblies
from p2pcommons.node.assembly_values import CommentInfo, ProposalInfo, ProposalItem, Question, RuleChange
from p2pcommons.node.batch import batch
from p2pcommons.node.beginnings import Beginnings, check_recipe_alone
from p2pcommons.node.charters import charter_info
from p2pcommons.node.discussing import Discussing
from p2pcommons.node.entries import Entries
from p2pcommons.node.evidence import Measuring
from p2pcommons.node.forking import Forking
from p2pcommons.node.membership import Membership
from p2pcommons.node.moderation_values import (
    BlockListInfo,
    ErasedInfo,
    HiddenInfo,
    QueueInfo,
    ReportInfo,
    ReviewInfo,
    ShownInfo,
    WithheldInfo,
)
from p2pcommons.node.naming import Naming
from p2pcommons.node.nearby import nearby_commons
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.notices import notices
from p2pcommons.node.organisation_values import AskedInfo
from p2pcommons.node.own_words import OwnWords
from p2pcommons.node.parting import Parting
from p2pcommons.node.protecting import Protecting
from p2pcommons.node.reviewing import Reviewing
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.speaking import Speaking
from p2pcommons.node.stewardship import Stewardship
from p2pcommons.node.taking_down import TakingDown
from p2pcommons.node.upkeep import Upkeep, digest_info
from p2pcommons.node.values import (
    ActInfo,
    Address,
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
    Instant,
    Invitation,
    LineageInfo,
    MembersInfo,
    Metric,
    NearbyCommons,
    Notice,
    PackInfo,
    Page,
    PeerInfo,
    Progress,
    RawRecord,
    Reachable,
    Rebuilt,
    RecipeFile,
    Sample,
    Status,
    UnpackInfo,
    VerifyInfo,
    Withdrawal,
)
from p2pcommons.node.voting import Voting
from p2pcommons.sync import holding
from p2pcommons.sync.choice import CHOICES

if TYPE_CHECKING:  # it brings multicast DNS, which no command that opens the folder by itself needs
    from p2pcommons.node.introductions import Introductions
    from p2pcommons.node.lan import Lan

T = TypeVar("T")
_EXPORT_PAGE: Final = 500


class Commons:
    """All verbs of one node. `open()` before the first, within the runtime's `async with`."""

    def __init__(self, runtime: Runtime, neighbours: Neighbours | None = None) -> None:
        self._runtime = runtime
        self._neighbours = neighbours
        self._membership = Membership(runtime)
        self._assemblies = Assemblies(runtime)
        self._naming = Naming(runtime, self._membership)
        self._stewardship = Stewardship(runtime, self._membership, self._assemblies)
        self._speaking = Speaking(runtime, self._membership, self._assemblies)
        self._parting = Parting(runtime, self._membership, self._assemblies, self._speaking)
        self._reviewing = Reviewing(runtime, self._membership, self._assemblies)
        self._admitting = Admitting(runtime, self._membership, self._assemblies)
        self._voting = Voting(runtime, self._membership, self._assemblies, self._admitting, self._speaking)
        self._discussing = Discussing(runtime, self._membership, self._assemblies)
        self._protecting = Protecting(runtime, self._membership, self._assemblies, self._speaking)
        self._own_words = OwnWords(runtime, self._membership)
        self._taking_down = TakingDown(runtime)
        self._entries = Entries(runtime, self._membership, self._protecting, self._taking_down)
        self._beginnings = Beginnings(runtime, self._membership, self._assemblies)
        self._forking = Forking(runtime, self._membership, self._beginnings)
        dialling = neighbours is not None and neighbours.dials
        self._upkeep = Upkeep(runtime, self._notices, neighbours.infos if neighbours and dialling else None)
        self._measuring = Measuring(
            runtime, self._membership, self._assemblies, neighbours.infos if neighbours and dialling else None
        )
        self.api: str | None = None
        """HOST:PORT where the API answers, once it does."""
        self.listen: str | None = None
        """HOST:PORT where other nodes come in."""
        self.addresses: tuple[Address, ...] = ()
        """How other nodes would dial this one."""
        self.introductions: Introductions | None = None
        """Who tells and hears of other nodes, where this node does."""
        self.lan: Lan | None = None
        """The local network, where this node is on one."""
        self.settling: set[CommonsId] = set()
        """Commons whose charter may have changed since `settle` last looked."""

    async def open(self) -> None:
        """Make ready."""
        await self._runtime.run(self._membership.load)
        await self._runtime.run(self._speaking.load)
        self._runtime.listen(self._heard)

    def _heard(self, changes: list[holding.Change]) -> None:
        for change in changes:
            ids = change.growth.ids
            if not ids or any(plane == Plane.CHARTER for plane, _ in ids):
                self.settling.add(change.commons)

    async def settle(self) -> None:
        """After changes came in: use invitations that waited for their charter, and carry out what an organisation's
        people approved of. Driven by the daemon."""
        waiting, self.settling = self.settling, set()
        for commons in waiting & set(self._runtime.replica.followed()):
            await self._membership.settle(commons)
            await self._speaking.settle(commons)

    # -- status

    async def health(self) -> Health:
        """Whether every verb works now."""
        return Health(True)

    async def status(self) -> Status:
        """The whole picture."""
        keys = self._runtime.keys
        return Status(
            ready=True,
            version=__version__,
            person=keys.person.public,
            node=keys.node.public,
            data=str(self._runtime.folder.path),
            started_at=Instant(self._runtime.started_ms),
            latest_change=await self.latest_change(),
            api=self.api,
            listen=self.listen,
            addresses=self._places(),
            reachable=Reachable() if self.introductions is None else self.introductions.reachable(),
            heard=0 if self.introductions is None else self.introductions.known,
            commons=await self.list_commons(),
            peers=await self.peers(),
            lan=() if self.lan is None else self.lan.interfaces,
            nearby=await self.nearby(),
            disk=self._runtime.disk.look(),
            notices=(*self._notices(), *await self._reviewing.notices()),
        )

    def _notices(self) -> tuple[Notice, ...]:
        """What a person should look at, and only a person can end."""
        return notices(self._runtime, self._neighbours)

    async def trust_clock(self) -> None:
        """A person says that the clock is right as it is now."""
        await self._runtime.trust_clock()

    async def metrics(self) -> Sequence[Metric]:
        """Numbers beyond those in `status`."""
        runtime = self._runtime
        disk = runtime.disk.look()
        uptime_s = (runtime.now_ms() - runtime.started_ms) / 1000
        own = (
            _metric("uptime_seconds", "gauge", "Time since the start.", uptime_s),
            _metric("engine_queue", "gauge", "Jobs for the thread that writes, not done yet.", runtime.engine.jobs),
            _metric("database_bytes", "gauge", "Size of the database and its log.", runtime.folder.database_bytes()),
            _metric("disk_bytes", "gauge", "Size of the disk under the data folder.", disk.total),
            _metric("disk_free_bytes", "gauge", "What of it is free.", disk.free),
            _metric("disk_floor_bytes", "gauge", "Below so much free space this node pauses.", disk.floor),
            _metric("disk_low", "gauge", "1 while it pauses: nothing taken from peers, no import.", disk.low),
        )
        met = self._neighbours
        if met is None:
            return own
        received, sent, saved = met.meetings.traffic()
        return (
            *own,
            _metric("sessions", "gauge", "Sessions under way.", met.meetings.open_sessions()),
            _metric("sessions_total", "counter", "Sessions since the start.", met.meetings.begun),
            _metric("violations_total", "counter", "Sessions ended by a broken protocol.", met.meetings.violations),
            Metric(
                "comparisons_total",
                "counter",
                "Differences from other nodes, by how they were looked for, and why so.",
                tuple(Sample((("method", c.method), ("reason", c.reason)), runtime.comparisons[c]) for c in CHOICES),
            ),
            _metric("received_bytes_total", "counter", "Bytes received from other nodes.", received),
            _metric("sent_bytes_total", "counter", "Bytes sent to other nodes.", sent),
            _metric("saved_bytes_total", "counter", "Bytes that compression spared, both ways.", saved),
        )

    async def identity(self) -> IdentityInfo:
        """Who writes here."""
        keys = self._runtime.keys
        folder = self._runtime.folder
        return IdentityInfo(keys.person.public, keys.node.public, str(folder.path), folder.words_seen)

    async def add_device(self) -> str:
        """Let a new key of this person in wherever they are a member; the line that hands it over."""
        return await self._membership.devices.add(tuple(each.address for each in self._places()))

    async def recovery_words(self, language: str = "en") -> tuple[str, ...]:
        """The 12 recovery words."""
        if language not in LANGUAGES:
            raise Refused("unknown-language", f"Recovery words exist in: {', '.join(LANGUAGES)}.")
        found = words(self._runtime.keys.entropy, language)
        self._runtime.folder.note_words_seen()
        return tuple(found)

    def _places(self) -> tuple[Address, ...]:
        """How other nodes would dial this one, with what they say of it."""
        return self.addresses if self.introductions is None else self.introductions.judged(self.addresses)

    # -- peers

    async def peers(self) -> tuple[PeerInfo, ...]:
        """Peers kept, met and connected."""
        return () if self._neighbours is None else self._neighbours.infos()

    async def add_peer(self, address: str) -> PeerInfo:
        """Keep and dial an address."""
        return await self._met.add(address)

    async def remove_peer(self, address: str) -> None:
        """Forget a kept address."""
        await self._met.remove(address)

    async def block_peer(self, key: PublicKey) -> None:
        """End this node's sessions and refuse new ones."""
        await self._met.block(key)

    async def unblock_peer(self, key: PublicKey) -> None:
        """Meet this node again."""
        await self._met.unblock(key)

    @property
    def _met(self) -> Neighbours:
        if self._neighbours is None:
            raise Refused("no-node", "No node runs on this folder. Start one: p2pcommons up")
        return self._neighbours

    # -- commons

    async def list_commons(self) -> tuple[CommonsInfo, ...]:
        """All followed commons, ascending by id."""
        infos = []
        for commons in sorted(self._runtime.replica.followed()):
            try:
                infos.append(self._info(commons))
            except LocalProtocolError:
                pass  # the engine's thread let it go in this very moment
        return tuple(infos)

    async def nearby(self) -> tuple[NearbyCommons, ...]:
        """What nodes connected, or on the local network, announce."""
        met, lan = self._neighbours, self.lan
        if met is None:
            return ()

        def places(key: PublicKey) -> tuple[str, ...]:
            return () if lan is None else lan.places(key)

        here = {key: told for key, told in met.listings.items() if met.meetings.connected(key) or places(key)}
        return nearby_commons(here, self._runtime.replica.followed(), places)

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
        """Found a commons."""
        if recipe is None:
            commons = await self._membership.create(name, join, tuple(languages), territory, charter)
        else:
            check_recipe_alone(charter)
            commons = await self._beginnings.create(name, recipe, join, tuple(languages), territory)
        self._follow_changed()
        return self._info(commons)

    async def recipe(self, commons: CommonsId) -> RecipeFile:
        """Its rules as a signed file that another commons starts from."""
        return await self._beginnings.recipe(commons)

    async def lineage(self, commons: CommonsId) -> LineageInfo:
        """Where a commons came from, and what came from it."""
        return await self._beginnings.lineage(commons)

    async def fork(self, commons: CommonsId, name: str, progress: Progress | None = None) -> ForkInfo:
        """Found another commons from the state of this one; again goes on."""
        done = await self._forking.fork(commons, name, progress)
        self._follow_changed()
        base = (await self._beginnings.lineage(done.fork)).base
        assert base is not None
        return ForkInfo(self._info(done.fork), base, done.copied, done.kept, done.refused)

    async def criteria(self, commons: CommonsId) -> CriteriaInfo:
        """The four criteria, by numbers of this node."""
        return await self._measuring.criteria(commons)

    async def get_commons(self, commons: CommonsId) -> CommonsInfo:
        """One followed commons."""
        self._runtime.check_followed(commons)
        return self._info(commons)

    async def follow(self, commons: CommonsId, addresses: Sequence[str] = ()) -> CommonsInfo:
        """Follow, and keep and dial these addresses. FormError for one that is none: then nothing changed."""
        for address in addresses:
            parse_address(address)
        await self._runtime.run(lambda: self._runtime.replica.follow(commons))
        for address in addresses:
            await self._met.add(address)
        self._follow_changed()
        return self._info(commons)

    async def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons and its records."""
        self._runtime.check_followed(commons)
        await self._runtime.run(lambda: self._runtime.replica.unfollow(commons))
        await self._protecting.forget(commons)
        self._follow_changed()

    async def invite(self, commons: CommonsId, *, uses: int = 1, days: int = 30) -> Invitation:
        """Write an invitation and give its one line."""
        places = tuple(each.address for each in self._places())[:INVITATION_ADDRESSES_MAX]
        return await self._membership.invite(commons, uses, days, places)

    async def charter(self, commons: CommonsId, language: str = "en") -> CharterInfo:
        """The rules of a commons in words."""
        return await self._assemblies.ask(
            lambda: self._membership.charter(commons),
            commons,
            lambda moment: charter_info(moment, language, self._runtime.now_ms()),
        )

    async def charter_history(self, commons: CommonsId, rule: str | None = None) -> tuple[RuleChange, ...]:
        """The versions that rules had."""
        return await self._voting.rule_changes(commons, rule)

    async def proposals(self, commons: CommonsId) -> tuple[ProposalItem, ...]:
        """All proposals, the latest first."""
        return await self._voting.proposals(commons)

    async def proposal(self, commons: CommonsId, proposal: RecordId) -> ProposalInfo:
        """One proposal and what became of it."""
        return await self._voting.proposal(commons, proposal)

    async def comments(self, commons: CommonsId, proposal: RecordId) -> tuple[CommentInfo, ...]:
        """What was said of a proposal."""
        return await self._discussing.comments(commons, proposal)

    async def comment(
        self, commons: CommonsId, proposal: RecordId, text: str, *, on: RecordId | None = None
    ) -> CommentInfo:
        """Say something of a proposal."""
        return await self._discussing.comment(commons, proposal, text, on)

    async def propose(self, commons: CommonsId, question: Question) -> ProposalInfo:
        """Open a proposal."""
        return await self._voting.propose(commons, question)

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
        return await self._voting.amend(commons, proposal, text, params, words, stewards)

    async def answer_amendment(self, commons: CommonsId, amendment: RecordId, *, take: bool) -> ProposalInfo:
        """Take or refuse what somebody offered."""
        return await self._voting.answer(commons, amendment, take)

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
        return await self._voting.vote(commons, proposal, choice, reason, wording)

    async def close_vote(
        self, commons: CommonsId, proposal: RecordId, *, early: bool = False, afresh: bool = False
    ) -> ProposalInfo:
        """Publish what one counts, as a closer."""
        return await self._voting.close(commons, proposal, early, afresh)

    async def members(self, commons: CommonsId) -> MembersInfo:
        """Who is in, who are stewards, and by which ways one comes in."""
        return await self._stewardship.members(commons)

    async def name_oneself(self, commons: CommonsId, name: str) -> MembersInfo:
        """Say what one is called here."""
        await self._naming.say(commons, name)
        return await self.members(commons)

    async def admit(self, commons: CommonsId, key: PublicKey) -> ActInfo:
        """Let this key in, as the rules have it."""
        return await self._admitting.admit(commons, key)

    async def purge(
        self, commons: CommonsId, *, keys: Sequence[PublicKey] = (), entrances: Sequence[bytes] = ()
    ) -> ActInfo:
        """Take keys out for good, and close ways in."""
        return await self._stewardship.purge(commons, keys, entrances)

    async def declare_organisation(self, commons: CommonsId, people: Sequence[PublicKey], *, needed: int) -> ActInfo:
        """Say that one is an organisation, or that others speak for it."""
        return await self._speaking.declare(commons, people, needed)

    async def asked_acts(self, commons: CommonsId) -> tuple[AskedInfo, ...]:
        """What organisations ask their people."""
        return await self._speaking.asked(commons)

    async def approve_act(self, commons: CommonsId, act: RecordId) -> AskedInfo:
        """Approve of what an organisation would do."""
        return await self._speaking.approve(commons, act)

    async def leave(self, commons: CommonsId) -> ActInfo:
        """Be a member no more."""
        return await self._parting.leave(commons)

    async def remove_member(self, commons: CommonsId, key: PublicKey, *, words: str = "seen") -> ActInfo:
        """Take a person off the members."""
        return await self._parting.remove(commons, key, words)

    async def keep_words(self, commons: CommonsId, key: PublicKey, *, entries: Sequence[Subject] = ()) -> ActInfo:
        """Let what a former member wrote count after all."""
        return await self._parting.keep(commons, key, entries)

    async def name_stewards(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        end: Sequence[PublicKey] = (),
        quorum: int | None = None,
    ) -> ActInfo:
        """Make and unmake stewards."""
        return await self._stewardship.name_stewards(commons, add, end, quorum)

    async def join(self, invitation: str) -> CommonsInfo:
        """Follow the commons of an invitation and join it as soon as its charter is here."""
        commons, addresses = await self._membership.accept(invitation)
        if self._neighbours is not None:
            for address in addresses:
                await self._neighbours.add(address)
        self._follow_changed()
        await self._membership.settle(commons)
        return self._info(commons)

    async def digest(self, commons: CommonsId) -> DigestInfo:
        """One consistent moment, from memory."""
        self._runtime.check_followed(commons)
        return digest_info(self._runtime.digest(commons))

    def _info(self, commons: CommonsId) -> CommonsInfo:
        charter = self._runtime.replica.charter(commons)
        near = 0 if self._neighbours is None else self._neighbours.meetings.following(commons)
        if charter is None or not charter.founded:
            return CommonsInfo(
                commons, "waiting", neighbours=near, code="waiting", why="nobody met so far has brought its charter"
            )
        summed = self._runtime.digest(commons)
        code, why = self._wholeness(commons, summed.bodies_missing, near)
        filling = self._neighbours is not None and self._neighbours.meetings.filling(commons)
        return CommonsInfo(
            id=commons,
            state="filling" if filling else "here",
            name=charter.name,
            join=charter.join,
            languages=charter.languages,
            territory=charter.territory,
            announced=charter.announced,
            member=self._membership.is_member(charter),
            may_write=self._membership.may_write(charter),
            members=len(charter.members),
            records=summed.records,
            entries=summed.entries,
            bodies_missing=summed.bodies_missing,
            neighbours=near,
            code=code,
            why=why,
        )

    def _wholeness(self, commons: CommonsId, missing: int, near: int) -> tuple[str, str]:
        """Why a copy may not be whole, for programs and for people; empty where it is, as far as neighbours know."""
        met = self._neighbours
        if missing:
            return "bodies-missing", f"{missing} texts were lost or came damaged; they are asked for"
        if self._runtime.replica.pauses:
            return "disk-low", "the disk is nearly full: nothing is taken from other nodes until there is room"
        if not near or met is None:
            return "no-neighbour", "no neighbour that follows it is connected: what others wrote since is not here"
        return met.meetings.wholeness(commons)

    def _follow_changed(self) -> None:
        if self._neighbours is not None:
            self._neighbours.follow_changed()

    # -- entries

    async def search(self, query: Query) -> EntryPage:
        """Shown entries."""
        return await self._entries.search(query)

    async def get_entry(self, entry: Subject, commons: CommonsId | None = None, *, hidden: bool = False) -> EntryAnswer:
        """One shown entry, or a hidden one."""
        return await self._entries.get(entry, commons, hidden=hidden)

    async def add_entry(self, commons: CommonsId, entry: EntryJson) -> EntryAnswer:
        """A new entry."""
        return await self._entries.add(commons, entry)

    async def patch_entry(
        self,
        entry: Subject,
        patch: dict[str, Any],
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> EntryAnswer:
        """A human write: JSON Merge Patch."""
        return await self._entries.patch(entry, patch, commons, if_match)

    async def withdraw_entry(
        self,
        entry: Subject,
        reason: str | None = None,
        *,
        commons: CommonsId | None = None,
        if_match: Sequence[str] | None = None,
    ) -> Withdrawal:
        """Withdraw."""
        return await self._entries.withdraw(entry, reason, commons, if_match)

    async def restore_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> EntryAnswer:
        """Show a withdrawn entry again."""
        return await self._entries.restore(entry, commons)

    async def history(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[HistoryItem]:
        """What was written about an entry, newest first."""
        return await self._entries.history(entry, commons, limit, cursor)

    async def raw_records(
        self, entry: Subject, *, commons: CommonsId | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[RawRecord]:
        """The signed bytes themselves, oldest first."""
        return await self._entries.raw_records(entry, commons, limit, cursor)

    async def conflicts(
        self, commons: CommonsId | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[EntryJson]:
        """Shown entries that have conflicts."""
        return await self._entries.conflicts(commons, limit, cursor)

    async def batch(
        self, commons: CommonsId, lines: AsyncIterator[Sequence[bytes]]
    ) -> AsyncIterator[Sequence[BatchAnswer]]:
        """Add many entries."""
        return await batch(self._runtime, self._membership, commons, lines)

    # -- moderation

    async def report_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> ReportInfo:
        """Ask those who may to look at an entry."""
        return await self._protecting.report(await self._entries.place(entry, commons), entry, reason, text)

    async def hide_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> HiddenInfo:
        """Hide an entry, with a reason."""
        return await self._protecting.hide(await self._entries.place(entry, commons), entry, reason, text)

    async def unhide_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> ShownInfo:
        """Undo hidings of an entry."""
        return await self._protecting.unhide(await self._entries.place(entry, commons), entry)

    async def review_reports(self, entry: Subject, *, commons: CommonsId | None = None) -> ReviewInfo:
        """Answer the reports on an entry: it stays."""
        return await self._protecting.review(await self._entries.place(entry, commons), entry)

    async def moderation_queue(self, commons: CommonsId) -> QueueInfo:
        """Reports that wait."""
        return await self._protecting.queue(commons)

    async def hidden_entries(self, commons: CommonsId) -> tuple[HiddenInfo, ...]:
        """All that is hidden, and why."""
        return await self._protecting.hidden(commons)

    async def block_lists(self, commons: CommonsId) -> tuple[BlockListInfo, ...]:
        """Block lists, one's own first."""
        return await self._protecting.block_lists(commons)

    async def change_block_list(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        remove: Sequence[PublicKey] = (),
        reason: str = "other",
    ) -> BlockListInfo:
        """Change one's own block list."""
        return await self._protecting.change_block_list(commons, add, remove, reason)

    async def follow_block_list(self, commons: CommonsId, person: PublicKey, *, follow: bool = True) -> BlockListInfo:
        """Go by somebody's block list on this node, or do so no more."""
        return await self._protecting.follow_list(commons, person, follow=follow)

    async def erase_words(self, entry: Subject, *, commons: CommonsId | None = None) -> ErasedInfo:
        """Erase what one wrote about an entry."""
        return await self._own_words.erase(await self._entries.place(entry, commons), entry)

    async def take_down(self, entry: Subject, reason: str, *, commons: CommonsId | None = None) -> WithheldInfo:
        """Keep no text of an entry on this machine."""
        return await self._taking_down.take_down(await self._entries.place(entry, commons), entry, reason)

    async def release(self, entry: Subject, *, commons: CommonsId | None = None) -> None:
        """Ask others again for what was taken down here."""
        await self._taking_down.release(await self._entries.place(entry, commons), entry)

    async def withheld(self, commons: CommonsId) -> tuple[WithheldInfo, ...]:
        """What was taken down on this machine."""
        return await self._taking_down.withheld(commons)

    # -- changes

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        """Changes behind a position, in this node's own order of arrival."""
        recent = self._runtime.recent
        if recent is not None and recent[0] <= since:
            found = [row for row in recent[1] if row[0] > since][:limit]
        else:
            found = await self._runtime.read(lambda reader: reader.changes(since, limit))
        return [Change(*row) for row in found]

    async def latest_change(self) -> int:
        """The greatest position given so far."""
        return await self._runtime.read(lambda reader: reader.last_change())

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        """Wait until there is a change behind `since`."""
        return await self._runtime.wait_change(since, timeout_s)

    # -- exchange and upkeep

    async def export(self, format: str, query: Query) -> Export:
        """All shown entries a query finds."""
        chosen = find_format(format)
        for commons in query.commons:
            self._runtime.check_followed(commons)

        async def chunks() -> AsyncIterator[bytes]:
            yield chosen.head()
            cursor: str | None = None
            while True:
                page = _paged(query, cursor)
                found = await self._runtime.read(lambda reader, page=page: reader.search(page))  # type: ignore[misc]
                views = [(view_from_bytes(hit.subject, hit.view), hit.commons) for hit in found.hits]
                shown = [
                    entry_json(view, place)
                    for view, place in views
                    if not await self._protecting.lists_against(place, view.authors)
                ]
                yield b"".join(map(chosen.encode, shown))
                cursor = found.cursor
                if cursor is None:
                    return

        return Export(chosen.MEDIA_TYPE, f"p2pcommons{chosen.SUFFIXES[0]}", chunks())

    async def pack(self, path: Path, commons: CommonsId | None = None) -> PackInfo:
        """Write a pack file of one or all followed commons."""
        return await self._upkeep.pack(path, commons)

    async def unpack(self, path: Path) -> UnpackInfo:
        """Take a pack file; an invitation that waited for what it brings is used."""
        taken = await self._upkeep.unpack(path)
        self._follow_changed()
        await self.settle()
        return taken

    async def backup(self, path: Path) -> int:
        """Write a backup of the whole folder, private keys included."""
        return await self._upkeep.backup(path)

    async def verify(self, progress: Progress | None = None) -> VerifyInfo:
        """Check every hash and signature; bodies found damaged are asked for again."""
        return await self._upkeep.verify(progress)

    async def rebuild(self, progress: Progress | None = None) -> tuple[Rebuilt, ...]:
        """Make all views from records anew."""
        return await self._upkeep.rebuild(progress)

    async def doctor(self) -> tuple[Check, ...]:
        """Look at what commonly goes wrong."""
        return await self._upkeep.doctor()


def _paged(query: Query, cursor: str | None) -> Query:
    sort = query.sort or "created"  # an order that does not stop at a number of matches
    return Query(query.text, query.commons, query.filters, query.box, query.near, sort, (), _EXPORT_PAGE, cursor)


def _metric(name: str, kind: str, text: str, value: float) -> Metric:
    return Metric(name, kind, text, (Sample((), value),))


def node_address(key: PublicKey, host: str, port: int) -> str:
    """`KEY@HOST:PORT`, as another node would dial it."""
    bare = did_key(key).removeprefix("did:key:")
    return f"{bare}@[{host}]:{port}" if ":" in host else f"{bare}@{host}:{port}"
