"""Dates as people give them: which texts are EDTF (ISO 8601-2), and which years they span (chapter 20).

Any text is kept as it was given; this module only tells what can be computed with. Levels 0 and 1 whole, of
level 2 sets, qualified parts, unspecified digits anywhere and long years.
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Final, NamedTuple


class Years(NamedTuple):
    """The years a date may lie in, both included; None where it is open or unknown on that side."""

    first: int | None
    last: int | None


_DATE: Final = re.compile(
    r"[?~%]?(?P<year>-?[0-9X]{4}|Y-?[0-9]{5,9})[?~%]?"
    r"(?:-[?~%]?(?P<month>[0-9X]{2})[?~%]?(?:-[?~%]?(?P<day>[0-9X]{2})[?~%]?)?)?"
)
_TIME: Final = re.compile(r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_TEXT_MAX: Final = 128  # characters looked at: sets of dates stay far below


def is_edtf(text: str) -> bool:
    """Whether the text is a date in EDTF."""
    return years(text) is not None


def years(text: str) -> Years | None:
    """The years that an EDTF text spans; None where it is no EDTF."""
    if not text or len(text) > _TEXT_MAX:
        return None
    if text[0] + text[-1] in ("[]", "{}"):
        return _set(text[1:-1])
    start, slash, end = text.partition("/")
    if slash:
        return _interval(start, end)
    return _date(text)


def _interval(start: str, end: str) -> Years | None:
    if start in ("", "..") and end in ("", ".."):
        return None
    first = Years(None, None) if start in ("", "..") else _date(start)
    last = Years(None, None) if end in ("", "..") else _date(end)
    if first is None or last is None:
        return None
    if first.first is not None and last.last is not None and first.first > last.last:
        return None
    return Years(first.first, last.last)


def _set(text: str) -> Years | None:
    spans = [_range(part.strip()) for part in text.split(",")]
    firsts: list[int | None] = []
    lasts: list[int | None] = []
    for span in spans:
        if span is None:
            return None
        firsts.append(span.first)
        lasts.append(span.last)
    first = None if None in firsts else min(year for year in firsts if year is not None)
    last = None if None in lasts else max(year for year in lasts if year is not None)
    return Years(first, last)


def _range(text: str) -> Years | None:
    start, dots, end = text.partition("..")
    return _interval(start, end) if dots else _date(text)


def _date(text: str) -> Years | None:
    found = _DATE.match(text)
    if found is None:
        return None
    if found.end() < len(text) and not (found["day"] and _TIME.fullmatch(text, found.end())):
        return None
    year, month, day = found["year"].removeprefix("Y"), found["month"], found["day"]
    if month and not _is_month(month, day):
        return None
    if day and not _is_day(year, month, day):
        return None
    low, high = int(year.replace("X", "0")), int(year.replace("X", "9"))
    return Years(min(low, high), max(low, high))


def _is_month(month: str, day: str | None) -> bool:
    if "X" in month:
        return month in ("XX", "0X", "1X", "X0", "X1", "X2") or re.fullmatch("X[3-9]", month) is not None
    return 1 <= int(month) <= 12 or (21 <= int(month) <= 41 and day is None)  # 21 to 41: seasons, quarters…


def _is_day(year: str, month: str, day: str) -> bool:
    if "X" in day:
        return day[0] in "0123X"
    length = 31
    if "X" not in month:
        known = int(year) if "X" not in year and len(year) <= 5 else 2000  # an unknown year may be a leap year
        length = monthrange(known % 400 + 2000, int(month))[1]  # the calendar repeats every 400 years
    return 1 <= int(day) <= length
