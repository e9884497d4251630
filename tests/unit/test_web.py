"""The pages' parts without a node: texts in all languages, words for values, forms, callers, and templates as written."""

from __future__ import annotations

import re
import runpy
import string
from importlib.resources import files
from pathlib import Path
from typing import Any

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from p2pcommons.commons.assembly_bodies import EXCLUSIONS
from p2pcommons.commons.charter_text import TEMPLATES as TEMPLATE_NAMES
from p2pcommons.commons.draft import draft_from_json
from p2pcommons.commons.minutes import STATES
from p2pcommons.commons.order import FAULTS
from p2pcommons.commons.query import FACETS, SORTS
from p2pcommons.commons.rules import MATTERS, RULES, read_params
from p2pcommons.commons.tally import MODES, REASONS, is_choice, read_method
from p2pcommons.commons.vocabulary import FIELDS, SUBTYPES, TYPES
from p2pcommons.web import assembly_labels, labels, wording
from p2pcommons.web.caller import is_own_user
from p2pcommons.web.entry_form import entry_of, patch_of, values_of
from p2pcommons.web.reading import best, rows
from p2pcommons.web.rule_form import params_of, rule_fields, typed_of
from p2pcommons.web.rule_words import param_label, param_rows, rule_sentence, rule_title
from p2pcommons.web.texts import LANGUAGES, Texts, negotiate, texts
from p2pcommons.web.visit import address, path_back

ROOT = Path(__file__).parents[2]
WEB = files("p2pcommons.web")
TEMPLATES = sorted(path.name for path in (WEB / "templates").iterdir() if path.name.endswith(".html"))
EN, FR = texts("en"), texts("fr")
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "texts"))
MESSAGES = SCRIPT["messages"]()


# -- texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_and_none_is_left_over(language: str) -> None:
    catalogue = polib.pofile((WEB / "texts" / f"{language}.po").read_text("utf-8"))
    there = {(entry.msgid, entry.msgid_plural or None) for entry in catalogue}
    assert there == set(MESSAGES)
    for entry in catalogue:
        forms = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        assert all(form.strip() for form in forms), entry.msgid
        assert not entry.fuzzy and not entry.obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_has_the_places_of_its_message(language: str) -> None:
    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}

    for entry in polib.pofile((WEB / "texts" / f"{language}.po").read_text("utf-8")):
        wanted = places(entry.msgid) | places(entry.msgid_plural)
        for form in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            assert places(form) == wanted, entry.msgid
            if language == "fr":
                assert not re.search(r" [:?!;]", form), form  # a space before these never breaks


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_says_a_word_that_is_not_translated(name: str) -> None:
    source = (WEB / "templates" / name).read_text("utf-8")
    source = re.sub(r"\{% macro attributes.*?endmacro", "", source, flags=re.S)
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.S)
    source = re.sub(r"\{\{.*?\}\}", "·", source, flags=re.S)
    spoken = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', source)
    spoken.append(re.sub(r"<code>p2pcommons backup FILE</code>|<[^>]*>", " ", source))
    for text in spoken:
        words = re.findall(r"[^\W\d_]+", text.replace("p2pcommons", ""))
        assert not words, (name, words)


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_hold_no_script_of_their_own_and_no_inline_style(name: str) -> None:
    source = (WEB / "templates" / name).read_text("utf-8").lower()
    source = re.sub(r"""<script type="module" src="\{\{ static\['[a-z]+\.js'\] \}\}"></script>""", "", source)
    assert not re.search(r"<script|<style|\bstyle=|\bon[a-z]+=|javascript:|\|\s*safe|autoescape", source)


def test_the_package_holds_little_script_and_little_style() -> None:
    files = list((WEB / "static").iterdir())
    assert not [path.name for path in files if path.suffix in (".mjs", ".woff2")]
    assert sum(len(path.read_bytes()) for path in files if path.suffix == ".js") <= 15_000
    style = (WEB / "static" / "style.css").read_text("utf-8")
    assert len(style.encode()) <= 20_000
    assert "url(" not in style and "@import" not in style


def test_pages_have_no_jargon() -> None:
    for one, many in MESSAGES:
        assert not re.search(
            r"\b(peers?|replicas?|CRDT|sync|hash)\b", f"{one} {many}".replace("Peer Production", ""), re.I
        ), one


def test_what_is_put_into_a_message_is_escaped() -> None:
    shown = EN.text("by {person}", person="<b>&")
    assert shown == Markup("by &lt;b&gt;&amp;") and isinstance(shown, Markup)
    assert EN.text("by {person}", person=Markup("<b>x</b>")) == "by <b>x</b>"
    assert EN.text("<never there>{person}", person=1) == "&lt;never there&gt;1"


@pytest.mark.parametrize(
    ("language", "number", "words"),
    [("en", 0, "0 entries"), ("en", 1, "1 entry"), ("fr", 0, "0 fiche"), ("fr", 1, "1 fiche"), ("fr", 2, "2 fiches"),
     ("en", 69202, "69,202 entries"), ("fr", 69202, "69\u202f202 fiches")],
)  # fmt: skip
def test_counts_follow_each_languages_rules(language: str, number: int, words: str) -> None:
    assert str(texts(language).count("{n} entry", "{n} entries", number)) == words


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("fr", "fr"), ("fr-CA, en;q=0.8", "fr"), ("br, fr;q=0.5, en;q=0.4", "fr"), ("de", "en"),
     ("en;q=0.2, fr;q=0.1", "en"), ("fr;q=x", "en"), ("fr;q=0", "en"), ("," * 9000 + "fr", "en")],
)  # fmt: skip
def test_the_language_is_negotiated(header: str, language: str) -> None:
    assert negotiate(header) == language


@given(st.text(max_size=80))
def test_any_header_negotiates_a_language(header: str) -> None:
    assert negotiate(header) in LANGUAGES


# -- labels


def test_every_name_of_the_vocabulary_has_its_words() -> None:
    assert set(labels.FIELDS) == set(FIELDS)
    assert set(labels.TYPES) == set(TYPES)
    assert set(labels.SUBTYPES) == {name for names in SUBTYPES.values() for name in names}
    assert set(labels.FACETS) == set(FACETS)
    assert set(labels.SORTS) == set(SORTS)
    for licence in labels.LICENCES:
        FIELDS["licence"].form.read(licence)
    FIELDS["licence"].form.read(labels.LICENCE_DEFAULT)


def test_every_name_of_an_assembly_has_its_words() -> None:
    assert set(assembly_labels.MATTERS) == set(MATTERS)
    assert set(assembly_labels.MODES) == set(assembly_labels.ASKED) == set(MODES)
    assert set(assembly_labels.FAULTS) == set(FAULTS)
    assert set(assembly_labels.REASONS) == set(REASONS)
    assert set(assembly_labels.SAID) >= set(EXCLUSIONS)
    assert set(assembly_labels.STATES) == {*STATES, "over", "revised"}
    for mode, words in assembly_labels.ASKED.items():
        method = read_method(mode, (2, 3) if mode == "qualified" else None)
        assert method is None or all(is_choice(method, word) for word in words)
        assert set(words) <= set(assembly_labels.CHOICES)
    named = {param_label(rule, name) for rule in RULES for name in RULES[rule].parameters}
    assert named == set(assembly_labels.PARAMETERS.values())
    for rule in RULES:
        for field in rule_fields(rule):
            assert all(words in assembly_labels.VALUES.values() for _, words in field.choices)


# -- rules


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data())
def test_a_form_of_a_rule_means_what_stands_in_it_or_says_what_is_wrong(rule: str, data: st.DataObject) -> None:
    params = RULES[rule].defaults
    assert params_of(rule, typed_of(params)) == (params, {})
    typed = {
        field.name: data.draw(st.sampled_from([value for value, _ in field.choices] or ["1", "3", "31", "", "x", "²"]))
        for field in rule_fields(rule)
    }
    found, errors = params_of(rule, typed)
    assert set(errors) <= set(typed)
    if not errors:
        assert read_params(rule, found) == found
    for each in (EN, FR):
        for row in param_rows(each, rule, params, found):
            assert row.label and row.after is not None


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_said_in_each_language_and_what_fits_no_rule_is_not(rule: str) -> None:
    for each in (EN, FR):
        for template in (*TEMPLATE_NAMES, "unknown"):
            said = rule_sentence(each, template, rule, {})
            assert said and "{" not in said
            assert rule_sentence(each, template, rule, {}, "<b>{x}") == "<b>{x}"
            assert rule_title(each, template, rule) != rule
        assert rule_sentence(each, "association", rule, {"x": 1}) is None
        assert rule_sentence(each, "association", "gravity", {}) is None
        assert rule_title(each, "association", "gravity") == "gravity"


# -- words for values


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        ("1920", "1920", "1920"),
        ("1920~", "about 1920", "vers 1920"),
        ("1920?", "1920, perhaps", "1920, peut-être"),
        ("1998-03", "March 1998", "mars 1998"),
        ("1998-03-01", "1 March 1998", "1er mars 1998"),
        ("1998-08-12~", "about 12 August 1998", "vers 12 août 1998"),
        ("0800", "800", "800"),
        ("192X", "the 1920s", "années 1920"),
        ("1910/1920~", "1910 to about 1920", "de 1910 à vers 1920"),
        ("1910/..", "since 1910", "depuis 1910"),
        ("../1910", "until 1910", "jusqu’à 1910"),
        ("1998-21", "1998-21", "1998-21"),
        ("once upon a time", "once upon a time", "once upon a time"),
        ("<b>1920~", "<b>1920~", "<b>1920~"),
    ],
)
def test_dates_are_said_in_each_language(value: str, english: str, french: str) -> None:
    assert (wording.date_words(EN, value), wording.date_words(FR, value)) == (english, french)


@given(st.text(max_size=40) | st.from_regex(r"[0-9XY~?%/.,\-\[\]{}]{1,20}", fullmatch=True))
def test_any_date_is_said_or_kept(value: str) -> None:
    for each in (EN, FR):
        assert isinstance(wording.date_words(each, value), str)


@given(st.integers(0, 253_402_300_000_000))
def test_any_instant_is_said(instant: int) -> None:
    for each in (EN, FR):
        assert wording.moment(each, instant).startswith("<time datetime=")


def test_places_and_lengths_are_said_in_each_language() -> None:
    assert wording.degrees(FR, 48.38341, -4.4969) == "48,38341° N, 4,4969° O"
    assert wording.degrees(EN, -1.5, 2) == "1.5° S, 2° E"
    assert (wording.metres(FR, 12500), wording.metres(EN, 900)) == ("12,5\u00a0km", "900\u00a0m")
    assert wording.duration(FR, 3661) == "1\u00a0h 1\u00a0min 1\u00a0s" and wording.duration(EN, 0) == "0\u00a0s"


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "vbscript:x", "//evil.example", "http:", "http://",
     "https://[", "ftp://a.example", "java\nscript:x", " javascript:x", "", "isbn:97820", "http:evil"],
)  # fmt: skip
def test_only_web_addresses_become_links(value: str) -> None:
    assert wording.web_address(value) is None


@given(st.text(max_size=60))
def test_any_link_goes_to_the_web(value: str) -> None:
    found = wording.web_address(value)
    assert found is None or found.lower().startswith(("http://", "https://"))


@given(st.text(max_size=500), st.integers(5, 60))
def test_excerpts_are_short(text: str, most: int) -> None:
    assert len(wording.excerpt(text, most)) <= most + 1
    assert wording.excerpt("x" * 500, most) == "x" * most + "…", "a word without an end is cut"


# -- addresses


@given(st.text(max_size=60))
def test_a_way_back_stays_on_this_node(text: str) -> None:
    back = path_back(text)
    assert back.startswith("/") and not back.startswith(("//", "/\\"))


def test_addresses_leave_out_what_is_empty_and_escape_the_rest() -> None:
    assert address("/", q="a b&c", type=["x", ""], cursor=None) == "/?q=a+b%26c&type=x"
    assert address("/entries/é?#") == "/entries/%C3%A9%3F%23"
    assert address("/x", "saved", q="\ud800") == "/x?q=%3F&done=saved"


# -- one entry


def test_a_reader_gets_a_text_in_the_language_they_like_best() -> None:
    title = {"br": "Tour Tangi", "und": "Tanguy", "fr": "Tour Tanguy", "en-GB": "Tanguy tower"}
    assert (best(EN, title).text, best(FR, title).text) == ("Tanguy tower", "Tour Tanguy")
    assert best(EN, {"br": "Tangi", "fr": "Tanguy"}).lang == "fr"
    assert best(EN, "plain") == ("plain", "", None, False, "")
    assert best(EN, {"items": "a language tag too"}).text == "a language tag too"


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
LINES = WORDS.map(lambda text: " ".join(text.split())).filter(lambda text: text.strip() and ";" not in text)
DEGREES = st.integers(-900, 900).map(lambda tenths: tenths / 10)
ENTRIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES), "title": LINES | st.dictionaries(st.sampled_from(["fr", "en", "br", "und"]), LINES, min_size=1)},
    optional={
        "description": WORDS | st.dictionaries(st.sampled_from(["fr", "en", "br"]), WORDS, min_size=1),
        "creators": st.lists(LINES | st.fixed_dictionaries({"name": LINES}, optional={"role": LINES, "id": LINES}), max_size=3),
        "subjects": st.lists(LINES, max_size=3),
        "created": LINES,
        "language": st.sampled_from(["fr", ["fr", "br"]]),
        "licence": st.sampled_from(["CC0-1.0", "GPL-3.0-only WITH Classpath-exception-2.0"]),
        "place": LINES | st.fixed_dictionaries({"name": LINES}, optional={"territory": LINES})
        | st.fixed_dictionaries({"lat": DEGREES, "lon": DEGREES}),
        "extent": LINES,
        "duration_s": st.integers(0, 10**6),
        "url": st.just("https://example.org/"),
    },
)  # fmt: skip


@given(ENTRIES)
def test_a_form_sent_as_it_was_made_changes_nothing(entry: dict[str, Any]) -> None:
    values = values_of(entry)
    assert patch_of(entry, values, {**values, "words": "", "title.new": "", "description.new": ""}) == ({}, {})


@given(ENTRIES)
def test_what_a_form_says_of_a_new_entry_passes_the_door_and_comes_back(entry: dict[str, Any]) -> None:
    values = values_of(entry)
    typed = {**values, "words": "fr", "title": "T", "description": values.get("description", "D") or "D"}
    made, errors = entry_of(typed)
    assert errors == {}
    draft_from_json(made)
    again = values_of(made)
    for name in ("type", "licence", "created", "language", "subjects", "place.name", "place.lat", "place.lon"):
        assert again[name].strip() == typed[name].strip()


@given(ENTRIES, st.dictionaries(st.sampled_from(["licence", "created", "language", "creators", "subjects", "place.name", "place.lat", "place.lon", "title", "title.fr", "title.new", "description", "words"]), st.text(max_size=20)))  # fmt: skip
def test_any_typing_gives_a_patch_that_passes_the_door_or_says_what_is_wrong(
    entry: dict[str, Any], typed: dict[str, str]
) -> None:
    before = values_of(entry)
    patch, errors = patch_of(entry, before, {**before, **typed})
    if not errors:
        changed = {name: value for name, value in patch.items() if value is not None and not isinstance(value, dict)}
        draft_from_json({"type": "book", "title": "T", **changed})
    entry_of({**before, **typed})


@given(ENTRIES)
def test_every_field_of_an_entry_is_shown(entry: dict[str, Any]) -> None:
    for each in (EN, FR):
        shown = {row.name for row in rows(each, entry)}
        assert shown == {name for name in entry if name not in ("type", "title") and entry[name] not in (None,)}


# -- whose browser


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CFC 0100007F:{port} 01 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:{port} 0100007F:1CFC 01 00000000:00000000 00:00000000 00000000  {uid}        0 2
   2: short
"""
CALLER, HERE = ("127.0.0.1", 0xABCD), ("127.0.0.1", 0x1CFC)


@pytest.mark.parametrize(("uid", "own"), [(1000, True), (1001, False)])
def test_the_caller_is_who_owns_the_other_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, own: bool
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr("sys.byteorder", "little")
    table = tmp_path / "tcp"
    table.write_text(TABLE.format(port="ABCD", uid=uid))
    assert is_own_user(CALLER, HERE, (table,)) is own
    assert is_own_user(("::ffff:127.0.0.1", 0xABCD), ("::ffff:127.0.0.1", 0x1CFC), (table,)) is own
    assert is_own_user(("127.0.0.1", 0xABCE), HERE, (table,)) is False  # nobody's: not the owner's
    assert is_own_user(CALLER, HERE, (tmp_path / "absent", table)) is own


def test_an_ipv6_caller_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 7)
    monkeypatch.setattr("sys.byteorder", "little")
    loopback = "0" * 24 + "01000000"
    table = tmp_path / "tcp6"
    table.write_text(f"head\n 0: {loopback}:ABCD {loopback}:1CFC 01 a b c 7 0 2\n")
    assert is_own_user(("::1", 0xABCD), ("::1", 0x1CFC), (table,)) is True


def test_where_the_system_does_not_tell_nothing_is_guessed(tmp_path: Path) -> None:
    assert is_own_user(CALLER, HERE, (tmp_path / "absent",)) is None


def test_messages_are_found_in_code_and_templates() -> None:
    assert ("{n} entry", "{n} entries") in MESSAGES and ("Title", None) in MESSAGES
    assert isinstance(Texts("en", {}, {}).text("x"), Markup)
