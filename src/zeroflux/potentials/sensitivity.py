"""Derivatives of single local energies: what an atom's energy depends on."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model
from zeroflux.potentials.neighbors import (
    PADDING_DISTANCE,
    Neighborhood,
    pair_list,
    species_index,
)


def local_gradient(
    model: Model, frame: Frame, atom: int, *, n_neighbors: int = 0
) -> tuple[Float[np.ndarray, " n_copies"], Float[np.ndarray, "n_copies 3"]]:
    r"""Derivatives :math:`\partial\varepsilon_i/\partial R_j` of one local energy.

    Each pair of an atom and a periodic image counts on its own: the derivative is that by the
    vector from i to the image, so that a small cell does not fold far neighbours onto near ones.
    In a message-passing model an atom also feels its neighbours' neighbours; what arrives through
    the vectors of other rows is summed onto the atom they end on, less what they start from, and
    given at the distance of that atom's nearest image.

    Parameters
    ----------
    model, frame, atom
        Whose energy is differentiated, where, and of which atom.
    n_neighbors
        Least number of places for neighbours: frames of one size share a compilation if it covers
        them all.

    Returns
    -------
    tuple
        Distances (bohr) and derivatives (hartree/bohr).
    """
    longest = pair_list(frame, model.architecture.cutoff).neighbors.shape[1]
    # a multiple of 32: frames of like density then share one compilation
    width = 32 * -(-max(longest, n_neighbors) // 32)
    rows = pair_list(frame, model.architecture.cutoff, n_neighbors=width)
    vectors = frame.positions[rows.neighbors] - frame.positions[:, None] + rows.shifts @ frame.cell
    is_used = np.arange(rows.neighbors.shape[1]) < rows.n_used[:, None]
    vectors[~is_used] = PADDING_DISTANCE * model.architecture.cutoff * np.array([1.0, 0.0, 0.0])
    with jax.enable_x64(True):
        slope = _gradient(
            model.architecture,
            jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), model.params),
            jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), model.statistics),
            species_index(frame, model.species),
            rows.neighbors,
            jnp.asarray(vectors),
            atom,
        )
    slope = model.scale * np.asarray(slope) * is_used[..., None]
    own = is_used[atom]
    distance = [np.linalg.norm(vectors[atom][own], axis=1)]
    gradient = [slope[atom][own]]
    slope[atom] = 0.0
    if slope.any():  # messages: the other rows matter as well
        felt = -slope.sum(axis=1)
        np.add.at(felt, rows.neighbors.ravel(), slope.reshape(-1, 3))
        others = np.flatnonzero(np.arange(frame.n_atoms) != atom)
        distance.append(_nearest_images(frame, atom)[others])
        gradient.append(felt[others])
    return np.concatenate(distance), np.concatenate(gradient)


def _nearest_images(frame: Frame, atom: int) -> np.ndarray:
    """Distance of each atom's nearest image (bohr)."""
    shift = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    fractional = frame.fractional_positions - frame.fractional_positions[atom]
    fractional -= np.round(fractional)
    images = (fractional[:, None] + shift) @ frame.cell
    return np.linalg.norm(images, axis=2).min(axis=1)


# Each form is compiled for a dozen gradients: quick to compile beats quick to run.
@partial(
    jax.jit,
    static_argnames="architecture",
    compiler_options={"xla_backend_optimization_level": 0},
)
def _gradient(
    architecture: Any,
    params: Any,
    statistics: Any,
    species: Any,
    neighbors: Any,
    vectors: Any,
    atom: Any,
) -> Any:
    def energy(vectors: Any) -> Any:
        inputs = architecture.inputs(Neighborhood(species, neighbors, vectors))
        each = architecture.local_energies(params, architecture.standardise(inputs, statistics))
        return each[atom]

    return jax.grad(energy)(vectors)
