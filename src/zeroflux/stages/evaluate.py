"""Stage evaluate: local energies of the networks against the basin energies."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.artifacts.atomic import replacing
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.config import OWN_POOL, Config, training_of
from zeroflux.correlation import ComponentTable, component_table
from zeroflux.errors import ArtifactError
from zeroflux.evaluation import (
    fit_pair_potential,
    local_scores,
    mean_energy_baseline,
    random_split_baseline,
    total_scores,
)
from zeroflux.labels import Label, system_name
from zeroflux.stages.data import pools_of
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage
from zeroflux.stages.score_table import read_scores, write_scores
from zeroflux.stages.train import MODELS, SPLIT, read_cells, read_split, training_sets
from zeroflux.stages.train import test_sets as test_sets_of
from zeroflux.units import MILLIELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.potentials.energy import Model
    from zeroflux.report import ModelResult

PREDICTIONS = "local_energies.npz"
INDEX = "models.csv"
SCORES = "scores.csv"
TOTALS = "totals.csv"
SMALL_BOX = 32
"""Boxes up to this many atoms are predicted together; larger ones would pad them all."""


@dataclass(frozen=True)
class Entry:
    """One model of an evaluation: a network, a control or a baseline."""

    name: str
    architecture: str
    n_parameters: int
    seed: int
    trained_on: str
    """Training set."""
    n_training: int
    """Configurations given to training, held-out ones included."""
    target: str
    """``total``, or what a control saw: ``local`` for basin energies."""
    is_baseline: bool
    size: int = 0
    """Number of parameters asked for."""
    held_out_rmse_mev: float = float("nan")
    """Error of held-out totals per atom (meV)."""
    best_step: int = 0


def split_of(run: Run) -> dict[str, Any]:
    """Indices of training and test labels, all together and by set."""
    return read_split(run)


def _work(run: Run, folder: Path) -> Sequence[Path]:
    from zeroflux.training.checkpoints import load_model
    from zeroflux.training.sweep import checkpoint_path

    labels = read_labels(run.folder("label") / LABELS)
    split = read_split(run)
    test = [labels[k] for k in split["test"]]
    offset = _offsets(test)
    entries: list[Entry] = []
    rows: list[np.ndarray] = []
    cells = read_cells(run)
    models = [load_model(checkpoint_path(run.folder("train") / MODELS, cell)) for cell in cells]
    for model, energy in zip(models, predicted(models, test, folder / "descriptors"), strict=True):
        entries.append(_entry(model))
        rows.append(energy)
    for name, index in split["training_sets"].items():
        suffix = f" ({name})" if len(split["training_sets"]) > 1 else ""
        seed = run.config.evaluate.seed
        for title, energy in _baselines([labels[k] for k in index], test, seed):
            entries.append(Entry(title + suffix, "baseline", 0, 0, name, len(index), "total", True))
            rows.append(energy)
    # Differences from a mean per element: single precision then keeps a ten-thousandth of a meV.
    relative = ((np.array(rows) - offset) / MILLIELECTRONVOLT).astype(np.float32)
    np.savez_compressed(
        folder / PREDICTIONS, local_energy_mev=relative, offset_hartree=offset, allow_pickle=False
    )
    _write_index(folder / INDEX, entries)
    scored = _scored(entries, relative, offset, labels, split, run.config, progress=run.progress)
    write_scores(folder / SCORES, folder / TOTALS, scored)
    run.say(f"  {len(cells)} networks scored on {len(offset)} atoms")
    return [folder / name for name in (PREDICTIONS, INDEX, SCORES, TOTALS)]


def _entry(model: Model) -> Entry:
    found = model.metadata
    cell = found["cell"]
    return Entry(
        name=found["name"],
        architecture=cell["architecture"],
        n_parameters=model.n_parameters,
        seed=cell["seed"],
        trained_on=cell["training_set"],
        n_training=found["n_train"] + found["n_held_out"],
        target=cell["target"],
        is_baseline=False,
        size=cell["size"],
        held_out_rmse_mev=found["held_out_rmse_hartree_per_atom"] / MILLIELECTRONVOLT,
        best_step=found["best_step"],
    )


def _offsets(labels: Sequence[Label]) -> np.ndarray:
    """Mean basin energy of each atom's element, the zero that energies are stored from."""
    species = np.concatenate([label.frame.atomic_numbers for label in labels])
    energy = np.concatenate([label.basin_energy for label in labels])
    mean = {z: energy[species == z].mean() for z in np.unique(species)}
    return np.array([mean[z] for z in species])


def predicted(
    models: Sequence[Model], labels: Sequence[Label], cache_dir: Path | None = None
) -> np.ndarray:
    """Local energies of all atoms by each model (hartree); NaN where it lacks an element.

    Returns
    -------
    Array of shape (n_models, n_atoms), the atoms of all labels one after the other.
    """
    from zeroflux.potentials.energy import predictions

    sizes = np.array([label.n_atoms for label in labels])
    ends = np.cumsum(sizes)
    out = np.full((len(models), ends[-1]), np.nan)
    elements = [frozenset(label.frame.atomic_numbers.tolist()) for label in labels]
    by_species: dict[tuple[int, ...], list[int]] = {}
    for m, model in enumerate(models):
        by_species.setdefault(model.species, []).append(m)
    for species, own in by_species.items():
        known = [k for k, found in enumerate(elements) if found <= set(species)]
        for is_small in (True, False):
            chosen = [k for k in known if (sizes[k] <= SMALL_BOX) == is_small]
            if not chosen:
                continue
            frames = [labels[k].frame for k in chosen]
            atoms = np.concatenate([np.arange(ends[k] - sizes[k], ends[k]) for k in chosen])
            found = predictions([models[m] for m in own], frames, cache_dir=cache_dir)
            for m, each in zip(own, found, strict=True):
                out[m, atoms] = np.concatenate(each)
    return out


def _baselines(
    train: Sequence[Label], test: Sequence[Label], seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Local energies that anyone has without a network."""
    table = component_table(test)
    yield (
        "mean energy per atom",
        mean_energy_baseline(table.total_energy, table.configuration, species=table.species),
    )
    yield (
        "random split",
        random_split_baseline(
            table.total_energy,
            table.configuration,
            spread=float(np.std(table.basin_energy - _offsets(test))),
            rng=np.random.default_rng(seed),
            species=table.species,
        ),
    )
    pair = fit_pair_potential(
        frames=[label.frame for label in train],
        total_energy=np.array([label.total_energy for label in train]),
    )
    known = set(np.concatenate([label.frame.atomic_numbers for label in train]).tolist())
    yield (
        "fitted pair potential",
        np.concatenate(
            [
                pair.local_energies(label.frame)
                if set(label.frame.atomic_numbers.tolist()) <= known
                else np.full(label.n_atoms, np.nan)
                for label in test
            ]
        ),
    )


@dataclass(frozen=True, eq=False)
class Place:
    """Where models are scored: a test set, or one system of it."""

    test_set: str
    names: tuple[str, ...]
    """Name of the place of each configuration, see `place_names`."""
    table: ComponentTable
    atoms: np.ndarray
    """Indices of its atoms among those of all test labels."""


def place_names(test_set: str, labels: Sequence[Label]) -> tuple[str, ...]:
    """Test set of each label, with its system if the set holds several.

    The one test set of a run that labels its own configurations is named by the systems alone.
    """
    systems = [system_name(label) for label in labels]
    if test_set == OWN_POOL:
        return tuple(systems)
    if len(set(systems)) == 1:
        return (test_set,) * len(labels)
    return tuple(f"{test_set}, {system}" for system in systems)


def places(labels: Sequence[Label], split: Mapping[str, Any]) -> list[Place]:
    """Test sets with their reference energies."""
    of_label = dict(zip(split["test"], range(len(split["test"])), strict=True))
    ends = np.cumsum([labels[k].n_atoms for k in split["test"]])
    found = []
    for name, index in split["test_sets"].items():
        own = [labels[k] for k in index]
        atoms = [np.arange(ends[of_label[k]] - labels[k].n_atoms, ends[of_label[k]]) for k in index]
        found.append(
            Place(name, place_names(name, own), component_table(own), np.concatenate(atoms))
        )
    return found


def home_places(
    trained_on: str, found: Sequence[Place], labels: Sequence[Label], config: Config
) -> tuple[str, ...]:
    """Places in distribution: test sets that share a pool with, or are named by one of, a set."""
    pools = list(pools_of(labels))
    members = set(training_sets(config, pools).get(trained_on, []))
    tests = test_sets_of(config, pools)
    return tuple(
        dict.fromkeys(
            name
            for place in found
            if place.test_set in members or members & set(tests[place.test_set])
            for name in place.names
        )
    )


def _scored(
    entries: Sequence[Entry],
    relative: np.ndarray,
    offset: np.ndarray,
    labels: Sequence[Label],
    split: Mapping[str, Any],
    config: Config,
    *,
    progress: Any,
) -> Iterator[tuple[Entry, str, tuple, tuple]]:
    """Scores of each model in each test set whose elements it knows."""
    found = places(labels, split)
    for n_done, (entry, row) in enumerate(zip(entries, relative, strict=True), start=1):
        energy = row.astype(np.float64) * MILLIELECTRONVOLT + offset
        for place in found:
            scores = _scores(energy[place.atoms], place, config)
            if scores is not None:
                yield entry, place.test_set, *scores
        if n_done % 50 == 0 or n_done == len(entries):
            progress("evaluate", n_done, len(entries))


def _scores(energy: np.ndarray, place: Place, config: Config) -> tuple[tuple, tuple] | None:
    """Local scores and scores of totals; None if the model knows no configuration here."""
    table = place.table
    unknown = np.unique(table.configuration[~np.isfinite(energy)])
    known = np.setdiff1d(np.arange(len(table.systems)), unknown)
    if not len(known):
        return None
    chosen = np.isin(table.configuration, known)
    renumbered = np.searchsorted(known, table.configuration[chosen])
    shared = {
        "systems": [place.names[k] for k in known],
        "n_bootstrap": config.evaluate.n_bootstrap,
        "rng": np.random.default_rng(config.evaluate.seed),
    }
    return (
        local_scores(
            local_energy=energy[chosen],
            reference=table.basin_energy[chosen],
            species=table.species[chosen],
            configuration=renumbered,
            **shared,
        ),
        total_scores(
            predicted=np.bincount(renumbered, weights=energy[chosen]),
            reference=table.total_energy[known],
            n_atoms=table.n_atoms_per_configuration[known],
            **shared,
        ),
    )


def _write_index(path: Path, entries: Sequence[Entry]) -> None:
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(Entry.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(entry) for entry in entries)


def read_index(path: Path) -> list[Entry]:
    """Models of a finished evaluation, in the order of the rows of the local energies."""
    kinds: dict[str, Any] = {
        "n_parameters": int,
        "seed": int,
        "n_training": int,
        "size": int,
        "best_step": int,
    }
    kinds |= {"held_out_rmse_mev": float, "is_baseline": lambda text: text == "True"}
    with path.open(encoding="utf-8", newline="") as handle:
        return [
            Entry(**{key: kinds.get(key, str)(value) for key, value in row.items()})
            for row in csv.DictReader(handle)
        ]


def load_local_energies(run: Run) -> np.ndarray:
    """Local energies (hartree) of each model and each atom of the test labels, NaN if unknown."""
    with np.load(run.folder("evaluate") / PREDICTIONS) as arrays:
        relative, offset = arrays["local_energy_mev"], arrays["offset_hartree"]
    return relative.astype(np.float64) * MILLIELECTRONVOLT + offset


def load_results(run: Run, labels: Sequence[Label]) -> list[ModelResult]:
    """Scored models of a finished evaluation; ``labels`` are all converged ones of the run.

    ``local_energy`` of each belongs to the labels of `split_of(run)["test"]`, one after the other,
    and is NaN where the model lacks an element. ``system`` of a score is the test set, with the
    system behind a comma where the set holds several.

    Raises
    ------
    ArtifactError
        If the files do not belong together.
    """
    from zeroflux.report import ModelResult

    folder = run.folder("evaluate")
    entries = read_index(folder / INDEX)
    energies = load_local_energies(run)
    if len(entries) != len(energies):
        raise ArtifactError(
            f"{folder / INDEX} names {len(entries)} models, {PREDICTIONS} has {len(energies)}; "
            "expected the same. Remove the folder to evaluate again."
        )
    local, totals = read_scores(folder / SCORES, folder / TOTALS)
    found = places(labels, split_of(run))
    home = {
        name: home_places(name, found, labels, run.config)
        for name in {entry.trained_on for entry in entries}
    }
    return [
        ModelResult(
            name=entry.name,
            architecture=entry.architecture,
            n_parameters=entry.n_parameters,
            seed=entry.seed,
            trained_on=entry.trained_on,
            local_energy=energy,
            scores=tuple(local.get(entry.name, ())),
            totals=tuple(totals.get(entry.name, ())),
            is_baseline=entry.is_baseline,
            home_systems=home[entry.trained_on] or ("no test set is in distribution",),
            n_training_configurations=entry.n_training,
            target=entry.target,
        )
        for entry, energy in zip(entries, energies, strict=True)
    ]


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
        "train": training_of(config).model_dump(mode="json", exclude={"workers"}),
    },
    inputs=_inputs,
    work=_work,
    seed=lambda config: config.evaluate.seed,
)
