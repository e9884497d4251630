"""Worlds that decide, each from one seed: partitions across the closing, and up to a third of the members cheating.

Honest hosts that have exchanged their sets show the same minutes, name the reason for all that does not count, tell what
they had shown as decided and does not hold any more, and those who are members can still act (`simulation.sittings`).
`scripts/soak --assemblies` lives through more of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.minutes import Minutes, minutes
from simulation import sittings
from simulation.fate import COUNCIL, assembly, drawn
from simulation.life import Broken, live, lived

SMALL = (5, 6, 12, 24, 29, 31, 33, 36)
HOSTS = 8
REACHED = (
    "passed", "in force", "ballot counted", "ballot double", "ballot late", "ballot no_elector", "ballot replaced",
    "ballot unfit", "closing same", "closing different", "closing twice", "closing of nobody who closes",
    "removal that counts", "removal without a right", "fault no_member", "forges an electorate",
)  # fmt: skip
"""What any change of the timing leaves in these few worlds; `scripts/soak --assemblies` tells of all that many reach."""


def test_fifty_hosts_of_which_a_third_cheat_agree_and_can_go_on() -> None:
    world = lived(assembly(1))
    assert len(world.hosts) >= 50 and world.sittings.met["closing same"] and world.sittings.met["ballot counted"]


def test_hosts_that_decide_agree_and_can_go_on_and_these_worlds_reach_what_they_are_there_for() -> None:
    met: Counter[str] = Counter()
    for seed in SMALL:
        met += lived(assembly(seed, HOSTS)).sittings.met
    assert [name for name in REACHED if not met[name]] == [], met


def test_in_ordinary_worlds_people_decide_as_well() -> None:
    deciding = [seed for seed in range(60) if any(deed.what in COUNCIL for deed in drawn(seed).deeds)]
    assert 10 < len(deciding) < 30


# -- the net itself


def test_what_is_undone_without_a_word_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sittings, "revised", lambda before, after: [])
    with pytest.raises(Broken, match="does not say why"):
        for seed in range(27, 60):
            live(assembly(seed, HOSTS))


def test_hosts_that_show_different_minutes_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(range(100))
    monkeypatch.setattr(sittings, "minutes_hash", lambda some: bytes([next(said)]))
    with pytest.raises(Broken, match="different minutes"):
        live(assembly(2, 5))


def test_a_ballot_that_is_not_told_of_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fewer(folded: Assembly) -> Minutes:
        found = minutes(folded)
        return found._replace(proposals=tuple(replace(one, ballots=one.ballots[1:]) for one in found.proposals))

    monkeypatch.setattr("p2pcommons.node.assemblies.minutes", fewer)
    with pytest.raises(Broken, match="not in the minutes"):
        for seed in range(13, 20):
            live(assembly(seed, HOSTS))
