"""The command line of the bench: which parts run, in which order, and how their figures are told.

Absolute times are of this machine at this moment: compare ratios within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from p2pcommons import __version__
from p2pcommons.cli.bench.differences import between, scattered
from p2pcommons.cli.bench.large import large
from p2pcommons.cli.bench.live import live
from p2pcommons.cli.bench.searching import searching
from p2pcommons.cli.bench.syncing import pair
from p2pcommons.cli.bench.table import Figure, markdown, printed
from p2pcommons.cli.bench.works import WORKS, lines
from p2pcommons.node.reconciling import choices

_SIZES: Final = (10_000, 100_000, 1_000_000)
_LIVE: Final = 200


def main(options: argparse.Namespace) -> int:
    """Measure and print; exit code 0. `options`: `entries`, `runs`, `large`, `folder`, `json`, `markdown`."""
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="p2pcommons-bench-") as folder:
        figures = asyncio.run(_measure(Path(folder), options))
    if options.json:
        print(json.dumps(_document(figures), ensure_ascii=False))
    elif options.markdown:
        print(markdown(figures))
    else:
        print(printed(figures))
        print("\nHow a difference is found, and why:")
        for situation, method, reason in choices():
            print(f"    {situation:<50} {method:<8} {reason}")
    return 0


async def _measure(folder: Path, options: argparse.Namespace) -> list[Figure]:
    entries: int = options.entries
    source = folder / "catalogue.jsonl"
    source.write_bytes(b"".join(lines(entries)))
    made = await pair(folder, source, entries, options.runs, _say)
    figures = list(made.figures)
    figures += await between(made, folder, entries, _say)
    figures += await live(made.one, made.two, made.commons, min(_LIVE, entries), _say)
    figures += await searching(made.one, list(lines(min(entries, WORKS))), entries, _say)
    figures += scattered([size for size in _SIZES if size <= 100 * entries] or [entries], _say)
    if options.large:
        figures += await large(options.folder or folder, _say)
    return figures


def _document(figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "version": __version__,
        "machine": {
            "system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "figures": [figure.to_json() for figure in figures],
        "choices": [list(row) for row in choices()],
    }  # fmt: skip


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)
