"""Messages between neighbours: what the message-passing architectures share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from zeroflux.potentials.descriptors import gaussian_basis, neighbor_one_hot
from zeroflux.potentials.layers import Params, apply_dense, by_rows, swish, with_bias
from zeroflux.potentials.neighbors import Neighborhood
from zeroflux.potentials.standardisation import floored_spread

SMALLEST_SUM = 0.05  # of the radial functions' mean sums, in units of the largest
LARGEST_DENSE = 64
"""Atoms up to which sums over neighbours are products with a matrix of atoms by atoms."""


class MessageInputs(NamedTuple):
    """Densities of the neighbours and how features reach them; free of trained parameters.

    Arrays may carry a leading axis over configurations. In a small periodic box many neighbours
    are images of the same atom, so their radial functions are summed beforehand into ``operator``
    and a message is a matrix product; the neighbour list is then left out. In a large system it
    is the other way round.
    """

    species: Any
    """Index into the model's species, shape (n_atoms,); -1 for a padding atom."""
    scalars: Any
    """Sums of radial functions by element, shape (n_atoms, n_species, n_radial)."""
    vectors: Any
    """The same times the direction, shape (n_atoms, n_species, n_radial, 3), or 0 of them."""
    operator: Any
    """Radial functions (and times the direction) summed over images, shape (n_atoms, 1 or 4,
    n_radial, n_atoms); empty if the list is used or nothing is passed on."""
    neighbors: Any
    """Index of each neighbour, shape (n_atoms, n_neighbors)."""
    displacements: Any
    """Neighbour less atom (bohr), shape (n_atoms, n_neighbors, 3)."""
    gain: Any
    """Inverse of the typical sum of each radial function, shape (n_atoms, n_radial)."""
    own_part: Any
    """How much of an atom's own features a message leaves out, shape (n_atoms, n_radial)."""


@dataclass(frozen=True)
class Passing:
    r"""How atoms see their neighbours.

    Densities :math:`\rho_{isn} = \sum_{j \in s} g_n(r_{ij})` (and
    :math:`\sum_j g_n \hat r_{ij}`) depend on nothing that is trained. They are centred and scaled
    by the element of the central atom, as symmetry functions are. Deeper messages

    .. math:: m_i = \sum_n W_n \circ
                    \Big(\frac{1}{\bar g_n} \sum_j g_n(r_{ij})\, x_j - x_i\Big)

    are centred as well, :math:`\bar g_n` being the mean of :math:`\sum_j g_n` (not less than a
    twentieth of the largest): a message is how the neighbours differ from the atom, and not the
    fact that there is a liquid. The second term only changes what the network has to learn of
    :math:`x_i` itself.
    """

    cutoff: float
    n_species: int
    n_radial: int
    inner: float
    has_vectors: bool
    is_deep: bool
    """Whether features are passed on beyond the densities."""

    def _basis(self, distance: Array) -> Array:
        return gaussian_basis(distance, self.cutoff, self.n_radial, self.inner)

    def inputs(self, neighborhood: Neighborhood) -> MessageInputs:
        """Densities, and what deeper messages need."""
        vectors = neighborhood.displacements
        n_atoms = vectors.shape[0]
        of_species = neighbor_one_hot(neighborhood, self.n_species, vectors.dtype)
        is_dense = self.is_deep and n_atoms <= LARGEST_DENSE
        if self.is_deep and not is_dense:
            scalars, along = by_rows(self._densities, (vectors, of_species))
        else:
            scalars, along = self._densities((vectors, of_species))
        operator = jnp.zeros((n_atoms, 0, self.n_radial, n_atoms), vectors.dtype)
        if is_dense:
            basis, directed = self._functions(vectors)
            source = jax.nn.one_hot(neighborhood.neighbors, n_atoms, dtype=basis.dtype)
            operator = jnp.einsum("ijn,ijk->ink", basis, source)[:, None]
            if self.has_vectors:
                of_images = jnp.einsum("ijna,ijk->iank", directed, source)
                operator = jnp.concatenate([operator, of_images], axis=1)
        n_kept = None if self.is_deep and not is_dense else 0
        ones = jnp.ones((n_atoms, self.n_radial), vectors.dtype)
        return MessageInputs(
            species=neighborhood.species,
            scalars=scalars,
            vectors=along,
            operator=operator,
            neighbors=neighborhood.neighbors[:, :n_kept],
            displacements=vectors[:, :n_kept],
            gain=ones,
            own_part=0.0 * ones,
        )

    def _densities(self, rows: tuple[Array, Array]) -> tuple[Array, Array]:
        """Sums of the radial functions by element, and of the same times the direction."""
        vectors, of_species = rows
        basis, directed = self._functions(vectors)
        scalars = jnp.einsum("ijs,ijn->isn", of_species, basis)
        return scalars, jnp.einsum("ijs,ijna->isna", of_species, directed)

    def _functions(self, vectors: Array) -> tuple[Array, Array]:
        """Radial functions of each neighbour, and times the direction (none without vectors)."""
        distance = jnp.linalg.norm(vectors, axis=-1)
        basis = self._basis(distance)
        n_directions = 3 if self.has_vectors else 0
        direction = (vectors / distance[..., None])[..., :n_directions]
        return basis, basis[..., None] * direction[..., None, :]

    def statistics(self, inputs: MessageInputs) -> dict[str, Any]:
        """Mean and spread of the densities by element, mean of the sums over all neighbours."""
        of_species = jax.nn.one_hot(inputs.species.reshape(-1), self.n_species)
        of_species = of_species.astype(inputs.scalars.dtype)
        n_atoms = jnp.maximum(of_species.sum(axis=0), 1.0)[:, None, None]
        scalars = inputs.scalars.reshape(-1, *inputs.scalars.shape[-2:])
        mean = jnp.einsum("ic,isn->csn", of_species, scalars) / n_atoms
        own = jnp.einsum("ic,csn->isn", of_species, mean)
        variance = jnp.einsum("ic,isn->csn", of_species, jnp.square(scalars - own)) / n_atoms
        found = {"mean": mean, "spread": floored_spread(jnp.sqrt(variance), axis=(1, 2))}
        if self.has_vectors:
            squared = jnp.square(inputs.vectors).mean(axis=-1)
            squared = squared.reshape(-1, *squared.shape[-2:])
            spread = jnp.sqrt(jnp.einsum("ic,isn->csn", of_species, squared) / n_atoms)
            found["vector_spread"] = floored_spread(spread, axis=(1, 2))
        if self.is_deep:
            mean = (n_atoms * mean).sum(axis=(0, 1)) / n_atoms.sum()
            typical = jnp.maximum(mean, SMALLEST_SUM * mean.max())
            found["typical"] = jnp.where(typical > 0, typical, 1.0)
            found["centre"] = mean
        return found

    def standardise(self, inputs: MessageInputs, statistics: dict[str, Any]) -> MessageInputs:
        """Densities and messages of order one; zero densities for padding atoms."""
        constants = {name: jnp.asarray(leaf) for name, leaf in statistics.items()}
        is_atom = (inputs.species >= 0)[..., None, None]
        own = jnp.maximum(inputs.species, 0)
        scalars = (inputs.scalars - constants["mean"][own]) / constants["spread"][own]
        inputs = inputs._replace(scalars=jnp.where(is_atom, scalars, 0.0))
        if self.has_vectors:
            inputs = inputs._replace(
                vectors=inputs.vectors / constants["vector_spread"][own][..., None]
            )
        if not self.is_deep:
            return inputs
        own_part = constants["centre"] / constants["typical"]
        if inputs.operator.shape[-3]:
            operator = inputs.operator / constants["typical"][:, None]
            identity = jnp.eye(inputs.operator.shape[-1], dtype=operator.dtype)
            itself = identity[:, None] * own_part[:, None]
            return inputs._replace(operator=operator.at[..., 0, :, :].add(-itself))
        return inputs._replace(
            gain=inputs.gain / constants["typical"], own_part=inputs.own_part + own_part
        )

    def passed(
        self, inputs: MessageInputs, x: Float[Array, "n_atoms *_ width"], filters: Array
    ) -> Array:
        """Messages of features ``x``, each with its own ``filters`` (n_radial, width)."""
        if inputs.operator.shape[-3]:
            sums = jnp.einsum("ink,k...w->i...nw", inputs.operator[:, 0], x)
            return jnp.einsum("i...nw,nw->i...w", sums, filters)

        def of_rows(rows: tuple[Array, ...]) -> Array:
            neighbors, vectors, own, own_part, gain = rows
            basis = self._functions(vectors)[0] * gain[:, None]
            sums = jnp.einsum("ijn,ij...w->i...nw", basis, x[neighbors])
            sums = sums - jnp.einsum("in,i...w->i...nw", own_part, own)
            return jnp.einsum("i...nw,nw->i...w", sums, filters)

        rows = (inputs.neighbors, inputs.displacements, x, inputs.own_part, inputs.gain)
        return by_rows(of_rows, rows)

    def passed_along(self, inputs: MessageInputs, x: Array, filters: Array) -> Array:
        """Vector messages (n_atoms, 3, width): features times the direction they come from."""
        if inputs.operator.shape[-3]:
            sums = jnp.einsum("iank,kw->ianw", inputs.operator[:, 1:], x)
            return jnp.einsum("ianw,nw->iaw", sums, filters)

        def of_rows(rows: tuple[Array, ...]) -> Array:
            neighbors, vectors, gain = rows
            directed = self._functions(vectors)[1] * gain[:, None, :, None]
            sums = jnp.einsum("ijna,ijw->ianw", directed, x[neighbors])
            return jnp.einsum("ianw,nw->iaw", sums, filters)

        return by_rows(of_rows, (inputs.neighbors, inputs.displacements, inputs.gain))

    def first(self, inputs: MessageInputs, source: Array, filters: Array) -> Array:
        """Messages from atoms that carry nothing but their element, from the densities."""
        return jnp.einsum("isn,nw,sw->iw", inputs.scalars, filters, source)

    def first_along(self, inputs: MessageInputs, source: Array, filters: Array) -> Array:
        """The same as vectors (n_atoms, 3, width)."""
        return jnp.einsum("isna,nw,sw->iaw", inputs.vectors, filters, source)


class MessagePassing(ABC):
    r"""What message-passing architectures share: what they read, and their readout.

    .. math:: \varepsilon_i = V_2\,\phi(V_1 x_i)

    with the features x of `features`, parameters ``readout0`` and ``readout1``, and φ the `swish`.
    """

    @property
    @abstractmethod
    def passing(self) -> Passing:
        """How atoms see their neighbours."""

    @abstractmethod
    def features(self, params: Params, inputs: MessageInputs) -> Float[Array, "n_atoms width"]:
        """What the readout sees of each atom after the last interaction."""

    @property
    def input_key(self) -> Passing:
        """What the inputs depend on; models that share it share the cache."""
        return self.passing

    def inputs(self, neighborhood: Neighborhood) -> MessageInputs:
        """Densities, and neighbours where a second interaction needs them."""
        return self.passing.inputs(neighborhood)

    def statistics(self, inputs: MessageInputs) -> dict[str, Any]:
        """Mean and spread of the densities."""
        return self.passing.statistics(inputs)

    def standardise(self, inputs: MessageInputs, statistics: dict[str, Any]) -> MessageInputs:
        """Densities and messages of order one."""
        return self.passing.standardise(inputs, statistics)

    def local_energies(self, params: Params, inputs: MessageInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        out = apply_dense(params["readout1"], self._hidden(params, inputs))[:, 0]
        return jnp.where(inputs.species >= 0, out, 0.0)

    def last_layer(self, params: Params, inputs: MessageInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        return with_bias(self._hidden(params, inputs), inputs.species)

    def _hidden(self, params: Params, inputs: MessageInputs) -> Array:
        """What the last layer reads of each atom."""
        return swish(apply_dense(params["readout0"], self.features(params, inputs)))
