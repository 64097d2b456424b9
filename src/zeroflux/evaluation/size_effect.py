"""The effect of size, group by group: slopes within cells, and which size is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zeroflux.evaluation.emergence import SizeRegression, size_regression


def size_slopes(
    n_parameters: Int[np.ndarray, " n_models"],
    error: Float[np.ndarray, " n_models"],
    cells: Sequence[str],
    *,
    covariates: Float[np.ndarray, "n_models n_covariates"] | None = None,
    n_bootstrap: int = 500,
    rng: np.random.Generator,
) -> dict[str, SizeRegression]:
    """Regression of error on log size within each cell, see `size_regression`.

    A cell is what should be compared with nothing else, such as one architecture on one training
    set. Cells with fewer than two sizes, or too few networks for a regression, are left out.
    """
    names = np.asarray(cells)
    found = {}
    for cell in dict.fromkeys(cells):
        own = names == cell
        given = None if covariates is None else covariates[own]
        n_columns = 2 + (0 if given is None else given.shape[1])
        if len(np.unique(n_parameters[own])) < 2 or own.sum() <= n_columns:
            continue
        found[cell] = size_regression(
            n_parameters[own], error[own], covariates=given, n_bootstrap=n_bootstrap, rng=rng
        )
    return found


@dataclass(frozen=True)
class BestSize:
    """Which size has the smallest mean error, and how sure that is over seeds."""

    n_parameters: tuple[int, ...]
    """Sizes, smallest first."""
    mean: tuple[float, ...]
    """Mean error of each over its seeds (the unit of the errors)."""
    chance: tuple[float, ...]
    """Share of bootstrap samples of the seeds in which this size has the smallest mean error."""

    @property
    def best(self) -> int:
        """Size of the smallest mean error."""
        return self.n_parameters[int(np.argmin(self.mean))]

    @property
    def is_inside(self) -> bool:
        """Whether the best size is neither the smallest nor the largest: no monotonic trend."""
        return self.best not in (self.n_parameters[0], self.n_parameters[-1])


def best_size(
    n_parameters: Int[np.ndarray, " n_models"],
    error: Float[np.ndarray, " n_models"],
    *,
    n_bootstrap: int = 2000,
    rng: np.random.Generator,
) -> BestSize:
    """Compare the mean errors of sizes; seeds are resampled within each size.

    A straight line misses a minimum in between: this is what says whether "smaller is better" or
    "there is a right size".
    """
    sizes = np.unique(n_parameters)
    means = np.empty((n_bootstrap, len(sizes)))
    point = np.empty(len(sizes))
    for column, size in enumerate(sizes):
        own = error[n_parameters == size]
        point[column] = own.mean()
        means[:, column] = own[rng.integers(len(own), size=(n_bootstrap, len(own)))].mean(axis=1)
    winner = np.bincount(means.argmin(axis=1), minlength=len(sizes)) / n_bootstrap
    return BestSize(
        tuple(int(size) for size in sizes),
        tuple(float(value) for value in point),
        tuple(float(value) for value in winner),
    )
