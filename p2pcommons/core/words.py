"""Recovery words: 16 bytes of entropy as 12 words of a BIP 39 list, and back (chapter 11).

Only the entropy counts: the same 16 bytes give the same recovery key in every language. People type words
without accents, in capitals, and wrongly: the error says which word and what may have been meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from typing import Final
from unicodedata import combining, normalize

from p2pcommons.errors import FormError

LANGUAGES: Final[Mapping[str, str]] = {"en": "english", "fr": "french"}
"""BCP 47 tag → name of the BIP 39 list."""

ENTROPY_BYTES: Final = 16
WORDS: Final = 12
_TYPED_CHARACTERS_MAX: Final = 400  # twelve words have at most 12 x 8 letters; the rest is white space and slips


def words(entropy: bytes, language: str = "en") -> list[str]:
    """The twelve words of 16 bytes, with their accents. FormError `bad_words`, `unknown_language`."""
    if len(entropy) != ENTROPY_BYTES:
        raise FormError("bad_words", "recovery words hold 16 bytes")
    if language not in LANGUAGES:
        raise FormError("unknown_language", f"recovery words exist in: {', '.join(LANGUAGES)}")
    bits = int.from_bytes(entropy, "big") << 4 | _checksum(entropy)
    listed = _list(language)
    return [listed[bits >> 11 * place & 2047] for place in reversed(range(WORDS))]


def entropy(text: str) -> bytes:
    """The 16 bytes of twelve words in any language known, whatever their case and accents.

    FormError `bad_words`, whose sentence names the word that is wrong and what may have been meant.
    """
    if len(text) > _TYPED_CHARACTERS_MAX:
        raise FormError("bad_words", "this is far longer than twelve words; type the recovery words alone")
    typed = [_fold(word) for word in re.split(r"[\s,;.\d]+", text) if word]
    best = max(LANGUAGES, key=lambda language: sum(word in _places(language) for word in typed))
    for number, word in enumerate(typed, 1):
        if word not in _places(best):
            raise FormError("bad_words", f"word {number}, “{word}”, is not a recovery word{_meant(word, best)}")
    if len(typed) != WORDS:
        raise FormError("bad_words", f"{len(typed)} words where there are {WORDS}: compare with the paper")
    # Some words stand in two lists: every language that has all of them is tried.
    readings = {_read(typed, language) for language in LANGUAGES if all(word in _places(language) for word in typed)}
    readings.discard(None)
    if len(readings) != 1:
        raise FormError(
            "bad_words", "each word exists, but not together: one is another than on the paper, or two changed places"
        )
    return readings.pop() or b""


def _read(typed: list[str], language: str) -> bytes | None:
    bits = 0
    for word in typed:
        bits = bits << 11 | _places(language)[word]
    found = (bits >> 4).to_bytes(ENTROPY_BYTES, "big")
    return found if _checksum(found) == bits & 15 else None


def _checksum(entropy: bytes) -> int:
    return sha256(entropy).digest()[0] >> 4


def _meant(word: str, language: str) -> str:
    near = get_close_matches(word, _places(language), n=3, cutoff=0.7)
    shown = [_list(language)[_places(language)[folded]] for folded in near]
    return f"; perhaps {' or '.join(shown)}" if shown else ": compare it with the paper"


def _fold(word: str) -> str:
    """Without case and accents. The lists stay free of doubles when folded (a test holds to it)."""
    return "".join(letter for letter in normalize("NFKD", word.casefold()) if not combining(letter))


@cache
def _list(language: str) -> tuple[str, ...]:
    from mnemonic import Mnemonic  # read when first asked for: most runs never need it

    return tuple(normalize("NFC", word) for word in Mnemonic(LANGUAGES[language]).wordlist)


@cache
def _places(language: str) -> Mapping[str, int]:
    return {_fold(word): place for place, word in enumerate(_list(language))}
