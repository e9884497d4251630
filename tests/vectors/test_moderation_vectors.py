"""The frozen vectors of chapter 23, answered by this package."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "23-moderation.json").read_text())
sys.path.insert(0, str(ROOT / "scripts"))
vectors_moderation = importlib.import_module("vectors_moderation")


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_the_answer_is_the_frozen_one(case: dict[str, Any]) -> None:
    assert vectors_moderation.answer(case["op"], case["in"]) == {"out": case["out"]}
