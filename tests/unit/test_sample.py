"""The sample catalogue that comes with the package: whole, licensed, and where it says it is."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from p2pcommons.commons.draft import draft_from_json
from p2pcommons.commons.vocabulary import TYPES

LINES = (files("p2pcommons") / "data" / "sample.jsonl").read_text("utf-8").splitlines()
ENTRIES: list[dict[str, Any]] = [json.loads(line) for line in LINES]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["source"])
def test_every_entry_passes_the_door_and_is_free(entry: dict[str, Any]) -> None:
    draft = draft_from_json(entry)
    assert draft.source is not None and draft.source.startswith("sample:")
    assert entry["licence"] in ("CC0-1.0", "CC-BY-SA-4.0")
    assert entry["description"] and entry["subjects"]


def test_importing_it_twice_meets_the_same_entries() -> None:
    assert len({entry["source"] for entry in ENTRIES}) == len(ENTRIES) >= 60


def test_it_shows_what_a_commons_may_hold() -> None:
    types = Counter(entry["type"] for entry in ENTRIES)
    assert set(types) <= set(TYPES)
    for wanted in ("place", "trail", "sound", "equipment", "recipe", "book"):
        assert types[wanted] >= 5
    assert {entry.get("subtype") for entry in ENTRIES} >= {"bird-song", "oral-history"}


def test_some_titles_come_in_breton_and_english_and_all_in_french() -> None:
    titles = [entry["title"] for entry in ENTRIES if isinstance(entry["title"], dict)]
    assert all("fr" in title for title in titles)
    assert sum("br" in title for title in titles) >= 10 and sum("en" in title for title in titles) >= 10


def test_places_lie_in_finistere() -> None:
    placed = [entry["place"] for entry in ENTRIES if "lat" in entry.get("place", {})]
    assert len(placed) >= 30
    for place in placed:
        assert 47.7 < place["lat"] < 48.8 and -5.2 < place["lon"] < -3.3
        assert place["territory"].startswith("29")
