"""The smallest honest models: linear in the summed descriptors, solved in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from zeroflux.potentials.descriptors import SymmetryFunctions, gaussian_basis, neighbor_one_hot
from zeroflux.potentials.layers import Params, ShapesOnly
from zeroflux.potentials.neighbors import Neighborhood
from zeroflux.potentials.standardisation import (
    FeatureInputs,
    feature_statistics,
    select_species,
    standardised,
)

Model = TypeVar("Model")


@dataclass(frozen=True)
class Linear:
    r"""Linear in the symmetry functions, one set of weights per element.

    .. math:: \varepsilon_i = b_{s_i} + w_{s_i} \cdot z_i

    with z the standardised symmetry functions of `SymmetryFunctions`. Solved by ridge regression
    on totals, so it has no random start.
    """

    cutoff: float
    n_species: int
    n_radial: int = 16
    n_angular: int = 4
    l_max: int = 2
    inner: float = 4.5

    name = "linear"
    is_linear = True
    size_field = "n_radial"
    learning_rate_factor = 1.0
    is_local = True

    @property
    def descriptor(self) -> SymmetryFunctions:
        """Symmetry functions of the model."""
        return SymmetryFunctions(
            self.cutoff, self.n_species, self.n_radial, self.n_angular, self.l_max, self.inner
        )

    @classmethod
    def sized(cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any) -> Linear:
        """Model whose number of parameters is closest to the one wanted, by radial functions."""
        without = cls(cutoff, n_species, n_radial=1, **fixed)
        return _closest(
            lambda n: replace(without, n_radial=n),
            lambda model: n_species * (model.descriptor.n_features + 1),
            n_parameters,
        )

    @property
    def input_key(self) -> SymmetryFunctions:
        """What the inputs depend on; models that share it share the cache."""
        return self.descriptor

    def inputs(self, neighborhood: Neighborhood) -> FeatureInputs:
        """Symmetry functions of each atom."""
        return FeatureInputs(neighborhood.species, self.descriptor(neighborhood))

    def statistics(self, inputs: FeatureInputs) -> dict[str, Any]:
        """Mean of each feature per element; one spread for all elements and pairs of elements.

        Totals hold the energy of unlike pairs, but not how the two partners share it: the sums
        "krypton seen by argon" and "argon seen by krypton" are the same number. Equal spreads
        make the ridge give each partner the same weight.
        """
        radial = np.tile(np.arange(self.n_radial), self.n_species)
        n_pairs = self.n_species * (self.n_species + 1) // 2
        angular = [
            np.tile(self.n_radial + order * self.n_angular + np.arange(self.n_angular), n_pairs)
            for order in range(self.l_max if self.n_angular else 0)
        ]
        groups = np.concatenate([radial, *angular])
        return feature_statistics(inputs, self.n_species, groups=groups)

    def standardise(self, inputs: FeatureInputs, statistics: dict[str, Any]) -> FeatureInputs:
        """Features with zero mean and unit spread."""
        return standardised(inputs, statistics)

    def init(self, key: Array | int | ShapesOnly) -> Params:
        """Zero weights; the key is not used."""
        del key
        return {
            "weight": jnp.zeros((self.n_species, self.descriptor.n_features), jnp.float32),
            "bias": jnp.zeros(self.n_species, jnp.float32),
        }

    def local_energies(self, params: Params, inputs: FeatureInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        each = inputs.features @ params["weight"].T + params["bias"]
        return select_species(each, inputs.species)

    def last_layer(self, params: Params, inputs: FeatureInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        del params
        of_species = jax.nn.one_hot(inputs.species, self.n_species, dtype=inputs.features.dtype)
        ones = jnp.ones_like(inputs.features[:, :1])
        extended = jnp.concatenate([inputs.features, ones], axis=1)
        return (of_species[:, :, None] * extended[:, None]).reshape(len(extended), -1)

    def design(self, inputs: FeatureInputs) -> dict[str, Array]:
        """Derivative of the total with respect to each parameter, of one configuration."""
        of_species = jax.nn.one_hot(inputs.species, self.n_species, dtype=inputs.features.dtype)
        return {
            "weight": jnp.einsum("is,if->sf", of_species, inputs.features),
            "bias": of_species.sum(axis=0),
        }


@dataclass(frozen=True)
class Pair:
    r"""A learned pair potential per pair of elements, half of each pair term to each partner.

    .. math:: \varepsilon_i = b_{s_i} + \tfrac12 \sum_j V_{s_i s_j}(r_{ij}), \qquad
              V_{ss'}(r) = \sum_n c_{ss'n} g_n(r)

    with the Gaussians of `gaussian_basis` and :math:`c_{ss'n} = c_{s'sn}`.
    """

    cutoff: float
    n_species: int
    n_radial: int = 24
    inner: float = 4.5

    name = "pair"
    is_linear = True
    size_field = "n_radial"
    learning_rate_factor = 1.0
    is_local = True

    @property
    def n_pairs(self) -> int:
        """Unordered pairs of elements."""
        return self.n_species * (self.n_species + 1) // 2

    @classmethod
    def sized(cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any) -> Pair:
        """Model whose number of parameters is closest to the one wanted, by radial functions."""
        without = cls(cutoff, n_species, n_radial=1, **fixed)
        return _closest(
            lambda n: replace(without, n_radial=n),
            lambda model: model.n_pairs * model.n_radial + n_species,
            n_parameters,
        )

    @property
    def input_key(self) -> Pair:
        """What the inputs depend on; models that share it share the cache."""
        return self

    def inputs(self, neighborhood: Neighborhood) -> FeatureInputs:
        """Half sums of the radial functions over the neighbours, per pair of elements."""
        distance = jnp.linalg.norm(neighborhood.displacements, axis=-1)
        radial = gaussian_basis(distance, self.cutoff, self.n_radial, self.inner)
        partner = neighbor_one_hot(neighborhood, self.n_species, radial.dtype)
        centre = jax.nn.one_hot(neighborhood.species, self.n_species, dtype=radial.dtype)
        sums = 0.5 * jnp.einsum("is,ijt,ijn->istn", centre, partner, radial)
        first, second = jnp.triu_indices(self.n_species)
        # an atom of element s has s as one of the two; the transposed block holds the others
        both = sums + jnp.where(
            jnp.eye(self.n_species, dtype=bool)[:, :, None], 0.0, jnp.swapaxes(sums, 1, 2)
        )
        features = both[:, first, second].reshape(len(distance), -1)
        return FeatureInputs(neighborhood.species, features)

    def statistics(self, inputs: FeatureInputs) -> dict[str, Any]:
        """Mean per element of the central atom; one spread for all, as weights are shared."""
        groups = np.arange(self.n_pairs * self.n_radial)
        return feature_statistics(inputs, self.n_species, groups=groups)

    def standardise(self, inputs: FeatureInputs, statistics: dict[str, Any]) -> FeatureInputs:
        """Features with zero mean per element."""
        return standardised(inputs, statistics)

    def init(self, key: Array | int | ShapesOnly) -> Params:
        """Zero weights; the key is not used."""
        del key
        return {
            "weight": jnp.zeros(self.n_pairs * self.n_radial, jnp.float32),
            "bias": jnp.zeros(self.n_species, jnp.float32),
        }

    def local_energies(self, params: Params, inputs: FeatureInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        is_atom = inputs.species >= 0
        energies = inputs.features @ params["weight"] + params["bias"][inputs.species]
        return jnp.where(is_atom, energies, 0.0)

    def last_layer(self, params: Params, inputs: FeatureInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        del params
        of_species = jax.nn.one_hot(inputs.species, self.n_species, dtype=inputs.features.dtype)
        is_atom = (inputs.species >= 0)[:, None]
        return jnp.concatenate([jnp.where(is_atom, inputs.features, 0.0), of_species], axis=1)

    def design(self, inputs: FeatureInputs) -> dict[str, Array]:
        """Derivative of the total with respect to each parameter, of one configuration."""
        is_atom = (inputs.species >= 0)[:, None]
        of_species = jax.nn.one_hot(inputs.species, self.n_species, dtype=inputs.features.dtype)
        return {
            "weight": jnp.where(is_atom, inputs.features, 0.0).sum(axis=0),
            "bias": of_species.sum(axis=0),
        }


def _closest(build: Callable[[int], Model], count: Callable[[Model], int], wanted: int) -> Model:
    """Model of the number of radial functions, 1 to 512, whose count is closest."""
    return min((build(n) for n in range(1, 513)), key=lambda model: abs(count(model) - wanted))
