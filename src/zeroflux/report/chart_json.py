"""Charts as plain data for the page's script, which draws them as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from zeroflux.report.axes import Axis, panel_axes, tick_text
from zeroflux.report.chart import Chart, Panel, Series, column_count
from zeroflux.report.colours import Tint


def chart_json(chart: Chart, tints: Mapping[str, Tint]) -> dict[str, Any]:
    """A chart with all that is drawn: ranges, marks, points to five digits, numbers of tints."""
    number = {key: k for k, key in enumerate(tints)}
    return {
        "title": chart.title,
        "caption": chart.caption,
        "columns": column_count(chart),
        "panels": [_panel(panel, tints, number) for panel in chart.panels],
    }


def tint_style(tints: Mapping[str, Tint], ground: str) -> str:
    """The tints as declarations of CSS variables for a ``light`` or ``dark`` ground."""
    return "".join(f"--t{k}:{getattr(tint, ground)};" for k, tint in enumerate(tints.values()))


def _panel(panel: Panel, tints: Mapping[str, Tint], number: Mapping[str, int]) -> dict[str, Any]:
    x, y = panel_axes(panel)
    return {
        "title": panel.title,
        "xLabel": panel.x_label,
        "yLabel": panel.y_label,
        "names": list(panel.categories) if panel.has_categories else None,
        "x": None if x is None else _axis(x),
        "y": _axis(y),
        "diagonal": panel.has_diagonal,
        "series": [_series(s, tints[s.key], number[s.key]) for s in panel.series],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "low": axis.low,
        "high": axis.high,
        "log": axis.is_log,
        "ticks": [[tick, tick_text(tick)] for tick in axis.ticks],
    }


def _series(series: Series, tint: Tint, number: int) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": series.name,
        "kind": series.kind,
        "tint": number,
        "symbol": tint.symbol,
        "x": plain(series.x),
        "y": plain(series.y),
    }
    if series.is_hollow:
        out["hollow"] = True
    if series.low is not None and series.high is not None:
        out |= {"low": plain(series.low), "high": plain(series.high)}
    if series.note is not None:
        out["note"] = list(series.note)
    return out


def plain(values: Iterable[Any]) -> list[Any]:
    """Numbers to five digits that JSON can hold; undefined ones become null."""
    out: list[Any] = []
    for value in values:
        if isinstance(value, str):
            out.append(value)
        else:
            number = float(value)
            short = float(f"{number:.5g}") if np.isfinite(number) else None
            out.append(int(short) if short is not None and short == int(short) else short)
    return out
