"""Chapter 21 against the package: its frozen vectors, and the rules in its text."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import vectors_charter  # noqa: E402

CHAPTER = (ROOT / "protocol" / "21-charter.md").read_text()
CASES: list[dict[str, Any]] = json.loads((ROOT / "protocol" / "vectors" / "21-charter.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['op']}: {case['name']}" for case in CASES])
def test_the_package_passes_the_vectors(case: dict[str, Any]) -> None:
    expected = {key: case[key] for key in ("out", "error") if key in case}
    assert vectors_charter.answer(case["op"], case["in"]) == expected


def test_there_are_more_refusals_than_the_rest() -> None:
    for op in ("fits", "stamp", "invitation", "address"):
        refused = [
            "error" in case or False in (case["out"].get("fits"), case["out"].get("holds"))
            for case in CASES
            if case["op"] == op
        ]
        assert sum(refused) > len(refused) / 2, op


def test_the_vectors_are_what_their_module_makes() -> None:
    assert vectors_charter.vectors()["cases"] == CASES


def test_every_rule_is_there_once_and_in_order() -> None:
    rules = [int(number) for number in re.findall(r"^- \*\*CHARTER-(\d+)\*\*", CHAPTER, re.MULTILINE)]
    assert rules == list(range(1, len(rules) + 1))
    assert Counter(rules).most_common(1)[0][1] == 1


def test_rules_cited_in_the_code_are_in_the_chapter() -> None:
    rules = set(re.findall(r"\*\*(CHARTER-\d+)\*\*", CHAPTER))
    cited = {
        rule for path in (ROOT / "p2pcommons").rglob("*.py") for rule in re.findall(r"CHARTER-\d+", path.read_text())
    }
    assert cited <= rules
