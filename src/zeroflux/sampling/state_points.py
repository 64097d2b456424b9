"""State points and the boxes in which their simulation starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers

from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM, KELVIN

# Atoms per cubic cell and their fractional positions.
_LATTICES = (
    np.array([[0.0, 0.0, 0.0]]),
    np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
    np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]),
)


@dataclass(frozen=True)
class StatePoint:
    """Composition, temperature and density of one canonical simulation.

    Raises
    ------
    ValueError
        If an element is unknown, a count is not positive, or temperature or density are not.
    """

    composition: Mapping[str, int]
    """Number of atoms of each chemical symbol."""
    temperature_kelvin: float
    """Temperature (K)."""
    density_per_angstrom3: float
    """Number density (atoms/Å³)."""

    def __post_init__(self) -> None:
        for symbol, count in self.composition.items():
            if symbol not in atomic_numbers or symbol == "X":
                raise ValueError(f"composition names '{symbol}'; expected a chemical symbol")
            if count < 1:
                raise ValueError(f"composition has {count} atoms of {symbol}; expected 1 or more")
        if not self.composition:
            raise ValueError("composition is empty; expected a number of atoms of some element")
        if not self.temperature_kelvin > 0:
            raise ValueError(f"temperature is {self.temperature_kelvin} K; expected more than 0")
        if not self.density_per_angstrom3 > 0:
            raise ValueError(
                f"density is {self.density_per_angstrom3} atoms/Å³; expected more than 0"
            )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.composition.values())

    @property
    def volume(self) -> float:
        """Volume of the box (bohr³)."""
        return self.n_atoms / self.density_per_angstrom3 * ANGSTROM**3

    @property
    def box_length(self) -> float:
        """Edge of the cubic box (bohr)."""
        return self.volume ** (1 / 3)

    @property
    def thermal_energy(self) -> float:
        """k_B T (hartree)."""
        return self.temperature_kelvin * KELVIN

    @property
    def name(self) -> str:
        """Short name for files and logs, such as ``Ar8Kr8_110K_0.0190``."""
        formula = "".join(f"{symbol}{count}" for symbol, count in self.composition.items())
        return f"{formula}_{self.temperature_kelvin:g}K_{self.density_per_angstrom3:.4f}"


def initial_frame(state_point: StatePoint, *, rng: np.random.Generator) -> Frame:
    """Cubic box with the atoms on random sites of a lattice, to be melted.

    Of the simple cubic, body-centred and face-centred lattices with enough sites the one with
    the largest nearest-neighbour distance is taken; sites and elements are dealt at random.
    """
    n_atoms = state_point.n_atoms
    candidates = [_lattice_sites(basis, n_atoms) for basis in _LATTICES]
    sites, _ = max(candidates, key=lambda candidate: candidate[1])
    chosen = sites[rng.permutation(len(sites))[:n_atoms]]
    numbers = np.concatenate(
        [np.full(count, atomic_numbers[s]) for s, count in state_point.composition.items()]
    )
    length = state_point.box_length
    return Frame(
        atomic_numbers=numbers.astype(np.int64),
        positions=chosen * length,
        cell=np.eye(3) * length,
    )


def _lattice_sites(basis: np.ndarray, n_atoms: int) -> tuple[np.ndarray, float]:
    """Fractional sites of the smallest supercell that holds the atoms; nearest distance."""
    repeat = int(np.ceil((n_atoms / len(basis)) ** (1 / 3) - 1e-9))
    steps = np.stack(np.meshgrid(*[np.arange(repeat)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites = ((steps[:, None, :] + basis[None]) / repeat).reshape(-1, 3)
    nearest = {1: 1.0, 2: np.sqrt(0.75), 4: np.sqrt(0.5)}[len(basis)] / repeat
    return sites, float(nearest)
