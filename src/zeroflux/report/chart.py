"""A chart as plain data, drawn as SVG by the page and by matplotlib into files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zeroflux.report.colours import Tint, tints


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
    colour: str = ""
    """What its colour stands for, such as ``"argon"``; its name if empty. See `colours`."""
    is_hollow: bool = False
    note: Sequence[str] | None = None
    """Text shown with each point."""

    @property
    def key(self) -> str:
        """What its colour stands for."""
        return self.colour or self.name


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
        """Whether x holds names: they are written down the left side, values run along."""
        return any(isinstance(x, str) for series in self.series for x in series.x)

    @property
    def categories(self) -> tuple[str, ...]:
        """Names on the x axis in order of appearance."""
        return tuple(dict.fromkeys(str(x) for series in self.series for x in series.x))

    @property
    def keys(self) -> tuple[str, ...]:
        """What the colours of its series stand for, in order of appearance."""
        return tuple(dict.fromkeys(series.key for series in self.series))


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


def chart_tints(charts: Sequence[Chart]) -> dict[str, Tint]:
    """Tint of each key that occurs in the charts of a page."""
    return tints(key for chart in charts for panel in chart.panels for key in panel.keys)
