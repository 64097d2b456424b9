"""Behler-Parrinello networks: one multilayer perceptron per element on symmetry functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from zeroflux.potentials.descriptors import SymmetryFunctions
from zeroflux.potentials.layers import (
    Params,
    ShapesOnly,
    apply_dense,
    dense,
    random_numbers,
    swish,
    width_for,
)
from zeroflux.potentials.neighbors import Neighborhood
from zeroflux.potentials.standardisation import (
    FeatureInputs,
    feature_statistics,
    select_species,
    standardised,
)


@dataclass(frozen=True)
class BehlerParrinello:
    r"""A multilayer perceptron per element on standardised symmetry functions.

    .. math:: \varepsilon_i = \mathrm{MLP}_{s_i}(z_i), \qquad h_{k+1} = \phi(W_k h_k + b_k)

    with `depth` hidden layers of `width` units each, a linear output, and φ the `swish`.

    References
    ----------
    Behler, Parrinello (2007), 10.1103/PhysRevLett.98.146401.
    """

    cutoff: float
    n_species: int
    width: int = 16
    depth: int = 2
    n_radial: int = 16
    n_angular: int = 4
    l_max: int = 2
    inner: float = 4.5

    name = "bpnn"
    is_linear = False
    size_field = "width"
    learning_rate_factor = 1.0
    is_local = True

    @property
    def descriptor(self) -> SymmetryFunctions:
        """Symmetry functions of the model."""
        return SymmetryFunctions(
            self.cutoff, self.n_species, self.n_radial, self.n_angular, self.l_max, self.inner
        )

    @classmethod
    def sized(
        cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any
    ) -> BehlerParrinello:
        """Model whose number of parameters is closest to the one wanted, by width alone."""
        one = cls(cutoff, n_species, width=1, **fixed)
        count = (
            n_species,
            n_species * (one.descriptor.n_features + one.depth + 1),
            n_species * (one.depth - 1),
        )
        return replace(one, width=width_for(n_parameters, count))

    @property
    def input_key(self) -> SymmetryFunctions:
        """What the inputs depend on; models that share it share the cache."""
        return self.descriptor

    def inputs(self, neighborhood: Neighborhood) -> FeatureInputs:
        """Symmetry functions of each atom."""
        return FeatureInputs(neighborhood.species, self.descriptor(neighborhood))

    def statistics(self, inputs: FeatureInputs) -> dict[str, Any]:
        """Mean and spread of each feature per element of the central atom."""
        return feature_statistics(inputs, self.n_species)

    def standardise(self, inputs: FeatureInputs, statistics: dict[str, Any]) -> FeatureInputs:
        """Features with zero mean and unit spread."""
        return standardised(inputs, statistics)

    def init(self, key: Array | int | ShapesOnly) -> Params:
        """Random parameters; the layers of all elements are stacked along the first axis."""
        sizes = [self.descriptor.n_features] + [self.width] * self.depth + [1]
        rng = random_numbers(key)
        return {
            f"layer{k}": dense(
                rng, sizes[k], sizes[k + 1], n_species=self.n_species, is_output=k == self.depth
            )
            for k in range(self.depth + 1)
        }

    def hidden(self, params: Params, inputs: FeatureInputs) -> Float[Array, "n_species n_atoms _"]:
        """Activations of the last hidden layer, of every element's network."""
        layers = [params[f"layer{k}"] for k in range(self.depth)]
        x = jnp.broadcast_to(inputs.features, (self.n_species, *inputs.features.shape))
        for layer in layers:
            x = swish(jax.vmap(apply_dense)(layer, x))
        return x

    def local_energies(self, params: Params, inputs: FeatureInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        hidden = self.hidden(params, inputs)
        each = jax.vmap(apply_dense)(params[f"layer{self.depth}"], hidden)[..., 0]
        return select_species(each.T, inputs.species)

    def last_layer(self, params: Params, inputs: FeatureInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        hidden = jnp.swapaxes(self.hidden(params, inputs), 0, 1)
        extended = jnp.concatenate([hidden, jnp.ones_like(hidden[..., :1])], axis=-1)
        of_species = jax.nn.one_hot(inputs.species, self.n_species, dtype=hidden.dtype)
        return (of_species[:, :, None] * extended).reshape(len(extended), -1)
