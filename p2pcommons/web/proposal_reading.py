"""One proposal for a reader: its state in words, their own vote, what it changes, how it is decided and came out.

Values of the verbs in, plain values for templates out. What people wrote stays text: templates escape it and isolate
its direction. Knows no request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from p2pcommons.commons.rules import RULES
from p2pcommons.core.identity import PublicKey
from p2pcommons.node.assembly_values import (
    BallotInfo,
    ClosingInfo,
    EffectInfo,
    ProposalInfo,
    ProposalItem,
    RuleChange,
    StepInfo,
    TallyInfo,
)
from p2pcommons.node.values import ArticleInfo, CharterInfo
from p2pcommons.web.assembly_labels import CHOICES, MODES, SAID, STATES
from p2pcommons.web.rule_words import ParamRow, param_rows, rule_sentence, rule_title
from p2pcommons.web.texts import N_, Texts
from p2pcommons.web.wording import excerpt

ZEROS: Final = bytes(32)
TITLE_CHARACTERS: Final = 120  # as in lists of the verbs


def standing(state: str, applied: str, closes_at: int, now_ms: int) -> tuple[str, str, str]:
    """How a proposal stands: words (a message), icon and class."""
    if applied == "revised":
        return STATES["revised"]
    if state == "open" and closes_at < now_ms:
        return STATES["over"]
    return STATES.get(state, (state, "stop", "off"))


def parted(text: str | None) -> tuple[str | None, str]:
    """The first line of a text, which is its title, and the rest; all of it below a title that had to be cut."""
    if text is None:
        return None, ""
    title, _, rest = text.strip().partition("\n")
    if len(title) > TITLE_CHARACTERS:
        return excerpt(title, TITLE_CHARACTERS), text.strip()
    return title.strip(), rest.strip()


# -- lists


class Group(NamedTuple):
    """Proposals that belong together in a list."""

    name: str
    items: Sequence[ProposalItem]


def grouped(items: Iterable[ProposalItem], now_ms: int) -> list[Group]:
    """First what waits for this reader's vote, then what waits to be closed by them, what is open, and all others."""
    found: dict[str, list[ProposalItem]] = {"vote": [], "close": [], "open": [], "done": []}
    for one in items:
        over = one.closes_at < now_ms or one.answered >= one.electorate
        if one.may_vote and not one.voted and one.closes_at >= now_ms:
            found["vote"].append(one)
        elif one.may_close and over:
            found["close"].append(one)
        else:
            found["open" if one.state in ("open", "split") else "done"].append(one)
    for name in ("vote", "close", "open"):
        found[name].sort(key=lambda one: (one.closes_at, one.id))
    return [Group(name, some) for name, some in found.items()]


# -- the reader's vote


class Receipt(NamedTuple):
    """What became of the reader's vote."""

    said: str  # "counted", "late", "lapsed", "double", "none"; "not_asked": they have none
    ballot: BallotInfo | None
    reached: int  # neighbours who confirmed that they hold all that is here


def receipt(shown: ProposalInfo, reached: int) -> Receipt:
    """What became of the reader's vote, as far as is known here."""
    if shown.yours is not None:
        return Receipt("late" if shown.yours.late else "counted", shown.yours, reached)
    own = [one for one in shown.ballots if one.you]
    for said in ("double", "lapsed"):
        last = next((one for one in reversed(own) if one.said == said), None)
        if last is not None:
            return Receipt(said, last, reached)
    late = next((one for one in reversed(own) if one.late), None)
    if late is not None:
        return Receipt("late", late, reached)
    return Receipt("none" if shown.may_vote else "not_asked", None, reached)


def choice_words(texts: Texts, ballot: BallotInfo) -> Markup:
    """What a vote says: a word, or the grade of each option."""
    if ballot.choice is not None:
        return texts.text(CHOICES.get(ballot.choice, ballot.choice))
    return Markup(" · ").join(_grade(texts, name, grade) for name, grade in sorted((ballot.grades or {}).items()))


def _grade(texts: Texts, option: str, grade: int) -> Markup:
    return texts.text("{option}: {grade}", option=isolated(option), grade=texts.number(grade))


def isolated(text: str) -> Markup:
    """A stranger's text of an unknown language and direction."""
    return Markup('<bdi lang="">{}</bdi>').format(text)


def fate(ballot: BallotInfo) -> str:
    """What becomes of a vote: a message."""
    return SAID["late"] if ballot.late else SAID.get(ballot.said, ballot.said)


# -- what it changes


class Change(NamedTuple):
    """What a rule says now and what it would say."""

    rule: str
    title: str
    before: str | None  # None: not known here
    after: str | None  # None: what is proposed is not possible
    own: bool  # whether `after` is in people's own words
    params: Sequence[ParamRow]


def rule_change(texts: Texts, charter: CharterInfo, history: Sequence[RuleChange], effect: EffectInfo) -> Change | None:
    """What a proposal on a rule changes; None where it is on none."""
    if effect.rule is None:
        return None
    rule, params = effect.rule, effect.params or {}
    was, before = _before(texts, charter, history, effect)
    after = rule_sentence(texts, charter.template, rule, params, effect.words)
    rows = param_rows(texts, rule, was, params) if rule in RULES and after is not None else []
    title = rule_title(texts, charter.template, rule)
    return Change(rule, title, before, after, effect.words is not None, rows)


def _before(
    texts: Texts, charter: CharterInfo, history: Sequence[RuleChange], effect: EffectInfo
) -> tuple[Mapping[str, Any] | None, str | None]:
    """The version that a proposal changes: its parameters and its words."""
    rule = effect.rule or ""
    article = article_of(charter, rule)
    if article is not None and article.version == effect.version:
        return article.params, article.text
    past = next((one for one in history if (one.rule, bytes(one.version)) == (rule, effect.version)), None)
    if past is not None:
        return past.params, rule_sentence(texts, charter.template, rule, past.params, past.words)
    if effect.version == ZEROS and rule in RULES:
        return RULES[rule].defaults, rule_sentence(texts, charter.template, rule, {})
    return None, None


def article_of(charter: CharterInfo, rule: str) -> ArticleInfo | None:
    """One rule of a charter, if it is there."""
    return next((article for part in charter.parts for article in part.articles if article.rule == rule), None)


# -- how it is decided, and came out


def mode_words(texts: Texts, mode: str, threshold: Sequence[int]) -> Markup:
    """How votes are counted."""
    p, q = threshold if len(threshold) == 2 else (0, 0)
    return texts.text(MODES.get(mode, mode), p=p, q=q)


class Line(NamedTuple):
    """One number of a count."""

    label: Markup
    number: int


def tally_lines(texts: Texts, tally: TallyInfo) -> list[Line]:
    """The numbers of a count, in the order of the sum."""
    lines = [Line(texts.text(CHOICES.get(word, word)), number) for word, number in tally.counts.items()]
    lines.append(Line(texts.text("Abstained"), tally.abstained))
    lines.append(Line(texts.text("Not answered"), max(0, tally.electorate - tally.answered)))
    if tally.void:
        lines.append(Line(texts.text("Answers that fit nothing here"), tally.void))
    return lines


def step_words(texts: Texts, step: StepInfo) -> Markup:
    """Why one option stands before another."""
    names = {"better": isolated(step.better), "other": isolated(step.other)}
    if step.grade == step.other_grade:
        return texts.text("{better} and {other} have the same grades throughout.", **names)
    grades = {"grade": step.grade, "other_grade": step.other_grade}
    if not step.aside:
        return texts.text("{better} before {other}: its middle grade is {grade}, not {other_grade}.", **names, **grades)
    return texts.count(
        "{better} before {other}: with {n} middle grade of each set aside, the next is {grade} against {other_grade}.",
        "{better} before {other}: with {n} middle grades of each set aside, the next is {grade} against {other_grade}.",
        step.aside,
        **names,
        **grades,
    )


def recount_words(texts: Texts, closing: ClosingInfo) -> Markup:
    """What this node finds over the ballots that a closing names."""
    if closing.equivocates:
        return texts.text("Signed two different counts: neither counts for anything.")
    if closing.recount == "same":
        return texts.text("The same, counted again here.")
    if closing.recount == "wording":
        return texts.text("Different: another text was up to vote when this was counted.")
    if closing.count != closing.counted:
        return texts.text(
            "Different: of the votes it names, {counted} count here, not {count}.",
            counted=texts.number(closing.counted),
            count=texts.number(closing.count),
        )
    return texts.text("Different: as many votes count here, but others than it says.")


class Left(NamedTuple):
    """A vote that somebody who closed it left out."""

    ballot: bytes
    person: PublicKey | None
    why: str  # a message


def left_out(shown: ProposalInfo, closing: ClosingInfo, most: int) -> list[Left]:
    """The votes that a closing left out, the first `most` of them."""
    persons = {one.id: one.person for one in shown.ballots}
    return [
        Left(one.ballot, persons.get(one.ballot), SAID.get(one.why, N_("left out"))) for one in closing.left_out[:most]
    ]
