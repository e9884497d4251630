"""The fixed structures that the verbs of an assembly take and give, as `p2pcommons.node.values` has the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.node.values import Hash, Instant

MATTERS = ("text", "rule", "admit", "remove", "hide", "restore", "steward", "amend")
"""What one may propose here. Where others proposed to assess, that is shown too."""

APPLIED = ("no", "yes", "revised")
"""What `applied` may be: `yes` while an outcome holds, `revised` where it held on this node and was undone."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is proposed. What does not belong to its matter is left out."""

    text: str  # for people: what, and why
    matter: str = "text"  # one of `MATTERS`
    rule: str | None = None  # matter "rule"
    params: Mapping[str, Any] | None = None  # those that change
    words: str | None = None  # how the rule is to read from then on, in people's own words
    person: PublicKey | None = None  # matters "admit" and "remove"
    entry: Subject | None = None  # matters "hide" and "restore"
    stewards: tuple[PublicKey, ...] = ()  # matter "steward"
    succession: bool = False  # and those there were are gone
    amendment: RecordId | None = None  # matter "amend"
    options: tuple[str, ...] = ()  # where the rule of the matter says majority judgment
    grades: int | None = None
    closers: tuple[PublicKey, ...] = ()  # else: who proposes, stewards, and who is a member for longest


@dataclass(frozen=True, slots=True)
class EffectInfo:
    """What is done when a proposal is passed; what does not belong to its matter is None."""

    rule: str | None = None
    params: dict[str, Any] | None = None
    version: Hash | None = None  # of the rule that it changes
    words: str | None = None  # how the rule is to read, where these words are here
    person: PublicKey | None = None
    stewards: tuple[PublicKey, ...] | None = None
    succession: bool | None = None
    entry: Subject | None = None
    amendment: RecordId | None = None
    criterion: str | None = None


@dataclass(frozen=True, slots=True)
class BallotInfo:
    """One ballot, and what becomes of it."""

    id: RecordId
    person: PublicKey | None  # None: of nobody who may vote
    at: Instant
    choice: str | None  # a word; None where it gives grades
    grades: dict[str, int] | None
    said: str  # "counted", "same", "double", "replaced", "lapsed", "no_elector", "unfit", "unapproved"
    late: bool  # no closing has gathered it
    reason: str | None  # in words, where these are here
    you: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A ballot that a closer left out, and why."""

    ballot: RecordId
    why: str


@dataclass(frozen=True, slots=True)
class ClosingInfo:
    """What one closer counted, and what this node counts over the same ballots."""

    id: RecordId
    closer: PublicKey
    at: Instant
    count: int  # as it says
    root: Hash
    recount: str  # "same", "different", or "wording": another text was current
    counted: int  # by this node
    why: str  # what the recount found, for people
    round: int  # from 1: where those of one cannot agree any more, closers close once more
    equivocates: bool  # its closer signed another one of this round that says something else: neither counts
    stands: bool  # it is one of those that make the outcome
    left_out: tuple[LeftOut, ...]
    you: bool


@dataclass(frozen=True, slots=True)
class AmendmentInfo:
    """Another wording that somebody offered."""

    id: RecordId
    author: PublicKey
    at: Instant
    state: str  # "open", "taken", "refused" or "own"
    text: str | None
    effect: EffectInfo


@dataclass(frozen=True, slots=True)
class CommentInfo:
    """What somebody said of a proposal."""

    id: RecordId
    author: PublicKey  # the key that the person is shown under
    at: Instant
    text: str
    on: RecordId | None  # the comment it answers
    member: bool  # its author, now


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """One option of a majority judgment."""

    name: str
    rank: int  # from 1; equal ones share it
    median: int  # the grade in the middle
    counts: tuple[int, ...]  # ballots by grade, the lowest first


@dataclass(frozen=True, slots=True)
class StepInfo:
    """How two neighbours in the ranking compare."""

    better: str
    other: str
    aside: int  # median grades set aside of each until they differ
    grade: int
    other_grade: int  # the same where the two are equal throughout


@dataclass(frozen=True, slots=True)
class TallyInfo:
    """The count with its working."""

    final: bool  # of a vote that is closed; else of the ballots that are here
    passed: bool
    reason: str  # "passed", "no_quorum", "too_few", "nobody_for", "objections", "tied"
    electorate: int
    quorum: int
    answered: int
    abstained: int
    void: int
    counts: dict[str, int]  # by word
    needed: int | None  # of those for it
    options: tuple[OptionInfo, ...]
    steps: tuple[StepInfo, ...]


@dataclass(frozen=True, slots=True)
class ProposalItem:
    """One proposal in a list."""

    id: RecordId
    author: PublicKey
    at: Instant
    matter: str
    title: str | None  # the beginning of its text; None where that is not here, or was erased
    state: str  # "disorder", "open", "split", "failed", "passed", "outgrown", "reopened"
    electorate: int
    answered: int
    closes_at: Instant
    applied: str  # one of `APPLIED`
    may_vote: bool = False  # this node's person
    voted: bool = False  # and has: a ballot of theirs counts as things stand
    may_close: bool = False  # this node's person, who has not closed it yet


@dataclass(frozen=True, slots=True)
class ProposalInfo:
    """One proposal and all that became of it."""

    id: RecordId
    commons: CommonsId
    author: PublicKey
    at: Instant
    matter: str
    state: str
    fault: str | None  # why it is out of order
    wordings: tuple[RecordId, ...]  # records whose text is up to vote; several where the text is split
    text: str | None  # that is voted on, or was; None where it is not here, or was erased
    text_hash: Hash
    effect: EffectInfo
    mode: str  # "majority", "qualified", "consent" or "judgment"
    threshold: tuple[int, ...]  # qualified: p and q of p/q
    options: tuple[str, ...]
    grades: int | None
    electorate: int  # persons who may vote
    quorum: int  # who have to answer
    closers: tuple[PublicKey, ...]
    closers_needed: int
    round: int  # of closings, that is open or was the last one
    opens_at: Instant
    closes_at: Instant
    closed_at: Instant | None
    may_vote: bool  # this node's person
    may_close: bool
    yours: BallotInfo | None  # the ballot of this node's person that counts
    ballots: tuple[BallotInfo, ...]
    closings: tuple[ClosingInfo, ...]
    amendments: tuple[AmendmentInfo, ...]
    tally: TallyInfo | None
    applied: str
    revised: str | None  # what undid it: "equivocation", "reopened", "outgrown" or "removal"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One version of a rule."""

    rule: str
    version: RecordId  # the proposal that set it, or the founding record
    at: Instant  # closed, or founded
    params: dict[str, Any]
    title: str | None  # of that proposal; None for the founding, or where the text is not here
    in_force: bool
    words: str | None = None  # how people said it then, where these words are here; None: the words of the template
