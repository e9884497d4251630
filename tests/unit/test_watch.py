"""A clock that cannot be right signs nothing, until a person says that it is."""

from __future__ import annotations

import pytest

from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.errors import Conflict
from p2pcommons.node.watch import BUILT_MS, Watch

NOW_MS = BUILT_MS + 10**10


def at(ms: int, *, trusted: bool = False) -> Watch:
    return Watch(trusted=trusted, read_ms=lambda: ms)


def test_a_right_clock_signs() -> None:
    watch = at(NOW_MS)
    watch.note_own(NOW_MS - 5)
    watch.ask_peers(lambda: [0, 5_000, -5_000])
    assert watch.fault() is None
    assert watch.signing_ms() == NOW_MS


def test_a_clock_behind_the_making_of_the_program_does_not_sign() -> None:
    with pytest.raises(Conflict) as refused:
        at(0).signing_ms()
    assert refused.value.code == "clock-wrong" and "1970-01-01" in refused.value.detail


def test_a_clock_behind_ones_own_last_record_does_not_sign() -> None:
    watch = at(NOW_MS)
    watch.note_own(NOW_MS + AHEAD_MS_MAX)
    assert watch.fault() is None
    watch.note_own(NOW_MS + AHEAD_MS_MAX + 1)
    with pytest.raises(Conflict):
        watch.signing_ms()


def test_a_clock_behind_most_neighbours_does_not_sign() -> None:
    watch = at(NOW_MS)
    late = AHEAD_MS_MAX + 60_000
    watch.ask_peers(lambda: [late, late, 0])
    with pytest.raises(Conflict):
        watch.signing_ms()


@pytest.mark.parametrize("ahead", [[], [10**12], [10**12, 10**12], [10**12, 0, 0], [-(10**12)] * 5])
def test_few_neighbours_or_slow_ones_stop_nobody(ahead: list[int]) -> None:
    watch = at(NOW_MS)
    watch.ask_peers(lambda: ahead)
    assert watch.signing_ms() == NOW_MS


def test_a_person_may_say_that_the_clock_is_right() -> None:
    assert at(0, trusted=True).signing_ms() == 0
    assert at(0, trusted=True).fault() is not None
