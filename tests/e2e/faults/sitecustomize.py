"""Gives the process of a node under test a fault that a machine or a program may have, before anything else is loaded.

`P2PCOMMONS_FAULTS`, separated by spaces: `ahead=MS` (its clock), `version=N` (the one protocol it speaks),
`limit:NAME=N` (of `core.limits`), `set:MODULE:NAME=N`, `dies=N` (by `kill -9`, before its N-th rename of a file),
`tomorrow=ROWS` (a program with one schema more, whose migration writes every record anew, and so many rows besides).
"""

import importlib
import os
import signal
import time
from collections.abc import Callable
from itertools import count
from typing import Any


def _clock_ahead(right: Callable[[], int], ms: int) -> Callable[[], int]:
    return lambda: right() + ms * 1_000_000


def _dying(right: Callable[..., None], last: int) -> Callable[..., None]:
    renames = count(1)

    def replace(*given: Any, **more: Any) -> None:
        if next(renames) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        right(*given, **more)

    return replace


def _of_tomorrow(rows: int) -> None:
    database = importlib.import_module("p2pcommons.store.database")
    right, next_schema = database.schema, f"{database.SCHEMA_VERSION + 1:04}.sql"
    migration = f"""
        CREATE TABLE tomorrow(n INTEGER PRIMARY KEY, content BLOB);
        INSERT INTO tomorrow WITH RECURSIVE all_n(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM all_n WHERE n < {rows})
          SELECT n, randomblob(100) FROM all_n;
        ALTER TABLE record ADD COLUMN of_tomorrow INT;
        UPDATE record SET of_tomorrow = n;
        UPDATE entry SET title = title;
    """
    database.SCHEMA_VERSION += 1
    database.schema = lambda name: migration if name == next_schema else right(name)


for _fault in sorted(os.environ.get("P2PCOMMONS_FAULTS", "").split()):  # limits before what is made of them
    _name, _, _value = _fault.partition("=")
    if _name == "ahead":
        time.time_ns = _clock_ahead(time.time_ns, int(_value))
    elif _name == "tomorrow":
        _of_tomorrow(int(_value))
    elif _name == "dies":
        os.replace = _dying(os.replace, int(_value))
    elif _name == "version":
        importlib.import_module("p2pcommons.sync.session").Session.__init__.__kwdefaults__["versions"] = (int(_value),)
    elif _name.startswith("limit:"):
        setattr(importlib.import_module("p2pcommons.core.limits"), _name.removeprefix("limit:"), int(_value))
    elif _name.startswith("set:"):
        _, _module, _attribute = _name.split(":")
        setattr(importlib.import_module(_module), _attribute, float(_value))
