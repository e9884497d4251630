"""The frozen vectors of chapter 35, answered by this package."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "35-peers.json").read_text())


@pytest.fixture(scope="module")
def answering() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_peers", ROOT / "scripts" / "vectors_peers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_the_answer_is_the_frozen_one(answering: ModuleType, case: dict[str, Any]) -> None:
    expected = {"out": case["out"]} if "out" in case else {"error": case["error"]}
    assert answering.answer(case["op"], case["in"]) == expected


def test_the_file_is_what_the_script_makes(answering: ModuleType) -> None:
    assert json.loads(json.dumps(answering.vectors())) == FILE


def test_there_are_more_refusals_than_records_and_sessions() -> None:
    judged = [case for case in FILE["cases"] if case["op"] != "may_tell"]
    assert sum("error" in case for case in judged) > len(judged) / 2


def test_every_code_of_the_chapter_has_a_case() -> None:
    chapter = (ROOT / "protocol" / "35-peers.md").read_text()
    table = chapter[chapter.index("| Code |") :].split("\n\n")[0]
    codes = {line.split("`")[1] for line in table.splitlines()[2:]}
    assert codes <= {case.get("error") for case in FILE["cases"]}
