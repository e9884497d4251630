"""The folder of files: whole or not there, checked when read, resumed, repaired chunk by chunk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.core.blob import Blob, Hasher, Tree, chunk_count, range_bytes
from p2pcommons.core.limits import CHUNK_BYTES
from p2pcommons.errors import FormError
from p2pcommons.store.blobs import BlobFolder, Damaged

SIZES = st.sampled_from(
    [0, 1, 31, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES, 20 * CHUNK_BYTES + 7]
)


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def blob_of(data: bytes) -> tuple[Blob, Tree]:
    hasher = Hasher()
    hasher.update(data)
    return hasher.finish()


def added(folder: BlobFolder, data: bytes) -> Blob:
    with folder.add() as adding:
        adding.write(data)
        return adding.finish()


def piece(data: bytes, start: int, stop: int) -> bytes:
    return data[start * CHUNK_BYTES : stop * CHUNK_BYTES]


def file_of(path: Path, blob: bytes) -> Path:
    return path / blob.hex()[:2] / blob.hex()


def everything(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*") if found.is_file())


@given(SIZES, st.lists(st.integers(1, 3 * CHUNK_BYTES), max_size=5), st.data())
@settings(max_examples=25)
def test_what_was_added_in_any_pieces_is_read_back_from_anywhere(
    size: int, lengths: list[int], draw: st.DataObject
) -> None:
    data = content(size)
    with tempfile.TemporaryDirectory() as name:
        folder = BlobFolder(Path(name))
        with folder.add() as adding:
            at = 0
            for length in lengths:
                adding.write(data[at : at + length])
                at += length
            adding.write(data[at:])
            blob = adding.finish()
        assert blob == blob_of(data)[0]
        first = draw.draw(st.integers(0, size))
        end = draw.draw(st.integers(first, size + 10))
        with BlobFolder(Path(name)).open(blob.id) as reading:
            assert b"".join(reading.bytes_between(first, end)) == data[first:end]
            assert reading.size == size


@given(SIZES.filter(bool), st.integers(0, 2**32), st.integers(0, 4))
@settings(max_examples=25)
def test_pieces_in_any_order_from_several_givers_make_the_file(size: int, seed: int, stops: int) -> None:
    data = content(size)
    blob, tree = blob_of(data)
    order = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        folder = BlobFolder(path)
        ranges = []
        start = 0
        while start < chunk_count(size):
            stop = min(chunk_count(size), start + order.randint(1, 4))
            ranges.append((start, stop))
            start = stop
        order.shuffle(ranges)
        receiving = folder.receive(blob.id, size)
        came: set[int] = set()
        for place, (start, stop) in enumerate(ranges):
            if place < stops:  # another process goes on
                receiving.close()
                receiving = BlobFolder(path).receive(blob.id, size)
                assert receiving.missing == set(range(chunk_count(size))) - came, "what had come must not come again"
            assert not folder.has(blob.id)
            receiving.put(start, piece(data, start, stop), tree.proof(start, stop))
            came |= set(range(start, stop))
        receiving.finish()
        with folder.open(blob.id) as reading:
            assert b"".join(reading.bytes_between(0, size)) == data
        assert everything(path) == sorted(
            str(file_of(path, blob.id).relative_to(path)) + end for end in ("", ".leaves")
        )


@pytest.mark.parametrize("flaw", ["byte", "place", "short", "proof", "nothing"])
def test_a_piece_that_is_not_of_the_file_is_refused_and_nothing_is_written(tmp_path: Path, flaw: str) -> None:
    data = content(4 * CHUNK_BYTES + 9)
    blob, tree = blob_of(data)
    part, nodes, start = piece(data, 1, 3), tree.proof(1, 3), 1
    if flaw == "byte":
        part = bytes([part[0] ^ 1]) + part[1:]
    elif flaw == "place":
        start = 2
    elif flaw == "short":
        part = part[:-1]
    elif flaw == "proof":
        nodes = nodes[1:]
    else:
        part = b""
    with BlobFolder(tmp_path).receive(blob.id, blob.size) as receiving:
        with pytest.raises(FormError):
            receiving.put(start, part, nodes)
        assert receiving.missing == set(range(5))
    assert (tmp_path / "coming" / blob.id.hex()).stat().st_size == 0


@pytest.mark.parametrize("at", [0, 3 * CHUNK_BYTES - 1, 20 * CHUNK_BYTES + 6])
def test_a_flipped_byte_is_found_by_who_reads_it_and_by_the_scrub_and_one_chunk_repairs_it(
    tmp_path: Path, at: int
) -> None:
    data = content(20 * CHUNK_BYTES + 7)
    folder = BlobFolder(tmp_path)
    blob, tree = added(folder, data), blob_of(data)[1]
    with file_of(tmp_path, blob.id).open("r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ 0x10]))
    wrong = at // CHUNK_BYTES
    with folder.open(blob.id) as reading:
        with pytest.raises(Damaged) as raised:
            b"".join(reading.bytes_between(at, at + 1))
        assert raised.value.chunks == [wrong]
        assert [chunk for step in reading.scrub() for chunk in step] == [wrong]
        other = (wrong + 1) % 21
        assert reading.chunks(other, other + 1) == piece(data, other, other + 1), "the rest is given meanwhile"
    with folder.receive(blob.id, blob.size) as receiving:
        assert receiving.missing == {wrong}
        assert not folder.has(blob.id)
        receiving.put(wrong, piece(data, wrong, wrong + 1), tree.proof(wrong, wrong + 1))
        receiving.finish()
    with folder.open(blob.id) as reading:
        assert [chunk for step in reading.scrub() for chunk in step] == []


@pytest.mark.parametrize("harm", ["hashes lost", "hash changed", "cut short", "longer"])
def test_a_file_whose_hashes_or_length_changed_is_damaged_and_comes_again(tmp_path: Path, harm: str) -> None:
    data = content(3 * CHUNK_BYTES)
    folder = BlobFolder(tmp_path)
    blob, tree = added(folder, data), blob_of(data)[1]
    whole = file_of(tmp_path, blob.id)
    leaves = whole.with_name(whole.name + ".leaves")
    if harm == "hashes lost":
        leaves.unlink()
    elif harm == "hash changed":
        leaves.write_bytes(leaves.read_bytes()[:64] + bytes([7]) * 32)
    else:
        os.truncate(whole, len(data) + (-1 if harm == "cut short" else 1))
    with pytest.raises(Damaged):
        folder.open(blob.id)
    with folder.receive(blob.id, blob.size) as receiving:
        for place in sorted(receiving.missing):
            receiving.put(place, piece(data, place, place + 1), tree.proof(place, place + 1))
        receiving.finish()
    with folder.open(blob.id) as reading:
        assert b"".join(reading.bytes_between(0, blob.size)) == data


def test_hashes_changed_while_the_file_came_are_found_before_it_counts_as_whole(tmp_path: Path) -> None:
    data = content(3 * CHUNK_BYTES)
    blob, tree = blob_of(data)
    folder = BlobFolder(tmp_path)
    with folder.receive(blob.id, blob.size) as receiving:
        receiving.put(0, piece(data, 0, 2), tree.proof(0, 2))
    coming = tmp_path / "coming" / blob.id.hex()
    forged = content(CHUNK_BYTES, seed=2)
    coming.write_bytes(forged + coming.read_bytes()[CHUNK_BYTES:])
    leaves = coming.with_name(coming.name + ".leaves")
    leaves.write_bytes(blob_of(forged)[1].leaves[0] + leaves.read_bytes()[32:])
    with folder.receive(blob.id, blob.size) as receiving:
        assert receiving.missing == {2}
        receiving.put(2, piece(data, 2, 3), tree.proof(2, 3))
        with pytest.raises(Damaged):
            receiving.finish()
        assert not folder.has(blob.id) and receiving.missing == {0, 1, 2}
        receiving.put(0, data, [])
        receiving.finish()
    assert folder.has(blob.id)


def test_what_was_not_finished_is_not_there_and_leaves_nothing(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    with folder.add() as adding:
        adding.write(b"half")
    with pytest.raises(KeyError):
        folder.open(blob_of(b"half")[0].id)
    assert everything(tmp_path) == []
    (tmp_path / "coming" / ("adding-" + 32 * "0")).write_bytes(b"half")  # of a process that is gone
    with folder.receive(bytes(32), 7):
        folder.clear_unfinished()
        assert everything(tmp_path) == ["coming/" + 64 * "0", "coming/" + 64 * "0" + ".leaves"], "what comes goes on"


def test_the_same_file_twice_is_there_once_and_can_be_let_go(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    blob = added(folder, b"the same")
    assert added(folder, b"the same") == blob and list(folder.ids()) == [blob.id]
    assert len(everything(tmp_path)) == 2
    folder.remove(blob.id)
    folder.remove(blob.id)
    assert not folder.has(blob.id) and everything(tmp_path) == []


def test_finishing_too_early_is_refused(tmp_path: Path) -> None:
    blob, _ = blob_of(b"a file")
    with BlobFolder(tmp_path).receive(blob.id, blob.size) as receiving, pytest.raises(ValueError, match="1 chunks"):
        receiving.finish()


RECEIVER = """
import sys
from pathlib import Path
from p2pcommons.core.blob import Hasher
from p2pcommons.core.limits import CHUNK_BYTES
from p2pcommons.store.blobs import BlobFolder
data = Path(sys.argv[2]).read_bytes()
hasher = Hasher(); hasher.update(data); blob, tree = hasher.finish()
with BlobFolder(Path(sys.argv[1])).receive(blob.id, blob.size) as receiving:
    print(len(receiving.missing), flush=True)
    for place in sorted(receiving.missing):
        receiving.put(place, data[place * CHUNK_BYTES : (place + 1) * CHUNK_BYTES], tree.proof(place, place + 1))
        print(place, flush=True)
    receiving.finish()
print("whole", flush=True)
"""


def test_a_receiver_killed_at_any_moment_lacks_one_chunk_at_most_of_what_it_had_said(tmp_path: Path) -> None:
    data = content(200 * CHUNK_BYTES + 11)
    source, path = tmp_path / "source", tmp_path / "files"
    source.write_bytes(data)
    blob, _ = blob_of(data)
    chance = random.Random(7)
    said: set[int] = set()
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", RECEIVER, str(path), str(source)], stdout=subprocess.PIPE, text=True
        ) as receiver:
            assert receiver.stdout is not None
            missing = int(receiver.stdout.readline())
            assert missing <= 201 - len(said), "a chunk that had been taken was missing"
            for _ in range(min(missing, chance.randint(1, 8))):
                said.add(int(receiver.stdout.readline()))
            receiver.send_signal(signal.SIGKILL)
            said |= {int(line) for line in receiver.stdout if line.strip().isdigit()}
        if BlobFolder(path).has(blob.id):
            break  # it was faster than the kill
        with BlobFolder(path).receive(blob.id, blob.size) as receiving:
            assert not receiving.missing & said
    done = subprocess.run(
        [sys.executable, "-c", RECEIVER, str(path), str(source)], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("whole\n")
    with BlobFolder(path).open(blob.id) as reading:
        assert sum(map(len, reading.bytes_between(0, blob.size))) == range_bytes(blob.size, 0, 201) == len(data)
