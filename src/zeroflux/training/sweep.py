"""Many networks: a grid of cells, one resumable file each, in any order and on any executor."""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.errors import ConfigError, ModelError
from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model, composition, prepared_inputs
from zeroflux.potentials.neighbors import stacked_neighborhoods
from zeroflux.potentials.registry import sized_architecture
from zeroflux.training.checkpoints import curve_csv, load_model, save_model
from zeroflux.training.fit import Fitted, Schedule, Totals, fit, fit_control
from zeroflux.training.losses import Target

logger = logging.getLogger(__name__)

PARAMETERS_AT_ONCE = (
    48_000  # of all seeds side by side: beyond it vmap costs memory and gains nothing
)


@dataclass(frozen=True, order=True)
class Cell:
    """One network of the study."""

    architecture: str
    """Name in the registry."""
    size: int
    """Number of parameters asked for; the closest the architecture has is trained."""
    training_set: str
    """Name of the set of configurations."""
    n_configurations: int
    """Configurations given to training, held-out ones included; 0 for all of the set."""
    seed: int
    """Start of the network and order of its batches."""
    target: Target = "total"

    @property
    def group(self) -> tuple[Any, ...]:
        """Cells of one group differ by their seed alone and are trained together."""
        return tuple((k, v) for k, v in asdict(self).items() if k != "seed")

    @property
    def name(self) -> str:
        """File name without suffix."""
        training_set = re.sub(r"[^A-Za-z0-9.-]+", "-", self.training_set)
        number = f"n{self.n_configurations}" if self.n_configurations else "all"
        target = {"total": "", "local": "_local", "total+forces": "_forces"}[self.target]
        return f"{self.architecture}_{self.size}_{training_set}_{number}{target}_seed{self.seed}"


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Configurations with their total energies. Basin energies are kept apart, on purpose."""

    frames: tuple[Frame, ...]
    total_energies: Float[np.ndarray, " n_frames"]
    """Total energies (hartree)."""
    forces: tuple[Float[np.ndarray, "_ 3"], ...] | None = None
    """Forces (hartree/bohr), for the control that uses them."""

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.total_energies):
            raise ModelError(
                f"Found {len(self.frames)} configurations and {len(self.total_energies)} total "
                "energies; expected as many of each."
            )


@dataclass(frozen=True)
class SweepSettings:
    """What all cells of a sweep share."""

    cutoff: float
    """Neighbour cutoff (bohr)."""
    schedule: Schedule = field(default_factory=Schedule)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    """Further hyperparameters by name; each architecture takes those it has."""
    held_out_fraction: float = 0.2
    """Share of a cell's configurations that training only looks at to stop early."""
    subset_seed: int = 0
    """Order in which configurations are drawn from a set; the same for all cells, so that
    smaller subsets are contained in larger ones."""
    atom_energies: tuple[tuple[int, float], ...] = ()
    """Atomic number and energy (hartree) of isolated atoms, if known."""


def grid(
    *,
    architectures: Sequence[str],
    sizes: Sequence[int],
    training_sets: Sequence[str],
    n_configurations: Sequence[int] = (0,),
    seeds: Sequence[int],
    targets: Sequence[Target] = ("total",),
) -> list[Cell]:
    """All combinations."""
    combinations = itertools.product(
        architectures, sizes, training_sets, n_configurations, seeds, targets
    )
    return [Cell(*cell) for cell in combinations]


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that differ by their seed alone, together; small groups of cheap ones first."""
    by_group: dict[Any, list[Cell]] = {}
    for cell in cells:
        by_group.setdefault(cell.group, []).append(cell)
    return sorted(by_group.values(), key=lambda group: (group[0].size, group[0]))


def split(
    n_frames: int, n_configurations: int, *, held_out_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and to hold out of ``n_configurations`` drawn from ``n_frames``.

    Both parts of a smaller draw are contained in those of a larger one, up to rounding: of each
    block of configurations drawn one after the other the same share is held out.

    Raises
    ------
    ConfigError
        If more configurations are asked for than there are, or too few to hold one out.
    """
    wanted = n_configurations or n_frames
    if not 2 <= wanted <= n_frames:
        raise ConfigError(
            f"{wanted} configurations asked for of a set of {n_frames}; expected 2 to {n_frames}. "
            "Change n_configurations or enlarge the set."
        )
    drawn = np.random.default_rng(seed).permutation(n_frames)[:wanted]
    # configuration k is held out when the running count k·fraction passes a whole number
    steps = np.floor(np.arange(1, wanted + 1) * held_out_fraction)
    is_held_out = np.diff(steps, prepend=0.0) > 0
    if not is_held_out.any():
        is_held_out[-1] = True
    return np.sort(drawn[~is_held_out]), np.sort(drawn[is_held_out])


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
    species = tuple(sorted({int(z) for f in data.frames for z in set(f.atomic_numbers.tolist())}))
    architecture = sized_architecture(
        cell.architecture,
        cell.size,
        cutoff=settings.cutoff,
        n_species=len(species),
        **settings.hyperparameters,
    )
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
    """Cells without a model yet."""
    return [cell for cell in cells if not checkpoint_path(out, cell).exists()]


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


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    n_done: int
    n_total: int
    elapsed_s: float
    paths: tuple[Path, ...]
    """Models just completed."""

    @property
    def remaining_s(self) -> float:
        """Time left if the groups to come cost what the ones so far did."""
        return self.elapsed_s / max(self.n_done, 1) * (self.n_total - self.n_done)


def sweep(
    cells: Sequence[Cell],
    sets: Mapping[str, TrainingSet],
    settings: SweepSettings,
    out: Path,
    *,
    local_energies: Mapping[str, Sequence[Float[np.ndarray, " _"]]] | None = None,
    cache_dir: Path | None = None,
    executor: Executor | None = None,
    max_group: int = 16,
) -> Iterator[Progress]:
    """Train all cells that are not done, in this process or on an executor.

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
    executor
        Anything with ``submit`` that returns `concurrent.futures.Future`; None trains here.
    max_group
        Most seeds trained side by side; large networks are trained one by one.

    Yields
    ------
    Progress
        After each group.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    todo = []
    for group in groups(pending(cells, out)):
        n_at_once = max(1, min(max_group, PARAMETERS_AT_ONCE // group[0].size))
        todo += [group[k : k + n_at_once] for k in range(0, len(group), n_at_once)]
    n_total = sum(len(group) for group in todo)
    started, n_done = time.monotonic(), 0

    def arguments(group: list[Cell]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        cell = group[0]
        local = None
        if cell.target == "local" and local_energies is not None:
            local = local_energies[cell.training_set]
        keywords = {"local_energies": local, "cache_dir": cache_dir}
        return (group, sets[cell.training_set], settings, out), keywords

    if executor is None:
        completed = (train_group(*args, **keywords) for args, keywords in map(arguments, todo))
    else:
        futures = []
        for group in todo:
            args, keywords = arguments(group)
            futures.append(executor.submit(train_group, *args, **keywords))
        completed = (future.result() for future in as_completed(futures))
    for paths in completed:
        n_done += len(paths)
        progress = Progress(n_done, n_total, time.monotonic() - started, tuple(paths))
        logger.info("%d of %d models, %.0f s left", progress.n_done, n_total, progress.remaining_s)
        yield progress


def load_cells(cells: Sequence[Cell], out: Path) -> dict[Cell, Model]:
    """Models of the cells that are done."""
    return {
        cell: load_model(checkpoint_path(out, cell))
        for cell in cells
        if checkpoint_path(out, cell).exists()
    }
