"""Stage report: the page, from the artifacts of the other stages."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.artifacts.manifest import read_manifest
from zeroflux.correlation import component_table, system_name
from zeroflux.evaluation import locality, noise_floors, size_regression
from zeroflux.labels import Label
from zeroflux.stages.correlate import comparisons
from zeroflux.stages.evaluate import PREDICTIONS, load_results, split_of
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage, replace_text
from zeroflux.stages.sample import RADIAL
from zeroflux.units import ANGSTROM, ELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.report import EnergyTrace, ModelResult, RadialDistribution, ReportData

PAGE = "report.html"
SUMMARY = "summary.txt"


def report_data(run: Run) -> ReportData:
    """Everything that the page shows, gathered from the artifacts."""
    from zeroflux.report import ReportData, SizeTrend

    every_label = read_labels(run.folder("label") / LABELS, only_converged=False)
    labels = [label for label in every_label if label.is_converged]
    position = [k for k, label in enumerate(every_label) if label.is_converged]
    test = split_of(run)["test"]
    results = load_results(run, labels)
    networks = [result for result in results if not result.is_baseline]
    table = component_table(labels)
    rng = np.random.default_rng(run.config.evaluate.seed)
    trends = []
    if len({model.n_parameters for model in networks}) > 1:
        regression = size_regression(
            np.array([model.n_parameters for model in networks]),
            np.array([model.home_error for model in networks]),
            n_bootstrap=run.config.evaluate.n_bootstrap,
            rng=rng,
        )
        trends.append(SizeTrend("all systems", regression))
    shortcuts = comparisons(labels, run.config.correlate)
    usable = [comparison for comparison in shortcuts if comparison.results]
    errors = [s.rmse.value for comparison in usable for s in comparison.best.scores]
    return ReportData(
        title=run.config.title,
        labels=every_label,
        evaluated=[position[k] for k in test],
        shortcuts=usable,
        models=results,
        trends=trends,
        locality=locality(
            frames=[label.frame for label in labels],
            energy=table.basin_energy,
            systems=table.systems,
        ),
        noise=noise_floors(
            laplacian=np.concatenate([label.terms.laplacian for label in labels]),
            closure_per_atom=np.array([label.closure / label.n_atoms for label in labels]),
            shortcut_rmse=float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan"),
            local_energy_by_seed=_largest_ensemble(networks),
        ),
        traces=_traces(labels),
        distributions=_distributions(run.folder("sample") / RADIAL),
        provenance=_provenance(run),
    )


def _largest_ensemble(networks: Sequence[ModelResult]) -> np.ndarray | None:
    """Local energies of the seeds of the size that spreads most."""
    groups: dict[tuple[str, int], list[np.ndarray]] = {}
    for model in networks:
        groups.setdefault((model.architecture, model.n_parameters), []).append(model.local_energy)
    several = [np.array(energies) for energies in groups.values() if len(energies) > 1]
    return max(several, key=lambda energies: energies.std(axis=0).mean()) if several else None


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


def _provenance(run: Run) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for stage in ("sample", "label", "correlate", "train", "evaluate"):
        manifest = read_manifest(run.folder(stage))
        if manifest is None:
            continue
        settings = {k: v for k, v in manifest.config.items() if not isinstance(v, (dict, list))}
        found[stage] = {**settings, "wall time (s)": manifest.wall_s, "started": manifest.started}
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
    return {
        "radial distribution": run.folder("sample") / RADIAL,
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
