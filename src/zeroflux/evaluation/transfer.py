"""Does a network that decomposes better transfer better?"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from zeroflux.evaluation.pooling import standard_error_of
from zeroflux.evaluation.statistics import (
    Estimate,
    bootstrap,
    holm,
    partial_spearman,
    partial_spearman_p_value,
    percentile_estimate,
    spearman,
)


@dataclass(frozen=True)
class Association:
    """Rank correlation of local error with transfer error over networks."""

    target: str
    """The system that was transferred to."""
    group: str
    """Which networks: ``"all"`` or the name of a group."""
    n_models: int
    correlation: Estimate
    """Spearman's; positive if those with a larger local error transfer worse."""
    partial: Estimate
    """The same with the covariates' ranks taken out of both."""
    p_value: float
    """Two-sided, of the partial correlation."""
    adjusted_p_value: float
    """Holm-adjusted over all associations of one call; NaN where there is no p-value."""


def transfer_associations(
    *,
    local_error: Float[np.ndarray, " n_models"],
    transfer_error: Mapping[str, Float[np.ndarray, " n_models"]],
    covariates: Float[np.ndarray, "n_models n_covariates"],
    groups: Sequence[str] | None = None,
    n_bootstrap: int = 1000,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> tuple[Association, ...]:
    """Correlate local error with transfer error, over all networks and within each group.

    Parameters
    ----------
    local_error
        Centred error of the local energies on the training system, per network.
    transfer_error
        Error of the totals on each system not trained on, per network.
    covariates
        What else might explain transfer: error of totals in distribution, log size. Ranked.
    groups
        Optional group of each network, for example its size.
    n_bootstrap, rng, confidence
        Of the intervals; networks are resampled.
    """
    n_models = len(local_error)
    names = np.asarray(groups if groups is not None else ["all"] * n_models)
    selections = [("all", np.arange(n_models))]
    if groups is not None:
        selections += [(str(name), np.flatnonzero(names == name)) for name in np.unique(names)]
    found: list[Association] = []
    for target, error in transfer_error.items():
        for group, rows in selections:
            x, y, given = local_error[rows], error[rows], covariates[rows]
            # Within a group a covariate may be constant (its size): it then takes nothing out.
            given = given[:, given.std(axis=0) > 0] if len(rows) else given

            def raw(draw: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
                return spearman(x[draw], y[draw])

            def conditional(
                draw: np.ndarray,
                x: np.ndarray = x,
                y: np.ndarray = y,
                given: np.ndarray = given,
            ) -> float:
                return partial_spearman(x[draw], y[draw], given[draw])

            if len(rows) < 4 + given.shape[1]:
                undefined = Estimate(float("nan"), float("nan"), float("nan"), confidence)
                found.append(
                    Association(
                        target, group, len(rows), undefined, undefined, float("nan"), float("nan")
                    )
                )
                continue
            interval = functools.partial(
                bootstrap,
                n_units=len(rows),
                n_bootstrap=n_bootstrap,
                rng=rng,
                confidence=confidence,
            )
            partial = interval(conditional)
            found.append(
                Association(
                    target=target,
                    group=group,
                    n_models=len(rows),
                    correlation=interval(raw),
                    partial=partial,
                    p_value=partial_spearman_p_value(
                        partial.value, n=len(rows), n_covariates=given.shape[1]
                    ),
                    adjusted_p_value=float("nan"),
                )
            )
    return holm_adjusted(found)


def mean_association(
    *,
    local_error: Float[np.ndarray, " n_models"],
    transfer_error: Float[np.ndarray, "n_models n_targets"],
    covariates: Float[np.ndarray, "n_models n_covariates"],
    group: str,
    n_bootstrap: int = 500,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Association:
    """Rank correlation of local with transfer error, averaged over the systems transferred to.

    One network is scored on all of them, so that their correlations are not independent: the
    bootstrap draws networks and averages within each draw. The p-value is that of the mean
    partial correlation over its bootstrap standard error, normal and two-sided.

    Parameters
    ----------
    local_error
        Centred error of the local energies at home, per network.
    transfer_error
        Error of the totals on each system not trained on; one column each.
    covariates
        What else might explain transfer; ranked. Constant columns take nothing out.
    group
        Name of this group of networks in the result.
    n_bootstrap, rng, confidence
        Of the intervals.
    """
    n_models, n_targets = transfer_error.shape
    target = f"mean of {n_targets} systems"
    given = covariates[:, covariates.std(axis=0) > 0]
    if n_models < 4 + given.shape[1] or n_targets == 0:
        nothing = Estimate(float("nan"), float("nan"), float("nan"), confidence)
        nan = float("nan")
        return Association(target, group, n_models, nothing, nothing, nan, nan)
    scored = np.column_stack([local_error, transfer_error])
    draws = rng.integers(n_models, size=(n_bootstrap, n_models))
    counts = np.stack([np.bincount(draw, minlength=n_models) for draw in draws])
    point = _mean_correlations(scored, given, np.ones((1, n_models)))[0]
    replicates = _mean_correlations(scored, given, counts)
    raw, partial = (
        percentile_estimate(float(point[k]), replicates[:, k], confidence=confidence)
        for k in range(2)
    )
    error = standard_error_of(partial)
    p_value = float(2.0 * stats.norm.sf(abs(partial.value) / error)) if error > 0 else float("nan")
    return Association(target, group, n_models, raw, partial, p_value, float("nan"))


def _mean_correlations(scored: np.ndarray, given: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean rank correlation of the first column with the others, plain and given covariates.

    For all bootstrap samples at once: ``counts`` (n_samples, n_models) says how often each model
    occurs in each. Returns an array of shape (n_samples, 2).
    """
    n = counts.shape[1]
    ranks = _ranks(scored, counts)
    design = np.concatenate([np.ones((*counts.shape, 1)), _ranks(given, counts)], axis=2)
    root = np.sqrt(counts)[..., None]
    inverse = np.linalg.pinv(root * design, rcond=n * np.finfo(np.float64).eps)
    residual = ranks - design @ (inverse @ (root * ranks))
    weight = counts[..., None] / n
    # What regression removes to rounding is constant, not a correlation of rounding errors.
    spread = np.sqrt((weight * (residual - (weight * residual).sum(1, keepdims=True)) ** 2).sum(1))
    residual = np.where(spread[:, None] < 1e-9 * n, 0.0, residual)
    centred = ranks - (weight * ranks).sum(axis=1, keepdims=True)
    return np.stack([_mean_with_first(root * x) for x in (centred, residual)], axis=1)


def _ranks(columns: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks, ties averaged, of the values in each sample: (n_samples, n_models, n_columns)."""
    ranks = np.empty((*counts.shape, columns.shape[1]))
    for k, column in enumerate(columns.T):
        group = np.unique(column, return_inverse=True)[1]
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        size = np.add.reduceat(counts[:, order], starts, axis=1)
        ranks[..., k] = (size.cumsum(axis=1) - 0.5 * (size - 1.0))[:, group]
    return ranks


def _mean_with_first(columns: np.ndarray) -> np.ndarray:
    """Mean Pearson correlation of the first of centred columns with the others, by sample."""
    norm = np.linalg.norm(columns, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        product = np.einsum("bn,bnk->bk", columns[..., 0], columns[..., 1:])
        correlation = product / (norm[:, :1] * norm[:, 1:])
    return correlation.mean(axis=1)


def holm_adjusted(found: Sequence[Association]) -> tuple[Association, ...]:
    """The same associations with Holm's adjusted p-values over all of them."""
    p_values = np.array([association.p_value for association in found])
    defined = np.isfinite(p_values)
    adjusted = np.full(len(found), np.nan)
    if defined.any():
        adjusted[defined] = holm(p_values[defined])[0]
    return tuple(
        Association(
            target=a.target,
            group=a.group,
            n_models=a.n_models,
            correlation=a.correlation,
            partial=a.partial,
            p_value=a.p_value,
            adjusted_p_value=float(p),
        )
        for a, p in zip(found, adjusted, strict=True)
    )
