"""Charts as SVG and PNG files for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zeroflux.errors import missing_extra
from zeroflux.report.axes import Axis, panel_axes, tick_text
from zeroflux.report.chart import Chart, Panel, Series, chart_tints, column_count
from zeroflux.report.colours import Tint

_MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "cross": "x"}


def save_charts(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write each chart as ``NAME.svg`` and ``NAME.png``; returns the paths."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "report") from None
    folder.mkdir(parents=True, exist_ok=True)
    written, tints = [], chart_tints(charts)
    for chart in charts:
        n_columns = column_count(chart)
        n_rows = -(-len(chart.panels) // n_columns)
        # Figure without pyplot: no display, no global state, nothing to close.
        n_names = max(len(p.categories) if p.has_categories else 0 for p in chart.panels)
        size = (
            max((4.6 if n_names else 3.4) * n_columns, 4.5) + 0.4,
            max(3.0, 0.26 * n_names + 1.0) * n_rows + 0.6,
        )
        figure = Figure(figsize=size, layout="constrained")
        axes = np.atleast_1d(figure.subplots(n_rows, n_columns, squeeze=False)).ravel()
        for ax, panel in zip(axes, chart.panels, strict=False):
            _draw(ax, panel, tints)
            for artist in (*ax.lines, *ax.collections):
                artist.set_in_layout(False)  # marks lie inside their axes: no need to measure them
        for ax in axes[len(chart.panels) :]:
            ax.set_visible(False)
        handles: dict[str, Any] = {}
        for ax in axes[: len(chart.panels)]:
            handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        if len(handles) > 1:
            figure.legend(
                list(handles.values()),
                list(handles),
                loc="outside lower center",
                ncols=_legend_columns(list(handles), figure.get_figwidth()),
                frameon=False,
                fontsize=8,
            )
        for suffix in ("svg", "png"):
            path = folder / f"{chart.name}.{suffix}"
            figure.savefig(path, dpi=160, metadata={"Date": None} if suffix == "svg" else None)
            written.append(path)
            figure.set_layout_engine("none")  # what the first file settled holds for the second
    return written


def _legend_columns(names: list[str], width: float) -> int:
    """Columns of a legend that fit the width (inches) at 8 points, about 0.065 inch a letter."""
    return max(1, min(len(names), int(width / (0.065 * max(map(len, names)) + 0.6))))


def _draw(ax, panel: Panel, tints: Mapping[str, Tint]) -> None:
    """One panel on matplotlib axes."""
    has_names = panel.has_categories
    ax.set_title(panel.title, fontsize=9, loc="left", wrap=True)
    ax.set_xlabel(panel.y_label if has_names else panel.x_label, fontsize=9)
    ax.set_ylabel("" if has_names else panel.y_label, fontsize=9)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    x, y = panel_axes(panel)
    _set_axis(ax, "x", y if x is None else x)
    if x is not None:
        _set_axis(ax, "y", y)
    if panel.has_diagonal:
        ax.axline((y.low, y.low), slope=1.0, linestyle=":", color="#888888", linewidth=1)
    others = [series for series in panel.series if series.kind != "level"]
    for series in panel.series:
        colour = tints[series.key].light
        if series.kind == "level":
            line = ax.axvline if has_names else ax.axhline
            style = {"linestyle": "--", "linewidth": 1.2, "label": series.name}
            line(float(series.y[0]), color=colour, **style)
            continue
        places = list(series.x)
        if has_names:
            # Series one under the other at each name.
            shift = 0.16 * (others.index(series) - 0.5 * (len(others) - 1))
            places = [panel.categories.index(str(name)) + shift for name in places]
        _draw_series(ax, series, places, tints[series.key], has_names=has_names)
    if has_names:
        ax.set_yticks(range(len(panel.categories)), panel.categories)
        ax.set_ylim(len(panel.categories) - 0.4, -0.6)


def _set_axis(ax, which: str, axis: Axis) -> None:
    """Range and marks of one axis."""
    if axis.is_log:
        ax.set(**{f"{which}scale": "log"})
    ax.set(**{f"{which}lim": (axis.low, axis.high)})
    ax.set(**{f"{which}ticks": axis.ticks, f"{which}ticklabels": map(tick_text, axis.ticks)})
    ax.minorticks_off()


def _draw_series(ax, series: Series, places: list[Any], tint: Tint, *, has_names: bool) -> None:
    """One series on matplotlib axes."""
    y = np.asarray(series.y, dtype=np.float64)
    across, up = (y, places) if has_names else (places, y)
    if series.kind == "line":
        ax.plot(across, up, color=tint.light, linewidth=1.4, label=series.name)
    else:
        ax.plot(
            across,
            up,
            linestyle="none",
            marker=_MARKERS[tint.symbol],
            markersize=5 if len(y) < 60 else 2.5,
            color=tint.light,
            markerfacecolor="none" if series.is_hollow else tint.light,
            alpha=0.85 if len(y) < 200 else 0.55,
            label=series.name,
        )
    if series.low is not None and series.high is not None:
        low, high = np.asarray(series.low, float), np.asarray(series.high, float)
        known = np.isfinite(low) & np.isfinite(high)
        at = [v for v, k in zip(places, known, strict=True) if k]
        bars = ax.hlines if has_names else ax.vlines
        bars(at, low[known], high[known], color=tint.light, linewidth=1.0)
