"""Local error against the size of the network: do smaller networks decompose more faithfully?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from zeroflux.evaluation.statistics import Estimate, percentile_estimate


@dataclass(frozen=True)
class SizeSummary:
    """Errors of the networks of one size over their seeds (the unit of the input)."""

    n_parameters: int
    n_seeds: int
    mean: Estimate
    """Mean with a Student-t interval over seeds."""
    standard_deviation: float
    """Over seeds, n − 1 in the denominator; NaN for one seed."""


@dataclass(frozen=True)
class SizeRegression:
    """Linear regression of an error on log10 of the number of parameters."""

    slope: Estimate
    """Change of the error per decade of parameters; the interval resamples seeds within sizes."""
    intercept: float
    p_value: float
    """Two-sided, of the ordinary regression (networks independent, errors of one size)."""
    covariate_coefficients: tuple[float, ...]
    """Coefficients of the standardised covariates."""
    n_models: int
    n_sizes: int
    n_seeds_smallest_group: int
    """Fewest networks of one size: an interval from fewer than about five is too narrow."""


def size_summaries(
    n_parameters: Int[np.ndarray, " n_models"],
    error: Float[np.ndarray, " n_models"],
    *,
    confidence: float = 0.95,
) -> tuple[SizeSummary, ...]:
    """Mean, standard deviation and interval over seeds for each size, smallest first."""
    summaries = []
    for size in np.unique(n_parameters):
        own = error[n_parameters == size]
        n_seeds = len(own)
        deviation = float(own.std(ddof=1)) if n_seeds > 1 else float("nan")
        half = (
            float(stats.t.ppf(0.5 + confidence / 2, n_seeds - 1)) * deviation / np.sqrt(n_seeds)
            if n_seeds > 1
            else float("nan")
        )
        mean = float(own.mean())
        summaries.append(
            SizeSummary(
                n_parameters=int(size),
                n_seeds=n_seeds,
                mean=Estimate(mean, mean - half, mean + half, confidence),
                standard_deviation=deviation,
            )
        )
    return tuple(summaries)


def size_regression(
    n_parameters: Int[np.ndarray, " n_models"],
    error: Float[np.ndarray, " n_models"],
    *,
    covariates: Float[np.ndarray, "n_models n_covariates"] | None = None,
    groups: Sequence[str] | None = None,
    n_bootstrap: int = 2000,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> SizeRegression:
    r"""Regress an error on size: error = c + β log10(n_parameters) + Σ γ covariate.

    The bootstrap resamples networks within one size (and group), so that each sample has the
    sizes of the study: the question is about seeds, the sizes were chosen.

    Parameters
    ----------
    n_parameters
        Number of parameters of each network.
    error
        Its error, for example the centred RMSE of local energies; the unit of β is this one's.
    covariates
        Further columns, for example the error of totals; standardised before the fit.
    groups
        Architecture or training set of each network: gets an intercept of its own.
    n_bootstrap, rng, confidence
        Of the interval of β.

    Raises
    ------
    ValueError
        If all networks have the same size, or there are fewer networks than coefficients + 1.
    """
    n_models = len(error)
    columns = _design(n_parameters, covariates, groups)
    if len(np.unique(n_parameters)) < 2 or n_models <= columns.shape[1]:
        raise ValueError(
            f"Found {n_models} networks of {len(np.unique(n_parameters))} sizes; expected at least "
            f"2 sizes and more than {columns.shape[1]} networks. Train more sizes or seeds."
        )
    coefficients, p_value = _ordinary_regression(columns, error)
    stratum = np.unique(
        np.column_stack([n_parameters, _codes(groups, n_models)]), axis=0, return_inverse=True
    )[1].ravel()
    members = [np.flatnonzero(stratum == k) for k in range(stratum.max() + 1)]
    draws = np.hstack([rng.choice(own, size=(n_bootstrap, len(own))) for own in members])
    replicates = np.full(n_bootstrap, np.nan)
    for index, draw in enumerate(draws):
        solution, _, rank, _ = np.linalg.lstsq(columns[draw], error[draw], rcond=None)
        if rank == columns.shape[1]:
            replicates[index] = solution[1]
    smallest = min(len(own) for own in members)
    if smallest < 2:  # a size with one seed does not vary in the bootstrap at all
        replicates[:] = np.nan
    return SizeRegression(
        slope=percentile_estimate(float(coefficients[1]), replicates, confidence=confidence),
        intercept=float(coefficients[0]),
        p_value=p_value,
        covariate_coefficients=tuple(
            float(value)
            for value in coefficients[2 : 2 + (0 if covariates is None else covariates.shape[1])]
        ),
        n_models=n_models,
        n_sizes=len(np.unique(n_parameters)),
        n_seeds_smallest_group=smallest,
    )


def _codes(groups: Sequence[str] | None, n_models: int) -> np.ndarray:
    """Integer code of each model's group."""
    if groups is None:
        return np.zeros(n_models, dtype=np.int64)
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def _design(
    n_parameters: np.ndarray, covariates: np.ndarray | None, groups: Sequence[str] | None
) -> np.ndarray:
    """Columns: one, log10 size, standardised covariates, indicators of all groups but the first."""
    columns = [np.ones(len(n_parameters)), np.log10(n_parameters)]
    if covariates is not None:
        spread = covariates.std(axis=0)
        columns.extend(((covariates - covariates.mean(axis=0)) / np.where(spread, spread, 1.0)).T)
    code = _codes(groups, len(n_parameters))
    columns.extend((code == k).astype(np.float64) for k in range(1, code.max() + 1))
    return np.column_stack(columns)


def _ordinary_regression(columns: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and the two-sided p-value of the second one."""
    coefficients = np.linalg.lstsq(columns, y, rcond=None)[0]
    residual = y - columns @ coefficients
    freedom = len(y) - columns.shape[1]
    variance = residual @ residual / freedom
    standard_error = np.sqrt(variance * np.linalg.pinv(columns.T @ columns)[1, 1])
    if standard_error == 0.0:
        return coefficients, 0.0 if coefficients[1] != 0 else 1.0
    t = coefficients[1] / standard_error
    return coefficients, float(2.0 * stats.t.sf(abs(t), freedom))
