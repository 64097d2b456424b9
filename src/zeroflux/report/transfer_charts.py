"""Charts of transfer: to other systems, and to two atoms alone."""

from __future__ import annotations

import numpy as np

from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.colours import size_key
from zeroflux.report.data import ModelResult, ReportData
from zeroflux.report.selection import place_words
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT


def transfer_matrix(data: ReportData) -> Chart | None:
    """Total error on every system, by training set; a panel per architecture."""
    networks = data.main_networks
    systems = list(dict.fromkeys(s.system for m in networks for s in m.totals))
    if len(systems) < 2:
        return None
    sets = list(dict.fromkeys(model.trained_on for model in networks))
    panels = []
    for architecture in dict.fromkeys(model.architecture for model in networks):
        series = []
        for trained_on in sets:
            group = [
                m for m in networks if (m.architecture, m.trained_on) == (architecture, trained_on)
            ]
            errors = {
                system: np.array([total_error(m, system) for m in group]) / MILLIELECTRONVOLT
                for system in systems
            }
            errors = {system: e[np.isfinite(e)] for system, e in errors.items()}
            errors = {system: e for system, e in errors.items() if len(e)}
            series.append(
                Series(
                    f"trained on {trained_on}",
                    [place_words(system) for system in errors],
                    [float(np.median(e)) for e in errors.values()],
                    low=[float(e.min()) for e in errors.values()],
                    high=[float(e.max()) for e in errors.values()],
                    colour=trained_on,
                )
            )
        panels.append(
            Panel(
                architecture,
                "scored on",
                "error of totals per atom, centred (meV)",
                tuple(series),
                is_y_log=True,
            )
        )
    return Chart(
        "transfer-matrix",
        "Error of total energies by training set and target",
        "Points are medians over sizes and seeds, bars run from the best to the worst network. The "
        "mean error of a system is taken out, because totals of one composition fix no offset. A "
        "system that holds an element the training set lacks is not scored.",
        tuple(panels),
        n_columns=2,
    )


def fidelity_transfer(data: ReportData) -> Chart | None:
    """Local error at home against total error elsewhere, one point per network."""
    networks = data.main_networks
    targets = dict.fromkeys(
        s.system
        for m in networks
        for s in m.totals
        if not m.is_home(s.system) and s.n_configurations > 1  # of one, nothing is left centred
    )
    by_set = len({m.trained_on for m in networks}) > 1

    def kind(model: ModelResult) -> str:
        return f"trained on {model.trained_on}" if by_set else model.architecture

    kinds = list(dict.fromkeys(kind(m) for m in networks))
    panels = []
    for target in targets:
        series = []
        for name in kinds:
            own = [
                model
                for model in networks
                if kind(model) == name
                and not model.is_home(target)
                and np.isfinite(total_error(model, target))
            ]
            if own:
                series.append(
                    Series(
                        name,
                        [model.home_error / MILLIELECTRONVOLT for model in own],
                        [total_error(model, target) / MILLIELECTRONVOLT for model in own],
                        colour=name.removeprefix("trained on "),
                        note=[
                            f"{m.architecture}, {m.n_parameters:,} parameters, seed {m.seed}"
                            for m in own
                        ],
                    )
                )
        panels.append(
            Panel(
                f"to {place_words(target)}",
                "local error at home (meV)",
                "error of totals there, per atom (meV)",
                tuple(series),
                is_x_log=True,
                is_y_log=True,
            )
        )
    if not panels:
        return None
    return Chart(
        "fidelity-transfer",
        "Does a better decomposition transfer better?",
        "Each point is a network: its local error on the systems it was trained for against the "
        "centred error of its totals on a system it never saw. Compare points of one colour. A "
        "rising cloud would speak for the claim; the table gives the correlation with size, "
        "architecture and total error taken out.",
        tuple(panels),
    )


def dimer_curves(data: ReportData) -> Chart | None:
    """Dimer curves of models beside the reference, a panel per pair and training set."""
    panels = []
    for pair in dict.fromkeys(curve.pair for curve in data.dimers):
        own = [curve for curve in data.dimers if curve.pair == pair]
        reference = [curve for curve in own if not curve.n_parameters]
        sets = dict.fromkeys(curve.trained_on for curve in own if curve.n_parameters)
        for trained_on in sets or [""]:
            shown = reference + [c for c in own if c.n_parameters and c.trained_on == trained_on]
            series = tuple(
                Series(
                    curve.method,
                    curve.distance / ANGSTROM,
                    curve.energy / MILLIELECTRONVOLT,
                    kind="line",
                    colour=size_key(curve.n_parameters) if curve.n_parameters else "reference",
                )
                for curve in shown
            )
            title = f"{pair}, trained on {trained_on}" if trained_on else pair
            panels.append(Panel(title, "distance (Å)", "interaction energy (meV)", series))
    if not panels:
        return None
    return Chart(
        "dimer-curves",
        "Dimer curves",
        "A dimer is far from any liquid, and each of two equal atoms must get half of its energy. "
        "No dimer was trained on unless the training set is said to hold clusters.",
        tuple(panels),
    )


def total_error(model: ModelResult, system: str) -> float:
    """Centred error of totals per atom on a system (hartree); NaN if it was not scored there."""
    return next((s.centred_rmse.value for s in model.totals if s.system == system), float("nan"))
