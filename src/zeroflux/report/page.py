"""The report: one HTML page that opens offline, and the same charts and tables as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from zeroflux.errors import missing_extra
from zeroflux.report.box import boxes
from zeroflux.report.chart import Chart, chart_csv, chart_tints
from zeroflux.report.chart_json import chart_json, plain, tint_style
from zeroflux.report.charts import all_charts
from zeroflux.report.data import ReportData
from zeroflux.report.headlines import size_effect
from zeroflux.report.story import Section, cards, finding, question, sections, theory
from zeroflux.report.table import Table, table_csv
from zeroflux.report.tables import all_tables


def write_report(data: ReportData, path: Path, *, with_figures: bool = True) -> Path:
    """Write the page, and beside it ``figures/*.svg|png|csv`` and ``tables/*.csv``.

    The page holds its scripts and data and fetches nothing; a content security policy inside it
    forbids any request. What stands behind its details is drawn when they are opened.

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
        If jinja2 or matplotlib is not installed.
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
    box, tints = boxes(data), chart_tints(charts)
    by_name = {chart.name: chart for chart in charts}
    by_table = {table.name: table for table in tables}
    hero = finding(charts)
    trend = size_effect(data)
    payload = {
        "charts": {chart.name: chart_json(chart, tints) for chart in charts},
        "tables": {table.name: _table_json(table) for table in tables},
        "boxes": box,
    }
    shown = [_shown(s, by_name, by_table, hero) for s in sections(data)]
    return fill(
        "report.html",
        title=data.title,
        question=question(data),
        theory=theory(data),
        cards=cards(data),
        remarks=data.remarks,
        hero=by_name.get(hero),
        hero_title=f"Ten times the parameters: the local error {trend.outcome}"
        if trend is not None and trend.outcome in ("falls", "rises")
        else None,
        has_box=bool(box),
        sections=[s for s in shown if s["figure"] or s["charts"] or s["tables"]],
        provenance=data.provenance,
        payload=script_json(payload),
        light=tint_style(tints, "light"),
        dark=tint_style(tints, "dark"),
        scripts=["chart.js", "viewer.js", "report.js"],
    )


def _shown(
    section: Section, charts: Mapping[str, Chart], tables: Mapping[str, Table], hero: str
) -> dict[str, Any]:
    """A section with what the data allow; a figure that is cut short comes again in the details."""
    figure = next((n for n in section.figures if n in charts and n != hero), None)
    chart = charts.get(figure or "")
    is_whole = chart is None or len(chart.panels) <= section.n_panels
    behind = dict.fromkeys((*section.figures, *section.charts))
    return {
        "name": section.name,
        "question": section.question,
        "text": section.text,
        "figure": chart,
        "n_panels": section.n_panels,
        "charts": [
            charts[n]
            for n in behind
            if n in charts and n != hero and not (n == figure and is_whole)
        ],
        "tables": [tables[n] for n in section.tables if n in tables],
    }


def fill(template: str, *, scripts: list[str], **values: Any) -> str:
    """A template of this package with its style and scripts inside.

    Raises
    ------
    MissingExtraError
        If jinja2 is not installed.
    """
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
    return environment.get_template(template).render(
        style=_asset("report.css"),
        script="\n".join(_asset(name) for name in scripts),
        **values,
    )


def _asset(name: str) -> str:
    """Text of a file that is installed with the package."""
    return (resources.files("zeroflux.report") / "assets" / name).read_text(encoding="utf-8")


def script_json(payload: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element: no closing tag, no NaN."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def _table_json(table: Table) -> dict[str, Any]:
    """A table with its cells as numbers or text."""
    return {
        "title": table.title,
        "caption": table.caption,
        "columns": table.columns,
        "rows": [
            [plain([cell])[0] if _is_number(cell) else str(cell) for cell in row]
            for row in table.rows
        ],
    }


def _is_number(cell: object) -> bool:
    """Whether a table cell is aligned and sorted as a number."""
    return isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool)


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
