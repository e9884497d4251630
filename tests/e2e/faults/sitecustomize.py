"""Gives the process of a node under test a fault that a machine or a program may have, before anything else is loaded.

`P2PCOMMONS_FAULTS`, separated by spaces: `ahead=MS` (its clock), `version=N` (the one protocol it speaks),
`limit:NAME=N` (of `core.limits`), `set:MODULE:NAME=N`.
"""

import importlib
import os
import time
from collections.abc import Callable


def _clock_ahead(right: Callable[[], int], ms: int) -> Callable[[], int]:
    return lambda: right() + ms * 1_000_000


for _fault in sorted(os.environ.get("P2PCOMMONS_FAULTS", "").split()):  # limits before what is made of them
    _name, _, _value = _fault.partition("=")
    if _name == "ahead":
        time.time_ns = _clock_ahead(time.time_ns, int(_value))
    elif _name == "version":
        importlib.import_module("p2pcommons.sync.session").Session.__init__.__kwdefaults__["versions"] = (int(_value),)
    elif _name.startswith("limit:"):
        setattr(importlib.import_module("p2pcommons.core.limits"), _name.removeprefix("limit:"), int(_value))
    elif _name.startswith("set:"):
        _, _module, _attribute = _name.split(":")
        setattr(importlib.import_module(_module), _attribute, float(_value))
