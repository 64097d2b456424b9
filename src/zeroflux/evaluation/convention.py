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
"""Largest misfit per atom of Σ energies to energy that passes as rounding of double precision
(hartree); `sum_tolerance` adds what coarser numbers need."""


@dataclass(frozen=True)
class Convention:
    """How a model's per-atom energies relate to its total, and its total to the labels."""

    kind: Literal["complete", "offsets omitted", "no total"]
    """``complete``: Σ energies = energy. ``offsets omitted``: the sum lacks a constant per
    species, as of codes that leave atomic reference energies out of their per-atom output.
    ``no total``: the model gives no energy to hold the sum against."""
    omitted: Mapping[int, float]
    """Energy per species that the per-atom output lacks (hartree); zeros if complete."""
    zero_shift: Mapping[int, float]
    """Energy per species by which the model's zero lies above that of the labels (hartree),
    as far as the compositions determine it; this is what was removed from the totals."""
    worst_sum_error: float
    """Largest |Σ energies + omitted − energy| per atom (hartree); NaN without a total."""
    is_shift_unique: bool
    """Whether the compositions tell the species' shifts apart."""
    is_tested: bool = True
    """Whether there are more configurations than constants: if not, constants fit any energies,
    and the errors of totals are zero by construction."""
    tolerance: float = SUM_TOLERANCE
    """Largest misfit of the sum that passed as rounding (hartree per atom)."""


def sum_tolerance(
    energy: Float[np.ndarray, " n_configurations"],
    n_atoms: Float[np.ndarray, " n_configurations"],
    *,
    rounding: float = 0.0,
    step: float = 0.0,
) -> Float[np.ndarray, " n_configurations"]:
    r"""Misfit per atom that rounding explains, :math:`t_0 + \epsilon |E|/N\,\max(4,\sqrt N) + s`.

    Summing N numbers of relative precision ε one after the other leaves a random walk of N steps
    of up to ε|E|/2; the sum and each number are rounded as well. ``step`` is the last decimal of
    numbers in a text.
    """
    walk = rounding * np.abs(energy) / n_atoms * np.maximum(4.0, np.sqrt(n_atoms))
    return SUM_TOLERANCE + walk + 0.5 * step * (1.0 + 1.0 / n_atoms)


def find_convention(
    *,
    energies: Float[np.ndarray, " n_atoms"],
    model_total: Float[np.ndarray, " n_configurations"] | None,
    reference_total: Float[np.ndarray, " n_configurations"],
    species: Int[np.ndarray, " n_atoms"],
    configuration: Int[np.ndarray, " n_atoms"],
    rounding: float = 0.0,
    step: float = 0.0,
    name: str = "model",
) -> Convention:
    """Find a model's convention from its energies on labelled configurations (hartree).

    ``model_total`` is None for a model that gives no total, whose sum is then taken for it.
    ``rounding`` is the relative precision of the numbers and ``step`` their last decimal, see
    `sum_tolerance`.

    Raises
    ------
    ModelError
        If the per-atom energies differ from the total by more than a constant per species: then
        they are no decomposition of it, and scoring them would mean nothing.
    """
    n_configurations = len(reference_total)
    numbers = np.unique(species)
    counts = np.stack(
        [
            np.bincount(configuration[species == number], minlength=n_configurations)
            for number in numbers
        ],
        axis=1,
    ).astype(np.float64)
    n_atoms = counts.sum(axis=1)
    composition = counts / n_atoms[:, None]
    rank = int(np.linalg.matrix_rank(composition))
    sums = np.bincount(configuration, weights=energies, minlength=n_configurations)
    total = sums if model_total is None else model_total
    gap = total - sums
    omitted = np.zeros(len(numbers))
    kind: Literal["complete", "offsets omitted", "no total"] = "complete"
    size = np.maximum(np.abs(total), np.bincount(configuration, weights=np.abs(energies)))
    tolerance = sum_tolerance(size, n_atoms, rounding=rounding, step=step)
    error = np.abs(gap / n_atoms)
    if (error > tolerance).any():
        omitted = np.linalg.lstsq(composition, gap / n_atoms, rcond=None)[0]
        error = np.abs(gap / n_atoms - composition @ omitted)
        kind = "offsets omitted"
    if not (error <= tolerance).all():
        raise ModelError(
            f"{name}: the per-atom energies miss the total by up to "
            f"{error.max() / MILLIELECTRONVOLT:.3g} meV per atom beyond any constant per species; "
            f"expected at most {tolerance.max() / MILLIELECTRONVOLT:.3g}. Check that the model's "
            "`energies` are a decomposition of its `energy`."
        )
    shift = np.linalg.lstsq(composition, (total - reference_total) / n_atoms, rcond=None)[0]
    return Convention(
        kind="no total" if model_total is None else kind,
        omitted=dict(zip(map(int, numbers), map(float, omitted), strict=True)),
        zero_shift=dict(zip(map(int, numbers), map(float, shift), strict=True)),
        worst_sum_error=float("nan") if model_total is None else float(error.max()),
        is_shift_unique=rank == len(numbers),
        is_tested=n_configurations > rank,
        tolerance=float(tolerance.max()),
    )
