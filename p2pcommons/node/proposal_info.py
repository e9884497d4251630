"""Proposals as people and programs read them: values of `node.assembly_values`, made of one moment of an assembly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from p2pcommons.commons.ballots import COUNTED, Verdict
from p2pcommons.commons.closings import DIFFERENT, SAME, Closing
from p2pcommons.commons.matters import Effect
from p2pcommons.commons.minutes import Minute
from p2pcommons.commons.rules import RuleVersion
from p2pcommons.commons.tally import Consent, Judgment, Method, Qualified, Tally
from p2pcommons.core.clock import to_ms
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import ZEROS, RecordId, Subject
from p2pcommons.node.assemblies import Moment
from p2pcommons.node.assembly_values import (
    AmendmentInfo,
    BallotInfo,
    ClosingInfo,
    EffectInfo,
    LeftOut,
    OptionInfo,
    ProposalInfo,
    ProposalItem,
    RuleChange,
    StepInfo,
    TallyInfo,
)
from p2pcommons.node.values import Hash, Instant

_TITLE_CHARACTERS = 120  # a line of a list


def proposal_items(moment: Moment, me: bytes) -> tuple[ProposalItem, ...]:
    """All proposals, the latest first by the word of their authors. `me`: the key of who reads them."""
    texts = moment.texts(minute.text for minute in moment.minutes.proposals)
    return tuple(
        ProposalItem(
            RecordId(minute.id),
            PublicKey(minute.author),
            Instant(_at(moment, minute.id)),
            minute.matter,
            _title(texts.get(minute.text)),
            minute.state,
            minute.electorate,
            0 if minute.tally is None else minute.tally.answered,
            Instant(minute.closes),
            _applied(moment, minute),
            *_asked(moment, minute, me),
        )
        for minute in sorted(moment.minutes.proposals, key=lambda m: (-_at(moment, m.id), m.id))
    )


def _asked(moment: Moment, minute: Minute, me: bytes) -> tuple[bool, bool, bool]:
    """Whether a person may vote on a proposal, has, and may close it still."""
    case = moment.assembly.cases[minute.id]
    person = case.elector(me, moment.everything, moment.assembly.pasts) if minute.state == "open" else None
    if person is None:
        return False, False, False
    closed = any(closing.closer == person for closing in minute.closings)
    voted = any(one.elector == person and one.code == COUNTED for one in minute.ballots)
    return True, voted, person in case.closers and not closed


def proposal_info(moment: Moment, minute: Minute, me: bytes) -> ProposalInfo:
    """One proposal. `me`: the key of who reads it."""
    assembly, case = moment.assembly, moment.assembly.cases[minute.id]
    person = case.elector(me, moment.everything, assembly.pasts)
    wording = case.wordings.get(minute.wordings[0]) if minute.wordings else None
    effect = case.form.effect if wording is None else wording.effect
    offers = {one.id: assembly.offers[one.id] for one in minute.amendments}
    hashes = {minute.text, *_words_of(effect), *(one.text for one in minute.amendments)}
    for offer in offers.values():
        hashes.update(_words_of(offer.effect))
    hashes.update(reason for v in minute.ballots if (reason := _reason(moment, v)) is not None)
    texts = moment.texts(hashes)
    ballots = tuple(_ballot(moment, minute, verdict, person, texts) for verdict in minute.ballots)
    mode, threshold, options, grades = _method(case.form.method)
    return ProposalInfo(
        id=RecordId(minute.id),
        commons=moment.charter.commons,
        author=PublicKey(minute.author),
        at=Instant(_at(moment, minute.id)),
        matter=minute.matter,
        state=minute.state,
        fault=minute.fault,
        wordings=tuple(RecordId(one) for one in minute.wordings),
        text=texts.get(minute.text),
        text_hash=Hash(minute.text),
        effect=_effect(effect, texts),
        mode=mode,
        threshold=threshold,
        options=options,
        grades=grades,
        electorate=minute.electorate,
        quorum=minute.quorum,
        closers=tuple(PublicKey(key) for key in case.form.closers),
        closers_needed=minute.k,
        round=minute.round,
        opens_at=Instant(minute.opens),
        closes_at=Instant(minute.closes),
        closed_at=None if minute.outcome is None else Instant(to_ms(minute.outcome.closed)),
        may_vote=person is not None and minute.state == "open",
        may_close=person is not None and person in case.closers and minute.state == "open",
        yours=next((one for one in ballots if one.you and one.said == COUNTED), None),
        ballots=tuple(sorted(ballots, key=lambda b: (b.at, b.id))),
        closings=tuple(_closing(minute, closing, person) for closing in minute.closings),
        amendments=tuple(
            AmendmentInfo(
                RecordId(one.id), PublicKey(one.author), Instant(_at(moment, one.id)), one.state, texts.get(one.text),
                _effect(offers[one.id].effect, texts),
            )
            for one in minute.amendments
        ),
        tally=None if minute.tally is None else _tally(minute.tally, minute.outcome is not None),
        applied=_applied(moment, minute),
        revised=moment.revised.get(minute.id),
    )  # fmt: skip


def rule_changes(moment: Moment, rule: str | None) -> tuple[RuleChange, ...]:
    """The versions that rules had, the first ones first: of one rule, or of all that were changed."""
    found = [
        m for m in moment.minutes.proposals if m.matter == "rule" and m.state == "passed" and m.outcome is not None
    ]
    found = [m for m in found if rule is None or _rule_of(m) == rule]
    versions = [moment.assembly.version(m.outcome) for m in found if m.outcome is not None]
    founded = moment.assembly.founded.versions.values()
    worded = {one.text for one in (*versions, *founded) if one.text is not None}
    texts = moment.texts({*(m.text for m in found), *worded})
    now = moment.rules.versions
    changes = []
    for minute, version in zip(found, versions, strict=True):
        changes.append(
            RuleChange(
                version.rule,
                RecordId(minute.id),
                Instant(version.since_ms),
                dict(version.params),
                _title(texts.get(minute.text)),
                now[version.rule].version == minute.id,
                _words(version, texts),
            )
        )
    changed = {change.rule for change in changes}
    first = [
        RuleChange(
            one.rule, RecordId(one.version), Instant(one.since_ms), dict(one.params), None,
            now[one.rule].version == one.version, _words(one, texts),
        )
        for one in founded
        if one.rule == rule or (rule is None and one.rule in changed)
    ]  # fmt: skip
    return tuple(sorted([*first, *changes], key=lambda change: (change.at, change.version)))


def _words(version: RuleVersion, texts: Mapping[bytes, str]) -> str | None:
    return None if version.text is None else texts.get(version.text)


def _rule_of(minute: Minute) -> str:
    return "" if minute.topic is None else minute.topic[1].decode()


def _at(moment: Moment, record: bytes) -> int:
    return to_ms(moment.grounds.records[record].header.time)


def _title(text: str | None) -> str | None:
    if text is None:
        return None
    line = text.strip().splitlines()[0]
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1] + "…"


def _applied(moment: Moment, minute: Minute) -> str:
    if minute.id in moment.revised:
        return "revised"
    holds = minute.in_force if minute.topic is not None else minute.state == "passed"
    return "yes" if holds else "no"


def _words_of(effect: Effect) -> set[bytes]:
    words = effect.content.get("text")
    return {words} if effect.version is not None and isinstance(words, bytes) and words != ZEROS else set()


def _effect(effect: Effect, texts: Mapping[bytes, str]) -> EffectInfo:
    content, topic = effect.content, effect.topic
    sort, name = ("", b"") if topic is None else topic
    if sort == "rule":
        words = next((texts[one] for one in _words_of(effect) if one in texts), None)
        params: dict[str, Any] = {str(key): value for key, value in content["params"].items()}
        return EffectInfo(rule=name.decode(), params=params, version=Hash(effect.version or ZEROS), words=words)
    if sort == "person":
        return EffectInfo(person=PublicKey(name))
    if sort == "stewards":
        keys = tuple(PublicKey(key) for key in content["keys"])
        return EffectInfo(stewards=keys, succession=content.get("succession") is True)
    if sort == "entry":
        return EffectInfo(entry=Subject(name))
    if sort == "amendment":
        return EffectInfo(amendment=RecordId(name))
    return EffectInfo(criterion=name.decode()) if sort == "criterion" else EffectInfo()


def _method(method: Method) -> tuple[str, tuple[int, ...], tuple[str, ...], int | None]:
    if isinstance(method, Judgment):
        return "judgment", (), method.options, method.grades
    if isinstance(method, Qualified):
        return "qualified", (method.p, method.q), (), None
    return ("consent" if isinstance(method, Consent) else "majority"), (), (), None


def _reason(moment: Moment, verdict: Verdict) -> bytes | None:
    return moment.assembly.pasts.ballots[verdict.id].form.reason


def _ballot(
    moment: Moment, minute: Minute, verdict: Verdict, me: bytes | None, texts: Mapping[bytes, str]
) -> BallotInfo:
    word = verdict.choice if isinstance(verdict.choice, str) else None
    reason = _reason(moment, verdict)
    return BallotInfo(
        RecordId(verdict.id),
        None if verdict.elector is None else PublicKey(verdict.elector),
        Instant(_at(moment, verdict.id)),
        word,
        None if isinstance(verdict.choice, str) else dict(verdict.choice),
        verdict.code,
        verdict.id in minute.late,
        None if reason is None else texts.get(reason),
        me is not None and verdict.elector == me,
    )


def _closing(minute: Minute, closing: Closing, me: bytes | None) -> ClosingInfo:
    standing = () if minute.outcome is None else minute.outcome.closings
    return ClosingInfo(
        id=RecordId(closing.id),
        closer=PublicKey(closing.closer),
        at=Instant(to_ms(closing.time)),
        count=closing.form.number,
        root=Hash(closing.form.root),
        recount=closing.recount,
        counted=closing.counted,
        why=_why(closing),
        equivocates=closing.id in minute.void,
        round=closing.round,
        stands=any(one.id == closing.id for one in standing),
        left_out=tuple(LeftOut(RecordId(ballot), code) for ballot, code in closing.form.excluded),
        you=me is not None and closing.closer == me,
    )


def _why(closing: Closing) -> str:
    if closing.recount == SAME:
        return "the same ballots count here"
    if closing.recount != DIFFERENT:
        return "another text was up to vote when it was closed"
    if closing.form.number != closing.counted:
        return f"it counted {closing.form.number}; of the ballots it names, {closing.counted} count here"
    return "as many of the ballots it names count here, but others than it says"


def _tally(tally: Tally, final: bool) -> TallyInfo:
    ranking = tally.ranking
    return TallyInfo(
        final, tally.passed, tally.reason, tally.electorate, tally.quorum, tally.answered, tally.abstained, tally.void,
        dict(tally.counts), tally.needed,
        () if ranking is None else tuple(OptionInfo(o.name, o.rank, o.median, o.counts) for o in ranking.options),
        () if ranking is None else tuple(StepInfo(*step) for step in ranking.steps),
    )  # fmt: skip
