"""Padded neighbour lists: the geometry that every potential starts from.

A row of the list belongs to an atom and has a fixed length. Unused places hold a neighbour far
beyond the cutoff, where every potential is exactly zero, so no mask is carried around and lists
with a skin need no special case. In a liquid, rows are nearly equally long and little is wasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from zeroflux.errors import ModelError, missing_extra
from zeroflux.frames import Frame

PADDING_DISTANCE = 2.0  # of an unused place, in cutoffs


class Neighborhood(NamedTuple):
    """Atoms and their neighbours; arrays may carry a leading axis over configurations.

    A NamedTuple, so that JAX sees a tree of arrays without registration.
    """

    species: Any
    """Index into the model's species, shape (n_atoms,); -1 for a padding atom."""
    neighbors: Any
    """Index of each neighbour, shape (n_atoms, n_neighbors); 0 in unused places."""
    displacements: Any
    """Neighbour less atom (bohr), shape (n_atoms, n_neighbors, 3)."""


class PairList(NamedTuple):
    """Neighbour list as rows of indices and lattice shifts, for moving atoms."""

    neighbors: np.ndarray
    """Index of each neighbour, shape (n_atoms, n_neighbors)."""
    shifts: np.ndarray
    """Lattice shift of each neighbour, shape (n_atoms, n_neighbors, 3); NaN-free integers."""
    n_used: np.ndarray
    """Places in use in each row, shape (n_atoms,)."""


def species_index(frame: Frame, species: Sequence[int]) -> Int[np.ndarray, " n_atoms"]:
    """Position of each atom's element in ``species`` (atomic numbers, ascending).

    Raises
    ------
    ModelError
        If the frame holds an element that is not listed.
    """
    table = np.full(120, -1, dtype=np.int32)
    table[list(species)] = np.arange(len(species))
    index = table[frame.atomic_numbers]
    if (index < 0).any():
        unknown = sorted(set(frame.atomic_numbers[index < 0].tolist()))
        raise ModelError(
            f"The configuration holds elements of atomic number {unknown}; the model knows "
            f"{list(species)}. Train on a set that holds all elements, or choose another model."
        )
    return index


def pair_list(frame: Frame, cutoff: float, *, n_neighbors: int | None = None) -> PairList:
    """All neighbours within ``cutoff`` (bohr), periodic images and own images included.

    Parameters
    ----------
    frame
        Atoms in a cell of any shape; the cutoff may exceed half the cell.
    cutoff
        Largest distance (bohr).
    n_neighbors
        Length of the rows; by default that of the fullest row.

    Raises
    ------
    ValueError
        If a row has more neighbours than ``n_neighbors``.
    """
    try:
        import vesin
    except ModuleNotFoundError as error:
        raise missing_extra("vesin", "learn") from error
    # sorted by atom, so that places in a row follow from the row's first pair
    search = vesin.NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    i, j, shift = search.compute(frame.positions, frame.cell, True, quantities="ijS")
    i = i.astype(np.int64)
    n_used = np.bincount(i, minlength=frame.n_atoms)
    longest = int(n_used.max(initial=0))
    width = max(longest, 1) if n_neighbors is None else n_neighbors
    if longest > width:
        raise ValueError(f"an atom has {longest} neighbours; rows hold {width}")
    place = np.arange(len(i)) - np.repeat(np.cumsum(n_used) - n_used, n_used)
    neighbors = np.zeros((frame.n_atoms, width), dtype=np.int32)
    shifts = np.zeros((frame.n_atoms, width, 3), dtype=np.int32)
    neighbors[i, place] = j
    shifts[i, place] = shift
    return PairList(neighbors, shifts, n_used)


def neighborhood(
    frame: Frame,
    species: Sequence[int],
    cutoff: float,
    *,
    n_atoms: int | None = None,
    n_neighbors: int | None = None,
) -> Neighborhood:
    """Neighbourhood of one frame, padded to ``n_atoms`` rows of ``n_neighbors`` places.

    Parameters
    ----------
    frame
        Atoms in a periodic cell.
    species
        Atomic numbers the model knows, ascending.
    cutoff
        Largest distance (bohr).
    n_atoms, n_neighbors
        Shape of the list; by default the frame's own.
    """
    rows = pair_list(frame, cutoff, n_neighbors=n_neighbors)
    vectors = frame.positions[rows.neighbors] - frame.positions[:, None] + rows.shifts @ frame.cell
    unused = np.arange(rows.neighbors.shape[1]) >= rows.n_used[:, None]
    vectors[unused] = PADDING_DISTANCE * cutoff * np.array([1.0, 0.0, 0.0])
    extra = (frame.n_atoms if n_atoms is None else n_atoms) - frame.n_atoms
    if extra < 0:
        raise ValueError(f"the frame has {frame.n_atoms} atoms; expected at most {n_atoms}")
    padding = np.zeros((extra, vectors.shape[1], 3))
    padding[..., 0] = PADDING_DISTANCE * cutoff
    return Neighborhood(
        species=np.pad(species_index(frame, species), (0, extra), constant_values=-1),
        neighbors=np.pad(rows.neighbors, ((0, extra), (0, 0))),
        displacements=np.concatenate([vectors, padding]),
    )


def stacked_neighborhoods(
    frames: Sequence[Frame], species: Sequence[int], cutoff: float
) -> Neighborhood:
    """Neighbourhoods of many frames, padded to a common shape; first axis over frames."""
    n_atoms = max(frame.n_atoms for frame in frames)
    each = [neighborhood(frame, species, cutoff, n_atoms=n_atoms) for frame in frames]
    # a multiple of eight: sets of like density then share one compilation
    width = 8 * -(-max(one.neighbors.shape[1] for one in each) // 8)
    neighbors = np.zeros((len(frames), n_atoms, width), dtype=np.int32)
    displacements = np.zeros((len(frames), n_atoms, width, 3))
    displacements[..., 0] = PADDING_DISTANCE * cutoff
    for index, one in enumerate(each):
        neighbors[index, :, : one.neighbors.shape[1]] = one.neighbors
        displacements[index, :, : one.neighbors.shape[1]] = one.displacements
    return Neighborhood(np.stack([one.species for one in each]), neighbors, displacements)
