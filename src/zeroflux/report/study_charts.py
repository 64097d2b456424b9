"""Charts of the study: the effect of size, of data, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zeroflux.evaluation import Estimate
from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.colours import size_key
from zeroflux.report.data import JudgedClaim, ReportData
from zeroflux.report.selection import model_title, shown_networks
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT


def size_slopes(data: ReportData) -> Chart | None:
    """Slope of the local error on log size, for each training set and architecture."""
    cells = data.main_cells
    if not cells:
        return None
    panels = []
    for title, effect, pick in (
        ("size alone", "size_slope", lambda cell: cell.slope),
        (
            "at equal error of totals",
            "size_slope_at_equal_totals",
            lambda cell: cell.slope_at_equal_totals,
        ),
    ):
        found = [(cell, regression.slope) for cell in cells if (regression := pick(cell))]
        series = [
            _intervals(
                architecture,
                [(c.trained_on, slope) for c, slope in found if c.architecture == architecture],
            )
            for architecture in dict.fromkeys(cell.architecture for cell, _ in found)
        ]
        for claim in data.claims:
            if claim.effect == effect:
                if len(found) > 1:
                    mean = [("mean of all", claim.verdict.effect)]
                    series.append(replace(_intervals("mean of all", mean), colour="reference"))
                series.append(_criterion(claim, MILLIELECTRONVOLT))
        if found:
            panels.append(
                Panel(title, "training set", "meV for ten times the parameters", tuple(series))
            )
    return Chart(
        "size-slopes",
        "What ten times the parameters do to the local error",
        "Slope of the local error on log10 of the number of parameters; bars are 95 % intervals "
        "over seeds, for the mean over training sets and architectures. Right of zero, larger "
        "networks decompose worse; right of the dashed line, by as much as the claim says. At "
        "equal error of totals, networks are compared that learned their totals equally well.",
        tuple(panels),
        n_columns=2,
    )


def _intervals(name: str, rows: Sequence[tuple[str, Estimate]]) -> Series:
    """Slopes with their intervals (meV per decade)."""
    values = np.array([[e.value, e.low, e.high] for _, e in rows]) / MILLIELECTRONVOLT
    return Series(name, [x for x, _ in rows], values[:, 0], low=values[:, 1], high=values[:, 2])


def _criterion(claim: JudgedClaim, unit: float = 1.0) -> Series:
    """The claim's smallest effect as a level."""
    criterion = claim.verdict.criterion
    sign = 1.0 if criterion.direction == "positive" else -1.0
    value = sign * criterion.minimum_effect / unit
    return Series("least effect claimed", (), [value], kind="level", colour="criterion")


def transfer_correlation(data: ReportData) -> Chart | None:
    """Partial correlation of local error and transfer error, for each training set."""
    rows = [
        (a.group.removesuffix(": all"), a.partial)
        for a in data.associations
        if a.group.endswith(": all") and a.target.startswith("mean of")
    ]
    if not rows:
        return None
    unit = MILLIELECTRONVOLT  # taken out again: correlations have no unit
    series = [_scaled(_intervals("training sets", rows), unit, "argon")]
    for claim in data.claims:
        if claim.effect == "fidelity_transfer":
            mean = [("mean of all", claim.verdict.effect)]
            series.append(_scaled(_intervals("mean of all", mean), unit, "reference"))
            series.append(_criterion(claim))
    return Chart(
        "transfer-correlation",
        "Does a better decomposition go with better transfer?",
        "Partial rank correlation, over networks, of the local error at home with the error of "
        "totals on systems never seen; size, architecture and error of totals at home are taken "
        "out. 0: none, 1: complete. Bars are 95 % intervals.",
        (Panel("", "training set", "partial rank correlation", tuple(series)),),
        n_columns=1,
    )


def _scaled(series: Series, factor: float, colour: str) -> Series:
    """Values and intervals times a factor, in another colour."""
    ends = {k: np.asarray(getattr(series, k)) * factor for k in ("y", "low", "high")}
    return replace(series, colour=colour, **ends)


def learning_curve(data: ReportData) -> Chart | None:
    """Local error against the number of training configurations, a line for each size."""
    panels = []
    known = [m for m in data.networks if m.n_training_configurations > 0]
    for trained_on, architecture in dict.fromkeys((m.trained_on, m.architecture) for m in known):
        own = [m for m in known if (m.trained_on, m.architecture) == (trained_on, architecture)]
        series = []
        for size in sorted({m.size or m.n_parameters for m in own}):
            of_size = [m for m in own if (m.size or m.n_parameters) == size]
            counts = np.unique([m.n_training_configurations for m in of_size])
            if len(counts) < 2:
                continue
            errors = [
                np.array([m.home_error for m in of_size if m.n_training_configurations == count])
                / MILLIELECTRONVOLT
                for count in counts
            ]
            scatter = np.array([e.std(ddof=1) if len(e) > 1 else np.nan for e in errors])
            mean = np.array([e.mean() for e in errors])
            series.append(
                Series(
                    f"{size:,} parameters",
                    counts,
                    mean,
                    kind="line",
                    low=np.maximum(mean - scatter, 0.2 * mean),
                    high=mean + scatter,
                    colour=size_key(size),
                )
            )
        if series:
            panels.append(
                Panel(
                    f"{architecture}, trained on {trained_on}",
                    "training configurations",
                    "local error (meV)",
                    tuple(series),
                    is_x_log=True,
                    is_y_log=True,
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
    )


def error_by_rigidity(data: ReportData) -> Chart | None:
    """Local error in groups of equal rigidity, a panel for each training set."""
    if not data.rigidity:
        return None
    models = {model_title(data, m): m for m in shown_networks(data)}
    panels: dict[str, list[Series]] = {}
    for name, profile in data.rigidity.items():
        model = models.get(name)
        own = panels.setdefault("" if model is None else f"trained on {model.trained_on}", [])
        own.append(
            Series(
                name if model is None else f"{model.n_parameters:,} parameters",
                range(1, len(profile.rmse) + 1),
                [value / MILLIELECTRONVOLT for value in profile.rmse],
                kind="line",
                colour=name if model is None else size_key(model.n_parameters),
            )
        )
    return Chart(
        "error-by-rigidity",
        "Local error against local prediction rigidity",
        "Atoms in groups of equal number, from those whose energy the training totals pin down "
        "least (1) to those they pin down most. A falling line means that error follows from what "
        "the data leave open.",
        tuple(
            Panel(title, "group by rigidity", "local error (meV)", tuple(s), is_y_from_zero=True)
            for title, s in panels.items()
        ),
    )


def receptive_fields(data: ReportData) -> Chart | None:
    """Size of a local energy's gradient by distance, for networks of several sizes."""
    panels = []
    for trained_on, architecture in dict.fromkeys(
        (r.trained_on, r.architecture) for r in data.reaches
    ):
        series = []
        for reach in sorted(data.reaches, key=lambda reach: reach.n_parameters):
            if (reach.trained_on, reach.architecture) != (trained_on, architecture):
                continue
            middle = 0.5 * (reach.field.edges[1:] + reach.field.edges[:-1])
            known = np.isfinite(reach.field.sensitivity)
            size = reach.size or reach.n_parameters
            series.append(
                Series(
                    f"{size:,} parameters",
                    middle[known] / ANGSTROM,
                    reach.field.sensitivity[known] * ANGSTROM / MILLIELECTRONVOLT,
                    kind="line",
                    colour=size_key(size),
                )
            )
        panels.append(
            Panel(
                f"{architecture}, trained on {trained_on}",
                "distance of the neighbour (Å)",
                "|∂ε/∂R|, rms (meV/Å)",
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
    )


def seed_ambiguity(data: ReportData) -> Chart | None:
    """Differences between seeds, of local energies and of totals, side by side."""
    if not data.ambiguities:
        return None
    panels = []
    for trained_on in dict.fromkeys(a.trained_on for a in data.ambiguities):
        own = [a for a in data.ambiguities if a.trained_on == trained_on]
        for title, pick in (("local energies", "local"), ("totals per atom", "total")):
            series = []
            for architecture in dict.fromkeys(a.architecture for a in own):
                rows = [a for a in own if a.architecture == architecture]
                series.append(
                    Series(
                        architecture,
                        [a.n_parameters for a in rows],
                        [getattr(a.found, pick) / MILLIELECTRONVOLT for a in rows],
                        kind="line",
                    )
                )
            panels.append(
                Panel(
                    f"{title}, trained on {trained_on}",
                    "number of parameters",
                    "difference between seeds (meV)",
                    tuple(series),
                    is_x_log=True,
                    is_y_log=True,
                )
            )
    return Chart(
        "seed-ambiguity",
        "What totals leave open",
        "Root-mean-square difference between networks that differ by their seed only, on systems "
        "like those trained on. Where local energies differ by far more than totals, networks "
        "agree on the sum and not on how to share it out.",
        tuple(panels),
        n_columns=2,
    )
