"""Entry JSON in: what the door takes and refuses, re-imports, and merge patches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.draft import (
    FieldError,
    draft_from_json,
    edit_body_change,
    edit_body_new,
    edit_new,
    merge_patch,
    withdraw_body,
)
from p2pcommons.commons.edit import read_edit, read_withdraw
from p2pcommons.commons.entry import EntryRecord, EntryView, entry_record, fold, fold_single
from p2pcommons.commons.entry_json import entry_json, fields_json
from p2pcommons.commons.vocabulary import FIELDS, Kind
from p2pcommons.core.record import ZEROS, Record, build, decode_body, entry_id
from p2pcommons.errors import FormError

COMMONS = b"c" * 32
ALICE, LIBRARY = b"a" * 32, b"l" * 32
LIGHTHOUSE: dict[str, Any] = {
    "type": "place",
    "title": {"fr": "Phare du Petit Minou", "br": "Tour-tan ar Minoù Bihan"},
    "description": "A lighthouse",
    "creators": ["Louis Plantier", {"name": "Anne", "role": "photographer"}],
    "subjects": ["lighthouse", "mer"],
    "created": "1848",
    "place": {"name": "Plouzané", "lat": 48.3367, "lon": -4.6144, "territory": "29212"},
    "licence": "CC-BY-SA-4.0",
    "language": ["fr", "br"],
    "identifiers": ["wikidata:Q1467537"],
}


def record_of(
    body: bytes | dict[str, Any], *, time: int = 1, author: bytes = LIBRARY, prev: tuple[bytes, ...] = ()
) -> Record:
    return build(
        commons=COMMONS, plane=1, author=author, after=ZEROS, time=time, subject=entry_id(COMMONS, "tate:A1"), prev=prev,
        kind="entry.edit", body=body, salt=bytes(16),
    )  # fmt: skip


def view_of(obj: dict[str, Any]) -> EntryView:
    return fold_single(record_of(edit_body_new(draft_from_json(obj))))


def body_of(data: bytes | None) -> dict[str, Any]:
    assert data is not None
    value: dict[str, Any] = decode_body(data)
    assert read_edit(value) is not None
    return value


def test_what_goes_in_comes_out() -> None:
    out = entry_json(view_of({**LIGHTHOUSE, "source": "TATE:A1"}), COMMONS)
    assert {name: out[name] for name in LIGHTHOUSE} == LIGHTHOUSE
    assert out["source"] == "tate:A1"


def test_what_comes_out_goes_in_again_and_means_the_same() -> None:
    view = view_of({**LIGHTHOUSE, "source": "tate:A1"})
    again = draft_from_json(entry_json(view, COMMONS))
    assert edit_body_new(again) == edit_body_new(draft_from_json({**LIGHTHOUSE, "source": "tate:A1"}))


def test_a_plain_text_comes_back_plain_and_languages_as_languages() -> None:
    assert fields_json(view_of({"type": "text", "title": "Plain"}))["title"] == "Plain"
    assert fields_json(view_of({"type": "text", "title": {"und": "Plain"}}))["title"] == "Plain"
    assert fields_json(view_of({"type": "text", "title": {"pt-br": "Farol"}}))["title"] == {"pt-BR": "Farol"}
    both = {"und": "Phare", "en": "Lighthouse"}
    assert fields_json(view_of({"type": "text", "title": both}))["title"] == both


def test_every_field_form_makes_bodies_that_fit_and_read_back() -> None:
    everything = {
        **LIGHTHOUSE,
        "media": [{"id": "AB" * 32, "root": "cd" * 32, "size": 12, "type": "image/png", "alt": {"fr": "phare"}}],
        "terms": {"days": 7, "deposit": "20 euros"},
        "stops": [{"name": "Start", "lat": 48.4, "lon": -4.5}, {"name": "End", "text": "sea view"}],
        "narrator": {"name": "Marie"},
        "length_m": 4500.0,
        "home_place": "Mairie",
        "part_of": ["AB" * 32, "https://example.org/1"],
        "parts": ["case", "battery"],
    }
    everything["place"] = {"geometry": {"type": "LineString", "coordinates": [[-4.5, 48.4, 12.5], [-4.6, 48.3, -1.25]]}}
    body = body_of(edit_body_new(draft_from_json(everything)))
    assert body["set"]["place"]["geometry"]["coordinates"][0] == [-45000000, 484000000, 1250]
    out = fields_json(view_of(everything))
    assert out["place"] == everything["place"]
    assert out["media"] == [
        {"alt": {"fr": "phare"}, "id": "ab" * 32, "root": "cd" * 32, "size": 12, "type": "image/png"}
    ]
    assert out["stops"] == everything["stops"]
    assert out["length_m"] == 4500
    assert out["part_of"] == ["ab" * 32, "https://example.org/1"]


def test_free_words_for_a_date_are_kept_as_given() -> None:
    for words in ("c.1785", "date not known", "1826–7, reprinted 1892", "1920~"):
        assert fields_json(view_of({"type": "image", "title": "x", "created": words}))["created"] == words


def test_texts_are_brought_to_nfc_and_repeats_in_a_list_are_one() -> None:
    view = view_of({"type": "text", "title": "e\u0301te\u0301", "subjects": ["e\u0301", "é", "a"]})
    assert view.fields["title"] == "été"
    assert view.sets["subjects"] == ["é", "a"]


def test_null_and_empty_say_nothing() -> None:
    view = view_of({"type": "text", "title": "x", "description": "", "subjects": [], "licence": None, "source": None})
    assert set(view.fields) == {"type", "title"}
    assert view.sources == ()


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"titel": "x"}, "titel", "unknown_field"),
        ({"title": None}, "title", "missing_field"),
        ({"type": ""}, "type", "missing_field"),
        ({"type": "spaceship"}, "type", "bad_field"),
        ({"title": 3}, "title", "bad_field"),
        ({"title": "  "}, "title", "bad_field"),
        ({"title": "a\0b"}, "title", "bad_field"),
        ({"title": "\ud800"}, "title", "bad_field"),
        ({"title": {"french": "x", "not a tag": "y"}}, "title", "bad_field"),
        ({"title": {"fr": 1}}, "title", "bad_field"),
        ({"licence": {"fr": "CC0-1.0"}}, "licence", "bad_field"),
        ({"licence": "do what you want"}, "licence", "bad_field"),
        ({"language": "français"}, "language", "bad_field"),
        ({"language": [3]}, "language", "bad_field"),
        ({"subjects": "sea"}, "subjects", "bad_field"),
        ({"subjects": ["sea", 3]}, "subjects", "bad_field"),
        ({"subjects": ["sea", " "]}, "subjects", "bad_field"),
        ({"creators": [{"role": "author"}]}, "creators", "bad_field"),
        ({"creators": [{"name": "x", "colour": "blue"}]}, "creators", "bad_field"),
        ({"place": {"lat": 91, "lon": 0}}, "place", "bad_field"),
        ({"place": {"lat": float("nan"), "lon": 0}}, "place", "bad_field"),
        ({"place": {"lat": 48.4}}, "place", "bad_field"),
        ({"place": {"lat": True, "lon": 0}}, "place", "bad_field"),
        ({"place": {"geometry": {"type": ["Point"], "coordinates": [1, 2]}}}, "place", "bad_field"),
        ({"place": {"geometry": {"type": "Point", "coordinates": [[1, 2]]}}}, "place", "bad_field"),
        ({"length_m": 1.5}, "length_m", "bad_field"),
        ({"length_m": -1}, "length_m", "bad_field"),
        ({"length_m": float("inf")}, "length_m", "bad_field"),
        ({"length_m": 2**53}, "length_m", "bad_field"),
        ({"identifiers": ["42"]}, "identifiers", "bad_field"),
        ({"part_of": ["somewhere"]}, "part_of", "bad_field"),
        ({"media": [{"id": "zz"}]}, "media", "bad_field"),
        ({"access": "nobody"}, "access", "bad_field"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(wrong: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(FieldError) as refused:
        draft_from_json({"type": "text", "title": "x", **wrong})
    assert (refused.value.field, refused.value.code) == (field, code)
    assert field in refused.value.detail


@pytest.mark.parametrize(
    ("obj", "code"),
    [
        ([], "bad_entry"),
        ("x", "bad_entry"),
        ({"type": "text", "title": "x", "source": "no scheme"}, "bad_source"),
        ({"type": "text", "title": "x", "source": 7}, "bad_source"),
        ({"type": "text", "title": "x", "source": "a:\ud800"}, "bad_source"),
    ],
)
def test_what_is_no_entry_is_refused(obj: Any, code: str) -> None:
    with pytest.raises(FormError) as refused:
        draft_from_json(obj)
    assert refused.value.code == code


def test_an_entry_larger_than_a_body_is_refused() -> None:
    with pytest.raises(FormError, match="body_too_large"):
        edit_body_new(draft_from_json({"type": "text", "title": "x", "description": "x" * 70_000}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
field_names = st.sampled_from(
    ["title", "subjects", "creators", "place", "media", "stops", "terms", "language", "length_m", "licence", "source"]
)


@given(st.dictionaries(field_names | st.text(max_size=5), json_values, max_size=4))
def test_any_json_is_a_draft_whose_body_fits_or_a_form_error(obj: dict[str, Any]) -> None:
    try:
        body = edit_body_new(draft_from_json({"type": "text", "title": "x", **obj}))
    except FormError:
        return
    assert read_edit(decode_body(body)) is not None


@given(st.dictionaries(field_names | st.text(max_size=5), json_values, max_size=4))
def test_any_patch_is_an_edit_that_fits_or_nothing_or_a_form_error(patch: dict[str, Any]) -> None:
    try:
        body = merge_patch(view_of(LIGHTHOUSE), patch)
    except FormError:
        return
    assert body is None or read_edit(decode_body(body)) is not None


class TestReimport:
    source = "tate:A1"

    def draft(self, **changes: Any) -> Any:
        obj = {"type": "image", "title": "A", "subjects": ["sea", "sky"], "source": self.source, **changes}
        return draft_from_json(obj)

    def test_of_the_same_line_changes_nothing(self) -> None:
        first = record_of(edit_body_new(self.draft()))
        assert edit_body_change([first], self.draft(), {LIBRARY}) is None

    def test_says_only_what_the_source_changed(self) -> None:
        first = record_of(edit_body_new(self.draft(credit="gift")))
        body = body_of(edit_body_change([first], self.draft(title="B", subjects=["sky", "sun"]), {LIBRARY}))
        assert body == {
            "add": {"subjects": ["sun"]}, "clear": ["credit"], "map": "entry-json-1", "origin": self.source,
            "remove": {"subjects": ["sea"]}, "set": {"title": "B"},
        }  # fmt: skip

    def test_compares_with_what_it_imported_and_never_with_what_people_made_of_it(self) -> None:
        first = record_of(edit_body_new(self.draft()))
        human = record_of({"set": {"title": "Corrected"}}, time=2, author=ALICE, prev=(first.id,))
        assert edit_body_change([first, human], self.draft(), {LIBRARY}) is None
        second = record_of(
            edit_body_change([first, human], self.draft(title="B"), {LIBRARY}) or b"", time=3, prev=(human.id,)
        )
        view = fold(b"", [entry_record(record) for record in (first, human, second)])
        assert (view.registers["title"], view.offered) == ("Corrected", {"title": ["B"]})
        assert edit_body_change([first, human, second], self.draft(title="B"), {LIBRARY}) is None

    def test_follows_its_own_chain_through_the_records_of_others(self) -> None:
        first = record_of(edit_body_new(self.draft()))
        human = record_of({"set": {"title": "C"}}, time=2, author=ALICE, prev=(first.id,))
        body = edit_body_change([first, human], self.draft(subjects=["sky"]), {LIBRARY})
        second = record_of(body or b"", time=3, prev=(human.id,))
        assert edit_body_change([second, human, first], self.draft(subjects=["sky"]), {LIBRARY}) is None

    def test_by_another_library_is_an_import_of_its_own(self) -> None:
        first = record_of(edit_body_new(self.draft()))
        assert edit_body_change([first], self.draft(), {ALICE}) == edit_body_new(self.draft())

    def test_of_another_source_of_the_same_thing_is_compared_with_that_source_only(self) -> None:
        first = record_of(edit_body_new(self.draft()))
        other = draft_from_json({"type": "image", "title": "A", "source": "moma:7"})
        assert edit_body_change([first], other, {LIBRARY}) == edit_body_new(other)

    def test_after_an_erasure_does_not_know_what_was_erased(self) -> None:
        first = record_of(edit_body_new(self.draft()))
        assert edit_body_change([first], self.draft(), {LIBRARY}, erased={first.id}) == edit_body_new(self.draft())


def patched(view: EntryView, patch: dict[str, Any]) -> dict[str, Any]:
    body = merge_patch(view, patch)
    ready = [
        EntryRecord(b"1" * 32, 1, ALICE, (), "entry.edit", {"set": dict(view.registers), "add": dict(view.sets)}, True),
        EntryRecord(b"2" * 32, 2, ALICE, (b"1" * 32,), "entry.edit", body_of(body) if body else {}, True),
    ]
    return fields_json(fold(view.subject, ready))


class TestMergePatch:
    @pytest.mark.parametrize(
        ("patch", "fields"),
        [
            ({"title": "New"}, {"title": "New"}),
            ({"title": {"en": "Lighthouse"}}, {"title": {**LIGHTHOUSE["title"], "en": "Lighthouse"}}),
            ({"title": {"br": None}}, {"title": {"fr": LIGHTHOUSE["title"]["fr"]}}),
            ({"description": {"fr": "Un phare"}}, {"description": {"fr": "Un phare"}}),
            ({"description": None}, {"description": None}),
            ({"subjects": ["mer", "sun"]}, {"subjects": ["mer", "sun"]}),
            ({"subjects": None}, {"subjects": None}),
            ({"creators": ["Zoé", "Louis Plantier"]}, {"creators": ["Zoé", "Louis Plantier"]}),
            ({"creators": LIGHTHOUSE["creators"][::-1]}, {"creators": LIGHTHOUSE["creators"][::-1]}),
            ({"place": {"name": "Brest"}}, {"place": {**LIGHTHOUSE["place"], "name": "Brest"}}),
            ({"place": {"territory": None}}, {"place": {"name": "Plouzané", "lat": 48.3367, "lon": -4.6144}}),
            ({"place": "Brest"}, {"place": "Brest"}),
            ({"language": "fr", "length_m": 0}, {"language": "fr", "length_m": 0}),
        ],
    )
    def test_gives_what_rfc_7396_says(self, patch: dict[str, Any], fields: dict[str, Any]) -> None:
        expected = {name: value for name, value in {**LIGHTHOUSE, **fields}.items() if value is not None}
        assert patched(view_of(LIGHTHOUSE), patch) == expected

    def test_is_nothing_where_nothing_changes(self) -> None:
        view = view_of({**LIGHTHOUSE, "source": "tate:A1"})
        assert merge_patch(view, {}) is None
        assert merge_patch(view, entry_json(view, COMMONS)) is None
        assert merge_patch(view, {"credit": None, "subjects": ["mer", "lighthouse"]}) is None

    def test_sends_a_list_as_the_adds_and_removes_it_means(self) -> None:
        body = body_of(merge_patch(view_of(LIGHTHOUSE), {"subjects": ["mer", "sun"]}))
        assert body == {"add": {"subjects": ["sun"]}, "remove": {"subjects": ["lighthouse"]}}

    def test_touches_only_the_languages_it_names(self) -> None:
        body = body_of(merge_patch(view_of(LIGHTHOUSE), {"title": {"fr": "Le phare"}}))
        assert body == {"set": {"title.fr": "Le phare"}}

    def test_naming_a_field_in_conflict_decides_it_even_with_the_value_shown(self) -> None:
        records = [
            EntryRecord(bytes([at]) * 32, at, ALICE, (), "entry.edit", {"set": {"title": f"T{at}"}}, True)
            for at in (1, 2)
        ]
        view = fold(b"s" * 32, records)
        body = body_of(merge_patch(view, {"title": "T2"}))
        after = EntryRecord(b"3" * 32, 3, ALICE, view.heads, "entry.edit", body, True)
        assert fold(b"s" * 32, [*records, after]).conflicts == {}
        assert merge_patch(view, {"description": None}) is None

    def test_an_offer_is_accepted_or_dismissed_by_naming_its_field(self) -> None:
        records = [
            EntryRecord(b"1" * 32, 1, ALICE, (), "entry.edit", {"remove": {"subjects": ["a"]}, "set": {"title": "x"}}, True),
            EntryRecord(
                b"2" * 32, 2, LIBRARY, (), "entry.edit",
                {"add": {"subjects": ["a", "b"]}, "set": {"title": "y"}, "origin": "a:1", "map": "1"}, True,
            ),
        ]  # fmt: skip
        view = fold(b"s" * 32, records)
        assert view.offered == {"subjects": ["a"], "title": ["y"]}
        for patch, expected in (
            ({"subjects": ["b"], "title": "x"}, {"subjects": ["b"], "title": "x"}),
            ({"subjects": ["a", "b"], "title": "y"}, {"subjects": ["b", "a"], "title": "y"}),
        ):
            last = EntryRecord(b"3" * 32, 3, ALICE, view.heads, "entry.edit", body_of(merge_patch(view, patch)), True)
            after = fold(b"s" * 32, [*records, last])
            assert (after.offered, after.fields) == ({}, expected)

    @pytest.mark.parametrize(
        ("patch", "code"),
        [
            ({"titel": "x"}, "unknown_field"),
            ({"title": 3}, "bad_field"),
            ({"source": "b:1"}, "bad_field"),
            ([], "bad_entry"),
        ],
    )
    def test_refuses_what_an_entry_cannot_be(self, patch: Any, code: str) -> None:
        with pytest.raises(FormError) as refused:
            merge_patch(view_of({**LIGHTHOUSE, "source": "a:1"}), patch)
        assert refused.value.code == code


def test_a_withdraw_body_fits() -> None:
    assert read_withdraw(decode_body(withdraw_body())) == (None,)
    assert read_withdraw(decode_body(withdraw_body("sold"))) == ("sold",)
    with pytest.raises(FormError, match="bad_field"):
        withdraw_body("a\0b")


VALUES: dict[str, Any] = {
    "text": "Œuvre à voir", "date": "1848", "languages": ["fr", "br"], "count": 12.0, "licence": "CC0-1.0",
    "url": "https://example.org/a", "identifier": "isbn:9782070360024", "reference": "tate:A1", "access": "public",
    "type": "image", "subtype": "music", "place": {"name": "Minou", "lat": 48.3, "lon": -4.6},
    "agent": {"name": "Anne", "role": "painter"}, "media": {"id": "ab" * 32, "alt": {"fr": "Phare"}, "size": 3},
    "terms": {"days": 3}, "stops": [{"name": "Port", "lat": 1, "lon": 2}],
}  # fmt: skip


@given(st.sets(st.sampled_from(sorted(FIELDS))), st.booleans())
def test_what_a_draft_writes_is_what_its_body_is_read_as(names: set[str], imported: bool) -> None:
    entry: dict[str, Any] = {"type": "image", "title": {"fr": "Un titre", "und": "A title"}}
    for name in names - entry.keys():
        value = VALUES[FIELDS[name].form.name]
        entry[name] = [value, value] if FIELDS[name].kind is Kind.SET else value
    draft = draft_from_json(entry | ({"source": "tate:A1"} if imported else {}))
    assert edit_new(draft) == read_edit(decode_body(edit_body_new(draft)))


@pytest.mark.parametrize("said", [None, "", "a text"])
def test_a_key_that_is_no_language_is_refused_even_where_it_says_nothing(said: str | None) -> None:
    wrong = {"description": {"no tag": said}}
    for read in (
        lambda: draft_from_json({"type": "text", "title": "a"} | wrong),
        lambda: merge_patch(fold(b"", []), wrong),
    ):
        with pytest.raises(FieldError) as caught:
            read()
        assert caught.value.field == "description"
