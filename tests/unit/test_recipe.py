"""Recipes: what one says, who signed it, what another commons takes from it, and hostile archives."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons import recipe as recipes
from p2pcommons.commons.bundle import read_bundle, write_bundle
from p2pcommons.commons.charter_text import charter_in_words
from p2pcommons.commons.plain_json import read_json, write_json
from p2pcommons.commons.recipe import (
    CONTENT,
    FILES,
    MANIFEST,
    SIGNATURE,
    Ancestor,
    Recipe,
    line_of,
    of_commons,
    read_lineage,
    read_recipe,
    start_from,
    write_recipe,
)
from p2pcommons.commons.rules import Rules
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.limits import RECIPE_BYTES_MAX, RECIPE_FILE_BYTES_MAX, RECIPE_LINEAGE_MAX
from p2pcommons.errors import FormError
from p2pcommons.node.charters import template

ALICE, EVE = SigningKey(b"a" * 32), SigningKey(b"e" * 32)
COMMONS = b"c" * 32
DATE_MS = 1_790_000_000_000  # 2026-09-21
ELDER = Ancestor(b"p" * 32, b"q" * 32)


def recipe(**changes: Any) -> Recipe:
    rules = Rules.founded({"rules": {"replicas": {"floor": 7}}, "join": "open", "announced": False}, COMMONS, 0)
    given = {
        "date_ms": DATE_MS,
        "languages": ["fr", "br"],
        "own": {"edit": {"fr": "Chacun écrit, tous relisent."}},
        "labels": {"title": {"fr": "Titre", "br": "Titl"}},
        "lineage": [ELDER],
    }
    return of_commons(COMMONS, "Outils de Recouvrance", template(), rules, **{**given, **changes})


BUNDLE = write_recipe(recipe(), ALICE)
PARTS = read_bundle(BUNDLE, FILES)


# -- what a recipe says


def test_a_recipe_comes_back_whole_with_its_author_and_hash() -> None:
    signed = read_recipe(BUNDLE)
    assert signed.recipe == recipe()
    assert signed.author == ALICE.public
    assert signed.hash == sha256(PARTS[MANIFEST]).digest()


def test_equal_recipes_are_equal_bytes() -> None:
    assert write_recipe(recipe(date_ms=DATE_MS + 1), ALICE) == BUNDLE
    assert write_recipe(recipe(date_ms=DATE_MS + 86_400_000), ALICE) != BUNDLE
    # Frozen: another version of this language makes the same bytes.
    frozen = "84af20e718a6cbb2415d539a0d0c0643905f6f71d4f79cf82755c9cddfd9ef5a"
    assert sha256(write_bundle({"b.txt": b"two", "a.txt": b"one"})).hexdigest() == frozen


def test_a_recipe_names_no_key_but_its_authors_and_no_member() -> None:
    author = did_key(ALICE.public).encode()
    for name, content in PARTS.items():
        assert (b"did:key" in content) == (author in content) == (name == SIGNATURE)
    assert set(json.loads(PARTS["recipe.json"])) == {"commons", "date", "format", "languages", "lineage", "name"}


def test_its_metadata_are_an_ro_crate_that_names_every_file() -> None:
    crate = json.loads(PARTS["ro-crate-metadata.json"])
    nodes = {node["@id"]: node for node in crate["@graph"]}
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    assert nodes["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert nodes["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    root = nodes["./"]
    assert (root["@type"], root["name"], root["datePublished"]) == ("Dataset", "Outils de Recouvrance", "2026-09-21")
    assert root["description"] and nodes[root["license"]["@id"]]
    parts = {part["@id"] for part in root["hasPart"]}
    assert parts == set(CONTENT) - {"ro-crate-metadata.json"}
    assert all(nodes[part]["@type"] == "File" for part in parts)


def test_its_manifest_is_what_sha256sum_checks() -> None:
    for line in PARTS[MANIFEST].decode().splitlines():
        digest, name = line.split("  ")
        assert sha256(PARTS[name]).hexdigest() == digest


def test_another_commons_starts_from_it_and_the_line_is_kept() -> None:
    signed = read_recipe(BUNDLE)
    start = start_from(signed, {"replicas": {"floor": 4}})
    assert start.fields == {"join": "open", "announced": False}
    assert (start.rules["replicas"], start.rules["join"]) == ({"floor": 4}, {"policy": "open"})
    assert start.lineage == (ELDER, Ancestor(COMMONS, signed.hash))
    lineage = [one.value() for one in start.lineage]
    body = {"rules": start.rules, "lineage": lineage, "template": start.template, **start.fields}
    assert read_lineage(body["lineage"]) == start.lineage
    rules = Rules.founded(body, b"n" * 32, 0)
    told = {a.rule: a.text for part in charter_in_words(template(), rules, "fr", start.own) for a in part.articles}
    assert told["edit"] == "Chacun écrit, tous relisent."
    assert told["replicas"].startswith("Il devrait toujours y avoir au moins 4 copies")
    assert line_of(signed) == start.lineage
    child = of_commons(b"n" * 32, "Outils de Brest", template(), rules, date_ms=DATE_MS, lineage=line_of(signed))
    assert read_recipe(write_recipe(child, EVE)).recipe.lineage == start.lineage


def test_a_long_line_loses_its_eldest() -> None:
    many = [Ancestor(bytes([n]) * 32, b"q" * 32) for n in range(RECIPE_LINEAGE_MAX)]
    signed = read_recipe(write_recipe(recipe(lineage=many), ALICE))
    assert line_of(signed) == (*many[1:], Ancestor(COMMONS, signed.hash))
    with pytest.raises(FormError, match="bad_recipe"):
        write_recipe(recipe(lineage=[*many, ELDER]), ALICE)


@pytest.mark.parametrize(
    "value",
    [
        None, 7, {}, [], [{"commons": b"c" * 32}], [{"commons": b"c" * 31, "recipe": b"r" * 32}],
        {"commons": b"c" * 32, "recipe": b"r" * 32}, [{"commons": "c" * 32, "recipe": b"r" * 32}],
        [ELDER.value(), {"commons": b"c" * 32, "recipe": b"r" * 32, "more": 1}], [ELDER.value(), None],
        [ELDER.value()] * (RECIPE_LINEAGE_MAX + 1),
    ],
)  # fmt: skip
def test_a_lineage_that_does_not_fit_is_none(value: object) -> None:
    assert read_lineage(value) == ()


# -- hostile recipes


def forged(change: Callable[[dict[str, bytes]], object], key: SigningKey | None = ALICE) -> bytes:
    """A bundle with changed files; with a key, signed anew."""
    files = {name: PARTS[name] for name in PARTS}
    change(files)
    if key is not None:
        files[MANIFEST] = recipes._manifest(files)
        signature = key.sign(recipes._message(COMMONS, files[MANIFEST]))
        files[SIGNATURE] = write_json({"author": did_key(key.public), "signature": signature.hex()})
    return write_bundle(files)


def editing(name: str, change: Callable[[Any], object]) -> Callable[[dict[str, bytes]], object]:
    def edit(files: dict[str, bytes]) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()

    return edit


def replacing(**files: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda kept: kept.update({name.replace("_", ".", 1): content for name, content in files.items()})


def test_a_changed_file_or_manifest_or_signature_is_noticed() -> None:
    for name in (*CONTENT, MANIFEST):
        with pytest.raises(FormError, match="bad_recipe"):
            read_recipe(forged(lambda files, name=name: files.update({name: files[name] + b" "}), None))  # type: ignore[misc]
    other = json.loads(PARTS[SIGNATURE])
    for author, signature in (
        (did_key(EVE.public), other["signature"]),
        (other["author"], "00" * 64),
        (other["author"], ALICE.sign(b"another message").hex()),
    ):
        data = write_json({"author": author, "signature": signature})
        with pytest.raises(FormError, match="bad_signature"):
            read_recipe(forged(lambda files, data=data: files.update({SIGNATURE: data}), None))  # type: ignore[misc]


def test_a_recipe_signed_by_somebody_else_says_so() -> None:
    assert read_recipe(forged(lambda files: None, EVE)).author == EVE.public


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (replacing(recipe_json=b"[]"), "bad_recipe"),
        (replacing(recipe_json=b"\xff\xfe"), "bad_recipe"),
        (replacing(recipe_json=b"[" * 200_000), "bad_recipe"),
        (replacing(labels_json=b'{"a": {"fr": "\\u0000"}}'), "bad_recipe"),
        (replacing(labels_json=b'{"a": {"fr": "\\ud800"}}'), "bad_recipe"),
        (replacing(labels_json=b'{"a": "b"}'), "bad_template"),
        (replacing(labels_json=json.dumps({str(n): {"fr": "x"} for n in range(1001)}).encode()), "bad_recipe"),
        (replacing(roles_json=b"?"), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(format=2)), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(format=True)), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(more=2)), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(name=" ")), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(name="x" * 201)), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(commons="C" * 64)), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(commons=["c"])), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(commons="00" * 32)), "bad_signature"),
        (editing("recipe.json", lambda v: v.update(date="2026-02-30")), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(date="1969-12-31")), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(date="2026-W05-1")), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(date=20260101)), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(languages=["fr_FR"])), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(languages="fr")), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(lineage=[{}])), "bad_recipe"),
        (editing("recipe.json", lambda v: v.update(lineage={})), "bad_recipe"),
        (editing("charter.json", lambda v: v.pop("own")), "bad_recipe"),
        (editing("charter.json", lambda v: v.update(own={"no.rule": {"fr": "x"}})), "bad_recipe"),
        (editing("charter.json", lambda v: v.update(own={"edit": {}})), "bad_template"),
        (editing("charter.json", lambda v: v.pop("sections")), "bad_template"),
    ],
)
def test_a_well_signed_recipe_that_is_none_is_refused(change: Any, code: str) -> None:
    with pytest.raises(FormError, match=code):
        read_recipe(forged(change))


# -- hostile archives


def archive(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as zipped:
        for name, content in files.items():
            zipped.writestr(zipfile.ZipInfo(name) if method == zipfile.ZIP_STORED else name, content)
    return out.getvalue()


def test_a_bundle_packed_again_by_another_program_is_read() -> None:
    signed = read_recipe(archive(PARTS, zipfile.ZIP_DEFLATED))
    assert signed == read_recipe(BUNDLE)
    assert read_recipe(archive({name: PARTS[name] for name in reversed(PARTS)})) == signed


def test_names_that_lead_out_of_the_place_it_is_unpacked_to_are_refused() -> None:
    for name in ("../a", "/a", "a/../../b", "a\\b", "C:a", "a?b", ".", "A"):
        data = archive({name: b""}).replace(b"?", b"\0")
        with pytest.raises(FormError, match="bad_bundle"):
            read_bundle(data, {"a"})


def test_a_file_that_is_missing_or_added_or_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as zipped:
            zipped.writestr("a", b"one")
            zipped.writestr("a", b"two")
    for data in (out.getvalue(), archive({}), archive({"a": b"", "b": b"", "c": b""}), archive({"a": b"", "c": b""})):
        with pytest.raises(FormError, match="bad_bundle"):
            read_bundle(data, {"a", "b"})


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = archive({"a": bytes(64 * 1024 * 1024)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < RECIPE_BYTES_MAX
    tracemalloc.start()
    with pytest.raises(FormError, match="bad_bundle"):
        read_bundle(bomb, {"a"})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * RECIPE_FILE_BYTES_MAX
    lying = bytearray(bomb)
    place = lying.rindex(b"PK\x01\x02")
    struct.pack_into("<L", lying, place + 24, 10)  # the directory says: ten bytes
    with pytest.raises(FormError, match="bad_bundle"):
        read_bundle(bytes(lying), {"a"})


def test_a_file_of_the_greatest_length_is_read_and_one_byte_more_is_not() -> None:
    whole = {"a": bytes(RECIPE_FILE_BYTES_MAX)}
    assert read_bundle(archive(whole, zipfile.ZIP_DEFLATED), {"a"}) == whole
    with pytest.raises(FormError, match="bad_bundle"):
        read_bundle(archive({"a": bytes(RECIPE_FILE_BYTES_MAX + 1)}, zipfile.ZIP_DEFLATED), {"a"})


def test_an_archive_of_many_names_or_a_great_length_is_not_listed() -> None:
    many = archive({f"{n:05}": b"" for n in range(9_000)})
    for data in (many, bytes(RECIPE_BYTES_MAX + 1), BUNDLE + bytes(RECIPE_BYTES_MAX)):
        with pytest.raises(FormError, match="bad_bundle"):
            read_bundle(data, FILES)


def test_unusual_compression_encryption_and_comments_are_refused() -> None:
    encrypted = bytearray(archive({"a": b"x"}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(magic) + offset] |= 1
    commented = []
    for comment in (b"hello", b"PK\x05\x06" + bytes(18)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as zipped:
            zipped.comment = comment
            zipped.writestr("a", b"x")
        commented.append(out.getvalue())
    for data in (bytes(encrypted), archive({"a": b"x"}, zipfile.ZIP_BZIP2), *commented):
        with pytest.raises(FormError, match="bad_bundle"):
            read_bundle(data, {"a"})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_bundle_or_refused(data: bytes) -> None:
    for some in (data, data + BUNDLE[-22:], BUNDLE[:40] + data):
        with pytest.raises(FormError, match="bad_bundle"):
            read_bundle(some, FILES)


@given(st.integers(0, 10**9), st.integers(1, 255), st.integers(0, 2))
def test_a_recipe_with_one_byte_changed_is_refused_or_says_the_same(place: int, mask: int, sort: int) -> None:
    # The directory at the end decides most; a changed date or attribute in it changes nothing that is read.
    start = {0: 0, 1: BUNDLE.index(b"PK\x01\x02"), 2: len(BUNDLE) - 22}[sort]
    data = bytearray(BUNDLE)
    data[start + place % (len(data) - start)] ^= mask
    try:
        assert read_recipe(bytes(data)) == read_recipe(BUNDLE)
    except FormError as error:
        assert error.code in ("bad_bundle", "bad_recipe", "bad_template", "bad_signature", "bad_key")


def test_json_is_written_in_one_way_and_comes_back() -> None:
    value = {"b": ["é", 1, True, None], "a": {}}
    assert write_json(value) == '{\n "a": {},\n "b": [\n  "é",\n  1,\n  true,\n  null\n ]\n}\n'.encode()
    assert read_json(write_json(value), "it", code="bad", bytes_max=100) == value
    with pytest.raises(FormError, match="bad: it is longer than 10 bytes"):
        read_json(write_json(value), "it", code="bad", bytes_max=10)
