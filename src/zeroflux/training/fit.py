"""Fit one architecture to total energies, for one seed or for many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from zeroflux.errors import ModelError
from zeroflux.training.descent import Fitted, descend
from zeroflux.training.losses import Target
from zeroflux.training.ridge import ridge_on_totals
from zeroflux.training.schedule import Schedule
from zeroflux.training.state import CurveRow
from zeroflux.training.tasks import (
    ScaledTask,
    Totals,
    scaled_task,
    with_forces_of,
    with_local_energies,
)


def fit(
    architecture: Any,
    inputs: Any,
    totals: Totals,
    *,
    train: Int[np.ndarray, " n_train"],
    held_out: Int[np.ndarray, " n_held_out"],
    seeds: Sequence[int],
    schedule: Schedule,
    atom_energies: Float[np.ndarray, " n_species"] | None = None,
    state_path: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[Fitted]:
    """Train one network per seed on total energies; basin energies have no way in.

    Linear architectures are solved in closed form, the ridge chosen on the held-out totals.
    Others are trained by Adam, all seeds at once under `jax.vmap`, and stopped early on the
    held-out totals, seed by seed.

    Parameters
    ----------
    architecture
        See `zeroflux.potentials.registry.Architecture`.
    inputs
        Its inputs of all configurations, `zeroflux.potentials.energy.prepared_inputs`.
    totals
        Composition and total energy of the same configurations.
    train, held_out
        Indices of the configurations to learn from and to stop on.
    seeds
        One network each: starting parameters and the order of batches.
    schedule
        Steps, rates and patience.
    atom_energies
        Energies of the isolated atoms (hartree) that anchor the offsets, if known.
    state_path
        File that keeps the state of the training; an interrupted call resumes from it bit for
        bit. It is removed at the end.
    on_progress
        Called with the step and the smallest held-out error per atom (hartree).

    Raises
    ------
    ModelError
        If there is nothing to train on or to stop on.
    """
    task = scaled_task(architecture, inputs, totals, train, held_out, atom_energies, schedule)
    if architecture.is_linear:
        return [_fit_linear(architecture, task, train, held_out)] * len(seeds)
    return descend(
        architecture, task, "total", train, held_out, seeds, schedule, state_path, on_progress
    )


def fit_control(
    architecture: Any,
    inputs: Any,
    totals: Totals,
    *,
    control: Target,
    train: Int[np.ndarray, " n_train"],
    held_out: Int[np.ndarray, " n_held_out"],
    seeds: Sequence[int],
    schedule: Schedule,
    local_energies: Float[np.ndarray, "n_frames n_atoms"] | None = None,
    neighborhoods: Any = None,
    forces: Float[np.ndarray, "n_frames n_atoms 3"] | None = None,
    atom_energies: Float[np.ndarray, " n_species"] | None = None,
    state_path: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[Fitted]:
    """Controls of the study: train on per-atom energies, or on totals and forces.

    As `fit`, and stopped on held-out totals too. ``local_energies`` (hartree, NaN in padding)
    belong to ``control="local"``, the ceiling of what the architecture can represent;
    ``neighborhoods`` and ``forces`` (hartree/bohr) to ``"total+forces"``.

    Raises
    ------
    ModelError
        If the data the control needs are missing.
    """
    task = scaled_task(architecture, inputs, totals, train, held_out, atom_energies, schedule)
    if control == "local":
        if local_energies is None:
            raise ModelError(
                "The control 'local' needs per-atom energies, but none were given. Label the "
                "training set with basin energies, or train on totals."
            )
        task = with_local_energies(task, inputs, local_energies, train)
        if architecture.is_linear:
            fitted = _fit_linear(architecture, task, train, held_out, on_local=True)
            return [fitted] * len(seeds)
    elif control == "total+forces":
        if forces is None or neighborhoods is None or architecture.is_linear:
            raise ModelError(
                "The control 'total+forces' needs forces and neighbour lists and an architecture "
                "that is trained by steps. Label with forces, or train on totals."
            )
        task = with_forces_of(task, neighborhoods, forces, train)
    else:
        raise ModelError(f"Unknown control '{control}'; expected 'local' or 'total+forces'.")
    return descend(
        architecture, task, control, train, held_out, seeds, schedule, state_path, on_progress
    )


def _fit_linear(
    architecture: Any,
    task: ScaledTask,
    train: np.ndarray,
    held_out: np.ndarray,
    *,
    on_local: bool = False,
) -> Fitted:
    solution = ridge_on_totals(
        architecture,
        task.data,
        train=train,
        held_out=held_out,
        local=task.data["local"] if on_local else None,
    )
    unit = task.per_atom_spread
    row = CurveRow(0, solution.train_rmse * unit, solution.held_out_rmse * unit, 0.0)
    return Fitted(
        params=solution.params,
        statistics=task.statistics,
        offsets=task.offsets,
        scale=task.scale,
        held_out_rmse=row.held_out_rmse_hartree,
        best_step=0,
        curve=(row,),
    )
