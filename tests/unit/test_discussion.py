"""Discussions: one order whatever came first, an answer behind what it answers, and no bytes stop a reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.discussion import COMMENT, comment, discuss, read_comment
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import BODY_BYTES_MAX, WRITTEN_CHARACTERS_MAX
from p2pcommons.core.record import ZEROS, Record, build
from p2pcommons.errors import FormError

WHO = SigningKey(b"a" * 32).public


def said(number: int, time: int, prev: list[bytes], kind: str = COMMENT) -> Record:
    return build(
        commons=b"c" * 32, plane=1, author=WHO, after=ZEROS, time=time, subject=b"p" * 32, prev=sorted(set(prev)),
        kind=kind, body=comment(f"number {number}"), salt=bytes(16),
    )  # fmt: skip


@st.composite
def talks(draw: st.DrawFn) -> list[Record]:
    made: list[Record] = []
    for number in range(draw(st.integers(1, 12))):
        prev = draw(st.lists(st.sampled_from([one.id for one in made]), max_size=3)) if made else []
        kind = draw(st.sampled_from([COMMENT, COMMENT, "comment.read"]))
        made.append(said(number, draw(st.integers(1, 4)) << 16, prev, kind))
    return made


@given(talks(), st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_and_repetition_read_the_same_and_answers_stand_behind(
    talk: list[Record], random: object, lacking: int
) -> None:
    here = talk[lacking:] or talk
    found = [one.id for one in discuss(here, lambda record: True)]
    mixed = [*here, *here[:2]]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert [one.id for one in discuss(mixed, lambda record: True)] == found
    assert sorted(found) == sorted(one.id for one in here if one.header.kind == COMMENT), "all are shown, once"
    for record in here:
        for known in record.header.prev:
            if record.id in found and known in found:
                assert found.index(known) < found.index(record.id)


@given(talks(), st.data())
def test_what_does_not_stand_is_not_shown_and_moves_nothing_else(talk: list[Record], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(talk)).id
    every = [one.id for one in discuss(talk, lambda record: True)]
    assert [one.id for one in discuss(talk, lambda record: record.id != gone)] == [i for i in every if i != gone]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_comment_or_none(body: bytes) -> None:
    assert read_comment(body) is None or read_comment(body)


@pytest.mark.parametrize("text", ["", " \n\u2003", "a\0b", "x" * (WRITTEN_CHARACTERS_MAX + 1)])
def test_what_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises(FormError) as refused:
        comment(text)
    assert refused.value.code == "bad_text"


def test_the_longest_comment_fits_a_body_in_any_script() -> None:
    assert len(comment("\U0001f30a" * WRITTEN_CHARACTERS_MAX, b"o" * 32)) < BODY_BYTES_MAX
