"""Everything the pages say, in the languages they speak: catalogues read from the package, one object a language.

Messages are English texts with `{places}`; a catalogue (`texts/LANGUAGE.po`) says each in its language. Messages are
plain text: what is put into a place is escaped, unless it is markup made by a template. Knows no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from markupsafe import Markup, escape

LANGUAGES: Final[Mapping[str, str]] = {"fr": "Français", "en": "English"}
"""Languages of the pages, each by its own name."""

DEFAULT: Final = "en"

# Which of a message's two forms goes with a number: the plural rules of CLDR for whole numbers that people meet here.
_PLURAL: Final[Mapping[str, Callable[[int], int]]] = {
    "fr": lambda n: int(n not in (0, 1)),
    "en": lambda n: int(n != 1),
}


def N_(message: str) -> str:
    """Mark a message that is translated where it is shown."""
    return message


class Texts:
    """The pages' texts in one language."""

    def __init__(self, language: str, single: Mapping[str, str], plural: Mapping[str, tuple[str, str]]) -> None:
        self.language = language
        self._single = single
        self._plural = plural

    def text(self, message: str, **places: Any) -> Markup:
        """The message in this language, its places filled."""
        return _filled(self._single.get(message) or message, places)

    def count(self, one: str, many: str, number: int, **places: Any) -> Markup:
        """The message for this number of things; `{n}` is the number as people write it."""
        forms = self._plural.get(one, (one, many))
        return _filled(forms[_PLURAL[self.language](number)], {"n": self.number(number), **places})

    def number(self, value: int | float) -> str:
        """A number as this language writes it."""
        text = f"{value:,}"
        if self.language == "fr":  # a thin space that does not break, and a comma
            text = text.replace(",", "\u202f").replace(".", ",")
        return text


def _filled(template: str, places: Mapping[str, Any]) -> Markup:
    safe = escape(template)
    return safe.format(**places) if places else safe


@cache
def texts(language: str) -> Texts:
    """The texts in one of LANGUAGES; the catalogue is read at the first use (some milliseconds)."""
    import polib  # 2 MB that a node whose page nobody opens does without

    catalogue = polib.pofile((files("p2pcommons.web") / "texts" / f"{language}.po").read_text("utf-8"))
    single = {entry.msgid: entry.msgstr for entry in catalogue if entry.msgstr}
    plural = {
        entry.msgid: (entry.msgstr_plural[0], entry.msgstr_plural[1]) for entry in catalogue if entry.msgstr_plural
    }
    return Texts(language, single, plural)


def negotiate(accepted: str) -> str:
    """The language of LANGUAGES that an `Accept-Language` header likes best."""
    best, best_quality = DEFAULT, 0.0
    for part in accepted[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best
