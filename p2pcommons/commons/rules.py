"""The rules of a commons: which there are, what each may say, and which version is in force (chapter 24, "Rules").

Every rule has an id, typed and bounded parameters with defaults, and versions: the founding record sets the first,
an outcome of the assembly each further one. What people read is made of the parameters by `commons.charter_text`.
Knows no record and no ballot: `commons.assembly` says which outcome applies.

A rule is *kept by the fold* where nodes compute who has a right from it, or a *promise*, which pages remind of and
people keep: who may edit an entry cannot be judged by a node (chapter 12), and who hosts needs no right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from p2pcommons.commons.tally import Consent, Judgment, Majority, Method, Qualified, is_threshold, read_method
from p2pcommons.core.limits import LICENCE_CHARACTERS_MAX, THRESHOLD_PARTS_MAX
from p2pcommons.core.record import ZEROS

Value = int | str | bool
Params = Mapping[str, Value]
"""Parameter values by name: all those of the rule, each of its type and within its bounds."""

MATTERS: Final = ("text", "rule", "admit", "remove", "hide", "restore", "amend", "steward", "assess")
"""What a proposal may be about; each has a rule `decide.<matter>`."""

MONTH_MS: Final = 2_629_746_000
"""A twelfth of the mean Gregorian year: reminders need no calendar."""

DAY_MS: Final = 24 * 3600 * 1000


class Whole(NamedTuple):
    """A whole number from `low` to `high`."""

    low: int
    high: int
    default: int

    def fits(self, value: object) -> bool:
        """Whether a stranger's value is one."""
        return type(value) is int and self.low <= value <= self.high


class Word(NamedTuple):
    """One of some words."""

    words: tuple[str, ...]
    default: str

    def fits(self, value: object) -> bool:
        """Whether a stranger's value is one."""
        return type(value) is str and value in self.words


class Flag(NamedTuple):
    """Yes or no."""

    default: bool

    def fits(self, value: object) -> bool:
        """Whether a stranger's value is one."""
        return type(value) is bool


class Licence(NamedTuple):
    """An SPDX expression, or nothing. As with entries, what is inside the text is not looked at here."""

    default: str

    def fits(self, value: object) -> bool:
        """Whether a stranger's value is one."""
        return type(value) is str and len(value) <= LICENCE_CHARACTERS_MAX


Parameter = Whole | Word | Flag | Licence


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue."""

    id: str
    parameters: Mapping[str, Parameter]
    promise: bool = False  # kept by people, not by the fold
    agrees: Callable[[Params], bool] | None = None  # what holds between its parameters

    @property
    def defaults(self) -> dict[str, Value]:
        """What holds where nothing was said."""
        return {name: parameter.default for name, parameter in self.parameters.items()}


def _decision(
    matter: str,
    mode: str,
    *,
    modes: tuple[str, ...] = ("majority", "qualified", "consent"),
    heads: int = 3,
    percent: int,
    days: int,
) -> Rule:
    parameters: dict[str, Parameter] = {
        "days": Whole(1, 90, days),  # the form for ballots is open so long
        "heads": Whole(1, 10_000, heads),  # persons who have to answer
        "mode": Word(modes, mode),
        "p": Whole(1, THRESHOLD_PARTS_MAX, 2),  # qualified: p/q of the votes for and against
        "percent": Whole(0, 100, percent),  # and this share of those who may vote
        "q": Whole(1, THRESHOLD_PARTS_MAX, 3),
    }
    return Rule(f"decide.{matter}", parameters, agrees=lambda params: is_threshold(params["p"], params["q"]))


def _more_than_half(params: Params) -> bool:
    closers, needed = int(params["closers"]), int(params["needed"])
    return closers < 2 * needed <= 2 * closers


_ANY_MODE: Final = ("majority", "qualified", "consent", "judgment")
_MEMBERS_OR_STEWARDS: Final = ("members", "stewards")

_TABLE: Final = (
    # -- who is in
    Rule("announcing", {"announced": Flag(False)}),
    Rule("join", {"policy": Word(("invite", "open", "vote"), "invite")}),
    Rule("invite", {"by": Word(_MEMBERS_OR_STEWARDS, "members")}),
    Rule("organisations", {"needed": Whole(1, 32, 2)}),
    Rule("stewards", {"by": Word(("vote", "stewards"), "vote"), "least": Whole(1, 32, 2), "months": Whole(1, 120, 24)}),
    Rule("succession", {"months": Whole(6, 36, 12)}),
    # -- the resource
    Rule("licence", {"expression": Licence("")}),
    Rule("edit", {"by": Word(("members", "authors"), "members")}, promise=True),
    Rule("hide", {"by": Word(("stewards", "members", "vote"), "stewards")}),
    Rule("host", {"by": Word(("anyone", "members"), "anyone")}, promise=True),
    Rule("replicas", {"floor": Whole(1, 32, 3)}, promise=True),
    Rule("alarms", {"days": Whole(1, 90, 7), "to": Word(_MEMBERS_OR_STEWARDS, "members")}, promise=True),
    # -- deciding
    _decision("text", "majority", modes=_ANY_MODE, percent=20, days=7),
    _decision("rule", "qualified", percent=33, days=14),
    _decision("admit", "majority", percent=20, days=7),
    _decision("remove", "qualified", percent=33, days=14),
    _decision("hide", "majority", percent=20, days=7),
    _decision("restore", "majority", percent=20, days=7),
    _decision("amend", "majority", percent=20, days=7),
    _decision("steward", "majority", percent=33, days=14),
    _decision("assess", "majority", modes=_ANY_MODE, percent=20, days=14),
    Rule("closing", {"closers": Whole(1, 31, 3), "needed": Whole(1, 31, 2)}, agrees=_more_than_half),
    Rule("review", {"months": Whole(1, 60, 12)}),
)

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _TABLE}
"""All rules by id, in the order in which people read them."""


def read_params(rule_id: object, value: object) -> dict[str, Value] | None:
    """The parameters of a rule from a stranger's value, what is left out by default; None where they do not fit.

    They fit if the rule is in the catalogue, `value` is a map of its parameters only, each within its bounds, and
    they agree with each other.
    """
    rule = RULES.get(rule_id) if type(rule_id) is str else None
    if rule is None or not isinstance(value, Mapping):
        return None
    for name, given in value.items():
        parameter = rule.parameters.get(name) if type(name) is str else None
        if parameter is None or not parameter.fits(given):
            return None
    params = {name: value.get(name, default) for name, default in rule.defaults.items()}
    return params if rule.agrees is None or rule.agrees(params) else None


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """What one rule says now, and since which record."""

    rule: str
    version: bytes = ZEROS  # id of the record that set it; zeros: nothing did, and the defaults hold
    params: Params = field(default_factory=dict)
    text: bytes | None = None  # hash of words people wrote for it; None: the words of the template
    since_ms: int = 0  # Unix ms of that record, as its author says


class Decision(NamedTuple):
    """How one matter is decided."""

    mode: str
    threshold: tuple[int, int] | None  # p, q where the mode is qualified
    heads: int
    percent: int
    days: int

    def quorum(self, electorate: int) -> int:
        """Persons who have to answer, of so many who may: at least one, and never more than there are.

        (*Else a commons that shrinks could not act any more.*)
        """
        share = -(-electorate * self.percent // 100)
        return max(1, min(max(self.heads, share), electorate))

    def method(self, options: object = None, grades: object = None) -> Method | None:
        """How ballots are counted; None where the mode needs options and grades, and these do not fit."""
        return read_method(self.mode, self.threshold, options, grades)

    def is_method(self, method: Method) -> bool:
        """Whether a proposal that counts so keeps to this rule."""
        names = {Majority: "majority", Qualified: "qualified", Consent: "consent", Judgment: "judgment"}
        threshold = (method.p, method.q) if isinstance(method, Qualified) else None
        return names[type(method)] == self.mode and threshold == self.threshold


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule's version in force. Equal however it was reached."""

    versions: Mapping[str, RuleVersion] = field(default_factory=dict)  # those that some record set
    template: str = ""  # name of the template whose words the rules have; empty: the default one

    @classmethod
    def founded(cls, content: Mapping[str, Any], founding: bytes, since_ms: int) -> Rules:
        """The rules that a founding record sets. `content`: its body, whatever it holds.

        `rules` holds parameters by rule id: what is unknown or does not fit does nothing. What it says of `announcing`,
        `join` and `licence` does nothing either: the record's own fields do, as in the charter's view (CHARTER-18).
        `texts` holds hashes of words that people wrote, by rule.
        """
        given = content.get("rules")
        said = {rule: given[rule] for rule in RULES if rule in given} if isinstance(given, Mapping) else {}
        said = {rule: value for rule, value in said.items() if rule not in _FIELDS}
        said |= {rule: {name: content[key]} for rule, (key, name) in _FIELDS.items() if key in content}
        fit = {rule: params for rule, value in said.items() if (params := read_params(rule, value)) is not None}
        if fit.get("join") == {"policy": "open"}:
            fit.setdefault("announcing", {"announced": True})
        versions: dict[str, RuleVersion] = {}
        template, texts = content.get("template"), content.get("texts")
        for rule in RULES:
            words = texts.get(rule) if isinstance(texts, Mapping) else None
            if rule in fit or _is_hash(words):
                params = fit.get(rule, RULES[rule].defaults)
                versions[rule] = RuleVersion(rule, founding, params, words if _is_hash(words) else None, since_ms)
        return cls(versions, template if type(template) is str else "")

    def __getitem__(self, rule_id: str) -> RuleVersion:
        """The version in force; where nothing set one, the defaults under the version of zeros. KeyError: no rule."""
        return self.versions.get(rule_id) or RuleVersion(rule_id, ZEROS, RULES[rule_id].defaults)

    def params(self, rule_id: str) -> Params:
        """What a rule says now."""
        return self[rule_id].params

    def amended(
        self, rule_id: str, params: object, version: bytes, since_ms: int, *, text: bytes | None = None
    ) -> Rules | None:
        """These rules with one changed; None where there is no such rule or the parameters do not fit."""
        fit = read_params(rule_id, params)
        if fit is None:
            return None
        changed = {**self.versions, rule_id: RuleVersion(rule_id, version, fit, text, since_ms)}
        return replace(self, versions={rule: changed[rule] for rule in RULES if rule in changed})

    def decision(self, matter: str) -> Decision:
        """How a matter of MATTERS is decided. KeyError: no such matter."""
        params = self.params(f"decide.{matter}")
        threshold = (int(params["p"]), int(params["q"])) if params["mode"] == "qualified" else None
        return Decision(
            str(params["mode"]), threshold, int(params["heads"]), int(params["percent"]), int(params["days"])
        )

    def closing(self, electorate: int) -> tuple[int, int]:
        """(how many close a vote, how many of them have to agree), of so many who may vote."""
        params = self.params("closing")
        closers = max(1, min(int(params["closers"]), electorate))
        return closers, min(int(params["needed"]), closers)  # more than half of them, as RULE-1 has it

    def review_ms(self, rule_id: str) -> int:
        """When the rule's review is due, Unix ms: counted from the record that set it."""
        return self[rule_id].since_ms + int(self.params("review")["months"]) * MONTH_MS

    def value(self) -> list[list[Any]]:
        """The rules that some record set, for the view: `[id, version, parameters, text hash / nil]`, by id."""
        found = (self.versions[rule] for rule in sorted(self.versions))
        return [[v.rule, v.version, dict(v.params), v.text] for v in found]


def _is_hash(value: object) -> bool:
    return type(value) is bytes and len(value) == 32


_FIELDS: Final = {
    "announcing": ("announced", "announced"),
    "join": ("join", "policy"),
    "licence": ("licence", "expression"),
}
"""Rules that a field of the founding record says: by rule, the field and the parameter."""
