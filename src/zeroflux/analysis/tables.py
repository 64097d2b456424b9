"""Basins as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.table import Table

from zeroflux.analysis.frame_report import FrameReport

TITLES = {
    "population": "electrons (e)",
    "charge": "charge (e)",
    "volume": "volume (Å³)",
    "laplacian": "∫∇²ρ (e/Å²)",
    "attractor_distance": "attractor (Å)",
    "surface_distance": "surface (Å)",
}


_SMALL = ("laplacian", "coarse_change")


def atom_table(report: FrameReport) -> Table:
    """One frame for the terminal: a row for each atom, sums and grid totals below."""
    hidden = {"x", "y", "z", "valence"}
    if report.valence_source is None:
        hidden.add("charge")
    keys = [key for key in report.columns if key not in hidden]
    table = Table(title=f"{report.source}: {report.method} basins", show_footer=False)
    table.add_column("atom", justify="right")
    table.add_column("")
    for key in keys:
        title = TITLES.get(key, key.replace("_", " "))
        table.add_column(title.replace(" (", "\n("), justify="right", no_wrap=True)
    for i, element in enumerate(report.elements):
        cells = [_shown(key, float(report.columns[key][i])) for key in keys]
        table.add_row(str(i), element, *cells)
    if report.vacuum is not None:
        cells = [_shown(key, report.vacuum[key]) if key in report.vacuum else "" for key in keys]
        table.add_row("", "vacuum", *cells)
    table.add_section()
    for name, label in (("sum", "sum"), ("grid_total", "grid"), ("difference", "diff.")):
        cells = [
            _shown(key, report.totals[key][name], is_difference=name == "difference")
            if key in report.totals
            else ""
            for key in keys
        ]
        table.add_row("", label, *cells)
    return table


def trajectory_table(reports: Sequence[FrameReport]) -> Table:
    """Many frames for the terminal: a row for each, with what decides on trust."""
    table = Table(title=f"{len(reports)} frames: {reports[0].method} basins")
    for title in ("frame", "source", "atoms", "electrons (e)", "largest |∫∇²ρ| (e/Å²)",
                  "non-nuclear", "remarks"):  # fmt: skip
        table.add_column(title, justify="left" if title == "source" else "right")
    for report in reports:
        flux = np.abs(report.columns["laplacian"]).max()
        table.add_row(
            str(report.frame),
            report.source,
            str(report.n_atoms),
            f"{report.totals['population']['sum']:.6f}" if report.totals else "?",
            f"{flux:.1e}" if report.totals else "?",
            str(report.attractors["n_non_nuclear"]) if report.totals else "?",
            str(len(report.remarks)),
        )
    return table


def _shown(key: str, value: float, *, is_difference: bool = False) -> str:
    if not math.isfinite(value):
        return "?"
    if is_difference or any(part in key for part in _SMALL):
        return f"{value:.1e}"
    return f"{value:.3f}" if key.endswith("distance") else f"{value:.5f}"
