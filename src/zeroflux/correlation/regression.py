"""Linear regression of totals: ordinary, robust and total least squares, rank kept in sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Method = Literal["ols", "huber", "tls"]

# Singular values of unit-variance columns below this share of the largest are rounding, not data.
RANK_TOLERANCE = 1e-9
HUBER_THRESHOLD = 1.345  # 95 % efficient for Gaussian noise (Huber, Robust Statistics, 1981)


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients of ``y ≈ noisy @ slopes + exact @ offsets``."""

    slopes: Float[np.ndarray, " n_slopes"]
    offsets: Float[np.ndarray, " n_offsets"]
    rank: int
    """Number of coefficients the data determine; the rest is minimum-norm."""


def solve(
    noisy: Float[np.ndarray, "n_rows n_slopes"],
    exact: Float[np.ndarray, "n_rows n_offsets"],
    y: Float[np.ndarray, " n_rows"],
    *,
    method: Method = "ols",
    noise_ratio: float = 1.0,
) -> Solution:
    r"""Fit slopes and offsets; what the data do not determine gets the smallest norm.

    ``ols`` minimises :math:`\|y - Xa - Zb\|^2`; ``huber`` the same with residuals beyond
    1.345 robust standard deviations counted linearly; ``tls`` allows noise in X too, of
    `noise_ratio` times that in y, while Z (the composition) is exact.

    Parameters
    ----------
    noisy
        Predictor columns X.
    exact
        Columns Z known without error.
    y
        Observations.
    method
        Which errors are minimised.
    noise_ratio
        Standard deviation of the noise in a predictor over that in y; used by ``tls`` alone.

    References
    ----------
    Huber, Ann. Math. Stat. 35, 73 (1964), doi:10.1214/aoms/1177703732.
    Van Huffel, Vandewalle, *The Total Least Squares Problem* (1991): mixed LS-TLS.
    """
    scale = noisy.std(axis=0)
    # A column without spread carries no slope; dividing by 1 leaves it to the minimum norm.
    scale = np.where(scale > 0, scale, 1.0)
    if method == "tls":
        slopes = _total_least_squares(noisy, exact, y, noise_ratio=noise_ratio)
        offsets, _, offset_rank, _ = np.linalg.lstsq(exact, y - noisy @ slopes, rcond=None)
        remaining = _without(exact, noisy / scale)
        rank = int(offset_rank) + _rank(remaining)
        return Solution(slopes, offsets, rank)
    design = np.hstack([noisy / scale, exact])
    coefficients, rank = _least_squares(design, y, np.ones(len(y)))
    if method == "huber":
        for _ in range(100):
            residual = y - design @ coefficients
            spread = 1.4826 * np.median(np.abs(residual - np.median(residual)))
            if spread <= 1e-14 * (1.0 + np.abs(y).max()):
                break
            weight = np.minimum(
                1.0, HUBER_THRESHOLD * spread / np.maximum(np.abs(residual), 1e-300)
            )
            updated, rank = _least_squares(design, y, weight)
            change = np.abs(design @ (updated - coefficients)).max()
            coefficients = updated
            if change < 1e-8 * spread:
                break
    n_slopes = noisy.shape[1]
    return Solution(coefficients[:n_slopes] / scale, coefficients[n_slopes:], rank)


def _least_squares(design: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, int]:
    """Weighted minimum-norm least squares and its rank."""
    root = np.sqrt(weight)
    coefficients, _, rank, _ = np.linalg.lstsq(
        root[:, None] * design, root * y, rcond=RANK_TOLERANCE
    )
    return coefficients, int(rank)


def _total_least_squares(
    noisy: np.ndarray, exact: np.ndarray, y: np.ndarray, *, noise_ratio: float
) -> np.ndarray:
    """Exact columns projected out, the smallest right singular vector gives the slopes."""
    if not noise_ratio > 0:
        raise ValueError(
            f"Found noise_ratio {noise_ratio}; expected a positive number. "
            "Use method 'ols' for predictors without noise."
        )
    joint = np.column_stack([_without(exact, noisy) / noise_ratio, _without(exact, y[:, None])])
    vector = np.linalg.svd(joint, full_matrices=True)[2][-1]
    if abs(vector[-1]) < 1e-12:
        raise ValueError(
            "Total least squares has no finite slope: the predictors are collinear among "
            "themselves. Drop one of them or use method 'ols'."
        )
    return -vector[:-1] / vector[-1] / noise_ratio


def _without(exact: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Columns with their projection on the exact ones removed."""
    return columns - exact @ np.linalg.lstsq(exact, columns, rcond=None)[0]


def _rank(columns: np.ndarray) -> int:
    """Number of columns that are independent."""
    singular = np.linalg.svd(columns, compute_uv=False)
    return int((singular > RANK_TOLERANCE * max(singular.max(initial=0.0), 1e-300)).sum())
