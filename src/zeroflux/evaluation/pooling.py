"""One effect from several groups that need not agree: random-effects mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from zeroflux.evaluation.statistics import Estimate


@dataclass(frozen=True)
class PooledEffect:
    """Mean of an effect over groups, such as training sets."""

    mean: Estimate
    """With an interval for the mean of groups like these; NaN for fewer than two groups."""
    between_groups: float
    """τ, standard deviation of the true effect between groups (the unit of the effect)."""
    n_groups: int


def standard_error_of(estimate: Estimate) -> float:
    """Half the interval in units of the normal distribution's; NaN if there is none."""
    return estimate.half_width / float(stats.norm.ppf(0.5 + 0.5 * estimate.confidence))


def random_effects(
    effect: Float[np.ndarray, " n_groups"],
    standard_error: Float[np.ndarray, " n_groups"],
    *,
    confidence: float = 0.95,
) -> PooledEffect:
    r"""Mean effect over groups, when each has an effect of its own besides its sampling error.

    With :math:`w_g = 1/s_g^2` and :math:`Q = \sum_g w_g (y_g - \bar y_w)^2`,

    .. math:: \tau^2 = \max\Bigl(0, \frac{Q - (G - 1)}{\sum w - \sum w^2 / \sum w}\Bigr),\quad
              \mu = \frac{\sum_g y_g / (s_g^2 + \tau^2)}{\sum_g 1 / (s_g^2 + \tau^2)} ,

    with the interval of Knapp and Hartung from Student's t with G − 1 degrees of freedom, and not
    shorter than that of known variances. It is honest about few groups: two training sets say
    little about training sets, however many seeds they had.

    Parameters
    ----------
    effect
        Effect found in each group; those that are not finite are left out.
    standard_error
        Its standard error within the group; groups with none are left out.
    confidence
        Coverage of the interval.

    References
    ----------
    DerSimonian, Laird, Control. Clin. Trials 7, 177 (1986), doi:10.1016/0197-2456(86)90046-2.
    Knapp, Hartung, Stat. Med. 22, 2693 (2003), doi:10.1002/sim.1482.
    """
    known = np.isfinite(effect) & np.isfinite(standard_error) & (standard_error > 0)
    y, variance = effect[known], standard_error[known] ** 2
    n_groups = len(y)
    if n_groups < 2:
        value = float(y[0]) if n_groups else float("nan")
        nothing = Estimate(value, float("nan"), float("nan"), confidence)
        return PooledEffect(nothing, float("nan"), n_groups)
    weight = 1.0 / variance
    fixed = weight @ y / weight.sum()
    excess = weight @ (y - fixed) ** 2 - (n_groups - 1)
    between = max(0.0, float(excess / (weight.sum() - (weight @ weight) / weight.sum())))
    weight = 1.0 / (variance + between)
    mean = float(weight @ y / weight.sum())
    inflation = max(1.0, float(weight @ (y - mean) ** 2) / (n_groups - 1))
    half = float(stats.t.ppf(0.5 + 0.5 * confidence, n_groups - 1)) * np.sqrt(
        inflation / weight.sum()
    )
    return PooledEffect(
        Estimate(mean, mean - half, mean + half, confidence), float(np.sqrt(between)), n_groups
    )
