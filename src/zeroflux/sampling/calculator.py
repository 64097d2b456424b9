"""ASE calculator of a pair potential, with site energies."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from zeroflux.errors import StructureError
from zeroflux.frames import Frame
from zeroflux.sampling.monte_carlo import DEFAULT_CUTOFF
from zeroflux.sampling.pair_potentials import NOBLE_GASES, PairPotential
from zeroflux.sampling.pair_sums import pair_energies, pair_forces, pair_stress
from zeroflux.units import ANGSTROM, ELECTRONVOLT


class PairCalculator(Calculator):
    """Energy, site energies, forces and stress of a pair potential, in ASE's units.

    ``energies`` holds the half-split site energies, E_i = ½ Σ_j V(r_ij). Atoms are either
    periodic in three directions or not at all.

    Parameters
    ----------
    potential
        Curves of all pairs of elements.
    cutoff
        Distance (bohr) from which on pairs are left out. Give a potential that is
        `PairPotential.switched` at the same cutoff for molecular dynamics.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
    ]

    def __init__(
        self, potential: PairPotential = NOBLE_GASES, cutoff: float = DEFAULT_CUTOFF
    ) -> None:
        super().__init__()
        self.potential = potential
        self.cutoff = cutoff

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute and keep everything in `results`; called by ASE."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise ValueError("no atoms were given; expected ASE atoms")
        frame = _periodic_frame(self.atoms, self.cutoff)
        energies = pair_energies(frame, self.potential, self.cutoff) / ELECTRONVOLT
        forces = pair_forces(frame, self.potential, self.cutoff)
        self.results = {
            "energy": float(energies.sum()),
            "free_energy": float(energies.sum()),
            "energies": energies,
            "forces": forces / (ELECTRONVOLT / ANGSTROM),
        }
        if self.atoms.pbc.all():
            stress = pair_stress(frame, self.potential, self.cutoff)
            self.results["stress"] = full_3x3_to_voigt_6_stress(
                stress / (ELECTRONVOLT / ANGSTROM**3)
            )


def _periodic_frame(atoms: Atoms, cutoff: float) -> Frame:
    """Frame of the atoms; a cluster gets a cell in which no image is within the cutoff."""
    if atoms.pbc.all():
        return Frame.from_ase(atoms)
    if atoms.pbc.any():
        raise StructureError(
            f"Found periodicity {atoms.pbc.tolist()}; expected all directions or none. "
            "Set atoms.pbc, or add vacuum and make the cell periodic."
        )
    positions = np.asarray(atoms.positions) * ANGSTROM
    return Frame(
        atomic_numbers=np.asarray(atoms.numbers, dtype=np.int64),
        positions=positions,
        cell=np.diag(np.ptp(positions, axis=0) + 2 * cutoff),
    )
