"""Bugs to plant, one at a time: what each breaks, where, and which tests must see it. `scripts/mutants` does the planting.

A bug that no test sees is a law that nothing holds up. Each text to replace occurs once in its file: where the code
has moved on, the script says so, and the bug is planted anew.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Planted(NamedTuple):
    """One bug. `law`: what no longer holds, in words; `tests`: where it must be seen."""

    law: str
    path: str
    was: str
    bug: str
    tests: tuple[str, ...]


CORE: Final = (
    "tests/vectors/test_vectors.py",
    "tests/unit/test_encoding.py",
    "tests/unit/test_record.py",
    "tests/unit/test_seal.py",
    "tests/unit/test_merkle.py",
    "tests/unit/test_clock.py",
    "tests/unit/test_identity.py",
    "tests/property/test_core_laws.py",
)
MERGE: Final = ("tests/vectors/test_merge_vectors.py", "tests/unit/test_entry.py", "tests/property/test_merge_laws.py")
CHARTER: Final = (
    "tests/vectors/test_charter_vectors.py",
    "tests/unit/test_charter.py",
    "tests/property/test_set_laws.py",
)
SETS: Final = ("tests/property/test_hostile_peer.py", "tests/property/test_replica_laws.py")
SAMENESS: Final = (
    "tests/unit/test_digest.py",
    "tests/property/test_digest_laws.py",
    "tests/vectors/test_sessions_vectors.py",
)
RANGES: Final = (
    "tests/unit/test_ranges.py",
    "tests/vectors/test_ranges_vectors.py",
    "tests/property/test_ranges_laws.py",
)
SESSION: Final = (
    "tests/vectors/test_sessions_vectors.py",
    "tests/unit/test_session.py",
    "tests/property/test_session_laws.py",
    "tests/simulation/test_meetings.py",
)
COMPRESSION: Final = (
    "tests/unit/test_compression.py",
    "tests/property/test_compression_laws.py",
    "tests/vectors/test_compression_vectors.py",
)
STORE: Final = ("tests/store",)
WORLDS: Final = ("tests/simulation/test_universe.py",)
TAKING: Final = ("tests/unit/test_replica.py",)
LEAVING: Final = ("tests/property/test_replica_laws.py::test_what_a_purge_takes_out_of_the_charter_leaves_the_store",)

PLANTED: Final = (
    # -- chapter 10, encoding
    Planted(
        "a map has no key twice",
        "p2pcommons/core/encoding.py",
        """        if last is not None and key <= last:
            raise FormError("key_order\"""",
        """        if last is not None and key < last:
            raise FormError("key_order\"""",
        CORE,
    ),
    Planted(
        "nothing stands behind a value",
        "p2pcommons/core/encoding.py",
        "    if at != len(data):\n",
        "    if at > len(data):\n",
        CORE,
    ),
    Planted(
        "no text holds U+0000",
        "p2pcommons/core/encoding.py",
        '    if "\\0" in text:\n',
        '    if text == "\\0":\n',
        CORE,
    ),
    Planted(
        "nesting is bounded",
        "p2pcommons/core/encoding.py",
        '    if depth >= NESTING_MAX:\n        raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")\n    if number',
        '    if depth > NESTING_MAX:\n        raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")\n    if number',
        CORE,
    ),
    Planted(
        "a number has one form",
        "p2pcommons/core/encoding.py",
        "        if number < least:\n",
        "        if number < least - 1:\n",
        CORE,
    ),
    # -- chapter 11, identity
    Planted(
        "a signature's R is canonical and not of small order",
        "p2pcommons/core/identity.py",
        "    if not is_point(signature[:32]) or int.from_bytes",
        "    if int.from_bytes",
        CORE,
    ),
    Planted(
        "a key is no point of small order",
        "p2pcommons/core/identity.py",
        "    if not is_point(public):\n        return None\n",
        "",
        CORE,
    ),
    # -- chapter 12, records
    Planted(
        "a body's hash is salted",
        "p2pcommons/core/record.py",
        "sha256(TAG_BODY + salt + body)",
        "sha256(TAG_BODY + body)",
        CORE,
    ),
    Planted(
        "a body is as long as its header says",
        "p2pcommons/core/record.py",
        "len(body) != header.body_size:",
        "len(body) > header.body_size:",
        CORE,
    ),
    Planted(
        "predecessors are named once",
        "p2pcommons/core/record.py",
        "len(item) != 32 or item <= last:",
        "len(item) != 32 or item < last:",
        CORE,
    ),
    Planted(
        "both ways of reading a header agree",
        "p2pcommons/core/record.py",
        "any(map(ge, prev, prev[1:]))",
        "any(map(ge, prev[1:], prev[2:]))",
        CORE,
    ),
    Planted(
        "hosts fold by A to Z alone",
        "p2pcommons/core/record.py",
        "host.translate(_ASCII_LOWER).removesuffix",
        "host.lower().removesuffix",
        CORE,
    ),
    Planted(
        "a key's times ascend",
        "p2pcommons/core/clock.py",
        "max(now_ms << 16, last + 1)",
        "max(now_ms << 16, last)",
        CORE,
    ),
    Planted(
        "ten minutes ahead is not yet later",
        "p2pcommons/core/clock.py",
        "return time >> 16 > now_ms + AHEAD_MS_MAX",
        "return time >> 16 >= now_ms + AHEAD_MS_MAX",
        CORE,
    ),
    # -- chapter 13, seals
    Planted(
        "trees split at the largest power of two",
        "p2pcommons/core/merkle.py",
        "    half = 1 << ((size - 1).bit_length() - 1)\n",
        "    half = size // 2\n",
        CORE,
    ),
    Planted(
        "an odd node moves up as it is",
        "p2pcommons/core/merkle.py",
        "            above.append(level[-1])\n",
        "            above.append(node_hash(level[-1], level[-1]))\n",
        CORE,
    ),
    Planted(
        "leaves and nodes are hashed apart",
        "p2pcommons/core/merkle.py",
        '    return sha256(b"\\1" + left + right).digest()\n',
        '    return sha256(b"\\0" + left + right).digest()\n',
        CORE,
    ),
    Planted(
        "nothing unsealed is taken",
        "p2pcommons/core/seal.py",
        "    if not check(author, signature, seal_message(commons, size, tree_root)):\n",
        "    if not check(author, signature, seal_message(commons, size, tree_root)) and size > 1:\n",
        CORE,
    ),
    Planted(
        "a leaf is listed once",
        "p2pcommons/core/seal.py",
        "not last < index < size:",
        "not last <= index < size:",
        CORE,
    ),
    Planted(
        "a founding record is sealed alone",
        "p2pcommons/core/seal.py",
        " or (commons == ZEROS and size != 1):",
        ":",
        CORE,
    ),
    Planted(
        "a body of any size gives its header back",
        "p2pcommons/core/seal.py",
        "_BIN32, body_hash(salt, body), pack_ordered(len(body))))",
        "_BIN32, body_hash(salt, body), pack_ordered(len(body) & 0xFFFF)))",
        CORE,
    ),
    Planted(
        "a body that a disk changed is not packed",
        "p2pcommons/sync/packing.py",
        "if is_whole(sealed.record) or hidden(sealed.record):",
        "if sealed.record.body is not None or hidden(sealed.record):",
        SETS,
    ),
    # -- chapter 20, merging
    Planted(
        "people's writes are superseded by people's alone",
        "p2pcommons/commons/acts.py",
        "own & (by_people if act.human else by_any)",
        "own & by_any",
        MERGE,
    ),
    Planted(
        "an import supersedes no correction",
        "p2pcommons/commons/acts.py",
        "        if act.human:\n            by_people |= own\n",
        "        by_people |= own\n",
        MERGE,
    ),
    Planted(
        "an edit beside a withdrawal keeps the entry",
        "p2pcommons/commons/acts.py",
        "(0 if act.human else before[act.record.id])",
        "before[act.record.id]",
        MERGE,
    ),
    Planted(
        "what erased writes had replaced stays replaced",
        "p2pcommons/commons/acts.py",
        "{key: CLEARED for key in erased if register_field(key) is not None}",
        "{}",
        (*MERGE, *SETS),
    ),
    Planted(
        "equal times are told apart by id",
        "p2pcommons/commons/acts.py",
        "    return act.record.time, act.record.id\n",
        '    return act.record.time, b""\n',
        MERGE,
    ),
    Planted(
        "what people wrote decides",
        "p2pcommons/commons/entry.py",
        "values = _values(by_people or by_imports)",
        "values = _values(by_people + by_imports)",
        MERGE,
    ),
    Planted(
        "of a set, too, what people wrote decides",
        "p2pcommons/commons/entry.py",
        "for write in by_people or by_imports if",
        "for write in by_imports or by_people if",
        MERGE,
    ),
    Planted(
        "a clear is no value",
        "p2pcommons/commons/entry.py",
        "found = [value for value in writes if value is not CLEARED]",
        "found = list(writes)",
        MERGE,
    ),
    # -- chapter 21, who counts
    Planted(
        "nobody writes before a door of theirs",
        "p2pcommons/commons/grounding.py",
        "        if not (door and door.key == header.author) and not past & self._doors_of.get(header.author, 0):\n",
        "        if not (door and door.key == header.author) and not past:\n",
        CHARTER,
    ),
    Planted(
        "joining takes the invitation's own key",
        "p2pcommons/commons/grounding.py",
        "return join.proof is not None and check(way.form.public, join.proof, join_message(commons, way.id, author))",
        "return join.proof is not None",
        CHARTER,
    ),
    Planted(
        "a key is rotated by its own recovery key",
        "p2pcommons/commons/grounding.py",
        "        if not makers & self._recoverable.get((old, hashed), 0):\n            return None\n",
        "",
        CHARTER,
    ),
    Planted(
        "a device agrees to be one",
        "p2pcommons/commons/grounding.py",
        "        if not self._check(device.key, device.proof, device_message(self.commons, author, device.key)):\n            return None\n",
        "",
        CHARTER,
    ),
    Planted(
        "a stamp has its bits",
        "p2pcommons/commons/stamp.py",
        ">> (256 - bits) == 0",
        ">> (257 - bits) == 0",
        CHARTER,
    ),
    Planted(
        "who was ended is back only by a grant that knew of it",
        "p2pcommons/commons/membership.py",
        "act.bit & within and not ends & ~act.past for act in self._grants",
        "act.bit & within for act in self._grants",
        CHARTER,
    ),
    Planted(
        "a quorum counts persons, not keys",
        "p2pcommons/commons/membership.py",
        "persons = {stewards[key] for key in (act.author, *approving) if key in stewards}",
        "persons = [stewards[key] for key in {act.author, *approving} if key in stewards]",
        CHARTER,
    ),
    Planted(
        "a purge cuts no door of its own past",
        "p2pcommons/commons/membership.py",
        "act.bit & within and not act.past & door.bit",
        "act.bit & within",
        CHARTER,
    ),
    Planted(
        "who is purged by name is no steward",
        "p2pcommons/commons/membership.py",
        "if root in roles and not any(act.bit & within for act in self._named.get(key, ()))",
        "if root in roles",
        CHARTER,
    ),
    Planted(
        "valid purges stay in the set",
        "p2pcommons/commons/membership.py",
        "        more.extend(act.id for act in self.valid)\n",
        "",
        (*CHARTER, *SETS),
    ),
    Planted(
        "of concurrent quorums the larger holds",
        "p2pcommons/commons/membership.py",
        "return max(act.form.quorum or 1",
        "return min(act.form.quorum or 1",
        CHARTER,
    ),
    Planted(
        "ballots are no heads",
        "p2pcommons/commons/charter.py",
        "    plain = [record for record in in_set if not record.header.kind.startswith(BALLOT_PREFIX)]\n",
        "    plain = list(in_set)\n",
        CHARTER,
    ),
    Planted(
        "bodies of the charter are never erased",
        "p2pcommons/commons/charter.py",
        "            if identifier in membership.set_ids:  # CHARTER-20: bodies of plane 0 are never erased\n                continue\n",
        "",
        (*CHARTER, *SETS),
    ),
    # -- chapter 30, sameness and sessions
    Planted(
        "what leaves a set leaves its digest",
        "p2pcommons/sync/digest.py",
        "_lanes_of(state) - lanes",
        "_lanes_of(state) + lanes",
        SAMENESS,
    ),
    Planted(
        "a digest holds the count",
        "p2pcommons/sync/digest.py",
        'sha256(state.count.to_bytes(8, "big") + state.lanes)',
        "sha256(bytes(8) + state.lanes)",
        SAMENESS,
    ),
    Planted(
        "nobody proves with the other's role",
        "p2pcommons/sync/handshake.py",
        "if not verify(key, signature, TAG_HELLO + role.to_byte() + transcript_hash):",
        "if not any(verify(key, signature, TAG_HELLO + one.to_byte() + transcript_hash) for one in Role):",
        SESSION,
    ),
    Planted(
        "the key that is meant is the key that is met",
        "p2pcommons/sync/handshake.py",
        "    if dialler.expected not in (ANYBODY, listener.key):\n",
        "    if dialler.expected == dialler.key:\n",
        SESSION,
    ),
    Planted(
        "an echo of names opens no commons",
        "p2pcommons/sync/naming.py",
        "            commons = self._answers.get(one)\n",
        "            commons = self._answers.get(one) or next(iter(self._answers.values()), None)\n",
        SESSION,
    ),
    Planted(
        "what waits for its past is bounded",
        "p2pcommons/sync/waiting.py",
        "if identifier in waits and len(kept) < UNGROUNDED_MAX and size <= UNGROUNDED_BYTES_MAX:",
        "if identifier in waits:",
        SETS,
    ),
    # -- chapter 31, ranges
    Planted(
        "a range's fingerprint holds how many it has",
        "p2pcommons/sync/ranges.py",
        "return sha256(total + varint(max(upper - lower, 0)))",
        "return sha256(total)",
        RANGES,
    ),
    Planted(
        "what only we have is told",
        "p2pcommons/sync/ranges.py",
        "if identifier not in theirs]",
        "if identifier not in theirs][1:]",
        RANGES,
    ),
    # -- chapter 36, compression
    Planted(
        "what is compressed has the size that it says",
        "p2pcommons/sync/compression.py",
        "if len(frame) != message.size:",
        "if len(frame) > message.size:",
        COMPRESSION,
    ),
    Planted(
        "decompressing ends at the size that was said",
        "p2pcommons/sync/compression.py",
        "method.decompress(message.data, message.size + 1)",
        "method.decompress(message.data, 16 * FRAME_BYTES_MAX)",
        COMPRESSION,
    ),
    Planted(
        "nothing but packs is compressed",
        "p2pcommons/sync/compression.py",
        "if not starts_like(frame, Packs):\n        _bad(",
        "if not frame:\n        _bad(",
        COMPRESSION,
    ),
    Planted(
        "nothing follows what is compressed",
        "p2pcommons/sync/compression.py",
        'if not reader.eof or reader.unused_data:\n        _bad("less or more than one zlib stream")',
        'if not reader.eof:\n        _bad("less or more than one zlib stream")',
        COMPRESSION,
    ),
    Planted(
        "no method is used that the hellos do not both name",
        "p2pcommons/sync/compression.py",
        "if method.feature in ours and method.feature in theirs)",
        "if method.feature in ours or method.feature in theirs)",
        COMPRESSION,
    ),
    # -- whole worlds, in which nothing but the laws of the simulation looks
    Planted(
        "what a purged key wrote goes with it",
        "p2pcommons/sync/holding.py",
        "touched = self._drop_authors(unadmitted) | self",
        "touched = self",
        WORLDS,
    ),
    Planted(
        "every entry that a record came to is folded anew",
        "p2pcommons/sync/holding.py",
        "            self._refold(others)\n        self._index(Plane.CATALOGUE",
        "            self._refold(sorted(others)[1:])\n        self._index(Plane.CATALOGUE",
        WORLDS,
    ),
    Planted(
        "a sum of views loses what a row replaces",
        "p2pcommons/sync/views.py",
        '                views -= int.from_bytes(before.digest, "big")\n',
        "",
        WORLDS,
    ),
    Planted(
        "a good seal is checked once",
        "p2pcommons/sync/verified.py",
        "        self._add(name)\n        return True",
        "        return True",
        WORLDS,
    ),
    Planted(
        "all that a sketch shows is asked for",
        "p2pcommons/sync/finding.py",
        "[item[:WANT_PREFIX_BYTES] for item in theirs]",
        "[item[:WANT_PREFIX_BYTES] for item in theirs[1:]]",
        WORLDS,
    ),
    Planted(
        "all that a sketch shows is given",
        "p2pcommons/sync/exchange.py",
        "dict.fromkeys(identifier for ids in named for identifier in ids))",
        "dict.fromkeys(identifier for ids in named[1:] for identifier in ids))",
        WORLDS,
    ),
    Planted(
        "a stream goes on to the end of the set",
        "p2pcommons/sync/flow.py",
        "        self._stream = (plane, last) if more else None\n",
        "        self._stream = None\n",
        WORLDS,
    ),
    Planted(
        "what was refused is off the digest of who holds it",
        "p2pcommons/sync/exchange.py",
        "        if refused:\n            state = remove(state, refused)",
        "        if len(refused) > 1:\n            state = remove(state, refused)",
        WORLDS,
    ),
    Planted(
        "what is too far ahead of the clock is not taken",
        "p2pcommons/sync/holding.py",
        '        if is_later(header.time, now_ms):\n            return "later"\n',
        "",
        TAKING,
    ),
    Planted(
        "who asks for too much is not served, nor remembered",
        "p2pcommons/sync/flow.py",
        'raise RemoteProtocolError("too_many_wants", f"more than {WANTS_MAX} ids are asked for at once")',
        "pass",
        WORLDS,
    ),
    Planted(
        "records that leave the set of plane 0 leave the store",
        "p2pcommons/sync/holding.py",
        "            self._store.drop_records(self.commons, leaving)\n",
        "",
        LEAVING,
    ),
)
