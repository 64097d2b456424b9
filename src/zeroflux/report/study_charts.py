"""Charts of the study: the effect of size, of data, and why."""

from __future__ import annotations

import numpy as np

from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ReportData
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT


def size_slopes(data: ReportData) -> Chart | None:
    """Slope of the local error on log size, for each training set and architecture."""
    if not data.cells:
        return None
    most = {t: max(c.n_training for c in data.cells if c.trained_on == t) for t in _sets(data)}
    cells = [cell for cell in data.cells if cell.n_training == most[cell.trained_on]]
    panels = []
    for title, pick in (
        ("size alone", lambda cell: cell.slope),
        ("at equal error of totals", lambda cell: cell.slope_at_equal_totals),
    ):
        series = []
        for colour, architecture in enumerate(dict.fromkeys(cell.architecture for cell in cells)):
            own = [
                (cell.trained_on, pick(cell).slope)
                for cell in cells
                if cell.architecture == architecture and pick(cell) is not None
            ]
            series.append(
                Series(
                    architecture,
                    [name for name, _ in own],
                    [slope.value / MILLIELECTRONVOLT for _, slope in own],
                    low=[slope.low / MILLIELECTRONVOLT for _, slope in own],
                    high=[slope.high / MILLIELECTRONVOLT for _, slope in own],
                    colour=colour,
                )
            )
        for claim in data.claims:
            if claim.unit:
                value = claim.verdict.criterion.minimum_effect / MILLIELECTRONVOLT
                sign = 1.0 if claim.verdict.criterion.direction == "positive" else -1.0
                series.append(
                    Series("the claim's minimum", (), [sign * value], kind="level", colour=4)
                )
                break
        panels.append(
            Panel(title, "training set", "change per decade of parameters (meV)", tuple(series))
        )
    return Chart(
        "size-slopes",
        "What ten times the parameters do to the local error",
        "Slope of the local error on log10 of the number of parameters; bars are 95 % intervals "
        "over seeds. Above zero, larger networks decompose worse. Right: the same with the error "
        "of totals as a covariate, which compares networks that learned their totals equally "
        "well.",
        tuple(panels),
        n_columns=2,
    )


def learning_curve(data: ReportData) -> Chart | None:
    """Local error against the number of training configurations, by size."""
    panels = []
    for trained_on in dict.fromkeys(m.trained_on for m in data.networks):
        networks = [
            m
            for m in data.networks
            if m.trained_on == trained_on and m.n_training_configurations > 0
        ]
        sizes: dict[tuple[str, int], set[int]] = {}
        for m in networks:
            key = (m.architecture, m.size or m.n_parameters)
            sizes.setdefault(key, set()).add(m.n_training_configurations)
        curves = [key for key, counts in sizes.items() if len(counts) > 1]
        series = []
        for colour, (architecture, size) in enumerate(curves):
            own = [
                m
                for m in networks
                if (m.architecture, m.size or m.n_parameters) == (architecture, size)
            ]
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
        if series:
            panels.append(
                Panel(
                    f"trained on {trained_on}",
                    "training configurations",
                    "local error, centred RMSE (meV)",
                    tuple(series),
                    is_x_log=True,
                    is_y_from_zero=True,
                )
            )
    if not panels:
        return None
    return Chart(
        "learning-curve",
        "Local error against the amount of data",
        "Means over seeds with one standard deviation. If small networks win only while data are "
        "scarce, their lines lie lowest on the left alone.",
        tuple(panels),
        n_columns=2,
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


def receptive_fields(data: ReportData) -> Chart | None:
    """Size of a local energy's gradient by distance, for networks of several sizes."""
    panels = []
    for trained_on in dict.fromkeys(reach.trained_on for reach in data.reaches):
        own = [reach for reach in data.reaches if reach.trained_on == trained_on]
        own.sort(key=lambda reach: (reach.architecture, reach.n_parameters))
        series = []
        for colour, reach in enumerate(own):
            middle = 0.5 * (reach.field.edges[1:] + reach.field.edges[:-1])
            per = MILLIELECTRONVOLT / ANGSTROM
            known = np.isfinite(reach.field.sensitivity)
            series.append(
                Series(
                    f"{reach.architecture} {reach.size or reach.n_parameters:,}",
                    middle[known] / ANGSTROM,
                    reach.field.sensitivity[known] / per,
                    kind="line",
                    colour=colour,
                )
            )
        panels.append(
            Panel(
                f"trained on {trained_on}",
                "distance of the neighbour (Å)",
                "|∂ε/∂R|, root mean square (meV/Å)",
                tuple(series),
                is_y_from_zero=True,
            )
        )
    if not panels:
        return None
    return Chart(
        "receptive-fields",
        "How far networks look",
        "Derivative of a local energy by the position of a neighbour at each distance, by "
        "automatic differentiation, in configurations of the test set. A pair potential gives "
        "half of its force.",
        tuple(panels),
        n_columns=2,
    )


def seed_ambiguity(data: ReportData) -> Chart | None:
    """Differences between seeds: of totals, and of local energies beyond what totals explain."""
    if not data.ambiguities:
        return None
    panels = []
    for trained_on in dict.fromkeys(a.trained_on for a in data.ambiguities):
        own = [a for a in data.ambiguities if a.trained_on == trained_on]
        series = []
        for colour, architecture in enumerate(dict.fromkeys(a.architecture for a in own)):
            rows = [a for a in own if a.architecture == architecture]
            size = [a.n_parameters for a in rows]
            for name, value, hollow in (
                ("local energies", [a.found.local for a in rows], False),
                ("totals per atom", [a.found.total for a in rows], True),
            ):
                series.append(
                    Series(
                        f"{architecture}: {name}",
                        size,
                        np.array(value) / MILLIELECTRONVOLT,
                        colour=colour,
                        is_hollow=hollow,
                    )
                )
        panels.append(
            Panel(
                f"trained on {trained_on}",
                "number of parameters",
                "difference between seeds (meV)",
                tuple(series),
                is_x_log=True,
                is_y_from_zero=True,
            )
        )
    return Chart(
        "seed-ambiguity",
        "What totals leave open",
        "Root-mean-square difference between networks that differ by their seed only, on systems "
        "like those trained on: of local energies (filled) and of totals per atom (hollow). Where "
        "the filled points lie far above the hollow ones, networks agree on totals and not on how "
        "to share them out.",
        tuple(panels),
        n_columns=2,
    )


def _sets(data: ReportData) -> list[str]:
    """Training sets of the cells."""
    return list(dict.fromkeys(cell.trained_on for cell in data.cells))
