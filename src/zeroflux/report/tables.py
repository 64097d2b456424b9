"""The tables of a report as plain rows, with units in the headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase.data import chemical_symbols

from zeroflux.evaluation import Achieved
from zeroflux.report.data import ModelResult, ReportData
from zeroflux.report.study_tables import (
    ambiguity_table,
    checkpoint_table,
    reach_table,
    size_table,
    summary_table,
    transfer_local_table,
    transfer_table,
)
from zeroflux.report.table import Cell, Table, interval, mev, mev_interval, with_minus

MAX_MODELS = 40
"""Models that get rows of their own; of more, the means over seeds are shown."""


def all_tables(data: ReportData) -> tuple[Table, ...]:
    """All tables that have rows, in the order of the page."""
    is_study = len(data.models) > MAX_MODELS
    per_model = (
        (summary_table(data), transfer_table(data), transfer_local_table(data))
        if is_study
        else (model_table(data.models), total_table(data.models))
    )
    tables = (
        achieved_table(data.achieved),
        achieved_by_system_table(data.achieved),
        *per_model,
        size_table(data),
        ambiguity_table(data),
        reach_table(data),
        checkpoint_table(data),
        shortcut_table(data),
        slope_table(data),
        locality_table(data),
        association_table(data),
        noise_table(data),
    )
    return tuple(table for table in tables if table.rows)


def achieved_table(achieved: Mapping[str, Achieved]) -> Table:
    """Models by their score, the best first, at equal scores by error; those without one last."""

    def relative(name: str) -> float:
        errors = achieved[name].relative_error
        return float(np.mean([*errors.values()])) if errors else np.nan

    def order(name: str) -> tuple[bool, float, float]:
        value = achieved[name].score.value
        return (not np.isfinite(value), -np.nan_to_num(value), np.nan_to_num(relative(name)))

    rows = [
        (
            name,
            achieved[name].score.value,
            interval(achieved[name].score),
            relative(name),
            len(achieved[name].by_system),
        )
        for name in sorted(achieved, key=order)
    ]
    return Table(
        "achieved",
        "Score: fraction of the achievable",
        "0: no better than the better of E/N and the pair potential; 1: at the noise floor. Mean "
        "over the systems, each with the same weight. Error over that of the better baseline.",
        ("model", "score", "95 % interval", "error / baseline", "systems"),
        tuple(rows),
    )


def achieved_by_system_table(achieved: Mapping[str, Achieved]) -> Table:
    """The score in each system, a row per system and model."""
    return Table(
        "achieved-by-system",
        "Score by system",
        "The score is the mean of these.",
        ("system", "model", "score", "95 % interval", "error / baseline"),
        tuple(
            (system, name, one.by_system[system].value, interval(one.by_system[system]), ratio)
            for system in dict.fromkeys(s for one in achieved.values() for s in one.by_system)
            for name, one in achieved.items()
            if (ratio := one.relative_error.get(system)) is not None
        ),
    )


def model_table(models: Sequence[ModelResult]) -> Table:
    """Local energies of every model and baseline."""
    rows: list[tuple[Cell, ...]] = []
    for model in models:
        for s in model.scores:
            rows.append(
                (
                    model.name,
                    model.architecture,
                    model.n_parameters,
                    model.seed,
                    s.system,
                    chemical_symbols[s.species],
                    mev(s.rmse.value),
                    mev_interval(s.rmse),
                    mev(s.spread),
                    s.slope.value,
                    s.pearson.value,
                    s.r2.value,
                    s.rank_within.value,
                    mev(s.offset),
                    s.n_configurations,
                )
            )
    return Table(
        "local-energies",
        "Local energies of every model",
        "Centred per species and system; the offset that was taken out is its own column.",
        (
            "model",
            "architecture",
            "parameters",
            "seed",
            "system",
            "species",
            "RMSE (meV)",
            "95 % interval (meV)",
            "spread (meV)",
            "slope",
            "Pearson r",
            "R²",
            "rank r within",
            "offset (meV)",
            "configurations",
        ),
        tuple(rows),
    )


def total_table(models: Sequence[ModelResult]) -> Table:
    """Errors of total energies of every model."""
    rows = tuple(
        (
            model.name,
            model.n_parameters,
            model.seed,
            s.system,
            mev(s.rmse.value),
            mev_interval(s.rmse),
            mev(s.mae.value),
            mev(s.mean_error),
            s.n_configurations,
        )
        for model in models
        for s in model.totals
    )
    return Table(
        "total-energies",
        "Total energies of every model, per atom",
        "On configurations left out of training.",
        (
            "model",
            "parameters",
            "seed",
            "system",
            "RMSE (meV)",
            "95 % interval (meV)",
            "MAE (meV)",
            "mean error (meV)",
            "configurations",
        ),
        rows,
    )


def shortcut_table(data: ReportData) -> Table:
    """Error of each shortcut against the direct energies."""
    rows: list[tuple[Cell, ...]] = []
    for comparison in data.shortcuts:
        for result in comparison.results:
            bounds = {(b.system, b.species): b.rmse for b in result.upper_bounds}
            for s in result.scores:
                rows.append(
                    (
                        result.fit.predictor.name,
                        ", ".join(comparison.trained_on),
                        s.system,
                        chemical_symbols[s.species],
                        mev(s.rmse.value),
                        mev_interval(s.rmse),
                        mev(bounds[s.system, s.species]),
                        mev(s.spread),
                        s.slope.value,
                        s.pearson.value,
                        result.held_out.r2,
                        mev(result.held_out.rmse),
                        mev(result.sum_rule_rms),
                    )
                )
    return Table(
        "shortcuts",
        "Error budget of the shortcut",
        "Error of per-atom energies by the shortcut against the direct basin energies. The bound "
        "is the same predictor fitted to the basin energies. Held-out columns judge totals. The "
        "sum-rule residual is what the per-atom energies missed the total by, before it was "
        "spread back.",
        (
            "predictor",
            "fitted on",
            "system",
            "species",
            "RMSE (meV)",
            "95 % interval (meV)",
            "bound (meV)",
            "spread (meV)",
            "slope",
            "Pearson r",
            "held-out R²",
            "held-out RMSE (meV/atom)",
            "sum-rule residual (meV/atom)",
        ),
        tuple(rows),
    )


def slope_table(data: ReportData) -> Table:
    """Slopes of the shortcuts with their intervals."""
    rows: list[tuple[Cell, ...]] = []
    for comparison in data.shortcuts:
        for result in comparison.results:
            fit = result.fit
            terms = fit.predictor.name.split(",")
            is_shared = len(result.slope_intervals) < fit.slopes.size
            local = {(b.system, b.species): b.slopes for b in result.upper_bounds}
            for row, number in enumerate(fit.species):
                for column, term in enumerate(terms):
                    position = column if is_shared else row * len(terms) + column
                    interval = result.slope_intervals[position]
                    fitted = [
                        f"{slopes[column]:.3f} ({system})"
                        for (system, species), slopes in local.items()
                        if species == number
                    ]
                    rows.append(
                        (
                            fit.predictor.name,
                            ", ".join(comparison.trained_on),
                            chemical_symbols[number],
                            term,
                            float(fit.slopes[row, column]),
                            with_minus(f"{interval.low:.3f} to {interval.high:.3f}"),
                            "; ".join(fitted),
                            fit.n_configurations,
                            fit.note or "all determined",
                        )
                    )
    return Table(
        "slopes",
        "Slopes of the shortcut",
        "Fitted on totals, with bootstrap intervals over configurations, beside the slope that a "
        "fit to the atoms themselves has.",
        (
            "predictor",
            "fitted on",
            "species",
            "term",
            "slope",
            "95 % interval",
            "slope of the atoms",
            "configurations",
            "coefficients",
        ),
        tuple(rows),
    )


def locality_table(data: ReportData) -> Table:
    """How far near neighbours explain the basin energy."""
    return Table(
        "locality",
        "Basin energies are local",
        "Ridge regression of basin energies on radial functions of the neighbours, each "
        "configuration predicted by a fit to the others.",
        ("system", "species", "RMSE (meV)", "spread (meV)", "Pearson r", "atoms"),
        tuple(
            (
                s.system,
                chemical_symbols[s.species],
                mev(s.rmse),
                mev(s.spread),
                s.pearson,
                s.n_atoms,
            )
            for s in data.locality
        ),
    )


def association_table(data: ReportData) -> Table:
    """Local fidelity against transfer."""
    return Table(
        "transfer-correlations",
        "Local error and transfer error",
        "Spearman correlation over networks; partial: given the covariates. Adjusted p-values are "
        "Holm's over all rows.",
        (
            "target",
            "networks",
            "n",
            "Spearman",
            "95 % interval",
            "partial",
            "95 % interval of partial",
            "p",
            "adjusted p",
        ),
        tuple(
            (
                a.target,
                a.group,
                a.n_models,
                a.correlation.value,
                interval(a.correlation),
                a.partial.value,
                interval(a.partial),
                a.p_value,
                a.adjusted_p_value,
            )
            for a in data.associations
        ),
    )


def noise_table(data: ReportData) -> Table:
    """Noise floors."""
    rows: tuple[tuple[Cell, ...], ...] = ()
    if data.noise is not None:
        floors = (
            ("basin surfaces: ¼ ∫∇²ρ, root mean square", data.noise.kinetic_gauge),
            ("closure of the energy per atom, root mean square", data.noise.closure),
            ("seeds of one network, per atom (averages out over seeds)", data.noise.seeds),
        )
        rows = tuple((name, mev(value)) for name, value in floors if np.isfinite(value))
    return Table(
        "noise-floors",
        "Noise floors",
        "Blur of a label and of one network. Local errors below the labels' blur mean nothing; "
        "slopes are of means over seeds, atoms and configurations, and their own intervals say how "
        "far they are known.",
        ("source", "size (meV)"),
        rows,
    )
