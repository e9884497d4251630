"""What a fork says of its base, and under which source its copies stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.entry_json import ENVELOPE
from p2pcommons.commons.forks import Base, BaseSet, copy_of, read_base, source_of_copy
from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.record import entry_id, normalise_source

CHAPTER = (Path(__file__).resolve().parents[2] / "protocol" / "24-rules.md").read_text()
HASHES = st.binary(min_size=32, max_size=32)
BASES = st.builds(
    lambda commons, counts, digests: Base(
        commons, (BaseSet(0, counts[0], digests[0]), BaseSet(1, counts[1], digests[1]))
    ),
    HASHES.filter(any),
    st.tuples(*[st.integers(0, 2**53 - 1)] * 2),
    st.tuples(HASHES, HASHES),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8) | st.binary(max_size=33),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["commons", "planes", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(BASES)
def test_a_base_comes_back_from_the_founding_record_that_holds_it(base: Base) -> None:
    assert read_base(decode(encode(base.value()), bytes_max=1000)) == base


@given(ANYTHING)
def test_a_strangers_base_is_read_whole_or_not_at_all(value: Any) -> None:
    found = read_base(value)
    assert found is None or found.value() == value


@given(BASES, st.sampled_from(["commons", "planes"]), ANYTHING)
def test_a_base_with_one_part_changed_is_another_or_none(base: Base, part: str, value: Any) -> None:
    found = read_base({**base.value(), part: value})
    assert found is None or found == base or value != base.value()[part]


@given(HASHES, HASHES, HASHES, st.lists(st.sampled_from(["tate:A1", "moma:7", "https://example.org/1"]), unique=True))
def test_a_copy_names_the_entry_it_was_and_copying_again_meets_it(
    base: bytes, fork: bytes, random: bytes, sources: list[str]
) -> None:
    for entry in (random, *(entry_id(base, source) for source in sources)):
        source = source_of_copy(base, entry, sources)
        assert normalise_source(source) == source
        own = source.startswith("p2pcommons-entry:")
        assert source.endswith(entry.hex()) if own else entry_id(base, source) == entry
        assert own == (entry == random)
        assert entry_id(fork, source) != entry or fork == base
        # A fork of a fork: the copy's id was made of its source, so the source stays.
        assert source_of_copy(fork, entry_id(fork, source), [source]) == source


def test_a_copy_holds_the_fields_and_nothing_of_the_answer_around_them() -> None:
    shown = {
        "id": "ab" * 32, "commons": "cd" * 32, "type": "place", "title": "Lavoir", "authors": ["did:key:z6Mk"],
        "created_at": "x", "updated_at": "x", "conflicts": {}, "offered": {}, "sources": ["tate:A1", "moma:7"],
        "source": "tate:A1",
    }  # fmt: skip
    copy = copy_of(shown, b"\xcd" * 32)
    assert copy == {"type": "place", "title": "Lavoir", "source": f"p2pcommons-entry:{'cd' * 32}/{'ab' * 32}"}
    assert not copy.keys() & ENVELOPE


def test_every_rule_is_there_once_and_in_order() -> None:
    rules = [int(number) for number in re.findall(r"^- \*\*FORK-(\d+)\*\*", CHAPTER, re.MULTILINE)]
    assert rules == list(range(1, len(rules) + 1)) and len(rules) == 4
