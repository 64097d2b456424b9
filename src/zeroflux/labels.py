"""What density functional theory says of one configuration: the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
from jaxtyping import Float

from zeroflux.errors import LabelError
from zeroflux.frames import Frame
from zeroflux.units import MILLIELECTRONVOLT

TERMS = ("kinetic", "xc", "electrostatic", "pseudo_local", "pseudo_nonlocal", "dispersion")
"""Names of the terms of the total energy, in the order of docs/theory.md."""
OTHER_PARTITIONS = ("neutral", "stockholder", "orbital")
"""Partitions that stand in labels beside the basins of the density."""


@dataclass(frozen=True, eq=False)
class BasinTerms:
    """Per-atom terms of the direct decomposition (hartree unless said)."""

    kinetic: Float[np.ndarray, " n_atoms"]
    """∫ τ over the basin of the density."""
    xc: Float[np.ndarray, " n_atoms"]
    """∫ ρ ε_xc over the basin."""
    electrostatic: Float[np.ndarray, " n_atoms"]
    """∫ ½ q V over the basin, less the self-energy of the ion's Gaussian charge."""
    pseudo_local: Float[np.ndarray, " n_atoms"]
    """∫ ρ v_sr over the basin: short-range local pseudopotential of all ions."""
    pseudo_nonlocal: Float[np.ndarray, " n_atoms"]
    """Non-local pseudopotential energy, atomic by construction."""
    dispersion: Float[np.ndarray, " n_atoms"]
    """Half of each dispersion pair term."""
    population: Float[np.ndarray, " n_atoms"]
    """Valence electrons in the basin."""
    charge: Float[np.ndarray, " n_atoms"]
    """Net charge of the basin (e)."""
    volume: Float[np.ndarray, " n_atoms"]
    """Volume of the basin (bohr³)."""
    laplacian: Float[np.ndarray, " n_atoms"]
    """∫ ∇²ρ over the basin (bohr⁻²): zero for an exact basin, so an error bar."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.kinetic)

    @property
    def energy_unclosed(self) -> Float[np.ndarray, " n_atoms"]:
        """Sum of the terms per atom, before the closure residual is spread (hartree)."""
        return sum((getattr(self, term) for term in TERMS), np.zeros(self.n_atoms))


@dataclass(frozen=True, eq=False)
class Label:
    """One labelled configuration.

    ``basin_energy`` sums to ``total_energy``: the closure residual, total energy less the sum of
    the integrated terms, is recorded in ``closure`` and spread evenly over the atoms.
    """

    frame: Frame
    total_energy: float
    """Energy of the cell, dispersion included (hartree)."""
    terms: BasinTerms
    is_converged: bool = True
    """Whether the self-consistent field converged; if not, the label is not used."""
    forces: Float[np.ndarray, "n_atoms 3"] | None = None
    """Forces on the atoms, dispersion included (hartree/bohr), if they were asked for."""
    other_energies: dict[str, Float[np.ndarray, " n_atoms"]] = field(default_factory=dict)
    """Energies of the atoms by the partitions of `OTHER_PARTITIONS` (hartree), as far as they were
    asked for; each sums to `total_energy`."""
    info: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Provenance, flat and ready for a file header: system, state point, settings, versions,
    times. Keys end in their unit."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return self.frame.n_atoms

    @property
    def closure(self) -> float:
        """Total energy less the sum of the integrated terms (hartree)."""
        return self.total_energy - float(self.terms.energy_unclosed.sum())

    @property
    def basin_energy(self) -> Float[np.ndarray, " n_atoms"]:
        """QTAIM energies of the atoms (hartree); they sum to `total_energy`."""
        return self.terms.energy_unclosed + self.closure / self.n_atoms


def system_name(label: Label) -> str:
    """Name of a label's system: ``info["system"]``, else its elements joined by a hyphen."""
    if "system" in label.info:
        return str(label.info["system"])
    from ase.data import chemical_symbols

    return "-".join(chemical_symbols[z] for z in np.unique(label.frame.atomic_numbers))


DOUBTFUL_CLOSURE = 0.1 * MILLIELECTRONVOLT
"""Closure per atom from which on labels are warned of (hartree)."""
LARGEST_CLOSURE = 2.0 * MILLIELECTRONVOLT
"""Largest closure per atom of labels that serve as a reference (hartree)."""


def largest_closure(labels: Sequence[Label]) -> float:
    """Largest closure residual per atom of converged labels (hartree)."""
    sizes = [abs(label.closure) / label.n_atoms for label in labels if label.is_converged]
    return max(sizes, default=0.0)


def require_closed(labels: Sequence[Label], *, where: str) -> None:
    """Refuse labels as a reference whose densities miss the total energy.

    Raises
    ------
    LabelError
        If the closure of a label is more than 2 meV per atom; ``where`` is their file.
    """
    for k, label in enumerate(labels):
        closure = abs(label.closure) / label.n_atoms
        if label.is_converged and not closure <= LARGEST_CLOSURE:
            raise LabelError(
                f"{where}: the densities of label {k} (counted from 0) miss its total energy by "
                f"{closure / MILLIELECTRONVOLT:.3g} meV per atom; expected at most "
                f"{LARGEST_CLOSURE / MILLIELECTRONVOLT:g} of a reference. Label the structures "
                "again with a higher label.density_cutoff_hartree, or leave it out."
            )


def mixed_settings(labels: Sequence[Label]) -> str | None:
    """What differs between labels that cannot be one reference, or None.

    Another functional, basis, pseudopotential or partition gives totals of another zero and atoms
    that differ by more than networks err by.
    """
    found = []
    for key in ("functional", "dispersion", "basis", "pseudopotential", "partition"):
        values = sorted({str(x.info[key]) for x in labels if key in x.info})
        if len(values) > 1:
            found.append(f"{key}: {', '.join(values)}")
    return "; ".join(found) or None


TermName = Literal[
    "kinetic", "xc", "electrostatic", "pseudo_local", "pseudo_nonlocal", "dispersion"
]
BASIN_FIELDS = tuple(f.name for f in fields(BasinTerms))
"""All per-atom quantities of a label, as they are named in files after ``basin_``."""
