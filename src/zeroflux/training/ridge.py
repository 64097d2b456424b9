"""Linear architectures in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float

RIDGES = 10.0 ** np.arange(-12, 1.5, 0.5)  # per configuration, of features with unit spread
TOLERANCE = 1e-3  # of the spread of totals: better is not asked for, stability is
BIAS_RIDGE = 1e-12  # only picks the smallest biases where compositions are all alike


class RidgeSolution(NamedTuple):
    """Best ridge and its parameters."""

    params: Any
    ridge: float
    """Penalty per training configuration on squared weights (biases go free)."""
    train_rmse: float
    """Error per atom, in units of the spread of the totals per atom."""
    held_out_rmse: float


def ridge_on_totals(
    architecture: Any,
    data: dict[str, Any],
    *,
    train: np.ndarray,
    held_out: np.ndarray,
    local: Float[np.ndarray, "n_frames n_atoms"] | None = None,
) -> RidgeSolution:
    r"""Minimise :math:`\sum_c (w_c x_c·\theta - y_c)^2 + \lambda n |\theta_w|^2`.

    :math:`x_c` is the sum of the standardised features over the atoms of configuration c. The
    penalty λ is the largest of `RIDGES` whose error on the held-out totals is the smallest to
    within a thousandth of their spread.

    Parameters
    ----------
    architecture
        A linear architecture; its ``design`` gives :math:`x_c`.
    data
        ``inputs``, ``weight`` and ``target`` as in `losses.total_energy_loss`.
    train, held_out
        Indices of configurations.
    local
        Control: per-atom outputs to fit instead of the totals.
    """
    with jax.enable_x64(True):
        tree = jax.vmap(architecture.design)(data["inputs"])
    weight = np.asarray(data["weight"], np.float64)
    target = np.asarray(data["target"], np.float64)
    n_frames = len(target)
    shapes = {name: leaf.shape[1:] for name, leaf in tree.items()}
    x = np.concatenate(
        [np.asarray(tree[name], np.float64).reshape(n_frames, -1) for name in shapes], axis=1
    )
    x = x * weight[:, None]
    is_bias = np.concatenate(
        [np.full(int(np.prod(shape)), name == "bias") for name, shape in shapes.items()]
    )
    rows, values = x[train], target[train]
    if local is not None:
        rows, values = _atom_rows(architecture, data["inputs"], local, train)
    solve = _ridge_solver(rows, values, is_bias)
    candidates = []
    for ridge in RIDGES:
        theta = solve(ridge)
        error = float(np.sqrt(np.mean((x[held_out] @ theta - target[held_out]) ** 2)))
        candidates.append((error, ridge, theta))
    smallest = min(error for error, _, _ in candidates)
    error, ridge, theta = [c for c in candidates if c[0] <= smallest + TOLERANCE][-1]
    params, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        params[name] = theta[start : start + size].reshape(shape)
        start += size
    train_rmse = float(np.sqrt(np.mean((x[train] @ theta - target[train]) ** 2)))
    return RidgeSolution(params, float(ridge), train_rmse, error)


def _ridge_solver(
    rows: Float[np.ndarray, "n_rows n_columns"],
    values: Float[np.ndarray, " n_rows"],
    is_bias: Bool[np.ndarray, " n_columns"],
) -> Callable[[float], Float[np.ndarray, " n_columns"]]:
    """Solutions by ridge, all from one singular value decomposition.

    The biases, whose penalty does not change, are taken out of rows and values beforehand.
    """
    n_rows, n_biases = len(rows), int(is_bias.sum())
    below = np.sqrt(n_rows * BIAS_RIDGE) * np.eye(n_biases)
    biases, triangle = np.linalg.qr(np.vstack([rows[:, is_bias], below]))
    slopes = np.vstack([rows[:, ~is_bias], np.zeros((n_biases, (~is_bias).sum()))])
    target = np.concatenate([values, np.zeros(n_biases)])
    left, singular, right = np.linalg.svd(
        slopes - biases @ (biases.T @ slopes), full_matrices=False
    )
    along = left.T @ (target - biases @ (biases.T @ target))

    def solution(ridge: float) -> np.ndarray:
        theta = np.empty(len(is_bias))
        theta[~is_bias] = right.T @ (singular * along / (singular**2 + n_rows * ridge))
        rest = biases.T @ (target - slopes @ theta[~is_bias])
        theta[is_bias] = np.linalg.solve(triangle, rest)
        return theta

    return solution


def _atom_rows(
    architecture: Any, inputs: Any, local: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One row per atom: the design of a configuration that holds this atom alone."""
    of_train = jax.tree.map(lambda leaf: leaf[train], inputs)
    with jax.enable_x64(True):
        single = jax.tree.map(lambda leaf: leaf.reshape(-1, 1, *leaf.shape[2:]), of_train)
        tree = jax.vmap(architecture.design)(single)
    values = np.asarray(local, np.float64)[train].reshape(-1)
    rows = np.concatenate(
        [np.asarray(leaf, np.float64).reshape(len(values), -1) for leaf in tree.values()], axis=1
    )
    is_atom = np.isfinite(values)
    return rows[is_atom], values[is_atom]
