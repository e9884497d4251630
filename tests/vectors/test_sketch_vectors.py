"""The frozen vectors of chapter 32, answered by this package."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "32-sketch.json").read_text())


@pytest.fixture(scope="module")
def answering() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_sketch", ROOT / "scripts" / "vectors_sketch.py")
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


def test_there_are_more_refusals_of_messages_than_messages() -> None:
    judged = [case for case in FILE["cases"] if case["op"] in ("sketch_message", "sketch_more")]
    assert sum("error" in case for case in judged) > len(judged) / 2
