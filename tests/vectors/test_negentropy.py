"""Conversations held with an independent implementation (scripts/negentropy_conversations.py), replayed."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.sync import ranges
from p2pcommons.sync.range_index import RangeIndex

CASES = sorted((Path(__file__).parent / "negentropy").glob("*.json"))


def read(path: Path) -> tuple[dict[str, Any], RangeIndex, RangeIndex, set[bytes], set[bytes]]:
    case = json.loads(path.read_text())
    keys = [
        (1000 + 61 * (i // case["sharing"]), sha256(case["seed"].encode() + i.to_bytes(8, "big")).digest())
        for i in range(case["count"])
    ]
    client, server = (
        {key for i, key in enumerate(keys) if i not in set(case[lacks])} for lacks in ("client_lacks", "server_lacks")
    )
    have, need = {i for _, i in client - server}, {i for _, i in server - client}
    return case, RangeIndex(client), RangeIndex(server), have, need


def test_there_are_conversations() -> None:
    assert len(CASES) >= 9


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_we_ask_another_implementation_and_learn_what_differs(path: Path) -> None:
    case, client, _, have, need = read(path)
    frame, said = case["frame_bytes_max"], [bytes.fromhex(message) for message in case["client_ours"]]
    message: bytes | None = ranges.initiate(client, frame)
    learnt: list[list[bytes]] = [[], []]
    for ours, theirs in zip(said[::2], said[1::2], strict=True):
        assert message == ours
        message, more_have, more_need = ranges.reconcile(client, theirs, frame)
        learnt[0] += more_have
        learnt[1] += more_need
    assert message is None
    assert (set(learnt[0]), set(learnt[1])) == (have, need)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_we_answer_another_implementation(path: Path) -> None:
    case, _, server, _, _ = read(path)
    said = [bytes.fromhex(message) for message in case["server_ours"]]
    for theirs, ours in zip(said[::2], said[1::2], strict=True):
        assert ranges.respond(server, theirs, case["frame_bytes_max"]) == ours
