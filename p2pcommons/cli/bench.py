"""`bench`: what this machine does with a real catalogue, as one table (two processes, loopback, durable, verified).

The catalogue is the 69,202 works that `P2PCOMMONS_DATASETS` names, else made-up entries of the same size. Absolute
times are of this machine at this moment: compare ratios within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from p2pcommons.api.client import Client
from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from p2pcommons.node.folder import DATABASE, running_node
from p2pcommons.node.reconciling import Reconciled, reconcile

ENTRIES: Final = 69_202
_WORDS_MADE_UP: Final = 5_000
_SEED: Final = 20_260_101
_POLL_S: Final = 0.02
MAPPING: Final = {
    "fields": {
        "title": "title", "creators": "creators", "date_text": "dateText", "medium": "medium", "credit": "credit",
        "dimensions": "dimensions", "url": "url", "subjects": "subjects",
    },
    "constants": {"type": "image"},
    "source": "{source}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    measured: float
    unit: str
    asked: str = ""
    spread: str = ""


class BenchNode:
    """One node as a process of its own."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0

    async def start(self, *arguments: str) -> None:
        """Start, and wait for the first answer."""
        began = time.perf_counter()
        process = self._process = self._spawn(arguments)
        while running_node(self.data) is None:
            if process.poll() is not None:
                raise SystemExit(f"a node of the bench ended; its words are in {self._log}")
            await asyncio.sleep(_POLL_S / 4)
        async with self.client() as client:
            await client.status()
        self.started_s = time.perf_counter() - began

    def _spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "p2pcommons.cli.main", "--data", str(self.data), "up"]
        command += ["--api", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--no-lan", *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def client(self) -> Client:
        """A client of this node."""
        return Client.of_folder(self.data)

    @property
    def listen(self) -> str:
        """Where it lets others in."""
        note = running_node(self.data)
        assert note is not None
        return str(note["listen"])

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Its memory now (VmRSS) or at most so far (VmHWM), in MB of 10^6 bytes."""
        assert self._process is not None
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def stop(self) -> None:
        """Stop it and wait."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=20)
            self._process = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0."""
    parser = argparse.ArgumentParser(prog="p2pcommons bench", description="Measure this machine with a real catalogue.")
    parser.add_argument("--entries", type=int, default=ENTRIES, help="how many entries of the catalogue (all)")
    parser.add_argument("--runs", type=int, default=3, help="how often import and first sync are repeated (3)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="p2pcommons-bench-") as folder:
        figures = asyncio.run(_measure(Path(folder), options.entries, options.runs))
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures]))
    else:
        width = max(len(figure.name) for figure in figures)
        for figure in figures:
            number = f"{figure.measured:,.1f}" if figure.measured < 100 else f"{figure.measured:,.0f}"
            print(f"{figure.name:<{width}}  {number:>10} {figure.unit:<10} {figure.asked:<10} {figure.spread}")
    return 0


def lines(count: int) -> Iterator[bytes]:
    """The catalogue, one JSON object a line."""
    named = os.environ.get("P2PCOMMONS_DATASETS")
    path = Path(named) / "tate-artworks.jsonl.gz" if named else None
    if path is not None and path.exists():
        with gzip.open(path) as file:
            for _, line in zip(range(count), file, strict=False):
                yield line
        return
    dice = random.Random(_SEED)
    words = ["".join(dice.choices("aeiouylmnrstbdgpk", k=dice.randint(3, 9))) for _ in range(_WORDS_MADE_UP)]
    for number in range(count):
        subjects = sorted({words[int(dice.paretovariate(0.5)) % _WORDS_MADE_UP] for _ in range(14)})
        entry = {
            "source": f"bench:{number}", "title": " ".join(dice.choices(words, k=6)).capitalize(),
            "creators": [" ".join(dice.choices(words, k=2)).title()], "dateText": str(dice.randint(1500, 2020)),
            "medium": "Oil paint on canvas", "credit": f"Presented by {' '.join(dice.choices(words, k=4))}",
            "dimensions": "support: 394 x 419 mm", "url": f"http://example.org/works/{number}", "subjects": subjects,
        }  # fmt: skip
        yield json.dumps(entry, ensure_ascii=False).encode() + b"\n"


async def _measure(folder: Path, count: int, runs: int) -> list[Figure]:
    source, mapping = folder / "catalogue.jsonl", folder / "mapping.json"
    catalogue = list(lines(count))
    source.write_bytes(b"".join(catalogue))
    mapping.write_text(json.dumps(MAPPING))
    count = len(catalogue)
    imports, syncs, peaks = [], [], []
    for run in range(runs):
        one = BenchNode(folder / f"one-{run}", folder / "one.log")
        two = BenchNode(folder / f"two-{run}", folder / "two.log")
        _say(f"run {run + 1} of {runs}: import")
        await one.start()
        async with one.client() as client:
            commons = (await client.create_commons("Bench")).id
        imports.append(count / _import(one, source, mapping, commons))
        _say(f"run {run + 1} of {runs}: first sync")
        await two.start()
        took, peak = await _first_sync(one, two, commons)
        syncs.append(count / took)
        peaks.append(peak)
        if run < runs - 1:
            one.stop()
            two.stop()
    figures = [
        _figure("import, sealed and indexed", imports, "entries/s", "≥ 8,000"),
        _figure("first sync, verified and searchable", syncs, "entries/s", "≥ 7,000"),
        Figure("memory of the receiver during it, at most", max(peaks), "MB", "≤ 250"),
    ]
    one.stop()
    two.stop()
    _say("start")
    starts = []
    for _ in range(3):
        await one.start()
        starts.append(one.started_s)
        one.stop()
    figures.append(_figure("start to first answer", starts, "s", "≤ 1.0"))
    await one.start()
    await asyncio.sleep(2)
    figures.append(Figure("memory at rest", one.memory_mb(), "MB", "≤ 100"))
    _say("search")
    figures += await _search(one, catalogue)
    figures.append(Figure("memory after these searches", one.memory_mb(), "MB"))
    one.stop()
    size = sum(path.stat().st_size for path in one.data.glob(DATABASE + "*"))
    figures.append(Figure("disk", size / count, "B/entry"))
    _say("100 new on each side")
    found = reconcile(one.data, two.data, CommonsId(commons), 100)
    figures += _reconciled(found, 100)
    return figures


def _import(node: BenchNode, source: Path, mapping: Path, commons: bytes) -> float:
    command = [sys.executable, "-m", "p2pcommons.cli.main", "--data", str(node.data), "--json", "import", str(source)]
    command += ["--map", str(mapping), "--commons", commons.hex()]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"the import failed: {done.stderr.decode()[-500:]}")
    return time.perf_counter() - began


async def _first_sync(one: BenchNode, two: BenchNode, commons: bytes) -> tuple[float, float]:
    """Seconds from following to equal fingerprints, and the receiver's largest memory."""
    async with one.client() as giver, two.client() as taker:
        wanted = await giver.digest(CommonsId(commons))
        began = time.perf_counter()
        await taker.follow(CommonsId(commons), [one.listen])
        while True:
            have = await taker.digest(CommonsId(commons))
            if have.fingerprint == wanted.fingerprint:
                break
            await asyncio.sleep(_POLL_S)
        took = time.perf_counter() - began
        assert have.state == wanted.state, "equal sets with different views"
    return took, two.memory_mb("VmHWM")


async def _search(node: BenchNode, catalogue: Sequence[bytes]) -> list[Figure]:
    plain: list[float] = []
    faceted: list[float] = []
    async with node.client() as client:
        for number, text in enumerate(queries(catalogue)):
            facets = ("type", "subjects", "licence") if number % 4 == 0 else ()
            began = time.perf_counter()
            await client.search(Query(text=text, limit=50, facets=facets))
            (faceted if facets else plain).append((time.perf_counter() - began) * 1000)
    return [
        Figure("search without facets, median", median(plain), "ms"),
        Figure("search without facets, p99", _percentile(plain, 99), "ms", "≤ 25"),
        Figure("search with three facets, median", median(faceted), "ms"),
        Figure("search with three facets, p99", _percentile(faceted, 99), "ms", "≤ 60"),
    ]


def queries(catalogue: Sequence[bytes]) -> list[str]:
    """The fixed mix: 200 one-word drawn by document frequency, 150 two-word, 100 prefixes, 50 phrases."""
    dice = random.Random(_SEED)
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


def _reconciled(found: Reconciled, count: int) -> list[Figure]:
    differences = 2 * count
    return [
        Figure(f"{count} new on each side: reconciliation bytes", found.reconciliation_bytes, "B"),
        Figure("    floor: 32 B a difference", 32 * differences, "B"),
        Figure("    round trips before the records", found.round_trips, ""),
        Figure("    bytes of records", found.record_bytes, "B"),
    ]


def _figure(name: str, values: Sequence[float], unit: str, asked: str) -> Figure:
    spread = (
        f"{min(values):,.2f} … {max(values):,.2f}" if max(values) < 100 else f"{min(values):,.0f} … {max(values):,.0f}"
    )
    return Figure(name, median(values), unit, asked, spread)


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)
