"""An equivariant message-passing network with scalar and vector features (PaiNN)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from zeroflux.potentials.descriptors import gaussian_basis, neighbor_one_hot
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

SMALL_NORM = 1e-6  # squared, inside the root of a vector norm, which is not smooth at zero


class VectorInputs(NamedTuple):
    """Densities of the neighbours, and the neighbours themselves for deeper layers."""

    species: Any
    """Index into the model's species, shape (n_atoms,); -1 for a padding atom."""
    scalars: Any
    """Sums of radial functions per element, shape (n_atoms, n_species, n_radial)."""
    vectors: Any
    """The same times the direction, shape (n_atoms, n_species, n_radial, 3)."""
    neighbors: Any
    """Index of each neighbour, shape (n_atoms, n_neighbors)."""
    distance: Any
    """Distance of each neighbour (bohr), same shape."""
    direction: Any
    """Unit vector to each neighbour, shape (n_atoms, n_neighbors, 3)."""
    gain: Any
    """Factor of sums over neighbours, shape (n_atoms,)."""


@dataclass(frozen=True)
class PaiNN:
    r"""Polarisable atom interaction network with one or two layers.

    Each atom carries scalars s and vectors v. A layer adds messages,

    .. math::
        \Delta s_i = \sum_j \phi_s(s_j) \circ W_s(r_{ij}), \qquad
        \Delta v_i = \sum_j v_j \circ \phi_{vv}(s_j) \circ W_{vv}(r_{ij})
                   + \phi_{vs}(s_j) \circ W_{vs}(r_{ij})\, \hat r_{ij},

    and then mixes them within the atom,

    .. math::
        \Delta v = a_{vv} \circ Uv, \qquad \Delta s = a_{ss} + a_{sv} \circ \langle Uv, Vv\rangle,
        \qquad a = \mathrm{MLP}(s, |Vv|).

    The filters W are linear in the Gaussians of `gaussian_basis`, so sums over neighbours are
    taken before the filter is applied. In the first layer φ depends on the element alone: its
    sums are free of parameters and are cached with the inputs, centred and scaled as the symmetry
    functions of the other models are. A one-layer model then costs no more than a perceptron.

    References
    ----------
    Schütt, Unke, Gastegger (2021), arXiv 2102.03150, section 3.
    """

    cutoff: float
    n_species: int
    width: int = 16
    n_layers: int = 2
    n_radial: int = 16
    inner: float = 4.5

    name = "painn"
    is_linear = False
    size_field = "width"
    learning_rate_factor = 1.0

    @property
    def is_local(self) -> bool:
        """Whether an atom's energy depends on its own neighbours alone."""
        return self.n_layers == 1

    @classmethod
    def sized(cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any) -> PaiNN:
        """Model whose number of parameters is closest to the one wanted, by width alone."""
        one = cls(cutoff, n_species, width=1, **fixed)
        n = one.n_layers
        # φ of the first layer is a table by element; deeper layers have a perceptron for it
        linear = 3 * n_species + 2 + n * (3 * one.n_radial + 4) - one.n_radial + (n - 1) * 4
        quadratic = 1 + n * 7 + (n - 1) * 4
        linear = linear - n_species + (n_species if n > 1 else 0)
        return replace(one, width=width_for(n_parameters, (1, linear, quadratic)))

    @property
    def input_key(self) -> tuple[Any, ...]:
        """What the inputs depend on; models that share it share the cache."""
        shape = (self.cutoff, self.n_species, self.n_radial, self.inner)
        return ("densities", *shape, self.n_layers > 1)

    def inputs(self, neighborhood: Neighborhood) -> VectorInputs:
        """Scalar and vector densities; neighbours only where a second layer needs them."""
        displacements = neighborhood.displacements
        distance = jnp.linalg.norm(displacements, axis=-1)
        direction = displacements / distance[..., None]
        basis = gaussian_basis(distance, self.cutoff, self.n_radial, self.inner)
        of_species = neighbor_one_hot(neighborhood, self.n_species, basis.dtype)
        n_kept = None if self.n_layers > 1 else 0
        return VectorInputs(
            species=neighborhood.species,
            scalars=jnp.einsum("ijs,ijn->isn", of_species, basis),
            vectors=jnp.einsum("ijs,ijn,ija->isna", of_species, basis, direction),
            neighbors=neighborhood.neighbors[:, :n_kept],
            distance=distance[:, :n_kept],
            direction=direction[:, :n_kept],
            gain=jnp.ones(distance.shape[0], distance.dtype),
        )

    def statistics(self, inputs: VectorInputs) -> dict[str, Any]:
        """Mean and spread of the scalar densities, spread of the vector ones."""
        is_atom = (inputs.species >= 0).reshape(-1)[:, None, None]
        n_atoms = is_atom.sum()
        scalars = inputs.scalars.reshape(-1, *inputs.scalars.shape[-2:])
        mean = jnp.where(is_atom, scalars, 0.0).sum(axis=0) / n_atoms
        variance = jnp.where(is_atom, jnp.square(scalars - mean), 0.0).sum(axis=0) / n_atoms
        squared = jnp.square(inputs.vectors).sum(axis=-1)
        squared = squared.reshape(-1, *squared.shape[-2:])
        of_vectors = jnp.where(is_atom, squared, 0.0).sum(axis=0) / n_atoms / 3.0
        return {
            "mean": mean,
            "spread": _floored(jnp.sqrt(variance)),
            "vector_spread": _floored(jnp.sqrt(of_vectors)),
            # deeper layers sum over neighbours that differ: typical size, not fluctuation
            "gain": 1.0 / jnp.maximum(jnp.sqrt((variance + mean**2).mean()), 1e-6),
        }

    def standardise(self, inputs: VectorInputs, statistics: dict[str, Any]) -> VectorInputs:
        """Densities of order one."""
        return inputs._replace(
            scalars=(inputs.scalars - statistics["mean"]) / statistics["spread"],
            vectors=inputs.vectors / statistics["vector_spread"][..., None],
            gain=inputs.gain * statistics["gain"],
        )

    def init(self, key: Array) -> Params:
        """Random parameters."""
        w, s = self.width, self.n_species
        keys = iter(jax.random.split(key, 4 + 10 * self.n_layers))
        params: dict[str, Any] = {
            "readout0": dense(next(keys), w, w),
            "readout1": dense(next(keys), w, 1, is_output=True),
        }
        if self.n_layers > 1:
            params["embedding"] = jax.random.normal(next(keys), (s, w), jnp.float32)
        for k in range(self.n_layers):
            layer: dict[str, Any] = {
                "mix_u": {"weight": dense(next(keys), w, w)["weight"]},
                "mix_v": {"weight": dense(next(keys), w, w)["weight"]},
                "gate0": dense(next(keys), 2 * w, w),
                "gate1": dense(next(keys), w, 3 * w, is_output=True),
            }
            n_filters = 3 if k else 2
            layer["filter"] = {"weight": dense(next(keys), self.n_radial, n_filters * w)["weight"]}
            if k:
                layer["source0"] = dense(next(keys), w, w)
                # deeper messages start small, so that training starts from a one-layer model
                layer["source1"] = dense(next(keys), w, 3 * w, is_output=True)
            else:
                layer["source"] = jax.random.normal(next(keys), (s, 2 * w), jnp.float32)
            params[f"layer{k}"] = layer
        return params

    def local_energies(self, params: Params, inputs: VectorInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        out = apply_dense(params["readout1"], self._hidden(params, inputs))[:, 0]
        return jnp.where(inputs.species >= 0, out, 0.0)

    def last_layer(self, params: Params, inputs: VectorInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        return with_bias(self._hidden(params, inputs), inputs.species)

    def _hidden(self, params: Params, inputs: VectorInputs) -> Array:
        """What the last layer reads of each atom."""
        s, v = self._first_messages(params, inputs)
        s, v = self._mix(params["layer0"], s, v)
        for k in range(1, self.n_layers):
            ds, dv = self._messages(params[f"layer{k}"], s, v, inputs)
            s, v = self._mix(params[f"layer{k}"], s + ds, v + dv)
        return swish(apply_dense(params["readout0"], s))

    def _first_messages(self, params: Params, inputs: VectorInputs) -> tuple[Array, Array]:
        """Messages from atoms that carry nothing but their element."""
        source = jnp.split(params["layer0"]["source"], 2, axis=-1)
        filters = jnp.split(params["layer0"]["filter"]["weight"], 2, axis=-1)
        s = jnp.einsum("isn,nw,sw->iw", inputs.scalars, filters[0], source[0])
        v = jnp.einsum("isna,nw,sw->iaw", inputs.vectors, filters[1], source[1])
        if self.n_layers > 1:
            s = s + params["embedding"][inputs.species]
        return s, v

    def _messages(
        self, layer: Params, s: Array, v: Array, inputs: VectorInputs
    ) -> tuple[Array, Array]:
        """Messages of a deeper layer; sums over neighbours come before the filters."""
        phi = apply_dense(layer["source1"], swish(apply_dense(layer["source0"], s)))
        phi_s, phi_vv, phi_vs = jnp.split(phi, 3, axis=-1)
        carried = v * phi_vv[:, None]
        filters = jnp.split(layer["filter"]["weight"], 3, axis=-1)

        def of_rows(rows: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            j, distance, direction = rows
            basis = gaussian_basis(distance, self.cutoff, self.n_radial, self.inner)
            ds = jnp.einsum("ijn,ijw->inw", basis, phi_s[j])
            dvv = jnp.einsum("ijn,ijaw->inaw", basis, carried[j])
            along = basis[..., None] * direction[:, :, None, :]
            dvs = jnp.einsum("ijna,ijw->inaw", along, phi_vs[j])
            return (
                jnp.einsum("inw,nw->iw", ds, filters[0]),
                jnp.einsum("inaw,nw->iaw", dvv, filters[1])
                + jnp.einsum("inaw,nw->iaw", dvs, filters[2]),
            )

        ds, dv = by_rows(of_rows, (inputs.neighbors, inputs.distance, inputs.direction))
        return ds * inputs.gain[:, None], dv * inputs.gain[:, None, None]

    def _mix(self, layer: Params, s: Array, v: Array) -> tuple[Array, Array]:
        """Scalars and vectors of an atom act on each other."""
        u = v @ layer["mix_u"]["weight"]
        w = v @ layer["mix_v"]["weight"]
        norm = jnp.sqrt(jnp.square(w).sum(axis=1) + SMALL_NORM)
        gate = apply_dense(
            layer["gate1"],
            swish(apply_dense(layer["gate0"], jnp.concatenate([s, norm], axis=-1))),
        )
        a_vv, a_sv, a_ss = jnp.split(gate, 3, axis=-1)
        inner = (u * w).mean(axis=1)  # over directions: the factor 1/3 keeps it of order one
        return s + a_ss + a_sv * inner, v + a_vv[:, None] * u


def _floored(spread: Array) -> Array:
    """Spread, but not less than a hundredth of its median; one where all is zero."""
    spread = jnp.maximum(spread, 1e-2 * jnp.median(spread))
    return jnp.where(spread > 0, spread, 1.0)
