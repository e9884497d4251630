"""Laws of search: a page is a function of the shown set; SQLite answers as the control does."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.making import OURS, THEIRS, AnyStore, document, row, show, subject

from p2pcommons.commons.query import Box, Circle, Found, Query
from p2pcommons.core.record import CommonsId
from p2pcommons.store import MemoryStore, SqliteStore
from p2pcommons.store.search import expression, phrases, tokens
from p2pcommons.sync.storage import Document

WORDS = ["sea", "seal", "night", "été", "ete", "Œuvre", "boat's", "a", "B52", "日本", "the"]
texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
documents = st.builds(
    lambda title, creators, subjects, text, facets, created, updated, place: document(
        title, creators=creators, subjects=subjects, text=text, facets=tuple(sorted(facets)), created=created,
        updated=updated, latitude=place and place[0] * 10**7, longitude=place and place[1] * 10**7,
    ),
    texts, texts, texts, texts,
    st.sets(st.tuples(st.sampled_from(["type", "subjects", "licence"]), st.sampled_from("abcd"))),
    st.integers(1, 4), st.integers(1, 2**63 - 1) | st.integers(1, 3),
    st.none() | st.tuples(st.integers(-90, 90), st.integers(-180, 180)),
)  # fmt: skip
shown = st.none() | documents
names = st.integers(0, 12)
histories = st.lists(st.lists(st.tuples(st.sampled_from([OURS, THEIRS]), names, shown), max_size=6), max_size=6)
words = st.sampled_from(WORDS)
asked_texts = st.just("") | st.lists(
    words | words.map(lambda w: w[:2] + "*") | st.tuples(words, words).map(lambda p: f'"{p[0]} {p[1]}"'), max_size=3
).map(" ".join)
queries = st.builds(
    Query,
    text=asked_texts,
    commons=st.sampled_from([(), (OURS,), (OURS, THEIRS)]),
    filters=st.lists(st.tuples(st.sampled_from(["type", "subjects"]), st.sampled_from("abcd")), max_size=1).map(tuple),
    box=st.none() | st.builds(Box, *[st.integers(-90, 90).map(float)] * 4),
    near=st.none() | st.builds(Circle, st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 21000)),
    sort=st.sampled_from([None, "relevance", "updated", "created", "title"]),
    facets=st.just(("type", "subjects", "licence", "language")),
    limit=st.integers(1, 5),
)

Set = dict[tuple[CommonsId, int], Document]


def play(store: AnyStore, history: list[list[tuple[CommonsId, int, Document | None]]]) -> Set:
    """Write the steps, each one transaction; the set that is shown at the end."""
    final: Set = {}
    with store.transaction():
        store.follow(OURS)
        store.follow(THEIRS)
    for step in history:
        with store.transaction():
            for commons in (OURS, THEIRS):
                store.put_entries(commons, [row(n, d) for c, n, d in step if c == commons])
        for commons, name, what in step:
            final.pop((commons, name), None)
            if what is not None:
                final[commons, name] = what
    return final


def every_page(store: AnyStore, query: Query) -> list[Found]:
    pages = [store.search(query)]
    while pages[-1].cursor is not None:
        pages.append(store.search(Query(**{**_fields(query), "cursor": pages[-1].cursor})))
    return pages


def _fields(query: Query) -> dict[str, object]:
    return {name: getattr(query, name) for name in query.__slots__}


@settings(max_examples=120, deadline=None)
@given(history=histories, query=queries, rng=st.randoms(use_true_random=False))
def test_pages_depend_on_the_shown_set_and_not_on_how_it_came(history, query, rng) -> None:  # type: ignore[no-untyped-def]
    with TemporaryDirectory() as folder:
        memory, one, other = MemoryStore(), SqliteStore(Path(folder) / "one"), SqliteStore(Path(folder) / "other")
        final = play(one, history)
        play(memory, history)
        direct = [(commons, name, what) for (commons, name), what in final.items()]
        rng.shuffle(direct)
        play(other, [direct[:3], direct[3:]])
        expected = every_page(memory, query)
        assert every_page(one, query) == expected
        assert every_page(other, query) == expected
        one.close()
        again = SqliteStore(Path(folder) / "one")
        assert every_page(again, query) == expected
        again.close()
        other.close()


@given(st.text())
def test_any_text_is_a_search_and_its_words_are_cut_once(text: str) -> None:
    try:
        asked = phrases(text)
    except Exception as error:
        assert getattr(error, "code", None) == "too-many-words"
        return
    for phrase in asked:
        assert [part for word in phrase.words for part in tokens(word)] == list(phrase.words)
        assert '"' not in "".join(phrase.words)
    assert expression(asked).count('"') == 2 * len(asked)


def test_relevance_is_reckoned_alike_to_the_last_figure() -> None:
    # One hit a page: the cursors hold the scores.
    rng = Random(7)
    some = [f"w{n}" for n in range(40)]
    texts = [[" ".join(rng.choices(some, range(40, 0, -1), k=rng.randrange(9))) for _ in range(4)] for _ in range(150)]
    rows = [row(n, document(a, creators=b, subjects=c, text=d)) for n, (a, b, c, d) in enumerate(texts)]
    with TemporaryDirectory() as folder:
        memory, sqlite = MemoryStore(), SqliteStore(Path(folder) / "s")
        show(memory, rows)
        show(sqlite, rows)
        for text in ("w0", "w3 w1", "w39", "w2*", '"w1 w2"', "w5 w5", "w1 w20 w"):
            pages = every_page(memory, Query(text=text, limit=1))
            assert len(pages) > 1 or text == "w39"
            assert every_page(sqlite, Query(text=text, limit=1)) == pages
        sqlite.close()


def test_too_many_matches_are_newest_first_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("finding", "memory_search"):
        monkeypatch.setattr(f"p2pcommons.store.{module}.RANKED_MATCHES_MAX", 10)
    with TemporaryDirectory() as folder:
        memory, sqlite = MemoryStore(), SqliteStore(Path(folder) / "s")
        for store in (memory, sqlite):
            show(store, [row(n, document("night " * (n % 3 + 1), updated=n, text="rare" * (n < 3))) for n in range(11)])
            first = store.search(Query(text="night", limit=5))
            assert first.order == "updated"
            assert [hit.subject for hit in first.hits] == [subject(n) for n in (10, 9, 8, 7, 6)]
            show(store, [row(10, None)])  # the set falls below the bound between two pages: the order stays
            second = store.search(Query(text="night", limit=5, cursor=first.cursor))
            assert [hit.subject for hit in second.hits] == [subject(n) for n in (5, 4, 3, 2, 1)]
            assert store.search(Query(text="night", limit=5)).order == "relevance"
        pages = every_page(memory, Query(text="night", limit=3))
        assert every_page(sqlite, Query(text="night", limit=3)) == pages
        sqlite.close()


def test_the_words_of_one_entry_do_not_weigh_once_it_is_gone() -> None:
    # Deleted rows must leave the statistics of bm25: else two nodes with one set would rank differently.
    with TemporaryDirectory() as folder:
        once, churned = SqliteStore(Path(folder) / "once"), SqliteStore(Path(folder) / "churned")
        rows = [row(n, document("night " * (n % 5 + 1) + "sea " * (n % 3), text="word " * (n % 7))) for n in range(300)]
        show(once, rows)
        for start in range(0, 300, 50):
            show(churned, [row(n, document("night sea " * 20)) for n in range(start, start + 50)])
            show(churned, [row(f"gone {n}", document("night " * 30)) for n in range(start, start + 50)])
        show(churned, [row(f"gone {n}", None) for n in range(300)])
        show(churned, rows[::-1])
        query = Query(text="night sea", limit=500)
        assert once.search(query) == churned.search(query)
        assert [hit.subject for hit in once.search(query).hits] != sorted(subject(n) for n in range(300))
        churned.tidy()
        assert once.search(query) == churned.search(query)
        once.close()
        churned.close()
