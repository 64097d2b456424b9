"""Stage report: the page, from the artifacts of the other stages."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.artifacts.atomic import replace_text
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.artifacts.manifest import read_manifest
from zeroflux.evaluation import RigidityProfile, locality, noise_floors
from zeroflux.labels import Label, system_name
from zeroflux.stages import probes, study
from zeroflux.stages.correlate import compared_systems, comparisons
from zeroflux.stages.evaluate import (
    INDEX,
    PREDICTIONS,
    load_results,
    place_names,
    read_index,
    split_of,
)
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage
from zeroflux.stages.sample import RADIAL
from zeroflux.stages.train import MODELS, read_cells
from zeroflux.units import ANGSTROM, ELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.report import EnergyTrace, ModelResult, RadialDistribution, ReportData

PAGE = "report.html"
SUMMARY = "summary.txt"
LABEL_FACTS = (
    *("functional", "dispersion", "basis", "pseudopotential", "density_cutoff_hartree"),
    *("engine", "engine_version", "partition", "label_version"),
)
"""Entries of the labels' headers that the page shows."""


def report_data(run: Run) -> ReportData:
    """Everything that the page shows, gathered from the artifacts."""
    from zeroflux.report import ReportData

    every_label = read_labels(run.folder("label") / LABELS, only_converged=False)
    labels = [label for label in every_label if label.is_converged]
    position = [k for k, label in enumerate(every_label) if label.is_converged]
    split = split_of(run)
    test = split["test"]
    results, places = _results(run, labels), _places(labels, split)
    shortcuts = comparisons(labels, run.config.correlate)
    usable = [comparison for comparison in shortcuts if comparison.results]
    errors = [s.rmse.value for comparison in usable for s in comparison.best.scores]
    compared = set(compared_systems([system_name(label) for label in labels]))
    common = [label for label in labels if system_name(label) in compared]
    data = ReportData(
        title=run.config.title,
        labels=every_label,
        evaluated=[position[k] for k in test],
        places=places,
        shortcuts=usable,
        models=results,
        locality=locality(
            frames=[label.frame for label in common],
            energy=np.concatenate([label.basin_energy for label in common]),
            systems=[system_name(label) for label in common],
        ),
        noise=noise_floors(
            laplacian=np.concatenate([label.terms.laplacian for label in labels]),
            closure_per_atom=np.array([label.closure / label.n_atoms for label in labels]),
            shortcut_rmse=float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan"),
            local_energy_by_seed=_best_ensemble(results, [labels[k] for k in test], places),
        ),
        traces=_traces(labels),
        distributions=_distributions(run.folder("sample") / RADIAL),
        provenance=_provenance(run, every_label),
    )
    return replace(data, **_study(run, data), **_probes(run, data, labels))


def _results(run: Run, labels: Sequence[Label]) -> list[ModelResult]:
    """Scored models with the sizes that were asked for."""
    index = read_index(run.folder("evaluate") / INDEX)
    return study.with_sizes(load_results(run, labels), {entry.name: entry.size for entry in index})


def _places(labels: Sequence[Label], split: Mapping[str, Any]) -> list[str]:
    """Name of the first test set that holds each test label."""
    names: dict[int, str] = {}
    for test_set, index in split["test_sets"].items():
        own = [labels[k] for k in index]
        for k, name in zip(index, place_names(test_set, own), strict=True):
            names.setdefault(k, name)
    return [names[k] for k in split["test"]]


def _study(run: Run, data: ReportData) -> dict[str, Any]:
    """Slopes, associations, verdicts and ambiguity."""
    labels = [data.labels[k] for k in data.evaluated]
    return study.analysis(data, run.config) | {
        "ambiguities": study.ambiguities(
            data.main_networks,
            places=np.repeat(data.evaluated_places, [label.n_atoms for label in labels]),
            species=np.concatenate([label.frame.atomic_numbers for label in labels]),
            configuration=np.repeat(np.arange(len(labels)), [label.n_atoms for label in labels]),
        ),
    }


def _probes(run: Run, data: ReportData, labels: Sequence[Label]) -> dict[str, Any]:
    """What the networks say of atoms, dimers and crystals, and how far they look."""
    from zeroflux.potentials.energy import Model
    from zeroflux.report.selection import median_model, model_title, shown_networks
    from zeroflux.training.checkpoints import load_model
    from zeroflux.training.sweep import checkpoint_path

    paths = {
        cell.name: checkpoint_path(run.folder("train") / MODELS, cell) for cell in read_cells(run)
    }
    models: dict[str, Model] = {m.name: load_model(paths[m.name]) for m in data.main_networks}
    groups: dict[tuple[str, str, int], list[ModelResult]] = {}
    for m in data.main_networks:
        groups.setdefault((m.trained_on, m.architecture, m.n_parameters), []).append(m)
    typical = [median_model(own) for own in groups.values()]
    named = {f"{model_title(data, m)}#{m.seed}": models[m.name] for m in data.main_networks}
    shown = [m for m in shown_networks(data)]
    widest = max((len(models[m.name].species) for m in shown), default=0)
    evaluated = [data.labels[k] for k in data.evaluated]
    return {
        "checkpoints": probes.checkpoints(labels, named),
        "dimers": probes.dimer_curves(
            labels,
            [(m, models[m.name]) for m in shown if len(models[m.name].species) == widest],
        ),
        "reaches": probes.reaches(typical, models, evaluated, data.evaluated_places),
        "rigidity": _rigidity(run, data, labels, typical, models),
    }


def _rigidity(
    run: Run,
    data: ReportData,
    labels: Sequence[Label],
    typical: Sequence[ModelResult],
    models: Mapping[str, Any],
) -> dict[str, RigidityProfile]:
    """Errors by rigidity, on each training set with the largest linear model as yardstick."""
    from zeroflux.potentials.energy import SharedInputs
    from zeroflux.report.selection import atom_places, model_title, shown_networks

    split = split_of(run)
    places = atom_places(data)
    evaluated = [data.labels[k] for k in data.evaluated]
    yardsticks: dict[str, ModelResult] = {}
    used = {k for index in split["training_sets"].values() for k in index}
    frames = [labels[k].frame for k in sorted(used)]
    for trained_on in split["training_sets"]:
        linear = [m for m in typical if (m.trained_on, m.architecture) == (trained_on, "linear")]
        if linear and any(m.trained_on == trained_on for m in shown_networks(data)):
            yardsticks[trained_on] = max(linear, key=lambda m: m.n_parameters)
    frames += [
        label.frame
        for label, place in zip(evaluated, data.evaluated_places, strict=True)
        if any(m.is_home(str(place)) for m in yardsticks.values())
    ]
    shared = SharedInputs(frames)
    profiles: dict[str, RigidityProfile] = {}
    for trained_on, yardstick in yardsticks.items():
        shown = [m for m in shown_networks(data) if m.trained_on == trained_on]
        home = np.array([yardstick.is_home(str(place)) for place in places])
        home &= np.isfinite(yardstick.local_energy)
        profiles |= probes.rigidities(
            shown,
            yardstick=models[yardstick.name],
            trained_on=[labels[k] for k in split["training_sets"][trained_on]],
            evaluated=evaluated,
            home=home,
            titles=[model_title(data, m) for m in shown],
            shared=shared,
        )
    return profiles


def _best_ensemble(
    results: Sequence[ModelResult], tested: Sequence[Label], places: Sequence[str]
) -> np.ndarray | None:
    """Local energies, on systems like those trained on, of the seeds of the best size."""
    groups: dict[tuple[str, str, int, int], list[ModelResult]] = {}
    for m in results:
        if not m.is_baseline and m.target == "total":
            kind = (m.architecture, m.trained_on, m.n_parameters, m.n_training_configurations)
            groups.setdefault(kind, []).append(m)
    several = [own for own in groups.values() if len(own) > 1]
    if not several:
        return None
    best = min(several, key=lambda own: np.mean([m.home_error for m in own]))
    of_atoms = np.repeat(places, [label.n_atoms for label in tested])
    home = np.array([best[0].is_home(str(place)) for place in of_atoms])
    return np.array([m.local_energy[home & np.isfinite(m.local_energy)] for m in best])


def _traces(labels: Sequence[Label]) -> list[EnergyTrace]:
    """Energy of the sampling's potential along each simulation."""
    from zeroflux.report import EnergyTrace

    runs: dict[str, list[Label]] = {}
    for label in labels:
        if "sampling_step" in label.info and "pair_energy_ev" in label.info:
            name = f"{system_name(label)}, {label.info.get('temperature_kelvin')} K"
            runs.setdefault(name, []).append(label)
    return [
        EnergyTrace(
            name,
            np.array([float(label.info["sampling_step"]) for label in own]),
            np.array(
                [
                    float(label.info["pair_energy_ev"]) * ELECTRONVOLT / label.n_atoms
                    for label in own
                ]
            ),
        )
        for name, own in runs.items()
    ]


def _distributions(path: Path) -> list[RadialDistribution]:
    from zeroflux.report import RadialDistribution

    if not path.exists():  # labels that exist already were sampled elsewhere
        return []
    curves: dict[str, list[tuple[float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            point = (float(row["distance_angstrom"]), float(row["g"]))
            curves.setdefault(f"{row['system']}, {row['pair']}", []).append(point)
    return [
        RadialDistribution(
            name,
            np.array([r for r, _ in points]) * ANGSTROM,
            np.array([g for _, g in points]),
        )
        for name, points in curves.items()
    ]


def label_facts(labels: Sequence[Label]) -> dict[str, Any]:
    """What the headers of the labels say: settings they share, and the time they took."""
    facts: dict[str, Any] = {"configurations": len(labels)}
    for key in LABEL_FACTS:
        values = {str(label.info[key]) for label in labels if key in label.info}
        if values:
            facts[key.replace("_", " ")] = ", ".join(sorted(values))
    seconds = [
        float(label.info["label_wall_s"]) for label in labels if "label_wall_s" in label.info
    ]
    if seconds:
        facts["computing time, all labels (h)"] = round(sum(seconds) / 3600, 2)
    return facts


def _provenance(run: Run, labels: Sequence[Label]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"labels": label_facts(labels)}
    for stage in ("sample", "label", "correlate", "train", "evaluate"):
        manifest = read_manifest(run.folder(stage))
        if manifest is None:
            continue
        settings = {k: v for k, v in manifest.config.items() if not isinstance(v, (dict, list))}
        is_import = stage == "label" and "pools" in manifest.config
        name, when = ("labels, read in", "read in") if is_import else (stage, "started")
        found[name] = {**settings, "wall time (s)": manifest.wall_s, when: manifest.started}
        found["versions"] = dict(manifest.versions)
        found["machine"] = dict(manifest.machine)
    return found


def _work(run: Run, folder: Path) -> Sequence[Path]:
    from zeroflux.report import headlines, write_report

    data = report_data(run)
    page = write_report(data, run.out / PAGE, with_figures=run.config.report.figures)
    lines = [found.text for found in headlines(data)]
    replace_text(folder / SUMMARY, "\n".join(lines) + "\n")
    for line in lines:
        run.say(f"  {line}")
    run.say(f"  report: {page}")
    return [folder / SUMMARY]


def _inputs(run: Run) -> dict[str, Path]:
    sampled = (
        {} if run.config.sample is None else {"radial distribution": run.folder("sample") / RADIAL}
    )
    return {
        **sampled,
        "labels": run.folder("label") / LABELS,
        "shortcuts": run.folder("correlate") / "shortcuts.csv",
        "local energies": run.folder("evaluate") / PREDICTIONS,
    }


REPORT = Stage(
    name="report",
    help="Write the report",
    settings=lambda config: {
        "title": config.title,
        **config.report.model_dump(mode="json"),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "correlate": config.correlate.model_dump(mode="json"),
    },
    inputs=_inputs,
    work=_work,
)
