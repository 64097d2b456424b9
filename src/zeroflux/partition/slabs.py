"""Slabs of a grid, one for each thread, and small integers for lists of its points."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Int


def compact_integer(largest: int, *, at_least: type = np.int32) -> type:
    """Integer type that holds numbers up to the largest one, in two, four or eight bytes.

    Few types are used, since every combination of them is compiled by itself.
    """
    kinds = (at_least, np.int32, np.int64)
    return next(kind for kind in kinds if largest <= np.iinfo(kind).max)


class Slabs:
    """Slabs of the first grid index, one for each thread, and the threads that work on them."""

    def __init__(self, shape: tuple[int, int, int], n_threads: int) -> None:
        n_slabs = max(1, min(n_threads, shape[0] // 2))
        self.edges = np.linspace(0, shape[0], n_slabs + 1).astype(np.int64)
        self.flat_edges = self.edges * (shape[1] * shape[2])
        self._pool = ThreadPoolExecutor(n_slabs) if n_slabs > 1 else None

    def __enter__(self) -> Slabs:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    @property
    def count(self) -> int:
        """Number of slabs."""
        return len(self.edges) - 1

    def run(self, kernel, *arguments, each: list[tuple] | None = None) -> list:
        """Results of ``kernel(*arguments, begin, end, *each[slab])`` for all slabs."""
        edges = zip(self.edges[:-1], self.edges[1:], strict=True)
        more = each or [()] * self.count
        calls = [(*arguments, *e, *own) for e, own in zip(edges, more, strict=True)]
        return self.call(kernel, calls)

    def call(self, kernel, calls: list[tuple]) -> list:
        """Results of ``kernel(*call)`` for the call of each slab."""
        if self._pool is None:
            return [kernel(*call) for call in calls]
        return [future.result() for future in [self._pool.submit(kernel, *c) for c in calls]]

    def room(self, kind: type) -> list[np.ndarray]:
        """A list for each slab with a place for each of its voxels.

        That costs address space but no memory, since the operating system provides a page when it
        is first written; and kernels need not make lists longer.
        """
        return [np.empty(n, dtype=kind) for n in np.diff(self.flat_edges)]

    def split(self, voxels: np.ndarray) -> list[np.ndarray]:
        """Distribute voxels to the slabs that hold them, in the given order."""
        slab = np.searchsorted(self.flat_edges, voxels, side="right") - 1
        return [voxels[slab == n] for n in range(self.count)]


def flat_steps(
    offsets: Int[np.ndarray, "n_neighbours 3"], shape: tuple[int, int, int]
) -> Int[np.ndarray, " n_neighbours"]:
    """Offsets as steps of the flat index, right where no edge of the grid is crossed."""
    return (offsets[:, 0] * shape[1] + offsets[:, 1]) * shape[2] + offsets[:, 2]
