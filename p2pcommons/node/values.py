"""The fixed structures that the verbs of a node take and give (`Commons`, the API, its client, pages, commands).

Values only: no verb, no store, no JSON. Field names are the names of the JSON that people's programs see
(`p2pcommons.api.wire` reads the types below to write, read and describe it): a `PublicKey` is shown as a
`did:key`, an id or `Hash` as lower-case hex, `Blob` as base64, an `Instant` as RFC 3339. Entries are no fixed
structure: they travel as Entry JSON (`EntryJson`), text ids and times included.

The refusals that carry one of these values are here too; all others are in `p2pcommons.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, NewType, TypeVar

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import Conflict, NotFound

Instant = NewType("Instant", int)
"""Unix milliseconds; `p2pcommons.core.clock.to_ms` makes them of record times."""

Hash = NewType("Hash", bytes)
"""32 bytes shown as hex."""

Blob = NewType("Blob", bytes)
"""Bytes of any length, shown as base64."""

EntryJson = dict[str, Any]
"""One entry as the flat object of vocabulary fields that 'Entry JSON' describes; JSON values only."""

Progress = Callable[[int, int], None]
"""Called with (done, total), rarely enough to be cheap, from any thread; total 0 where it is not known yet."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A piece of a list; `next` is the opaque cursor of the piece behind it, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


# -- the node


@dataclass(frozen=True, slots=True)
class Health:
    """Whether every verb works now; read from memory, so that it may be asked at each request."""

    ready: bool
    detail: str = ""  # why not, for people


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """Who writes here and which machine this is."""

    person: PublicKey
    node: PublicKey
    data: str  # the data folder
    words_seen: bool = False  # whether the recovery words were shown since they were made


@dataclass(frozen=True, slots=True)
class Address:
    """An address of this node, as another node would dial it (`KEY@HOST:PORT`)."""

    address: str
    reach: str
    """`outside`: it was reached from outside; `local`: this network only; `nowhere`: tried in vain; `unknown`."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reachable:
    """Whether this node is reached from outside: others dialled back, and said so in the last 24 hours."""

    state: str = "unknown"  # "yes", "no" or "unknown": nobody was asked, or could tell
    address: str | None = None  # the one that most of them reached, or tried in vain
    told_by: int = 0  # how many nodes say so
    at: Instant | None = None  # when the last of them did


@dataclass(frozen=True, slots=True)
class CommonsInfo:
    """One followed commons, as its charter and this node's copy stand now."""

    id: CommonsId
    state: str  # "waiting": nothing here yet; "filling": first stream under way; "here"
    name: str | None = None  # None and empty below while waiting
    join: str | None = None  # "invite", "open" or "vote"
    languages: tuple[str, ...] = ()  # BCP 47
    territory: str | None = None  # INSEE or ISO 3166-2
    announced: bool = False
    member: bool = False  # this person is a member
    may_write: bool = False  # a write of this person would be taken (a member, or a follower at an open door)
    members: int = 0
    records: int = 0
    entries: int = 0  # shown ones
    bodies_missing: int = 0
    neighbours: int = 0  # sessions under way that follow it too
    code: str = ""  # why this copy may not be whole: one of `COPY_CODES`, "no-neighbour"; empty where it is
    why: str = ""  # the same for people


@dataclass(frozen=True, slots=True)
class PeerCommons:
    """How one commons stands between this node and a peer."""

    commons: CommonsId
    state: str  # "same", "comparing", "receiving", "sending", "differs"
    why: str = ""  # for people: how far it is, or why it is not complete
    records_received: int = 0
    records_sent: int = 0
    code: str = ""  # why it is not complete, for programs: one of `COPY_CODES`
    have: int = 0  # while receiving: so many records of the set are here,
    of: int = 0  # of about so many


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One peer: kept by a person, met, or connected now."""

    address: str | None  # None: it dialled us and told none
    key: PublicKey | None  # None: never reached
    state: str  # "connected", "connecting", "waiting" (to try again), "blocked"
    why: str = ""  # for people: the last error, or what it waits for
    kept: bool = False  # added by a person (`peer add` or an invitation), so dialled at every start
    outbound: bool = False  # this node dialled
    bytes_received: int = 0
    bytes_sent: int = 0
    connected_at: Instant | None = None
    next_try_at: Instant | None = None
    commons: tuple[PeerCommons, ...] = ()
    local: bool = False  # it announces itself on the local network
    code: str = ""  # `why` for programs: one of `PEER_CODES`; empty where nothing is wrong
    origin: str = "given"  # where its address came from: one of `PEER_ORIGINS`
    blocked: bool = False  # by a person here: no session with it, and it is not dialled to any end


PEER_CODES = (
    "unreachable", "timed-out", "bad-certificate", "not-a-node", "not-routable", "no-node", "link-lost", "stopping",
    "blocked", "wrong-key", "another-key", "itself", "own-key", "other-version", "clock-off", "disk-low",
    "cannot-keep", "met-already", "nothing-shared", "enough", "violation", "ended", "error",
)  # fmt: skip
"""What `PeerInfo.code` may be. `blocked`: one of both refuses the other; `wrong-key`: not the key that the address
names; `another-key`: not the one met there before; `own-key`: a copied folder; `ended`: the other side
ended the session for a reason of its own."""

PEER_ORIGINS = ("kept", "given", "lan", "heard", "incoming", "blocked")
"""What `PeerInfo.origin` may be. `kept`: a person gave the address, for good; `given`: for this run; `lan`: it announces
itself on the local network; `heard`: other nodes told of it; `incoming`: it dialled this node; `blocked`: its key is
known for that alone."""

COPY_CODES = (
    "waiting", "comparing", "receiving", "sending", "differs", "bodies-missing", "disk-low", "not-admitted", "later",
)  # fmt: skip
"""What `PeerCommons.code` and `CommonsInfo.code` may be besides `no-neighbour`: `waiting`, for the charter; `later`,
for records of a clock that is ahead, or ours behind; `sending`, for what is new here and not confirmed there (of a
commons: by no neighbour yet)."""


@dataclass(frozen=True, slots=True)
class DiskInfo:
    """The disk under the data folder, in bytes."""

    total: int
    free: int
    floor: int  # below it nothing is taken from peers and no import; own single writes go on
    low: bool  # whether that is so now


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know of, and only a person can end."""

    code: str  # one of `NOTICE_CODES`
    text: str
    about: tuple[str, ...] = ()  # which addresses, keys or commons it is about


NOTICE_CODES = (
    "clock-wrong",
    "clock-ahead",
    "disk-low",
    "own-key",
    "key-twice",
    "forked-chain",
    "left-behind",
    "review-due",
)
"""What `Notice.code` may be. `clock-wrong`: nothing is signed until the clock is set, or a person says that it is right
(`trust_clock`); `clock-ahead`: what is signed waits at others for its time; `own-key`, `key-twice`: a copied folder, of
this node or of a neighbour; `forked-chain`: two write with this person's key; `left-behind`: a key that recovery
replaced still counts; `review-due`: rules whose time to be looked at again is past (a reminder: they hold on)."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything one asks first: is it up, who is it, what does it follow, whom does it see."""

    ready: bool
    version: str
    person: PublicKey
    node: PublicKey
    data: str
    started_at: Instant
    latest_change: int  # position of the newest change (`changes`)
    api: str | None = None  # HOST:PORT, None with no server (command line with the node stopped)
    listen: str | None = None
    addresses: tuple[Address, ...] = ()
    commons: tuple[CommonsInfo, ...] = ()
    peers: tuple[PeerInfo, ...] = ()
    notices: tuple[Notice, ...] = ()  # what a person should look at
    lan: tuple[str, ...] = ()  # interfaces on which neighbours are looked for; none with --no-lan
    nearby: tuple[NearbyCommons, ...] = ()
    disk: DiskInfo | None = None
    reachable: Reachable = Reachable()
    heard: int = 0  # nodes that others told of, or that proved their address; 0 with --no-introductions


class Sample(NamedTuple):
    """One measured number with its labels."""

    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True, slots=True)
class Metric:
    """One Prometheus metric: name without the `p2pcommons_` in front, kind "counter" or "gauge"."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


# -- commons


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation just made: the line to paste, which holds a private key, shown once."""

    invitation: str
    commons: CommonsId
    uses: int
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """One rule of a charter, in words and as what programs read."""

    rule: str  # its id, such as `decide.rule`
    title: str
    text: str
    params: dict[str, Any]  # by name: whole numbers, words, true or false
    version: Hash  # id of the record that set it; zeros: nothing did, it holds by default
    review_at: Instant | None  # when it is to be looked at again; None where it holds by default
    promise: bool  # kept by people: no node computes anything from it
    since: Instant | None = None  # when it was set; None where it holds by default
    review_due: bool = False  # that time is past, by this node's clock: a reminder, and the rule holds on


@dataclass(frozen=True, slots=True)
class CharterPart:
    """A heading, some words, and the rules under it."""

    title: str
    text: str
    articles: tuple[ArticleInfo, ...]


@dataclass(frozen=True, slots=True)
class CharterInfo:
    """The charter of a commons in one language."""

    commons: CommonsId
    name: str
    template: str  # whose words it has
    title: str
    summary: str
    parts: tuple[CharterPart, ...]


@dataclass(frozen=True, slots=True)
class OrganisationInfo:
    """By whose approvals a member acts who is an organisation."""

    people: tuple[PublicKey, ...]  # ascending, each as they are shown
    needed: int  # how many of them
    divided: bool  # several lists of people, set without knowing of each other: of each so many have to approve


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A member: a person, shown under the key that let them in first."""

    key: PublicKey
    keys: tuple[PublicKey, ...]  # all that count now, ascending
    joined_at: Instant  # by the word of who wrote the record that let them in
    by: PublicKey | None  # who let them in; None for the founder
    steward: bool  # by role, or chosen by a vote
    you: bool  # this node's person
    chosen: bool = False  # steward by a vote alone: looks after the commons, and takes no key out for good
    organisation: OrganisationInfo | None = None  # None: a person
    name: str | None = None  # what they call themselves: anybody may say anything


REMOVAL_WORDS: Final = ("seen", "all", "none")
"""What counts of what a removed member wrote: what is here now, all of it and what they write yet, or nothing."""


@dataclass(frozen=True, slots=True)
class FormerInfo:
    """Who was let in and is a member no more; what they write is kept, and counts as the charter says."""

    key: PublicKey
    keys: tuple[PublicKey, ...]  # ascending
    how: str  # "left", "removed", or "unseated": let in by somebody who was removed
    by: tuple[PublicKey, ...]  # who removed them, ascending; none where they left
    since: Instant | None  # by the word of who wrote the record; None where there is none
    words: bool  # whether all that they wrote counts
    you: bool  # this node's person
    name: str | None = None  # what they call themselves


@dataclass(frozen=True, slots=True)
class EntranceInfo:
    """A way to become a member: an invitation, or an opening for anyone."""

    id: RecordId
    author: PublicKey
    open: bool  # to anyone
    used: int  # keys that came in by it
    uses: int | None = None  # for how many it is meant; None: any number
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class MembersInfo:
    """Who is in a commons, and by which ways one comes in."""

    commons: CommonsId
    quorum: int  # how many stewards must agree to take a key out and on who is steward
    steward: bool  # whether this node's person is one
    members: tuple[MemberInfo, ...]  # in the order they came
    entrances: tuple[EntranceInfo, ...]  # ascending by id
    former: tuple[FormerInfo, ...] = ()  # who left or was removed, ascending by key


@dataclass(frozen=True, slots=True)
class ActInfo:
    """What became of an act of stewards."""

    done: bool  # False: this person's yes is written, and more are needed
    agreed: int  # stewards who agree, this person counted
    needed: int
    record: RecordId | None = None  # the act's, where it is done


@dataclass(frozen=True, slots=True)
class DigestInfo:
    """One consistent moment of a commons; all zeros while waiting."""

    records: int
    fingerprint: Hash
    bodies_missing: int
    entries: int
    state: Hash


@dataclass(frozen=True, slots=True)
class NearbyCommons:
    """A commons that nodes met or nearby say they follow and that is announced: their word, until it is followed."""

    id: CommonsId
    name: str
    followed: bool = False  # by this node
    neighbours: int = 0  # how many say so
    addresses: tuple[str, ...] = ()  # some of theirs on the local network, to keep when following


# -- entries


@dataclass(frozen=True, slots=True)
class FacetCount:
    """How many found entries have this value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of what was found. `order` is the one really used (see `Found.order`)."""

    items: tuple[EntryJson, ...]
    total: int
    order: str
    next: str | None = None
    facets: Mapping[str, tuple[FacetCount, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryAnswer:
    """One entry and the tag of its present state: opaque, of `[0-9a-zA-Z_-]`, without quotes."""

    entry: EntryJson
    etag: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who withdrew an entry, when and why."""

    id: Subject
    commons: CommonsId
    by: PublicKey
    at: Instant
    reason: str | None = None


class EntryWithdrawn(NotFound):
    """The entry was withdrawn: code `withdrawn`."""

    def __init__(self, withdrawal: Withdrawal, detail: str) -> None:
        super().__init__("withdrawn", detail)
        self.withdrawal = withdrawal


class EntryChanged(Conflict):
    """The entry is not as the caller last saw it (`if_match`): code `entry-changed`, with the present one."""

    def __init__(self, present: EntryAnswer, detail: str) -> None:
        super().__init__("entry-changed", detail)
        self.present = present


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One record about an entry, newest first in lists."""

    record: RecordId
    author: PublicKey
    at: Instant
    kind: str
    prev: tuple[RecordId, ...]
    counts: bool  # whether its author's writes count under the charter
    body: dict[str, Any] | None  # JSON values only (bytes as hex); None where it was erased


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record's own bytes, oldest first in lists. `pack` alone suffices to check the signature."""

    id: RecordId
    header: Blob
    salt: Blob | None  # None, like the body, where it was erased
    body: Blob | None
    pack: Blob  # canonical bytes of a pack of this one record (chapter 13)


class BatchAnswer(NamedTuple):
    """The answer to one line of a batch: an id, or an error's kebab-case code and detail."""

    line: int  # from 1
    id: Subject | None
    unchanged: bool = False
    code: str | None = None
    detail: str = ""


class Change(NamedTuple):
    """An entry whose view changed on this node, at this place in its own order of arrival."""

    position: int
    commons: CommonsId
    id: Subject


@dataclass(frozen=True, slots=True)
class Export:
    """An export under way: what it is, what to call it, and its bytes."""

    media_type: str
    file_name: str
    chunks: AsyncIterator[bytes]


# -- exchange and upkeep


@dataclass(frozen=True, slots=True)
class PackInfo:
    """What a pack file holds."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class UnpackInfo:
    """What taking a pack file did."""

    commons: tuple[CommonsId, ...]
    records: int  # in the file
    new: int
    refused: Mapping[str, int] = field(default_factory=dict)  # code: how many


@dataclass(frozen=True, slots=True)
class VerifyInfo:
    """Every hash and signature checked: how many, and each fault in a sentence."""

    records: int
    bodies: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One commons' digest before and after its views were made anew."""

    commons: CommonsId
    before: DigestInfo
    after: DigestInfo


@dataclass(frozen=True, slots=True)
class Check:
    """One thing `doctor` looked at."""

    name: str
    ok: bool
    detail: str
    advice: str | None = None  # what to do, where it is not ok


# -- how a commons began, and how it fares


@dataclass(frozen=True, slots=True)
class RecipeInfo:
    """A recipe: of which commons, and who signed it."""

    commons: CommonsId  # the one whose rules it has
    name: str
    hash: Hash
    author: PublicKey
    made_at: Instant  # as its author says; whole days
    own_words: tuple[str, ...] = ()  # rules that have words of its people beside the template's


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe and its bytes."""

    info: RecipeInfo
    content: Blob


@dataclass(frozen=True, slots=True)
class AncestorInfo:
    """A commons that another one has its rules from, and the recipe that carried them."""

    commons: CommonsId
    recipe: Hash
    name: str | None = None  # where it is followed here


@dataclass(frozen=True, slots=True)
class BaseInfo:
    """The commons that a fork came from, and what is here of it."""

    commons: CommonsId
    records: int  # it had, when it was forked
    charter: Hash  # digest of the set of plane 0 then
    catalogue: Hash  # and of plane 1
    name: str | None = None  # where it is followed here
    state: str = "absent"  # "same": the copy here is as it was; "changed" since; "absent": not followed, or waiting
    file: str | None = None  # pack file of what it was, on the machine where it was forked


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A commons followed here that began from this one."""

    commons: CommonsId
    name: str
    by: str  # "recipe" or "fork"


@dataclass(frozen=True, slots=True)
class LineageInfo:
    """Where a commons came from, and what came of it as far as it is followed here."""

    commons: CommonsId
    line: tuple[AncestorInfo, ...] = ()  # commons its rules came through, the eldest first
    base: BaseInfo | None = None  # what it is a fork of
    children: tuple[ChildInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class ForkInfo:
    """A fork, and what was copied."""

    commons: CommonsInfo
    base: BaseInfo
    copied: int  # entries written by this call
    kept: int  # entries that were there already
    refused: Mapping[str, int] = field(default_factory=dict)  # code: entries that could not be copied


@dataclass(frozen=True, slots=True)
class EvidenceInfo:
    """One measured thing; what the numbers count is the measure's."""

    measure: str  # one of `criteria.MEASURES`
    state: str  # "met", "partly", "not_met" or "unknown"
    value: int | None = None
    of: int | None = None  # what `value` is compared with


@dataclass(frozen=True, slots=True)
class CriterionInfo:
    """One of the four criteria of a commons, as the numbers of this node suggest."""

    criterion: str  # one of `criteria.CRITERIA`
    state: str
    evidence: tuple[EvidenceInfo, ...]


@dataclass(frozen=True, slots=True)
class CriteriaInfo:
    """The four criteria of a commons."""

    commons: CommonsId
    at: Instant  # when this node computed it
    criteria: tuple[CriterionInfo, ...]
