"""One number by which models can be sorted: how much of what is achievable they achieve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zeroflux.evaluation.statistics import Estimate, percentile_estimate, resampling_counts


@dataclass(frozen=True, eq=False)
class Achieved:
    """Fraction of the achievable, 0 (no better than a baseline) to 1 (at the noise floor)."""

    score: Estimate
    """Mean over the systems, each with the same weight; NaN if no system can tell."""
    by_system: Mapping[str, Estimate]
    """Of each system that can tell."""
    replicates: Mapping[str, Float[np.ndarray, " n_bootstrap"]]
    """Bootstrap samples of `by_system`."""
    relative_error: Mapping[str, float]
    """Error over that of the better baseline, by system: tells models apart that score 0."""
    undecided: tuple[str, ...] = ()
    """Systems whose better baseline is already at the noise floor, which therefore say nothing."""


def achieved(
    *,
    error: Float[np.ndarray, " n_atoms"],
    baseline_errors: Sequence[Float[np.ndarray, " n_atoms"]],
    floor: Mapping[str, float],
    species: Int[np.ndarray, " n_atoms"],
    configuration: Int[np.ndarray, " n_atoms"],
    systems: Sequence[str],
    n_bootstrap: int = 1000,
    rng: np.random.Generator,
) -> Achieved:
    r"""Score of a model: the mean over systems of how far it is from baseline to noise floor.

    .. math:: S = \frac{1}{n} \sum_s \min\Bigl(1, \max\Bigl(0,
              \frac{b_s - e_s}{b_s - f_s}\Bigr)\Bigr), \quad b_s = \min_k b_{ks}

    with :math:`e_s` the error of the model in system s, :math:`b_{ks}` that of baseline k, root
    mean squares over the atoms with the mean of each species taken out, and :math:`f_s` the floor.
    A system with :math:`b_s \le f_s` (crystals and dimers, where E/N is exact) is left out. The
    interval resamples configurations within each system, for model and baselines alike.

    Parameters
    ----------
    error
        Scored less reference energy, atoms of all configurations one after the other (hartree).
    baseline_errors
        The same of each baseline.
    floor
        Noise floor of each system (hartree); 0 if the reference is exact.
    species, configuration, systems
        As of `local_scores`.
    n_bootstrap
        Bootstrap samples.
    rng
        Source of the bootstrap samples; equal streams resample equally for every model.

    Raises
    ------
    ValueError
        If there is no baseline, or an error is not finite.
    """
    errors = np.array([error, *baseline_errors], dtype=np.float64)
    if len(errors) < 2 or not np.isfinite(errors).all():
        raise ValueError(
            f"Found {len(errors) - 1} baselines and {int((~np.isfinite(errors)).sum())} errors "
            "that are not finite; expected at least one baseline and finite numbers."
        )
    of_atom = np.asarray(systems)[configuration]
    by_system, replicates, relative, undecided = {}, {}, {}, []
    for name in dict.fromkeys(map(str, systems)):
        own = of_atom == name
        n_units, moments = _moments(errors[:, own], species[own], configuration[own])
        whole = moments.sum(axis=0)[None]
        value = float(_fraction(whole, floor[name])[0])
        counts = resampling_counts(n_units, n_bootstrap, rng)
        if np.isnan(value):
            undecided.append(name)
            continue
        drawn = _fraction(np.tensordot(counts, moments, axes=1), floor[name])
        replicates[name] = drawn if n_units > 1 else np.full(n_bootstrap, np.nan)
        by_system[name] = percentile_estimate(value, replicates[name])
        own_error, best = _errors(whole)
        relative[name] = float(own_error[0] / best[0])
    score = mean_achieved(by_system, replicates)
    return Achieved(score, by_system, replicates, relative, tuple(undecided))


def pooled_achieved(
    by_pool: Mapping[str, Achieved | None], *, rng: np.random.Generator
) -> Achieved:
    """One score over several pools: the mean over all systems of all of them.

    ``None`` stands for a pool on which a model could not be scored: it then has no score over
    all of them, since a mean over fewer systems is not comparable, but keeps those by system.
    """
    systems, replicates, relative, undecided = {}, {}, {}, []
    for pool, one in by_pool.items():
        if one is None:
            continue
        is_single = len(one.by_system) + len(one.undecided) == 1
        for name, value in one.by_system.items():
            key = pool if is_single else f"{pool}: {name}"
            systems[key], relative[key] = value, one.relative_error[name]
            # Pools drawn by equal streams are told apart: their configurations are independent.
            replicates[key] = rng.permutation(one.replicates[name])
        undecided += [pool if is_single else f"{pool}: {name}" for name in one.undecided]
    is_whole = all(one is not None for one in by_pool.values())
    score = mean_achieved(*((systems, replicates) if is_whole else ({}, {})))
    return Achieved(score, systems, replicates, relative, tuple(undecided))


def mean_achieved(
    by_system: Mapping[str, Estimate], replicates: Mapping[str, Float[np.ndarray, " n_bootstrap"]]
) -> Estimate:
    """Mean over systems with equal weight, resampled in each system independently."""
    if not by_system:
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = float(np.mean([one.value for one in by_system.values()]))
    return percentile_estimate(value, np.mean([*replicates.values()], axis=0))


def _moments(
    errors: np.ndarray, species: np.ndarray, configuration: np.ndarray
) -> tuple[int, np.ndarray]:
    """Number of configurations and, for each, (species, of 1, Σd and Σd² of every model)."""
    present, unit = np.unique(configuration, return_inverse=True)
    kinds, kind = np.unique(species, return_inverse=True)
    # Centred first: totals of thousands of eV would swamp differences of meV.
    n_of_kind = np.bincount(kind)
    mean = np.array([np.bincount(kind, weights=d) / n_of_kind for d in errors])
    errors = errors - mean[:, kind]
    moments = np.zeros((len(present), len(kinds), 1 + 2 * len(errors)))
    np.add.at(moments, (unit, kind), np.vstack([np.ones(len(unit)), errors, errors**2]).T)
    return len(present), moments


def _errors(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root-mean-square error of the model and of the better baseline in summed moments."""
    n_models = (moments.shape[2] - 1) // 2
    n = moments[:, :, :1]
    first, second = moments[:, :, 1 : 1 + n_models], moments[:, :, 1 + n_models :]
    square = (second - first**2 / np.maximum(n, 1.0)).sum(axis=1) / n.sum(axis=1)
    rms = np.sqrt(np.maximum(square, 0.0))
    return rms[:, 0], rms[:, 1:].min(axis=1)


def _fraction(moments: np.ndarray, floor: float) -> np.ndarray:
    """(b − e)/(b − f) within 0 to 1; NaN where b ≤ f."""
    own, best = _errors(moments)
    # A baseline without error, to rounding, leaves nothing to achieve whatever the floor.
    is_open = best > max(floor, 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.clip((best - own) / (best - floor), 0.0, 1.0)
    return np.where(is_open, fraction, np.nan)
