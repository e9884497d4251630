"""The verbs about entries: read, add, change, withdraw, and whole batches of lines.

All writing happens in the engine's thread, where what is there and what is written are one moment.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from p2pcommons.commons.draft import Draft as EntryDraft
from p2pcommons.commons.draft import (
    draft_from_json,
    edit_body_change,
    edit_body_new,
    merge_patch,
    withdraw_body,
)
from p2pcommons.commons.entry import EntryView, etag, heads_for_prev
from p2pcommons.commons.entry_json import entry_json
from p2pcommons.core.clock import to_ms
from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.core.record import CommonsId, Plane, Record, Subject, entry_id
from p2pcommons.errors import FormError, NotFound
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import (
    BatchAnswer,
    EntryAnswer,
    EntryChanged,
    EntryWithdrawn,
    Instant,
    Withdrawal,
)
from p2pcommons.sync.replica import Draft

EDIT = "entry.edit"
WITHDRAW = "entry.withdraw"
