"""The frozen vectors of chapter 40, answered by this package."""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "protocol" / "vectors" / "40-media.json").read_text())
sys.path.insert(0, str(ROOT / "scripts"))
vectors_media = importlib.import_module("vectors_media")


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_the_answer_is_the_frozen_one(case: dict[str, Any]) -> None:
    expected = {"out": case["out"]} if "out" in case else {"error": case["error"]}
    assert vectors_media.answer(case["op"], case["in"]) == expected


def test_every_code_that_the_chapter_names_has_a_case() -> None:
    chapter = (ROOT / "protocol" / "40-media.md").read_text()
    assert set(re.findall(r"`(bad_[a-z]+)`", chapter)) == {case["error"] for case in FILE["cases"] if "error" in case}
