"""Where records live: the store that `p2pcommons.sync.storage` asks for, and the search side beside it.

`memory` is the control: the simplest code that is right. `sqlite` is what nodes use. A store judges nothing.
"""

from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.reading import SqliteReader
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.store.views import Counts

__all__ = ["Counts", "MemoryStore", "SqliteReader", "SqliteStore"]
