"""The vectors of chapter 36: what each method's data may be, and what they may not."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from vectors_seals import chain, packed

from p2pcommons.core.encoding import encode
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync.compression import FEATURES, message_of, shared
from p2pcommons.sync.message import Done, Packs, encode_message

Case = dict[str, Any]
FRAME = encode_message(Packs(1, 1, 0, None, [packed(chain(6))]))
# What libraries made of it, kept: the next version of a library may make something else of it.
ZSTD = bytes.fromhex(
    "28b52ffd6015032d1200a4219608010100c09198c4207237bd01ac7d4da38cdf5f4269f61e0ae15aa1dd6fca7b9c8f51c9d5b3bfdbfc"
    "c420062f7e102c25a2f75e4fadf449b189e31d976da2cbcb17001e47f735723234700106c440d848278cba9ebe6363d43168bcab0290"
    "1f3075de4ac379b781872b7c97847e38078edc94e48893a7add722a3542330d5e590e83db083a8f084577d7bc77ed00f960001020304"
    "05909694c42000c437cf019b76daa82008279dbd173878a5610087fc8d1316138f3470aa7f62f6be6e58561a77d9c65390aa656e7472"
    "792e65646974c410792abab75daad03b502391ad7e824085c44182a361646481a87375626a6563747392a46c756e65a36d6572a37365"
    "7482a57469746c6581a26672ad436c61697220646520a474797065a5696d61676593010dfa9d29ca65c7e32b80c71f59bfd4913ee883"
    "4f3272a69f3d586dfbcf711baec194f4ce30db84db712455b0547e968802534dd8a42afc81bdde095ef8686962274b33616dcd25ff4a"
    "c81fdc9c8cfe149785a706676fffd253539fa85982b03b320383b1aa081609a14a133e72bbeeb7eddc3e676c8bf094ab1e221c716080"
    "9c059908491a3af323a6c3a03f8d3ff285c3ea04fee0ebcd00f09f9043704356f865151e6364ac7f41d212a4b86678efeb8b9a509f67"
    "e37042be7d48b85b55b6dc97d969052ecff059811ab25199fd939e7f61e27786b279ad0c90eac37f1e8fff66e60b5bebb9163c343c9b"
    "bf1197902ad6326d66c41320b0d362312f2dc8b3574217e4d92ba30bf2ec95d00579f64a74817cb12bc9cf99d01aafb1d36034"
)
ZSTD_CHECKED = bytes.fromhex(
    "28b52ffd04082d1200a4219608010100c09198c4207237bd01ac7d4da38cdf5f4269f61e0ae15aa1dd6fca7b9c8f51c9d5b3bfdbfcc4"
    "20062f7e102c25a2f75e4fadf449b189e31d976da2cbcb17001e47f735723234700106c440d848278cba9ebe6363d43168bcab02901f"
    "3075de4ac379b781872b7c97847e38078edc94e48893a7add722a3542330d5e590e83db083a8f084577d7bc77ed00f96000102030405"
    "909694c42000c437cf019b76daa82008279dbd173878a5610087fc8d1316138f3470aa7f62f6be6e58561a77d9c65390aa656e747279"
    "2e65646974c410792abab75daad03b502391ad7e824085c44182a361646481a87375626a6563747392a46c756e65a36d6572a3736574"
    "82a57469746c6581a26672ad436c61697220646520a474797065a5696d61676593010dfa9d29ca65c7e32b80c71f59bfd4913ee8834f"
    "3272a69f3d586dfbcf711baec194f4ce30db84db712455b0547e968802534dd8a42afc81bdde095ef8686962274b33616dcd25ff4ac8"
    "1fdc9c8cfe149785a706676fffd253539fa85982b03b320383b1aa081609a14a133e72bbeeb7eddc3e676c8bf094ab1e221c7160809c"
    "059908491a3af323a6c3a03f8d3ff285c3ea04fee0ebcd00f09f9043704356f865151e6364ac7f41d212a4b86678efeb8b9a509f67e3"
    "7042be7d48b85b55b6dc97d969052ecff059811ab25199fd939e7f61e27786b279ad0c90eac37f1e8fff66e60b5bebb9163c343c9bbf"
    "1197902ad6326d66c41320b0d362312f2dc8b3574217e4d92ba30bf2ec95d00579f64a74817cb12bc9cf99d01aafb1d360348e5ce5d6"
)
DEFLATED = bytes.fromhex(
    "78da9bc6c1c8c87060e28c230a45e67b19d7d4fa2eeeb91fef94f94d8eeb61d4c2bbf9a7aae7f4079ebcba79ffed3f4714d8f4eb0474"
    "54177d8ff35ffbc57363e763d9e9b98b4e9f16679073ff6e5a646452c0c876c4e186877acfae79fb9293af1866ec59cd3441dea0f49e"
    "d7e1caed8dedda35d35bea2cd8fbee4c79d23179f9daeb4a8b43940dae3e9df0c27643f38a0f2de1b5d5c7eb2ef04f6360646266619d"
    "306dca11050602e088f979c6d965b75680980a1cea73f78a5b542c4d6468ffd32b2c26dc6f52b0aa3ee9dbbebc8830a9f29bc78227ac"
    "4acd2b29aad44b4dc92c392250a9b56b7becaa0bd601ca13d7d63539b41e716c5a9c9892d2b8a2b834292b35b9a478d2929cd2bcd4c5"
    "b9a9458b8b534b9a96966496e4a4362e4a2b5aeb9c939859a49092aa0052b0a4a4b2207569666e627aea6498731841cee1fd3557f354"
    "eaf1c7da0dc7e523f75f9968f7a2d9dfa868d97cdb88dcdfe70ba5d7a13ae7e0942fe70c6eb7dc2e5409dd105237ad839ace61023927"
    "d8f7c612ad3f8d7bef71c6fdc8c84c52f7364ecc3dabfadfeb84fc9d393dff44a6a33aa775395b7afeff4bc1c1f35744366db036a2a6"
    "739841ce69deb88a438c73a197b05dd1ee77dbdfdeb14bcfe9fe3065b59c924c6142c31cd699a8cee1f094b2faacbcecf002fb5efb4f"
    "ad875f51d3392c20e7fc7bf0fa2cc387f9139c0b9cc37ea48aca25a7aca977bc24b464475ac5fbd7ddb302509d333ffd7181d3be5a8f"
    "1dd1a1dbee4cbf99494de7b0829ca377fe4364a3d4a6c0997f27cfab4f7c54deb6a9722dcf845787ebe5faffa73de38e4675ceeb9d62"
    "362636b3f70b4e9fa075cd28378d0ace01003f5bd5ff"
)


def _answer(given: Mapping[str, Any]) -> Any:
    frame = bytes.fromhex(given["bytes"])
    message = message_of(frame, shared(FEATURES, given.get("features", FEATURES)))
    return {"frame": encode_message(message).hex()}


OPERATIONS = {"uncompressed": _answer}


def answer(op: str, given: Mapping[str, Any]) -> Case:
    """What the package says: {"out": …} or {"error": code}."""
    try:
        return {"out": OPERATIONS[op](given)}
    except (FormError, RemoteProtocolError) as error:
        return {"error": error.code}
    except KeyError:
        return {"error": "unsupported"}


_TEXT = (
    "uncompressed (bytes: a frame as it travels; features: those both hellos name, else both of this chapter) → frame, "
    "the frame of packs it stands for, or the code that ends the session."
)


def vectors() -> dict[str, Any]:
    """The vectors of this chapter."""
    cases: list[Case] = []
    _good(cases)
    _bad(cases)
    return {"chapter": "36-compression", "operations": _TEXT, "cases": cases}


def _frame(method: int, frame: bytes, data: bytes, size: int | None = None) -> bytes:
    return encode([22, method, len(frame) if size is None else size, data])


def zstd(content: bytes, *, window: int = 6 << 3, flags: int = 0, head: bytes = b"", ends: bytes = b"") -> bytes:
    """A zstd frame by hand: blocks as they are. `window`: the descriptor, instead of which `head` may stand."""
    made = b"\x28\xb5\x2f\xfd" + bytes([flags]) + (head or bytes([window]))
    blocks = [content[at : at + 500] for at in range(0, len(content), 500)] or [b""]
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1 and not ends
        made += (len(block) << 3 | last).to_bytes(3, "little") + block
    return made + ends


def zlib_stream(content: bytes, *, head: bytes = b"\x78\x01", check: int | None = None) -> bytes:
    """A zlib stream by hand: blocks as they are."""
    made = head
    blocks = [content[at : at + 500] for at in range(0, len(content), 500)] or [b""]
    for number, block in enumerate(blocks):
        size = len(block).to_bytes(2, "little")
        made += bytes([number == len(blocks) - 1]) + size + bytes(255 - byte for byte in size) + block
    return made + (zlib.adler32(content) if check is None else check).to_bytes(4, "big")


def _good(cases: list[Case]) -> None:
    def good(name: str, frame: bytes, **more: Any) -> None:
        given = {"bytes": frame.hex(), **more}
        expected = {"out": {"frame": FRAME.hex()}}
        if answer("uncompressed", given) != expected:
            raise AssertionError(f"{name}: {answer('uncompressed', given)}")
        cases.append({"name": name, "op": "uncompressed", "in": given, **expected})

    good("packs as they are", FRAME)
    good("zstd", _frame(1, FRAME, ZSTD))
    good("zstd where only zstd is named", _frame(1, FRAME, ZSTD), features=["zstd"])
    good("zstd with a checksum and without a content size", _frame(1, FRAME, ZSTD_CHECKED))
    good("zstd in blocks as they are", _frame(1, FRAME, zstd(FRAME)))
    good("zstd with an empty block at the end", _frame(1, FRAME, zstd(FRAME, ends=b"\1\0\0")))
    good("zstd with a window of 1 MiB", _frame(1, FRAME, zstd(FRAME, window=10 << 3)))
    content_size = (len(FRAME) - 256).to_bytes(2, "little")
    good("zstd with its content in one piece", _frame(1, FRAME, zstd(FRAME, flags=0x60, head=content_size)))
    good("deflate", _frame(2, FRAME, DEFLATED))
    good("deflate where only deflate is named", _frame(2, FRAME, DEFLATED), features=["deflate"])
    good("deflate in blocks as they are", _frame(2, FRAME, zlib_stream(FRAME)))


def _bad(cases: list[Case]) -> None:
    def bad(name: str, frame: Any, code: str = "bad_compression", **more: Any) -> None:
        given = {"bytes": (frame if isinstance(frame, bytes) else encode(frame)).hex(), **more}
        if answer("uncompressed", given) != {"error": code}:
            raise AssertionError(f"{name}: {answer('uncompressed', given)} where {code} is expected")
        cases.append({"name": name, "op": "uncompressed", "in": given, "error": code})

    size = len(FRAME)
    bad("three values", [22, 1, size], "bad_message")
    bad("five values", [22, 1, size, ZSTD, 0], "bad_message")
    bad("method 0", [22, 0, size, ZSTD], "bad_message")
    bad("method 3", [22, 3, size, ZSTD], "bad_message")
    bad("a method as text", [22, "zstd", size, ZSTD], "bad_message")
    bad("size 0", [22, 1, 0, ZSTD], "bad_message")
    bad("a size of 1 MiB and 1", [22, 1, 2**20 + 1, ZSTD], "bad_message")
    bad("no data", [22, 1, size, b""], "bad_message")
    bad("data as text", [22, 1, size, "a"], "bad_message")
    bad("cut off", encode([22, 1, size, ZSTD])[:-1], "bad_frame")
    bad("zstd where only deflate is named", _frame(1, FRAME, ZSTD), "unexpected_message", features=["deflate"])
    bad("deflate where only zstd is named", _frame(2, FRAME, DEFLATED), "unexpected_message", features=["zstd"])
    bad("zstd where neither is named", _frame(1, FRAME, ZSTD), "unexpected_message", features=["live"])
    for name, number, data, stored in (("zstd", 1, ZSTD, zstd), ("deflate", 2, DEFLATED, zlib_stream)):
        bad(f"{name}: a size one too small", _frame(number, FRAME, data, size - 1))
        bad(f"{name}: a size one too large", _frame(number, FRAME, data, size + 1))
        bad(f"{name}: a size of 1 MiB", _frame(number, FRAME, data, 2**20))
        bad(f"{name}: data that end early", _frame(number, FRAME, data[:-1]))
        bad(f"{name}: a byte behind the data", _frame(number, FRAME, data + b"\0"))
        bad(f"{name}: the data twice", _frame(number, FRAME + FRAME, data + data))
        bad(f"{name}: the other method's data", _frame(3 - number, FRAME, data))
        bad(f"{name}: a flipped bit in the head", _frame(number, FRAME, bytes([data[0] ^ 4]) + data[1:]))
        done = encode_message(Done(0, 0))
        bad(f"{name}: something else than packs", _frame(number, done, stored(done)))
        inner = _frame(number, FRAME, data)
        bad(f"{name}: compressed twice", _frame(number, inner, stored(inner)))
        bad(f"{name}: nothing", _frame(number, b"", stored(b""), 1))
        packs = encode([8, 1, 1, 0, None, [[1, 2]]])
        bad(f"{name}: packs that are none", _frame(number, packs, stored(packs)), "bad_message")
        behind = FRAME + b"\0"
        bad(f"{name}: packs with a byte behind", _frame(number, behind, stored(behind)), "bad_frame")
    bad("zstd: a dictionary", _frame(1, FRAME, zstd(FRAME, flags=1, head=bytes([6 << 3, 7]))))
    bad("zstd: the reserved bit", _frame(1, FRAME, zstd(FRAME, flags=8)))
    bad("zstd: a window above 1 MiB", _frame(1, FRAME, zstd(FRAME, window=10 << 3 | 1)))
    bad("zstd: a window of 8 MiB", _frame(1, FRAME, zstd(FRAME, window=13 << 3)))
    bad("zstd: a content size of 1 TiB", _frame(1, FRAME, zstd(FRAME, flags=0xE0, head=(2**40).to_bytes(8, "little"))))
    wrong = (size + 1).to_bytes(4, "little")
    bad("zstd: a content size that is not so", _frame(1, FRAME, zstd(FRAME, flags=0xA0, head=wrong)))
    checked = ZSTD_CHECKED[:-1] + bytes([ZSTD_CHECKED[-1] ^ 1])
    bad("zstd: a wrong checksum", _frame(1, FRAME, checked))
    bad("zstd: a block of a reserved type", _frame(1, FRAME, zstd(FRAME, ends=b"\7\0\0")))
    skipped = b"\x50\x2a\x4d\x18\x01\0\0\0\0"
    bad("zstd: a skippable frame before", _frame(1, FRAME, skipped + ZSTD))
    bad("zstd: a skippable frame behind", _frame(1, FRAME, ZSTD + skipped))
    bad("zstd: an older magic number", _frame(1, FRAME, b"\x27" + ZSTD[1:]))
    bad("zstd: the magic number alone", _frame(1, FRAME, ZSTD[:4]))
    zeros = b"".join((2**17 << 3 | 2 | (n == 8191)).to_bytes(3, "little") + b"\0" for n in range(8192))
    bad("zstd: 1 GiB of zeros in 32 KiB", _frame(1, FRAME, zstd(b"", window=7 << 3)[:6] + zeros, 2**20))
    bad("deflate: a wrong Adler-32", _frame(2, FRAME, zlib_stream(FRAME, check=1)))
    bad("deflate: without its zlib head", _frame(2, FRAME, zlib_stream(FRAME, head=b"")))
    bad("deflate: a preset dictionary", _frame(2, FRAME, zlib_stream(FRAME, head=b"\x78\x20\0\0\0\1")))
    bad("deflate: a gzip file", _frame(2, FRAME, zlib_stream(FRAME, head=b"\x1f\x8b\x08\0\0\0\0\0\0\x03")))
    bad("deflate: a block of a reserved type", _frame(2, FRAME, b"\x78\x01\x07"))
