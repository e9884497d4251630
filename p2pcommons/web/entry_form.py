"""The form of an entry: what people type, and the Entry JSON or the patch it means.

A form is one flat mapping of names to texts: `type`, `licence`, `created`, `language`, `place.name`, `place.lat`,
`place.lon`, one line each in `creators` and `subjects`, and `title`, `description` with the language behind a dot
where they have one (`title.fr`). `words` and `title.new`, `description.new` take a text in one more language.
What the form does not show of an entry stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from p2pcommons.commons.forms import read_tag
from p2pcommons.commons.vocabulary import FIELDS, UNDETERMINED
from p2pcommons.web import labels

Values = dict[str, str]
"""What stands in the form, by field name."""

Errors = dict[str, str]
"""What is wrong, as a message, by field name."""

MULTILINGUAL: Final = ("title", "description")
LISTS: Final = ("creators", "subjects")
SIMPLE: Final = ("type", "licence", "created")
PLACE: Final = ("place.name", "place.lat", "place.lon")
NEW: Final = "new"
ROLE: Final = ";"
"""Stands between a creator's name and role."""


def values_of(entry: Mapping[str, Any]) -> Values:
    """What stands in the form of an entry as it is now."""
    found: Values = {name: str(entry.get(name) or "") for name in SIMPLE}
    for name in MULTILINGUAL:
        value = entry.get(name)
        texts = value if isinstance(value, dict) else {UNDETERMINED: value} if value else {}
        found.update({_key(name, tag): str(text) for tag, text in texts.items()})
    languages = entry.get("language") or []
    found["language"] = ", ".join([languages] if isinstance(languages, str) else languages)
    for name in LISTS:
        found[name] = "\n".join(_element_line(element) for element in entry.get(name) or [])
    place = entry.get("place")
    whole = place if isinstance(place, dict) else {"name": place} if place else {}
    for name in PLACE:
        part = whole.get(name.partition(".")[2])
        found[name] = "" if part is None else _decimal(part)
    return found


def text_keys(values: Mapping[str, str], name: str) -> list[str]:
    """The form's fields of one multilingual field, the new one left out."""
    keys = [key for key in values if key == name or key.startswith(name + ".")]
    return [key for key in keys if not key.endswith("." + NEW)]


def entry_of(values: Mapping[str, str]) -> tuple[dict[str, Any], Errors]:
    """The new entry that a form means, and what is wrong with it."""
    entry: dict[str, Any] = {}
    errors: Errors = {}
    for name in SIMPLE:
        _take(entry, errors, name, name, values.get(name, "").strip() or None)
    tag = values.get("words", "")
    for name in MULTILINGUAL:
        text = _prose(values.get(name, ""))
        if text:
            _take(entry, errors, name, name, {tag: text} if tag else text)
    _take(entry, errors, "language", "language", _languages(values.get("language", "")))
    for name in LISTS:
        _take(entry, errors, name, name, _lines(values.get(name, ""), [], agents=name == "creators") or None)
    place = _place(values, {}, errors)
    if place and not errors.keys() & set(PLACE):
        _take(entry, errors, "place", "place.name", place if set(place) != {"name"} else place["name"])
    for name in ("type", "title"):
        if name not in entry:
            errors.setdefault(name, labels.FIELD_ERRORS[name])
    return entry, errors


def patch_of(
    entry: Mapping[str, Any], before: Mapping[str, str], now: Mapping[str, str]
) -> tuple[dict[str, Any], Errors]:
    """The merge patch by which what was typed differs from what stood there, and what is wrong with it."""
    patch: dict[str, Any] = {}
    errors: Errors = {}
    touched = {name for name in now if now[name].strip() != before.get(name, "").strip()}
    for name in SIMPLE:
        if name in touched:
            _change(patch, errors, name, now[name].strip() or None)
    if "type" in touched and not now["type"]:
        errors["type"] = labels.FIELD_ERRORS["type"]
    if "language" in touched:
        _change(patch, errors, "language", _languages(now["language"]))
    for name in LISTS:
        if name in touched:
            _change(patch, errors, name, _lines(now[name], entry.get(name) or [], agents=name == "creators") or None)
    for name in MULTILINGUAL:
        _change_texts(patch, errors, name, entry, touched, now)
    if touched & set(PLACE):
        old = entry.get("place")
        rest = {k: v for k, v in old.items() if k not in ("name", "lat", "lon")} if isinstance(old, dict) else {}
        place = _place(now, rest, errors)
        if not place:
            patch["place"] = None
        else:
            parts = {name.partition(".")[2] for name in PLACE}
            patch["place"] = {**dict.fromkeys(parts), **place}
    if not any(now.get(key, "").strip() for key in (*text_keys(now, "title"), "title.new")):
        errors[text_keys(now, "title")[0] if text_keys(now, "title") else "title"] = labels.FIELD_ERRORS["title"]
    return patch, errors


# -- parts


def _change_texts(
    patch: dict[str, Any],
    errors: Errors,
    name: str,
    entry: Mapping[str, Any],
    touched: set[str],
    now: Mapping[str, str],
) -> None:
    shown = entry.get(name)
    standing: dict[str, str] = shown if isinstance(shown, dict) else {UNDETERMINED: shown} if shown else {}
    changes: dict[str, str | None] = {
        _tag(name, key): _prose(now[key]) or None for key in text_keys(now, name) if key in touched
    }
    added = _prose(now.get(f"{name}.{NEW}", ""))
    if added:
        tag = now.get("words", "") or UNDETERMINED
        if tag in standing:
            errors["words"] = labels.FIELD_ERRORS["words"]
        changes[tag] = added
    if not changes:
        return
    after = {tag: text for tag, text in {**standing, **changes}.items() if text}
    value: Any
    if not after:
        value = None
    elif set(after) == {UNDETERMINED} and set(standing) <= {UNDETERMINED}:
        value = after[UNDETERMINED]
    elif isinstance(shown, dict):
        value = changes
    else:  # a plain text becomes one of several
        value = after
    patch[name] = value
    for tag, text in changes.items():
        try:
            if tag != UNDETERMINED:
                read_tag(tag)
            if text:
                FIELDS[name].form.read(text)
        except ValueError:
            errors[_key(name, tag)] = labels.FIELD_ERROR


def _take(entry: dict[str, Any], errors: Errors, name: str, place: str, value: Any) -> None:
    """Set a field of a new entry where its form is right."""
    if value is None:
        return
    if _fits(name, value):
        entry[name] = value
    else:
        errors.setdefault(place, labels.FIELD_ERRORS.get(name, labels.FIELD_ERROR))


def _change(patch: dict[str, Any], errors: Errors, name: str, value: Any) -> None:
    if value is None or _fits(name, value):
        patch[name] = value
    else:
        errors.setdefault(name, labels.FIELD_ERRORS.get(name, labels.FIELD_ERROR))


def _fits(name: str, value: Any) -> bool:
    field = FIELDS[name]
    try:
        if isinstance(value, dict) and field.multilingual:
            for tag, text in value.items():
                read_tag(tag)
                field.form.read(text)
        elif isinstance(value, list) and name in LISTS:
            for item in value:
                field.form.read(item)
        else:
            field.form.read(value)
    except ValueError:
        return False
    return True


def _place(values: Mapping[str, str], rest: Mapping[str, Any], errors: Errors) -> dict[str, Any]:
    place: dict[str, Any] = dict(rest)
    name = values.get("place.name", "").strip()
    if name:
        place["name"] = name
    for part, limit in (("lat", 90), ("lon", 180)):
        text = values.get(f"place.{part}", "").strip().replace(",", ".").replace("\u2212", "-")
        if not text:
            continue
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not -limit <= number <= limit:  # a NaN fails here too
            errors[f"place.{part}"] = labels.FIELD_ERRORS[f"place.{part}"]
        else:
            place[part] = number
    given = [part for part in ("lat", "lon") if values.get(f"place.{part}", "").strip()]
    if len(given) == 1 and not errors.keys() & set(PLACE):
        missing = "lon" if given == ["lat"] else "lat"
        errors.setdefault(f"place.{missing}", labels.FIELD_ERRORS["place"])
    return place


def _lines(text: str, standing: list[Any], *, agents: bool) -> list[Any]:
    """One element a line; a line that stood there before is what it was."""
    known = {_element_line(element): element for element in standing}
    found = []
    for line in (line.strip() for line in text.splitlines()):
        if line in known:
            found.append(known[line])
        elif line:
            found.append(_agent(line) if agents else line)
    return found


def _agent(line: str) -> Any:
    """A creator as typed: `name; role` is an object of both."""
    name, _, role = (part.strip() for part in line.partition(ROLE))
    return {"name": name, "role": role} if name and role else line


def _element_line(element: Any) -> str:
    if isinstance(element, dict):
        role = f"{ROLE} {element['role']}" if element.get("role") else ""
        return " ".join(f"{element.get('name', '')}{role}".split())
    return " ".join(str(element).split())


def _languages(text: str) -> Any:
    tags = [tag.strip() for tag in text.replace(";", ",").split(",") if tag.strip()]
    return None if not tags else tags[0] if len(tags) == 1 else tags


def _decimal(value: Any) -> str:
    return f"{value:.7f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _prose(text: str) -> str:
    return text.strip()


def _key(name: str, tag: str) -> str:
    return name if tag == UNDETERMINED else f"{name}.{tag}"


def _tag(name: str, key: str) -> str:
    return key.removeprefix(name).removeprefix(".") or UNDETERMINED
