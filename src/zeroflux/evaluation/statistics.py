"""Bootstrap, rank correlation and the verdict rule: the statistics the study rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    """The estimate from all data."""
    low: float
    """Lower end of the interval; NaN where the data allow none."""
    high: float
    """Upper end of the interval."""
    confidence: float = 0.95
    """Coverage the interval aims at."""

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return 0.5 * (self.high - self.low)


def resampling_counts(
    n_units: int, n_bootstrap: int, rng: np.random.Generator
) -> Int[np.ndarray, "n_bootstrap n_units"]:
    """How often each unit occurs in each bootstrap sample, drawn with replacement.

    The unit is what is independent: a configuration or a trained network, never an atom.
    """
    if n_units < 1:
        raise ValueError(f"Found {n_units} units to resample; expected at least one. Give data.")
    return rng.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=n_bootstrap)


def percentile_estimate(
    value: float, replicates: Float[np.ndarray, " n_bootstrap"], *, confidence: float = 0.95
) -> Estimate:
    """Percentile bootstrap interval; undefined replicates (NaN) are left out.

    References
    ----------
    Efron, Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13.
    """
    finite = replicates[np.isfinite(replicates)]
    # An interval from a remnant of the replicates would look narrower than it is.
    if finite.size < max(20, 0.5 * replicates.size):
        return Estimate(value, float("nan"), float("nan"), confidence)
    tail = 0.5 * (1.0 - confidence)
    low, high = np.quantile(finite, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high), confidence)


def bootstrap(
    statistic: Callable[[Int[np.ndarray, " n_units"]], float],
    n_units: int,
    *,
    n_bootstrap: int,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Estimate:
    """Bootstrap interval of any statistic, a function of the indices of the units used."""
    draws = rng.integers(n_units, size=(n_bootstrap, n_units))
    replicates = np.array([statistic(draw) for draw in draws], dtype=np.float64)
    value = float(statistic(np.arange(n_units)))
    return percentile_estimate(value, replicates, confidence=confidence)


def spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Spearman rank correlation, ties averaged; NaN if either is constant or n < 3."""
    return _pearson(stats.rankdata(x), stats.rankdata(y))


def partial_spearman(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    covariates: Float[np.ndarray, "n n_covariates"],
) -> float:
    r"""Rank correlation of x and y with the ranks of the covariates regressed out of both.

    References
    ----------
    Conover, Iman, Biometrics 38, 715 (1982), doi:10.2307/2530051 (partial rank correlation).
    """
    ranks = np.column_stack([stats.rankdata(x), stats.rankdata(y)])
    given = np.column_stack([np.ones(len(x)), *(stats.rankdata(column) for column in covariates.T)])
    residual = ranks - given @ np.linalg.lstsq(given, ranks, rcond=None)[0]
    # What regression removes to rounding is constant, not a correlation of rounding errors.
    residual[:, residual.std(axis=0) < 1e-9 * len(x)] = 0.0
    return _pearson(residual[:, 0], residual[:, 1])


def partial_spearman_p_value(correlation: float, *, n: int, n_covariates: int) -> float:
    """Two-sided p-value of a (partial) rank correlation from Student's t, n − 2 − k d.o.f."""
    freedom = n - 2 - n_covariates
    if freedom < 1 or not np.isfinite(correlation):
        return float("nan")
    if abs(correlation) >= 1.0:
        return 0.0
    t = correlation * np.sqrt(freedom / (1.0 - correlation**2))
    return float(2.0 * stats.t.sf(abs(t), freedom))


def holm(
    p_values: Float[np.ndarray, " n_tests"], *, level: float = 0.05
) -> tuple[Float[np.ndarray, " n_tests"], Bool[np.ndarray, " n_tests"]]:
    r"""Holm's adjusted p-values and which hypotheses they reject at a family-wise level.

    Sorted ascending, :math:`\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})`.

    References
    ----------
    Holm, Scand. J. Stat. 6, 65 (1979).
    """
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(
            f"Found p-values {p_values}; expected numbers from 0 to 1. Drop undefined tests first."
        )
    order = np.argsort(p_values, kind="stable")
    n_tests = len(p_values)
    scaled = np.minimum(1.0, (n_tests - np.arange(n_tests)) * p_values[order])
    adjusted = np.empty(n_tests)
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted, adjusted <= level


@dataclass(frozen=True)
class Criterion:
    """What would support a claim, written down before the numbers are read."""

    claim: str
    """The claim in plain words."""
    direction: Literal["positive", "negative"]
    """Sign of the effect that the claim predicts."""
    minimum_effect: float = 0.0
    """Size (not sign) below which the effect, if real, would not carry the claim."""

    def __post_init__(self) -> None:
        if not self.minimum_effect >= 0:
            raise ValueError(
                f"Found minimum_effect {self.minimum_effect}; expected a size of zero or more. "
                "Put the sign into `direction`."
            )


Outcome = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What an interval says about a claim."""

    criterion: Criterion
    effect: Estimate
    outcome: Outcome


def verdict(effect: Estimate, criterion: Criterion) -> Verdict:
    """Judge a claim: is the whole interval of the effect beyond, or short of, what it needs?

    With the effect counted positive in the claimed direction and δ the minimum effect:
    *supported* if the interval lies above δ, *refuted* if it lies below δ, *undecided* if it
    contains δ or does not exist.
    """
    sign = 1.0 if criterion.direction == "positive" else -1.0
    ends = sorted((sign * effect.low, sign * effect.high))
    outcome: Outcome = "undecided"
    if np.isfinite(ends).all():
        if ends[0] > criterion.minimum_effect:
            outcome = "supported"
        elif ends[1] < criterion.minimum_effect:
            outcome = "refuted"
    return Verdict(criterion, effect, outcome)


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson correlation; NaN if undefined."""
    if len(x) < 3:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    norm = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / norm, -1.0, 1.0)) if norm > 0 else float("nan")
