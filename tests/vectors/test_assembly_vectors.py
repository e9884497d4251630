"""Chapter 22 against the package: its frozen vectors, and the rules in its text."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import vectors_assembly  # noqa: E402

CHAPTER = (ROOT / "protocol" / "22-assembly.md").read_text()
CASES: list[dict[str, Any]] = json.loads((ROOT / "protocol" / "vectors" / "22-assembly.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['op']}: {case['name']}" for case in CASES])
def test_the_package_passes_the_vectors(case: dict[str, Any]) -> None:
    expected = {key: case[key] for key in ("out", "error") if key in case}
    assert vectors_assembly.answer(case["op"], case["in"]) == expected


def test_there_are_more_refusals_than_the_rest() -> None:
    fits = [case["out"]["fits"] for case in CASES if case["op"] == "assembly_fits"]
    assert fits.count(False) > len(fits) / 2


def test_the_vectors_are_what_their_module_makes() -> None:
    assert vectors_assembly.vectors()["cases"] == CASES


def test_every_rule_is_there_once_and_in_order() -> None:
    rules = [int(number) for number in re.findall(r"^- \*\*ASSEMBLY-(\d+)\*\*", CHAPTER, re.MULTILINE)]
    assert sorted(rules) == list(range(1, len(rules) + 1))


def test_rules_cited_in_the_code_are_in_the_chapter() -> None:
    rules = set(re.findall(r"\*\*(ASSEMBLY-\d+)\*\*", CHAPTER))
    cited = {
        rule for path in (ROOT / "p2pcommons").rglob("*.py") for rule in re.findall(r"ASSEMBLY-\d+", path.read_text())
    }
    assert cited <= rules


def test_every_state_fault_and_word_of_the_chapter_has_a_case() -> None:
    said = {
        word for case in CASES if case["op"] == "assembly" for word in _words(bytes.fromhex(case["out"]["minutes"]))
    }
    table = [line.split("`")[1] for line in CHAPTER.splitlines() if re.match(r"\| `[a-z_]+` \| ", line)]
    wanted = {"counted", "same", "double", "replaced", "lapsed", "unfit", "unapproved", "no_elector"}
    assert wanted <= set(table)
    faults = {"closers", "not_silent", "method", "quorum", "params", "version", "not_by_vote", "no_amendment"}
    states = {"disorder", "open", "split", "failed", "passed", "outgrown", "reopened"}
    for word in wanted | faults | states | {"different", "wording", "taken", "refused", "own"}:
        assert word in said, word


def _words(data: bytes) -> set[str]:
    return set(re.findall(r"[a-z_]{3,}", data.decode("latin-1")))
