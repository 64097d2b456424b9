"""Dense layers as plain trees of arrays, and the learning-rate rule that goes with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

Params = Any
"""A tree (dictionaries and lists) of arrays."""

REFERENCE_FAN_IN = 16
SWISH_GAIN = 1.6791767
DEEP = 0.1
"""Weight of what interactions after the first one add, see docs/potentials.md."""
ROWS_AT_ONCE = 256
"""Most atoms worked on together in a large system. What is computed on the way then stays in
memory that the process holds already: with 4096 a step of 1000 atoms spent most of its time on
new pages (docs/potentials.md)."""


class ShapesOnly:
    """Stands for a source of starting parameters where only their shapes are asked for."""

    def standard_normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Zeros, which cost nothing while JAX traces."""
        return jnp.zeros(shape, dtype)


def random_numbers(key: Array | int | ShapesOnly) -> np.random.Generator | ShapesOnly:
    """Source of starting parameters, from a seed or a JAX key.

    NumPy's, since XLA compiles its own for each shape anew, at a cost beyond that of training
    a small network.
    """
    if isinstance(key, ShapesOnly):
        return key
    return np.random.default_rng(
        key if isinstance(key, int) else np.asarray(jax.random.key_data(key))
    )


def normal(rng: np.random.Generator | ShapesOnly, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers in single precision."""
    return jnp.asarray(rng.standard_normal(shape, np.float32))


def dense(
    rng: np.random.Generator | ShapesOnly,
    fan_in: int,
    fan_out: int,
    *,
    n_species: int = 0,
    is_output: bool = False,
) -> dict[str, Array]:
    """Parameters of a dense layer, normal with variance 1/fan_in (1/fan_in² at the output).

    With the learning rates of `learning_rate_scales` this is the maximal-update
    parametrisation: activations and their changes per step keep their size at any width.

    References
    ----------
    Yang et al. (2022), arXiv 2203.03466, table 3.
    """
    stack = (n_species,) if n_species else ()
    spread = 1.0 / fan_in if is_output else 1.0 / math.sqrt(fan_in)
    weight = np.float32(spread) * normal(rng, (*stack, fan_in, fan_out))
    return {"weight": weight, "bias": jnp.zeros((*stack, fan_out), jnp.float32)}


def apply_dense(layer: dict[str, Any], x: Any) -> Array:
    """Affine map over the last axis."""
    return x @ layer["weight"] + layer["bias"]


def swish(x: Array) -> Array:
    r"""Activation :math:`1.6792\,x/(1+e^{-x})`, smooth and nearly linear for large arguments.

    The factor keeps the second moment of a standard normal argument at 1, so that signals keep
    their size through the layers. Bounded activations such as tanh were tried on a
    Lennard-Jones liquid and left five times the error in local energies (docs/potentials.md).
    """
    return SWISH_GAIN * jax.nn.silu(x)


def learning_rate_scales(params: Params) -> Params:
    """Factor on the learning rate of each parameter: min(1, 16/fan_in) for weight matrices.

    The one rule for all sizes and architectures. Under Adam each entry of a matrix moves by
    about the learning rate, so the map's output moves by fan_in times that; the factor undoes it.
    Biases and embeddings have no fan-in and keep the full rate.

    References
    ----------
    Yang et al. (2022), arXiv 2203.03466, table 3 (Adam, hidden and output weights).
    """

    def factor(path: tuple, leaf: Array) -> float:
        is_weight = getattr(path[-1], "key", None) == "weight"
        return min(1.0, REFERENCE_FAN_IN / leaf.shape[-2]) if is_weight else 1.0

    return jax.tree_util.tree_map_with_path(factor, params)


def n_parameters(params: Params) -> int:
    """Number of trainable numbers."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves(params))


def width_for(n_parameters: int, count: Sequence[int]) -> int:
    """Width w ≥ 1 whose quadratic count a + b w + c w² is closest to the wanted number."""
    a, b, c = count
    wanted = max(n_parameters - a, 0)
    root = (-b + math.sqrt(b * b + 4 * c * wanted)) / (2 * c) if c else wanted / b
    low = max(1, math.floor(root))
    return min((low, low + 1), key=lambda w: abs(a + b * w + c * w * w - n_parameters))


def n_blocks(n_rows: int) -> int:
    """Number of blocks of at most `ROWS_AT_ONCE` rows."""
    return max(1, -(-n_rows // ROWS_AT_ONCE))


def by_rows(function: Callable[[Any], Any], rows: Any) -> Any:
    """Apply a function to blocks of rows (atoms) one after the other if there are many.

    What a block computes on the way is computed again for derivatives and not kept, so memory
    does not grow with atoms times neighbours times width. Rows that do not make equal blocks are
    worked on together.
    """
    n_rows = jax.tree.leaves(rows)[0].shape[0]
    n = n_blocks(n_rows)
    if n == 1 or n_rows % n:
        return function(rows)
    blocks = jax.tree.map(lambda x: x.reshape(n, -1, *x.shape[1:]), rows)
    out = jax.lax.map(jax.checkpoint(function), blocks)
    return jax.tree.map(lambda x: x.reshape(n_rows, *x.shape[2:]), out)


def with_bias(hidden: Array, species: Array) -> Array:
    """What a last layer with bias reads: the activations and a one; zero for padding atoms."""
    extended = jnp.concatenate([hidden, jnp.ones_like(hidden[:, :1])], axis=-1)
    return jnp.where((species >= 0)[:, None], extended, 0.0)
