"""The bench's table: figures with what is asked of them, their medians and spreads, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

_GOOD: Final = {"≤": lambda measured, asked: measured <= asked, "≥": lambda measured, asked: measured >= asked}

_LARGE_FROM: Final = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a figure is to be at least, and what would be better still. `sign`: ≤ or ≥."""

    sign: str
    least: float
    stretch: float | None = None

    def __str__(self) -> str:
        stretch = "" if self.stretch is None else f" ({number(self.stretch)})"
        return f"{self.sign} {number(self.least)}{stretch}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `key` names it for machines and never changes; `values` are what the median is of.

    `entries` and `differences`: the size of the set and of the difference it was measured with, where it was.
    """

    key: str
    name: str
    measured: float
    unit: str = ""
    asked: Asked | None = None
    values: tuple[float, ...] = ()
    entries: int | None = None
    differences: int | None = None

    @property
    def reached(self) -> bool | None:
        """Whether it is what was asked for; None where nothing was."""
        return None if self.asked is None else bool(_GOOD[self.asked.sign](self.measured, self.asked.least))

    @property
    def spread(self) -> str:
        """The least and the greatest value, where there are several."""
        if len(set(self.values)) < 2:
            return ""
        return f"{number(min(self.values))} … {number(max(self.values))}"

    def to_json(self) -> dict[str, Any]:
        """The machine form."""
        asked = None if self.asked is None else [self.asked.sign, self.asked.least, self.asked.stretch]
        return {
            "key": self.key, "name": self.name, "measured": self.measured, "unit": self.unit, "asked": asked,
            "reached": self.reached, "values": list(self.values), "entries": self.entries,
            "differences": self.differences,
        }  # fmt: skip

    @staticmethod
    def of_json(told: dict[str, Any]) -> Figure:
        """The reverse of `to_json`."""
        asked = None if told["asked"] is None else Asked(*told["asked"])
        return Figure(
            told["key"], told["name"], told["measured"], told["unit"], asked, tuple(told["values"]), told["entries"],
            told["differences"],
        )  # fmt: skip


def of_many(key: str, name: str, values: Sequence[float], unit: str = "", asked: Asked | None = None) -> Figure:
    """The median of several measurements."""
    return Figure(key, name, median(values), unit, asked, tuple(values))


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many of a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def number(value: float) -> str:
    """A number with as many figures as people read."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def printed(figures: Sequence[Figure]) -> str:
    """The table as text: what, measured, asked (and the stretch), lowest to highest; a `!` where it was not reached."""
    rows = [
        (
            figure.name,
            f"{number(figure.measured)} {figure.unit}".strip(),
            "" if figure.asked is None else str(figure.asked),
            "!" if figure.reached is False else "",
            figure.spread,
        )
        for figure in figures
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}} {row[3]:<{widths[3]}} {row[4]}".rstrip()
        for row in rows
    )


def markdown(figures: Sequence[Figure]) -> str:
    """The same for a README; of the many differences those of which something is asked, in large sets."""
    lines = ["| what | asked | measured |", "|---|---|---|"]
    told = {figure.differences for figure in figures if figure.asked is not None and not figure.name.startswith(" ")}
    for figure in figures:
        is_small = (figure.entries or 0) < _LARGE_FROM
        if figure.differences is not None and (figure.asked is None or is_small or figure.differences not in told):
            continue
        asked = "" if figure.asked is None else f"{figure.asked} {figure.unit}".strip()
        spread = f" ({figure.spread})" if figure.spread else ""
        name = f"– {figure.name.strip()}" if figure.name.startswith(" ") else figure.name
        lines.append(f"| {name} | {asked} | {number(figure.measured)} {figure.unit}".rstrip() + f"{spread} |")
    return "\n".join(lines)
