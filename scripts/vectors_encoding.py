"""Vectors of chapter 10: canonical MessagePack. See `vectors_core`."""

from __future__ import annotations

from vectors_core import Cases

_GOOD = {  # name: (mode, bytes); what they mean is told by the package and checked by the harness
    "nil": ("wire", "c0"), "false": ("wire", "c2"), "true": ("wire", "c3"),
    "0": ("wire", "00"), "127": ("wire", "7f"), "128": ("wire", "cc80"), "255": ("wire", "ccff"),
    "256": ("wire", "cd0100"), "65535": ("wire", "cdffff"), "65536": ("wire", "ce00010000"),
    "2^32-1": ("wire", "ceffffffff"), "2^32": ("wire", "cf0000000100000000"),
    "2^53-1 in a body": ("body", "81a161cf001fffffffffffff"), "-(2^53-1) in a body": ("body", "81a161d3ffe0000000000001"),
    "2^64-1 on the wire": ("wire", "cfffffffffffffffff"), "-2^63 on the wire": ("wire", "d38000000000000000"),
    "-1": ("wire", "ff"), "-32": ("wire", "e0"), "-33": ("wire", "d0df"), "-128": ("wire", "d080"),
    "-129": ("wire", "d1ff7f"), "-32768": ("wire", "d18000"), "-32769": ("wire", "d2ffff7fff"),
    "-2^31": ("wire", "d280000000"), "-2^31-1": ("wire", "d3ffffffff7fffffff"),
    "empty string": ("wire", "a0"), "31 bytes of text": ("wire", "bf" + "61" * 31),
    "32 bytes of text": ("wire", "d920" + "61" * 32), "256 bytes of text": ("wire", "da0100" + "61" * 256),
    "65536 bytes of text": ("wire", "db00010000" + "61" * 65536),
    "text outside ASCII": ("wire", "ad6bc3aaf09f8c8ae282acce9421"),
    "text not in NFC stays as it is": ("wire", "a365cc81"),
    "U+FFFF and U+10FFFF": ("wire", "a7efbfbff48fbfbf"),
    "empty bytes": ("wire", "c400"), "255 bytes": ("wire", "c4ff" + "00" * 255), "256 bytes": ("wire", "c50100" + "00" * 256),
    "empty array": ("wire", "90"), "16 items": ("wire", "dc0010" + "00" * 16), "empty map": ("body", "80"),
    "16 pairs": ("body", "de0010" + "".join(f"a1{97 + n:02x}c0" for n in range(16))),
    "keys in the order of their bytes": ("body", "84a0c0a141c0a16101a26161c3"),
    "a short key before a longer one it begins": ("body", "82a161c0a26162c0"),
    "keys beyond the basic plane after U+FFFF": ("body", "82a3efbfbfc0a4f0908080c0"),
    "16 containers in each other": ("wire", "91" * 15 + "90"), "16 maps in each other": ("body", "81a161" * 15 + "80"),
}  # fmt: skip

_BAD = {  # name: (code, mode, bytes)
    "nothing": ("truncated", "wire", ""),
    "a string that ends early": ("truncated", "wire", "a26b"),
    "bytes that end early": ("truncated", "wire", "c40200"),
    "a length that ends early": ("truncated", "wire", "c501"),
    "an integer that ends early": ("truncated", "wire", "cd01"),
    "an array that claims 2^32-1 items": ("truncated", "wire", "ddffffffff"),
    "an array that claims one item too many": ("truncated", "wire", "9201"),
    "a map that claims one pair too many": ("truncated", "wire", "82a161c0"),
    "a map that claims 2^32-1 pairs": ("truncated", "wire", "dfffffffff"),
    "a string that claims 2^32-1 bytes": ("truncated", "wire", "dbffffffff"),
    "nested claims of 2^16 items": ("truncated", "wire", "dd00010000" * 12),
    "a second value": ("trailing_bytes", "wire", "c0c0"),
    "a byte after a map": ("trailing_bytes", "body", "8000"),
    "float 32": ("forbidden_type", "wire", "ca3f800000"), "float 64": ("forbidden_type", "wire", "cb3ff0000000000000"),
    "float 64 in a body": ("forbidden_type", "body", "81a161cb3ff0000000000000"),
    "a head that MessagePack never uses": ("forbidden_type", "wire", "c1"),
    "extension of 1 byte": ("forbidden_type", "wire", "d40100"), "extension, 8-bit length": ("forbidden_type", "wire", "c7000a"),
    "a timestamp": ("forbidden_type", "wire", "d6ff00000000"), "a 64-bit timestamp": ("forbidden_type", "wire", "d7ff" + "00" * 8),
    "an integer as key": ("forbidden_type", "wire", "8101c0"), "bytes as key": ("forbidden_type", "wire", "81c40161c0"),
    "nil as key": ("forbidden_type", "wire", "81c0c0"), "an array as key": ("forbidden_type", "wire", "8190c0"),
    "a map as key": ("forbidden_type", "wire", "8180c0"), "true as key": ("forbidden_type", "wire", "81c3c0"),
    "a byte of text that is not UTF-8": ("bad_text", "wire", "a1ff"), "an overlong form": ("bad_text", "wire", "a2c0af"),
    "half a surrogate pair": ("bad_text", "wire", "a3eda080"), "a surrogate pair in UTF-8": ("bad_text", "wire", "a6eda080edb080"),
    "above U+10FFFF": ("bad_text", "wire", "a4f4908080"), "U+0000": ("bad_text", "wire", "a100"),
    "U+0000 within": ("bad_text", "wire", "a3610062"), "U+0000 in a key": ("bad_text", "wire", "81a100c0"),
    "text cut inside a character": ("bad_text", "wire", "a1c3"),
    "17 arrays in each other": ("too_deep", "wire", "91" * 16 + "90"), "17 maps in each other": ("too_deep", "body", "81a161" * 16 + "80"),
    "2,000 arrays in each other": ("too_deep", "wire", "91" * 2000 + "c0"),
    "keys in falling order": ("key_order", "wire", "82a162c0a161c0"), "a key twice": ("key_order", "wire", "82a161c0a161c0"),
    "a longer key before its beginning": ("key_order", "wire", "82a26161c0a161c0"),
    "keys in the order of UTF-16": ("key_order", "wire", "82a4f0908080c0a3efbfbfc0"),
    "2^53 in a body": ("integer_range", "body", "81a161cf0020000000000000"),
    "-(2^53) in a body": ("integer_range", "body", "81a161d3ffe0000000000000"),
    "2^63 in a body": ("integer_range", "body", "81a161cf8000000000000000"),
    "2^53 in an array of a body": ("integer_range", "body", "81a16191cf0020000000000000"),
    "5 in two bytes": ("not_canonical", "wire", "cc05"), "255 in three": ("not_canonical", "wire", "cd00ff"),
    "65535 in five": ("not_canonical", "wire", "ce0000ffff"), "2^32-1 in nine": ("not_canonical", "wire", "cf00000000ffffffff"),
    "5 as a signed integer": ("not_canonical", "wire", "d005"), "128 as a signed integer": ("not_canonical", "wire", "d10080"),
    "0 as a signed integer": ("not_canonical", "wire", "d000"), "-32 in two bytes": ("not_canonical", "wire", "d0e0"),
    "-128 in three": ("not_canonical", "wire", "d1ff80"), "-32768 in five": ("not_canonical", "wire", "d2ffff8000"),
    "-2^31 in nine": ("not_canonical", "wire", "d3ffffffff80000000"),
    "short text, 8-bit length": ("not_canonical", "wire", "d90161"), "text, 16-bit length": ("not_canonical", "wire", "da0020" + "61" * 32),
    "text, 32-bit length": ("not_canonical", "wire", "db00000100" + "61" * 256),
    "bytes, 16-bit length": ("not_canonical", "wire", "c5000100"), "bytes, 32-bit length": ("not_canonical", "wire", "c60000000100"),
    "array, 16-bit length": ("not_canonical", "wire", "dc000100"), "array, 32-bit length": ("not_canonical", "wire", "dd0000000100"),
    "map, 16-bit length": ("not_canonical", "wire", "de0001a161c0"), "map, 32-bit length": ("not_canonical", "wire", "df00000001a161c0"),
    "key, 8-bit length": ("not_canonical", "wire", "81d90161c0"),
    "two faults, the first from the left counts": ("bad_text", "wire", "93a1ffcc05c1"),
    "two faults, the other way round": ("not_canonical", "wire", "93cc05a1ffc1"),
}  # fmt: skip


def encoding_cases() -> Cases:
    cases = Cases()
    for name, (mode, data) in _GOOD.items():
        cases.good(name, "decode", mode=mode, bytes=data)
    for name, (code, mode, data) in _BAD.items():
        cases.bad(name, code, "decode", mode=mode, bytes=data)
    cases.good("as long as allowed", "decode", mode="wire", bytes="c4020000", bytes_max=4)
    cases.bad("longer than allowed", "too_large", "decode", mode="wire", bytes="c4020000", bytes_max=3)
    cases.bad("a body of 65,537 bytes", "too_large", "decode", mode="body", bytes="c0" * 65537)
    unordered = {"map": [["b", 1], ["a", {"hex": "00ff"}], ["\U00010000", None], ["\uffff", True], ["", -33]]}
    cases.good("encode puts keys in order", "encode", mode="body", value=unordered)
    cases.good("encode 2^64-1", "encode", mode="wire", value={"int": str(2**64 - 1)})
    cases.bad("encode 2^64", "integer_range", "encode", mode="wire", value={"int": str(2**64)})
    cases.bad("encode -2^63-1", "integer_range", "encode", mode="wire", value={"int": str(-(2**63) - 1)})
    cases.bad(
        "encode 2^53 in a body", "integer_range", "encode", mode="body", value={"map": [["a", {"int": str(2**53)}]]}
    )
    cases.bad("encode U+0000", "bad_text", "encode", mode="wire", value="a\0")
    deep: object = []
    for _ in range(16):
        deep = [deep]
    cases.bad("encode 17 arrays in each other", "too_deep", "encode", mode="wire", value=deep)
    return cases
