"""Fractional weights of the grid points that several atoms share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from zeroflux.partition import _sharing_kernels as kernels
from zeroflux.partition.slabs import Slabs, compact_integer, flat_steps
from zeroflux.partition.voronoi import VoronoiStencil

ENTRIES_PER_VOXEL = 4  # address space only: memory is taken when an entry is written


class SharedVoxels(NamedTuple):
    """Grid points with several owners, as ragged rows of owners and weights.

    Row n is ``starts[n]`` to ``starts[n + 1]``; the first row need not start at zero.
    """

    voxels: Int[np.ndarray, " n_shared"]
    starts: Int[np.ndarray, " n_shared_plus_one"]
    owners: Int[np.ndarray, " n_shares"]
    weights: Float[np.ndarray, " n_shares"]


def joined(parts: tuple[SharedVoxels, ...]) -> SharedVoxels:
    """All rows in one list, the first of which starts at zero."""
    if len(parts) == 1:
        return parts[0]
    rows = [slice(part.starts[0], part.starts[-1]) for part in parts]
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    return SharedVoxels(
        voxels=np.concatenate([part.voxels for part in parts]),
        starts=np.concatenate([[0], np.cumsum(counts)]),
        owners=np.concatenate([part.owners[row] for part, row in zip(parts, rows, strict=True)]),
        weights=np.concatenate([part.weights[row] for part, row in zip(parts, rows, strict=True)]),
    )


def share_voxels(
    field: Float[np.ndarray, "n_a n_b n_c"],
    labels: Int[np.ndarray, "n_a n_b n_c"],
    stencil: VoronoiStencil,
    tied: SharedVoxels,
    slabs: Slabs,
    *,
    n_atoms: int,
    weight_cutoff: float,
) -> tuple[SharedVoxels, ...]:
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
    sweep = _Sweep(field, labels, stencil, slabs)
    seeds = sweep.seams(slabs.split(tied.voxels))
    n_marked = sweep.mark(seeds)
    ledger = _Ledger(n_marked, slabs.split(tied.voxels), tied, field.size, n_atoms)
    ledger.write_tied(tied, labels)
    sweep.mix(seeds, stencil.conductances, ledger, n_atoms, weight_cutoff)
    slabs.call(
        kernels.write_dominant,
        [
            (sweep.labels, *ledger.lists, int(base), count)
            for base, count in zip(ledger.bases, ledger.used, strict=False)
        ],
    )
    return ledger.result()


class _Sweep:
    """The sweeps over the slabs of one grid, and the lists in which they work."""

    def __init__(
        self, field: np.ndarray, labels: np.ndarray, stencil: VoronoiStencil, slabs: Slabs
    ) -> None:
        self.grid_arrays = (field, labels, stencil.offsets)
        self.labels = labels.reshape(-1)
        self.slabs = slabs
        reach = np.abs(stencil.offsets).max(axis=0)
        steps = flat_steps(stencil.offsets, field.shape)
        self.arguments = (
            *(field.reshape(-1), self.labels, field.shape),
            *(stencil.offsets, steps, reach),
        )
        self.kind = compact_integer(field.size)
        self.stacks = slabs.room(self.kind)
        # Each voxel within reach of another slab sends one message at most to each neighbour.
        planes = np.minimum(2 * reach[0], np.diff(slabs.edges)) if slabs.count > 1 else [0]
        n_messages = [n * field[0].size * len(steps) for n in planes]
        self.outboxes = [np.empty(n, dtype=self.kind) for n in n_messages]

    def seams(self, tied: list[np.ndarray]) -> list[np.ndarray]:
        """Voxels from which the shared region is flooded, those at seams after the given ones."""
        each = [
            (np.empty(self.grid_arrays[0].shape[2], np.uint8), found)
            for found in self.slabs.room(self.kind)
        ]
        counts = self.slabs.run(kernels.find_seams, *self.grid_arrays, each=each)
        return [
            np.concatenate([first, found[:n]])
            for first, (_, found), n in zip(tied, each, counts, strict=True)
        ]

    def mark(self, seeds: list[np.ndarray]) -> list[int]:
        """Mark everything downhill of the seeds; how many voxels that are in each slab."""
        n_marked = np.zeros(self.slabs.count, dtype=np.int64)
        arrivals, are_messages = seeds, False
        while any(len(a) for a in arrivals):
            each = [
                (a, are_messages, *scratch)
                for a, *scratch in zip(arrivals, self.stacks, self.outboxes, strict=True)
            ]
            done = self.slabs.run(kernels.flood_downhill, *self.arguments, each=each)
            n_marked += [n for _, n in done]
            arrivals, are_messages = self.delivered([n for n, _ in done]), True
        return n_marked.tolist()

    def mix(
        self,
        seeds: list[np.ndarray],
        conductances: np.ndarray,
        ledger: _Ledger,
        n_atoms: int,
        cutoff: float,
    ) -> None:
        """Enter the weights of the marked voxels into the ledger."""
        arguments = (*self.arguments, conductances, float(cutoff))
        atoms = [(np.zeros(n_atoms), np.empty(n_atoms, np.int64)) for _ in self.stacks]
        arrivals, are_messages = seeds, False
        waiting: list[list[np.ndarray]] = []
        while any(len(a) for a in arrivals):
            each = [
                (
                    *(arrivals[n], are_messages, self.stacks[n], self.outboxes[n], *atoms[n]),
                    *ledger.arguments(n),
                )
                for n in range(self.slabs.count)
            ]
            done = self.slabs.run(kernels.mix_weights, *arguments, each=each)
            ledger.used = [n_slots for _, n_slots, _ in done]
            waiting.append(self.delivered([n for n, _, _ in done]))
            arrivals = [s[:n].copy() for s, (_, _, n) in zip(self.stacks, done, strict=True)]
            are_messages = False
            if any(len(a) for a in arrivals):
                ledger.grow()
            else:
                arrivals = [np.concatenate(a) for a in zip(*waiting, strict=True)]
                are_messages, waiting = True, []

    def delivered(self, counts: list[int]) -> list[np.ndarray]:
        """The messages in the outboxes, for each slab those to its voxels."""
        sent = [box[:n] for box, n in zip(self.outboxes, counts, strict=True)]
        return self.slabs.split(np.concatenate(sent))


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

    @property
    def lists(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The four lists, as kernels take them."""
        return self.voxels, self.starts, self.owners, self.weights

    def arguments(self, slab: int) -> tuple:
        """What the kernel needs to write into the stretch of a slab."""
        return (
            *self.lists,
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

    def result(self) -> tuple[SharedVoxels, ...]:
        """The stretch of each slab; views of the arrays."""
        return tuple(
            SharedVoxels(
                voxels=self.voxels[base : base + count],
                starts=self.starts[base : base + count + 1],
                owners=self.owners[: self.starts[base + count]],
                weights=self.weights[: self.starts[base + count]],
            )
            for base, count in zip(self.bases, self.used, strict=False)
        )
