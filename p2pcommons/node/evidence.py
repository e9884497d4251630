"""Evidence for the four criteria, with numbers of this node's own state (chapter 24, "Criteria")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.criteria import Facts, standings
from p2pcommons.commons.doors import BALLOT_PREFIX
from p2pcommons.commons.minutes import Minutes
from p2pcommons.commons.rules import MONTH_MS
from p2pcommons.core.clock import from_ms, to_ms
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.node.assemblies import Assemblies, Moment
from p2pcommons.node.beginnings import recipe_name, rules_mark
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import CriteriaInfo, CriterionInfo, EvidenceInfo, Instant, PeerInfo

_YEAR_MONTHS: Final = 12  # within which who acted counts as active


class _Read(NamedTuple):
    """What a moment of the assembly says of it."""

    minutes: Minutes
    ballots: tuple[tuple[bytes, int], ...]  # the latest of each key, Unix ms


class Measuring:
    """Computes the criteria of the commons followed here. `peers`: those met, or None where nobody is."""

    def __init__(
        self,
        runtime: Runtime,
        membership: Membership,
        assemblies: Assemblies,
        peers: Callable[[], Sequence[PeerInfo]] | None,
    ) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies
        self._peers = peers

    async def criteria(self, commons: CommonsId) -> CriteriaInfo:
        """The four criteria now. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        charter = self._membership.charter(commons)
        facts = await self._facts(commons, charter)
        return CriteriaInfo(
            commons,
            Instant(facts.now_ms),
            tuple(
                CriterionInfo(
                    standing.criterion,
                    standing.state,
                    tuple(EvidenceInfo(one.measure, one.state, one.value, one.of) for one in standing.evidence),
                )
                for standing in standings(facts)
            ),
        )

    async def _facts(self, commons: CommonsId, charter: Charter) -> Facts:
        runtime = self._runtime
        now_ms = runtime.now_ms()
        since_ms = now_ms - _YEAR_MONTHS * MONTH_MS
        read = await self._assemblies.ask(lambda: self._membership.charter(commons), commons, _read, noted=False)
        writers, mark = await runtime.read(
            lambda reader: (
                reader.writers(commons, Plane.CATALOGUE, from_ms(max(0, since_ms))),
                reader.value(recipe_name(commons)),
            )
        )
        rules = read.minutes.rules
        decided = [
            minute.outcome
            for minute in read.minutes.proposals
            if minute.outcome is not None and (minute.in_force or (minute.topic is None and minute.state == "passed"))
        ]
        members = len(charter.members)
        return Facts(
            now_ms=now_ms,
            users=members,  # whom a node knows to use it: followers who do not write leave no trace
            voters=members,
            deciders=_persons(charter, (key for key, time_ms in read.ballots if time_ms >= since_ms)),
            last_decision_ms=max((to_ms(outcome.closed) for outcome in decided), default=None),
            decisions=len(decided),
            rules=len(rules.versions),
            rules_due=sum(rules.review_ms(rule) <= now_ms for rule in rules.versions),
            recipe_present=None if mark is None else True,
            recipe_current=None if mark is None else mark == rules_mark(rules),
            export_present=True,  # by every node, of all that is shown
            licence=str(rules.params("licence")["expression"]),
            copies=self._copies(commons),
            floor=int(rules.params("replicas")["floor"]),
            maintainers=_persons(charter, writers),
            maintainers_least=int(rules.params("stewards")["least"]),
        )

    def _copies(self, commons: CommonsId) -> int | None:
        """Full copies: this one, and those of nodes that confirm to hold the same; None where nobody is met."""
        if self._peers is None:
            return None
        same = {
            peer.key
            for peer in self._peers()
            for each in peer.commons
            if each.commons == commons and each.state == "same" and peer.key is not None
        }
        return 1 + len(same)


def _read(moment: Moment) -> _Read:
    latest: dict[bytes, int] = {}
    for record in moment.grounds.records.values():
        header = record.header
        if header.kind.startswith(BALLOT_PREFIX) and record.id in moment.charter.set_ids:
            latest[header.author] = max(latest.get(header.author, 0), to_ms(header.time))
    return _Read(moment.minutes, tuple(sorted(latest.items())))


def _persons(charter: Charter, keys: Iterable[bytes]) -> int:
    """How many members these keys are."""
    members = {member.key for member in charter.members}
    found = {person.key for key in keys if (person := charter.person(key)) is not None}
    return len(found & members)
