"""How one commons stands with one neighbour, and the words for it: what `status`, the page and the API tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommons.sync.events import Completed

_REASONS_TOLD_MAX: Final = 5


@dataclass(slots=True)
class Standing:
    """How one commons stands with this peer."""

    state: str = "comparing"
    why: str = ""
    code: str = ""
    received: int = 0
    sent: int = 0
    have: int = 0
    of: int = 0
    owed: int = 0
    """Records that are new here since both were found the same, and that the peer is not known to have."""
    reckoned: int = -1
    """The state of the sets here up to which `owed` counts."""
    written: int = -1
    """The state that this node's own last write made."""

    def become(self, state: str, why: str = "", code: str = "") -> None:
        """Stand so from now on."""
        self.state, self.why, self.code = state, why, code
        self.have = self.of = 0

    def shown(self, here: bool = True) -> tuple[str, str, str]:
        """State, why and code now: what was written since is not there before the peer confirmed it.

        `here`: whether the charter is here; where it is not, two that hold the same hold nothing.
        """
        if self.state != "same" or (not self.owed and self.reckoned >= self.written):
            if self.state == "same" and not here:
                return self.state, "neither has its charter yet", "waiting"
            return self.state, self.why, self.code
        new = f"{self.owed:,} new records are" if self.owed > 1 else "what is new here is"
        return "sending", f"{new} not confirmed there yet", "sending"


def but_for(event: Completed) -> tuple[str, str]:
    """What an equal set leaves out, for people and for programs."""
    if not event.but_for:
        return "", ""
    told = sorted(event.reasons, key=lambda reason: -reason[1])[:_REASONS_TOLD_MAX]  # a peer may name any number
    reasons = ", ".join(f"{count} {code}" for code, count in told)
    code = {"paused": "disk-low", "later": "later"}.get(told[0][0] if told else "", "not-admitted")
    return f"complete but for {event.but_for} records: {reasons}", code
