"""Proposing: a question, a rule, who is a member or a steward, an amendment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from p2pcommons.api.wire import parse_hex32
from p2pcommons.commons.rules import DAY_MS, RULES, Decision
from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import GRADES_MAX
from p2pcommons.core.record import RecordId, Subject
from p2pcommons.errors import FormError, NotFound, Refused
from p2pcommons.node.assembly_values import EffectInfo, Question
from p2pcommons.node.values import ArticleInfo, CharterInfo, CommonsInfo, MembersInfo
from p2pcommons.web import labels
from p2pcommons.web.assembly_labels import FIELD_ERRORS
from p2pcommons.web.naming import names_of
from p2pcommons.web.proposal_form import Typed, check_text, key_of, keys_of, rule_said, typed_form
from p2pcommons.web.proposal_reading import article_of, mode_words, rule_change
from p2pcommons.web.rule_form import params_of, rule_fields, typed_of
from p2pcommons.web.rule_words import rule_sentence
from p2pcommons.web.views.proposals import own_keys, proposal_path
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address, now_ms

CHOSEN: Final = ("text", "remove", "admit", "steward")
"""Matters that one chooses in the form; a rule is questioned in the charter, an amendment put to the vote at its proposal."""


ON_ENTRIES: Final = ("hide", "restore")
"""Matters that one comes to from an entry's page."""


async def propose_form(visit: Visit) -> Answer:
    """`/commons/ID/proposals/new?matter=…`."""
    asked = {"key": visit.asked("key"), "amendment": visit.asked("amendment"), "entry": visit.asked("entry")}
    return await _proposing(visit, _matter(visit.asked("matter") or "text"), None, Typed(asked))


async def question_form(visit: Visit) -> Answer:
    """`/commons/ID/charter/RULE/question`."""
    rule = rule_of(visit)
    article, own = await _article(visit, rule)
    words = article.text if own else ""
    return await _proposing(visit, "rule", rule, Typed({**typed_of(article.params), "words": words}))


async def propose(visit: Visit) -> Answer:
    """Open a proposal."""
    return await _open(visit, _matter(visit.typed("matter") or "text"), None)


async def question(visit: Visit) -> Answer:
    """Open a proposal on a rule; with `look`, show what it would say first."""
    return await _open(visit, "rule", rule_of(visit))


async def _open(visit: Visit, matter: str, rule: str | None) -> Answer:
    typed = typed_form(visit)
    asked, typed = await _question(visit, matter, rule, typed)
    if typed.errors or visit.typed("look"):
        return await _proposing(visit, matter, rule, typed)
    try:
        made = await visit.commons.propose(visit.commons_id(), asked)
    except Refused as error:
        place = _AT.get(error.code)
        if place is None:
            raise
        return await _proposing(visit, matter, rule, typed.wrong(place, _words(error.code)))
    except FormError:
        return await _proposing(visit, matter, rule, typed.wrong("text", FIELD_ERRORS["text"]))
    return Redirect(address(proposal_path(made.commons, made.id), "proposed"))


_AT: Final[Mapping[str, str]] = {
    "bad-proposal": "", "bad-params": "", "bad-options": "options", "bad-closers": "closer", "unknown-member": "key",
    "already-a-member": "key", "not-by-vote": "", "not-silent": "succession", "unknown-amendment": "",
}  # fmt: skip
"""Refusals that leave the form open, by the field that they are told at; "" for the whole form."""


def _words(code: str) -> str:
    return labels.REFUSALS.get(code, labels.FIELD_ERROR)


async def _question(visit: Visit, matter: str, rule: str | None, typed: Typed) -> tuple[Question, Typed]:
    """What a form asks, and the form with what is wrong with it."""
    values = typed.values
    asked = Question(values["text"], matter)
    typed = check_text(typed)
    if rule is not None:
        article, _ = await _article(visit, rule)
        typed, params, words = rule_said(typed, rule, article.params, article.text)
        asked = replace(asked, rule=rule, params=params, words=words)
    if matter in ("admit", "remove"):
        person = key_of(values["key"])
        asked = replace(asked, person=person)
        if person is None:
            typed = typed.wrong("key", FIELD_ERRORS["key"])
    if matter == "steward":
        stewards = keys_of(typed.stewards)
        asked = replace(asked, stewards=stewards, succession=values["succession"] == "yes")
        if not stewards:
            typed = typed.wrong("steward", FIELD_ERRORS["stewards"])
    if matter in ON_ENTRIES:
        asked = replace(asked, entry=_entry(values["entry"]))
    if matter == "amend":
        asked = replace(asked, amendment=_amendment(values["amendment"]))
    if values["options"]:
        grades = values["grades"]
        asked = replace(asked, options=tuple(filter(None, map(str.strip, values["options"].splitlines()))))
        if grades.isascii() and grades.isdecimal() and len(grades) < 3 and 2 <= int(grades) <= GRADES_MAX:
            asked = replace(asked, grades=int(grades))
        else:
            typed = typed.wrong("grades", FIELD_ERRORS["grade-count"])
    return replace(asked, closers=keys_of(typed.closers)), typed


async def _proposing(visit: Visit, matter: str, rule: str | None, typed: Typed) -> Page:
    commons = visit.commons_id()
    info = await visit.commons.get_commons(commons)
    if not info.may_write:
        raise Refused("not-a-member", "Only members propose here. Ask one of them for an invitation.")
    charter = await visit.commons.charter(commons, visit.texts.language)
    members = await visit.commons.members(commons)
    mine = await own_keys(visit, members)
    values: dict[str, Any] = {
        "info": info,
        "matter": matter,
        "chosen": CHOSEN,
        "article": None if rule is None else article_of(charter, rule),
        "fields": [] if rule is None else rule_fields(rule),
        "change": None,
        "terms": _terms(visit, matter, charter, members, mine, info),
        "members": [(did_key(each.key), each.steward) for each in members.members],
        "former": [did_key(each.key) for each in members.former],
        "mine": mine,
        "called": names_of(members),
        "typed": typed,
        "action": f"/commons/{commons.hex()}/charter/{rule}/question"
        if rule
        else f"/commons/{commons.hex()}/proposals/new",
    }
    if rule is not None and visit.form and not set(typed.errors) - {"text"}:
        values["change"] = _preview(visit, charter, rule, typed)
    return Page("propose.html", values, 422 if typed.errors else 200)


def _preview(visit: Visit, charter: CharterInfo, rule: str, typed: Typed) -> Any:
    """What the rule would say, by what is typed."""
    article = article_of(charter, rule)
    assert article is not None
    params, _ = params_of(rule, typed.values)
    words = typed.values["words"] or None
    effect = EffectInfo(rule=rule, params=params, version=article.version, words=words)
    return rule_change(visit.texts, charter, (), effect)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a proposal would be decided, by the rules in force."""

    sentence: str  # of the charter
    mode: Any
    judged: bool
    electorate: int
    quorum: int
    closes_at: int
    closers: tuple[str, ...]  # unless others are chosen
    needed: int
    silent_months: int


def _terms(
    visit: Visit, matter: str, charter: CharterInfo, members: MembersInfo, mine: frozenset[str], info: CommonsInfo
) -> Terms:
    article = article_of(charter, f"decide.{matter}")
    params: Mapping[str, Any] = RULES[f"decide.{matter}"].defaults if article is None else article.params
    mode = str(params["mode"])
    threshold = (int(params["p"]), int(params["q"])) if mode == "qualified" else None
    decision = Decision(mode, threshold, int(params["heads"]), int(params["percent"]), int(params["days"]))
    electorate = len(members.members) + (not info.member)  # who may write becomes a member by it
    closing = article_of(charter, "closing")
    agreed: Mapping[str, Any] = RULES["closing"].defaults if closing is None else closing.params
    count = max(1, min(int(agreed["closers"]), electorate))
    order = sorted(members.members, key=lambda each: (not each.you, not each.steward))  # sorting keeps who came first
    silence = article_of(charter, "succession")
    return Terms(
        "" if article is None else article.text,
        mode_words(visit.texts, mode, threshold or ()),
        mode == "judgment",
        electorate,
        decision.quorum(electorate),
        now_ms() + decision.days * DAY_MS,
        tuple(did_key(each.key) for each in order[:count]),
        min(int(agreed["needed"]), count),
        int((RULES["succession"].defaults if silence is None else silence.params)["months"]),
    )


# -- parts


def rule_of(visit: Visit) -> str:
    """The rule of the path. NotFound where there is none of that name."""
    rule = str(visit.request.match_info.get("rule", ""))
    if rule not in RULES:
        raise NotFound("unknown-rule", f"there is no rule {rule[:40]!r}")
    return rule


async def _article(visit: Visit, rule: str) -> tuple[ArticleInfo, bool]:
    """A rule as it is now, and whether it is in people's own words."""
    charter = await visit.commons.charter(visit.commons_id(), visit.texts.language)
    article = article_of(charter, rule)
    if article is None:
        raise NotFound("unknown-rule", f"there is no rule {rule!r}")
    return article, article.text != rule_sentence(visit.texts, charter.template, rule, article.params)


def _matter(text: str) -> str:
    if text not in (*CHOSEN, *ON_ENTRIES, "amend"):
        raise NotFound("unknown-page", f"{text[:40]!r} is nothing that one proposes here")
    return text


def _entry(text: str) -> Subject:
    try:
        return Subject(parse_hex32(text))
    except FormError:
        raise NotFound("unknown-entry", "this is no entry's id") from None


def _amendment(text: str) -> RecordId:
    try:
        return RecordId(parse_hex32(text))
    except FormError:
        raise NotFound("unknown-amendment", "nobody offered this amendment") from None


VIEWS = (
    View("GET", "/commons/{commons}/proposals/new", propose_form),
    View("POST", "/commons/{commons}/proposals/new", propose, publishes=True),
    View("GET", "/commons/{commons}/charter/{rule}/question", question_form),
    View("POST", "/commons/{commons}/charter/{rule}/question", question, publishes=True),
)
