"""The catalogue of the bench: the 69,202 works that `P2PCOMMONS_DATASETS` names, else made-up entries of their size.

Where more are wanted than there are, they come again with a suffix in source and title.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count as counting
from itertools import islice
from pathlib import Path
from typing import Any, Final

WORKS: Final = 69_202
MAPPING: Final = {
    "fields": {
        "title": "title", "creators": "creators", "date_text": "dateText", "medium": "medium", "credit": "credit",
        "dimensions": "dimensions", "url": "url", "subjects": "subjects",
    },
    "constants": {"type": "image"},
    "source": "{source}",
}  # fmt: skip
SEED: Final = 20_260_101
_WORDS_MADE_UP: Final = 5_000


def lines(count: int, after: int = 0) -> Iterator[bytes]:
    """So many entries of the catalogue behind the first `after`, one JSON object a line."""
    return islice(_again(), after, after + count)


def _again() -> Iterator[bytes]:
    for round_number in counting():
        for line in _works():
            if round_number:
                entry = json.loads(line)
                entry["source"] += f"~{round_number}"
                entry["title"] += f" ~{round_number}"
                line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
            yield line


def _works() -> Iterator[bytes]:
    named = os.environ.get("P2PCOMMONS_DATASETS")
    path = Path(named) / "tate-artworks.jsonl.gz" if named else None
    if path is not None and path.exists():
        with gzip.open(path) as file:
            yield from file
        return
    dice = random.Random(SEED)
    words = ["".join(dice.choices("aeiouylmnrstbdgpk", k=dice.randint(3, 9))) for _ in range(_WORDS_MADE_UP)]
    for number in range(WORKS):
        subjects = sorted({words[int(dice.paretovariate(0.5)) % _WORDS_MADE_UP] for _ in range(14)})
        entry = {
            "source": f"bench:{number}", "title": " ".join(dice.choices(words, k=6)).capitalize(),
            "creators": [" ".join(dice.choices(words, k=2)).title()], "dateText": str(dice.randint(1500, 2020)),
            "medium": "Oil paint on canvas", "credit": f"Presented by {' '.join(dice.choices(words, k=4))}",
            "dimensions": "support: 394 x 419 mm", "url": f"http://example.org/works/{number}", "subjects": subjects,
        }  # fmt: skip
        yield json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def queries(catalogue: Sequence[bytes]) -> list[str]:
    """The fixed mix: 200 one-word drawn by document frequency, 150 two-word, 100 prefixes, 50 phrases."""
    dice = random.Random(SEED)
    titles = [json.loads(line)["title"] for line in catalogue]
    documents = [_words(json.loads(line)) for line in catalogue]
    frequency = Counter(word for words in documents for word in set(words))
    words, weights = zip(*sorted(frequency.items()), strict=True)
    mix = list(dice.choices(words, weights, k=200))
    mix += [
        " ".join(dice.sample(sorted(set(found)), 2)) for found in dice.sample(documents, 150) if len(set(found)) > 1
    ]
    mix += [word[: dice.randint(1, 3)] + "*" for word in dice.choices(words, weights, k=100)]
    phrases = [title.split() for title in titles if len(title.split()) > 2]
    for title in dice.sample(phrases, 50):
        at = dice.randrange(len(title) - 1)
        mix.append('"' + " ".join(title[at : at + 2]).replace('"', "") + '"')
    dice.shuffle(mix)
    return mix


def _words(entry: dict[str, Any]) -> list[str]:
    texts = [entry["title"], *entry.get("creators", ()), *entry.get("subjects", ()), entry.get("medium") or ""]
    return [word for text in texts for word in text.lower().split() if word.isalpha()]
