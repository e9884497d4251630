"""The frozen vectors of chapter 31, answered by this package."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "31-ranges.json").read_text())


@pytest.fixture(scope="module")
def answering() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_ranges", ROOT / "scripts" / "vectors_ranges.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_the_answer_is_the_frozen_one(answering: ModuleType, case: dict[str, Any]) -> None:
    expected = {"out": case["out"]} if "out" in case else {"error": case["error"]}
    assert answering.answer(case["op"], case["in"]) == expected
