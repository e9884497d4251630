"""What a proposal says, made so that it is in order: by the rules in force, on top of all that is known (chapter 22)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from p2pcommons.commons.assembly_bodies import amend, propose
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.closings import Case
from p2pcommons.commons.matters import Effect
from p2pcommons.commons.rules import DAY_MS, MONTH_MS, RULES, Value, Whole, Word, read_params
from p2pcommons.commons.succession import silence
from p2pcommons.commons.tally import Judgment
from p2pcommons.core.limits import GRADES_MAX, OPTION_CHARACTERS_MAX, OPTIONS_MAX, STEWARDS_NAMED_MAX
from p2pcommons.core.record import ZEROS
from p2pcommons.errors import Conflict, FormError, NotFound, Refused
from p2pcommons.node.assemblies import Moment
from p2pcommons.node.assembly_values import MATTERS, Question

_SHOWN: Final = "`p2pcommons member list` shows the keys."
_BELONGS: Final = {
    "rule": ("rule", "params", "words"), "admit": ("person",), "remove": ("person",), "steward": ("stewards", "succession"),
    "amend": ("amendment",), "hide": ("entry",), "restore": ("entry",), "text": (),
}  # fmt: skip
"""By matter, the members of a question that say what it is about; `options` and `grades` belong to its mode."""


def new_proposal(moment: Moment, question: Question, me: bytes, text: bytes, words: bytes | None, now_ms: int) -> Made:
    """A proposal whose past is all of this moment. `text`, `words`: hashes of what is written.

    Refused `unknown-matter`, `bad-proposal`, `unknown-rule`, `bad-params`, `bad-options`, `bad-closers`; Conflict
    `not-by-vote`, `not-silent`, `already-a-member`, `unknown-amendment`, `unknown-entry`; NotFound `unknown-member`.
    """
    matter, rules = question.matter, moment.rules
    _check_belongs(question)
    electors = moment.assembly.pasts.members(moment.everything)
    electorate = len(set(electors.values()))
    decision = rules.decision(matter)
    quorum = decision.quorum(electorate)
    effect = _effect(moment, question, words, electors)
    if question.succession:
        quorum = _quorum_of_succession(moment, electors)
    judged = decision.mode == "judgment"
    method = decision.method(question.options or None, question.grades)
    if method is None:
        if judged:
            raise Refused(
                "bad-options",
                f"This is decided by majority judgment: give 1 to {OPTIONS_MAX} different options, of at most "
                f"{OPTION_CHARACTERS_MAX} characters, and how many grades there are, 2 to {GRADES_MAX}: "
                'p2pcommons propose "TEXT" --option ONE --option OTHER --grades 5',
            )
        raise Refused(
            "bad-options", f"This is decided by {decision.mode}: it has no options and no grades. "
            "`p2pcommons charter show` says how what is decided.",
        )  # fmt: skip
    count, needed = rules.closing(electorate)
    try:
        return propose(
            matter,
            mode=decision.mode,
            threshold=decision.threshold,
            options=method.options if isinstance(method, Judgment) else None,
            grades=method.grades if isinstance(method, Judgment) else None,
            quorum=quorum,
            closers=_closers(moment, electors, me, question.closers, count),
            k=needed,
            text=text,
            effect=effect,
            opens_ms=now_ms,
            closes_ms=now_ms + decision.days * DAY_MS,
        )
    except FormError as error:
        raise Refused("bad-proposal", f"{error.detail[:1].upper()}{error.detail[1:]}.") from error


def new_wording(
    case: Case,
    current: Effect,
    text: bytes,
    words: bytes | None,
    params: Mapping[str, Any] | None,
    stewards: Iterable[bytes],
) -> Made:
    """Another wording for a proposal, which changes of its effect only what is said. Refused `bad-params`, `bad-proposal`."""
    content, matter = dict(current.content), case.form.matter
    named = sorted(set(stewards))
    if (params or words) and matter != "rule":
        raise Refused("bad-proposal", "Parameters and words belong to proposals on a rule.")
    if named and matter != "steward":
        raise Refused("bad-proposal", "Stewards belong to proposals on who is a steward.")
    if matter == "rule":
        content["params"] = _params(content["rule"], content["params"], params)
        content["text"] = words or content["text"]
    if named:
        content["keys"] = named
    return amend(case.id, text=text, effect=content)


def _check_belongs(question: Question) -> None:
    if question.matter not in MATTERS:
        raise Refused("unknown-matter", f"One can propose on: {', '.join(MATTERS)}.")
    for name in sorted({name for names in _BELONGS.values() for name in names}):
        if getattr(question, name) not in (None, (), False) and name not in _BELONGS[question.matter]:
            raise Refused("bad-proposal", f"`{name}` does not belong to a proposal on {question.matter!r}.")


def _effect(moment: Moment, question: Question, words: bytes | None, electors: Mapping[bytes, bytes]) -> dict[str, Any]:
    matter = question.matter
    if matter == "rule":
        rule = question.rule
        if rule is None:
            raise Refused("bad-proposal", "Say which rule: `p2pcommons charter show --exact` names all.")
        if rule not in RULES:
            raise Refused(
                "unknown-rule", f"There is no rule {rule[:40]!r}: `p2pcommons charter show --exact` names all."
            )
        now = moment.rules[rule]
        return {
            "params": _params(rule, now.params, question.params),
            "rule": rule,
            "text": words or now.text or ZEROS,
            "version": now.version,
        }
    if matter in ("hide", "restore"):
        return {"entry": _entry(moment, question.entry)}
    if matter in ("admit", "remove"):
        return {"person": _person(matter, question.person, electors)}
    if matter == "steward":
        return _stewards(moment, question, electors)
    if matter == "amend":
        if question.amendment not in moment.assembly.offers:
            raise Conflict(
                "unknown-amendment", "Nobody offered this amendment: `p2pcommons proposal show PROPOSAL` shows them."
            )
        return {"amendment": question.amendment}
    return {}


def _entry(moment: Moment, entry: bytes | None) -> bytes:
    if entry is None:
        raise Refused("bad-proposal", "Say which entry: give its id.")
    if moment.reader.entry(moment.charter.commons, entry) is None:
        raise Conflict("unknown-entry", "No entry of this commons has this id: `p2pcommons search WORDS` finds them.")
    return entry


def _person(matter: str, person: bytes | None, electors: Mapping[bytes, bytes]) -> bytes:
    if person is None:
        raise Refused("bad-proposal", "Say whom: give a key.")
    if matter == "remove" and person not in electors:
        raise NotFound("unknown-member", f"No member has this key: {_SHOWN}")
    if matter == "admit" and person in electors:
        raise Conflict("already-a-member", f"Who has this key is a member: {_SHOWN}")
    return person


def _stewards(moment: Moment, question: Question, electors: Mapping[bytes, bytes]) -> dict[str, Any]:
    keys = sorted(set(question.stewards))
    if not keys or len(keys) > STEWARDS_NAMED_MAX:
        raise Refused("bad-proposal", f"Name 1 to {STEWARDS_NAMED_MAX} members to be stewards.")
    if any(key not in electors for key in keys):
        raise NotFound("unknown-member", f"No member has this key: {_SHOWN}")
    if question.succession:
        return {"keys": keys, "succession": True}
    if moment.rules.params("stewards")["by"] != "vote":
        raise Conflict(
            "not-by-vote", "By the rule `stewards` of this commons its stewards choose stewards: ask one of them."
        )
    return {"keys": keys}


def _quorum_of_succession(moment: Moment, electors: Mapping[bytes, bytes]) -> int:
    assembly, months = moment.assembly, int(moment.rules.params("succession")["months"])
    stewards = assembly.removals.stewards(moment.everything, assembly.removals.within(moment.everything))
    found = silence(moment.grounds.records.values(), electors, stewards, months * MONTH_MS)
    if not found.stewards:
        raise Conflict(
            "not-silent", f"A steward wrote within the last {months} months: others are chosen without `succession`."
        )
    return found.active // 2 + 1


def _params(rule: str, now: Mapping[str, Any], changed: Mapping[str, Any] | None) -> dict[str, Value]:
    parameters = RULES[rule].parameters
    for name, value in (changed or {}).items():
        parameter = parameters.get(name)
        if parameter is None:
            raise Refused(
                "bad-params", f"The rule {rule!r} has no {name[:40]!r}: it has {', '.join(sorted(parameters))}."
            )
        if not parameter.fits(value):
            wanted = "true or false"
            if isinstance(parameter, Whole):
                wanted = f"a whole number from {parameter.low} to {parameter.high}"
            elif isinstance(parameter, Word):
                wanted = f"one of {', '.join(parameter.words)}"
            elif not isinstance(parameter.default, bool):
                wanted = "an SPDX expression, or nothing"
            raise Refused("bad-params", f"{name!r} of the rule {rule!r} is {wanted}.")
    fit = read_params(rule, {**now, **(changed or {})})
    if fit is None:
        held = (
            "p/q is more than a half and at most all"
            if "p" in parameters
            else "more than half of the closers must agree"
        )
        raise Refused("bad-params", f"These parameters of the rule {rule!r} do not go together: {held}.")
    return fit


def _closers(
    moment: Moment, electors: Mapping[bytes, bytes], me: bytes, named: Iterable[bytes], count: int
) -> list[bytes]:
    given = list(dict.fromkeys(named))
    if given:
        persons = {electors[key] for key in given if key in electors}
        if len(persons) != count or any(key not in electors for key in given):
            raise Refused(
                "bad-closers", f"By the rule `closing` a vote here has {count} closers: name as many members."
            )
        return sorted(persons)
    assembly = moment.assembly
    stewards = assembly.removals.stewards(moment.everything, assembly.removals.within(moment.everything))
    members = sorted(moment.charter.members, key=lambda member: (member.joined, member.key))
    seated = [member for member in members if any(key in stewards for key in member.keys)]
    order = [me, *(key for member in [*seated, *members] for key in member.keys)]
    found = dict.fromkeys(electors[key] for key in order if key in electors)
    return sorted(list(found)[:count])
