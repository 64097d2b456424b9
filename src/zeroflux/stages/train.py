"""Stage train: networks of several sizes, seeds and training sets, on total energies only."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from zeroflux.artifacts.atomic import replace_text
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.config import OWN_POOL, Config, GridConfig, TrainConfig, training_of
from zeroflux.correlation import isolated_energies
from zeroflux.errors import ConfigError, missing_extra
from zeroflux.labels import Label, system_name
from zeroflux.stages.data import pools_of
from zeroflux.stages.label import LABELS, workers_of
from zeroflux.stages.machinery import Run, Stage
from zeroflux.units import ANGSTROM

if TYPE_CHECKING:
    from zeroflux.training.cells import Cell, SweepSettings, TrainingSet
    from zeroflux.training.losses import Target

SPLIT = "split.json"
CELLS = "cells.json"
MODELS = "models"
SETTINGS = "settings.json"
CACHE = "descriptors"
SAY_EVERY_S = 60.0
TARGETS: dict[str, Target] = {"basin_energies": "local", "totals_and_forces": "total+forces"}
"""What the controls of a configuration are called in the training."""


def split_labels(labels: Sequence[Label], settings: TrainConfig) -> tuple[list[int], list[int]]:
    """Indices of the labels to train on and to test on, the same share of each system.

    Raises
    ------
    ConfigError
        If a system has too few labels to do both.
    """
    rng = np.random.default_rng(settings.split_seed)
    systems = [system_name(label) for label in labels]
    test: list[int] = []
    for system in dict.fromkeys(systems):
        own = [k for k, name in enumerate(systems) if name == system]
        n_test = max(1, round(settings.test_fraction * len(own)))
        if len(own) - n_test < 4:
            raise ConfigError(
                f"System '{system}' has {len(own)} usable labels; expected at least 4 to train "
                f"on besides {n_test} to test on. Sample more configurations."
            )
        test += rng.permutation(own)[:n_test].tolist()
    return [k for k in range(len(labels)) if k not in set(test)], sorted(test)


def training_sets(config: Config, pools: Sequence[str]) -> dict[str, list[str]]:
    """Pools of each training set; one set of all pools by default."""
    return dict(training_of(config).training_sets) or {OWN_POOL: list(pools)}


def test_sets(config: Config, pools: Sequence[str]) -> dict[str, list[str]]:
    """Pools of each test set; each pool its own by default."""
    return dict(config.evaluate.test_sets) or {pool: [pool] for pool in pools}


def split_pools(labels: Sequence[Label], config: Config) -> dict[str, Any]:
    """Indices of the labels of each training and each test set.

    A pool of both kinds is split; any other is used whole.
    """
    pools = pools_of(labels)
    train_sets, tests = training_sets(config, list(pools)), test_sets(config, list(pools))
    trained = {pool for members in train_sets.values() for pool in members}
    tested = {pool for members in tests.values() for pool in members}
    to_train, to_test = dict(pools), dict(pools)
    for pool in trained & tested:
        own = pools[pool]
        train, test = split_labels([labels[k] for k in own], training_of(config))
        to_train[pool], to_test[pool] = [own[k] for k in train], [own[k] for k in test]
    joined_train = {n: sorted(k for p in m for k in to_train[p]) for n, m in train_sets.items()}
    joined_test = {n: sorted(k for p in m for k in to_test[p]) for n, m in tests.items()}
    return {
        "train": sorted({k for index in joined_train.values() for k in index}),
        "test": sorted({k for index in joined_test.values() for k in index}),
        "training_sets": joined_train,
        "test_sets": joined_test,
    }


def cells_of(settings: TrainConfig, names: Sequence[str]) -> list[Cell]:
    """All networks that the configuration asks for, on training sets of these names.

    The linear models have no random start: one cell stands for all seeds.
    """
    from zeroflux.potentials.registry import architecture_class
    from zeroflux.training.cells import grid

    def chosen(more: GridConfig, key: str) -> Any:
        value = getattr(more, key)
        return getattr(settings, key) if value is None else value

    cells: dict[Cell, None] = {}
    for more in (GridConfig(), *settings.also):
        controls: list[Target] = [TARGETS[name] for name in chosen(more, "controls")]
        seeds = chosen(more, "seeds")
        for architecture in chosen(more, "architectures"):
            is_linear = architecture_class(architecture).is_linear
            found = grid(
                architectures=[architecture],
                sizes=chosen(more, "sizes"),
                training_sets=names if more.training_sets is None else more.training_sets,
                n_configurations=[0 if n == "all" else n for n in chosen(more, "n_configurations")],
                seeds=seeds[:1] if is_linear else seeds,
                targets=("total", *controls),
            )
            cells.update(dict.fromkeys(found))
    return list(cells)


def feasible_cells(
    cells: Sequence[Cell], sets: Mapping[str, TrainingSet], settings: SweepSettings
) -> tuple[list[Cell], list[str]]:
    """Cells that exist, and lines about those left out: no such size, or no such control.

    Raises
    ------
    ConfigError
        If more configurations are asked for than a training set has.
    """
    from zeroflux.potentials.registry import architecture_class
    from zeroflux.training.cells import n_parameters_of, split

    kept, left_out, sizes = [], dict[str, None](), dict[tuple, int]()
    for cell in cells:
        data = sets[cell.training_set]
        try:
            split(len(data.frames), cell.n_configurations, held_out_fraction=0.2, seed=0)
        except ConfigError as error:
            raise ConfigError(f"Training set '{cell.training_set}': {error}") from error
        if cell.target == "total+forces" and architecture_class(cell.architecture).is_linear:
            left_out[f"{cell.architecture} has a closed form without forces: left out"] = None
            continue
        key = (cell.architecture, cell.size, data.species)
        if key not in sizes:
            sizes[key] = n_parameters_of(cell, data, settings)
        found = sizes[key]
        if 0.5 <= found / cell.size <= 2.0:
            kept.append(cell)
        else:
            left_out[
                f"{cell.architecture} has no size near {cell.size} on {cell.training_set} "
                f"(closest {found}): left out"
            ] = None
    return kept, list(left_out)


def sweep_settings(settings: TrainConfig, labels: Sequence[Label]) -> SweepSettings:
    """Settings that all networks share; labels give the energies of the isolated atoms."""
    from zeroflux.training.cells import SweepSettings
    from zeroflux.training.schedule import Schedule

    return SweepSettings(
        cutoff=settings.cutoff_angstrom * ANGSTROM,
        schedule=Schedule(
            learning_rate=settings.learning_rate,
            n_steps=settings.n_steps,
            batch_size=settings.batch_size,
            patience=settings.patience,
        ),
        by_architecture={str(k): dict(v) for k, v in settings.hyperparameters.items()},
        held_out_fraction=settings.held_out_fraction,
        subset_seed=settings.split_seed,
        atom_energies=tuple(sorted((isolated_energies(labels) or {}).items())),
    )


def forces_of(
    labels: Sequence[Label], cells: Sequence[Cell], settings: SweepSettings
) -> tuple[Float[np.ndarray, "_ 3"], ...]:
    """Forces of the labels of a training set (hartree/bohr), NaN where there are none.

    Raises
    ------
    ConfigError
        If a configuration that one of these cells of the set learns from has none.
    """
    from zeroflux.training.cells import split

    for cell in cells:
        parts = split(
            len(labels),
            cell.n_configurations,
            held_out_fraction=settings.held_out_fraction,
            seed=settings.subset_seed,
        )
        drawn = [labels[k] for k in np.concatenate(parts)]
        n_without = sum(label.forces is None for label in drawn)
        if n_without:
            raise ConfigError(
                f"Training set '{cell.training_set}': {n_without} of {len(drawn)} labels hold no "
                "forces; expected forces in all for the control 'totals_and_forces'. Label with "
                "`label.forces: true`, ask for fewer `n_configurations`, or leave the control out."
            )
    return tuple(
        np.full((label.n_atoms, 3), np.nan) if label.forces is None else label.forces
        for label in labels
    )


def _work(run: Run, folder: Path) -> Sequence[Path]:
    try:
        from zeroflux.training.cells import TrainingSet
        from zeroflux.training.sweep import checkpoint_path, sweep
    except ImportError as error:
        raise missing_extra(error.name or "jax", "learn") from error

    settings = training_of(run.config)
    labels = read_labels(run.folder("label") / LABELS)
    split = split_pools(labels, run.config)
    sets = {
        name: TrainingSet(
            frames=tuple(labels[k].frame for k in index),
            total_energies=np.array([labels[k].total_energy for k in index]),
        )
        for name, index in split["training_sets"].items()
    }
    shared = sweep_settings(settings, labels)
    cells, left_out = feasible_cells(cells_of(settings, list(sets)), sets, shared)
    with_forces = [cell for cell in cells if cell.target == "total+forces"]
    for name in {cell.training_set for cell in with_forces}:
        own = [labels[k] for k in split["training_sets"][name]]
        drawn = [cell for cell in with_forces if cell.training_set == name]
        sets[name] = replace(sets[name], forces=forces_of(own, drawn, shared))
    for line in left_out:
        run.say(f"  {line}")
    models = folder / MODELS
    _forget_others(folder, sets, settings)
    count = Counter(cell.target for cell in cells)
    run.say(
        f"  {count['total']} networks see total energies and nothing local; "
        + (
            f"{n} controls see basin energies"
            if (n := count["local"])
            else "no basin energy is read"
        )
        + (f"; {n} controls see forces" if (n := count["total+forces"]) else "")
    )
    local = {
        name: [labels[k].basin_energy for k in split["training_sets"][name]]
        for name in sorted({cell.training_set for cell in cells if cell.target == "local"})
    }
    said = time.monotonic()
    for done in sweep(
        cells,
        sets,
        shared,
        models,
        local_energies=local,
        cache_dir=folder / CACHE,
        workers=workers_of(settings.workers),
    ):
        run.progress("train", len(cells) - done.n_total + done.n_done, len(cells))
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            run.say(
                f"  {done.n_done} of {done.n_total} networks, about {done.remaining_s / 60:.0f} "
                "minutes left"
            )
    run.progress("train", len(cells), len(cells))
    replace_text(folder / SPLIT, json.dumps(split) + "\n")
    replace_text(folder / CELLS, json.dumps([cell.__dict__ for cell in cells]) + "\n")
    paths = [checkpoint_path(models, cell) for cell in cells]
    run.say(
        f"  {len(paths)} networks on {len(split['train'])} totals, {len(split['test'])} labels "
        "kept for testing"
    )
    return [*paths, folder / SPLIT, folder / CELLS]


def _forget_others(folder: Path, sets: Mapping[str, TrainingSet], settings: TrainConfig) -> None:
    """Remove networks of other settings or other data; a larger grid keeps what is there."""
    from zeroflux.training.cells import training_set_in

    grid_keys = {"training_sets", "seeds", "architectures", "sizes", "n_configurations"}
    grid_keys |= {"controls", "also", "workers"}
    shared = settings.model_dump(mode="json", exclude=grid_keys)
    found = {}
    for name, data in sets.items():
        # Labels that are made again at the same settings may differ in the last digits.
        energies = np.round(data.total_energies, 9).tolist()
        content = json.dumps([shared, energies], sort_keys=True)
        found[name] = hashlib.sha256(content.encode()).hexdigest()
    mark = folder / SETTINGS
    known = json.loads(mark.read_text(encoding="utf-8")) if mark.exists() else {}
    for name in sets:
        if known.get(name) != found[name]:
            for path in (folder / MODELS).glob("*"):
                if path.name.split("_")[2:3] == [training_set_in(name)]:
                    path.unlink()
    replace_text(mark, json.dumps({**known, **found}, indent=1) + "\n")


def read_cells(run: Run) -> list[Cell]:
    """Cells of a finished training."""
    from zeroflux.training.cells import Cell

    return [Cell(**c) for c in json.loads((run.folder("train") / CELLS).read_text("utf-8"))]


def read_split(run: Run) -> dict[str, Any]:
    """Indices of the labels of training and test, all together and by set."""
    return json.loads((run.folder("train") / SPLIT).read_text(encoding="utf-8"))


TRAIN = Stage(
    name="train",
    help="Train networks on total energies",
    settings=lambda config: {
        **training_of(config).model_dump(mode="json", exclude={"workers"}),
        "test_sets": config.evaluate.model_dump(mode="json")["test_sets"],
    },
    inputs=lambda run: {"labels": run.folder("label") / LABELS},
    work=_work,
    seed=lambda config: training_of(config).split_seed,
)
