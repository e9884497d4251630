"""The table of fields, and the small languages its values are written in."""

from __future__ import annotations

import re

import pytest

from p2pcommons.commons.edtf import is_edtf, years
from p2pcommons.commons.languages import canonical
from p2pcommons.commons.licences import facet, is_expression
from p2pcommons.commons.query import FACETS
from p2pcommons.commons.vocabulary import (
    DCMI_TYPES,
    FIELDS,
    REGISTERS,
    REQUIRED,
    SCHEMA_ORG_TYPES,
    SETS,
    SUBTYPES,
    TYPES,
    field_of,
    register_field,
    register_key,
    split_key,
)


def test_names_are_such_that_keys_of_registers_sort_like_names_then_languages() -> None:
    assert all(re.fullmatch("[a-z][a-z_]*", name) for name in FIELDS)
    keys = [register_key(name, tag) for name in sorted(REGISTERS) for tag in ("und", "br", "fr", "zh-Hant")]
    assert keys == sorted(keys)


def test_each_field_is_a_register_or_a_set_and_texts_alone_have_languages() -> None:
    assert set(REGISTERS) | set(SETS) == set(FIELDS)
    assert not set(REGISTERS) & set(SETS)
    assert all(field.form.name == "text" and field.name in REGISTERS for field in FIELDS.values() if field.multilingual)
    assert {*FACETS, *REQUIRED} <= set(FIELDS)


def test_each_type_stands_beside_its_neighbours() -> None:
    assert set(SCHEMA_ORG_TYPES) == set(DCMI_TYPES) == set(TYPES)
    assert set(SUBTYPES) <= set(TYPES)


def test_each_mapping_has_the_form_of_its_vocabulary() -> None:
    for field in FIELDS.values():
        assert re.fullmatch(r"([a-z][A-Za-z]*)?", field.dcmi)
        assert re.fullmatch(r"(@?[a-z][A-Za-z]*)?", field.schema_org)
        assert re.fullmatch(r"([0-9]{3}\$[a-z0-9])?", field.marc)
        assert field.dcmi or field.schema_org or field.marc
        assert field.meaning


@pytest.mark.parametrize("key", ["title", "title.fr", "title.zh-hant", "description.x-patois", "licence"])
def test_register_keys_lead_to_their_field(key: str) -> None:
    field = register_field(key)
    assert field is not None
    assert field.name == key.partition(".")[0]
    assert field_of(key) is field


@pytest.mark.parametrize(
    "key",
    ["", "titel", "title.", "title.FR", "title.und", "title.fr_FR", "licence.fr", "subjects", ".fr", "title.fr\n"],
)
def test_what_is_no_register_key_leads_nowhere(key: str) -> None:
    assert register_field(key) is None


def test_a_register_key_tells_its_language_in_the_customary_spelling() -> None:
    assert split_key(register_key("title", "pt-BR")) == ("title", "pt-BR")
    assert split_key(register_key("title", "und")) == ("title", "")


@pytest.mark.parametrize(
    ("tag", "spelled"),
    [("FR", "fr"), ("pt-br", "pt-BR"), ("ZH-hANT-tw", "zh-Hant-TW"), ("de-1996", "de-1996"), ("es-419", "es-419"),
     ("sl-rozaj-biske", "sl-rozaj-biske"), ("en-u-CA-gregory", "en-u-ca-gregory"), ("x-Gallo", "x-gallo")],
)  # fmt: skip
def test_language_tags_have_one_spelling(tag: str, spelled: str) -> None:
    assert canonical(tag) == spelled


@pytest.mark.parametrize("tag", ["", "f", "français", "fr_FR", "fr-", "-fr", "fr--FR", "en-toolongsubtag", "fr" * 30])
def test_what_is_no_language_tag_is_none(tag: str) -> None:
    assert canonical(tag) is None


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1920", 1920, 1920), ("1920~", 1920, 1920), ("1920?", 1920, 1920), ("1920-07", 1920, 1920),
        ("2020-02-29", 2020, 2020), ("192X", 1920, 1929), ("19XX", 1900, 1999), ("1984-06/2004-08", 1984, 2004),
        ("1984/..", 1984, None), ("../1984", None, 1984), ("1984/", 1984, None), ("2001-21", 2001, 2001),
        ("-0044-03-15", -44, -44), ("Y-170002", -170002, -170002), ("[1667,1668,1670..1672]", 1667, 1672),
        ("{1960,1961-12}", 1960, 1961), ("2004-06-~11", 2004, 2004), ("1985-04-12T23:20:30Z", 1985, 1985),
        ("156X-12-25", 1560, 1569), ("-01XX", -199, -100), ("1999-XX-31", 1999, 1999),
    ],
)  # fmt: skip
def test_edtf_dates_tell_the_years_they_span(text: str, first: int | None, last: int | None) -> None:
    assert years(text) == (first, last)


@pytest.mark.parametrize(
    "text",
    ["", "c.1785", "date not known", "1826–7", "1920-13", "2021-02-29", "1920-00", "1920-04-31", "20", "/", "../..",
     "2004/1984", "1920 ", "[1920", "1920-21-03", "[]", "1985-04-12T25:00:00Z", "1920-7", "x" * 500],
)  # fmt: skip
def test_other_words_are_no_edtf(text: str) -> None:
    assert not is_edtf(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CC0-1.0", "free"), ("CC-BY-SA-4.0", "free"), ("CC-BY-NC-4.0", "restricted"), ("PPL", "reciprocal"),
        ("LicenseRef-InCopyright", "restricted"), ("MIT OR LicenseRef-x", "free"), ("MIT AND CC-BY-ND-4.0", "restricted"),
        ("GPL-2.0+ WITH Classpath-exception-2.0", "free"), ("(MIT OR CC-BY-NC-4.0) AND LicenseRef-PPL", "reciprocal"),
        ("DocumentRef-a:LicenseRef-b", "restricted"),
    ],
)  # fmt: skip
def test_licence_expressions_and_their_facet(text: str, kind: str) -> None:
    assert is_expression(text)
    assert facet(text) == kind


@pytest.mark.parametrize(
    "text",
    ["", "AND", "MIT AND", "MIT MIT", "(MIT", "MIT)", "()", "free for all", "CC BY 4.0", "MIT WITH", "https://x.org/l",
     "(" * 50 + "MIT" + ")" * 50, "MIT\n OR", "é", "MIT-"],
)  # fmt: skip
def test_other_words_are_no_licence_expression(text: str) -> None:
    assert not is_expression(text)
    assert facet(text) is None
