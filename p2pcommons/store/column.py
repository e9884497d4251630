"""Arrays that only grow at their end, in memory or in a file that is mapped: the stuff that `store.columns` is made of."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_GROWTH: Final = 8  # room left when an array moves: an eighth of what it holds
_ROOM_LEAST: Final = 1024


class Column:
    """An array that grows at its end; what was handed out stays as it was.

    Given an array, it begins with the first `length` items of it and uses the rest as its room.
    """

    def __init__(self, dtype: Any, array: NDArray[Any] | None = None, length: int = 0) -> None:
        self._array = np.empty(0, dtype) if array is None else array
        self._length = length

    def __len__(self) -> int:
        return self._length

    def extend(self, values: NDArray[Any]) -> None:
        """Put values behind the last."""
        length = self._length + len(values)
        if length > len(self._array):
            larger = np.empty(length + length // _GROWTH + _ROOM_LEAST, self._array.dtype)
            larger[: self._length] = self.filled
            self._array = larger
        self._array[self._length : length] = values
        self._length = length

    @property
    def filled(self) -> NDArray[Any]:
        """What it holds now."""
        return self._array[: self._length]
