"""Many networks: a grid of cells, one resumable file each, in any order and on any executor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from zeroflux.errors import ArtifactError, ModelError
from zeroflux.execution import Workers, run_tasks
from zeroflux.interruption import working_folder
from zeroflux.potentials.energy import Model, composition, prepared_inputs
from zeroflux.potentials.neighbors import stacked_neighborhoods
from zeroflux.potentials.registry import architecture_class
from zeroflux.training.cells import Cell, SweepSettings, TrainingSet, architecture_of, groups, split
from zeroflux.training.checkpoints import curve_csv, load_model, save_model
from zeroflux.training.descent import Fitted
from zeroflux.training.fit import fit, fit_control
from zeroflux.training.state import read_tensors
from zeroflux.training.tasks import Totals

logger = logging.getLogger(__name__)

PARAMETERS_AT_ONCE = 48_000
"""Of all seeds side by side: beyond it vmap costs memory and gains nothing."""
FIXED_COST = 2000.0
"""Cost of a network that does not depend on its size, in parameters."""


def run_group(
    cells: Sequence[Cell],
    data: TrainingSet,
    settings: SweepSettings,
    *,
    local_energies: Sequence[Float[np.ndarray, " _"]] | None = None,
    cache_dir: Path | None = None,
    state_path: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[tuple[Model, Fitted]]:
    """Train the cells of one group (they differ by seed alone) side by side.

    Parameters
    ----------
    cells
        Cells of one group.
    data
        Their training set.
    settings
        What all cells share.
    local_energies
        Per-atom energies (hartree) of each frame. Refused unless the cells' target is ``local``,
        the control; no other training can see them.
    cache_dir
        Folder for descriptors, shared by all cells.
    state_path
        File for the state of a training in progress.
    on_progress
        Called with the step and the smallest held-out error per atom (hartree).
    """
    cell = cells[0]
    if any(other.group != cell.group for other in cells):
        raise ValueError("the cells of a group may differ by their seed alone")
    if (local_energies is not None) != (cell.target == "local"):
        raise ModelError(
            f"Target '{cell.target}' {'needs' if cell.target == 'local' else 'must not see'} "
            "per-atom energies. Pass local_energies for the control 'local' and for nothing else."
        )
    species = data.species
    architecture = architecture_of(cell, data, settings)
    train, held_out = split(
        len(data.frames),
        cell.n_configurations,
        held_out_fraction=settings.held_out_fraction,
        seed=settings.subset_seed,
    )
    atoms = dict(settings.atom_energies)
    shared: dict[str, Any] = {
        "train": train,
        "held_out": held_out,
        "seeds": [one.seed for one in cells],
        "schedule": settings.schedule,
        "atom_energies": np.array([atoms[z] for z in species])
        if set(species) <= set(atoms)
        else None,
        "state_path": state_path,
        "on_progress": on_progress,
    }
    inputs = prepared_inputs(architecture, data.frames, species, cache_dir=cache_dir)
    totals = Totals(composition(data.frames, species), np.asarray(data.total_energies, float))
    started = time.process_time()
    if cell.target == "total":
        fitted = fit(architecture, inputs, totals, **shared)
    else:
        neighborhoods = forces = None
        if cell.target == "total+forces" and data.forces is not None:
            neighborhoods = stacked_neighborhoods(data.frames, species, settings.cutoff)
            forces = _padded(data.forces, fill=0.0)
        fitted = fit_control(
            architecture,
            inputs,
            totals,
            control=cell.target,
            local_energies=None if local_energies is None else _padded(local_energies),
            neighborhoods=neighborhoods,
            forces=forces,
            **shared,
        )
    manifest = {
        "schedule": asdict(settings.schedule),
        "n_train": len(train),
        "n_held_out": len(held_out),
        "train_index": train.tolist(),
        "held_out_index": held_out.tolist(),
        "cpu_time_of_group_s": time.process_time() - started,
        "n_seeds_in_group": len(cells),
    }
    return [
        (_model(architecture, species, one, this, manifest), this)
        for one, this in zip(cells, fitted, strict=True)
    ]


def run_cell(
    cell: Cell,
    data: TrainingSet,
    settings: SweepSettings,
    *,
    local_energies: Sequence[Float[np.ndarray, " _"]] | None = None,
    cache_dir: Path | None = None,
) -> Model:
    """Train one cell; `run_group` with one seed."""
    results = run_group([cell], data, settings, local_energies=local_energies, cache_dir=cache_dir)
    return results[0][0]


def _model(
    architecture: Any, species: tuple[int, ...], cell: Cell, fitted: Fitted, manifest: dict
) -> Model:
    metadata = {
        **manifest,
        "name": cell.name,
        "cell": asdict(cell),
        "offset_convention": fitted.offsets.convention,
        "held_out_rmse_hartree_per_atom": fitted.held_out_rmse,
        "train_rmse_hartree_per_atom": fitted.curve[-1].train_rmse_hartree,
        "best_step": fitted.best_step,
        "n_steps_run": fitted.curve[-1].step,
    }
    return Model(
        architecture=architecture,
        species=species,
        params=fitted.params,
        statistics=fitted.statistics,
        offsets=fitted.offsets.values,
        scale=fitted.scale,
        metadata=metadata,
    )


def _padded(rows: Sequence[np.ndarray], fill: float = np.nan) -> np.ndarray:
    longest = max(len(row) for row in rows)
    out = np.full((len(rows), longest, *np.shape(rows[0])[1:]), fill)
    for k, row in enumerate(rows):
        out[k, : len(row)] = row
    return out


def checkpoint_path(out: Path, cell: Cell) -> Path:
    """Where a cell's model is kept."""
    return Path(out) / f"{cell.name}.safetensors"


def pending(cells: Sequence[Cell], out: Path) -> list[Cell]:
    """Cells without a model yet; a file that holds none is removed, and that is said."""
    return [cell for cell in cells if not _is_done(checkpoint_path(out, cell))]


def _is_done(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        read_tensors(path)
    except ArtifactError as error:
        logger.warning("%s This network is trained again.", error)
        path.unlink()
        return False
    return True


def train_group(
    cells: Sequence[Cell],
    data: TrainingSet,
    settings: SweepSettings,
    out: Path,
    *,
    local_energies: Sequence[Float[np.ndarray, " _"]] | None = None,
    cache_dir: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[Path]:
    """Train a group and write one model and one learning curve (CSV) per cell into ``out``.

    Cells that are there already are left alone; the file appears when its cell is complete, so
    a killed worker costs at most the group it was at, and that resumes from its last look.
    """
    out = Path(out)
    paths = [checkpoint_path(out, cell) for cell in cells]
    todo = pending(cells, out)
    if todo:
        results = run_group(
            todo,
            data,
            settings,
            local_energies=local_energies,
            cache_dir=cache_dir,
            state_path=out / f"{todo[0].name}_and_{len(todo) - 1}_more.state",
            on_progress=on_progress,
        )
        for cell, (model, fitted) in zip(todo, results, strict=True):
            checkpoint_path(out, cell).with_suffix(".csv").write_text(
                curve_csv(fitted.curve), encoding="utf-8"
            )
            save_model(checkpoint_path(out, cell), model)
    return paths


@dataclass(frozen=True, eq=False)
class GroupTask:
    """Some cells of a group with everything a worker needs to train them."""

    cells: tuple[Cell, ...]
    data: TrainingSet
    settings: SweepSettings
    out: Path
    local_energies: Sequence[Float[np.ndarray, " _"]] | None
    cache_dir: Path | None

    @property
    def cost(self) -> float:
        """Rough relative cost, for the order of tasks and the time left."""
        cell = self.cells[0]
        size = FIXED_COST + cell.size * (1 if architecture_class(cell.architecture).is_local else 3)
        is_linear = architecture_class(cell.architecture).is_linear
        return FIXED_COST if is_linear else size * len(self.cells)


def keep_compiled(folder: Path) -> None:
    """Let JAX keep compiled code in a folder, for other processes and later runs."""
    jax.config.update("jax_compilation_cache_dir", str(Path(folder).resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def train_task(task: GroupTask) -> list[Path]:
    """`train_group` of a task, on a worker; what it compiles is kept beside the descriptors."""
    if task.cache_dir is not None:
        keep_compiled(task.cache_dir / "compiled")
    return train_group(
        task.cells,
        task.data,
        task.settings,
        task.out,
        local_energies=task.local_energies,
        cache_dir=task.cache_dir,
    )


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    n_done: int
    n_total: int
    elapsed_s: float
    fraction: float
    """Share of the work that is done, by estimated cost."""
    paths: tuple[Path, ...]
    """Models just completed."""

    @property
    def remaining_s(self) -> float:
        """Time left if the estimate of costs is right."""
        return self.elapsed_s * (1.0 - self.fraction) / max(self.fraction, 1e-6)


def sweep(
    cells: Sequence[Cell],
    sets: Mapping[str, TrainingSet],
    settings: SweepSettings,
    out: Path,
    *,
    local_energies: Mapping[str, Sequence[Float[np.ndarray, " _"]]] | None = None,
    cache_dir: Path | None = None,
    workers: Workers | None = None,
    max_group: int = 16,
) -> Iterator[Progress]:
    """Train all cells that are not done, in this process, in others or on a cluster.

    Parameters
    ----------
    cells
        See `grid`.
    sets
        Training sets by name.
    settings
        What all cells share.
    out
        Folder of the models.
    local_energies
        Per-atom energies by training set, for cells of target ``local`` only.
    cache_dir
        Folder for descriptors.
    workers
        Where to train; this process by default. A worker that dies costs the group it was at,
        and that resumes from its last kept state.
    max_group
        Most seeds trained side by side; large networks are trained one by one.

    Yields
    ------
    Progress
        After each group.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tasks = []
    for group in groups(pending(cells, out)):
        cell = group[0]
        local = None
        if cell.target == "local" and local_energies is not None:
            local = local_energies[cell.training_set]
        for part in _even_parts(group, min(max_group, PARAMETERS_AT_ONCE // cell.size)):
            data = sets[cell.training_set]
            tasks.append(GroupTask(tuple(part), data, settings, out, local, cache_dir))
    workers = workers or Workers(kind="serial")
    # expensive ones first where they run side by side, so that no core waits for a last one
    tasks.sort(key=lambda task: task.cost, reverse=workers.kind != "serial")
    by_cell = {task.cells[0].name: task for task in tasks}
    n_total, total_cost = sum(len(t.cells) for t in tasks), sum(t.cost for t in tasks)
    started, n_done, cost = time.monotonic(), 0, 0.0
    with working_folder(out):
        for paths in run_tasks(train_task, tasks, workers):
            n_done += len(paths)
            cost += by_cell[paths[0].stem].cost
            done = Progress(
                n_done, n_total, time.monotonic() - started, cost / total_cost, tuple(paths)
            )
            logger.info("%d of %d models, %.0f s left", done.n_done, n_total, done.remaining_s)
            yield done


def _even_parts(group: list[Cell], n_at_once: int) -> list[list[Cell]]:
    """A group in parts of nearly equal length, so that few shapes are compiled."""
    n_parts = -(-len(group) // max(1, n_at_once))
    length = -(-len(group) // n_parts)
    return [group[k : k + length] for k in range(0, len(group), length)]


def load_cells(cells: Sequence[Cell], out: Path) -> dict[Cell, Model]:
    """Models of the cells that are done."""
    return {
        cell: load_model(checkpoint_path(out, cell))
        for cell in cells
        if checkpoint_path(out, cell).exists()
    }
