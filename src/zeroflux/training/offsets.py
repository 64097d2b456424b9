"""Energies of the elements: what is fitted to totals before any network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

DEGENERACY = 1e-6  # singular values below this fraction of the largest do not count


@dataclass(frozen=True, eq=False)
class SpeciesOffsets:
    """Offsets of the elements with the convention that fixed them."""

    values: Float[np.ndarray, " n_species"]
    """Offset of each element (hartree)."""
    convention: str
    """``regression`` if the totals determine each offset, ``minimum-norm`` if compositions are
    too alike to do so, ``minimum-norm from isolated atoms`` if anchored."""


def species_offsets(
    counts: Int[np.ndarray, "n_frames n_species"],
    total_energies: Float[np.ndarray, " n_frames"],
    *,
    atom_energies: Float[np.ndarray, " n_species"] | None = None,
) -> SpeciesOffsets:
    r"""Linear regression of totals on composition, :math:`E_c \approx \sum_s n_{cs} o_s`.

    Rows are weighted by :math:`1/N_c`, so that each configuration's energy per atom counts the
    same. Where all compositions are alike the regression leaves a gauge, :math:`o_s + d_s` with
    :math:`\sum_s n_s d_s = 0`; the solution of smallest norm is taken, of the offsets themselves
    or, with ``atom_energies``, of their difference from the isolated atoms. An element that is
    absent gets the anchor, or zero.

    Parameters
    ----------
    counts
        Number of atoms of each element.
    total_energies
        Total energies (hartree).
    atom_energies
        Energies of the isolated atoms (hartree), if known.
    """
    anchor = np.zeros(counts.shape[1]) if atom_energies is None else atom_energies
    n_atoms = counts.sum(axis=1)
    fractions = counts / n_atoms[:, None]
    per_atom = total_energies / n_atoms - fractions @ anchor
    correction, _, rank, _ = np.linalg.lstsq(fractions, per_atom, rcond=DEGENERACY)
    if rank == counts.shape[1]:
        convention = "regression"
    elif atom_energies is None:
        convention = "minimum-norm"
    else:
        convention = "minimum-norm from isolated atoms"
    return SpeciesOffsets(anchor + correction, convention)
