"""An equivariant message-passing network with scalar and vector features (PaiNN)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from zeroflux.potentials.layers import (
    DEEP,
    Params,
    ShapesOnly,
    apply_dense,
    dense,
    normal,
    random_numbers,
    swish,
    width_for,
)
from zeroflux.potentials.messages import MessageInputs, MessagePassing, Passing

SMALL_NORM = 1e-6  # squared, inside the root of a vector norm, which is not smooth at zero


def bounded(x: Array, axes: tuple[int, ...]) -> Array:
    r"""Features of an atom, x/√(1 + ⟨x²⟩): of order one however far they have grown.

    A layer multiplies scalars, vectors and gates, so what it adds grows as a power of what enters,
    and two layers in a row as a high one. See docs/potentials.md for what this changed.
    """
    return x / jnp.sqrt(1.0 + jnp.square(x).mean(axis=axes, keepdims=True))


@dataclass(frozen=True)
class PaiNN(MessagePassing):
    r"""Polarisable atom interaction network with one or two layers.

    Each atom carries scalars s and vectors v, which enter a layer `bounded`. A layer adds messages,

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
    Messages of a deeper layer are centred and scaled too (`Passing`), and what such a layer adds,
    messages and mixing, enters with a weight of `DEEP`, so that training starts close to a model
    of one layer.

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

    @property
    def has_embedding(self) -> bool:
        """Whether atoms start with scalars of their own: one layer of one element needs none."""
        return self.n_layers > 1 or self.n_species > 1

    @classmethod
    def sized(cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any) -> PaiNN:
        """Model whose number of parameters is closest to the one wanted, by width alone."""
        one = cls(cutoff, n_species, width=1, **fixed)
        n = one.n_layers
        # φ of the first layer is a table by element; deeper layers have a perceptron for it
        linear = 2 * n_species + 2 + n * (3 * one.n_radial + 4) - one.n_radial + (n - 1) * 4
        linear += n_species * one.has_embedding
        quadratic = 1 + n * 7 + (n - 1) * 4
        return replace(one, width=width_for(n_parameters, (1, linear, quadratic)))

    @property
    def passing(self) -> Passing:
        """How atoms see their neighbours."""
        return Passing(
            self.cutoff, self.n_species, self.n_radial, self.inner, True, self.n_layers > 1
        )

    def init(self, key: Array | int | ShapesOnly) -> Params:
        """Random parameters."""
        w, s = self.width, self.n_species
        rng = random_numbers(key)
        params: dict[str, Any] = {
            "readout0": dense(rng, w, w),
            "readout1": dense(rng, w, 1, is_output=True),
        }
        if self.has_embedding:
            params["embedding"] = jnp.zeros((s, w), jnp.float32)  # elements start out alike
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

    def features(self, params: Params, inputs: MessageInputs) -> Float[Array, "n_atoms width"]:
        """What the readout sees of each atom after the last interaction."""
        s, v = self._first_messages(params, inputs)
        for k in range(self.n_layers):
            layer = params[f"layer{k}"]
            x, y = bounded(s, (-1,)), bounded(v, (-2, -1))
            ds, dv = self._messages(layer, x, y, inputs) if k else (0.0, 0.0)
            mixed_s, mixed_v = self._mixing(layer, x + ds, y + dv)
            weight = DEEP if k else 1.0
            s, v = s + weight * (ds + mixed_s), v + weight * (dv + mixed_v)
        return s

    def _first_messages(self, params: Params, inputs: MessageInputs) -> tuple[Array, Array]:
        """Messages from atoms that carry nothing but their element."""
        source = jnp.split(params["layer0"]["source"], 2, axis=-1)
        filters = jnp.split(params["layer0"]["filter"]["weight"], 2, axis=-1)
        s = self.passing.first(inputs, source[0], filters[0])
        v = self.passing.first_along(inputs, source[1], filters[1])
        if self.has_embedding:
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
        return ds, dv

    def _mixing(self, layer: Params, s: Array, v: Array) -> tuple[Array, Array]:
        """What scalars and vectors of an atom add to each other."""
        u = v @ layer["mix_u"]["weight"]
        w = v @ layer["mix_v"]["weight"]
        norm = jnp.sqrt(jnp.square(w).sum(axis=1) + SMALL_NORM)
        gate = apply_dense(
            layer["gate1"],
            swish(apply_dense(layer["gate0"], jnp.concatenate([s, norm], axis=-1))),
        )
        a_vv, a_sv, a_ss = jnp.split(gate, 3, axis=-1)
        inner = (u * w).mean(axis=1)  # over directions: the factor 1/3 keeps it of order one
        return a_ss + a_sv * inner, a_vv[:, None] * u
