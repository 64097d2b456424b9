"""Stage evaluate: local energies of the networks against the basin energies."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.config import Config, training_of
from zeroflux.correlation import ComponentTable, component_table
from zeroflux.errors import ArtifactError
from zeroflux.evaluation import (
    fit_pair_potential,
    local_scores,
    mean_energy_baseline,
    random_split_baseline,
    total_scores,
)
from zeroflux.labels import Label
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage, replace_text
from zeroflux.stages.train import MODELS, SPLIT, TRAINING_SET, cells_of
from zeroflux.units import MILLIELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.report import ModelResult

PREDICTIONS = "local_energies.npz"
INDEX = "models.json"
SCORES = "scores.csv"


def split_of(run: Run) -> dict[str, list[int]]:
    """Indices of training and test labels."""
    return json.loads((run.folder("train") / SPLIT).read_text(encoding="utf-8"))


def _work(run: Run, folder: Path) -> Sequence[Path]:
    from zeroflux.potentials.energy import predictions
    from zeroflux.training.checkpoints import load_model
    from zeroflux.training.sweep import checkpoint_path

    labels = read_labels(run.folder("label") / LABELS)
    split = split_of(run)
    test = [labels[k] for k in split["test"]]
    cells = cells_of(training_of(run.config))
    models = [load_model(checkpoint_path(run.folder("train") / MODELS, cell)) for cell in cells]
    frames = [label.frame for label in test]
    energies = {
        cell.name: np.concatenate(each)
        for cell, each in zip(cells, predictions(models, frames), strict=True)
    }
    index = {
        cell.name: {
            "architecture": cell.architecture,
            "n_parameters": model.n_parameters,
            "seed": cell.seed,
            "n_training": len(split["train"]),
            "is_baseline": False,
        }
        for cell, model in zip(cells, models, strict=True)
    }
    baselines = _baselines([labels[k] for k in split["train"]], test, run.config.evaluate.seed)
    for name, values in baselines.items():
        energies[name] = values
        index[name] = {
            "architecture": "baseline",
            "n_parameters": 0,
            "seed": 0,
            "n_training": len(split["train"]),
            "is_baseline": True,
        }
    np.savez_compressed(folder / PREDICTIONS, allow_pickle=False, **energies)
    replace_text(folder / INDEX, json.dumps(index, indent=1) + "\n")
    results = scored(energies, index, test, run.config)
    replace_text(folder / SCORES, _score_table(results))
    run.say(f"  {len(cells)} networks scored on {sum(f.n_atoms for f in frames)} atoms")
    return [folder / PREDICTIONS, folder / INDEX, folder / SCORES]


def _baselines(train: Sequence[Label], test: Sequence[Label], seed: int) -> dict[str, np.ndarray]:
    """Local energies that anyone has without a network."""
    table = component_table(test)
    pair = fit_pair_potential(
        frames=[label.frame for label in train],
        total_energy=np.array([label.total_energy for label in train]),
    )
    spread = float(np.std(table.basin_energy))
    return {
        "mean energy per atom": mean_energy_baseline(table.total_energy, table.configuration),
        "random split": random_split_baseline(
            table.total_energy,
            table.configuration,
            spread=spread,
            rng=np.random.default_rng(seed),
        ),
        "fitted pair potential": np.concatenate(
            [pair.local_energies(label.frame) for label in test]
        ),
    }


def load_results(run: Run, labels: Sequence[Label]) -> list[ModelResult]:
    """Scored models of a finished evaluation."""
    folder = run.folder("evaluate")
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    with np.load(folder / PREDICTIONS) as arrays:
        energies = {name: arrays[name] for name in arrays.files}
    if set(index) != set(energies):
        raise ArtifactError(
            f"{folder / INDEX} and {PREDICTIONS} name different models; expected the same. "
            "Remove the folder to evaluate again."
        )
    return scored(energies, index, [labels[k] for k in split_of(run)["test"]], run.config)


def scored(
    energies: Mapping[str, np.ndarray],
    index: Mapping[str, Mapping[str, Any]],
    test: Sequence[Label],
    config: Config,
) -> list[ModelResult]:
    """Scores of every model; the same seed gives the same intervals."""
    from zeroflux.report import ModelResult

    table = component_table(test)
    return [
        ModelResult(
            name=name,
            architecture=entry["architecture"],
            n_parameters=entry["n_parameters"],
            seed=entry["seed"],
            trained_on=TRAINING_SET,
            local_energy=energies[name],
            **_scores(energies[name], table, config),
            is_baseline=entry["is_baseline"],
            n_training_configurations=entry["n_training"],
        )
        for name, entry in index.items()
    ]


def _scores(energy: np.ndarray, table: ComponentTable, config: Config) -> dict[str, Any]:
    shared = {
        "systems": table.systems,
        "n_bootstrap": config.evaluate.n_bootstrap,
        "rng": np.random.default_rng(config.evaluate.seed),
    }
    return {
        "scores": local_scores(
            local_energy=energy,
            reference=table.basin_energy,
            species=table.species,
            configuration=table.configuration,
            **shared,
        ),
        "totals": total_scores(
            predicted=table.totals(energy),
            reference=table.total_energy,
            n_atoms=table.n_atoms_per_configuration,
            **shared,
        ),
    }


def _score_table(results: Sequence[ModelResult]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("model", "architecture", "n_parameters", "seed", "system", "element"),
            *("total_rmse_mev_per_atom", "spread_mev", "local_rmse_mev"),
            *("local_rmse_low_mev", "local_rmse_high_mev", "slope", "pearson"),
            *("rank_within_configuration", "offset_mev"),
        ]
    )
    mev = MILLIELECTRONVOLT
    for model in results:
        total = {score.system: score.rmse.value for score in model.totals}
        for score in model.scores:
            numbers = [
                total[score.system] / mev,
                score.spread / mev,
                score.rmse.value / mev,
                score.rmse.low / mev,
                score.rmse.high / mev,
                score.slope.value,
                score.pearson.value,
                score.rank_within.value,
                score.offset / mev,
            ]
            writer.writerow(
                [
                    *(model.name, model.architecture, model.n_parameters, model.seed),
                    *(score.system, chemical_symbols[score.species]),
                    *(f"{x:.6g}" for x in numbers),
                ]
            )
    return text.getvalue()


def _inputs(run: Run) -> dict[str, Path]:
    return {
        "labels": run.folder("label") / LABELS,
        "split": run.folder("train") / SPLIT,
        "training manifest": run.folder("train") / "manifest.json",
    }


EVALUATE = Stage(
    name="evaluate",
    help="Compare local energies of the networks with basin energies",
    settings=lambda config: {
        **config.evaluate.model_dump(mode="json"),
        "train": training_of(config).model_dump(mode="json"),
    },
    inputs=_inputs,
    work=_work,
    seed=lambda config: config.evaluate.seed,
)
