"""What a network is asked to minimise. The default knows totals and nothing else."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

Target = Literal["total", "total+forces", "local"]
"""What the loss sees. ``local`` (basin energies) and ``total+forces`` are controls."""


def total_energy_loss(architecture: Any, params: Any, batch: dict[str, Any]) -> Array:
    r"""Mean of :math:`(w_c \sum_i f_i - y_c)^2` over configurations.

    ``batch`` holds ``inputs``, ``weight`` (:math:`\sqrt{\bar N}/N_c`) and ``target`` (energy per
    atom less offsets, over its standard deviation), so that the loss of a model that predicts
    the offsets alone is 1.
    """
    totals = jax.vmap(lambda inputs: architecture.local_energies(params, inputs).sum())
    return jnp.square(totals(batch["inputs"]) * batch["weight"] - batch["target"]).mean()


def local_energy_loss(architecture: Any, params: Any, batch: dict[str, Any]) -> Array:
    """Control: mean squared error of the per-atom outputs against ``batch["local"]``."""
    local = jax.vmap(lambda inputs: architecture.local_energies(params, inputs))
    is_atom = jnp.isfinite(batch["local"])
    error = jnp.where(is_atom, local(batch["inputs"]) - jnp.nan_to_num(batch["local"]), 0.0)
    return jnp.square(error).sum() / is_atom.sum()


def total_energy_and_force_loss(architecture: Any, params: Any, batch: dict[str, Any]) -> Array:
    """Control: the loss on totals plus the mean squared force error over the force variance.

    ``batch`` holds neighbourhoods instead of inputs, ``statistics`` and ``forces`` in units of
    their standard deviation, ``force_scale`` being one output unit per bohr in those units.
    """

    def energy(vectors: Array, neighborhood: Any) -> Array:
        inputs = architecture.inputs(neighborhood._replace(displacements=vectors))
        inputs = architecture.standardise(inputs, batch["statistics"])
        return architecture.local_energies(params, inputs).sum()

    def one(neighborhood: Any) -> tuple[Array, Array]:
        value, slope = jax.value_and_grad(energy)(neighborhood.displacements, neighborhood)
        return value, forces_from_pairs(slope, neighborhood.neighbors)

    totals, forces = jax.vmap(one)(batch["neighborhoods"])
    is_atom = (batch["neighborhoods"].species >= 0)[..., None]
    force_error = jnp.where(is_atom, forces * batch["force_scale"] - batch["forces"], 0.0)
    on_totals = jnp.square(totals * batch["weight"] - batch["target"]).mean()
    return on_totals + jnp.square(force_error).sum() / (3 * is_atom.sum())


def forces_from_pairs(slope: Array, neighbors: Array) -> Array:
    r"""Forces from the derivative of the energy by each displacement :math:`r_j - r_i`.

    .. math:: F_i = \sum_j \partial E/\partial r_{ij} - \sum_k \partial E/\partial r_{ki}
    """
    n_atoms = slope.shape[0]
    received = jax.ops.segment_sum(
        slope.reshape(-1, 3), neighbors.reshape(-1), num_segments=n_atoms
    )
    return slope.sum(axis=1) - received


LOSSES = {
    "total": total_energy_loss,
    "local": local_energy_loss,
    "total+forces": total_energy_and_force_loss,
}
