"""Vectors of chapter 11: keys, the signature predicate and its edge cases, key text, recovery, words.

The edge cases follow the families of Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020); each is
constructed here, and what the cofactorless and the cofactored equation say of it stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import edwards as ed
from vectors_core import Cases

_RFC_8032 = (  # section 7.1: seed, public key, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)


def _scalar(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest(), "little") % ed.L


A_SCALAR = _scalar("p2pcommons vectors a")
R_SCALAR = _scalar("p2pcommons vectors r")
A = ed.multiply(A_SCALAR, ed.BASE)
R = ed.multiply(R_SCALAR, ed.BASE)
MIXED_A = ed.add(A, ed.ORDER_8)
MIXED_R = ed.add(R, ed.ORDER_8)


def _message_where(wanted: Callable[[bytes], bool]) -> bytes:
    number = 0
    while not wanted(message := b"p2pcommons message " + str(number).encode()):
        number += 1
    return message


def _edge(
    cases: Cases, name: str, a: ed.Point, r: ed.Point, s: Callable[[int], int], *, strict: bool, cofactored: bool,
    valid: bool, a_bytes: bytes | None = None, r_bytes: bytes | None = None,
) -> None:  # fmt: skip
    """One case with a message for which the two equations say what they should."""
    public, first = a_bytes or ed.encode(a), r_bytes or ed.encode(r)

    def signed(message: bytes) -> int:
        return s(ed.hash_scalar(first, public, message))

    def wanted(message: bytes) -> bool:
        return ed.equation(a, public, r, first, signed(message), message) == (strict, cofactored)

    message = _message_where(wanted)
    says = f"{name} [cofactorless {'holds' if strict else 'fails'}, cofactored {'holds' if cofactored else 'fails'}]"
    cases.expect(
        says, "verify", {"valid": valid}, public=public.hex(), message=message.hex(),
        signature=ed.signature(first, signed(message)).hex(),
    )  # fmt: skip


def _edges(cases: Cases) -> None:
    def usual(k: int) -> int:
        return (R_SCALAR + k * A_SCALAR) % ed.L

    both = {"strict": True, "cofactored": True}
    order_2, order_4 = ed.multiply(4, ed.ORDER_8), ed.multiply(2, ed.ORDER_8)
    for order, point in ((1, ed.IDENTITY), (2, order_2), (4, order_4), (8, ed.ORDER_8)):
        _edge(cases, f"A of order {order}, R of prime order", point, R, lambda k: R_SCALAR, valid=False, **both)
        _edge(cases, f"R of order {order}, A of prime order", A, point, lambda k: k * A_SCALAR % ed.L, valid=False,
              strict=order == 1, cofactored=True)  # fmt: skip
        _edge(
            cases,
            f"R of order {order}, A of mixed order",
            MIXED_A,
            point,
            lambda k: k * A_SCALAR % ed.L,
            valid=False,
            **both,
        )
    negative = ed.multiply(7, ed.ORDER_8)
    _edge(cases, "A and R of order 8, S = 0", ed.ORDER_8, negative, lambda k: 0, valid=False, **both)
    _edge(cases, "A and R of order 8, S = 0, equation off by a small point", ed.ORDER_8, negative, lambda k: 0,
          valid=False, strict=False, cofactored=True)  # fmt: skip
    _edge(cases, "A of order 8, R of mixed order", ed.ORDER_8, MIXED_R, lambda k: R_SCALAR, valid=False, **both)
    _edge(cases, "A and R of prime order", A, R, usual, valid=True, **both)
    _edge(cases, "A and R of mixed order", MIXED_A, MIXED_R, usual, valid=True, **both)
    _edge(cases, "A and R of mixed order, small parts do not cancel", MIXED_A, MIXED_R, usual, valid=False,
          strict=False, cofactored=True)  # fmt: skip
    _edge(cases, "A of mixed order, R of prime order, k a multiple of 8", MIXED_A, R, usual, valid=True, **both)
    _edge(cases, "A of mixed order, R of prime order, k no multiple of 8", MIXED_A, R, usual, valid=False,
          strict=False, cofactored=True)  # fmt: skip
    _edge(cases, "A of prime order, R of mixed order", A, MIXED_R, usual, valid=False, strict=False, cofactored=True)
    for times in (1, 2, 7):
        _edge(cases, f"S + {times} L", A, R, lambda k, times=times: usual(k) + times * ed.L, valid=False, **both)  # type: ignore[misc]
    _edge(cases, "S with its highest bits set", A, R, lambda k: usual(k) + 15 * ed.L - (0 if usual(k) < 2**251 else ed.L),
          valid=False, **both)  # fmt: skip
    _edge(cases, "S = L, for S = 0", ed.ORDER_8, negative, lambda k: ed.L, valid=False, **both)

    _reduction(cases)

    def raw(y: int, odd: int = 0) -> bytes:
        return (y | odd << 255).to_bytes(32, "little")

    minus_zero = {"1, minus zero": raw(1, 1), "1 as p+1": raw(ed.P + 1), "1 as p+1, minus zero": raw(ed.P + 1, 1)}
    for name, encoded in minus_zero.items():
        _edge(cases, f"R the identity, y = {name}", A, ed.IDENTITY, lambda k: k * A_SCALAR % ed.L, valid=False,
              r_bytes=encoded, **both)  # fmt: skip
        _edge(
            cases,
            f"A the identity, y = {name}",
            ed.IDENTITY,
            R,
            lambda k: R_SCALAR,
            valid=False,
            a_bytes=encoded,
            **both,
        )
    _edge(cases, "A of order 2, y = p-1, minus zero", order_2, R, lambda k: R_SCALAR, valid=False,
          a_bytes=raw(ed.P - 1, 1), **both)  # fmt: skip
    for odd in (0, 1):
        point = (ed.x_of(0, odd) or 0, 0)
        _edge(
            cases,
            f"A of order 4, y = p, sign {odd}",
            point,
            R,
            lambda k: R_SCALAR,
            valid=False,
            a_bytes=raw(ed.P, odd),
            **both,
        )
        _edge(cases, f"R of order 4, y = p, sign {odd}", MIXED_A, point, lambda k: k * A_SCALAR % ed.L, valid=False,
              r_bytes=raw(ed.P, odd), **both)  # fmt: skip
    large = next(y for y in range(2, 19) if ed.x_of(y, 0) is not None)
    off_curve = next(y for y in range(2, 99) if ed.x_of(y, 0) is None)
    message = b"p2pcommons message".hex()
    signed = ed.signature(ed.encode(R), 1)
    for name, public, signature in (
        (f"A of large order, y = p+{large}", raw(ed.P + large), signed),
        ("A is no point of the curve", raw(off_curve), signed),
        ("R is no point of the curve", ed.encode(A), ed.signature(raw(off_curve), 1)),
        (f"R of large order, y = p+{large}", ed.encode(A), ed.signature(raw(ed.P + large), 1)),
        ("A all ones", b"\xff" * 32, signed), ("R all ones", ed.encode(A), ed.signature(b"\xff" * 32, 1)),
    ):  # fmt: skip
        cases.expect(name, "verify", {"valid": False}, public=public.hex(), message=message, signature=signature.hex())


def _reduction(cases: Cases) -> None:
    """ID-4: k is reduced modulo L before A is multiplied, which matters where A has a small part."""
    first, public = ed.encode(MIXED_R), ed.encode(MIXED_A)

    def holds(message: bytes, k: int) -> bool:
        s = (R_SCALAR + k * A_SCALAR) % ed.L
        return ed.multiply(s, ed.BASE) == ed.add(MIXED_R, ed.multiply(k, MIXED_A))

    for reduced in (True, False):

        def wanted(message: bytes, reduced: bool = reduced) -> bool:
            k = ed.hash_integer(first, public, message)
            return holds(message, k % ed.L) == reduced and holds(message, k) != reduced

        message = _message_where(wanted)
        s = (R_SCALAR + ed.hash_integer(first, public, message) * A_SCALAR) % ed.L
        name = "the equation holds only with k reduced" if reduced else "the equation holds only with k not reduced"
        cases.expect(name, "verify", {"valid": reduced}, public=public.hex(), message=message.hex(),
                     signature=ed.signature(first, s).hex())  # fmt: skip


def identity_cases() -> Cases:
    cases = Cases()
    for number, (seed, public, message, signature) in enumerate(_RFC_8032, 1):
        name = f"RFC 8032 test {number}"
        signed = {"public": public, "signature": signature}
        cases.expect(f"{name}, sign", "sign", signed, seed=seed, message=message)
        cases.expect(f"{name}, verify", "verify", {"valid": True}, **signed, message=message)
    _, public, message, signature = _RFC_8032[2]
    no = {"valid": False}
    cases.expect("another message", "verify", no, public=public, message="af83", signature=signature)
    cases.expect("another key", "verify", no, public=_RFC_8032[0][1], message=message, signature=signature)
    cases.expect("a signature of 63 bytes", "verify", no, public=public, message=message, signature=signature[:-2])
    cases.expect("a signature of 65 bytes", "verify", no, public=public, message=message, signature=signature + "00")
    cases.expect("a key of 31 bytes", "verify", no, public=public[:-2], message=message, signature=signature)
    cases.expect("no signature", "verify", no, public=public, message=message, signature="")
    cases.expect("R negated", "verify", no, public=public, message=message,
                 signature=signature[:62] + f"{int(signature[62:64], 16) ^ 128:02x}" + signature[64:])  # fmt: skip
    _edges(cases)
    for number in range(3):
        key = _RFC_8032[number][1]
        text = cases.good(f"did:key of RFC 8032 test {number + 1}", "did_key", public=key)["text"]
        cases.expect(f"{text[:20]}… is read", "parse_did_key", {"public": key}, text=text)
    cases.expect("without did:key:", "parse_did_key", {"public": key}, text=text.removeprefix("did:key:"))
    bare = text.removeprefix("did:key:z")
    for name, wrong in {
        "a letter that base58 has not": "did:key:z" + bare[:-1] + "0",
        "another multibase": "did:key:m" + bare,
        "another kind of key": "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
        "one letter missing": "did:key:z" + bare[:-1],
        "one letter too many": "did:key:z" + bare + "1",
        "a leading zero byte": "did:key:z1" + bare,
        "only the prefix": "did:key:z",
        "nothing": "",
        "a fragment behind it": text + "#" + bare,
        "white space": " " + text,
    }.items():
        cases.bad(name, "bad_key", "parse_did_key", text=wrong)
    for name, point in {"order 1": ed.IDENTITY, "order 4": ed.multiply(2, ed.ORDER_8), "order 8": ed.ORDER_8}.items():
        wrong = cases.good(
            f"did:key of a point of {name} (writing asks nothing)", "did_key", public=ed.encode(point).hex()
        )
        cases.bad(f"a key of {name}", "bad_key", "parse_did_key", text=wrong["text"])
    wrong = cases.good(
        "did:key of y = p+3 (writing asks nothing)", "did_key", public=(ed.P + 3).to_bytes(32, "little").hex()
    )
    cases.bad("a key with y = p+3", "bad_key", "parse_did_key", text=wrong["text"])
    for entropy in ("00" * 16, "7f" * 16, "000102030405060708090a0b0c0d0e0f"):
        cases.good(f"recovery key of {entropy}", "recovery", entropy=entropy)
    cases.bad("recovery key of 15 bytes", "bad_words", "recovery", entropy="00" * 15)
    cases.bad("recovery key of 32 bytes", "bad_words", "recovery", entropy="00" * 32)
    return cases


def words_cases() -> Cases:
    """Recovery words: apart, because they need the word lists of BIP 39."""
    cases = Cases()
    english = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    cases.expect("BIP 39 example", "words", {"words": english}, entropy="7f" * 16, language="en")
    french = cases.good("in French", "words", entropy="000102030405060708090a0b0c0d0e0f", language="fr")["words"]
    same = {"entropy": "000102030405060708090a0b0c0d0e0f"}
    cases.expect("French is read", "entropy", same, words=french)
    cases.expect("capitals", "entropy", {"entropy": "7f" * 16}, words=english.upper())
    cases.expect("without accents", "entropy", {"entropy": "f0" * 16},
                 words=cases.good("French with accents", "words", entropy="f0" * 16, language="fr")["words"]
                 .translate(str.maketrans("éèêàçùâîôû", "eeeacuaiou")))  # fmt: skip
    cases.expect("numbered, on lines", "entropy", {"entropy": "7f" * 16},
                 words="\n".join(f"{n}. {word}" for n, word in enumerate(english.split(), 1)))  # fmt: skip
    first = english.split()
    for name, wrong in {
        "no words": "",
        "eleven words": " ".join(first[:-1]),
        "thirteen words": " ".join([*first, "legal"]),
        "a word of no list": " ".join([*first[:-1], "p2pcommons"]),
        "two words exchanged": " ".join([*first[:-2], first[-1], first[-2]]),
        "two languages": " ".join([*first[:6], *french.split()[6:]]),
    }.items():
        cases.bad(name, "bad_words", "entropy", words=wrong)
    cases.bad("a language without a list", "unknown_language", "words", entropy="00" * 16, language="tlh")
    cases.bad("words of 15 bytes", "bad_words", "words", entropy="00" * 15, language="en")
    return cases
