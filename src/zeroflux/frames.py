"""A configuration of atoms in a periodic cell, in atomic units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from zeroflux.errors import StructureError
from zeroflux.units import ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, eq=False)
class Frame:
    """Atoms in a periodic cell.

    Raises
    ------
    StructureError
        If a value is not finite, an atomic number is not an element, or the cell has no volume.
    """

    atomic_numbers: Int[np.ndarray, " n_atoms"]
    """Atomic numbers."""
    positions: Float[np.ndarray, "n_atoms 3"]
    """Nuclear positions (bohr); need not be wrapped into the cell."""
    cell: Float[np.ndarray, "3 3"]
    """Lattice vectors as rows (bohr); either handedness."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.positions).all() and np.isfinite(self.cell).all()):
            raise StructureError(
                "Positions or cell hold values that are not finite (NaN or infinity); "
                "expected numbers. Check the structure file."
            )
        outside = self.atomic_numbers[(self.atomic_numbers < 1) | (self.atomic_numbers > 118)]
        if outside.size:
            raise StructureError(
                f"Found atomic number {outside[0]}; expected 1 to 118. Check the chemical symbols."
            )
        if abs(np.linalg.det(self.cell)) < 1e-6:
            raise StructureError(
                f"The cell has volume {abs(np.linalg.det(self.cell)):.3g} bohr³; expected a "
                "three-dimensional periodic cell. Give the structure a cell."
            )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atomic_numbers)

    @property
    def volume(self) -> float:
        """Cell volume (bohr³)."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def fractional_positions(self) -> Float[np.ndarray, "n_atoms 3"]:
        """Positions in units of the lattice vectors, not wrapped."""
        return np.linalg.solve(self.cell.T, self.positions.T).T

    @classmethod
    def from_ase(cls, atoms: Atoms) -> Frame:
        """Frame from ASE atoms (ångström); the cell is taken as periodic in all directions."""
        return cls(
            atomic_numbers=np.asarray(atoms.numbers, dtype=np.int64),
            positions=np.asarray(atoms.positions, dtype=np.float64) * ANGSTROM,
            cell=np.asarray(atoms.cell.array, dtype=np.float64) * ANGSTROM,
        )

    def to_ase(self) -> Atoms:
        """ASE atoms (ångström), periodic in all directions."""
        from ase import Atoms

        return Atoms(
            numbers=self.atomic_numbers,
            positions=self.positions / ANGSTROM,
            cell=self.cell / ANGSTROM,
            pbc=True,
        )


def isolated_atom(symbol: str, *, box_length: float) -> Frame:
    """One atom in the middle of a cubic box (bohr)."""
    return Frame(
        atomic_numbers=np.array([atomic_numbers[symbol]], dtype=np.int64),
        positions=np.full((1, 3), 0.5 * box_length),
        cell=np.eye(3) * box_length,
    )
