"""Whether this node can be reached from outside, by what other nodes told after dialling back (chapter 35).

A fold of what was told lately; each node's word counts once for each address. Knows no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from p2pcommons.core.address import Address
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import PEER_ADDRESSES_MAX

TOLD_MS: Final = 24 * 3600 * 1000  # a word older than that says nothing of today
_TELLERS_MAX: Final = 256  # nodes whose word is kept
_DENIALS: Final = 2  # so many that tried an address in vain, and nobody who reached it: it leads nowhere


class Verdict(NamedTuple):
    """Of one address, or of the node: `yes`, `no` or `unknown`; who says so, and when the last of them did."""

    state: str
    address: str | None = None  # `Address.target`
    told_by: int = 0
    at_ms: int | None = None


class Reachability:
    """What others say."""

    def __init__(self) -> None:
        self._words: dict[PublicKey, dict[str, tuple[bool, int]]] = {}
        self._seen: dict[PublicKey, tuple[str, int]] = {}

    def take(
        self, teller: PublicKey, seen: str, tried: Iterable[Address], reached: Collection[Address], now_ms: int
    ) -> None:
        """One node's word: our IP address as it sees it, what it tried, what it reached."""
        words = self._words.setdefault(teller, {})
        for address in tried:
            words.pop(address.target, None)
            words[address.target] = (address in reached, now_ms)
        for target in list(words)[:-PEER_ADDRESSES_MAX]:
            del words[target]
        if seen:
            self._seen[teller] = (seen, now_ms)
        for told in (self._words, self._seen):
            while len(told) > _TELLERS_MAX:
                del told[next(iter(told))]

    def of(self, target: str, now_ms: int) -> Verdict:
        """Whether this address is reached from outside."""
        said = [words[target] for words in self._words.values() if target in words]
        fresh = [(reached, at_ms) for reached, at_ms in said if now_ms - at_ms < TOLD_MS]
        for wanted, state in ((True, "yes"), (False, "no")):
            times = [at_ms for reached, at_ms in fresh if reached is wanted]
            if times:
                return Verdict(state, target, len(times), max(times))
        return Verdict("unknown")

    def summary(self, now_ms: int) -> Verdict:
        """Of the node: the address that most reach; else that some were tried in vain."""
        verdicts = [self.of(target, now_ms) for target in sorted({t for words in self._words.values() for t in words})]
        for state in ("yes", "no"):
            told = [one for one in verdicts if one.state == state]
            if told:
                return max(told, key=lambda one: (one.told_by, one.at_ms or 0))
        return Verdict("unknown")

    def leads_nowhere(self, target: str, now_ms: int) -> bool:
        """Whether several tried this address in vain and nobody reached it."""
        verdict = self.of(target, now_ms)
        return verdict.state == "no" and verdict.told_by >= _DENIALS

    def seen(self, now_ms: int) -> list[str]:
        """Our IP addresses as others see them, those that most tell first."""
        tellers: dict[str, int] = {}
        for ip, at_ms in self._seen.values():
            if now_ms - at_ms < TOLD_MS:
                tellers[ip] = tellers.get(ip, 0) + 1
        return sorted(tellers, key=lambda ip: (-tellers[ip], ip))
