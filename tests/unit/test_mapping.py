"""Mapping files: rows of a foreign catalogue become Entry JSON, and a bad mapping says what to do."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.draft import draft_from_json
from p2pcommons.commons.vocabulary import FIELDS
from p2pcommons.errors import FormError
from p2pcommons.formats import Refusal, parse_mapping, read

EXAMPLES = Path(__file__).parents[2] / "examples"
DATASETS = os.environ.get("P2PCOMMONS_DATASETS")


def _mapped(mapping: dict[str, Any], row: dict[str, Any]) -> Any:
    whole = {**mapping, "constants": {"type": "text", **mapping.get("constants", {})}}
    whole["fields"] = {"title": "t", **mapping.get("fields", {})}
    made = parse_mapping(json.dumps(whole), "m.json").entry({"t": "a", **row})
    if isinstance(made, Refusal):
        return made
    assert draft_from_json(made)
    return {name: value for name, value in made.items() if name not in ("type", "title")}


def test_constants_come_first_and_columns_fill_them_over() -> None:
    mapping = {"constants": {"licence": "CC0-1.0", "language": "fr"}, "fields": {"language": "l"}}
    assert _mapped(mapping, {}) == {"licence": "CC0-1.0", "language": "fr"}
    assert _mapped(mapping, {"l": "br"})["language"] == "br"


def test_a_separator_cuts_a_field_or_a_column_and_blanks_vanish() -> None:
    by_field = {"fields": {"subjects": "s"}, "separators": {"subjects": ";"}}
    assert _mapped(by_field, {"s": " a; b ;;c"}) == {"subjects": ["a", "b", "c"]}
    by_column = {"fields": {"subjects": ["s", "u"]}, "separators": {"s": ";"}}
    assert _mapped(by_column, {"s": "a;b", "u": "c;d"}) == {"subjects": ["a", "b", "c;d"]}
    assert _mapped(by_field, {"s": " ; "}) == {}


def test_a_list_of_columns_is_all_of_them_or_the_first_there_is() -> None:
    assert _mapped({"fields": {"subjects": ["x", "y"]}}, {"x": "1", "y": "2"}) == {"subjects": ["1", "2"]}
    assert _mapped({"fields": {"publisher": ["x", "y"]}}, {"x": " ", "y": "2"}) == {"publisher": "2"}


def test_texts_with_columns_in_them_say_nothing_where_a_column_is_empty() -> None:
    mapping = {"fields": {"identifiers": ["wikidata:{q}", "ulan:{u}"], "publisher": "{a} ({b})"}}
    assert _mapped(mapping, {"q": "Q1", "a": "x"}) == {"identifiers": ["wikidata:Q1"]}
    assert _mapped(mapping, {"a": "x", "b": "y"}) == {"publisher": "x (y)"}


def test_languages_and_parts_of_places_meet_in_one_field() -> None:
    mapping = {
        "fields": {
            "description.fr": "f",
            "description.en": "e",
            "place.name": "n",
            "place.lat": "la",
            "place.lon": "lo",
        }
    }
    row = {"f": "un", "e": "one", "n": "Brest", "la": "48,3904", "lo": "-4.4861"}
    assert _mapped(mapping, row) == {
        "description": {"fr": "un", "en": "one"},
        "place": {"name": "Brest", "lat": 48.3904, "lon": -4.4861},
    }
    assert _mapped({"fields": {"description": "d", "description.en": "e"}}, {"d": "x", "e": "y"}) == {
        "description": {"und": "x", "en": "y"}
    }


def test_json_values_pass_and_paths_reach_into_objects() -> None:
    mapping = {"fields": {"creators": "makers", "place.lat": "geo.lat", "place.lon": "geo.lon", "length_m": "km.m"}}
    row = {"makers": [{"name": "A", "role": "author"}, "B"], "geo": {"lat": 48, "lon": -4.5}, "km": {"m": 1200.0}}
    assert _mapped(mapping, row) == {
        "creators": [{"name": "A", "role": "author"}, "B"],
        "place": {"lat": 48.0, "lon": -4.5},
        "length_m": 1200,
    }
    assert _mapped({"fields": {"created": "y"}}, {"y": 1820}) == {"created": "1820"}


def test_words_that_mean_nothing_are_no_values() -> None:
    mapping = {"fields": {"born": "b", "nationality": "n"}, "empty": {"b": ["0"], "*": ["NULL"]}}
    assert _mapped(mapping, {"b": "0", "n": "NULL"}) == {}
    assert _mapped(mapping, {"b": 0, "n": "0"}) == {"nationality": "0"}
    assert _mapped(mapping, {"b": "NULL"}) == {}


def test_a_line_without_its_source_is_refused() -> None:
    mapping = {"source": "x:{a}/{b}"}
    assert _mapped(mapping, {"a": "1", "b": 2}) == {"source": "x:1/2"}
    refused = _mapped(mapping, {"a": "1", "b": " "})
    assert isinstance(refused, Refusal) and refused.code == "no_source" and "'b'" in refused.detail


def test_a_number_that_is_none_refuses_the_line_and_names_the_field() -> None:
    refused = _mapped({"fields": {"place.lat": "l"}}, {"l": "north"})
    assert isinstance(refused, Refusal) and "place.lat" in refused.detail and "north" in refused.detail


@given(
    row=st.dictionaries(
        st.sampled_from("abcdt"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
            max_leaves=5,
        ),
    ),
    fields=st.dictionaries(
        st.sampled_from(sorted(FIELDS)), st.sampled_from(("a", "b.x", "{c}:{d}", "q:{a}")), max_size=6
    ),
)
def test_any_row_gives_an_entry_or_a_refusal(row: dict[str, Any], fields: dict[str, Any]) -> None:
    mapping = parse_mapping(
        json.dumps({"constants": {"type": "text"}, "fields": {**fields, "title": "t"}, "source": "x:{a}"}), "m.json"
    )
    made = mapping.entry(row)
    if isinstance(made, dict):
        try:
            draft_from_json(made)
        except FormError:
            pass


GOOD: dict[str, Any] = {"fields": {"title": "T"}, "constants": {"type": "text"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"feilds": {}}, ["feilds", "fields, constants"]),
        ({"fields": []}, ["'fields'", "object"]),
        ({"fields": {}}, ["'fields'", "empty"]),
        ({"fields": {"tilte": "T"}}, ["fields.tilte", "no field", "title"]),
        ({"fields": {"title": 3}}, ["fields.title", "column"]),
        ({"fields": {"title": "T", "place.hight": "h"}}, ["place.hight", "lat"]),
        ({"fields": {"title": "T", "creators.role": "h"}}, ["creators.role", "'creators' alone"]),
        ({"fields": {"title": "T", "description.français": "h"}}, ["description.français", "BCP 47"]),
        ({"fields": {"description": "T"}}, ["'fields'", "'title'"]),
        ({"constants": {}}, ["'type'", "constants"]),
        ({"constants": {"type": "txet"}}, ["constants.type", "one of"]),
        ({"constants": {"type": "text", "licence": "free!"}}, ["constants.licence", "SPDX"]),
        ({"constants": {"type": "text", "subjects": "x"}}, ["constants.subjects", "list"]),
        ({"constants": {"type": "text", "colour": "x"}}, ["constants.colour", "no field"]),
        ({"constants": {"type": "text", "credit": None}}, ["constants.credit", "no value"]),
        ({"source": "moma"}, ["'source'", "{ConstituentID}"]),
        ({"source": 1}, ["'source'"]),
        ({"separators": {"subjects": ";"}}, ["separators.subjects", "neither"]),
        ({"separators": {"title": ";"}}, ["separators.title", "one value"]),
        ({"separators": {"T": ""}}, ["separators.T", "cut"]),
        ({"empty": {"T": "0"}}, ["empty.T", '["0"]']),
    ],
)
def test_a_bad_mapping_names_the_file_the_key_and_what_to_do(change: dict[str, Any], words: list[str]) -> None:
    parse_mapping(json.dumps(GOOD), "my map.json")
    with pytest.raises(FormError) as caught:
        parse_mapping(json.dumps({**GOOD, **change}), "my map.json")
    assert caught.value.code == "bad_mapping"
    for word in ["my map.json", *words]:
        assert word in caught.value.detail


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff", b"[" * 100_000, b'{"fields": {"title": "T"},}'])
def test_a_file_that_is_no_mapping_is_named(text: bytes) -> None:
    with pytest.raises(FormError, match=r"m\.json"):
        parse_mapping(text, "m.json")


def test_a_byte_order_mark_before_a_mapping_changes_nothing() -> None:
    text = json.dumps(GOOD).encode()
    assert parse_mapping(b"\xef\xbb\xbf" + text, "m").columns == parse_mapping(text, "m").columns


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_the_examples_are_mappings(path: Path) -> None:
    assert parse_mapping(path.read_bytes(), path.name).columns


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "mapping", "lines", "dropped"),
    [("tate-artworks.jsonl.gz", "tate.json", 69_202, {}), ("moma-artists.csv", "moma.json", 14_769, {"Code": 11_471})],
)
def test_every_line_of_the_real_catalogues_maps(file: str, mapping: str, lines: int, dropped: dict[str, int]) -> None:
    if DATASETS is None or not (Path(DATASETS) / file).exists():
        pytest.skip(f"P2PCOMMONS_DATASETS names no folder with {file}")
    sources = set()
    with (Path(DATASETS) / file).open("rb") as stream:
        reading = read(stream, name=file, mapping=parse_mapping((EXAMPLES / mapping).read_bytes(), mapping))
        for number, entry in reading:
            assert isinstance(entry, dict), (number, entry)
            sources.add(draft_from_json(entry).source)
    assert len(sources) == lines
    assert {each.name: each.lines for each in reading.dropped()} == dropped


def test_compressed_and_mapped_together() -> None:
    mapping = parse_mapping(json.dumps({**GOOD, "source": "x:{n}"}), "m.json")
    data = gzip.compress(b'\xef\xbb\xbf{"T": "a", "n": 1, "other": 2}\n')
    reading = read(io.BytesIO(data), name="x.jsonl.gz", mapping=mapping)
    assert list(reading) == [(1, {"type": "text", "source": "x:1", "title": "a"})]
    assert [(each.name, each.lines) for each in reading.dropped()] == [("other", 1)]
