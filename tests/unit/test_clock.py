from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.core.clock import from_ms, is_later, next_time, to_ms
from p2pcommons.core.limits import AHEAD_MS_MAX, TIME_MAX
from p2pcommons.errors import LocalProtocolError

NOW = 1_767_225_600_000
now = st.integers(0, 2**46)


@given(now, st.lists(st.integers(-5, 5), max_size=30))
def test_times_of_a_key_rise_whatever_its_clock_does(start: int, steps: list[int]) -> None:
    last, clock = next_time(start, None), start
    for step in steps:
        clock = max(0, clock + step)
        time = next_time(clock, last)
        assert last < time <= TIME_MAX
        assert to_ms(time) >= clock
        last = time


@given(now, st.integers(0, 2**62))
def test_the_next_time_is_the_least_that_is_behind_the_last_and_not_before_now(now_ms: int, last: int) -> None:
    assert next_time(now_ms, last) == max(from_ms(now_ms), last + 1)


def test_a_record_may_be_ten_minutes_ahead() -> None:
    assert not is_later(from_ms(NOW + AHEAD_MS_MAX) | 0xFFFF, NOW)
    assert is_later(from_ms(NOW + AHEAD_MS_MAX + 1), NOW)
    assert not is_later(0, NOW)


@given(now)
def test_milliseconds_survive(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


@pytest.mark.parametrize(("now_ms", "last"), [(-1, None), (2**47, None), (NOW, TIME_MAX)])
def test_a_clock_beyond_what_a_record_holds_is_told(now_ms: int, last: int | None) -> None:
    with pytest.raises(LocalProtocolError, match="bad_time"):
        next_time(now_ms, last)
