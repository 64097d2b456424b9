"""Structures other than liquids: crystals, atoms, dimers and clusters in a periodic box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from ase.data import atomic_numbers

from zeroflux.errors import StructureError
from zeroflux.frames import Frame
from zeroflux.sampling.monte_carlo import DEFAULT_CUTOFF, SampledLiquid, sample_canonical
from zeroflux.sampling.pair_potentials import NOBLE_GASES, PairPotential, well
from zeroflux.units import KELVIN

# Orthogonal cells: edges in units of the nearest-neighbour distance, fractional positions.
_CRYSTALS = {
    "fcc": (
        np.full(3, np.sqrt(2.0)),
        np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]),
    ),
    "hcp": (
        np.array([1.0, np.sqrt(3.0), np.sqrt(8.0 / 3.0)]),
        np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 5 / 6, 0.5], [0.0, 1 / 3, 0.5]]),
    ),
}


def crystal(
    symbol: str,
    structure: Literal["fcc", "hcp"],
    *,
    nearest_distance: float,
    repeat: tuple[int, int, int] = (2, 2, 2),
) -> Frame:
    """Perfect close-packed crystal in an orthogonal cell of 4 atoms, repeated.

    Parameters
    ----------
    symbol
        Chemical symbol.
    structure
        Face-centred cubic, or hexagonal close-packed with the ideal ratio c/a = √(8/3).
    nearest_distance
        Distance of nearest neighbours (bohr); the density is √2 per cube of it.
    repeat
        Number of cells along each axis.
    """
    edges, basis = _CRYSTALS[structure]
    steps = np.stack(np.meshgrid(*[np.arange(n) for n in repeat], indexing="ij"), axis=-1)
    fractional = (steps.reshape(-1, 1, 3) + basis[None]).reshape(-1, 3)
    return Frame(
        atomic_numbers=np.full(len(fractional), atomic_numbers[symbol], dtype=np.int64),
        positions=fractional * edges * nearest_distance,
        cell=np.diag(edges * np.array(repeat) * nearest_distance),
    )


def displaced(frame: Frame, *, amplitude: float, rng: np.random.Generator) -> Frame:
    """Frame with independent Gaussian displacements of every coordinate.

    An Einstein crystal: cheap, but without the correlation of neighbours that
    `sample_canonical`, started from the perfect crystal, gives.

    Parameters
    ----------
    frame
        Atoms in their cell.
    amplitude
        Standard deviation along each axis (bohr).
    rng
        Source of the random numbers.
    """
    return replace(
        frame, positions=frame.positions + amplitude * rng.normal(size=frame.positions.shape)
    )


def dimer(first: str, second: str, *, distance: float, box_length: float) -> Frame:
    """Two atoms at a distance (bohr) along the first axis of a cubic box (bohr).

    Raises
    ------
    StructureError
        If the distance is more than half the box: an image would be the closer neighbour.
    """
    if not 0 < distance <= box_length / 2:
        raise StructureError(
            f"Dimer distance is {distance:.3f} bohr in a box of {box_length:.3f} bohr; expected "
            "more than 0 and at most half the box. Take a larger box."
        )
    positions = np.array([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0]]) * distance
    return _boxed([first, second], positions, box_length)


def sample_cluster(
    composition: Mapping[str, int],
    *,
    temperature_kelvin: float,
    box_length: float,
    n_frames: int,
    seed: int,
    potential: PairPotential = NOBLE_GASES,
    cutoff: float = DEFAULT_CUTOFF,
    n_annealing_sweeps: int = 40000,
) -> SampledLiquid:
    """Configurations of a cluster in a large box, annealed from a compact start.

    The start is the most compact part of a close-packed crystal. It is annealed from about
    where clusters of its size melt (k_BT of 0.15 well depths for a dimer, 0.3 from 13 atoms on)
    down to the temperature, and then sampled like a liquid. Choose a temperature low enough
    that no atom evaporates (up to about 35 K for argon); frames are centred, so that an
    evaporated atom shows as a large distance.

    The atoms of a cold cluster do not change places: `is_decorrelated` is then false, and rightly
    so, although the vibrations are.

    Parameters
    ----------
    composition
        Number of atoms of each chemical symbol.
    temperature_kelvin
        Temperature (K) of the sampling.
    box_length
        Edge of the cubic box (bohr).
    n_frames
        Number of configurations.
    seed
        Seed of all random numbers.
    potential, cutoff
        As for `sample_canonical`.
    n_annealing_sweeps
        Sweeps of the whole annealing.

    Raises
    ------
    StructureError
        If the cluster and its images are closer than the cutoff at the start.
    """
    symbols = [symbol for symbol, count in composition.items() for _ in range(count)]
    nearest = max(potential.curve(a, b).wall for a in composition for b in composition) * 1.9
    sites = crystal(symbols[0], "fcc", nearest_distance=nearest, repeat=(4, 4, 4)).positions
    # A point off the symmetry elements makes the order of the sites unique.
    centre = sites.mean(axis=0) + nearest * np.array([0.11, 0.07, 0.03])
    order = np.argsort(np.linalg.norm(sites - centre, axis=1))[: len(symbols)]
    rng = np.random.default_rng([seed, 2])
    start = _boxed(list(rng.permutation(symbols)), sites[order], box_length)
    extent = float(np.ptp(start.positions, axis=0).max())
    if extent + cutoff > box_length:
        raise StructureError(
            f"The cluster is {extent:.2f} bohr wide and the cutoff {cutoff:.2f} bohr, but the box "
            f"only {box_length:.2f} bohr; expected their sum at most. Take a larger box."
        )
    depth = max(well(potential.curve(a, b))[1] for a in composition for b in composition)
    hottest = min(0.3, 0.12 + 0.014 * len(symbols)) * depth / KELVIN
    ladder = np.linspace(max(hottest, temperature_kelvin), temperature_kelvin, 11)[:-1]
    for k, temperature in enumerate(ladder):
        stage = sample_canonical(
            start,
            temperature_kelvin=float(temperature),
            n_frames=1,
            seed=seed * 16 + k,
            potential=potential,
            cutoff=cutoff,
            n_adaptation_sweeps=200,
            max_pilot_sweeps=n_annealing_sweeps // 10,
        )
        start = stage.frames[0]
    sampled = sample_canonical(
        start,
        temperature_kelvin=temperature_kelvin,
        n_frames=n_frames,
        seed=seed * 16 + 15,
        potential=potential,
        cutoff=cutoff,
        composition=dict(composition),
    )
    return replace(sampled, frames=[centred(frame) for frame in sampled.frames], seed=seed)


def centred(frame: Frame) -> Frame:
    """Frame shifted and wrapped so that the atoms lie around the middle of the cell.

    The centre is the circular mean of the fractional coordinates, which does not care where
    the cell boundary cuts the cluster.
    """
    fractional = frame.fractional_positions
    middle = np.angle(np.exp(2j * np.pi * fractional).sum(axis=0)) / (2 * np.pi)
    shifted = fractional - middle + 0.5
    return replace(frame, positions=(shifted - np.floor(shifted)) @ frame.cell)


def _boxed(symbols: list[str], positions: np.ndarray, box_length: float) -> Frame:
    """Atoms around the middle of a cubic box."""
    return Frame(
        atomic_numbers=np.array([atomic_numbers[s] for s in symbols], dtype=np.int64),
        positions=positions - positions.mean(axis=0) + 0.5 * box_length,
        cell=np.eye(3) * box_length,
    )
