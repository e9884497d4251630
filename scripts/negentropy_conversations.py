"""Hold conversations with an independent implementation of Negentropy v1 and freeze them as test vectors.

    python scripts/negentropy_conversations.py FOLDER_OF_negentropy_reference.mjs

writes tests/vectors/negentropy/*.json. Only needed again when this project's choice of ranges changes: what a
conversation says must be understood, and what we say is compared byte by byte.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from p2pcommons.sync import ranges
from p2pcommons.sync.range_index import RangeIndex

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "tests" / "vectors" / "negentropy"
UNLIMITED = 256 * 1024

# name, items, how many share one time, not with the client, not with the server, frame limit
CASES: list[tuple[str, int, int, list[int], list[int], int]] = [
    ("equal", 500, 1, [], [], UNLIMITED),
    ("few", 12, 3, [0, 7], [11, 4], UNLIMITED),
    ("one_in_a_thousand", 1000, 1, [617], [], UNLIMITED),
    ("scattered", 2000, 1, list(range(3, 2000, 197)), list(range(50, 2000, 331)), UNLIMITED),
    ("one_time_for_all", 400, 400, [1, 2, 399], [0, 77, 200, 201], UNLIMITED),
    ("tail", 900, 7, list(range(600, 900)), [5], UNLIMITED),
    ("client_empty", 150, 2, list(range(150)), [], UNLIMITED),
    ("server_empty", 150, 2, [], list(range(150)), UNLIMITED),
    ("small_frames", 600, 2, list(range(1, 600, 11)), list(range(4, 600, 13)), 4096),
]


def items(seed: str, count: int, sharing: int) -> list[tuple[int, bytes]]:
    """`count` places: ids from SHA-256(seed ‖ u64be(i)), times 1000 + 61 (i // sharing)."""
    return [
        (1000 + 61 * (i // sharing), hashlib.sha256(seed.encode() + i.to_bytes(8, "big")).digest())
        for i in range(count)
    ]


class Reference:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            ["node", "negentropy_reference.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def open(self, keys: list[tuple[int, bytes]], frame: int) -> None:
        self.ask({"open": [[time, identifier.hex()] for time, identifier in keys], "frame": frame})


def ours_asks(index: RangeIndex, reference: Reference, frame: int) -> dict[str, Any]:
    spoken, have, need = [], [], []
    message: bytes | None = ranges.initiate(index, frame)
    while message is not None:
        answer = bytes.fromhex(reference.ask({"reconcile": message.hex()})["message"])
        spoken += [message.hex(), answer.hex()]
        message, more_have, more_need = ranges.reconcile(index, answer, frame)
        have += more_have
        need += more_need
    return {"messages": spoken, "have": sorted({i.hex() for i in have}), "need": sorted({i.hex() for i in need})}


def ours_answers(index: RangeIndex, reference: Reference, frame: int) -> dict[str, Any]:
    spoken: list[str] = []
    have: list[str] = []
    need: list[str] = []
    message = reference.ask({"initiate": True})["message"]
    while message is not None:
        answer = ranges.respond(index, bytes.fromhex(message), frame)
        spoken += [message, answer.hex()]
        step = reference.ask({"reconcile": answer.hex()})
        message = step["message"]
        have += step["have"]
        need += step["need"]
    return {"messages": spoken, "have": sorted(set(have)), "need": sorted(set(need))}


def main() -> None:
    reference = Reference(Path(sys.argv[1]))
    for name, count, sharing, client_lacks, server_lacks, frame in CASES:
        keys = items(name, count, sharing)
        client = [key for i, key in enumerate(keys) if i not in set(client_lacks)]
        server = [key for i, key in enumerate(keys) if i not in set(server_lacks)]
        have = sorted(keys[i][1].hex() for i in set(server_lacks) - set(client_lacks))
        need = sorted(keys[i][1].hex() for i in set(client_lacks) - set(server_lacks))
        reference.open(server, frame)
        asking = ours_asks(RangeIndex(client), reference, frame)
        reference.open(client, frame)
        answering = ours_answers(RangeIndex(server), reference, frame)
        for said in (asking, answering):
            assert said.pop("have") == have and said.pop("need") == need, name
            print(name, len(said["messages"]), sum(map(len, said["messages"])) // 2, "bytes")
        case = {
            "about": "ids are SHA-256(seed || u64be(i)), times 1000 + 61 * (i // sharing); messages client first",
            "seed": name,
            "count": count,
            "sharing": sharing,
            "client_lacks": client_lacks,
            "server_lacks": server_lacks,
            "frame_bytes_max": frame,
            "client_ours": asking["messages"],
            "server_ours": answering["messages"],
        }
        (TARGET / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")


if __name__ == "__main__":
    main()
