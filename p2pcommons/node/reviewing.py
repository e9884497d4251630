"""Rules whose review is past, by this node's clock: reminders, which decide nothing (chapter 24, RULE-4).

Looked at whenever people ask something of an assembly, and by `status` at most once in a while: it costs no fold of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommons.commons.rules import RULES, Rules
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import Conflict, NotFound, StoreError
from p2pcommons.node.assemblies import Assemblies
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Notice

_LOOK_MS: Final = 10 * 60_000  # what changed meanwhile without anybody asking is said so much later


@dataclass(slots=True)
class _Noted:
    """What is known of one commons."""

    ids: frozenset[bytes]  # of the set of plane 0 that was looked at
    at_ms: int
    due: tuple[tuple[str, int], ...]  # rules that some record set, and when their review is due


class Reviewing:
    """Reminds of the reviews of the commons in which this person is a member."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._noted: dict[CommonsId, _Noted] = {}

    async def notices(self) -> tuple[Notice, ...]:
        """One for each commons with rules to look at again."""
        now_ms, found = self._runtime.now_ms(), []
        charters = self._runtime.replica.charters()
        for commons in sorted(self._runtime.replica.followed()):
            charter = charters.get(commons)
            if charter is None or not charter.founded or not self._membership.is_member(charter):
                continue
            past = [rule for rule, due_ms in await self._due(commons, charter.set_ids, now_ms) if due_ms <= now_ms]
            if past:
                found.append(_notice(charter.name, past))
        return tuple(found)

    async def _due(self, commons: CommonsId, ids: frozenset[bytes], now_ms: int) -> tuple[tuple[str, int], ...]:
        noted = self._noted.get(commons)
        fresh = noted is not None and (noted.ids is ids or 0 <= now_ms - noted.at_ms < _LOOK_MS)
        rules = self._assemblies.rules(commons, ids)  # where others asked already
        if rules is None and noted is not None and fresh:
            return noted.due
        if rules is None:
            try:
                rules = await self._assemblies.ask(
                    lambda: self._membership.charter(commons), commons, lambda moment: moment.rules, noted=False
                )
            except (Conflict, NotFound, StoreError):
                return () if noted is None else noted.due  # let go, or busy, in this very moment
        self._noted[commons] = _Noted(ids, now_ms, due_reviews(rules))
        return self._noted[commons].due


def due_reviews(rules: Rules) -> tuple[tuple[str, int], ...]:
    """Rules that some record set, in the order in which people read them, and when each is to be looked at again."""
    return tuple((rule, rules.review_ms(rule)) for rule in RULES if rule in rules.versions)


def _notice(name: str, past: list[str]) -> Notice:
    said = ", ".join(past[:5]) + (f" and {len(past) - 5} more" if len(past) > 5 else "")
    return Notice(
        "review-due",
        f"{name}: the time to look again at some rules is past ({said}). They hold on. To change one: p2pcommons charter "
        'question RULE "WHY"; to keep it, propose it as it is',
        (name, *past),
    )
