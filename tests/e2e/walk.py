"""A walk-through in a text, as steps to take: whose machine, what is typed, what the text says is answered.

A `console` block holds lines `NAME$ COMMAND`, each followed by what it answers. In an answer `…` stands for anything
within a word, a line of `…` alone for any number of lines; the width of columns and port numbers are let pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_FENCE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(r"(\w+)\$ (.+)")
_PORT = re.compile(r"(127\.0\.0\.1):\d+")


@dataclass(slots=True)
class Step:
    """One line typed by somebody, and the answer shown."""

    who: str
    command: str
    answer: list[str] = field(default_factory=list)


def steps(text: str) -> list[Step]:
    """All steps of a text, in order."""
    found: list[Step] = []
    for block in _FENCE.findall(text):
        lines = block.splitlines()
        assert _PROMPT.fullmatch(lines[0]), f"a block begins with somebody's line, not {lines[0]!r}"
        for line in lines:
            prompt = _PROMPT.fullmatch(line)
            if prompt:
                found.append(Step(prompt[1], prompt[2]))
            else:
                found[-1].answer.append(line)
    return found


def answers(shown: Sequence[str], said: str) -> bool:
    """Whether what a command said is what the text shows."""
    return _matches([_words(line) for line in shown], [_words(line) for line in said.splitlines()])


def _words(line: str) -> list[str]:
    return _PORT.sub(r"\1:0", line).split()


def _matches(shown: list[list[str]], said: list[list[str]]) -> bool:
    if not shown:
        return not said
    if shown[0] == ["…"]:
        return any(_matches(shown[1:], said[skipped:]) for skipped in range(len(said) + 1))
    return bool(said) and _same_line(shown[0], said[0]) and _matches(shown[1:], said[1:])


def _same_line(shown: list[str], said: list[str]) -> bool:
    return len(shown) == len(said) and all(_same_word(one, other) for one, other in zip(shown, said, strict=True))


def _same_word(shown: str, said: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("…")), said) is not None
