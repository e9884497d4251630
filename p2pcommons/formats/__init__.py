"""Outside formats and entries: the registry, reading with a mapping, and what a line may give."""

from p2pcommons.formats.lines import Refusal
from p2pcommons.formats.mapping import FieldMapping, parse_mapping
from p2pcommons.formats.reading import Dropped, Reading, read
from p2pcommons.formats.registry import FORMATS, Format, detect, find_format

__all__ = [
    "FORMATS",
    "Dropped",
    "FieldMapping",
    "Format",
    "Reading",
    "Refusal",
    "detect",
    "find_format",
    "parse_mapping",
    "read",
]
