"""The bench's table and its plots: what they say follows from the figures, and nothing else."""

from __future__ import annotations

import json
import runpy
import xml.etree.ElementTree as Xml
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.cli.bench.differences import scattered
from p2pcommons.cli.bench.table import Asked, Figure, markdown, number, of_many, percentile, printed
from p2pcommons.cli.bench.works import WORKS, lines, queries

PLOTS = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "plots"))
TABLE = (
    of_many("import", "import", [11_000.0, 13_000.0, 12_500.0], "entries/s", Asked("≥", 12_000, 18_000)),
    Figure("start", "start to first answer", 1.25, "s", Asked("≤", 1)),
    Figure("disk", "disk", 1914.4, "B/entry"),
)


def test_a_line_says_what_was_asked_what_came_and_whether_it_is_enough() -> None:
    assert printed(TABLE).splitlines() == [
        "import                 12,500 entries/s  ≥ 12,000 (18,000)   11,000 … 13,000",
        "start to first answer            1.25 s  ≤ 1               !",
        "disk                      1,914 B/entry",
    ]
    asked = Asked("≤", 9)
    small, large = (Figure("difference", "found", 7, "B", asked, (), size, 1) for size in (1000, 100_000))
    trips = Figure("trips", "    round trips", 1, "", asked, (), 100_000, 1)
    of_nothing_asked = (replace(large, asked=None, differences=10), replace(trips, differences=10))
    assert markdown([*TABLE, small, large, trips, *of_nothing_asked]).splitlines() == [
        "| what | asked | measured |",
        "|---|---|---|",
        "| import | ≥ 12,000 (18,000) entries/s | 12,500 entries/s (11,000 … 13,000) |",
        "| start to first answer | ≤ 1 s | 1.25 s |",
        "| disk |  | 1,914 B/entry |",
        "| found | ≤ 9 B | 7 B |",
        "| – round trips | ≤ 9 | 1 |",
    ]


def test_machines_read_the_same() -> None:
    told = json.loads(json.dumps([figure.to_json() for figure in TABLE]))
    assert [each["measured"] for each in told] == [12_500, 1.25, 1914.4]
    assert [each["reached"] for each in told] == [True, False, None]
    assert tuple(map(Figure.of_json, told)) == TABLE
    assert told[0]["values"] == [11_000, 13_000, 12_500] and told[0]["asked"] == ["≥", 12_000, 18_000]


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([5.0, 1.0, 3.0], percent) for percent in (0, 34, 99, 100)] == [1, 3, 5, 5]
    assert percentile(list(map(float, range(500))), 99) == 495


@pytest.mark.parametrize("value, text", [(0, "0"), (0.236, "0.24"), (12.34, "12.3"), (1234.5, "1,234"), (2.0, "2")])
def test_numbers_have_as_many_figures_as_people_read(value: float, text: str) -> None:
    assert number(value) == text


def test_more_works_than_there_are_come_again_under_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pcommons.cli.bench.works._works", lambda: iter([b'{"source":"a","title":"A"}\n']))
    assert [json.loads(line)["source"] for line in lines(3)] == ["a", "a~1", "a~2"]
    assert [json.loads(line)["title"] for line in lines(2, after=2)] == ["A ~2", "A ~3"]


def test_the_mix_of_searches_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P2PCOMMONS_DATASETS", raising=False)
    catalogue = list(lines(300))
    mix = queries(catalogue)
    assert mix == queries(catalogue) and len(mix) == 500
    assert sum(text.startswith('"') for text in mix) == 50 and sum(text.endswith("*") for text in mix) == 100
    assert WORKS == 69_202


def test_a_difference_costs_the_same_in_a_larger_set() -> None:
    figures = {figure.key: figure for figure in scattered([300, 3000], lambda _: None)}
    for count in (0, 1, 100):
        small, large = (figures[f"difference-bytes-{count}-{size}"] for size in (300, 3000))
        assert small.measured == pytest.approx(large.measured, rel=0.25)
        assert large.reached is not False
    assert figures["difference-trips-0-3000"].measured == 1
    assert figures["ranges-bytes-100-3000"].measured > 3 * figures["difference-bytes-100-3000"].measured


def _figure(kind: str, size: int, count: int, measured: float) -> dict[str, Any]:
    key = f"{kind}-{count}-{size}"
    values = (measured * 0.9, measured, measured * 1.1)
    return Figure(key, "", measured, "", None, values, size, count).to_json()


def test_plots_are_well_formed_and_hold_every_point() -> None:
    sizes, counts = (10_000, 1_000_000), (0, 1, 100)
    figures = [
        _figure(kind, size, count, 50.0 * count + 7)
        for kind in ("difference-bytes", "difference-cpu")
        for size in sizes
        for count in counts
    ]
    figures += [_figure("ranges-bytes", 10_000, count, 900.0 * count) for count in (1, 100)]
    figures += [each.to_json() for each in TABLE]
    drawn = PLOTS["plots"](figures)
    assert set(drawn) == {
        "bytes-by-difference.svg", "bytes-by-size.svg", "time-by-difference.svg", "time-by-size.svg",
    }  # fmt: skip
    circles = {
        name: sum(each.tag.endswith("circle") for each in Xml.fromstring(text).iter()) for name, text in drawn.items()
    }
    assert circles == {
        "bytes-by-difference.svg": 2 * 2 + 2 + 2, "bytes-by-size.svg": 2 * 2,
        "time-by-difference.svg": 2 * 2, "time-by-size.svg": 2 * 2,
    }  # fmt: skip


def test_names_of_lines_do_not_lie_over_each_other() -> None:
    line = PLOTS["Line"]
    lines_drawn = [line(f"line {number}", [(1, 5.0), (10, 5.0)]) for number in range(4)]
    places = sorted(place for _, _, place in PLOTS["names"](lines_drawn, PLOTS["scale"]([1, 10], 300, 40)))
    assert all(after - before >= PLOTS["NAME_PX"] for before, after in pairwise(places))
