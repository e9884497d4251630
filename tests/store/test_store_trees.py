"""What a store keeps of seals' trees: just enough to prove any part of what it holds."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from store.making import OURS, AnyStore, record, sealed

from p2pcommons.core.merkle import Span
from p2pcommons.core.seal import pack_value, read_pack
from p2pcommons.store import MemoryStore, SqliteStore

SIZE = 11
SEAL, LEAVES = sealed([record(n) for n in range(SIZE)])
WHOLE = {Span(s.leaf, s.leaf + 1): s.record.id for s in LEAVES}
subsets = st.sets(st.integers(0, SIZE - 1), min_size=1)


def receive(store: AnyStore, listed: set[int], refused: set[int]) -> None:
    """A pack of the listed leaves, of which some records are refused."""
    pack = read_pack(pack_value(SEAL, WHOLE, [(n, LEAVES[n].record) for n in sorted(listed)]))
    kept = [s for s in pack.records if s.leaf not in refused]
    with store.transaction():
        store.put_records(OURS, kept, {pack.seal: pack.known})


steps = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), subsets, st.sets(st.integers(0, SIZE - 1), max_size=3)),
        st.tuples(st.just("drop"), subsets, st.none()),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, asked=subsets)
def test_any_part_of_what_is_kept_can_be_proved_after_any_packs_and_drops(
    steps: list[tuple[str, set[int], set[int]]], asked: set[int]
) -> None:
    with TemporaryDirectory() as folder:
        memory, sqlite = MemoryStore(), SqliteStore(Path(folder) / "s")
        kept: set[int] = set()
        for what, numbers, refused in steps:
            for store in (memory, sqlite):
                if what == "receive":
                    receive(store, numbers, refused)
                else:
                    with store.transaction():
                        store.drop_records(OURS, [LEAVES[n].record.id for n in numbers])
            kept = kept | (numbers - refused) if what == "receive" else kept - numbers
        for store in (memory, sqlite):
            tree = store.tree(SEAL)
            assert {n for n in range(SIZE) if store.present([LEAVES[n].record.id])} == kept
            assert len(tree) == SIZE if len(kept) == SIZE else tree.keys() >= {Span(n, n + 1) for n in kept}
            part = [(n, LEAVES[n].record) for n in sorted(asked & kept)]
            if part:
                assert [s.record for s in read_pack(pack_value(SEAL, tree, part)).records] == [r for _, r in part]
        assert memory.tree(SEAL) == sqlite.tree(SEAL)
        sqlite.close()
