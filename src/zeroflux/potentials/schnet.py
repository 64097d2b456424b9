"""SchNet: continuous-filter convolutions over the neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from zeroflux.potentials.descriptors import cutoff_function, gaussian_basis
from zeroflux.potentials.layers import (
    Params,
    apply_dense,
    by_rows,
    dense,
    swish,
    width_for,
    with_bias,
)
from zeroflux.potentials.neighbors import Neighborhood


class DistanceInputs(NamedTuple):
    """Neighbours and their distances; arrays may carry a leading axis over configurations."""

    species: Any
    """Index into the model's species, shape (n_atoms,); -1 for a padding atom."""
    neighbors: Any
    """Index of each neighbour, shape (n_atoms, n_neighbors)."""
    distance: Any
    """Distance of each neighbour (bohr), same shape; beyond the cutoff in unused places."""
    gain: Any
    """Inverse root of the typical sum of squared basis functions, shape (n_atoms,)."""


@dataclass(frozen=True)
class SchNet:
    r"""Message passing with filters generated from the distance.

    .. math::
        x_i^0 = a_{s_i}, \qquad
        m_i = g \sum_j (W x_j) \circ F(r_{ij}), \qquad
        x_i \leftarrow x_i + U_2\,\phi(U_1 m_i), \qquad
        \varepsilon_i = V_2\,\phi(V_1 x_i)

    F is a two-layer perceptron of the Gaussians of `gaussian_basis`, times the cutoff function
    through them. We use the `swish` for φ where the paper has a shifted softplus, and a
    constant g that brings the sum to order one.

    References
    ----------
    Schütt et al. (2017), arXiv 1706.08566; (2018), 10.1063/1.5019779.
    """

    cutoff: float
    n_species: int
    width: int = 16
    n_interactions: int = 2
    n_radial: int = 16
    inner: float = 4.5

    name = "schnet"
    is_linear = False
    size_field = "width"
    learning_rate_factor = 0.25
    is_local = False

    @classmethod
    def sized(cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any) -> SchNet:
        """Model whose number of parameters is closest to the one wanted, by width alone."""
        one = cls(cutoff, n_species, width=1, **fixed)
        n = one.n_interactions
        count = (1, n_species + 2 + n * (one.n_radial + 2), 1 + 4 * n)
        return replace(one, width=width_for(n_parameters, count))

    @property
    def input_key(self) -> tuple[str, float]:
        """What the inputs depend on; models that share it share the cache."""
        return ("distances", self.cutoff)

    def inputs(self, neighborhood: Neighborhood) -> DistanceInputs:
        """Distances of the neighbours."""
        distance = jnp.linalg.norm(neighborhood.displacements, axis=-1)
        return DistanceInputs(
            neighborhood.species,
            neighborhood.neighbors,
            distance,
            jnp.ones(distance.shape[0], distance.dtype),
        )

    def statistics(self, inputs: DistanceInputs) -> dict[str, Any]:
        """Constant that brings a sum over neighbours to order one."""
        basis = gaussian_basis(inputs.distance, self.cutoff, self.n_radial, self.inner)
        is_atom = inputs.species >= 0
        squared = jnp.square(basis).sum(axis=(-2, -1)) / self.n_radial
        return {"gain": jnp.sqrt(is_atom.sum() / jnp.where(is_atom, squared, 0.0).sum())}

    def standardise(self, inputs: DistanceInputs, statistics: dict[str, Any]) -> DistanceInputs:
        """Attach the constant."""
        return inputs._replace(gain=inputs.gain * statistics["gain"])

    def init(self, key: Array) -> Params:
        """Random parameters."""
        w = self.width
        keys = iter(jax.random.split(key, 3 + 5 * self.n_interactions))
        params: dict[str, Any] = {
            "embedding": jax.random.normal(next(keys), (self.n_species, w), jnp.float32),
            "readout0": dense(next(keys), w, w),
            "readout1": dense(next(keys), w, 1, is_output=True),
        }
        for k in range(self.n_interactions):
            params[f"interaction{k}"] = {
                # no bias: an atom without neighbours gets no message
                "source": {"weight": dense(next(keys), w, w)["weight"]},
                "filter0": dense(next(keys), self.n_radial, w),
                "filter1": {"weight": dense(next(keys), w, w)["weight"]},
                "update0": dense(next(keys), w, w),
                "update1": {"weight": dense(next(keys), w, w)["weight"]},
            }
        return params

    def local_energies(self, params: Params, inputs: DistanceInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        out = apply_dense(params["readout1"], self._hidden(params, inputs))[:, 0]
        return jnp.where(inputs.species >= 0, out, 0.0)

    def last_layer(self, params: Params, inputs: DistanceInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        return with_bias(self._hidden(params, inputs), inputs.species)

    def _hidden(self, params: Params, inputs: DistanceInputs) -> Array:
        """What the last layer reads of each atom."""
        x = params["embedding"][inputs.species]
        for k in range(self.n_interactions):
            layer = params[f"interaction{k}"]
            message = self._messages(layer, x @ layer["source"]["weight"], inputs)
            x = x + swish(apply_dense(layer["update0"], message)) @ layer["update1"]["weight"]
        return swish(apply_dense(params["readout0"], x))

    def _messages(self, layer: Params, source: Array, inputs: DistanceInputs) -> Array:
        """Sum over neighbours of their features, filtered by distance."""

        def of_rows(rows: tuple[Array, Array]) -> Array:
            neighbors, distance = rows
            basis = gaussian_basis(distance, self.cutoff, self.n_radial, self.inner)
            envelope = cutoff_function(distance, self.cutoff)[..., None]
            hidden = swish(apply_dense(layer["filter0"], basis)) * envelope
            # Σ_j (W x_j) ∘ (F₁ h_ij) without forming F₁ h_ij for each pair
            pairs = jnp.einsum("ijk,ijw->ikw", hidden, source[neighbors])
            return jnp.einsum("ikw,kw->iw", pairs, layer["filter1"]["weight"])

        return by_rows(of_rows, (inputs.neighbors, inputs.distance)) * inputs.gain[:, None]
