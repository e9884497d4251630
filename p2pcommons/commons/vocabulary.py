"""The vocabulary: types and fields of entries, in one table that formats, forms, search and documents all read.

Each field is a *register* (one value; concurrent writes are a conflict) or a *set* (elements that come and go one
by one), has a value form (`commons.forms`), and stands beside its nearest DCMI term, schema.org property and
MARC 21 place. A field that may be written in several languages is one register a language: `title` for a text
without language, `title.fr` for French, so that two translations never conflict (chapter 20, "Fields").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from p2pcommons.commons import forms, structures
from p2pcommons.commons.forms import Form
from p2pcommons.commons.languages import TAG_CHARACTERS_MAX, canonical

VOCABULARY_VERSION: Final = 1
"""Part of `state`: nodes of one version see the same views. Grows with any change of fields or value forms."""

TYPES: Final = (
    "collection", "image", "sound", "video", "text", "book", "dataset", "software", "place", "trail", "equipment",
    "recipe", "event", "need", "commons", "organisation", "person",
)  # fmt: skip
"""What an entry may be of."""

SUBTYPES: Final[Mapping[str, tuple[str, ...]]] = {"sound": ("oral-history", "bird-song", "music", "ambience")}
"""Finer kinds, by type."""

SCHEMA_ORG_TYPES: Final[Mapping[str, str]] = {
    "collection": "Collection", "image": "ImageObject", "sound": "AudioObject", "video": "VideoObject",
    "text": "DigitalDocument", "book": "Book", "dataset": "Dataset", "software": "SoftwareSourceCode",
    "place": "Place", "trail": "TouristTrip", "equipment": "Product", "recipe": "Recipe", "event": "Event",
    "need": "Demand", "commons": "Project", "organisation": "Organization", "person": "Person",
}  # fmt: skip
DCMI_TYPES: Final[Mapping[str, str]] = {
    "collection": "Collection", "image": "StillImage", "sound": "Sound", "video": "MovingImage", "text": "Text",
    "book": "Text", "dataset": "Dataset", "software": "Software", "place": "Location", "trail": "Location",
    "equipment": "PhysicalObject", "recipe": "Text", "event": "Event", "need": "Text", "commons": "Collection",
    "organisation": "Agent", "person": "Agent",
}  # fmt: skip
"""The DCMI type, or the class of DCMI Terms where no type fits."""


class Kind(StrEnum):
    """How a field merges."""

    REGISTER = "register"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the vocabulary. An empty mapping: that vocabulary has nothing near."""

    name: str
    kind: Kind
    form: Form
    meaning: str
    multilingual: bool = False  # registers of text only: one register a language
    ordered: bool = False  # sets whose order people gave and want kept
    dcmi: str = ""  # DCMI Metadata Terms, without prefix
    schema_org: str = ""
    marc: str = ""  # MARC 21 field and subfield


def _register(name: str, form: Form, meaning: str, dcmi: str = "", schema_org: str = "", marc: str = "") -> Field:
    return Field(name, Kind.REGISTER, form, meaning, dcmi=dcmi, schema_org=schema_org, marc=marc)


def _prose(name: str, meaning: str, dcmi: str = "", schema_org: str = "", marc: str = "") -> Field:
    return Field(name, Kind.REGISTER, forms.TEXT, meaning, True, False, dcmi, schema_org, marc)


def _set(name: str, form: Form, meaning: str, dcmi: str = "", schema_org: str = "", marc: str = "") -> Field:
    return Field(name, Kind.SET, form, meaning, dcmi=dcmi, schema_org=schema_org, marc=marc)


def _list(name: str, form: Form, meaning: str, dcmi: str = "", schema_org: str = "", marc: str = "") -> Field:
    return Field(name, Kind.SET, form, meaning, False, True, dcmi, schema_org, marc)


_TABLE: Final = (
    # -- what it is
    _register("type", forms.one_of("type", TYPES), "one of the types", "type", "@type", "655$a"),
    _register("subtype", forms.one_of("subtype", sum(SUBTYPES.values(), ())), "finer than type", "type", "genre"),
    _prose("title", "its name", "title", "name", "245$a"),
    _set("alternative_titles", forms.TEXT, "other names", "alternative", "alternateName", "246$a"),
    _prose("description", "what it is, in some sentences", "description", "description", "520$a"),
    _list("creators", structures.AGENT, "who made it", "creator", "creator", "100$a"),
    _list("contributors", structures.AGENT, "who else took part", "contributor", "contributor", "700$a"),
    _register("publisher", forms.TEXT, "who published it", "publisher", "publisher", "264$b"),
    _register("publication_place", forms.TEXT, "where it was published", "", "locationCreated", "264$a"),
    _register("created", forms.DATE, "when it was made: EDTF, or words", "created", "dateCreated", "264$c"),
    _register("date_text", forms.TEXT, "the date as the source words it", "date", "temporal", "500$a"),
    _register("language", forms.LANGUAGES, "its languages, BCP 47", "language", "inLanguage", "041$a"),
    _set("subjects", forms.TEXT, "what it is about", "subject", "keywords", "650$a"),
    _set("species", forms.TEXT, "living things seen or heard", "subject", "about", "754$a"),
    _register("place", structures.PLACE, "where it is or what it shows", "spatial", "contentLocation", "651$a"),
    _register("period", forms.DATE, "the time it is about", "temporal", "temporalCoverage", "648$a"),
    _list("media", structures.MEDIA, "files that belong to it", "hasFormat", "associatedMedia", "856$u"),
    _register("url", forms.URL, "its page elsewhere", "isReferencedBy", "url", "856$u"),
    # -- rights
    _register("licence", forms.LICENCE, "SPDX licence expression", "license", "license", "540$f"),
    _prose("rights_note", "what else holds about its use", "rights", "copyrightNotice", "540$a"),
    _prose("credit", "the line to print beside it", "rightsHolder", "creditText", "541$a"),
    _register(
        "access", forms.one_of("access", ("public", "members")), "for whom", "accessRights", "conditionsOfAccess",
        "506$a",
    ),
    # -- how it stands to other things
    _set("identifiers", forms.IDENTIFIER, "scheme:value, as wikidata:Q42", "identifier", "identifier", "024$a"),
    _set("part_of", forms.REFERENCE, "wholes it belongs to", "isPartOf", "isPartOf", "773$w"),
    _set("based_on", forms.REFERENCE, "what it was made from", "source", "isBasedOn", "786$w"),
    _set("same_as", forms.REFERENCE, "the same thing elsewhere", "relation", "sameAs", "758$1"),
    _prose("provenance", "through whose hands it came", "provenance", "", "561$a"),
    # -- its body
    _prose("medium", "material and technique", "medium", "artMedium", "340$a"),
    _register("dimensions", forms.TEXT, "its size, in words", "extent", "size", "300$c"),
    _register("extent", forms.TEXT, "pages, pieces, in words", "extent", "materialExtent", "300$a"),
    _register("edition", forms.TEXT, "which edition", "hasVersion", "bookEdition", "250$a"),
    _register("series", forms.TEXT, "the series it appeared in", "isPartOf", "isPartOf", "490$a"),
    _register("version", forms.TEXT, "of software or data", "hasVersion", "version", "251$a"),
    _register("duration_s", forms.COUNT, "how long it plays, seconds", "extent", "duration", "306$a"),
    # -- equipment
    _register("model", forms.TEXT, "maker's model", "", "model", "300$a"),
    _register("serial", forms.TEXT, "serial number", "identifier", "serialNumber", "024$a"),
    _prose("condition", "the state it is in", "", "itemCondition", "583$l"),
    _list("parts", forms.TEXT, "what comes with it", "hasPart", "hasPart", "300$e"),
    _register("terms", structures.TERMS, "how it is lent", "accessRights", "conditionsOfAccess", "506$a"),
    _register("home_place", structures.PLACE, "where it is kept", "", "availableAtOrFrom", "852$b"),
    # -- trails
    _register("length_m", forms.COUNT, "along the ground, metres", "extent", "distance"),
    _register("ascent_m", forms.COUNT, "uphill in all, metres", "extent"),
    _register("stops", structures.STOPS, "places along the way, in order", "hasPart", "itinerary"),
    # -- oral history
    _register("narrator", structures.AGENT, "who tells", "contributor", "contributor", "700$a"),
    _register("interviewer", structures.AGENT, "who asks", "contributor", "contributor", "700$a"),
    _prose("consent", "what the narrator agreed to", "accessRights", "", "540$a"),
    # -- events, recipes
    _register("starts", forms.DATE, "begin", "date", "startDate", "518$d"),
    _register("ends", forms.DATE, "end", "date", "endDate", "518$d"),
    _list("ingredients", forms.TEXT, "what it takes", "", "recipeIngredient"),
    _prose("instructions", "how it is done", "instructionalMethod", "recipeInstructions"),
    # -- people and organisations
    _register("nationality", forms.TEXT, "as the source words it", "", "nationality", "370$c"),
    _register("born", forms.DATE, "birth, or founding", "", "birthDate", "046$f"),
    _register("died", forms.DATE, "death, or end", "", "deathDate", "046$g"),
)  # fmt: skip

FIELDS: Final[Mapping[str, Field]] = {field.name: field for field in _TABLE}
"""All fields by name, in the order in which people read them."""

REGISTERS: Final[Mapping[str, Field]] = {f.name: f for f in _TABLE if f.kind is Kind.REGISTER}
SETS: Final[Mapping[str, Field]] = {f.name: f for f in _TABLE if f.kind is Kind.SET}

REQUIRED: Final = ("type", "title")
"""What the door asks of a new entry. Records without them still merge and show."""

_TAG: Final = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8})*")
UNDETERMINED: Final = "und"
"""The BCP 47 tag that stands, in JSON, for the text without language beside texts that have one."""


def register_field(key: str) -> Field | None:
    """The field of a register key (`title`, `title.pt-br`); None where the vocabulary has no such register."""
    field = REGISTERS.get(key)
    if field is not None:
        return field
    name, dot, tag = key.partition(".")
    if not dot or len(tag) > TAG_CHARACTERS_MAX or tag == UNDETERMINED or not _TAG.fullmatch(tag):
        return None
    field = REGISTERS.get(name)
    return field if field is not None and field.multilingual else None


def register_key(name: str, tag: str) -> str:
    """The register key of a field in one language (customary spelling, or `und` for none)."""
    return name if tag == UNDETERMINED else f"{name}.{tag.lower()}"


def split_key(key: str) -> tuple[str, str]:
    """(field name, language tag in its customary spelling); the tag is empty where the key has none."""
    name, _, tag = key.partition(".")
    return name, (canonical(tag) or tag) if tag else ""


def field_of(key: str) -> Field | None:
    """The field of a register key or of a set."""
    return SETS.get(key) or register_field(key)
