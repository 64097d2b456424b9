"""Features and energies brought to order one before a model sees them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

SMALLEST_SPREAD = 1e-2  # of a feature, in units of the element's median spread
UNSEEN = 1e-12  # of the largest spread: below it a feature is absent from the data


class FeatureInputs(NamedTuple):
    """Atoms as rows of features; arrays may carry a leading axis over configurations."""

    species: Any
    """Index into the model's species, shape (n_atoms,); -1 for a padding atom."""
    features: Any
    """Shape (n_atoms, n_features)."""


def feature_statistics(
    inputs: FeatureInputs, n_species: int, *, groups: np.ndarray | None = None
) -> dict[str, Array]:
    """Mean and standard deviation of the features over atoms, per element of the atom.

    A feature that hardly varies in the data, such as the innermost Gaussian, is not divided by
    its tiny spread (which would blow it up outside the data) but by a hundredth of the median;
    one that never varies at all is left out (`floored_spread`).
    Features of one group (a number for each) share one spread, over all elements too.
    """
    features = inputs.features.reshape(-1, inputs.features.shape[-1])
    of_species = jax.nn.one_hot(inputs.species.reshape(-1), n_species, dtype=features.dtype)
    n_atoms = jnp.maximum(of_species.sum(axis=0), 1.0)[:, None]
    mean = of_species.T @ features / n_atoms
    squared = jnp.square(features - of_species @ mean)
    variance = of_species.T @ squared / n_atoms
    if groups is not None:
        member = jax.nn.one_hot(groups, int(groups.max()) + 1, dtype=features.dtype)
        pooled = (variance * n_atoms).sum(axis=0) @ member / (n_atoms.sum() * member.sum(axis=0))
        variance = jnp.broadcast_to(member @ pooled, variance.shape)
    return {"mean": mean, "spread": floored_spread(jnp.sqrt(variance), axis=(1,))}


def floored_spread(spread: Array, axis: tuple[int, ...]) -> Array:
    """Spread, but not less than a hundredth of its median; infinite where nothing varies.

    Over an infinite spread a feature stays zero, in training and elsewhere. A model of the pure
    liquids has never seen unlike neighbours; their features would meet weights as random as at
    the start.
    """
    is_seen = spread > UNSEEN * spread.max(axis=axis, keepdims=True)
    median = jnp.nanmedian(jnp.where(is_seen, spread, jnp.nan), axis=axis, keepdims=True)
    return jnp.where(is_seen, jnp.maximum(spread, SMALLEST_SPREAD * median), jnp.inf)


def standardised(inputs: FeatureInputs, statistics: dict[str, Any]) -> FeatureInputs:
    """Features less mean over spread; zero in rows of padding atoms."""
    mean, spread = jnp.asarray(statistics["mean"]), jnp.asarray(statistics["spread"])
    if mean.shape[0] == 1:
        features = (inputs.features - mean[0]) / spread[0]
    else:
        features = (inputs.features - mean[inputs.species]) / spread[inputs.species]
    is_atom = (inputs.species >= 0)[..., None]
    return FeatureInputs(inputs.species, jnp.where(is_atom, features, 0.0))


def select_species(each: Array, species: Array) -> Array:
    """Column of each atom's own element from (n_atoms, n_species); zero for padding atoms."""
    if each.shape[-1] == 1:
        own = each[..., 0]
    else:
        own = jnp.take_along_axis(each, jnp.maximum(species, 0)[..., None], axis=-1)[..., 0]
    return jnp.where(species >= 0, own, 0.0)
