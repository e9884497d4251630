"""A commons' recipe: how it governs itself, in one signed file that another starts from (chapter 24, "Recipes").

An RO-Crate 1.1 in a zip: rules with their words, roles, vocabulary, labels, and the line of commons it came
through. No member, no entry and no record is in it; the one key is that of whoever signs. The recipe's hash is that
of its manifest, which names the hash of every file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from p2pcommons.commons import vocabulary
from p2pcommons.commons.bundle import read_bundle, write_bundle
from p2pcommons.commons.charter_bodies import NAME_CHARACTERS_MAX
from p2pcommons.commons.charter_text import (
    Template,
    Words,
    founding_fields,
    founding_rules,
    read_words,
    template_of,
    template_value,
)
from p2pcommons.commons.languages import canonical
from p2pcommons.commons.plain_json import read_json, write_json
from p2pcommons.commons.roles import ROLE_WORDS, roles
from p2pcommons.commons.rules import RULES, Rules
from p2pcommons.core.identity import TAG_RECIPE, PublicKey, SigningKey, did_key, parse_did_key, verify
from p2pcommons.core.limits import RECIPE_FILE_BYTES_MAX, RECIPE_LINEAGE_MAX
from p2pcommons.errors import FormError

FORMAT: Final = 1
LICENCE: Final = "CC0-1.0"
"""Of the recipe itself, whatever its entries are under: it is made to be copied."""

METADATA: Final = "ro-crate-metadata.json"
MANIFEST: Final = "manifest-sha256.txt"
SIGNATURE: Final = "signature.json"
CONTENT: Final = ("charter.json", "labels.json", "recipe.json", METADATA, "roles.json", "vocabulary.json")
"""What the manifest names, in its order."""

FILES: Final = frozenset((*CONTENT, MANIFEST, SIGNATURE))

_DESCRIPTIONS: Final = {
    "charter.json": "Rules of the commons: parameters, and their words",
    "labels.json": "Words for types and fields",
    "recipe.json": "Where this recipe comes from, and what it asks of a reader",
    "roles.json": "Roles, and what each may do under these rules",
    "vocabulary.json": "Types and fields of entries, with their forms",
}
_LABELS_MAX: Final = 1000  # names with labels: fields and types are some eighty


class Ancestor(NamedTuple):
    """A commons that a recipe came through, and the recipe it gave."""

    commons: bytes
    recipe: bytes

    def value(self) -> dict[str, bytes]:
        """One item of a founding record's `lineage`."""
        return {"commons": self.commons, "recipe": self.recipe}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a recipe says."""

    commons: bytes  # the one it is of
    name: str
    languages: tuple[str, ...]  # BCP 47
    date_ms: int  # Unix ms when it was made, as its author says; whole days
    template: Template  # with the parameters in force
    own: Mapping[str, Words] = field(default_factory=dict)  # by rule: words that its people wrote instead
    labels: Mapping[str, Words] = field(default_factory=dict)  # by name of a type or field
    lineage: tuple[Ancestor, ...] = ()  # commons it came through, the eldest first


@dataclass(frozen=True, slots=True)
class Signed:
    """A recipe, its hash, and the key that signed it."""

    recipe: Recipe
    hash: bytes
    author: PublicKey


class Start(NamedTuple):
    """What a founding record takes from a recipe."""

    rules: dict[str, dict[str, Any]]
    fields: dict[str, Any]  # `join`, `announced`, `licence`, which say the same
    template: str
    own: Mapping[str, Words]  # to be written anew, as texts of the new commons
    lineage: tuple[Ancestor, ...]  # the eldest first, this recipe last


def of_commons(
    commons: bytes,
    name: str,
    template: Template,
    rules: Rules,
    *,
    date_ms: int,
    languages: Sequence[str] = (),
    own: Mapping[str, Words] | None = None,
    labels: Mapping[str, Words] | None = None,
    lineage: Sequence[Ancestor] = (),
) -> Recipe:
    """The recipe of a commons with these rules in force."""
    present = template.with_params({rule: rules.params(rule) for rule in RULES})
    day = date_ms - date_ms % 86_400_000
    return Recipe(commons, name, tuple(languages), day, present, own or {}, labels or {}, tuple(lineage))


def write_recipe(recipe: Recipe, author: SigningKey) -> bytes:
    """The signed bundle; equal recipes of one author give equal bytes. FormError where a reader would refuse it."""
    files = {name: write_json(value) for name, value in _content(recipe).items()}
    manifest = _manifest(files)
    signature = author.sign(_message(recipe.commons, manifest))
    files[SIGNATURE] = write_json({"author": did_key(author.public), "signature": signature.hex()})
    data = write_bundle({**files, MANIFEST: manifest})
    read_recipe(data)
    return data


def read_recipe(data: bytes) -> Signed:
    """The recipe in a bundle. FormError: `bad_bundle`, `bad_recipe`, `bad_template`, `bad_signature`."""
    files = read_bundle(data, FILES)
    manifest = files[MANIFEST]
    if manifest != _manifest(files):
        raise _bad("its manifest does not name the hashes of its files")
    recipe = _recipe({name: _json(files, name) for name in CONTENT})
    author, signature = _signature(_json(files, SIGNATURE))
    if not verify(author, signature, _message(recipe.commons, manifest)):
        raise FormError("bad_signature", "the recipe was changed after it was signed, or is not of this author")
    return Signed(recipe, sha256(manifest).digest(), author)


def start_from(signed: Signed, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Start:
    """What a new commons takes from a recipe, with some parameters changed. FormError `bad_rule`."""
    recipe = signed.recipe
    rules = founding_rules(recipe.template, overrides)
    return Start(rules, founding_fields(rules), recipe.template.name, recipe.own, line_of(signed))


def line_of(signed: Signed) -> tuple[Ancestor, ...]:
    """The lineage of a commons that starts from this recipe, itself last; the eldest go where they are too many."""
    line = (*signed.recipe.lineage, Ancestor(signed.recipe.commons, signed.hash))
    return line[-RECIPE_LINEAGE_MAX:]


def read_lineage(value: object) -> tuple[Ancestor, ...]:
    """The `lineage` of a founding record, whatever it holds, the eldest first; empty where it does not fit (RECIPE-4)."""
    if not isinstance(value, list | tuple) or len(value) > RECIPE_LINEAGE_MAX:
        return ()
    line = tuple(_read_ancestor(item) for item in value)
    return tuple(one for one in line if one is not None) if None not in line else ()


def _read_ancestor(value: object) -> Ancestor | None:
    if not isinstance(value, Mapping) or set(value) != {"commons", "recipe"}:
        return None
    commons, recipe = value["commons"], value["recipe"]
    fits = type(commons) is bytes and type(recipe) is bytes and len(commons) == len(recipe) == 32
    return Ancestor(commons, recipe) if fits else None


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return b"".join(f"{sha256(files[name]).hexdigest()}  {name}\n".encode() for name in CONTENT)


def _message(commons: bytes, manifest: bytes) -> bytes:
    return TAG_RECIPE + commons + sha256(manifest).digest()


def _content(recipe: Recipe) -> dict[str, Any]:
    params = {clause.rule: clause.params for clause in recipe.template.clauses()}
    return {
        METADATA: _metadata(recipe),
        "charter.json": {
            **template_value(recipe.template),
            "own": {rule: dict(words) for rule, words in recipe.own.items()},
        },
        "labels.json": {name: dict(words) for name, words in recipe.labels.items()},
        "recipe.json": {
            "commons": recipe.commons.hex(),
            "date": _date(recipe),
            "format": FORMAT,
            "languages": list(recipe.languages),
            "lineage": [{"commons": a.commons.hex(), "recipe": a.recipe.hex()} for a in recipe.lineage],
            "name": recipe.name,
        },
        "roles.json": {role: {"may": list(may), "name": dict(ROLE_WORDS[role])} for role, may in roles(params).items()},
        "vocabulary.json": _vocabulary(),
    }


def _metadata(recipe: Recipe) -> dict[str, Any]:
    """RO-Crate 1.1: what the folder is, for whoever meets it without this program."""
    parts = [
        {"@id": name, "@type": "File", "description": text, "encodingFormat": "application/json", "name": name}
        for name, text in _DESCRIPTIONS.items()
    ]
    licence = f"https://spdx.org/licenses/{LICENCE}"
    root = {
        "@id": "./",
        "@type": "Dataset",
        "datePublished": _date(recipe),
        "description": "How a commons governs itself: a charter, roles and a vocabulary to start another one from.",
        "hasPart": [{"@id": part["@id"]} for part in parts],
        "identifier": recipe.commons.hex(),
        "inLanguage": list(recipe.languages),
        "license": {"@id": licence},
        "name": recipe.name,
    }
    about = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    waiver = {"@id": licence, "@type": "CreativeWork", "name": "Creative Commons Zero v1.0 Universal"}
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [about, root, *parts, waiver]}


def _vocabulary() -> dict[str, Any]:
    fields = [
        {
            "dcmi": one.dcmi,
            "kind": one.kind.value,
            "marc": one.marc,
            "meaning": one.meaning,
            "multilingual": one.multilingual,
            "name": one.name,
            "required": one.name in vocabulary.REQUIRED,
            "schema_org": one.schema_org,
        }
        for one in vocabulary.FIELDS.values()
    ]
    types = [{"name": name, "subtypes": list(vocabulary.SUBTYPES.get(name, ()))} for name in vocabulary.TYPES]
    return {"fields": fields, "types": types, "version": vocabulary.VOCABULARY_VERSION}


def _recipe(values: Mapping[str, Any]) -> Recipe:
    about = _object(values["recipe.json"], "recipe.json")
    if about.get("format") != FORMAT or type(about["format"]) is not int:
        raise _bad(f"it is not of format {FORMAT}: a newer version of this program may read it")
    if set(about) != {"commons", "date", "format", "languages", "lineage", "name"}:
        raise _bad("recipe.json does not hold what a recipe holds")
    name, languages, lineage = about["name"], about["languages"], about["lineage"]
    if type(name) is not str or not name.strip() or len(name) > NAME_CHARACTERS_MAX:
        raise _bad("it has no name")
    if not isinstance(languages, list) or any(type(tag) is not str or canonical(tag) != tag for tag in languages):
        raise _bad("its languages are no language tags")
    if not isinstance(lineage, list) or len(lineage) > RECIPE_LINEAGE_MAX:
        raise _bad("its lineage is no list, or too long")
    charter = dict(_object(values["charter.json"], "charter.json"))
    own = _object(charter.pop("own", None), "the words of its people")
    if not set(own) <= set(RULES):
        raise _bad("it has words for a rule that is none")
    labels = _object(values["labels.json"], "labels.json")
    if len(labels) > _LABELS_MAX:
        raise _bad(f"it has more than {_LABELS_MAX} labels")
    return Recipe(
        _hash(about["commons"]),
        name,
        tuple(languages),
        _day_ms(about["date"]),
        template_of(charter),
        {rule: read_words(words, rule) for rule, words in own.items()},
        {label: read_words(words, label[:80]) for label, words in labels.items()},
        tuple(_ancestor(item) for item in lineage),
    )


def _ancestor(value: object) -> Ancestor:
    ancestor = _object(value, "an ancestor")
    return Ancestor(_hash(ancestor.get("commons")), _hash(ancestor.get("recipe")))


def _signature(value: object) -> tuple[PublicKey, bytes]:
    signed = _object(value, SIGNATURE)
    author, signature = signed.get("author"), signed.get("signature")
    if type(author) is not str or type(signature) is not str:
        raise _bad(f"{SIGNATURE} holds no author and signature")
    return parse_did_key(author), _bytes(signature, 64)


def _json(files: Mapping[str, bytes], name: str) -> Any:
    return read_json(files[name], name, code="bad_recipe", bytes_max=RECIPE_FILE_BYTES_MAX)


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{what} is no object")
    return value


def _hash(value: object) -> bytes:
    return _bytes(value, 32) if type(value) is str else _bytes("", 32)


def _bytes(text: str, size: int) -> bytes:
    if len(text) != 2 * size or set(text) - set("0123456789abcdef"):
        raise _bad(f"{text[:80]!r} is not {size} bytes in lower-case hex")
    return bytes.fromhex(text)


def _date(recipe: Recipe) -> str:
    return datetime.fromtimestamp(recipe.date_ms / 1000, UTC).date().isoformat()


def _day_ms(text: object) -> int:
    try:
        day = datetime.fromisoformat(f"{text}T00:00:00+00:00") if type(text) is str and len(text) == 10 else None
    except ValueError:
        day = None
    # The standard reader takes weeks too: a day has one spelling here.
    if day is None or day.year < 1970 or day.date().isoformat() != text:
        raise _bad("its date is no day")
    return int(day.timestamp()) * 1000


def _bad(why: str) -> FormError:
    return FormError("bad_recipe", f"this is no recipe: {why}")
