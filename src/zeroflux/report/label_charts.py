"""Charts of the configurations and of the quality of their labels."""

from __future__ import annotations

import numpy as np

from zeroflux.labels import system_name
from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import EnergyTrace, ReportData
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

MAX_TRACES = 5
"""Runs of a system that are drawn; of more, evenly chosen ones."""


def sampling_traces(data: ReportData) -> Chart | None:
    """Potential energy along the sampling runs, a panel for each system."""
    if not data.traces:
        return None
    systems: dict[str, list[EnergyTrace]] = {}
    for trace in data.traces:
        systems.setdefault(trace.name.partition(", ")[0], []).append(trace)
    panels = []
    for system, own in systems.items():
        shown = np.unique(np.linspace(0, len(own) - 1, min(MAX_TRACES, len(own))).astype(int))
        series = tuple(
            Series(
                own[k].name.partition(", ")[2] or own[k].name,
                own[k].step,
                own[k].energy_per_atom / MILLIELECTRONVOLT,
                kind="line",
            )
            for k in shown
        )
        panels.append(Panel(system, "step", "energy per atom (meV)", series))
    return Chart(
        "sampling-energy",
        "Energy along the sampling runs",
        "Energy per atom of the potential that generated the configurations. A drift here would "
        "mean that the liquid had not settled.",
        tuple(panels),
    )


def radial_distributions(data: ReportData) -> Chart | None:
    """Radial distribution functions of the sampled configurations."""
    if not data.distributions:
        return None
    series = tuple(
        Series(item.name, item.distance / ANGSTROM, item.g, kind="line")
        for item in data.distributions
    )
    return Chart(
        "radial-distribution",
        "Radial distribution functions",
        "Of the configurations that were labelled. Liquid argon at 84 K has its first maximum at "
        "3.78 Å.",
        (Panel("", "distance (Å)", "g(r)", series, is_y_from_zero=True),),
        n_columns=1,
    )


def label_quality(data: ReportData) -> Chart | None:
    """Closure residual per configuration and ∫∇²ρ per atom: medians and extremes by system."""
    labels = [label for label in data.labels if label.is_converged]
    if not labels:
        return None
    found: dict[str, list[tuple[float, float]]] = {}
    for label in labels:
        closure = abs(label.closure) / label.n_atoms / MILLIELECTRONVOLT
        flux = 0.25 * np.abs(label.terms.laplacian).max() / MILLIELECTRONVOLT
        found.setdefault(system_name(label), []).append((closure, float(flux)))
    panels = []
    for k, (title, axis) in enumerate(
        (("closure", "|residual| per atom (meV)"), ("zero flux", "¼ max |∫∇²ρ| (meV)"))
    ):
        values = [np.array([pair[k] for pair in pairs]) for pairs in found.values()]
        series = Series(
            "configurations",
            list(found),
            [float(np.median(v)) for v in values],
            low=[float(v.min()) for v in values],
            high=[float(v.max()) for v in values],
            colour="argon",
        )
        panels.append(Panel(title, "system", axis, (series,), is_y_from_zero=True))
    return Chart(
        "label-quality",
        "Quality of the labels",
        "Medians, and bars from the smallest to the largest. Closure: total energy less the sum of "
        "the integrated terms, per atom. Zero flux: a quarter of the largest |∫∇²ρ| over a basin, "
        "by which two legitimate kinetic energies of that atom differ; zero for exact basins.",
        tuple(panels),
        n_columns=2,
    )
