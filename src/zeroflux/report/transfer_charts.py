"""Charts of the study: transfer to other systems, and learning curves."""

from __future__ import annotations

import numpy as np

from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ModelResult, ReportData
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT


def transfer_matrix(data: ReportData) -> Chart | None:
    """Total error on every system, by training set and size; the median over seeds."""
    if len({s.system for m in data.networks for s in m.totals}) < 2:
        return None
    panels = []
    for trained_on in dict.fromkeys(model.trained_on for model in data.networks):
        own = [model for model in data.networks if model.trained_on == trained_on]
        series = []
        for colour, (architecture, size) in enumerate(_sizes(own)):
            group = [m for m in own if (m.architecture, m.n_parameters) == (architecture, size)]
            systems = list(dict.fromkeys(s.system for m in group for s in m.totals))
            errors = [
                np.array([_total_error(m, system) for m in group]) / MILLIELECTRONVOLT
                for system in systems
            ]
            series.append(
                Series(
                    f"{architecture} {size:,}",
                    systems,
                    [float(np.median(e)) for e in errors],
                    low=[float(e.min()) for e in errors],
                    high=[float(e.max()) for e in errors],
                    colour=colour,
                )
            )
        panels.append(
            Panel(
                f"trained on {trained_on}",
                "scored on",
                "error of totals per atom, centred (meV)",
                tuple(series),
                is_y_from_zero=True,
            )
        )
    return Chart(
        "transfer-matrix",
        "Error of total energies by training set and target",
        "Points are medians over seeds, bars run from the best to the worst seed. The mean error "
        "of a system is taken out, because totals of one composition fix no offset.",
        tuple(panels),
        n_columns=2,
    )


def fidelity_transfer(data: ReportData) -> Chart | None:
    """Local error at home against total error elsewhere, one point per network."""
    panels = []
    targets = dict.fromkeys(
        s.system for m in data.networks for s in m.totals if not m.is_home(s.system)
    )
    for target in targets:
        series = []
        for colour, architecture in enumerate(
            dict.fromkeys(model.architecture for model in data.networks)
        ):
            own = [
                model
                for model in data.networks
                if model.architecture == architecture
                and not model.is_home(target)
                and any(s.system == target for s in model.totals)
            ]
            if own:
                series.append(
                    Series(
                        architecture,
                        [model.home_error / MILLIELECTRONVOLT for model in own],
                        [_total_error(model, target) / MILLIELECTRONVOLT for model in own],
                        colour=colour,
                        note=[f"{m.name}: {m.n_parameters:,} parameters" for m in own],
                    )
                )
        panels.append(
            Panel(
                f"to {target}",
                "local error at home (meV)",
                "error of totals there, per atom (meV)",
                tuple(series),
                is_y_from_zero=True,
            )
        )
    if not panels:
        return None
    return Chart(
        "fidelity-transfer",
        "Does a better decomposition transfer better?",
        "Each point is a network: its local error on the systems it was trained for against the "
        "centred error of its totals on a system it never saw. A rising cloud would speak for the "
        "claim; the table gives the correlation with size and total error taken out.",
        tuple(panels),
    )


def learning_curve(data: ReportData) -> Chart | None:
    """Local error against the number of training configurations, by size."""
    networks = [m for m in data.networks if m.n_training_configurations > 0]
    if len({m.n_training_configurations for m in networks}) < 2:
        return None
    series = []
    for colour, (architecture, size) in enumerate(_sizes(networks)):
        own = [m for m in networks if (m.architecture, m.n_parameters) == (architecture, size)]
        counts = np.unique([m.n_training_configurations for m in own])
        errors = [
            np.array([m.home_error for m in own if m.n_training_configurations == count])
            / MILLIELECTRONVOLT
            for count in counts
        ]
        scatter = np.array([e.std(ddof=1) if len(e) > 1 else np.nan for e in errors])
        mean = np.array([e.mean() for e in errors])
        series.append(
            Series(
                f"{architecture} {size:,}",
                counts,
                mean,
                kind="line",
                low=mean - scatter,
                high=mean + scatter,
                colour=colour,
            )
        )
    return Chart(
        "learning-curve",
        "Local error against the amount of data",
        "Means over seeds with one standard deviation. Small networks may lead only while data "
        "are scarce.",
        (
            Panel(
                "all training sets",
                "training configurations",
                "local error, centred RMSE (meV)",
                tuple(series),
                is_x_log=True,
                is_y_from_zero=True,
            ),
        ),
        n_columns=1,
    )


def dimer_curves(data: ReportData) -> Chart | None:
    """Dimer curves of models beside the reference, one panel per pair."""
    panels = []
    methods = list(dict.fromkeys(curve.method for curve in data.dimers))
    for pair in dict.fromkeys(curve.pair for curve in data.dimers):
        series = tuple(
            Series(
                curve.method,
                curve.distance / ANGSTROM,
                curve.energy / MILLIELECTRONVOLT,
                kind="line",
                colour=methods.index(curve.method),
            )
            for curve in data.dimers
            if curve.pair == pair
        )
        panels.append(Panel(pair, "distance (Å)", "interaction energy (meV)", series))
    if not panels:
        return None
    return Chart(
        "dimer-curves",
        "Dimer curves",
        "A dimer is far from any liquid, and each of two equal atoms must get half of its energy. "
        "No dimer was trained on unless the training set is said to hold clusters.",
        tuple(panels),
    )


def error_by_rigidity(data: ReportData) -> Chart | None:
    """Local error in groups of equal rigidity."""
    if not data.rigidity:
        return None
    series = []
    for colour, (name, profile) in enumerate(data.rigidity.items()):
        groups = [f"{k + 1} of {len(profile.rmse)}" for k in range(len(profile.rmse))]
        series.append(
            Series(
                name, groups, [value / MILLIELECTRONVOLT for value in profile.rmse], colour=colour
            )
        )
    return Chart(
        "error-by-rigidity",
        "Local error against local prediction rigidity",
        "Atoms in groups of equal number, from those whose energy the training totals pin down "
        "least to those they pin down most. A falling series means that error follows from what "
        "the data leave open.",
        (
            Panel(
                "evaluated atoms",
                "group by rigidity, least rigid first",
                "local error (meV)",
                tuple(series),
                is_y_from_zero=True,
            ),
        ),
        n_columns=1,
    )


def _sizes(models: list[ModelResult]) -> list[tuple[str, int]]:
    """Architectures and sizes that occur, smallest first."""
    return list(dict.fromkeys((m.architecture, m.n_parameters) for m in models))


def _total_error(model: ModelResult, system: str) -> float:
    """Centred error of totals per atom on a system (hartree); NaN if it was not scored there."""
    return next((s.centred_rmse.value for s in model.totals if s.system == system), float("nan"))
