"""What an electronic-structure engine must say of a configuration: energy densities and terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from zeroflux.errors import LabelError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.labelling.stockholder import FreeAtom
from zeroflux.labels import TERMS

FIELDS = ("kinetic", "xc", "electrostatic", "pseudo_local")
"""Terms of the energy that are spread in space and are divided by basins."""


@dataclass(frozen=True, eq=False)
class EnergyDensities:
    """Total energy of a configuration, term by term: fields on a grid and atomic parts.

    A term of the energy is ``∫ fields[term] dr + Σ_A atomic[term][A]``; either part may be absent.

    Raises
    ------
    LabelError
        If a name is not a term of the energy, or an array has the wrong shape.
    """

    frame: Frame
    grid: UniformGrid
    density: Float[np.ndarray, "n_a n_b n_c"]
    """Valence electron density ρ (bohr⁻³)."""
    reference: Float[np.ndarray, "n_a n_b n_c"]
    """Field whose maxima are the nuclei and whose ascent defines the basins: ρ with the Gaussian
    ion charges added, since a pseudo-density dips at the nuclei (bohr⁻³)."""
    laplacian: Float[np.ndarray, "n_a n_b n_c"]
    """∇²ρ (bohr⁻⁵)."""
    ion_charges: Float[np.ndarray, " n_atoms"]
    """Charges of the ions Z_A (e)."""
    fields: dict[str, np.ndarray]
    """Energy densities (hartree bohr⁻³) by the name of their term."""
    atomic: dict[str, np.ndarray]
    """Parts that are atomic by construction (hartree), by the name of their term."""
    total_energy: float
    """Energy of the cell without dispersion, as the self-consistent field gives it (hartree)."""
    is_converged: bool
    forces: Float[np.ndarray, "n_atoms 3"] | None = None
    """Forces on the atoms without dispersion (hartree/bohr), if they were asked for."""
    free_atoms: Mapping[int, FreeAtom] = field(default_factory=dict)
    """Densities of free atoms by atomic number, for the stockholder partition; none by default."""
    orbital_energies: Float[np.ndarray, " n_atoms"] | None = None
    """Energies of the atoms by intrinsic atomic orbitals without dispersion (hartree), if they were
    asked for."""
    info: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Engine, settings, versions, times."""

    def __post_init__(self) -> None:
        for name, array in [*self.fields.items(), *self.atomic.items()]:
            if name not in TERMS:
                raise LabelError(f"Found term '{name}'; expected one of {', '.join(TERMS)}.")
            expected = self.grid.shape if name in self.fields and array.ndim == 3 else None
            if expected is not None and array.shape != expected:
                raise LabelError(
                    f"Energy density '{name}' has shape {array.shape}; expected {expected}."
                )

    def term_total(self, term: str) -> float:
        """Total of one term over the cell (hartree)."""
        spread = self.fields[term].sum() * self.grid.voxel_volume if term in self.fields else 0.0
        return float(spread + (self.atomic[term].sum() if term in self.atomic else 0.0))
