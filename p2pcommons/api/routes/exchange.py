"""What goes out and comes in as a whole: exports, packs, backups. Bodies of any length, as streams."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import COMMONS, Named
from p2pcommons.api.operation import Call, Media, Operation, answer
from p2pcommons.api.schema import Parameter, Stream
from p2pcommons.api.searching import WHERE, query_of
from p2pcommons.api.serving import PACK_TYPE, RECORDS_HEADER, SCRATCH, SCRATCH_PREFIX
from p2pcommons.api.streams import STREAMS
from p2pcommons.formats.registry import FORMATS
from p2pcommons.node.values import UnpackInfo

BACKUP_TYPE: Final = "application/vnd.p2pcommons.backup"
_BYTES: Final = "application/octet-stream"
_PIECE_BYTES: Final = 256 * 1024


async def _export(call: Call) -> web.StreamResponse:
    # Available entries: none, as long as nothing can be lent (see the search).
    export = await call.commons.export(call.arguments["format"], query_of(call.arguments))
    chunks = _nothing() if call.arguments["available"] else export.chunks
    return await _download(call, chunks, export.media_type, export.file_name, {})


async def _pack(call: Call) -> web.StreamResponse:
    commons = call.arguments["commons"]
    name = f"{'all' if commons is None else commons.hex()[:12]}.pack"
    with _scratch(call) as folder:
        path = Path(folder, "pack")
        info = await call.commons.pack(path, commons)
        headers = {RECORDS_HEADER: str(info.records), "Content-Length": str(info.bytes)}
        return await _download(call, _pieces(path), PACK_TYPE, name, headers)


async def _unpack(call: Call) -> web.StreamResponse:
    with _scratch(call) as folder:
        path = Path(folder, "pack")
        file = await asyncio.to_thread(path.open, "wb")
        try:
            async for chunk in call.request.content.iter_any():
                await asyncio.to_thread(file.write, chunk)
        finally:
            await asyncio.to_thread(file.close)
        return answer(await call.commons.unpack(path))


async def _backup(call: Call) -> web.StreamResponse:
    with _scratch(call) as folder:
        path = Path(folder, "backup")
        size = await call.commons.backup(path)
        headers = {"Content-Length": str(size)}
        return await _download(call, _pieces(path), BACKUP_TYPE, "p2pcommons.backup", headers)


def _scratch(call: Call) -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=call.request.app[SCRATCH])  # of mode 0700


async def _download(
    call: Call, chunks: AsyncIterator[bytes], media_type: str, name: str, headers: dict[str, str]
) -> web.StreamResponse:
    safe = re.sub(r"[^0-9A-Za-z._-]", "_", name)
    response = web.StreamResponse(
        headers={"Content-Type": media_type, "Content-Disposition": f'attachment; filename="{safe}"', **headers}
    )

    async def work() -> None:
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()

    await response.prepare(call.request)
    await call.request.app[STREAMS].run(call.request, work())
    return response


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/export", "exportEntries", "All entries a query finds, in an outside format", _export,
        answer=Media(tuple(format.MEDIA_TYPE.partition(";")[0] for format in FORMATS.values())), lasting=True,
        refusals={404: "`unknown-commons`"},
        parameters=(Parameter("format", Named(tuple(FORMATS)), "name of the format", required=True), *WHERE),
    ),
    Operation(
        "GET", "/api/v1/pack", "packRecords", "A pack file of all records, to carry by hand", _pack,
        answer=Media((PACK_TYPE,)), lasting=True, refusals={404: "`unknown-commons`"},
        parameters=(Parameter("commons", COMMONS, "only this commons; all followed ones by default"),),
    ),
    Operation(
        "POST", "/api/v1/unpack", "unpackRecords", "Take a pack file", _unpack, answer=UnpackInfo, needs=Grant.OWN,
        body=Stream((PACK_TYPE, _BYTES), "a pack file of any length"),
    ),
    Operation(
        "GET", "/api/v1/backup", "backupNode", "The whole data folder in one file, private keys included", _backup,
        answer=Media((BACKUP_TYPE,)), needs=Grant.OWN, lasting=True,
    ),
)  # fmt: skip
