"""A proposal as a question to people: what it would do, how it is decided, and how one votes on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2pcommons.cli.command import language

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from p2pcommons.api.verbs import Verbs
    from p2pcommons.cli.people import People
    from p2pcommons.core.record import CommonsId
    from p2pcommons.node.assembly_values import EffectInfo, ProposalInfo

ABOUT: Final = {
    "text": "a question",
    "rule": "a rule",
    "admit": "letting somebody in",
    "remove": "removing a member",
    "steward": "who is a steward",
    "amend": "an amendment",
    "hide": "hiding an entry",
    "restore": "showing an entry again",
    "assess": "what the commons says of itself",
}
"""By matter: what it is about."""

_WORDS: Final = {"majority": "for", "qualified": "for", "consent": "consent"}
"""By mode: the word to vote with, as an example."""


def how_decided(made: ProposalInfo) -> str:
    """By what a proposal passes, once enough have answered."""
    if made.mode == "qualified":
        return "it takes at least {}/{} of the votes for and against".format(*made.threshold)
    if made.mode == "consent":
        return "it takes consent, and no objection that stands"
    if made.mode == "judgment":
        return (
            f"each option gets a grade, from 0, the lowest, to {(made.grades or 1) - 1}, and the best middle grade wins"
        )
    return "it takes more votes for than against"


def how_to_vote(made: ProposalInfo) -> str:
    """The command, with one of the choices there are."""
    choice = " ".join(f"--grade {_quoted(option)}=2" for option in made.options[:2]) or _WORDS.get(made.mode, "for")
    choice += " …" if len(made.options) > 2 else ""
    return f"p2pcommons vote {made.id.hex()[:8]} {choice}"


def _quoted(option: str) -> str:
    import shlex

    return shlex.quote(option)


async def effect_facts(verbs: Verbs, commons: CommonsId, effect: EffectInfo, people: People) -> list[tuple[str, str]]:
    """What is done when it passes, as names and values for a person."""
    found: list[tuple[str, str | None]] = []
    if effect.rule is not None:
        found = [("rule", effect.rule), *await _rule_facts(verbs, commons, effect, effect.rule)]
    found += [
        ("person", None if effect.person is None else people.name(effect.person)),
        ("stewards", None if effect.stewards is None else "\n".join(map(people.name, effect.stewards))),
        ("amendment", None if effect.amendment is None else effect.amendment.hex()[:8]),
        ("entry", None if effect.entry is None else effect.entry.hex()),
        ("criterion", effect.criterion),
    ]
    return [(name, value) for name, value in found if value is not None]


async def _rule_facts(verbs: Verbs, commons: CommonsId, effect: EffectInfo, rule: str) -> list[tuple[str, str]]:
    """How the rule would read, and what of it is another than in the version that it changes."""
    from p2pcommons.commons.charter_text import sentence
    from p2pcommons.commons.rules import RULES
    from p2pcommons.node.charters import template

    params = dict(effect.params or {})
    tongue = language()
    charter = await verbs.charter(commons, tongue)
    own = None if effect.words is None else {tongue: effect.words}
    versions = await verbs.charter_history(commons, rule)
    before = next((one.params for one in versions if bytes(one.version) == effect.version), RULES[rule].defaults)
    return [
        ("would read", sentence(template(charter.template), rule, params, tongue, own)),
        ("changes", _changes(before, params) or ("its words" if own else "nothing: it stays as it is")),
    ]


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    said = [
        f"{name} from {param_text(before.get(name))} to {param_text(value)}"
        for name, value in sorted(after.items())
        if before.get(name) != value
    ]
    return ", ".join(said)


def param_text(value: object) -> str:
    """The value of a parameter, as `--set` takes it; nothing is shown as such."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value in ("", None) else f"{value}"
