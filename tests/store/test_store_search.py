"""Search: the same answers over every store, whatever the order in which entries came."""

import pytest
from store.making import OURS, THEIRS, AnyStore, document, row, show, subject

from p2pcommons.commons.query import Box, Circle, Query
from p2pcommons.errors import Refused


def titles(store: AnyStore, query: Query) -> list[str]:
    names = {subject(n): n for n in NAMES}
    return [names[hit.subject] for hit in store.search(query).hits]


NAMES = ("sea", "harbour", "boats", "étude", "brest", "quimper", "fiji", "samoa")


@pytest.fixture
def shown(store: AnyStore) -> AnyStore:
    show(
        store,
        [
            row("sea", document("The Sea at Night", creators="Turner", subjects="sea\nnight", created=5, updated=9,
                                facets=(("type", "image"), ("subjects", "sea"), ("subjects", "night")))),
            row("harbour", document("Harbour", text="a deep sea of boats at night", created=4, updated=8,
                                    facets=(("type", "image"), ("subjects", "night"), ("licence", "CC0")))),
            row("boats", document("L'eau et les bateaux", created=3, updated=7, facets=(("type", "tool"),))),
            row("étude", document("Étude d’œuvre", creators="Ödön", created=2, updated=6, facets=(("type", "text"),))),
            row("brest", document("Brest", latitude=483900000, longitude=-44900000, updated=5)),
            row("quimper", document("Quimper", latitude=479960000, longitude=-41020000, updated=4)),
            row("fiji", document("Fiji", latitude=-177000000, longitude=1780000000, updated=3)),
            row("samoa", document("Samoa", latitude=-137000000, longitude=-1720000000, updated=2)),
            row("hidden", None),
        ],
    )  # fmt: skip
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sea", ["sea", "harbour"]),
        ("SEA night", ["sea", "harbour"]),
        ("sea turn", ["sea"]),
        ("nig* sea", ["sea", "harbour"]),
        ("nig sea", []),
        ('"sea at night"', ["sea"]),
        ('"deep sea" boa', ["harbour"]),
        ('"night sea"', []),
        ('"sea at nig', ["sea"]),
        ('"sea at nig"', []),
        ("etude ŒUVRE", ["étude"]),
        ("odon", ["étude"]),
        ("l'eau", ["boats"]),
        ("eau bateaux", ["boats"]),
        ("zebra", []),
        ("— ! *", ["sea", "harbour", "boats", "étude", "brest", "quimper", "fiji", "samoa"]),
        ("sea !", ["sea", "harbour"]),
    ],
)
def test_words_prefixes_and_phrases_find_what_they_say(shown: AnyStore, text: str, found: list[str]) -> None:
    assert titles(shown, Query(text=text)) == found


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '""',
        '" " "',
        "AND",
        "NOT sea",
        "(sea",
        "title:sea",
        "sea NEAR(night)",
        "*",
        "-",
        "^sea",
        "{",
        "a\0b",
        "\ud800",
    ],
)
def test_nothing_a_person_types_is_a_syntax_error(shown: AnyStore, text: str) -> None:
    shown.search(Query(text=text))


def test_facets_filter_and_are_counted_over_all_that_was_found(shown: AnyStore) -> None:
    assert titles(shown, Query(filters=(("subjects", "night"),))) == ["sea", "harbour"]
    assert titles(shown, Query(filters=(("subjects", "night"), ("licence", "CC0")))) == ["harbour"]
    assert titles(shown, Query(filters=(("subjects", "no such"),))) == []
    assert titles(shown, Query(filters=(("licence", "image"),))) == []
    found = shown.search(Query(facets=("type", "subjects", "licence", "language"), limit=1))
    assert found.total == 8
    assert found.facets == {
        "type": [("image", 6), ("text", 1), ("tool", 1)],
        "subjects": [("night", 2), ("sea", 1)],
        "licence": [("CC0", 1)],
        "language": [],
    }
    assert shown.search(Query(text="sea", facets=("subjects",))).facets == {"subjects": [("night", 2), ("sea", 1)]}
    assert shown.search(Query(text="zebra", facets=("subjects",))).facets == {"subjects": []}


def test_boxes_and_circles_also_across_the_date_line(shown: AnyStore) -> None:
    assert titles(shown, Query(box=Box(-5, 48.2, -4, 49))) == ["brest"]
    assert titles(shown, Query(box=Box(-180, -90, 180, 90))) == ["brest", "quimper", "fiji", "samoa"]
    assert titles(shown, Query(box=Box(177, -20, -170, -10))) == ["fiji", "samoa"]
    assert titles(shown, Query(near=Circle(48.39, -4.49, 20))) == ["brest"]
    assert titles(shown, Query(near=Circle(48.39, -4.49, 60))) == ["brest", "quimper"]
    assert titles(shown, Query(near=Circle(-17.7, -179.9, 300))) == ["fiji"]


def test_an_impossible_place_is_no_place(store: AnyStore) -> None:
    show(store, [row("sea", document("x", latitude=1 << 70, longitude=0)), row("boats", document("y", latitude=5))])
    assert titles(store, Query(box=Box(-180, -90, 180, 90))) == []
    assert store.search(Query()).total == 2


def test_orders_and_ties_by_id(store: AnyStore) -> None:
    long = "the same beginning of a long title, "
    show(store, [row(n, document(t, created=c, updated=u)) for n, t, c, u in
                 [("sea", "b", 1, 5), ("harbour", "a", 2, 5), ("boats", long + "2", 3, 5), ("étude", long + "1", 3, 4)]])  # fmt: skip
    tied = sorted(["sea", "harbour", "boats"], key=subject)
    assert titles(store, Query()) == titles(store, Query(sort="updated")) == [*tied, "étude"]
    assert titles(store, Query(sort="title")) == ["harbour", "sea", "étude", "boats"]
    assert titles(store, Query(sort="created")) == [*sorted(["boats", "étude"], key=subject), "harbour", "sea"]
    assert store.search(Query(text="the")).order == "relevance"
    assert store.search(Query(text="the", sort="title")).order == "title"
    assert store.search(Query(sort="relevance")).order == "updated"


@pytest.mark.parametrize("sort", [None, "updated", "created", "title"])
@pytest.mark.parametrize("text", ["", "night"])
def test_pages_put_together_are_the_whole(store: AnyStore, sort: str | None, text: str) -> None:
    show(
        store,
        [
            row(n, document(f"Night in a town with a long name {n % 7}", created=n % 3, updated=n % 4))
            for n in range(40)
        ],
    )
    whole = store.search(Query(text=text, sort=sort, limit=100))
    assert len(whole.hits) == whole.total == 40 and whole.cursor is None
    hits, cursor = [], None
    while True:
        page = store.search(Query(text=text, sort=sort, limit=7, cursor=cursor))
        assert page.total == 40
        hits += page.hits
        cursor = page.cursor
        if cursor is None:
            break
    assert hits == list(whole.hits)


def test_a_cursor_is_of_its_own_search(store: AnyStore) -> None:
    show(store, [row(n, document(f"Night {n}")) for n in range(5)])
    cursor = store.search(Query(text="night", limit=2)).cursor
    assert cursor is not None
    for query in (Query(text="day", cursor=cursor), Query(text="night", sort="title", cursor=cursor)):
        with pytest.raises(Refused) as caught:
            store.search(query)
        assert caught.value.code == "bad-cursor"
    for damaged in ("", "x", "é", cursor[:-3], "A" * 5000, cursor[1:]):
        with pytest.raises(Refused):
            store.search(Query(text="night", cursor=damaged))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (Query(sort="size"), "unknown-sort"),
        (Query(facets=("colour",)), "unknown-facet"),
        (Query(filters=(("colour", "red"),)), "unknown-facet"),
        (Query(limit=0), "bad-limit"),
        (Query(text="a b " * 100), "too-many-words"),
    ],
)
def test_what_cannot_be_asked_is_refused(store: AnyStore, query: Query, code: str) -> None:
    with pytest.raises(Refused) as caught:
        store.search(query)
    assert caught.value.code == code


def test_each_commons_is_weighed_by_itself(store: AnyStore) -> None:
    rows = [row(n, document(t)) for n, t in [("sea", "night night"), ("boats", "night and day"), ("brest", "day")]]
    show(store, rows)
    alone = store.search(Query(text="night", commons=(OURS,)))
    show(store, [row(f"other {n}", document("night " * n)) for n in range(1, 9)], THEIRS)
    assert store.search(Query(text="night", commons=(OURS,))) == alone
    both = store.search(Query(text="night", commons=(OURS, THEIRS)))
    assert both.total == 10 == store.search(Query(text="night")).total
    assert store.search(Query(text="night", commons=(bytes(32),))).total == 0  # type: ignore[arg-type]


def test_the_same_subject_in_two_commons_is_two_hits(store: AnyStore) -> None:
    show(store, [row("sea", document("night"))], OURS)
    show(store, [row("sea", document("night"))], THEIRS)
    hits = store.search(Query(text="night")).hits
    assert [hit.commons for hit in hits] == sorted([OURS, THEIRS])
    assert store.find_entry(subject("sea")) == [(c, subject("sea")) for c in sorted([OURS, THEIRS])]


def test_conflicts_are_listed_until_they_are_settled(store: AnyStore) -> None:
    show(store, [row(n, document(str(n), updated=n), conflicts=n % 2 == 1) for n in range(6)])
    found = store.conflicts((OURS,), limit=2)
    assert [hit.subject for hit in found.hits] == [subject(5), subject(3)] and found.total == 3
    assert [hit.subject for hit in store.conflicts((OURS,), 2, found.cursor).hits] == [subject(1)]
    show(store, [row(3, document("3"))])
    assert [hit.subject for hit in store.conflicts().hits] == [subject(5), subject(1)]
    assert store.counts(OURS).conflicts == 2


def test_what_is_hidden_or_forgotten_is_not_found(shown: AnyStore) -> None:
    show(shown, [row("sea", None)])
    assert titles(shown, Query(text="sea")) == ["harbour"]
    assert shown.entry(OURS, subject("sea")) is not None
    with shown.transaction():
        shown.forget_entries(OURS)
    assert shown.search(Query()).total == 0 and shown.search(Query(text="sea")).total == 0
    show(shown, [row("sea", document("sea"))])
    assert titles(shown, Query(text="sea")) == ["sea"]
