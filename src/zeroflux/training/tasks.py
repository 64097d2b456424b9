"""What a potential is trained on, scaled and standardised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from zeroflux.errors import ModelError
from zeroflux.training.offsets import SpeciesOffsets, species_offsets
from zeroflux.training.schedule import Schedule


class Totals(NamedTuple):
    """What a model may learn from: energies of whole configurations, and who is in them."""

    counts: Int[np.ndarray, "n_frames n_species"]
    """Atoms of each element."""
    energies: Float[np.ndarray, " n_frames"]
    """Total energies (hartree)."""


@dataclass(frozen=True, eq=False)
class ScaledTask:
    """Data in the units of the loss, and the constants that lead back to hartree."""

    data: dict[str, Any]
    """Arrays with a leading axis over configurations."""
    constants: dict[str, Any]
    statistics: dict[str, np.ndarray]
    offsets: SpeciesOffsets
    scale: float
    per_atom_spread: float
    """Standard deviation of the energy per atom less offsets, the unit of the loss (hartree)."""


def scaled_task(
    architecture: Any,
    inputs: Any,
    totals: Totals,
    train: np.ndarray,
    held_out: np.ndarray,
    atom_energies: np.ndarray | None,
    schedule: Schedule,
) -> ScaledTask:
    if min(len(train), len(held_out)) < 1:
        raise ModelError(
            f"Found {len(train)} configurations to train on and {len(held_out)} held out; expected "
            "at least one of each. Give more configurations or hold out a smaller fraction."
        )
    offsets = species_offsets(
        totals.counts[train], totals.energies[train], atom_energies=atom_energies
    )
    n_atoms = totals.counts.sum(axis=1)
    residual = (totals.energies - totals.counts @ offsets.values) / n_atoms
    spread = float(residual[train].std()) or 1.0  # one configuration has no spread
    # If atoms fluctuated independently, a mean over N of them would spread 1/√N as much.
    root = float(np.sqrt(n_atoms[train].mean()))
    # the closed form is cheap and needs the digits
    dtype = np.float64 if schedule.is_double or architecture.is_linear else np.float32
    with jax.enable_x64(True):
        of_train = jax.tree.map(lambda leaf: jnp.asarray(leaf[train]), inputs)
        statistics = jax.tree.map(np.asarray, _statistics(architecture, of_train))
        scaled = jax.tree.map(np.asarray, _standardised(architecture, inputs, statistics))
    floats = jax.tree.map(
        lambda leaf: leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf, scaled
    )
    data = {
        "inputs": floats,
        "weight": (root / n_atoms).astype(dtype),
        "target": (residual / spread).astype(dtype),
    }
    return ScaledTask(data, {}, statistics, offsets, spread * root, spread)


@partial(jax.jit, static_argnames="architecture")
def _statistics(architecture: Any, inputs: Any) -> dict[str, Any]:
    return architecture.statistics(inputs)


@partial(jax.jit, static_argnames="architecture")
def _standardised(architecture: Any, inputs: Any, statistics: dict[str, Any]) -> Any:
    return jax.vmap(lambda one: architecture.standardise(one, statistics))(inputs)


def with_local_energies(
    task: ScaledTask, inputs: Any, local_energies: np.ndarray, train: np.ndarray
) -> ScaledTask:
    species = np.asarray(inputs.species)
    residual = local_energies - task.offsets.values[np.maximum(species, 0)]
    scale = float(np.nanstd(residual[train])) or 1.0
    dtype = task.data["weight"].dtype
    # the same spread of outputs as in `fit`, now measured and not estimated from totals
    factor = np.asarray(task.scale / scale, dtype)
    data = {**task.data, "local": (residual / scale).astype(dtype)}
    data["weight"] = task.data["weight"] / factor
    return replace(task, data=data, scale=scale)


def with_forces_of(
    task: ScaledTask, neighborhoods: Any, forces: np.ndarray, train: np.ndarray
) -> ScaledTask:
    dtype = task.data["weight"].dtype
    is_atom = np.asarray(neighborhoods.species)[train] >= 0
    spread = float(forces[train][is_atom].std()) or 1.0
    data = {
        **task.data,
        "neighborhoods": neighborhoods._replace(
            displacements=neighborhoods.displacements.astype(dtype)
        ),
        "forces": (forces / spread).astype(dtype),
    }
    constants = {
        "statistics": jax.tree.map(lambda leaf: np.asarray(leaf, dtype), task.statistics),
        "force_scale": np.asarray(task.scale / spread, dtype),
    }
    return replace(task, data=data, constants=constants)
