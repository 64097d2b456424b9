"""Fractional weights of the grid points that several atoms share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from zeroflux.partition import _sharing_kernels as kernels
from zeroflux.partition.voronoi import VoronoiStencil

ENTRIES_PER_VOXEL = 4  # address space only: memory is taken when an entry is written


class SharedVoxels(NamedTuple):
    """Grid points with several owners, as ragged rows of owners and weights."""

    voxels: Int[np.ndarray, " n_shared"]
    starts: Int[np.ndarray, " n_shared_plus_one"]
    owners: Int[np.ndarray, " n_shares"]
    weights: Float[np.ndarray, " n_shares"]


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
        calls = [
            (*arguments, begin, end, *(each[slab] if each else ()))
            for slab, (begin, end) in enumerate(zip(self.edges[:-1], self.edges[1:], strict=True))
        ]
        if self._pool is None:
            return [kernel(*call) for call in calls]
        return [future.result() for future in [self._pool.submit(kernel, *c) for c in calls]]

    def split(self, voxels: np.ndarray) -> list[np.ndarray]:
        """Distribute voxels to the slabs that hold them, in the given order."""
        slab = np.searchsorted(self.flat_edges, voxels, side="right") - 1
        return [voxels[slab == n] for n in range(self.count)]


def share_voxels(
    field: Float[np.ndarray, "n_a n_b n_c"],
    labels: Int[np.ndarray, "n_a n_b n_c"],
    stencil: VoronoiStencil,
    tied: SharedVoxels,
    slabs: Slabs,
    *,
    n_atoms: int,
    weight_cutoff: float,
) -> SharedVoxels:
    """Weights of all voxels from which several owners can be reached by going uphill.

    Only these need the weight method; all others belong to the owner of their steepest ascent.
    They lie downhill of the seams, the voxels with a higher neighbour of another owner, and of
    tops that several nuclei share. A voxel is done when its higher neighbours are, so that the
    voxels are never sorted. Slabs run side by side and tell each other what they have done in
    rounds; the weights do not depend on their number.

    Parameters
    ----------
    field
        Field without plateaus.
    labels
        Owner at the end of each voxel's steepest ascent; overwritten by the dominant owner.
    stencil
        Neighbours and conductances of the weight method.
    tied
        Tops that several atoms share.
    slabs
        Threads.
    n_atoms
        Number of atoms.
    weight_cutoff
        Weights below it are given to the other owners of the voxel.
    """
    seams = slabs.run(kernels.find_seams, field, labels, stencil.offsets)
    seeds = [np.concatenate(p) for p in zip(slabs.split(tied.voxels), seams, strict=True)]
    del seams  # lists of a million voxels, released before the shares take their room
    n_marked = _mark(field, labels, stencil, slabs, seeds)
    ledger = _Ledger(n_marked, slabs.split(tied.voxels), tied, field.size, n_atoms)
    ledger.write_tied(tied, labels)
    flat = labels.reshape(-1)
    arrivals = [s[flat[s] < kernels.QUEUED + kernels.ONE_PENDING] for s in seeds]
    del seeds
    are_messages, outbox = False, []
    while any(len(a) for a in arrivals):
        each = [
            (arrivals[n], are_messages, n_atoms, weight_cutoff, *ledger.arguments(n))
            for n in range(slabs.count)
        ]
        done = slabs.run(
            kernels.mix_weights, field, labels, stencil.offsets, stencil.conductances, each=each
        )
        outbox += [sent for sent, _, _ in done]
        ledger.used = [n_slots for _, n_slots, _ in done]
        arrivals, are_messages = [left for _, _, left in done], False
        if any(len(a) for a in arrivals):
            ledger.grow()
        else:
            arrivals, are_messages = slabs.split(np.concatenate(outbox)), True
            outbox = []
    shared = ledger.result()
    kernels.write_dominant(labels, *shared)
    return shared


def _mark(
    field: np.ndarray,
    labels: np.ndarray,
    stencil: VoronoiStencil,
    slabs: Slabs,
    seeds: list[np.ndarray],
) -> list[int]:
    """Mark everything downhill of the seeds; how many voxels that are in each slab."""
    n_marked = np.zeros(slabs.count, dtype=np.int64)
    arrivals, are_messages = seeds, False
    while any(len(a) for a in arrivals):
        each = [(a, are_messages) for a in arrivals]
        done = slabs.run(kernels.flood_downhill, field, labels, stencil.offsets, each=each)
        n_marked += [n for _, n in done]
        arrivals, are_messages = slabs.split(np.concatenate([sent for sent, _ in done])), True
    return n_marked.tolist()


class _Ledger:
    """Slots and entries of all slabs, in arrays that every slab can read.

    Each slab writes to its own stretch. The stretches are generous, which costs address space but
    no memory, since the operating system provides a page when it is first written.
    """

    def __init__(
        self,
        n_marked: list[int],
        tied: list[np.ndarray],
        shares: SharedVoxels,
        n_points: int,
        n_atoms: int,
    ) -> None:
        self.spare = n_atoms  # a voxel has at most that many owners
        self.used = [len(t) for t in tied]
        self.bases = np.concatenate([[0], np.cumsum(np.array(n_marked) + 1)])
        room = ENTRIES_PER_VOXEL * np.array(n_marked) + len(shares.owners) + 2 * n_atoms
        self.entry_edges = np.concatenate([[0], np.cumsum(room)])
        # These lists are the largest thing beside the fields: the smallest integers will do.
        self.voxels = np.empty(self.bases[-1], dtype=compact_integer(n_points))
        self.starts = np.empty(self.bases[-1], dtype=compact_integer(int(self.entry_edges[-1])))
        kind = compact_integer(n_atoms, at_least=np.int16)
        self.owners = np.empty(self.entry_edges[-1], dtype=kind)
        self.weights = np.empty(self.entry_edges[-1], dtype=np.float64)
        self.starts[self.bases[:-1]] = self.entry_edges[:-1]

    def write_tied(self, tied: SharedVoxels, labels: np.ndarray) -> None:
        """Put the shared tops into the first slots; they come in the order of the slabs."""
        first = 0
        for base, edge, count in zip(self.bases, self.entry_edges, self.used, strict=False):
            begin, end = tied.starts[first], tied.starts[first + count]
            self.voxels[base : base + count] = tied.voxels[first : first + count]
            self.starts[base : base + count + 1] = (
                tied.starts[first : first + count + 1] - begin + edge
            )
            self.owners[edge : edge + end - begin] = tied.owners[begin:end]
            self.weights[edge : edge + end - begin] = tied.weights[begin:end]
            slots = np.arange(base, base + count)
            labels.reshape(-1)[self.voxels[slots]] = -1 - slots
            first += count

    def arguments(self, slab: int) -> tuple:
        """What the kernel needs to write into the stretch of a slab."""
        return (
            self.voxels,
            self.starts,
            self.owners,
            self.weights,
            int(self.bases[slab]),
            int(self.used[slab]),
            int(self.entry_edges[slab + 1]),
        )

    def grow(self) -> None:
        """Double the room for entries; slots keep their numbers."""
        old = self.entry_edges
        self.entry_edges = 2 * old + self.spare * np.arange(len(old))
        owners, weights = self.owners, self.weights
        self.starts = self.starts.astype(compact_integer(int(self.entry_edges[-1])), copy=False)
        self.owners = np.empty(self.entry_edges[-1], dtype=owners.dtype)
        self.weights = np.empty(self.entry_edges[-1], dtype=np.float64)
        for slab, count in enumerate(self.used):
            starts = self.starts[self.bases[slab] : self.bases[slab] + count + 1]
            length, new = starts[-1] - old[slab], self.entry_edges[slab]
            self.owners[new : new + length] = owners[old[slab] : old[slab] + length]
            self.weights[new : new + length] = weights[old[slab] : old[slab] + length]
            starts += new - old[slab]

    def result(self) -> SharedVoxels:
        """The stretches, moved together; views of the arrays."""
        n_slots = self.used[0]
        for slab, count in list(enumerate(self.used))[1:]:
            kernels.close_gap(
                self.voxels,
                self.starts,
                self.owners,
                self.weights,
                n_slots,
                self.starts[n_slots],
                self.bases[slab],
                count,
            )
            n_slots += count
        n_entries = self.starts[n_slots]
        return SharedVoxels(
            voxels=self.voxels[:n_slots],
            starts=self.starts[: n_slots + 1],
            owners=self.owners[:n_entries],
            weights=self.weights[:n_entries],
        )
