"""What search keeps of an entry: its view as a `Document` (chapter 20 says nothing of it: a local matter).

Pure: the same view gives the same document, so that nodes with equal `state` find and order alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from unicodedata import combining, normalize

from p2pcommons.commons.entry import EntryView
from p2pcommons.commons.vocabulary import FIELDS, REGISTERS, split_key
from p2pcommons.sync.storage import Document

# Fields that are found by the words in them, beside title, creators and subjects, which have columns of their own.
# Not all: credit lines, dimensions and addresses fill an index with words that nobody looks for.
_SEARCHED_REGISTERS: Final = frozenset((
    "description", "place", "home_place", "publisher", "created", "period", "medium", "model", "series", "condition",
    "terms", "stops", "narrator", "interviewer", "instructions", "provenance", "nationality",
))  # fmt: skip
_LIGATURES: Final = (("œ", "oe"), ("Œ", "OE"), ("æ", "ae"), ("Æ", "AE"), ("ß", "ss"))
_SEARCHED_SETS: Final = frozenset(("alternative_titles", "identifiers", "ingredients", "media", "parts", "species"))
_WORDS: Final = {name: field.form.words for name, field in FIELDS.items()}
_UNSEARCHED: Final = REGISTERS.keys() - _SEARCHED_REGISTERS - {"title"}
_NO_LIST: Final[list[Any]] = []


def document(view: EntryView) -> Document | None:
    """What search needs of a shown entry; None for one that is not shown."""
    if not view.authors or view.withdrawn is not None:
        return None
    registers, sets = view.registers, view.sets
    kind = registers.get("type", "")
    subjects = sets.get("subjects", _NO_LIST)
    facets = [("type", kind)] if kind else []
    facets += [("subjects", subject) for subject in subjects]
    if "licence" in registers:
        facets.append(("licence", registers["licence"]))
    if "language" in registers:
        language = registers["language"]
        tags = [language] if type(language) is str else dict.fromkeys(language)
        facets += [("language", tag) for tag in tags]
    titles: list[str] = []
    text: list[str] = []
    for key, value in registers.items():
        if key in _UNSEARCHED:  # most
            continue
        if key == "title":
            titles.append(value)
        elif key in _SEARCHED_REGISTERS:
            if type(value) is str:
                text.append(value)
            else:
                text += _WORDS[key](value)
        elif "." in key:
            name, _ = split_key(key)
            if name == "title":
                titles.append(value)
            elif name in _SEARCHED_REGISTERS:
                text.append(value)
    for name, elements in sets.items():
        if name in _SEARCHED_SETS:
            for element in elements:
                text += _WORDS[name](element)
    place = registers.get("place")
    latitude = longitude = None
    if type(place) is dict:
        latitude, longitude = place.get("lat"), place.get("lon")
    return Document(
        kind,
        "\n".join(titles),
        _names(sets),
        "\n".join(subjects),
        "\n".join(text),
        tuple(facets),
        fold_text(titles[0]) if titles else "",
        view.created,
        view.updated,
        latitude,
        longitude,
    )


def fold_text(text: str) -> str:
    """A text with case and accents taken away, for order."""
    if text.isascii():
        return text.lower()
    return "".join(c for c in normalize("NFKD", unligated(text).casefold()) if not combining(c))


def unligated(text: str) -> str:
    """A text with its ligatures written out, as people type them: `œuvre` is found by `oeuvre`."""
    if not text.isascii():
        for ligature, letters in _LIGATURES:
            if ligature in text:
                text = text.replace(ligature, letters)
    return text


def _names(sets: Mapping[str, list[Any]]) -> str:
    names: list[str] = []
    for field in ("creators", "contributors"):
        for agent in sets.get(field, _NO_LIST):
            if type(agent) is str:
                names.append(agent)
            else:
                names += _agent_words(agent)
    return "\n".join(names)


def _agent_words(agent: Mapping[str, Any]) -> Iterable[str]:
    return _WORDS["creators"](agent)
