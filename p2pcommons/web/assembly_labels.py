"""What people read for what members decide: matters, modes, choices, states, and the parameters of rules.

Tables of messages only, as `web.labels` has the others; a test keeps them complete. On a page a ballot is a *vote*, its
count the *result*, and closers are *those who close it*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from p2pcommons.web.texts import N_

MATTERS: Final[Mapping[str, str]] = {
    "text": N_("A question"), "rule": N_("A rule"), "admit": N_("Letting somebody in"),
    "remove": N_("Removing a member"), "steward": N_("Choosing stewards"), "amend": N_("An amendment"),
    "hide": N_("Hiding an entry"), "restore": N_("Showing an entry again"), "assess": N_("What we are like"),
}  # fmt: skip

MODES: Final[Mapping[str, str]] = {
    "majority": N_("By majority: more votes for than against."),
    "qualified": N_("By a majority of at least {p}/{q} of the votes for and against."),
    "consent": N_("By consent: somebody consents, and nobody upholds an objection."),
    "judgment": N_("By majority judgment: everybody grades every option, and the best middle grade wins."),
}

CHOICES: Final[Mapping[str, str]] = {
    "for": N_("For"), "against": N_("Against"), "consent": N_("I consent"), "object": N_("I object"),
    "abstain": N_("Abstain"),
}  # fmt: skip

CHOICE_HINTS: Final[Mapping[str, str]] = {
    "consent": N_("I can live with it"),
    "object": N_("it would do harm: I say why"),
    "abstain": N_("I answer, and count for neither side"),
}

ASKED: Final[Mapping[str, tuple[str, ...]]] = {
    "majority": ("for", "against", "abstain"),
    "qualified": ("for", "against", "abstain"),
    "consent": ("consent", "object", "abstain"),
    "judgment": (),
}
"""By mode: the words that one answers with; grades are asked for option by option."""

STATES: Final[Mapping[str, tuple[str, str, str]]] = {
    "open": (N_("Open"), "wait", "wait"),
    "over": (N_("Time is over: it waits to be closed"), "wait", "wait"),
    "split": (N_("Two texts: who proposed has to set one"), "warn", "turn"),
    "passed": (N_("Passed"), "check", "good"),
    "failed": (N_("Not passed"), "cross", "off"),
    "disorder": (N_("Out of order: nothing comes of it"), "stop", "off"),
    "outgrown": (N_("Undone: many members had not been asked"), "warn", "turn"),
    "reopened": (N_("Reopened: two votes on the same were closed without knowing of each other"), "warn", "turn"),
    "revised": (N_("Revised: it held, and was undone"), "warn", "turn"),
}
"""Words, icon and class."""

FAULTS: Final[Mapping[str, str]] = {
    "no_member": N_("Who proposed it was not a member."),
    "unapproved": N_("Too few of those who speak for the organisation that proposed it had approved."),
    "closers": N_("Those who should close it are not as many members as the rules ask."),
    "method": N_("It would be decided otherwise than the rules say."),
    "not_silent": N_("The stewards there are have not been silent for long enough."),
    "quorum": N_("It asks for more answers, or for fewer, than the rules say."),
    "params": N_("What it would have the rule say is not possible."),
    "version": N_("The rule had been changed when this was proposed."),
    "not_by_vote": N_("By the rules here, stewards choose stewards."),
    "no_amendment": N_("The amendment that it is about had not been offered."),
}

REVISED: Final[Mapping[str, str]] = {
    "equivocation": N_("somebody who closed it signed two different counts, so theirs counts for nothing"),
    "reopened": N_("another vote on the same had been closed elsewhere at the same time"),
    "outgrown": N_("an assembly twice as large had not been asked"),
    "removal": N_("somebody who proposed, closed or voted had been removed"),
}

REASONS: Final[Mapping[str, str]] = {
    "passed": N_("Enough are for it."),
    "no_quorum": N_("Fewer answered than have to."),
    "too_few": N_("Too few are for it."),
    "nobody_for": N_("Nobody is for it."),
    "objections": N_("An objection stands."),
    "tied": N_("More than one option is the best."),
}

SAID: Final[Mapping[str, str]] = {
    "counted": N_("counts"),
    "same": N_("says the same as another one of this person"),
    "double": N_("does not count: this person voted twice, differently"),
    "replaced": N_("changed by a later one"),
    "lapsed": N_("does not count: the text was changed after it"),
    "no_elector": N_("does not count: of nobody who may vote"),
    "unapproved": N_("does not count: too few of those who speak for the organisation approved of it"),
    "unfit": N_("does not count: it names another text than it was cast on"),
    "late": N_("does not count: it came after the count"),
}
"""What becomes of a ballot, and why one was left out."""

AMENDMENTS: Final[Mapping[str, str]] = {
    "open": N_("Offered"),
    "taken": N_("Taken: it is the text now"),
    "refused": N_("Refused by who proposed"),
    "own": N_("Put to a vote of its own"),
}

# -- rules

PARAMETERS: Final[Mapping[str, str]] = {
    "announcing.announced": N_("Announced to neighbours"),
    "join.policy": N_("How one becomes a member"),
    "invite.by": N_("Who may invite"),
    "organisations.needed": N_("How many people of an organisation must approve"),
    "stewards.by": N_("Who chooses stewards"),
    "stewards.least": N_("How many stewards there should be at least"),
    "stewards.months": N_("For how many months they serve"),
    "succession.months": N_("After how many months of silence"),
    "licence.expression": N_("Licence, as SPDX writes it; empty: each entry says its own"),
    "edit.by": N_("Who changes an entry"),
    "hide.by": N_("Who hides"),
    "host.by": N_("Who may host"),
    "replicas.floor": N_("How many full copies there should be"),
    "alarms.days": N_("After how many days"),
    "alarms.to": N_("Who is told"),
    "decide.mode": N_("How it is decided"),
    "decide.p": N_("Qualified majority: at least so many"),
    "decide.q": N_("of every so many votes for and against"),
    "decide.heads": N_("How many members have to answer at least"),
    "decide.percent": N_("And how many percent of all"),
    "decide.days": N_("For how many days one may vote"),
    "closing.closers": N_("How many members close a vote"),
    "closing.needed": N_("How many of them must agree"),
    "review.months": N_("After how many months rules are looked at again"),
}
"""By rule and parameter; all rules `decide.…` have the same ones."""

VALUES: Final[Mapping[str, str]] = {
    "yes": N_("Yes"), "no": N_("No"), "invite": N_("By invitation"), "open": N_("Open to everyone"),
    "vote": N_("A vote of the members"), "members": N_("Members"), "stewards": N_("Stewards"),
    "authors": N_("Who wrote it"), "anyone": N_("Anyone"), "majority": N_("Majority"),
    "qualified": N_("Qualified majority"), "consent": N_("Consent"), "judgment": N_("Majority judgment"),
}  # fmt: skip
"""What a parameter may say."""

# -- what is wrong in a form

FIELD_ERRORS: Final[Mapping[str, str]] = {
    "text": N_("Write what you propose, and why: 1 to 12,000 characters."),
    "comment": N_("Write something: 1 to 12,000 characters."),
    "reason": N_("A reason has at most 12,000 characters."),
    "words": N_("The words of a rule have at most 12,000 characters."),
    "choice": N_("Choose one."),
    "grades": N_("Give at least one option a grade, or abstain."),
    "object": N_("Say why you object: without a reason nobody can answer it."),
    "key": N_("Say whom: a key as the list of members shows it, such as did:key:z6Mk…"),
    "stewards": N_("Choose at least one member."),
    "options": N_("Write 1 to 64 different options, one a line, of at most 200 characters."),
    "grade-count": N_("Give how many grades there are: 2 to 10."),
    "closers": N_("Choose exactly as many as the rules ask, or none to leave it as it is proposed."),
    "number": N_("Give a whole number within its bounds."),
    "value": N_("Choose one of the values offered."),
    "agree": N_("These do not go together: more than half of those who close a vote must agree, and a share is more than a half and at most all."),
    "early": N_("Say that you mean to close it before its time."),
    "answer": N_("Take it, or refuse it."),
}  # fmt: skip
