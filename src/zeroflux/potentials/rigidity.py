"""How firmly training totals pin an atom's energy: local prediction rigidity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from zeroflux.frames import Frame

CHUNK_FRAMES = 256
"""Frames whose features are computed at once."""

if TYPE_CHECKING:  # the rigidity of given features needs no JAX
    from zeroflux.potentials.energy import Model


def local_prediction_rigidity(
    atoms: Float[np.ndarray, "n_atoms n_features"],
    training: Float[np.ndarray, "n_frames n_features"],
    *,
    ridge: float,
) -> Float[np.ndarray, " n_atoms"]:
    r"""Rigidity :math:`1 / x_i (X^T X + \lambda)^{-1} x_i^T` of each local energy.

    Parameters
    ----------
    atoms
        Features :math:`x_i` that the linear (or last) layer reads of each atom.
    training
        Features summed over the atoms of each training configuration, X.
    ridge
        Regularisation λ, in the units of the squared features.

    References
    ----------
    Chong et al. (2023), arXiv 2306.15638.
    """
    covariance = training.T @ training + ridge * np.eye(training.shape[1])
    half = solve_triangular(np.linalg.cholesky(covariance), atoms.T, lower=True)
    return 1.0 / np.square(half).sum(axis=0)


def local_uncertainty(
    rigidity: Float[np.ndarray, " n_atoms"], *, noise: float
) -> Float[np.ndarray, " n_atoms"]:
    r"""Standard error of each local energy, :math:`\sigma/\sqrt{LPR_i}`.

    ``noise`` is σ, the error of one total as the model sees it (hartree, held-out); it is
    best calibrated on totals, since the model's form is a further source of error.
    """
    return noise / np.sqrt(rigidity)


def last_layer_features(
    model: Model,
    frames: Sequence[Frame],
    *,
    cache_dir: Path | None = None,
    inputs: Any = None,
) -> list[Float[np.ndarray, "_ n_features"]]:
    """What the model's last layer reads of each atom of each frame, dimensionless.

    For a linear model these are all its features; for a network the rigidity they give is that
    of its last layer with the layers before it fixed. ``inputs`` are the frames' prepared inputs
    if they are there already.
    """
    import jax

    from zeroflux.potentials.energy import prepared_inputs

    architecture = model.architecture
    if inputs is None:
        inputs = prepared_inputs(architecture, frames, model.species, cache_dir=cache_dir)

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def each(params: Any, statistics: Any, pieces: Any) -> Any:
        def one(piece: Any) -> Any:
            return architecture.last_layer(params, architecture.standardise(piece, statistics))

        return jax.vmap(one)(pieces)

    with jax.enable_x64(True):
        constants = (model.params, model.statistics)
        rows = [
            row
            for start in range(0, len(frames), CHUNK_FRAMES)
            for row in np.asarray(
                each(*constants, jax.tree.map(lambda x: x[start : start + CHUNK_FRAMES], inputs))  # noqa: B023
            )
        ]
    return [row[: f.n_atoms].astype(float) for row, f in zip(rows, frames, strict=True)]


def model_rigidity(
    model: Model,
    frames: Sequence[Frame],
    training_frames: Sequence[Frame],
    *,
    relative_ridge: float = 1e-6,
    cache_dir: Path | None = None,
    inputs: Callable[[Sequence[Frame]], Any] | None = None,
) -> list[Float[np.ndarray, " _"]]:
    """Rigidity of each local energy of ``frames`` given the totals of ``training_frames``.

    ``relative_ridge`` is λ in units of the mean diagonal of :math:`X^T X`; ``inputs`` gives the
    prepared inputs of frames where several models share them.
    """

    def rows_of(frames: Sequence[Frame]) -> list[np.ndarray]:
        given = None if inputs is None else inputs(frames)
        return last_layer_features(model, frames, cache_dir=cache_dir, inputs=given)

    training = np.stack([x.sum(axis=0) for x in rows_of(training_frames)])
    ridge = relative_ridge * float(np.square(training).sum()) / training.shape[1]
    rows = rows_of(frames)
    found = local_prediction_rigidity(np.concatenate(rows), training, ridge=ridge)
    return np.split(found, np.cumsum([len(row) for row in rows])[:-1])
