"""Symmetry functions: what a potential may know of an atom's surroundings.

Radial functions and body-ordered angular ones, resolved by element, in JAX, so that the same
code serves the cache of a training set and the forces of the calculator.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from zeroflux.potentials.neighbors import Neighborhood


def cutoff_function(distance: Array, cutoff: float) -> Array:
    r"""Smooth step :math:`f_c = 1 - 10x^3 + 15x^4 - 6x^5`, :math:`x = r/r_c`, 0 beyond.

    Twice continuously differentiable at both ends, unlike the cosine of Behler and Parrinello
    (2007), whose second derivative jumps at the cutoff.
    """
    x = jnp.minimum(distance / cutoff, 1.0)
    return 1.0 - x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


@dataclass(frozen=True)
class SymmetryFunctions:
    r"""Element-resolved radial and angular functions of an atom's neighbours.

    With :math:`g_n(r) = e^{-(r-\mu_n)^2/2\Delta^2} f_c(r)`, for each element s (and each pair
    of elements s ≤ s'):

    .. math::
        G^{rad}_{sn} = \sum_{j \in s} g_n(r_{ij}), \qquad
        G^{ang}_{ss'nl} = \sum_{j \in s} \sum_{k \in s'} g_n(r_{ij}) g_n(r_{ik})
            P_l(\cos\theta_{jik}), \quad l = 1 \dots l_{max}.

    The angular sum is evaluated through the addition theorem of the spherical harmonics, so its
    cost is linear in the number of neighbours. It includes j = k, a purely radial term.

    References
    ----------
    Behler, Parrinello (2007), 10.1103/PhysRevLett.98.146401 (radial, one factor of
    :math:`f_c`); Behler (2011), 10.1063/1.3553717 (radial, and an angular function without the
    distance of the two neighbours); Drautz (2019), 10.1103/PhysRevB.99.014104 (products of
    neighbour densities).
    """

    cutoff: float
    """Distance beyond which nothing is seen (bohr)."""
    n_species: int
    n_radial: int = 16
    """Radial functions per neighbour element."""
    n_angular: int = 4
    """Radial channels of the angular functions."""
    l_max: int = 2
    """Highest Legendre order, 1 to 3; without angular channels it has no effect."""
    inner: float = 4.5
    """Centre of the innermost function (bohr); below the closest approach in a liquid."""

    def __post_init__(self) -> None:
        if not 0.0 < self.inner < self.cutoff:
            raise ValueError(
                f"innermost centre {self.inner} bohr and cutoff {self.cutoff} bohr; expected "
                "0 < inner < cutoff"
            )
        if not 1 <= self.l_max <= 3:
            raise ValueError(f"l_max is {self.l_max}; expected 1, 2 or 3")

    @property
    def n_features(self) -> int:
        """Number of features per atom."""
        pairs = self.n_species * (self.n_species + 1) // 2
        return self.n_species * self.n_radial + pairs * self.n_angular * self.l_max

    def __call__(self, neighborhood: Neighborhood) -> Float[Array, "n_atoms n_features"]:
        """Features of each atom of one configuration."""
        vectors = neighborhood.displacements
        distance = jnp.linalg.norm(vectors, axis=-1)
        of_species = neighbor_one_hot(neighborhood, self.n_species, vectors.dtype)
        radial = gaussian_basis(distance, self.cutoff, self.n_radial, self.inner)
        features = [jnp.einsum("ijs,ijn->isn", of_species, radial)]
        if self.n_angular:
            channels = gaussian_basis(distance, self.cutoff, self.n_angular, self.inner)
            direction = vectors / distance[..., None]
            first, second = jnp.triu_indices(self.n_species)
            for harmonics in spherical_harmonics(direction, self.l_max):
                density = jnp.einsum("ijs,ijn,ijm->isnm", of_species, channels, harmonics)
                features.append(jnp.einsum("ipnm,ipnm->ipn", density[:, first], density[:, second]))
        n_atoms = vectors.shape[0]
        return jnp.concatenate([f.reshape(n_atoms, -1) for f in features], axis=-1)


def gaussian_basis(
    distance: Float[Array, "*shape"], cutoff: float, n_functions: int, inner: float
) -> Float[Array, "*shape n_functions"]:
    r"""Gaussians :math:`e^{-(r-\mu_n)^2/2\Delta^2} f_c(r)`, their centres Δ apart.

    Centres lie at ``inner`` and then in equal steps; the cutoff would be the next one.
    """
    step = (cutoff - inner) / n_functions
    centres = inner + step * jnp.arange(n_functions, dtype=distance.dtype)
    offset = (distance[..., None] - centres) / step
    return jnp.exp(-0.5 * offset**2) * cutoff_function(distance, cutoff)[..., None]


def neighbor_one_hot(
    neighborhood: Neighborhood, n_species: int, dtype: jnp.dtype
) -> Float[Array, "n_atoms n_neighbors n_species"]:
    """One where a neighbour is of a species, else zero."""
    if n_species == 1:  # no gather where there is nothing to choose
        return jnp.ones((*neighborhood.neighbors.shape, 1), dtype)
    species: Int[Array, "n_atoms n_neighbors"] = neighborhood.species[neighborhood.neighbors]
    return jax.nn.one_hot(species, n_species, dtype=dtype)


def spherical_harmonics(
    direction: Float[Array, "n_atoms n_neighbors 3"], l_max: int
) -> list[Float[Array, "n_atoms n_neighbors _"]]:
    r"""Real harmonics of orders 1 to ``l_max``, :math:`\sum_m C_{lm}(a)C_{lm}(b) = P_l(a·b)`."""
    x, y, z = jnp.moveaxis(direction, -1, 0)
    orders = [direction]
    if l_max >= 2:
        root3 = 3.0**0.5
        second = (
            root3 * x * y,
            root3 * y * z,
            0.5 * (3.0 * z**2 - 1.0),
            root3 * z * x,
            0.5 * root3 * (x**2 - y**2),
        )
        orders.append(jnp.stack(second, axis=-1))
    if l_max >= 3:
        a, b, c = (5.0 / 8.0) ** 0.5, 15.0**0.5, (3.0 / 8.0) ** 0.5
        third = (
            a * y * (3.0 * x**2 - y**2),
            b * x * y * z,
            c * y * (5.0 * z**2 - 1.0),
            0.5 * z * (5.0 * z**2 - 3.0),
            c * x * (5.0 * z**2 - 1.0),
            0.5 * b * z * (x**2 - y**2),
            a * x * (x**2 - 3.0 * y**2),
        )
        orders.append(jnp.stack(third, axis=-1))
    return orders
