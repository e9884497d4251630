"""The walk-throughs do what they say: every line is typed, every answer compared, in both languages' one story."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.evening import DOCS, live
from tests.e2e.walk import answers, steps


class Walk(NamedTuple):
    """One story in two languages, and between whom the cable is that is pulled."""

    english: str
    french: str
    far: str
    near: str


WALKS = (
    Walk("first-evening.md", "premiere-soiree.md", far="brieg", near="box"),
    Walk("assembly.md", "assemblee.md", far="brieg", near="anna"),
)


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.english)
def test_both_languages_tell_the_same_steps(walk: Walk) -> None:
    english, french = steps(text(walk.english)), steps(text(walk.french))
    assert english == french
    assert len(english) > 30


def test_an_answer_that_differs_is_seen() -> None:
    assert answers(["id  title", "…   Cale des pêcheurs"], "id    title\n3f9a  Cale  des pêcheurs\n")
    assert answers(["…", "title  X", "…"], "id 1\ntitle X\nauthors me\n")
    assert not answers(["…   Cale"], "3f9a  Quai\n")
    assert not answers(["title X"], "title X\ntitle Y\n")
    assert not answers(["title X", "members 3"], "title X\n")


@pytest.mark.slow
@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.english)
async def test_every_line_is_typed_and_answered(walk: Walk, tmp_path: Path) -> None:
    await live(text(walk.english), tmp_path, far=walk.far, near=walk.near)
