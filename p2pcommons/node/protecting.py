"""What members do to protect what they share: report, hide, show again, review, block lists (chapter 23).

Nothing here decides: an act that has no right does nothing, on every node alike. It is refused here so that nobody
believes to have done what they could not. Acts name all heads as their past; what is written in words goes into plane 1.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from p2pcommons.commons.assembly_bodies import seen
from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.moderating import HIDING
from p2pcommons.commons.moderation import Hidden, Moderation, blocked, hide_by, may_hide
from p2pcommons.commons.moderation_bodies import REASONS, block, hide, report, review, show
from p2pcommons.commons.written import WRITE, Written, write
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import MODERATION_ACTS_MAX, MODERATION_IDS_MAX, PREV_MAX, SALT_BYTES
from p2pcommons.core.record import CommonsId, Plane, RecordId, Subject
from p2pcommons.errors import Conflict, Refused
from p2pcommons.node.acting import Acting, door_of
from p2pcommons.node.assemblies import Assemblies, Moment
from p2pcommons.node.membership import Membership
from p2pcommons.node.moderation_info import Me, block_lists, hidden_info, queue_info, report_info
from p2pcommons.node.moderation_values import (
    BlockListInfo,
    HiddenInfo,
    QueueInfo,
    ReportInfo,
    ReviewInfo,
    ShownInfo,
)
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.speaking import Speaking
from p2pcommons.sync.replica import Draft

T = TypeVar("T")
_NOBODY: Final[Mapping[bytes, tuple[bytes, ...]]] = {}


class _Right(NamedTuple):
    """What this node's person may do here now."""

    member: bool
    steward: bool
    by: str

    @property
    def hides(self) -> bool:
        return may_hide(self.by, member=self.member, steward=self.steward)


class _Blocked(NamedTuple):
    """The keys that this node does not show in a commons, as one charter and some lists have it."""

    charter: Charter
    lists: frozenset[bytes]
    keys: Mapping[bytes, tuple[bytes, ...]]  # each with whose lists name it


class Protecting:
    """Moderation of the commons followed here, and what this node's person does in it."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies, speaking: Speaking) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._speaking = speaking
        self._acting = Acting(runtime)
        self._blocked: dict[CommonsId, _Blocked] = {}
        self._lists: dict[CommonsId, frozenset[bytes]] = {}  # whose lists are gone by here, once looked up

    # -- reading

    async def queue(self, commons: CommonsId) -> QueueInfo:
        """What waits. NotFound `unknown-commons`; Conflict `commons-waiting`."""

        def look(moment: Moment) -> QueueInfo:
            right = self._right(moment)
            return queue_info(moment, self._mine(moment), right.by, right.hides, right.hides or right.steward)

        return await self._read(commons, look)

    async def hidden(self, commons: CommonsId) -> tuple[HiddenInfo, ...]:
        """All that is hidden, ascending. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        return await self._read(
            commons,
            lambda moment: tuple(self._shown(moment, found) for found in moment.moderation().hidden.values()),
        )

    async def why_hidden(self, commons: CommonsId, entry: Subject, authors: Sequence[bytes]) -> HiddenInfo | None:
        """Why an entry by these keys is not shown here; None where it is."""
        charter = self._membership.charter(commons)
        lists = await self.lists_against(commons, authors)
        if entry not in charter.hidden and not lists:
            return None
        found = await self._read(commons, lambda moment: self._why(moment, entry))
        if found is None and not lists:
            return None
        empty = HiddenInfo(entry, commons, None, (), (), (), False)
        return _with_lists(found or empty, lists)

    def _why(self, moment: Moment, entry: Subject) -> HiddenInfo | None:
        found = moment.moderation().hidden.get(entry)
        return None if found is None else self._shown(moment, found)

    # -- reports, hiding, showing, reviewing

    async def report(self, commons: CommonsId, entry: Subject, reason: str, text: str | None) -> ReportInfo:
        """Ask those who may to look at an entry. Refused `not-a-member`, `unknown-reason`."""
        _check_reason(reason)
        written = _written(text)
        await self._membership.ensure(commons)
        made = report(entry, reason, text=None if written is None else written.hash)
        await self._check_member(commons)
        await self._keep(commons, written)
        record = await self._write(commons, [made])
        return await self._read(commons, lambda moment: report_info(moment, self._mine(moment), record[0]))

    async def hide(self, commons: CommonsId, entry: Subject, reason: str, text: str | None) -> HiddenInfo:
        """Hide an entry, and answer the reports on it. Refused `not-allowed`; Conflict `by-vote`, `shown-by-vote`."""
        _check_reason(reason)
        written = _written(text)

        def look(moment: Moment) -> list[Made]:
            right, found = self._right(moment), moment.moderation()
            if right.by == "vote":
                raise Conflict(
                    "by-vote",
                    "By the rule `hide` of this commons only a vote of its members hides: "
                    f'p2pcommons propose "WHY" --hide {entry.hex()}',
                )
            self._check_hides(right)
            decided = moment.assembly.in_force(("entry", bytes(entry)))
            if decided is not None and moment.assembly.cases[decided.proposal].form.matter == "restore":
                raise Conflict(
                    "shown-by-vote",
                    "The members voted to show this entry: only another vote hides it: "
                    f'p2pcommons propose "WHY" --hide {entry.hex()}',
                )
            named = None if written is None else written.hash
            reports = _reports(found, entry)
            first = hide(entry, reason, reports=reports[:MODERATION_IDS_MAX], text=named)
            return [first, *_reviews(entry, reports[MODERATION_IDS_MAX:])[: MODERATION_ACTS_MAX - 1]]

        made = await self._look(commons, look)
        await self._keep(commons, written)
        await self._write(commons, made)
        found = await self._read(commons, lambda moment: self._why(moment, entry))
        assert found is not None, "a hiding by who may hide counts"
        return found

    async def unhide(self, commons: CommonsId, entry: Subject) -> ShownInfo:
        """Undo the hidings of an entry that one may undo. Refused `not-allowed`; Conflict `not-hidden`, `hidden-by-vote`."""

        def look(moment: Moment) -> list[bytes]:
            found = moment.moderation().hidden.get(entry)
            if found is None:
                raise Conflict("not-hidden", "This entry is not hidden in this commons: there is nothing to undo.")
            if found.proposal is not None:
                raise Conflict(
                    "hidden-by-vote",
                    "The members voted to hide this entry: only another vote shows it: "
                    f'p2pcommons propose "WHY" --restore {entry.hex()}',
                )
            right, mine = self._right(moment), self._mine(moment).shown
            own = [reason.id for reason in found.reasons if right.hides or reason.person == mine]
            if not right.member or not own:
                raise Refused(
                    "not-allowed",
                    "Others hid this entry: those who may hide can show it again, or the members by a vote: "
                    f'p2pcommons propose "WHY" --restore {entry.hex()}',
                )
            return own[: MODERATION_ACTS_MAX * MODERATION_IDS_MAX]

        undone = await self._look(commons, look)
        await self._write(commons, [show(entry, some) for some in _parts(undone)])
        hidden = await self._read(commons, lambda moment: self._why(moment, entry))
        return ShownInfo(entry, commons, tuple(map(RecordId, undone)), hidden)

    async def review(self, commons: CommonsId, entry: Subject) -> ReviewInfo:
        """Answer the reports on an entry: it stays. Refused `not-allowed`; Conflict `nothing-reported`."""

        def look(moment: Moment) -> list[bytes]:
            right = self._right(moment)
            if not right.steward:
                self._check_hides(right)
            reports = _reports(moment.moderation(), entry)
            if not reports:
                raise Conflict("nothing-reported", "No report on this entry waits: `p2pcommons moderation queue`.")
            return reports

        reports = await self._look(commons, look)
        made = _reviews(entry, reports)[:MODERATION_ACTS_MAX]
        await self._write(commons, made)
        left = max(0, len(reports) - MODERATION_ACTS_MAX * MODERATION_IDS_MAX)
        return ReviewInfo(entry, commons, len(reports) - left, left)

    # -- block lists

    async def block_lists(self, commons: CommonsId) -> tuple[BlockListInfo, ...]:
        """All block lists of a commons, one's own first. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        followed = await self._followed(commons)
        return await self._read(commons, lambda moment: block_lists(moment, self._mine(moment), followed))

    async def change_block_list(
        self, commons: CommonsId, add: Sequence[PublicKey], remove: Sequence[PublicKey], reason: str
    ) -> BlockListInfo:
        """Put keys on one's own list and take others off. Refused `not-a-member`; Conflict `yourself`, `too-many`."""
        _check_reason(reason)
        if self._me in add:
            raise Conflict("yourself", "That is your own key: a list of yours does not hide what you write.")
        if not add and not remove:
            raise Conflict("nothing-named", "Name a key to put on the list, or one to take off.")
        if max(len(add), len(remove)) > MODERATION_IDS_MAX:
            raise Conflict("too-many", f"At most {MODERATION_IDS_MAX} keys at a time.")
        await self._membership.ensure(commons)
        await self._check_member(commons)
        await self._write(commons, [block(dict.fromkeys(add, reason), remove)])
        if add:
            await self._follow(commons, self._me, follow=True)
        return (await self.block_lists(commons))[0]

    async def follow_list(self, commons: CommonsId, person: PublicKey, *, follow: bool) -> BlockListInfo:
        """Go by somebody's block list on this node, or do so no more. NotFound `unknown-commons`; Conflict `too-many`."""
        shown = await self._read(commons, lambda moment: self._mine(moment).of(person))
        await self._follow(commons, shown, follow=follow)
        lists = await self.block_lists(commons)
        return next((one for one in lists if one.person == shown), BlockListInfo(PublicKey(shown), False, follow))

    async def lists_against(self, commons: CommonsId, authors: Sequence[bytes]) -> tuple[PublicKey, ...]:
        """Whose block lists, of those followed here, name all of these keys; none where one of them is not named."""
        keys = await self._blocked_keys(commons)
        if not keys or not authors or not all(author in keys for author in authors):
            return ()
        return tuple(PublicKey(one) for one in sorted({person for author in authors for person in keys[author]}))

    async def forget(self, commons: CommonsId) -> None:
        """A commons that is followed no more: whose lists were gone by there is forgotten."""
        await self._put(commons, frozenset())

    async def _blocked_keys(self, commons: CommonsId) -> Mapping[bytes, tuple[bytes, ...]]:
        charter, lists = self._runtime.replica.charter(commons), await self._followed(commons)
        if charter is None or not lists:
            return _NOBODY
        known = self._blocked.get(commons)
        if known is None or known.charter is not charter or known.lists != lists:

            def look(moment: Moment) -> Mapping[bytes, tuple[bytes, ...]]:
                mine = self._mine(moment)
                named = blocked(moment.moderation().lists, lists, kept=mine.keys)
                return {key: whose for one, whose in named.items() for key in mine.all_keys(one)}

            known = self._blocked[commons] = _Blocked(charter, lists, await self._read(commons, look))
        return known.keys

    async def _followed(self, commons: CommonsId) -> frozenset[bytes]:
        if commons not in self._lists:
            kept = await self._runtime.read(lambda reader: reader.value(_lists_name(commons))) or b""
            self._lists[commons] = frozenset(kept[at : at + 32] for at in range(0, len(kept), 32))
        return self._lists[commons]

    async def _follow(self, commons: CommonsId, person: bytes, *, follow: bool) -> None:
        lists = set(await self._followed(commons))
        (lists.add if follow else lists.discard)(person)
        if len(lists) > MODERATION_IDS_MAX:
            raise Conflict("too-many", f"A node follows at most {MODERATION_IDS_MAX} block lists of a commons.")
        await self._put(commons, frozenset(lists))

    async def _put(self, commons: CommonsId, lists: frozenset[bytes]) -> None:
        store = self._runtime.store

        def put() -> None:
            with store.transaction():
                store.put_value(_lists_name(commons), b"".join(sorted(lists)) or None)

        await self._runtime.run(put)
        self._lists[commons] = lists
        self._blocked.pop(commons, None)

    # -- rights, and writing

    @property
    def _me(self) -> PublicKey:
        return self._runtime.keys.person.public

    def _mine(self, moment: Moment) -> Me:
        return Me.of_charter(moment.charter, self._me)

    def _shown(self, moment: Moment, found: Hidden) -> HiddenInfo:
        right, mine = self._right(moment), self._mine(moment)
        own = any(right.hides or reason.person == mine.shown for reason in found.reasons)
        return hidden_info(moment, mine, found, may_undo=found.proposal is None and right.member and own)

    def _right(self, moment: Moment) -> _Right:
        """What an act written on top of this moment would have the right to."""
        assembly, past = moment.assembly, moment.everything
        stewards = assembly.removals.stewards(past, assembly.removals.within(past))
        return _Right(self._me in assembly.pasts.members(past), self._me in stewards, hide_by(moment.rules))

    def _check_hides(self, right: _Right) -> None:
        if not right.member:
            raise _not_a_member()
        if not right.hides:
            raise Refused(
                "not-allowed",
                "By the rule `hide` of this commons its stewards do this: report the entry to them, with "
                "`p2pcommons report`.",
            )

    async def _check_member(self, commons: CommonsId) -> None:
        if not (await self._look(commons, self._right)).member:
            raise _not_a_member()

    async def _read(self, commons: CommonsId, question: Callable[[Moment], T]) -> T:
        return await self._assemblies.ask(lambda: self._membership.charter(commons), commons, question)

    async def _look(self, commons: CommonsId, question: Callable[[Moment], T]) -> T:
        """Asked of what the next act rests on."""
        self._membership.charter(commons)
        charter = await self._runtime.run(lambda: self._acting.known(commons))
        return await self._assemblies.ask(lambda: charter, commons, question, noted=False)

    async def _write(self, commons: CommonsId, some: Iterable[Made]) -> list[RecordId]:
        """Write acts, all on top of all heads: whatever gave this person a right is in their past."""
        some = list(some)
        await self._speaking.before(commons, (made for made in some if made.kind in HIDING))
        runtime = self._runtime
        charter = await runtime.run(lambda: self._acting.known(commons))
        door = await self._look(commons, lambda moment: door_of(moment.grounds, self._me))
        prev = await self._acting.merged(commons, seen(), charter.heads, door, PREV_MAX)
        drafts = [Draft(Plane.CHARTER, commons, prev, made.kind, encode_body(made.body)) for made in some]

        def put() -> list[RecordId]:
            written = runtime.replica.write(commons, runtime.keys.person, drafts, runtime.watch.signing_ms())
            return [record.id for record in written]

        return await runtime.run(put)

    async def _keep(self, commons: CommonsId, text: Written | None) -> None:
        """Write a text into plane 1, where it can be erased."""
        if text is None:
            return
        runtime, draft = self._runtime, Draft(Plane.CATALOGUE, text.hash, (), WRITE, text.body)
        await runtime.run(
            lambda: runtime.replica.write(commons, runtime.keys.person, [draft], runtime.watch.signing_ms())
        )


def _check_reason(reason: str) -> None:
    if reason not in REASONS:
        raise Refused("unknown-reason", f"Give one of these reasons: {', '.join(REASONS)}.")


def _reports(found: Moderation, entry: bytes) -> list[bytes]:
    return [one for waiting in found.queue if waiting.entry == entry for one in waiting.reports]


def _reviews(entry: bytes, reports: Sequence[bytes]) -> list[Made]:
    return [review(entry, some) for some in _parts(reports)]


def _parts(ids: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [ids[at : at + MODERATION_IDS_MAX] for at in range(0, len(ids), MODERATION_IDS_MAX)]


def _with_lists(found: HiddenInfo, lists: tuple[PublicKey, ...]) -> HiddenInfo:
    return replace(found, lists=lists)


def _not_a_member() -> Refused:
    return Refused(
        "not-a-member",
        "You are not a member of this commons: only its members protect it. Join it first, or ask a member for an "
        "invitation.",
    )


def _written(text: str | None) -> Written | None:
    return None if text is None else write(text, secrets.token_bytes(SALT_BYTES))


def _lists_name(commons: bytes) -> str:
    return f"block-lists/{commons.hex()}"
