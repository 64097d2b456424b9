"""The report: one HTML page that opens offline, and the same charts and tables as files."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from zeroflux.errors import missing_extra
from zeroflux.report.box import boxes
from zeroflux.report.chart import Chart, chart_csv
from zeroflux.report.charts import all_charts
from zeroflux.report.data import ReportData
from zeroflux.report.headlines import headlines
from zeroflux.report.plotly_chart import plotly_figure
from zeroflux.report.table import Table, table_csv
from zeroflux.report.tables import all_tables

SECTIONS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "size",
        "Size",
        ("size-slopes", "error-against-size", "learning-curve"),
        ("size-effect",),
    ),
    (
        "local",
        "Local energies",
        ("local-parity", "total-parity"),
        (
            "achieved",
            "achieved-by-system",
            "local-energies",
            "total-energies",
            "noise-floors",
        ),
    ),
    (
        "transfer",
        "Transfer",
        ("fidelity-transfer", "transfer-matrix", "dimer-curves"),
        ("transfer-correlations", "transfer-totals", "transfer-local", "checkpoints"),
    ),
    (
        "why",
        "Why",
        ("seed-ambiguity", "receptive-fields", "error-by-rigidity"),
        ("seed-ambiguity-table", "receptive-radius"),
    ),
    (
        "shortcut",
        "The shortcut",
        ("component-correlation", "shortcut-errors", "shortcut-parity"),
        ("shortcuts", "slopes", "locality"),
    ),
    ("liquid", "The liquid", ("radial-distribution", "sampling-energy"), ()),
    ("labels", "Quality of the labels", ("label-quality",), ()),
)
"""Identifier, heading, charts and tables of each section."""


def write_report(data: ReportData, path: Path, *, with_figures: bool = True) -> Path:
    """Write the page, and beside it ``figures/*.svg|png|csv`` and ``tables/*.csv``.

    The page holds its scripts and data and fetches nothing; a content security policy inside it
    forbids any request.

    Parameters
    ----------
    data
        What to show (atomic units).
    path
        Where the HTML file goes.
    with_figures
        Whether figures and tables are also written as files.

    Raises
    ------
    MissingExtraError
        If jinja2, plotly or matplotlib is not installed.
    """
    charts, tables = all_charts(data), all_tables(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(data, charts, tables), encoding="utf-8")
    if with_figures:
        from zeroflux.report.matplotlib_chart import save_charts

        save_charts(charts, path.parent / "figures")
        for chart in charts:
            target = path.parent / "figures" / f"{chart.name}.csv"
            target.write_text(chart_csv(chart), encoding="utf-8")
        (path.parent / "tables").mkdir(exist_ok=True)
        for table in tables:
            target = path.parent / "tables" / f"{table.name}.csv"
            target.write_text(table_csv(table), encoding="utf-8")
    return path


def render(data: ReportData, charts: tuple[Chart, ...], tables: tuple[Table, ...]) -> str:
    """The page as text."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise missing_extra("jinja2", "report") from None
    environment = Environment(
        loader=PackageLoader("zeroflux.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    box = boxes(data)
    by_name = {chart.name: chart for chart in charts}
    tables_by_name = {table.name: table for table in tables}
    sections = [
        {
            "id": identifier,
            "title": title,
            "charts": [by_name[name] for name in chart_names if name in by_name],
            "tables": [tables_by_name[name] for name in table_names if name in tables_by_name],
            "has_box": identifier == "liquid" and bool(box),
        }
        for identifier, title, chart_names, table_names in SECTIONS
    ]
    payload = {
        "figures": {chart.name: plotly_figure(chart) for chart in charts},
        "csv": {chart.name: chart_csv(chart) for chart in charts}
        | {table.name: table_csv(table) for table in tables},
        "boxes": box,
    }
    return environment.get_template("report.html").render(
        title=data.title,
        headlines=headlines(data),
        sections=[s for s in sections if s["charts"] or s["tables"] or s["has_box"]],
        provenance=data.provenance,
        cell=cell_text,
        is_number=_is_number,
        numeric_columns={table.name: _numeric_columns(table) for table in tables},
        payload=_script_json(payload),
        plotly_js=_plotly_js(),
        viewer_js=_asset("3Dmol-min.js") if box else "",
        style=_asset("report.css"),
        script=_asset("report.js"),
    )


def _asset(name: str) -> str:
    """Text of a file that is installed with the package."""
    return (resources.files("zeroflux.report") / "assets" / name).read_text(encoding="utf-8")


def _plotly_js() -> str:
    """The plotly.js that the installed plotly package brings."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise missing_extra("plotly", "report") from None
    return get_plotlyjs()


def _script_json(payload: dict[str, Any]) -> str:
    """JSON that may stand inside a script element: no closing tag, no NaN."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def _is_number(cell: object) -> bool:
    """Whether a table cell is aligned and sorted as a number."""
    return isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool)


def _numeric_columns(table: Table) -> list[bool]:
    """Which columns hold numbers only: their headings are aligned with them."""
    return [all(map(_is_number, column)) for column in zip(*table.rows, strict=True)]


def cell_text(cell: object) -> str:
    """A table cell as text: three decimals at most, three significant digits at least."""
    if isinstance(cell, float):
        if not np.isfinite(cell):
            return "–"
        if abs(cell) < 1e-6:  # rounding of what is zero by construction
            return "0"
        text = f"{cell:.3f}" if 0.1 <= abs(cell) < 1e4 else f"{cell:.3g}"
        return text.replace("-", "\N{MINUS SIGN}", 1) if cell < 0 else text
    if _is_number(cell):
        return f"{cell:,}"
    return str(cell)
