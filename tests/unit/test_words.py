from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.core import words as module
from p2pcommons.core.words import LANGUAGES, entropy, words
from p2pcommons.errors import FormError


@given(st.binary(min_size=16, max_size=16), st.sampled_from(sorted(LANGUAGES)))
def test_words_give_the_entropy_back(secret: bytes, language: str) -> None:
    assert entropy(" ".join(words(secret, language))) == secret


@given(st.binary(min_size=16, max_size=16), st.sampled_from(sorted(LANGUAGES)))
def test_case_accents_and_separators_do_not_matter(secret: bytes, language: str) -> None:
    numbered = "\n".join(f"{n}. {module._fold(word).upper()}" for n, word in enumerate(words(secret, language), 1))
    assert entropy(numbered) == secret


@given(st.text(max_size=450))
def test_any_text_gives_sixteen_bytes_or_bad_words(text: str) -> None:
    try:
        assert len(entropy(text)) == 16
    except FormError as error:
        assert error.code == "bad_words"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_folded_list_has_no_doubles(language: str) -> None:
    assert len(module._places(language)) == 2048


def test_the_published_examples_of_bip_39() -> None:
    assert words(bytes(16)) == ["abandon"] * 11 + ["about"]
    legal = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    assert " ".join(words(b"\x7f" * 16)) == legal
    assert words(b"\xff" * 16) == ["zoo"] * 11 + ["wrong"]


def test_a_wrong_word_is_named_with_what_was_meant() -> None:
    with pytest.raises(FormError, match=r"word 2, “abandom”, .*perhaps abandon"):
        entropy("abandon abandom " + "abandon " * 9 + "about")


def test_exchanged_words_are_noticed() -> None:
    with pytest.raises(FormError, match="not together"):
        entropy("legal winner thank year wave sausage worth useful legal winner yellow thank")


def test_missing_words_are_counted() -> None:
    with pytest.raises(FormError, match="11 words"):
        entropy("abandon " * 11)


def test_an_unknown_language_is_said() -> None:
    with pytest.raises(FormError) as caught:
        words(bytes(16), "tlh")
    assert caught.value.code == "unknown_language"
