"""Outside formats: bytes nobody vouches for, and what this project writes itself."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.draft import draft_from_json
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.errors import FormError, Refused
from p2pcommons.formats import FORMATS, Refusal, detect, jsonl, parse_mapping, read, tabular

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: not text.isspace()
)
AGENTS = TEXTS | st.fixed_dictionaries({"name": TEXTS}, optional={"role": TEXTS})
ENTRIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("image", "place", "book")),
        "title": TEXTS | st.fixed_dictionaries({"fr": TEXTS, "en": TEXTS}),
    },
    optional={
        "source": TEXTS.map(lambda text: "test:" + text.strip()),
        "description": TEXTS,
        "creators": st.lists(AGENTS, min_size=1, max_size=3),
        "subjects": st.lists(TEXTS, min_size=1, max_size=4),
        "language": st.just("fr") | st.just(["fr"]) | st.just(["br", "fr"]),
        "place": TEXTS | st.fixed_dictionaries({"name": TEXTS, "lat": st.just(48.3904), "lon": st.just(-4.4861)}),
        "length_m": st.integers(0, 10**6),
        "created": TEXTS,
    },
)


def _read(data: bytes, name: str = "", **how: Any) -> list[tuple[int, Any]]:
    return list(read(io.BytesIO(data), name=name, **how))


def _codes(rows: list[tuple[int, Any]]) -> list[tuple[int, str]]:
    return [(number, row.code if isinstance(row, Refusal) else "entry") for number, row in rows]


def _written(format: Any, entries: list[dict[str, Any]]) -> bytes:
    return bytes(format.head()) + b"".join(format.encode(entry) for entry in entries)


def _meaning(entry: dict[str, Any]) -> tuple[Any, ...]:
    draft = draft_from_json({name: value for name, value in entry.items() if name != "source"})
    return draft.fields, draft.sets


@pytest.mark.parametrize("name", FORMATS)
@given(entries=st.lists(ENTRIES, min_size=1, max_size=3))
def test_what_is_written_reads_back_as_the_same_entries(name: str, entries: list[dict[str, Any]]) -> None:
    rows = _read(_written(FORMATS[name], entries), format=name)
    assert [_meaning(row) for _, row in rows] == [_meaning(entry) for entry in entries]
    for (_, row), entry in zip(rows, entries, strict=True):
        assert row["source"] == entry.get("source", row["source"])


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.binary(max_size=300) | st.text("\"',;\t\n\r{}[]:ax1é", max_size=80).map(str.encode))
def test_any_bytes_give_rows_or_a_form_error(name: str, data: bytes) -> None:
    try:
        rows = _read(b"title,type\n" + data if name == "csv" else data, format=name)
    except FormError:
        return
    numbers = [number for number, _ in rows]
    assert numbers == sorted(set(numbers)) and all(number >= 1 for number in numbers)


@given(entries=st.lists(ENTRIES, min_size=1, max_size=4), name=st.sampled_from(sorted(FORMATS)))
def test_compression_and_byte_order_mark_change_nothing(entries: list[dict[str, Any]], name: str) -> None:
    data = _written(FORMATS[name], entries)
    plain = _read(data, format=name)
    assert _read(gzip.compress(data), format=name) == plain
    assert _read(gzip.compress(b"\xef\xbb\xbf" + data), format=name) == plain


def test_reading_goes_line_by_line_and_never_ahead_of_its_caller() -> None:
    class Endless(io.RawIOBase):
        lines = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            Endless.lines += 1
            line = b'{"type":"text","title":"%d"}\n' % Endless.lines
            buffer[: len(line)] = line
            return len(line)

    rows: Iterator[Any] = iter(read(Endless(), name="x.jsonl"))  # type: ignore[arg-type]
    assert next(rows)[0] == 1 and next(rows)[0] == 2
    assert Endless.lines < 10


@pytest.mark.parametrize("name", FORMATS)
def test_a_line_too_long_is_refused_and_the_next_one_is_read(name: str) -> None:
    entry = {"type": "text", "title": "a"}
    long = {"type": "text", "title": "b", "description": "x" * BATCH_LINE_BYTES_MAX}
    rows = _read(_written(FORMATS[name], [entry, long, entry]), format=name)
    assert [code for _, code in _codes(rows)] == ["entry", "line_too_long", "entry"]


def test_a_quote_never_closed_costs_a_bounded_part_of_the_file() -> None:
    rest = b"text,fine\n" * (2 * BATCH_LINE_BYTES_MAX // 10)
    rows = _read(b'type,title\ntext,"open\n' + rest, format="csv")
    codes = [code for _, code in _codes(rows)]
    assert codes[0] in ("line_too_long", "bad_row")
    assert codes.count("entry") > BATCH_LINE_BYTES_MAX // 20


def test_refused_lines_keep_their_numbers_and_say_why() -> None:
    data = (
        b'{"type":"text","title":"a"}\n\nnot json\n[1]\n"x"\n\xff\n'
        + b"[" * 100_000
        + b"\n"
        + b'{"a":'
        + b"1" * 5000
        + b"}\n"
    )
    rows = _read(data, name="x.jsonl")
    assert _codes(rows) == [
        (1, "entry"), (3, "bad_json"), (4, "not_an_object"), (5, "not_an_object"), (6, "not_utf8"), (7, "bad_json"),
        (8, "bad_json"),
    ]  # fmt: skip
    assert all(len(row.detail) > 20 for _, row in rows if isinstance(row, Refusal))


def test_csv_rows_keep_the_number_of_their_first_line() -> None:
    data = b'type,title,description\ntext,a,"one\ntwo"\n\ntext,b,\xff\ntext,c,d,e\ntext,f,\n'
    assert _codes(_read(data, name="x.csv")) == [(2, "entry"), (5, "not_utf8"), (6, "bad_row"), (7, "entry")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_from_the_heading(delimiter: str) -> None:
    data = delimiter.join(("type", '"title"', "description")) + "\n" + delimiter.join(("text", "a", '"x,y;z\t!"'))
    [(number, entry)] = _read(data.encode(), name="x.csv")
    assert (number, entry["title"], entry["description"]) == (2, "a", "x,y;z\t!")


def test_a_file_cut_short_gives_what_came_before_and_one_error() -> None:
    lines = b"".join(b'{"type":"text","title":"%d"}\n' % n for n in range(20_000))
    whole = gzip.compress(lines)
    reading = read(io.BytesIO(whole[: len(whole) // 2]), name="x.jsonl.gz")
    count = 0
    with pytest.raises(FormError) as caught:
        for _ in reading:
            count += 1
    assert caught.value.code == "truncated" and count > 100
    with pytest.raises(FormError):
        _read(b"\x1f\x8bgarbage")


def test_the_format_is_known_by_name_then_by_first_bytes() -> None:
    assert detect("a.CSV.gz", b"") is tabular
    assert detect("a.ndjson", b"") is jsonl
    assert detect("", b'\xef\xbb\xbf {"title": "a"}') is jsonl
    assert detect("", b"type;title\n") is tabular
    with pytest.raises(Refused) as caught:
        detect("a.mrc", b"01142cam 2200301 a")
    assert caught.value.code == "unknown-format" and "--format" in caught.value.detail


def test_reading_twice_gives_the_same_sources() -> None:
    data = b'{"type":"text","title":"a"}\n{"type":"text","title":"b"}\n'
    first, second = _read(data, name="x.jsonl"), _read(data, name="x.jsonl")
    assert first == second
    assert len({entry["source"] for _, entry in first}) == 2


def test_an_exported_entry_is_known_again_by_its_id_and_left_alone_in_its_own_commons() -> None:
    exported = {
        "id": "ab" * 32, "commons": "cd" * 32, "type": "text", "title": "a", "created_at": "2026-01-01T00:00:00Z",
        "authors": ["did:key:z6Mk"],
    }  # fmt: skip
    reading = read(io.BytesIO(jsonl.encode(exported)), name="x.jsonl", into="00" * 32)
    [(_, entry)] = list(reading)
    assert entry == {"type": "text", "title": "a", "source": "p2pcommons:" + "ab" * 32}
    assert {each.name for each in reading.dropped()} == {"id", "commons", "created_at", "authors"}
    assert _codes(_read(jsonl.encode(exported), name="x.jsonl", into="cd" * 32)) == [(1, "own_entry")]


def test_an_export_of_entries_with_equal_fields_keeps_them_apart_in_csv_too() -> None:
    entries = [{"id": digit * 64, "commons": "c" * 64, "type": "text", "title": "same"} for digit in "ab"]
    rows = _read(_written(tabular, entries), format="csv")
    assert len({row["source"] for _, row in rows}) == 2


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\n", "empty"),
        (b"", "empty"),
        (b"type,title,title\n", "two columns"),
        (b"type,,title\n", "no name"),
        (b"\xff\n", "UTF-8"),
        (b"nom;auteur\na;b\n", "--map"),
    ],
)
def test_a_heading_that_cannot_serve_is_one_clear_error(data: bytes, word: str) -> None:
    with pytest.raises(FormError, match=word):
        _read(data, name="x.csv")


def test_columns_that_no_field_takes_are_told_once_with_their_count() -> None:
    data = b"type,title,Nom,Vide\ntext,a,x,\ntext,b,,\ntext,c,y,\n"
    reading = read(io.BytesIO(data), name="x.csv")
    list(reading)
    assert [(each.name, each.lines) for each in reading.dropped()] == [("Nom", 2)]


def test_a_column_that_the_mapping_reads_must_be_there() -> None:
    mapping = parse_mapping(json.dumps({"fields": {"title": "Nom"}, "constants": {"type": "text"}}), "m.json")
    with pytest.raises(FormError, match=r"m\.json.*'fields\.title'.*'Nom'.*has Name"):
        _read(b"Name\na\n", name="x.csv", mapping=mapping)
