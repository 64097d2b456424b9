"""Stage train: networks of several sizes and seeds, on total energies only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.config import TrainConfig, training_of
from zeroflux.correlation import system_name
from zeroflux.errors import ConfigError, missing_extra
from zeroflux.labels import Label
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage, empty_folder, replace_text
from zeroflux.units import ANGSTROM

if TYPE_CHECKING:
    from zeroflux.training.sweep import Cell, SweepSettings

SPLIT = "split.json"
MODELS = "models"
SETTINGS = "settings.json"
CACHE = "descriptors"
TRAINING_SET = "all"


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


def cells_of(settings: TrainConfig) -> list[Cell]:
    """All networks that the configuration asks for."""
    from zeroflux.training.sweep import grid

    return grid(
        architectures=settings.architectures,
        sizes=settings.sizes,
        training_sets=[TRAINING_SET],
        seeds=settings.seeds,
    )


def sweep_settings(settings: TrainConfig) -> SweepSettings:
    """Settings that all networks share."""
    from zeroflux.training.fit import Schedule
    from zeroflux.training.sweep import SweepSettings

    return SweepSettings(
        cutoff=settings.cutoff_angstrom * ANGSTROM,
        schedule=Schedule(
            learning_rate=settings.learning_rate,
            n_steps=settings.n_steps,
            batch_size=settings.batch_size,
        ),
        held_out_fraction=settings.held_out_fraction,
        subset_seed=settings.split_seed,
    )


def _work(run: Run, folder: Path) -> Sequence[Path]:
    try:
        from zeroflux.training.sweep import TrainingSet, checkpoint_path, sweep
    except ImportError as error:
        raise missing_extra(error.name or "jax", "learn") from error

    settings = training_of(run.config)
    labels = read_labels(run.folder("label") / LABELS)
    train, test = split_labels(labels, settings)
    # Networks of other settings or labels are not this artifact's.
    fingerprint = json.dumps(
        {
            "settings": settings.model_dump(mode="json", exclude={"seeds", "sizes"}),
            "labels": [labels[k].total_energy for k in train],
        },
        sort_keys=True,
    )
    mark = folder / SETTINGS
    if not mark.exists() or mark.read_text(encoding="utf-8") != fingerprint:
        empty_folder(folder / MODELS)
        replace_text(mark, fingerprint)
    data = TrainingSet(
        frames=tuple(labels[k].frame for k in train),
        total_energies=np.array([labels[k].total_energy for k in train]),
    )
    cells = cells_of(settings)
    n_before = len(cells)
    models = folder / MODELS
    shared = sweep_settings(settings)
    for done in sweep(cells, {TRAINING_SET: data}, shared, models, cache_dir=folder / CACHE):
        run.progress("train", n_before - done.n_total + done.n_done, n_before)
    run.progress("train", n_before, n_before)
    replace_text(folder / SPLIT, json.dumps({"train": train, "test": test}) + "\n")
    paths = [checkpoint_path(models, cell) for cell in cells]
    run.say(f"  {len(paths)} networks on {len(train)} totals, {len(test)} labels kept for testing")
    return [*paths, folder / SPLIT]


TRAIN = Stage(
    name="train",
    help="Train networks on total energies",
    settings=lambda config: training_of(config).model_dump(mode="json"),
    inputs=lambda run: {"labels": run.folder("label") / LABELS},
    work=_work,
    seed=lambda config: training_of(config).split_seed,
)
