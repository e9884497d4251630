"""The folds of this package as one value, in the shape that a replica asks for (`sync.meaning`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.entry import EntryView, entry_record, fold, fold_single, view_digest
from p2pcommons.commons.projection import document
from p2pcommons.commons.vocabulary import VOCABULARY_VERSION
from p2pcommons.core.record import Record, Subject
from p2pcommons.sync.storage import EntryRow


class CommonsMeaning:
    """Charter and entries, folded."""

    vocabulary_version = VOCABULARY_VERSION

    def judge(self, records: Iterable[Record], commons: bytes) -> Charter:
        """The charter of all these plane-0 records, in any order."""
        return judge(records, commons)

    def grown(self, charter: Charter, records: Iterable[Record]) -> Charter | None:
        """The charter with these records besides, where that is quickly told."""
        return charter.grown(records)

    def single_row(self, record: Record, known: Any = None) -> EntryRow:
        """The entry that is one record. `known`: its `Edit`, or what its body holds, where that is at hand."""
        view = fold_single(record, known)
        subject = record.header.subject
        return EntryRow(subject, None, record.id, view_digest(subject, view.canonical()), document(view))

    def row(self, subject: bytes, records: Sequence[Record], charter: Charter) -> EntryRow:
        """The entry that these records about one subject make; a hidden one is found by nobody."""
        made = self._row(subject, records, charter)
        return made._replace(document=None) if subject in charter.hidden else made

    def _row(self, subject: bytes, records: Sequence[Record], charter: Charter) -> EntryRow:
        if len(records) == 1:
            record = records[0]
            author = record.header.author
            counts = charter.counts(record.id, author)
            if record.body is not None and counts and charter.erased_fields(record.id, author) is None:
                return self.single_row(record)
        view = self.view(subject, records, charter)
        canonical = view.canonical()
        return EntryRow(Subject(subject), canonical, None, view_digest(subject, canonical), document(view))

    def view(self, subject: bytes, records: Sequence[Record], charter: Charter) -> EntryView:
        """What people see of the entry that these records about one subject make."""
        inputs = [entry_record(r, counts=charter.counts(r.id, r.header.author)) for r in records]
        erased: dict[bytes, frozenset[str]] = {}
        for record in records:
            fields = charter.erased_fields(record.id, record.header.author)
            if fields is not None:
                erased[record.id] = fields
        return fold(subject, inputs, erased)
