"""An equivariant message-passing network with scalar and vector features (PaiNN)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from zeroflux.potentials.layers import (
    DEEP,
    Params,
    apply_dense,
    dense,
    normal,
    random_numbers,
    swish,
    width_for,
    with_bias,
)
from zeroflux.potentials.messages import MessageInputs, Passing
from zeroflux.potentials.neighbors import Neighborhood

SMALL_NORM = 1e-6  # squared, inside the root of a vector norm, which is not smooth at zero


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
    Messages of a deeper layer are centred and scaled too (`Passing`) and enter with a weight of
    `DEEP`, so that training starts close to a model of one layer.

    References
    ----------
    Schütt, Unke, Gastegger (2021), arXiv 2102.03150, section 3.
    """

    cutoff: float
    n_species: int
    width: int = 16
    n_layers: int = 1
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
    def passing(self) -> Passing:
        """How atoms see their neighbours."""
        return Passing(
            self.cutoff, self.n_species, self.n_radial, self.inner, True, self.n_layers > 1
        )

    @property
    def input_key(self) -> Passing:
        """What the inputs depend on; models that share it share the cache."""
        return self.passing

    def inputs(self, neighborhood: Neighborhood) -> MessageInputs:
        """Scalar and vector densities; neighbours only where a second layer needs them."""
        return self.passing.inputs(neighborhood)

    def statistics(self, inputs: MessageInputs) -> dict[str, Any]:
        """Mean and spread of the scalar densities, spread of the vector ones."""
        return self.passing.statistics(inputs)

    def standardise(self, inputs: MessageInputs, statistics: dict[str, Any]) -> MessageInputs:
        """Densities and messages of order one."""
        return self.passing.standardise(inputs, statistics)

    def init(self, key: Array | int) -> Params:
        """Random parameters."""
        w, s = self.width, self.n_species
        rng = random_numbers(key)
        params: dict[str, Any] = {
            "readout0": dense(rng, w, w),
            "readout1": dense(rng, w, 1, is_output=True),
        }
        if self.n_layers > 1:
            params["embedding"] = normal(rng, (s, w))
        for k in range(self.n_layers):
            layer: dict[str, Any] = {
                "mix_u": {"weight": dense(rng, w, w)["weight"]},
                "mix_v": {"weight": dense(rng, w, w)["weight"]},
                "gate0": dense(rng, 2 * w, w),
                "gate1": dense(rng, w, 3 * w, is_output=True),
            }
            n_filters = 3 if k else 2
            layer["filter"] = {"weight": dense(rng, self.n_radial, n_filters * w)["weight"]}
            if k:
                layer["source0"] = dense(rng, w, w)
                # deeper messages start small, so that training starts from a one-layer model
                layer["source1"] = dense(rng, w, 3 * w, is_output=True)
            else:
                layer["source"] = normal(rng, (s, 2 * w))
            params[f"layer{k}"] = layer
        return params

    def local_energies(self, params: Params, inputs: MessageInputs) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the model's scale, offsets left out."""
        out = apply_dense(params["readout1"], self._hidden(params, inputs))[:, 0]
        return jnp.where(inputs.species >= 0, out, 0.0)

    def last_layer(self, params: Params, inputs: MessageInputs) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the parameters of the last layer."""
        return with_bias(self._hidden(params, inputs), inputs.species)

    def _hidden(self, params: Params, inputs: MessageInputs) -> Array:
        """What the last layer reads of each atom."""
        s, v = self._first_messages(params, inputs)
        s, v = self._mix(params["layer0"], s, v)
        for k in range(1, self.n_layers):
            ds, dv = self._messages(params[f"layer{k}"], s, v, inputs)
            s, v = self._mix(params[f"layer{k}"], s + ds, v + dv)
        return swish(apply_dense(params["readout0"], s))

    def _first_messages(self, params: Params, inputs: MessageInputs) -> tuple[Array, Array]:
        """Messages from atoms that carry nothing but their element."""
        source = jnp.split(params["layer0"]["source"], 2, axis=-1)
        filters = jnp.split(params["layer0"]["filter"]["weight"], 2, axis=-1)
        s = self.passing.first(inputs, source[0], filters[0])
        v = self.passing.first_along(inputs, source[1], filters[1])
        if self.n_layers > 1:
            s = s + params["embedding"][inputs.species]
        return s, v

    def _messages(
        self, layer: Params, s: Array, v: Array, inputs: MessageInputs
    ) -> tuple[Array, Array]:
        """Messages of a deeper layer."""
        phi = apply_dense(layer["source1"], swish(apply_dense(layer["source0"], s)))
        phi_s, phi_vv, phi_vs = jnp.split(phi, 3, axis=-1)
        filters = jnp.split(layer["filter"]["weight"], 3, axis=-1)
        ds = self.passing.passed(inputs, phi_s, filters[0])
        dv = self.passing.passed(inputs, v * phi_vv[:, None], filters[1])
        dv = dv + self.passing.passed_along(inputs, phi_vs, filters[2])
        return DEEP * ds, DEEP * dv

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
