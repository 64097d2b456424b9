"""Which zero of energy a model counts from: found from its own numbers, never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from zeroflux.errors import ModelError
from zeroflux.units import MILLIELECTRONVOLT

SUM_TOLERANCE = 0.01 * MILLIELECTRONVOLT
"""Largest misfit per atom of Σ energies to energy that passes as rounding (hartree): single
precision resolves 1e-6 of energies of some 500 eV per atom only to this order."""


@dataclass(frozen=True)
class Convention:
    """How a model's per-atom energies relate to its total, and its total to the labels."""

    kind: Literal["complete", "offsets omitted"]
    """``complete``: Σ energies = energy. ``offsets omitted``: the sum lacks a constant per
    species, as of codes that leave atomic reference energies out of their per-atom output."""
    omitted: Mapping[int, float]
    """Energy per species that the per-atom output lacks (hartree); zeros if complete."""
    zero_shift: Mapping[int, float]
    """Energy per species by which the model's zero lies above that of the labels (hartree),
    as far as the compositions determine it; this is what was removed from the totals."""
    worst_sum_error: float
    """Largest |Σ energies + omitted − energy| per atom (hartree)."""
    is_shift_unique: bool
    """Whether the compositions tell the species' shifts apart."""


def find_convention(
    *,
    energies: Float[np.ndarray, " n_atoms"],
    model_total: Float[np.ndarray, " n_configurations"],
    reference_total: Float[np.ndarray, " n_configurations"],
    species: Int[np.ndarray, " n_atoms"],
    configuration: Int[np.ndarray, " n_atoms"],
    tolerance: float = SUM_TOLERANCE,
    name: str = "model",
) -> Convention:
    """Find a model's convention from its energies on labelled configurations (hartree).

    Raises
    ------
    ModelError
        If the per-atom energies differ from the total by more than a constant per species: then
        they are no decomposition of it, and scoring them would mean nothing.
    """
    n_configurations = len(model_total)
    numbers = np.unique(species)
    counts = np.stack(
        [
            np.bincount(configuration[species == number], minlength=n_configurations)
            for number in numbers
        ],
        axis=1,
    ).astype(np.float64)
    n_atoms = counts.sum(axis=1)
    gap = model_total - np.bincount(configuration, weights=energies, minlength=n_configurations)
    composition = counts / n_atoms[:, None]
    omitted = np.zeros(len(numbers))
    kind: Literal["complete", "offsets omitted"] = "complete"
    error = np.abs(gap / n_atoms)
    if error.max() > tolerance:
        omitted = np.linalg.lstsq(composition, gap / n_atoms, rcond=None)[0]
        error = np.abs(gap / n_atoms - composition @ omitted)
        kind = "offsets omitted"
    if error.max() > tolerance:
        raise ModelError(
            f"{name}: the per-atom energies miss the total by up to "
            f"{error.max() / MILLIELECTRONVOLT:.3g} meV per atom beyond any constant per species; "
            f"expected at most {tolerance / MILLIELECTRONVOLT:.3g}. Check that the model's "
            "`energies` are a decomposition of its `energy`."
        )
    shift = np.linalg.lstsq(composition, (model_total - reference_total) / n_atoms, rcond=None)[0]
    return Convention(
        kind=kind,
        omitted=dict(zip(map(int, numbers), map(float, omitted), strict=True)),
        zero_shift=dict(zip(map(int, numbers), map(float, shift), strict=True)),
        worst_sum_error=float(error.max()),
        is_shift_unique=bool(np.linalg.matrix_rank(composition) == len(numbers)),
    )
