"""Charts as plotly.js figures: plain dictionaries; the page adds colours of its theme."""

from __future__ import annotations

from typing import Any

import numpy as np

from zeroflux.report.chart import (
    PALETTE,
    SYMBOLS,
    Chart,
    Panel,
    Series,
    column_count,
    log_ticks,
    shared_range,
)

PANEL_HEIGHT = 320


def plotly_figure(chart: Chart) -> dict[str, Any]:
    """Figure of a chart with ``data`` and ``layout`` as plotly.js takes them."""
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "annotations": [],
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.16, "x": 0},
        "margin": {"l": 60, "r": 16, "t": 58, "b": 50},
        "showlegend": any(len(panel.series) > 1 for panel in chart.panels),
    }
    n_columns = column_count(chart)
    if any(panel.has_diagonal for panel in chart.panels):
        n_columns = max(n_columns, 2)  # a lone parity plot stays near a square
    n_rows = -(-len(chart.panels) // n_columns)
    if any(panel.has_categories for panel in chart.panels):
        # Series side by side at each category; those of one colour belong together.
        layout |= {"scattermode": "group", "scattergap": 0.6}
    shown: set[str] = set()
    for index, panel in enumerate(chart.panels):
        suffix = "" if index == 0 else str(index + 1)
        row, column = divmod(index, n_columns)
        layout |= _axes(
            panel,
            suffix,
            _domain(column, n_columns, 0.09),
            _domain(n_rows - 1 - row, n_rows, 0.16 if n_rows > 1 else 0.0),
        )
        layout["annotations"].append(
            {
                "text": panel.title,
                "xref": f"x{suffix} domain",
                "yref": f"y{suffix} domain",
                "x": 0,
                "y": 1,
                "xanchor": "left",
                "yanchor": "bottom",
                "yshift": 4,
                "showarrow": False,
                "font": {"size": 13},
            }
        )
        if panel.has_diagonal:
            low, high = shared_range(panel)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [low, high],
                    "y": [low, high],
                    "line": {"dash": "dot", "width": 1, "color": "#888888"},
                    "hoverinfo": "skip",
                    "showlegend": False,
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                }
            )
        for series in panel.series:
            trace = _trace(series, panel)
            trace |= {
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "legendgroup": series.name,
                "showlegend": series.name not in shown,
            }
            shown.add(series.name)
            traces.append(trace)
    layout["meta"] = {"n_columns": n_columns, "n_panels": len(chart.panels)}
    layout["height"] = PANEL_HEIGHT * n_rows + 90
    return {"data": traces, "layout": layout}


def _domain(position: int, count: int, gap: float) -> list[float]:
    """Share of the plot along one direction, with gaps between panels."""
    width = (1.0 - gap * (count - 1)) / count
    start = position * (width + gap)
    return [round(start, 6), round(min(start + width, 1.0), 6)]


def _axes(
    panel: Panel, suffix: str, x_domain: list[float], y_domain: list[float]
) -> dict[str, Any]:
    """Both axes of a panel."""
    x: dict[str, Any] = {
        "title": {"text": panel.x_label, "standoff": 6},
        "domain": x_domain,
        "anchor": f"y{suffix}",
        "automargin": True,
    }
    y: dict[str, Any] = {
        "title": {"text": panel.y_label, "standoff": 6},
        "domain": y_domain,
        "anchor": f"x{suffix}",
        "automargin": True,
    }
    if panel.is_x_log:
        x |= {"type": "log"} | _log_ticks(panel)
    if panel.is_y_log:
        y |= {"type": "log", "dtick": "D2"}
    elif panel.is_y_from_zero:
        y["rangemode"] = "tozero"
    if panel.has_diagonal:
        x["range"] = y["range"] = list(shared_range(panel))
    return {f"xaxis{suffix}": x, f"yaxis{suffix}": y}


def _log_ticks(panel: Panel) -> dict[str, Any]:
    """Whole decades as ticks, or the values themselves where they span little more than one."""
    values = log_ticks(panel)
    if values is None:
        return {"dtick": 1}
    return {"tickvals": values, "ticktext": [f"{value:,.0f}" for value in values]}


def _trace(series: Series, panel: Panel) -> dict[str, Any]:
    """One series as a scatter trace."""
    colour = PALETTE[series.colour % len(PALETTE)]
    x, y = _plain(series.x), _plain(series.y)
    trace: dict[str, Any] = {"type": "scatter", "name": series.name, "x": x, "y": y}
    if panel.has_categories and series.kind != "level":
        trace["offsetgroup"] = str(series.colour)
    if series.kind == "level":
        others = [s for s in panel.series if s.kind != "level" and len(s.x)]
        x = [v for s in others for v in _plain(s.x)] or [0, 1]
        ends = [x[0], x[-1]] if isinstance(x[0], str) else [min(x), max(x)]
        if ends[0] == ends[1] and not isinstance(ends[0], str):  # a lone point: make it a line
            ends = [0.5 * ends[0], 2.0 * ends[1]]
        return trace | {
            "mode": "lines",
            "x": ends,
            "y": y * 2,
            "line": {"dash": "dash", "width": 1.5, "color": colour},
            "hovertemplate": "%{y:.3g}<extra>%{fullData.name}</extra>",
        }
    if series.kind == "line":
        trace |= {"mode": "lines", "line": {"color": colour, "width": 1.8}}
    else:
        symbol = SYMBOLS[series.colour % len(SYMBOLS)] + ("-open" if series.is_hollow else "")
        size = 8 if len(y) < 60 else 5
        trace |= {
            "mode": "markers",
            "marker": {
                "color": colour,
                "symbol": symbol,
                "size": size,
                "opacity": 0.85 if len(y) < 200 else 0.55,
            },
        }
    if series.low is not None and series.high is not None:
        middle = np.asarray(series.y, dtype=np.float64)
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": _plain(np.asarray(series.high) - middle),
            "arrayminus": _plain(middle - np.asarray(series.low)),
            "color": colour,
            "thickness": 1.2,
            "width": 3,
        }
    if series.note is not None:
        trace |= {"text": list(series.note), "hovertemplate": "%{text}<br>%{x:.4~g}, %{y:.4~g}"}
    return trace


def _plain(values: Any) -> list[Any]:
    """Numbers to 7 digits that JSON can hold; undefined ones become null."""
    out: list[Any] = []
    for value in values:
        if isinstance(value, str):
            out.append(value)
        else:
            number = float(value)
            out.append(float(f"{number:.7g}") if np.isfinite(number) else None)
    return out
