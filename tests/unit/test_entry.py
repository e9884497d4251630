"""Telling examples of chapter 20: what people and imports wrote, and what is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.edit import read_edit, read_withdraw
from p2pcommons.commons.entry import EntryRecord, EntryView, fold, predecessors, view_digest, view_tag
from p2pcommons.commons.entry_json import entry_json, history_body, time_json
from p2pcommons.commons.projection import document, fold_text
from p2pcommons.core.identity import did_key
from p2pcommons.core.record import ZEROS, build

SUBJECT = b"s" * 32
COMMONS = b"c" * 32
ALICE, BOB, LIBRARY = b"a" * 32, b"b" * 32, b"l" * 32


def rid(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


def edit(name: str, time: int, prev: str = "", author: bytes = ALICE, **body: Any) -> EntryRecord:
    return EntryRecord(rid(name), time, author, tuple(sorted(map(rid, prev.split()))), "entry.edit", body, True)


def imported(name: str, time: int, prev: str = "", author: bytes = LIBRARY, **body: Any) -> EntryRecord:
    return edit(name, time, prev, author, **body, origin="tate:A00001", map="m1")


def withdraw(name: str, time: int, prev: str = "", author: bytes = ALICE, **body: Any) -> EntryRecord:
    return edit(name, time, prev, author, **body)._replace(kind="entry.withdraw")


def view_of(*records: EntryRecord, erased: dict[bytes, frozenset[str]] | None = None) -> EntryView:
    return fold(SUBJECT, records, erased)


def test_the_later_of_two_concurrent_titles_is_shown_and_the_other_offered_as_a_conflict() -> None:
    first = edit("1", 1, set={"title": "Phare"})
    view = view_of(first, edit("2", 5, "1", BOB, set={"title": "Lighthouse"}), edit("3", 4, "1", set={"title": "Tour"}))
    assert view.registers == {"title": "Lighthouse"}
    assert view.conflicts == {"title": ["Tour"]}
    assert view.heads == (rid("2"), rid("3"))


def test_two_people_who_write_the_same_are_no_conflict() -> None:
    view = view_of(edit("1", 1, set={"title": "Phare"}), edit("2", 2, "", BOB, set={"title": "Phare"}))
    assert view.conflicts == {}


def test_two_languages_of_one_title_never_conflict() -> None:
    view = view_of(
        edit("1", 1, set={"title.fr": "Phare"}),
        edit("2", 2, "1", set={"title.en": "Lighthouse"}),
        edit("3", 2, "1", BOB, set={"title.br": "Tour-tan"}),
    )
    assert view.conflicts == {}
    assert entry_json(view, COMMONS)["title"] == {"br": "Tour-tan", "en": "Lighthouse", "fr": "Phare"}


def test_causality_counts_and_clocks_do_not() -> None:
    view = view_of(edit("1", 900, set={"title": "old"}), edit("2", 100, "1", BOB, set={"title": "new"}))
    assert view.registers["title"] == "new"
    assert view.conflicts == {}


def test_a_clear_loses_to_a_concurrent_set_and_wins_over_its_past() -> None:
    first = edit("1", 1, set={"title": "old"})
    assert view_of(first, edit("2", 2, "1", clear=["title"])).registers == {}
    both = view_of(first, edit("2", 9, "1", clear=["title"]), edit("3", 3, "1", BOB, set={"title": "new"}))
    assert both.registers == {"title": "new"}
    assert both.conflicts == {}


def test_within_one_body_clear_comes_before_set_and_remove_before_add() -> None:
    view = view_of(
        edit("1", 1, clear=["title"], set={"title": "x"}, remove={"subjects": ["a", "b"]}, add={"subjects": ["b"]})
    )
    assert view.fields == {"title": "x", "subjects": ["b"]}


def test_an_element_added_beside_its_removal_stays() -> None:
    first = edit("1", 1, add={"subjects": ["sea", "tower"]})
    view = view_of(
        first,
        edit("2", 3, "1", remove={"subjects": ["sea", "tower"]}),
        edit("3", 2, "1", BOB, add={"subjects": ["sea"]}),
    )
    assert view.sets == {"subjects": ["sea"]}


def test_elements_stand_in_the_order_in_which_they_were_given() -> None:
    view = view_of(
        edit("2", 2, "1", add={"creators": [{"name": "Anne", "role": "editor"}, "Zoé"]}),
        edit("1", 1, add={"creators": ["Youenn", "Bob"]}),
    )
    assert view.sets["creators"] == ["Youenn", "Bob", {"name": "Anne", "role": "editor"}, "Zoé"]


def test_a_nightly_import_does_not_revert_a_correction_and_is_offered() -> None:
    first = imported("1", 1, set={"title": "Teh Sea", "licence": "CC0-1.0"})
    corrected = edit("2", 2, "1", set={"title": "The Sea"})
    again = imported("3", 3, "2", set={"title": "Teh Sea!", "licence": "CC-BY-4.0"})
    view = view_of(first, corrected, again)
    assert view.registers == {"title": "The Sea", "licence": "CC-BY-4.0"}
    assert view.offered == {"title": ["Teh Sea!"]}
    assert view.conflicts == {}
    accepted = edit("4", 4, "3", set={"title": "Teh Sea!"})
    assert view_of(first, corrected, again, accepted).offered == {}


def test_the_correction_decides_even_beside_the_import_it_never_saw() -> None:
    view = view_of(edit("1", 1, set={"title": "mine"}), imported("2", 2, set={"title": "theirs"}))
    assert view.registers["title"] == "mine"
    assert view.offered == {"title": ["theirs"]}


def test_an_import_equal_to_what_people_wrote_is_no_offer() -> None:
    view = view_of(edit("1", 1, set={"title": "same"}), imported("2", 2, set={"title": "same"}))
    assert view.offered == {}


def test_of_two_imports_the_latest_shows_without_a_conflict() -> None:
    view = view_of(imported("1", 1, set={"title": "a"}), imported("2", 2, "", BOB, set={"title": "b"}))
    assert view.registers["title"] == "b"
    assert view.conflicts == {}


def test_an_element_people_removed_is_not_brought_back_by_an_import_but_offered() -> None:
    view = view_of(
        imported("1", 1, add={"subjects": ["sea"]}),
        edit("2", 2, "1", remove={"subjects": ["sea"]}),
        imported("3", 3, "2", add={"subjects": ["sea"]}),
    )
    assert view.sets == {}
    assert view.offered == {"subjects": ["sea"]}


def test_an_import_may_take_away_what_only_imports_gave() -> None:
    view = view_of(imported("1", 1, add={"subjects": ["sea"]}), imported("2", 2, "1", remove={"subjects": ["sea"]}))
    assert view.sets == {}


class TestWithdraw:
    def test_hides_the_entry_and_says_who_when_why(self) -> None:
        view = view_of(edit("1", 1, set={"title": "x"}), withdraw("2", 2, "1", BOB, reason="sold"))
        assert view.withdrawn == (BOB, 2, "sold")
        assert view.exists
        assert not view.shown
        assert document(view) is None

    def test_loses_to_an_edit_of_either_sort_that_it_had_not_seen(self) -> None:
        first = edit("1", 1, set={"title": "x"})
        gone = withdraw("2", 9, "1")
        assert view_of(first, gone, edit("3", 3, "1", BOB)).shown
        assert view_of(first, gone, imported("3", 3, "1")).shown

    def test_is_lifted_by_a_person_and_not_by_an_import(self) -> None:
        first, gone = edit("1", 1, set={"title": "x"}), withdraw("2", 2, "1")
        assert view_of(first, gone, edit("3", 3, "2", BOB)).shown
        assert not view_of(first, gone, imported("3", 3, "2", set={"title": "y"})).shown

    def test_again_after_it_was_lifted_holds(self) -> None:
        records = [
            edit("1", 1, set={"title": "x"}),
            withdraw("2", 2, "1"),
            edit("3", 3, "2"),
            withdraw("4", 4, "3", BOB),
        ]
        assert view_of(*records).withdrawn == (BOB, 4, None)

    def test_that_gives_a_reason_of_another_form_does_nothing(self) -> None:
        assert view_of(edit("1", 1, set={"title": "x"}), withdraw("2", 2, "1", reason=3)).shown


class TestErasure:
    def test_what_an_erased_edit_had_replaced_stays_replaced(self) -> None:
        first, second = edit("1", 1, set={"title": "old"}), edit("2", 2, "1", set={"title": "my address"})
        view = view_of(first, second, erased={rid("2"): frozenset({"title"})})
        assert view.registers == {}
        assert view.authors == (ALICE,)
        assert view.heads == (rid("2"),)

    def test_takes_the_elements_an_edit_added_and_brings_back_those_it_removed(self) -> None:
        first = edit("1", 1, add={"subjects": ["sea"]})
        second = edit("2", 2, "1", remove={"subjects": ["sea"]}, add={"subjects": ["name of a neighbour"]})
        assert view_of(first, second, erased={rid("2"): frozenset()}).sets == {"subjects": ["sea"]}

    def test_of_the_only_edit_leaves_no_entry(self) -> None:
        view = view_of(edit("1", 1, set={"title": "x"}), erased={rid("1"): frozenset({"title"})})
        assert not view.exists
        assert (view.created, view.updated, view.authors) == (0, 0, ())

    def test_of_an_edit_no_longer_stands_against_a_withdraw(self) -> None:
        records = [edit("1", 1, set={"title": "x"}), withdraw("2", 2, "1"), edit("3", 3, "2", BOB)]
        assert not view_of(*records, erased={rid("3"): frozenset()}).shown

    def test_of_a_withdraw_shows_the_entry_again(self) -> None:
        records = [edit("1", 1, set={"title": "x"}), withdraw("2", 2, "1", reason="private words")]
        assert view_of(*records, erased={rid("2"): frozenset()}).shown


def test_a_record_that_does_not_count_still_carries_causality() -> None:
    between = edit("2", 2, "1", BOB, set={"title": "spam"})._replace(counts=False)
    view = view_of(edit("1", 1, set={"title": "old"}), between, edit("3", 3, "2", set={"title": "new"}))
    assert view.registers == {"title": "new"}
    assert view.conflicts == {}
    assert view.authors == (ALICE,)


def test_a_missing_ancestor_never_blocks_and_the_view_corrects_itself() -> None:
    first, between, last = (
        edit("1", 1, set={"title": "a"}), edit("2", 2, "1", BOB, set={"title": "b"}), edit("3", 3, "2", set={"title": "c"}),
    )  # fmt: skip
    assert view_of(first, last).conflicts == {"title": ["a"]}
    assert view_of(first, between, last).conflicts == {}


def test_a_record_that_rests_on_itself_is_left_out_and_what_rests_on_it_stays() -> None:
    view = view_of(
        edit("1", 1, "2", set={"title": "a"}),
        edit("2", 2, "1", set={"title": "b"}),
        edit("3", 3, "2", set={"title": "c"}),
    )
    assert view.registers == {"title": "c"}
    assert view.heads == (rid("3"),)
    assert view_of(edit("1", 1, "1"), withdraw("2", 2)).heads == (rid("2"),)


def test_a_subject_that_many_have_written_about_folds_without_deep_recursion() -> None:
    records = [
        edit(str(at), at, str(at - 1) if at else "", set={"title": str(at)}, add={"subjects": [str(at % 5000)]})
        for at in range(6000)
    ]
    view = view_of(*records)
    assert view.registers == {"title": "5999"}
    assert len(view.sets["subjects"]) == 5000
    assert view.sets["subjects"][0] == "1000"


@pytest.mark.parametrize(
    "body",
    [
        {"set": {"titel": "a field that no vocabulary has"}},
        {"set": {"title": ""}},
        {"set": {"title": 7}},
        {"set": {"title": None}},
        {"set": {"title.": "x"}},
        {"set": {"title.FR": "tags are lower case in records"}},
        {"set": {"title.und": "no language is no tag"}},
        {"set": {"licence.fr": "one licence, in no language"}},
        {"set": {"subjects": ["a set is not set"]}},
        {"set": [["title", "x"]]},
        {"set": {"length_m": -1}},
        {"set": {"length_m": True}},
        {"set": {"place": {}}},
        {"set": {"place": {"lat": 1}}},
        {"set": {"place": {"lat": 900_000_001, "lon": 0}}},
        {"set": {"place": {"name": "x", "colour": "blue"}}},
        {"set": {"place": {"geometry": {"type": "Point", "coordinates": [[1, 2]]}}}},
        {"set": {"place": {"geometry": {"type": "Circle", "coordinates": [1, 2]}}}},
        {"set": {"language": []}},
        {"set": {"stops": [{"text": "a stop needs a name"}]}},
        {"add": {"title": ["a register is not added to"]}},
        {"add": {"subjects": []}},
        {"add": {"subjects": ["twice", "twice"]}},
        {"add": {"subjects": ["x", ""]}},
        {"add": {"subjects": [b"x"]}},
        {"add": {"subjects": "x"}},
        {"add": {"creators": [{"role": "author"}]}},
        {"add": {"creators": [{"name": "x"}, {"name": "x"}]}},
        {"add": {"media": [{"id": b"short"}]}},
        {"remove": {"title": ["x"]}},
        {"remove": None},
        {"clear": ["subjects"]},
        {"clear": ["titel"]},
        {"clear": "title"},
        {"clear": [3]},
        {"origin": "tate:A00001"},
        {"map": "m1"},
        {"origin": "", "map": "m1"},
        {"origin": "tate:A00001", "map": 1},
        {"note": "an unknown key"},
    ],
)
def test_a_body_that_does_not_fit_writes_nothing_at_all(body: dict[str, Any]) -> None:
    assert read_edit(body) is None
    good = {"set": {"title": "shown"}}
    mixed = {**good, **body, **({"set": {**good["set"], **body["set"]}} if type(body.get("set")) is dict else {})}
    view = view_of(edit("1", 1, **mixed))
    assert not view.exists
    assert view.heads == (rid("1"),)


def test_a_withdraw_fits_with_a_reason_or_none() -> None:
    assert read_withdraw({}) == (None,)
    assert read_withdraw({"reason": "sold"}) == ("sold",)
    assert [read_withdraw(body) for body in ({"reason": ""}, {"reason": None}, {"why": "x"})] == [None] * 3


def test_authors_and_times_tell_who_edited_and_since_when() -> None:
    view = view_of(
        edit("2", 5, "1", BOB, set={"title": "b"}),
        edit("1", 3, set={"title": "a"}),
        edit("3", 9, "2", LIBRARY, set={"titel": "unfit"}),
        edit("4", 7, "2", ALICE, set={"title": "c"}),
    )
    assert view.authors == (ALICE, BOB)
    assert (view.created, view.updated) == (3, 7)


def test_the_digest_and_the_tag_change_with_the_view_and_the_subject() -> None:
    one, two = (view_of(edit("1", 1, set={"title": title})).canonical() for title in ("a", "b"))
    digests = {view_digest(SUBJECT, one), view_digest(SUBJECT, two), view_digest(ALICE, one)}
    assert len(digests) == 3
    assert view_tag(SUBJECT, one) != view_tag(SUBJECT, two)


def test_with_too_many_heads_the_own_last_is_named_then_one_of_each_key() -> None:
    crowd = [edit(f"{at:02}", at, author=BOB) for at in range(60)]
    others = [edit(f"x{at}", 0, author=bytes([at]) * 32) for at in range(1, 6)]
    mine = edit("mine", 0)
    chosen = predecessors([*crowd, *others, mine], ALICE)
    assert len(chosen) == 32
    assert {mine.id, crowd[-1].id, *(record.id for record in others)} <= set(chosen)
    assert crowd[0].id not in chosen


def test_entry_json_says_who_when_and_what_else_was_written() -> None:
    millisecond = 1_700_000_000_123 << 16
    view = view_of(
        imported("0", millisecond, set={"type": "image", "title": "Imported", "licence": "CC0-1.0"}),
        edit(
            "1",
            millisecond + 1,
            "0",
            set={"title": "One", "description.fr": "Un", "place": {"lat": 484000000, "lon": -45000000}},
        ),
        edit("2", millisecond + 2, "0", BOB, set={"title": "Two", "description.fr": "Deux"}),
        imported("3", millisecond + 3, "1 2", set={"title": "Three"}),
    )
    out = entry_json(view, COMMONS)
    assert out == {
        "id": SUBJECT.hex(), "commons": COMMONS.hex(), "type": "image", "title": "Two", "description": {"fr": "Deux"},
        "place": {"lat": 48.4, "lon": -4.5}, "licence": "CC0-1.0", "source": "tate:A00001",
        "created_at": "2023-11-14T22:13:20.123Z", "updated_at": "2023-11-14T22:13:20.123Z",
        "authors": [did_key(LIBRARY), did_key(ALICE), did_key(BOB)],
        "conflicts": {"description": [{"fr": "Un"}], "title": ["One"]}, "offered": {"title": ["Three"]},
    }  # fmt: skip
    assert list(out)[2:5] == ["type", "title", "description"]


def test_search_gets_all_languages_names_and_facets_of_a_shown_entry() -> None:
    view = view_of(
        edit(
            "1", 7,
            set={
                "type": "sound", "title.fr": "Écoute", "title.en": "Listen", "licence": "CC0-1.0",
                "language": ["fr", "br"], "place": {"name": "Brest", "lat": 484000000, "lon": -45000000},
                "description": "waves",
            },
            add={"creators": [{"name": "Anne", "role": "author"}, "Zoé"], "contributors": ["Bob"], "subjects": ["sea"],
                 "media": [{"id": b"i" * 32, "alt": {"fr": "vagues"}, "transcript": "kleo"}]},
        )
    )  # fmt: skip
    found = document(view)
    assert found is not None
    assert (found.type, found.title, found.sort_title) == ("sound", "Listen\nÉcoute", "listen")
    assert found.creators == "Anne\nZoé\nBob"
    assert found.subjects == "sea"
    assert found.facets == (
        ("type", "sound"), ("subjects", "sea"), ("licence", "CC0-1.0"), ("language", "fr"), ("language", "br"),
    )  # fmt: skip
    assert {"waves", "Brest", "vagues", "kleo"} <= set(found.text.split("\n"))
    assert (found.latitude, found.longitude, found.created) == (484000000, -45000000, 7)
    assert fold_text("Été À Brest") == "ete a brest"


def test_history_shows_bodies_as_entry_json_does() -> None:
    body = {"set": {"place": {"lat": 484000000, "lon": -45000000}}, "add": {"media": [{"id": b"i" * 32}]}}
    record = build(
        commons=COMMONS, plane=1, author=ALICE, after=ZEROS, time=1, subject=SUBJECT, prev=(), kind="entry.edit",
        body=body, salt=bytes(16),
    )  # fmt: skip
    assert history_body(record) == {
        "set": {"place": {"lat": 48.4, "lon": -4.5}}, "add": {"media": [{"id": (b"i" * 32).hex()}]},
    }  # fmt: skip
    assert history_body(record._replace(body=None)) is None


@given(st.integers(0, 2**63 - 1))
def test_every_record_time_is_shown_as_the_standard_library_writes_it(time: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time >> 16)
    assert time_json(time) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
