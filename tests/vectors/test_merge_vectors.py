"""Chapter 20 against the package: its frozen vectors, and the tables in its text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.commons.edit import EDIT, read_edit, read_withdraw
from p2pcommons.commons.entry import entry_record, fold, view_digest
from p2pcommons.commons.vocabulary import FIELDS, SUBTYPES, TYPES
from p2pcommons.core.record import Record, decode_body, parse_header, record_id

PROTOCOL = Path(__file__).parents[2] / "protocol"
CASES: list[dict[str, Any]] = json.loads((PROTOCOL / "vectors" / "20-merge.json").read_text())["cases"]


def cases(op: str) -> Any:
    chosen = [case for case in CASES if case["op"] == op]
    return pytest.mark.parametrize("case", chosen, ids=[case["name"] for case in chosen])


@cases("fits")
def test_a_body_fits_where_the_vectors_say_so(case: dict[str, Any]) -> None:
    body = decode_body(bytes.fromhex(case["in"]["body"]))
    read = read_edit if case["in"]["kind"] == EDIT else read_withdraw
    assert (read(body) is not None) is case["out"]["fits"]


@cases("fold")
def test_records_make_the_view_of_the_vectors(case: dict[str, Any]) -> None:
    given = case["in"]
    records = []
    for item in given["records"]:
        header = bytes.fromhex(item["header"])
        body = None if item["body"] is None else bytes.fromhex(item["body"])
        records.append(
            entry_record(Record(record_id(header), parse_header(header), header, None, body), item["counts"])
        )
    erased = {bytes.fromhex(identifier): frozenset(keys) for identifier, keys in given["erased"].items()}
    subject = bytes.fromhex(given["subject"])
    canonical = fold(subject, records, erased).canonical()
    assert canonical.hex() == case["out"]["view"]
    assert view_digest(subject, canonical).hex() == case["out"]["digest"]


def test_there_are_more_bodies_that_do_not_fit_than_bodies_that_do() -> None:
    fits = [case["out"]["fits"] for case in CASES if case["op"] == "fits"]
    assert fits.count(False) > fits.count(True)


def test_the_chapter_has_the_table_of_fields_that_the_package_has() -> None:
    text = (PROTOCOL / "20-merge.md").read_text()
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `.*$", text, re.MULTILINE)]
    assert [row[0].strip("`") for row in rows] == list(FIELDS)
    for (_, kind, form, meaning, dcmi, schema_org, marc), field in zip(rows, FIELDS.values(), strict=True):
        assert kind == f"{field.kind}{', languages' if field.multilingual else ''}"
        plain = form == "text"
        assert plain or form == field.form.name
        assert plain == (
            field.form.fits("any") and not field.form.fits({"name": "any"}) and not field.form.fits(["any"])
        )
        assert meaning == field.meaning
        assert [dcmi, schema_org, marc] == [field.dcmi or "-", field.schema_org or "-", field.marc or "-"]


def test_the_chapter_names_the_types_that_the_package_has() -> None:
    text = (PROTOCOL / "20-merge.md").read_text().replace("\n", " ")
    assert " ".join(TYPES) in text
    assert all(" ".join(subtypes) in text for subtypes in SUBTYPES.values())


def test_rules_cited_in_the_code_are_in_the_chapter() -> None:
    rules = set(re.findall(r"\*\*(MERGE-\d+)\*\*", (PROTOCOL / "20-merge.md").read_text()))
    package = Path(__file__).parents[2] / "p2pcommons" / "commons"
    cited = {rule for path in package.glob("*.py") for rule in re.findall(r"MERGE-\d+", path.read_text())}
    assert cited <= rules
    assert len(rules) == 27
