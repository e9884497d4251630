"""Reports, hiding with a reason, appeals, and block lists (chapter 23): a fold over plain acts.

Nothing is dropped: what is hidden says by whom and why, and stays open to checking. Knows no graph: who had the right
to an act, within that act's own past, comes in with it. Order and repetition of acts change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from p2pcommons.commons.moderation_bodies import Block, Hide, ModerationForm, Report, Review, Show, read_moderation
from p2pcommons.commons.rules import Rules
from p2pcommons.core.record import Record


class Act(NamedTuple):
    """One act of moderation. What it says, and who its author was within its own past."""

    id: bytes
    person: bytes  # shown key of the author
    time_ms: int
    form: ModerationForm
    member: bool
    steward: bool
    by: str  # the rule `hide.by` then: "stewards", "members" or "vote"

    @property
    def hides(self) -> bool:
        """Whether its author might hide."""
        return may_hide(self.by, member=self.member, steward=self.steward)


class Who(NamedTuple):
    """Who the author of an act was, within the act's own past."""

    person: bytes
    member: bool
    steward: bool
    by: str


def acts_of(records: Iterable[Record], who: Callable[[Record], Who | None]) -> list[Act]:
    """The acts in these records; what is of another kind, does not fit or has no known author is passed over."""
    acts = []
    for record in records:
        form = None if record.body is None else read_moderation(record.header.kind, record.body)
        found = None if form is None else who(record)
        if form is not None and found is not None:
            acts.append(Act(record.id, found.person, record.header.time >> 16, form, *found[1:]))
    return acts


class Decided(NamedTuple):
    """What the assembly decided of an entry, where an outcome is in force."""

    proposal: bytes
    hidden: bool


class Reason(NamedTuple):
    """Somebody's hiding, which stands."""

    id: bytes
    person: bytes
    time_ms: int
    reason: str
    text: bytes | None  # hash of what they wrote


class Hidden(NamedTuple):
    """An entry that is not shown, and why: by a vote, by people, or both."""

    entry: bytes
    proposal: bytes | None  # the vote
    reasons: tuple[Reason, ...]  # ascending by id; without a vote there is one at least


class Waiting(NamedTuple):
    """An entry that somebody reported, and that nobody has answered for."""

    entry: bytes
    reporters: tuple[bytes, ...]  # persons, ascending
    reasons: tuple[tuple[str, int], ...]  # how many persons gave each, most first
    reports: tuple[bytes, ...]  # what a hiding or a review names to answer them, ascending
    since_ms: int  # of the eldest


class Blocked(NamedTuple):
    """A key on somebody's block list."""

    key: bytes
    reason: str
    time_ms: int
    id: bytes


@dataclass(frozen=True, slots=True)
class Moderation:
    """What is hidden, what waits, and whose lists say what."""

    hidden: Mapping[bytes, Hidden] = field(default_factory=dict)  # by entry, ascending
    queue: tuple[Waiting, ...] = ()  # most reporters first, then the eldest
    appeals: tuple[bytes, ...] = ()  # proposals to show something again that are open, ascending
    lists: Mapping[bytes, tuple[Blocked, ...]] = field(default_factory=dict)  # by person: ascending by key

    def is_hidden(self, entry: bytes) -> bool:
        """Whether an entry is not to be shown, but for who asks."""
        return entry in self.hidden


def may_hide(by: str, *, member: bool, steward: bool) -> bool:
    """Whether the rule `hide.by` lets such a person hide (MOD-2)."""
    return (by == "stewards" and steward) or (by == "members" and (member or steward))


def hide_by(rules: Rules) -> str:
    """The rule on hiding, of rules in force."""
    return str(rules.params("hide")["by"])


def moderate(
    acts: Iterable[Act], decided: Mapping[bytes, Decided] | None = None, appeals: Iterable[bytes] = ()
) -> Moderation:
    """The fold. `decided`: outcomes in force, by entry; `appeals`: open proposals of matter `restore`."""
    counting = {act.id: act for act in acts if _counts(act)}
    outcomes = decided or {}
    undone = {
        identifier
        for act in counting.values()
        if isinstance(act.form, Show)
        for identifier in act.form.acts
        if _undoes(act, counting.get(identifier))
    }
    standing: dict[bytes, list[Reason]] = {}
    for act in counting.values():
        if isinstance(act.form, Hide) and act.id not in undone:
            reason = Reason(act.id, act.person, act.time_ms, act.form.reason, act.form.text)
            standing.setdefault(act.form.entry, []).append(reason)
    voted = {entry: outcome.proposal for entry, outcome in outcomes.items() if outcome.hidden}
    shown = {entry for entry, outcome in outcomes.items() if not outcome.hidden}  # MOD-4: the members' word stands
    hidden = {
        entry: Hidden(entry, voted.get(entry), tuple(sorted(standing.get(entry, ()))))
        for entry in sorted((standing.keys() | voted.keys()) - shown)
    }
    return Moderation(hidden, _queue(counting, hidden), tuple(sorted(set(appeals))), _lists(counting))


def blocked(
    lists: Mapping[bytes, tuple[Blocked, ...]], subscribed: Iterable[bytes], *, kept: Iterable[bytes] = ()
) -> dict[bytes, tuple[bytes, ...]]:
    """The keys a node does not show, each with the persons whose lists name it: for one node, never for the commons.

    `subscribed`: persons whose lists this node follows, its own among them; `kept`: keys it shows whatever they say.
    """
    named: dict[bytes, set[bytes]] = {}
    for person in subscribed:
        for one in lists.get(person, ()):
            named.setdefault(one.key, set()).add(person)
    spared = set(kept)
    return {key: tuple(sorted(named[key])) for key in sorted(named) if key not in spared}


def moderation_value(found: Moderation) -> dict[str, Any]:
    """The fold as a canonical value, for the view's hash."""
    hidden = [
        [one.entry, one.proposal, [[r.id, r.person, r.reason, r.text] for r in one.reasons]]
        for one in found.hidden.values()
    ]
    return {
        "hidden": hidden,
        "lists": [[person, [[b.key, b.reason, b.id] for b in found.lists[person]]] for person in sorted(found.lists)],
        "queue": [[w.entry, list(w.reporters), list(w.reports)] for w in sorted(found.queue)],
    }


def _counts(act: Act) -> bool:
    """MOD-2, MOD-3: whether an act does anything at all."""
    if isinstance(act.form, Hide):
        return act.hides
    if isinstance(act.form, Review):
        return act.hides or act.steward
    return act.member  # reports; lists; who shows again may be who hid


def _undoes(act: Act, hiding: Act | None) -> bool:
    if hiding is None or not isinstance(act.form, Show) or not isinstance(hiding.form, Hide):
        return False
    return hiding.form.entry == act.form.entry and (act.hides or act.person == hiding.person)


def _queue(counting: Mapping[bytes, Act], hidden: Mapping[bytes, Hidden]) -> tuple[Waiting, ...]:
    answered: set[tuple[bytes, bytes]] = set()
    for act in counting.values():
        if isinstance(act.form, Hide | Review):
            answered.update((act.form.entry, report) for report in act.form.reports)
    open_reports: dict[bytes, list[Act]] = {}
    for act in counting.values():
        form = act.form
        if isinstance(form, Report) and form.entry not in hidden and (form.entry, act.id) not in answered:
            open_reports.setdefault(form.entry, []).append(act)
    waiting = (_waiting(entry, acts) for entry, acts in open_reports.items())
    return tuple(sorted(waiting, key=lambda one: (-len(one.reporters), one.since_ms, one.entry)))


def _waiting(entry: bytes, acts: Iterable[Act]) -> Waiting:
    some = sorted(acts)
    said: dict[str, set[bytes]] = {}
    for act in some:
        if isinstance(act.form, Report):
            said.setdefault(act.form.reason, set()).add(act.person)
    reasons = sorted(((reason, len(persons)) for reason, persons in said.items()), key=lambda one: (-one[1], one[0]))
    persons = tuple(sorted({act.person for act in some}))
    return Waiting(entry, persons, tuple(reasons), tuple(act.id for act in some), min(act.time_ms for act in some))


def _lists(counting: Mapping[bytes, Act]) -> dict[bytes, tuple[Blocked, ...]]:
    """Of what one person said of one key, the latest by (time, id); within one act a removal wins."""
    last: dict[tuple[bytes, bytes], tuple[int, bytes, str | None]] = {}
    for act in counting.values():
        if isinstance(act.form, Block):
            said: dict[bytes, str | None] = {**dict(act.form.add), **dict.fromkeys(act.form.remove)}
            for key, reason in said.items():
                before = last.get((act.person, key))
                if before is None or before[:2] < (act.time_ms, act.id):
                    last[act.person, key] = (act.time_ms, act.id, reason)
    lists: dict[bytes, list[Blocked]] = {}
    for (person, key), (time_ms, identifier, reason) in sorted(last.items()):
        if reason is not None:
            lists.setdefault(person, []).append(Blocked(key, reason, time_ms, identifier))
    return {person: tuple(some) for person, some in lists.items()}
