"""The frozen vectors of chapter 30, answered by this package."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "30-sessions.json").read_text())


@pytest.fixture(scope="module")
def answering() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_sessions", ROOT / "scripts" / "vectors_sessions.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_the_answer_is_the_frozen_one(answering: ModuleType, case: dict[str, Any]) -> None:
    expected = {"out": case["out"]} if "out" in case else {"error": case["error"]}
    assert answering.answer(case["op"], case["in"]) == expected


def test_every_message_has_a_vector(answering: ModuleType) -> None:
    shown = {case["out"]["message"] for case in FILE["cases"] if case["op"] == "frame" and "out" in case}
    assert shown == {kind.__name__.lower() for kind in answering.m.Message.__args__}


def test_the_file_is_what_the_script_makes(answering: ModuleType) -> None:
    assert json.loads(json.dumps(answering.vectors())) == FILE
