"""The frozen vectors of chapter 24, answered by this package."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "24-rules.json").read_text())
sys.path.insert(0, str(ROOT / "scripts"))
vectors_rules = importlib.import_module("vectors_rules")


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_the_answer_is_the_frozen_one(case: dict[str, Any]) -> None:
    expected = {"out": case["out"]} if "out" in case else {"error": case["error"]}
    assert vectors_rules.answer(case["op"], case["in"]) == expected
