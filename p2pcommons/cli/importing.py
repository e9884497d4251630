"""An import: lines of a catalogue stream to the node while its answers come back, in bounded memory both ways.

Reading and mapping run in a worker thread, so that answers are read whatever the file or the node does: neither
waits for the other. What is answered is durable; an import that broke off is run again and goes on.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from p2pcommons.cli.input import beside
from p2pcommons.commons.draft import draft_from_json
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, P2PCommonsError
from p2pcommons.formats import Dropped, Reading, Refusal
from p2pcommons.formats.lines import Row

if TYPE_CHECKING:
    from p2pcommons.api.verbs import Verbs
    from p2pcommons.node.values import BatchAnswer

_BLOCK_LINES: Final = 512  # lines mapped between two looks at the network: some 10 ms

Report = Callable[[int, str, str], None]
"""Called with a refused line's number, code and reason."""


@dataclass(slots=True)
class Summary:
    """What an import did, counted in lines."""

    read: int = 0
    added: int = 0  # written: new, or changed since the last import of its source
    unchanged: int = 0
    refused: int = 0
    own: int = 0  # lines that came from this very commons, left as they are
    given_sources: int = 0  # lines without a source, known again by their content only
    dry_run: bool = False
    seconds: float = 0.0
    dropped: list[Dropped] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)  # refusals by code
    broke_off: P2PCommonsError | None = None  # why it did not come to the file's end

    def to_json(self) -> dict[str, Any]:
        """The machine form of `import --json`."""
        return {
            "read": self.read,
            "added": self.added,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "refusals": self.codes,
            "own": self.own,
            "given_sources": self.given_sources,
            "dropped": [{"column": each.name, "lines": each.lines, "why": each.why} for each in self.dropped],
            "dry_run": self.dry_run,
            "complete": self.broke_off is None,
            "seconds": round(self.seconds, 3),
        }


class Import:
    """One import of one catalogue. Driven by `run` or, without a node, by `try_out`.

    `report` and `progress` are called in the thread that drives it.
    """

    def __init__(
        self,
        reading: Reading,
        report: Report,
        progress: Callable[[Summary], None],
        beside: Callable[[Callable[[], Any]], Awaitable[Any]] = beside,
    ) -> None:
        self._reading = reading
        self._beside = beside  # runs what reads the input
        self._rows = iter(reading)
        self._report = report
        self._progress = progress
        self._sent = LineNumbers()
        self._ended = False  # the whole file was handed over
        self._began = time.monotonic()
        self.summary = Summary()

    async def run(self, verbs: Verbs, commons: CommonsId) -> Summary:
        """Write everything. Raises what speaks against the whole import; what broke it off is in the summary."""
        answers = await verbs.batch(commons, self._lines())
        try:
            async for group in answers:
                for answer in group:
                    self._take(answer)
                self._progress(self.summary)
        except P2PCommonsError as error:
            if error.code != "no-answer":
                detail = f"{error.detail.rstrip('.')}. What was answered before stays: import again, and it goes on."
                self.summary.broke_off = P2PCommonsError(error.code, detail)
        if (self._sent or not self._ended) and self.summary.broke_off is None:
            self.summary.broke_off = P2PCommonsError(
                "cut_off",
                "The node stopped answering; what it answered stays. Start it, then import again: it goes on.",
            )
        return self._closed()

    def _take(self, answer: BatchAnswer) -> None:
        number = self._sent.take()
        if answer.id is None:
            self._refuse(number, answer.code or "refused", answer.detail)
        elif answer.unchanged:
            self.summary.unchanged += 1
        else:
            self.summary.added += 1

    def try_out(self) -> Summary:
        """Check every line as a node would, and write nothing."""
        self.summary.dry_run = True
        while block := self._block():
            for number, row in block:
                self._count(number, row)
                if isinstance(row, Refusal):
                    continue
                try:
                    draft_from_json(row)
                except FormError as error:
                    self._refuse(number, error.code, error.detail)
                else:
                    self.summary.added += 1
            self._progress(self.summary)
        return self._closed()

    async def try_out_beside(self) -> Summary:
        """`try_out` in a thread, so that a person can interrupt it whatever its input does."""
        summary: Summary = await self._beside(self.try_out)
        return summary

    async def _lines(self) -> AsyncIterator[list[bytes]]:
        while block := await self._beside(self._encoded_block):
            lines = []
            for number, row in block:
                self._count(number, row)
                if not isinstance(row, Refusal):
                    self._sent.put(number)
                    lines.append(row)
            if lines:
                yield lines
        self._ended = True

    def _block(self) -> list[Row]:
        """The next lines, none at the end. A file that cannot be read on ends here: what came before is kept."""
        block: list[Row] = []
        try:
            for row in islice(self._rows, _BLOCK_LINES):
                block.append(row)
        except P2PCommonsError as error:
            self.summary.broke_off = error
            self._rows = iter(())
        return block

    def _encoded_block(self) -> list[tuple[int, bytes | Refusal]]:
        return [(number, row if isinstance(row, Refusal) else _encoded(row)) for number, row in self._block()]

    def _count(self, number: int, row: object) -> None:
        self.summary.read += 1
        if isinstance(row, Refusal):
            if row.code == "own_entry":
                self.summary.own += 1
            else:
                self._refuse(number, row.code, row.detail)

    def _refuse(self, number: int, code: str, detail: str) -> None:
        self.summary.refused += 1
        code = code.replace("_", "-")  # as the node says it
        self.summary.codes[code] = self.summary.codes.get(code, 0) + 1
        self._report(number, code, detail)

    def _closed(self) -> Summary:
        self.summary.dropped = self._reading.dropped()
        self.summary.given_sources = self._reading.given_sources
        self.summary.seconds = time.monotonic() - self._began
        return self.summary


def _encoded(entry: dict[str, Any]) -> bytes:
    # Half a character (a lone surrogate) goes on its way too: the node refuses the line, and says so.
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


class LineNumbers:
    """A queue of line numbers under way, as runs: a million lines that follow each other are one item."""

    def __init__(self) -> None:
        self._runs: deque[list[int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def put(self, number: int) -> None:
        """Append a number."""
        if self._runs and self._runs[-1][1] == number:
            self._runs[-1][1] += 1
        else:
            self._runs.append([number, number + 1])

    def take(self) -> int:
        """The oldest number."""
        run = self._runs[0]
        number = run[0]
        run[0] += 1
        if run[0] == run[1]:
            self._runs.popleft()
        return number
