"""Charts of the configurations and of the quality of their labels."""

from __future__ import annotations

import numpy as np

from zeroflux.labels import system_name
from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ReportData
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT


def sampling_traces(data: ReportData) -> Chart | None:
    """Potential energy along the sampling runs."""
    if not data.traces:
        return None
    series = tuple(
        Series(
            trace.name,
            trace.step,
            trace.energy_per_atom / MILLIELECTRONVOLT,
            kind="line",
            colour=index,
        )
        for index, trace in enumerate(data.traces)
    )
    return Chart(
        "sampling-energy",
        "Energy along the sampling runs",
        "Energy per atom of the potential that generated the configurations. A drift here would "
        "mean that the liquid had not settled.",
        (Panel("sampling potential", "step", "energy per atom (meV)", series),),
        n_columns=1,
    )


def radial_distributions(data: ReportData) -> Chart | None:
    """Radial distribution functions of the sampled configurations."""
    if not data.distributions:
        return None
    series = tuple(
        Series(item.name, item.distance / ANGSTROM, item.g, kind="line", colour=index)
        for index, item in enumerate(data.distributions)
    )
    return Chart(
        "radial-distribution",
        "Radial distribution functions",
        "Of the configurations that were labelled. Liquid argon at 84 K has its first maximum at "
        "3.78 Å.",
        (Panel("g(r)", "distance (Å)", "g(r)", series, is_y_from_zero=True),),
        n_columns=1,
    )


def label_quality(data: ReportData) -> Chart | None:
    """Closure residual per configuration and ∫∇²ρ per atom."""
    labels = [label for label in data.labels if label.is_converged]
    if not labels:
        return None
    closure, laplacian = [], []
    for colour, name in enumerate(data.systems):
        own = [(k, label) for k, label in enumerate(labels) if system_name(label) == name]
        index = [k + 1 for k, _ in own]
        closure.append(
            Series(
                name,
                index,
                [label.closure / label.n_atoms / MILLIELECTRONVOLT for _, label in own],
                colour=colour,
            )
        )
        laplacian.append(
            Series(
                name,
                index,
                [
                    0.25 * np.abs(label.terms.laplacian).max() / MILLIELECTRONVOLT
                    for _, label in own
                ],
                colour=colour,
            )
        )
    return Chart(
        "label-quality",
        "Quality of the labels",
        "Closure: total energy less the sum of the integrated terms, per atom. Zero flux: a "
        "quarter of the largest |∫∇²ρ| over a basin, by which two legitimate kinetic energies of "
        "that atom differ; zero for exact basins.",
        (
            Panel("closure", "configuration", "residual per atom (meV)", tuple(closure)),
            Panel(
                "zero flux",
                "configuration",
                "¼ max |∫∇²ρ| (meV)",
                tuple(laplacian),
                is_y_from_zero=True,
            ),
        ),
        n_columns=2,
    )
