"""Charts as SVG and PNG files for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zeroflux.errors import missing_extra
from zeroflux.report.chart import (
    PALETTE,
    Chart,
    Panel,
    Series,
    column_count,
    log_ticks,
    shared_range,
)

_MARKERS = ("o", "s", "D", "^", "P", "*")


def save_charts(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write each chart as ``NAME.svg`` and ``NAME.png``; returns the paths."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "report") from None
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for chart in charts:
        n_columns = column_count(chart)
        n_rows = -(-len(chart.panels) // n_columns)
        # Figure without pyplot: no display, no global state, nothing to close.
        figure = Figure(figsize=(3.4 * n_columns + 0.4, 3.0 * n_rows + 0.6), layout="constrained")
        axes = np.atleast_1d(figure.subplots(n_rows, n_columns, squeeze=False)).ravel()
        for ax, panel in zip(axes, chart.panels, strict=False):
            _draw(ax, panel)
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
    return written


def _legend_columns(names: list[str], width: float) -> int:
    """Columns of a legend that fit the width (inches) at 8 points, about 0.065 inch a letter."""
    return max(1, min(len(names), int(width / (0.065 * max(map(len, names)) + 0.6))))


def _draw(ax, panel: Panel) -> None:
    """One panel on matplotlib axes."""
    ax.set_title(panel.title, fontsize=9, loc="left")
    ax.set_xlabel(panel.x_label, fontsize=9)
    ax.set_ylabel(panel.y_label, fontsize=9)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    if panel.is_x_log:
        ax.set_xscale("log")
        ticks = log_ticks(panel)
        if ticks is not None:
            ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
            ax.minorticks_off()
    if panel.has_diagonal:
        ends = shared_range(panel)
        ax.plot(ends, ends, ":", color="#888888", linewidth=1)
        ax.set_xlim(*ends)
        ax.set_ylim(*ends)
    colours = sorted({series.colour for series in panel.series if len(series.x)})
    for series in panel.series:
        x = list(series.x)
        if panel.has_categories and x:
            # Series side by side at each category, those of one colour together.
            shift = 0.16 * (colours.index(series.colour) - 0.5 * (len(colours) - 1))
            x = [panel.categories.index(str(name)) + shift for name in x]
        _draw_series(ax, series, x)
    if panel.is_y_log:
        ax.set_yscale("log", nonpositive="clip")
    elif panel.is_y_from_zero:
        ax.set_ylim(bottom=0)
    if panel.has_categories:
        names = panel.categories
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
        ax.set_xlim(-0.6, len(names) - 0.4)


def _draw_series(ax, series: Series, x: list[Any]) -> None:
    """One series on matplotlib axes."""
    colour = PALETTE[series.colour % len(PALETTE)]
    if series.kind == "level":
        ax.axhline(
            float(series.y[0]), linestyle="--", linewidth=1.2, color=colour, label=series.name
        )
        return
    y = np.asarray(series.y, dtype=np.float64)
    if series.kind == "line":
        ax.plot(x, y, color=colour, linewidth=1.4, label=series.name)
    else:
        ax.plot(
            x,
            y,
            linestyle="none",
            marker=_MARKERS[series.colour % len(_MARKERS)],
            markersize=5 if len(y) < 60 else 2.5,
            color=colour,
            markerfacecolor="none" if series.is_hollow else colour,
            alpha=0.85 if len(y) < 200 else 0.55,
            label=series.name,
        )
    if series.low is not None and series.high is not None:
        low, high = np.asarray(series.low), np.asarray(series.high)
        known = np.isfinite(low) & np.isfinite(high)
        ax.vlines(
            [v for v, k in zip(x, known, strict=True) if k],
            low[known],
            high[known],
            color=colour,
            linewidth=1.0,
        )
