"""Tables of a study with many networks: means over seeds, transfer, size, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from ase.data import chemical_symbols

from zeroflux.evaluation.statistics import Estimate
from zeroflux.report.data import ModelResult, ReportData
from zeroflux.report.selection import baseline_name
from zeroflux.report.table import Cell, Table, mev, mev_interval
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

TARGET_WORDS = {
    "total": "totals",
    "local": "basin energies",
    "total+forces": "totals and forces",
}


def summary_table(data: ReportData) -> Table:
    """Local energies on systems like those trained on, means over seeds; baselines included."""
    groups: dict[tuple[str, str, int, int, str], list[ModelResult]] = {}
    for model in data.models:
        name = baseline_name(model) if model.is_baseline else model.architecture
        key = (
            model.trained_on,
            name,
            model.n_parameters,
            model.n_training_configurations,
            model.target,
        )
        groups.setdefault(key, []).append(model)
    rows: list[tuple[Cell, ...]] = []
    for (trained_on, name, size, n_training, target), own in groups.items():
        total = {s.system: [] for m in own for s in m.totals}
        for model in own:
            for score in model.totals:
                total[score.system].append(mev(score.centred_rmse.value))
        for first in own[0].home_scores:
            scores = [
                s
                for m in own
                for s in m.home_scores
                if (s.system, s.species) == (first.system, first.species)
            ]
            rmse = np.array([mev(s.rmse.value) for s in scores])
            offset = np.array([mev(s.offset) for s in scores])
            rows.append(
                (
                    trained_on,
                    name,
                    size,
                    n_training,
                    TARGET_WORDS.get(target, target),
                    first.system,
                    chemical_symbols[first.species],
                    len(own),
                    float(rmse.mean()),
                    _deviation(rmse),
                    mev(first.spread),
                    _mean(s.slope for s in scores),
                    _mean(s.pearson for s in scores),
                    _mean(s.r2 for s in scores),
                    _mean(s.rank_within for s in scores),
                    float(np.mean(total[first.system])),
                    float(offset.mean()),
                    _deviation(offset),
                )
            )
    return Table(
        "local-energies",
        "Local energies of every size",
        "On systems like those trained on; means over seeds and their standard deviation. Errors "
        "are centred per species and system, the offset that was taken out is its own column. "
        "Rows trained on basin energies are controls: what the form can represent. Every single "
        "network is in the run's evaluate/scores.csv.",
        (
            "trained on",
            "model",
            "parameters",
            "configurations",
            "learned from",
            "system",
            "species",
            "seeds",
            "local RMSE (meV)",
            "s.d. over seeds (meV)",
            "spread (meV)",
            "slope",
            "Pearson r",
            "R²",
            "rank r within",
            "total RMSE (meV/atom)",
            "offset (meV)",
            "s.d. of offset (meV)",
        ),
        tuple(rows),
    )


def transfer_table(data: ReportData) -> Table:
    """Errors of totals on every system, medians over seeds: the transfer matrix as numbers."""
    return _matrix(
        data,
        "transfer-totals",
        "Transfer matrix: totals",
        "Median over seeds of the centred error of totals (meV per atom) by training set and "
        "system scored on; a dash where the training set lacks an element.",
        lambda model, system: next(
            (s.centred_rmse.value for s in model.totals if s.system == system), float("nan")
        ),
    )


def transfer_local_table(data: ReportData) -> Table:
    """Errors of local energies on every system."""

    def error(model: ModelResult, system: str) -> float:
        used = [s for s in model.scores if s.system == system]
        if not used:
            return float("nan")
        weight = np.array([float(s.n_atoms) for s in used])
        square = np.array([s.rmse.value**2 for s in used])
        return float(np.sqrt(weight @ square / weight.sum()))

    return _matrix(
        data,
        "transfer-local",
        "Transfer matrix: local energies",
        "Median over seeds of the centred error of local energies (meV) by training set and "
        "system scored on.",
        error,
    )


def _matrix(
    data: ReportData,
    name: str,
    title: str,
    caption: str,
    error: Callable[[ModelResult, str], float],
) -> Table:
    systems = list(dict.fromkeys(s.system for m in data.models for s in m.totals))
    groups: dict[tuple[str, str, int], list[ModelResult]] = {}
    baselines = [m for m in data.models if m.is_baseline]
    for model in [*data.main_networks, *baselines]:
        kind = baseline_name(model) if model.is_baseline else model.architecture
        groups.setdefault((model.trained_on, kind, model.n_parameters), []).append(model)
    rows = tuple(
        (
            *key,
            *(
                float(np.median([error(m, system) for m in own]) / MILLIELECTRONVOLT)
                for system in systems
            ),
        )
        for key, own in groups.items()
    )
    columns = ("trained on", "model", "parameters", *systems)
    return Table(name, title, caption, columns, rows if len(systems) > 1 else ())


def size_table(data: ReportData) -> Table:
    """Effect of size in every cell, and the best size."""
    rows = tuple(
        (
            cell.trained_on,
            cell.architecture,
            cell.n_training,
            cell.slope.n_models,
            mev(cell.slope.slope.value),
            mev_interval(cell.slope.slope),
            float("nan")
            if cell.slope_at_equal_totals is None
            else mev(cell.slope_at_equal_totals.slope.value),
            "–"
            if cell.slope_at_equal_totals is None
            else mev_interval(cell.slope_at_equal_totals.slope),
            cell.best.best,
            max(cell.best.chance),
            "; ".join(
                f"{n:,}: {mev(mean):.2f}"
                for n, mean in zip(cell.best.n_parameters, cell.best.mean, strict=True)
            ),
        )
        for cell in data.cells
    )
    return Table(
        "size-effect",
        "Effect of size",
        "Slope of the local error per decade of parameters, alone and with the error of totals as "
        "a covariate; the size of the smallest mean error, and the share of bootstrap samples of "
        "the seeds in which it is the best.",
        (
            "trained on",
            "architecture",
            "configurations",
            "networks",
            "slope (meV/decade)",
            "95 % interval (meV)",
            "slope at equal totals (meV/decade)",
            "95 % interval at equal totals (meV)",
            "best size",
            "chance of best",
            "mean local error by size (meV)",
        ),
        rows,
    )


def ambiguity_table(data: ReportData) -> Table:
    """Differences between seeds."""
    return Table(
        "seed-ambiguity-table",
        "Differences between seeds",
        "Root-mean-square differences between networks of one size that differ by their seed. "
        "Explained: the local difference that goes with the difference of totals if it is shared "
        "evenly; the ratio says how much more there is.",
        (
            "trained on",
            "architecture",
            "parameters",
            "pairs",
            "totals (meV/atom)",
            "local (meV)",
            "explained (meV)",
            "ratio",
        ),
        tuple(
            (
                a.trained_on,
                a.architecture,
                a.n_parameters,
                a.found.n_pairs,
                mev(a.found.total),
                mev(a.found.local),
                mev(a.found.expected),
                a.found.ratio,
            )
            for a in data.ambiguities
        ),
    )


def reach_table(data: ReportData) -> Table:
    """Effective receptive fields."""
    return Table(
        "receptive-radius",
        "Effective receptive field",
        "Distances that hold half and nine tenths of the squared gradient of a local energy.",
        ("trained on", "architecture", "parameters", "half (Å)", "nine tenths (Å)"),
        tuple(
            (
                r.trained_on,
                r.architecture,
                r.n_parameters,
                r.field.radius(0.5) / ANGSTROM,
                r.field.radius(0.9) / ANGSTROM,
            )
            for r in data.reaches
        ),
    )


def checkpoint_table(data: ReportData) -> Table:
    """Structures whose local energies symmetry fixes, mean over seeds."""
    groups: dict[tuple[str, str], list[float]] = {}
    for found in data.checkpoints:
        groups.setdefault((found.structure, found.model), []).append(mev(found.error))
    return Table(
        "checkpoints",
        "Exact checkpoints",
        "Where symmetry makes all atoms equal, the local energy is E/N by any partition: error of "
        "the models there, which nothing in their training set resembles. Mean and standard "
        "deviation over seeds.",
        ("structure", "model", "seeds", "error (meV)", "s.d. over seeds (meV)"),
        tuple(
            (structure, model, len(errors), float(np.mean(errors)), _deviation(np.array(errors)))
            for (structure, model), errors in groups.items()
        ),
    )


def _mean(estimates: Iterable[Estimate]) -> float:
    """Mean of the values."""
    return float(np.mean([estimate.value for estimate in estimates]))


def _deviation(values: np.ndarray) -> float:
    """Standard deviation over seeds; NaN for one."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
