"""One entry for a reader: its fields in reading order, each value in words, with its language and where it leads.

Entry JSON in, plain values for templates out. Everything of a stranger's stays text: the templates escape it,
isolate its direction and say its language; a link is one only to the web or to an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from p2pcommons.commons.licences import facet
from p2pcommons.commons.vocabulary import FIELDS, UNDETERMINED, Field
from p2pcommons.web import labels
from p2pcommons.web.texts import LANGUAGES, Texts
from p2pcommons.web.wording import date_words, degrees, duration, language_name, metres, web_address

UNKNOWN: Final = ""
"""HTML's `lang` of a text whose language nobody said."""

_DATES: Final = frozenset({"created", "period", "starts", "ends", "born", "died"})
_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "type": labels.TYPES,
    "subtype": labels.SUBTYPES,
    "access": labels.ACCESS,
}
_SEARCHED_BY: Final = {"subjects": "tag", "type": "type"}


class Shown(NamedTuple):
    """One value. `lang` None: these are the page's own words."""

    text: str
    lang: str | None = UNKNOWN
    href: str | None = None
    away: bool = False  # `href` leads off this node
    note: str = ""  # in the page's words


class Row(NamedTuple):
    """One field of an entry."""

    name: str
    values: tuple[Shown, ...]
    prose: bool  # paragraphs, rather than a line each


def rows(texts: Texts, entry: Mapping[str, Any]) -> list[Row]:
    """All fields in reading order, but what stands above them: type and title."""
    found = []
    for name, field in FIELDS.items():
        if name not in ("type", "title") and entry.get(name) is not None:
            found.append(Row(name, tuple(field_values(texts, field, entry[name])), field.multilingual))
    if entry.get("source"):
        sources = tuple(_line("source", source) for source in entry.get("sources", [entry["source"]]))
        found.append(Row("source", sources, False))
    return found


def field_values(texts: Texts, field: Field, value: Any) -> list[Shown]:
    """The JSON value of a field, one `Shown` for each thing it says."""
    if isinstance(value, dict) and field.multilingual:
        spoken = _by_language(texts, value)
        return [
            Shown(text, _lang(tag), note=language_name(texts, tag) if len(spoken) > 1 and tag != UNDETERMINED else "")
            for tag, text in spoken
        ]
    items = value if isinstance(value, list) else [value]
    return [_value(texts, field, item) for item in items]


def best(texts: Texts, value: Any) -> Shown:
    """A multilingual text in the language that this reader likes best."""
    if isinstance(value, dict):
        tag, text = next(iter(_by_language(texts, value)), (UNDETERMINED, ""))
        return Shown(text, _lang(tag))
    return Shown(value if isinstance(value, str) else "")


def _by_language(texts: Texts, value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The reader's language first, then texts without one, then the pages' other languages, then all others."""

    def rank(tag: str) -> int:
        primary = tag.partition("-")[0]
        return 0 if primary == texts.language else 1 if tag == UNDETERMINED else 2 if primary in LANGUAGES else 3

    return sorted(((tag, str(text)) for tag, text in value.items()), key=lambda item: rank(item[0]))


def _lang(tag: str) -> str:
    return UNKNOWN if tag == UNDETERMINED else tag


def _value(texts: Texts, field: Field, value: Any) -> Shown:
    name = field.name
    if isinstance(value, dict):
        return _map(texts, field, value)
    if isinstance(value, int):
        return Shown(_number(texts, name, value), None)
    text = str(value)
    if name in _CHOICES:
        label = _CHOICES[name].get(text)
        return Shown(text) if label is None else Shown(str(texts.text(label)), None, _search(name, text))
    if name == "licence":
        kind = facet(text)
        return Shown(
            text,
            "en",
            f"/?{_query('licence', text)}",
            note=str(texts.text(labels.LICENCE_FACETS[kind])) if kind else "",
        )
    if name == "language":
        return Shown(language_name(texts, text), None, f"/?{_query('language', text)}")
    if name in _DATES:
        words = date_words(texts, text)
        return Shown(words, UNKNOWN if words == text else None)
    return _line(name, text)


def _line(name: str, text: str) -> Shown:
    if name in ("part_of", "based_on", "same_as") and len(text) == 64 and not text.strip("0123456789abcdef"):
        return Shown(text, href=f"/entries/{text}")
    address = web_address(text)
    if address is not None:
        return Shown(text, href=address, away=True)
    return Shown(text, href=_search(name, text))


def _map(texts: Texts, field: Field, value: Mapping[str, Any]) -> Shown:
    if field.form.name == "agent":
        return Shown(str(value.get("name", "")), note=str(value.get("role", "")))
    if field.form.name in ("place", "stops"):
        note = str(degrees(texts, value["lat"], value["lon"])) if "lat" in value and "lon" in value else ""
        name = value.get("name") or value.get("territory") or (value.get("geometry") or {}).get("type") or ""
        if value.get("text"):
            name = f"{name}: {value['text']}"
        return Shown(str(name) or note, note=note if name else "")
    if field.form.name == "media":
        url = str(value.get("url", ""))
        title = value.get("name") or url or value.get("type") or value.get("id") or ""
        return Shown(str(title), href=web_address(url), away=True, note=str(value.get("type", "")))
    if field.form.name == "terms":
        days = value.get("days")
        parts = [str(texts.count("{n} day", "{n} days", days))] if days is not None else []
        parts += [str(value[key]) for key in ("deposit", "training", "note") if value.get(key)]
        return Shown(" · ".join(parts))
    return Shown(" · ".join(str(item) for item in value.values()))


def _number(texts: Texts, name: str, value: int) -> str:
    if name == "duration_s":
        return duration(texts, value)
    if name in ("length_m", "ascent_m"):
        return metres(texts, value)
    return texts.number(value)


def _search(name: str, text: str) -> str | None:
    return f"/?{_query(_SEARCHED_BY[name], text)}" if name in _SEARCHED_BY else None


def _query(name: str, value: str) -> str:
    return urlencode({name: value}, errors="replace")
