"""Every seed of every fuzzing target, and every input that once broke one, gives a value or a documented error."""

from __future__ import annotations

from random import Random

import pytest

from .targets import FOUND, TARGETS, check

_MUTATIONS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_give_a_value_or_a_documented_error(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    assert seeds, "a target without seeds is hardly looked into"
    for data in seeds if name not in ("session", "pack_file") else seeds[:40]:
        check(target, data)


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_near_to_seeds_give_a_value_or_a_documented_error(name: str) -> None:
    target, dice = TARGETS[name], Random(f"near {name}")
    seeds = list(target.seeds())
    for _ in range(_MUTATIONS):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(data) + 1)
            data[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        check(target, bytes(data))


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_found_no_more(path: object) -> None:
    check(TARGETS[path.parent.name], path.read_bytes())  # type: ignore[attr-defined]
