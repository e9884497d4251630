#!/usr/bin/env python3
"""Try an implementation on the test vectors of chapters 10 to 13 (protocol/README.md).

verify.py FOLDER                    this folder's own reader
verify.py --drive COMMAND FOLDER    another implementation, which answers JSON lines on its standard output
verify.py --serve                   be such an implementation
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reader
from reader import BASE, L, Refused, compress, key_may_sign, need, sha256, times

# -- what the vectors ask beyond reading: signing, keys as text, recovery keys, source URIs, encoding


def sign(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Public key and signature of RFC 8032."""
    hashed = hashlib.sha512(seed).digest()
    secret = int.from_bytes(hashed[:32], "little") & (1 << 254) - 8 | 1 << 254
    public = compress(times(secret, BASE))
    r = int.from_bytes(hashlib.sha512(hashed[32:] + message).digest(), "little") % L
    first = compress(times(r, BASE))
    k = int.from_bytes(hashlib.sha512(first + public + message).digest(), "little") % L
    return public, first + ((r + k * secret) % L).to_bytes(32, "little")


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def key_text(public: bytes) -> str:
    """A key as did:key. (The bytes start with ed: no leading zeros to write.)"""
    number, text = int.from_bytes(b"\xed\x01" + public, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "did:key:z" + text


def key_of(text: str) -> bytes:
    """ID-6."""
    bare = text.removeprefix("did:key:")
    need(re.fullmatch(f"z[{BASE58}]{{1,60}}", bare) is not None, "bad_key")
    number = 0
    for letter in bare[1:]:
        number = number * 58 + BASE58.index(letter)
    raw = number.to_bytes(45, "big")[-34:]
    need(raw[:2] == b"\xed\x01" and key_text(raw[2:]) == "did:key:" + bare and key_may_sign(raw[2:]), "bad_key")
    return raw[2:]


def recovery(entropy: bytes) -> dict[str, str]:
    """ID-8; HKDF with one block of output."""
    need(len(entropy) == 16, "bad_words")
    extracted = hmac.digest(bytes(32), entropy, "sha256")
    public, _ = sign(hmac.digest(extracted, b"p2pcommons recovery v1\0\x01", "sha256"), b"")
    return {"public": public.hex(), "hash": sha256(b"p2pcommons recovery key v1\0", public).hex()}


def lower(text: str) -> str:
    """A to Z in lower case, nothing else."""
    return re.sub("[A-Z]", lambda found: found[0].lower(), text)


def entry_id(commons: bytes, source: str) -> bytes:
    """REC-11 to REC-13."""
    source = unicodedata.normalize("NFC", source).strip("\t\n\v\f\r ")
    need(re.search("[\0\ud800-\udfff]", source) is None, "bad_source")
    scheme, _, rest = source.partition(":")
    need(bool(scheme and rest), "bad_source")
    scheme = lower(scheme)
    if scheme in ("http", "https") and rest.startswith("//"):
        rest = rest.split("#")[0][2:]
        authority = re.split("[/?]", rest)[0]
        user, at, host = authority.rpartition("@")
        host = lower(host).removesuffix(":80" if scheme == "http" else ":443")
        rest = "//" + user + at + host + rest[len(authority) :]
    return sha256(b"p2pcommons entry v1\0", commons, f"{scheme}:{rest}".encode())


def encode(value: Any, body: bool, depth: int = 0) -> bytes:
    """The canonical bytes of a value (chapter 10)."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        need(abs(value) < 1 << 53 if body else -(1 << 63) <= value < 1 << 64, "integer_range")
        if -32 <= value < 128:
            return (value & 255).to_bytes(1, "big")
        size = next(
            size for size in (1, 2, 4, 8) if -(1 << 8 * size - 1) <= value < (1 << 8 * size if value > 0 else 1)
        )
        return bytes([(0xCC if value > 0 else 0xD0) + size.bit_length() - 1]) + value.to_bytes(
            size, "big", signed=value < 0
        )
    if isinstance(value, str):
        need("\0" not in value, "bad_text")
        raw = value.encode()
        return length(len(raw), 0xA0, 32, {1: 0xD9, 2: 0xDA, 4: 0xDB}) + raw
    if isinstance(value, bytes):
        return length(len(value), 0, 0, {1: 0xC4, 2: 0xC5, 4: 0xC6}) + value
    need(depth < 16, "too_deep")
    if isinstance(value, list):
        return length(len(value), 0x90, 16, {2: 0xDC, 4: 0xDD}) + b"".join(encode(x, body, depth + 1) for x in value)
    pairs = sorted((key.encode(), key, item) for key, item in value.items())
    items = (encode(key, body) + encode(item, body, depth + 1) for _, key, item in pairs)
    return length(len(value), 0x80, 16, {2: 0xDE, 4: 0xDF}) + b"".join(items)


def length(number: int, short: int, below: int, heads: dict[int, int]) -> bytes:
    """The head of something that long, in its shortest form."""
    if number < below:
        return bytes([short + number])
    size = next(size for size in heads if number < 1 << 8 * size)
    return bytes([heads[size]]) + number.to_bytes(size, "big")


def build(x: dict[str, Any]) -> dict[str, str]:
    """A record's bytes from its values."""
    body, salt = encode(from_json(x["body"]), body=True), bytes.fromhex(x["salt"])
    fields = [bytes.fromhex(x[name]) for name in ("commons", "author", "after", "subject")]
    prev = sorted(bytes.fromhex(item) for item in x["prev"])
    hashed = sha256(b"p2pcommons body v1\0", salt, body)
    values = [1, fields[0], x["plane"], *fields[1:3], int(x["time"]), fields[3], prev, x["kind"], hashed, len(body)]
    made = encode(values, body=False)
    reader.check_body(reader.header(made), salt, body)
    return {"id": sha256(b"\0", made).hex(), "header": made.hex(), "body": body.hex()}


# -- operations: JSON in, JSON out


def to_json(value: Any) -> Any:
    """A decoded value as the vectors write it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if type(value) is int and abs(value) >= 1 << 53:
        return {"int": str(value)}
    if isinstance(value, dict):
        return {"map": [[key, to_json(item)] for key, item in value.items()]}
    return [to_json(item) for item in value] if isinstance(value, list) else value


def from_json(value: Any) -> Any:
    """What `to_json` wrote."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "map" in value:
        return {key: from_json(item) for key, item in value["map"]}
    return b(value["hex"]) if "hex" in value else int(value["int"])


def named(values: list[Any]) -> dict[str, Any]:
    """The values of a header by their names."""
    names = ("commons", "plane", "author", "after", "time", "subject", "prev", "kind", "body_hash", "body_size")
    shown = dict(zip(names, to_json(values[1:]), strict=True))
    plain = {
        name: value["hex"] if isinstance(value, dict) and "hex" in value else value for name, value in shown.items()
    }
    return {**plain, "time": str(values[5]), "prev": [item.hex() for item in values[7]]}


def whole(data: bytes, salt: bytes, body: bytes) -> dict[str, Any]:
    """A record judged: its id and the values of its header."""
    values = reader.header(data)
    reader.check_body(values, salt, body)
    return {"id": sha256(b"\x00", data).hex(), **named(values)}


def signed(seed: bytes, message: bytes) -> dict[str, str]:
    """The public key of a seed, and its signature."""
    public, signature = sign(seed, message)
    return {"public": public.hex(), "signature": signature.hex()}


def decoded(given: dict[str, Any]) -> dict[str, Any]:
    """A value, of the wire or of a body."""
    body = given["mode"] == "body"
    return {
        "value": to_json(reader.decode(b(given["bytes"]), given.get("bytes_max", 65536 if body else 1 << 20), body))
    }


def next_time(now_ms: int, last: str | None) -> int:
    """REC-7."""
    return max(now_ms << 16, int(last) + 1 if last is not None else 0)


b = bytes.fromhex
OPERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "decode": decoded,
    "encode": lambda x: {"bytes": encode(from_json(x["value"]), x["mode"] == "body").hex()},
    "verify": lambda x: {"valid": reader.verify(b(x["public"]), b(x["signature"]), b(x["message"]))},
    "sign": lambda x: signed(b(x["seed"]), b(x["message"])),
    "did_key": lambda x: {"text": key_text(b(x["public"]))},
    "parse_did_key": lambda x: {"public": key_of(x["text"]).hex()},
    "recovery": lambda x: recovery(b(x["entropy"])),
    "header": lambda x: named(reader.header(b(x["header"]))),
    "build": build,
    "record": lambda x: whole(b(x["header"]), b(x["salt"]), b(x["body"])),
    "entry_id": lambda x: {"id": entry_id(b(x["commons"]), x["source"]).hex()},
    "next_time": lambda x: {"time": str(next_time(x["now_ms"], x["last"]))},
    "is_later": lambda x: {"later": int(x["time"]) >> 16 > x["now_ms"] + 600_000},
    "root": lambda x: {"root": reader.root([b(leaf) for leaf in x["leaves"]]).hex()},
    "uncovered": lambda x: {"spans": [list(span) for span in reader.gaps(0, x["size"], set(x["indexes"]))]},
    "pack": lambda x: reader.pack(reader.decode(b(x["bytes"]), 1 << 20)),
}


def answer(op: str, given: dict[str, Any]) -> dict[str, Any]:
    """{"out": …}, {"error": code}, or {"error": "unsupported"} for what this implementation does not do."""
    if op not in OPERATIONS:
        return {"error": "unsupported"}
    try:
        return {"out": OPERATIONS[op](given)}
    except Refused as refused:
        return {"error": refused.args[0]}


def try_all(folder: Path, ask: Callable[[str, dict[str, Any]], dict[str, Any]]) -> int:
    """Ask every case of chapters 10 to 13; say what differs; 1 if anything does."""
    differs = 0
    for path in sorted(folder.glob("1[0-3]-*.json")):
        asked = skipped = 0
        for case in json.loads(path.read_text())["cases"]:
            got = ask(case["op"], case["in"])
            if got == {"error": "unsupported"}:
                skipped += 1
                continue
            asked += 1
            expected = {key: case[key] for key in ("out", "error") if key in case}
            if got != expected:
                differs += 1
                print(f"{path.name}: {case['name']}: {str(got)[:200]} where {str(expected)[:200]} is expected")
        print(f"{path.name}: {asked} cases tried, {skipped} not supported")
    return int(differs > 0)


def drive(command: str, folder: Path) -> int:
    """Try a program that reads {"id", "op", "in"} and writes {"id", "out" or "error"}, a line each."""
    with subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None and program.stdout is not None
        lines, number = program.stdout, 0

        def ask(op: str, given: dict[str, Any]) -> dict[str, Any]:
            nonlocal number
            number += 1
            print(json.dumps({"id": number, "op": op, "in": given}), file=program.stdin, flush=True)
            got: dict[str, Any] = json.loads(lines.readline() or '{"error": "the program ended"}')
            return {key: got[key] for key in ("out", "error") if key in got}

        result = try_all(folder, ask)
        program.stdin.close()
    return result


def serve() -> int:
    """Answer lines until there are none."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"id": asked["id"], **answer(asked["op"], asked["in"])}), flush=True)
    return 0


def main(arguments: list[str]) -> int:
    """The exit status."""
    match arguments:
        case ["--serve"]:
            return serve()
        case ["--drive", command, folder]:
            return drive(command, Path(folder))
        case [folder]:
            return try_all(Path(folder), answer)
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
