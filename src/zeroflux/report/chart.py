"""A chart as plain data, drawn by plotly in the page and by matplotlib into files."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

# Okabe and Ito's palette, told apart under all common forms of colour blindness; the order puts
# the best contrasts on both light and dark grounds first. Black and yellow are left out: each
# vanishes on one of the two grounds.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")


@dataclass(frozen=True, eq=False)
class Series:
    """Points or a line with optional vertical intervals, in the units of the axes."""

    name: str
    x: Sequence[float | int] | Sequence[str] | np.ndarray
    y: Sequence[float] | np.ndarray
    kind: Literal["points", "line", "level"] = "points"
    """``level`` is a horizontal line across the panel at the only value of `y`."""
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None
    colour: int = 0
    """Index into the palette; also picks the symbol, so that colour is never the only cue."""
    is_hollow: bool = False
    note: Sequence[str] | None = None
    """Text shown with each point."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    is_x_log: bool = False
    is_y_from_zero: bool = False
    is_y_log: bool = False
    has_diagonal: bool = False
    """Whether the line y = x is drawn and both axes share their range."""

    @property
    def has_categories(self) -> bool:
        """Whether x holds names rather than numbers."""
        return any(isinstance(x, str) for series in self.series for x in series.x)

    @property
    def categories(self) -> tuple[str, ...]:
        """Names on the x axis in order of appearance."""
        return tuple(dict.fromkeys(str(x) for series in self.series for x in series.x))


@dataclass(frozen=True, eq=False)
class Chart:
    """One or more panels with a caption that says what to see and how far to trust it."""

    name: str
    """Identifier: letters, digits and hyphens; also the file's name."""
    title: str
    caption: str
    panels: tuple[Panel, ...]
    n_columns: int = 3


def chart_csv(chart: Chart) -> str:
    """All points of a chart as comma-separated values with a header that names the units."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["panel", "series", "x_axis", "y_axis", "x", "y", "y_low", "y_high", "note"])
    for panel in chart.panels:
        for series in panel.series:
            n = len(series.y)
            x = list(series.x) if len(series.x) else [""] * n
            low = [""] * n if series.low is None else list(series.low)
            high = [""] * n if series.high is None else list(series.high)
            note = [""] * n if series.note is None else list(series.note)
            for row in zip(x, series.y, low, high, note, strict=True):
                cells = [_number(cell) for cell in row]
                writer.writerow([panel.title, series.name, panel.x_label, panel.y_label, *cells])
    return out.getvalue()


def _number(cell: object) -> object:
    """Seven significant digits of a number, text as it is."""
    return f"{cell:.7g}" if isinstance(cell, (float, np.floating)) else cell


def column_count(chart: Chart) -> int:
    """Panels in a row: as wished, but four stand two by two rather than three and one."""
    wished = min(chart.n_columns, len(chart.panels))
    return 2 if len(chart.panels) == 4 and wished == 3 else wished


def shared_range(panel: Panel) -> tuple[float, float]:
    """Common range of both axes of a parity panel with a margin."""
    values = [
        np.asarray(data, dtype=np.float64)
        for series in panel.series
        if series.kind != "level"
        for data in (series.x, series.y)
    ]
    joined = np.concatenate(values) if values else np.zeros(1)
    joined = joined[np.isfinite(joined)]
    if not joined.size:
        return -1.0, 1.0
    low, high = float(joined.min()), float(joined.max())
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def log_ticks(panel: Panel) -> list[float] | None:
    """Values to mark on a logarithmic axis that spans too little for whole decades; else None."""
    values = sorted({float(x) for s in panel.series if s.kind != "level" for x in s.x})
    if not values or values[-1] > 30 * values[0] or len(values) > 8:
        return None
    # Values too close for two labels share the first one's.
    kept = values[:1]
    kept += [b for a, b in itertools.pairwise(values) if b > 1.3 * a]
    return kept
