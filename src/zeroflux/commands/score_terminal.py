"""The terminal side of ``zeroflux score``."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table as RichTable

from zeroflux.report.tables import (
    achieved_by_system_table,
    achieved_table,
    model_table,
    noise_table,
    total_table,
)
from zeroflux.scoring.outputs import as_report_data
from zeroflux.scoring.pools import PoolsReport
from zeroflux.scoring.remarks import convention_words
from zeroflux.scoring.report import ScoreReport
from zeroflux.terminal import print_whole
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

_LOCAL = ("model", "system", "species", "RMSE (meV)", "95 % interval (meV)", "spread (meV)")
_LOCAL += ("slope", "Pearson r", "R²", "rank r within", "offset (meV)")
_TOTAL = ("model", "system", "RMSE (meV)", "95 % interval (meV)", "MAE (meV)", "configurations")


def print_report(report: ScoreReport) -> None:
    """Tables and remarks for people, on standard output."""
    console = Console(file=sys.stdout)
    console.print(
        f"{len(report.labels)} configurations; reference: {report.reference}. "
        "Errors are centred per species and system; intervals are 95 %, over configurations."
    )
    score = achieved_table(report.achieved)
    if score.rows:
        print_table(console, score.title, score, score.columns)
    print_table(console, "Local energies", model_table(report.models), _LOCAL)
    print_table(console, "Total energies per atom", total_table(report.models), _TOTAL)
    for name, one in report.forces.items():
        value, low, high = (
            x / (MILLIELECTRONVOLT / ANGSTROM) for x in (one.value, one.low, one.high)
        )
        console.print(
            f"{name}: forces, RMSE of a component {value:.1f} meV/Å ({low:.1f} to {high:.1f}).",
            soft_wrap=True,
            markup=False,
        )
    noise = noise_table(as_report_data(report))
    if noise.rows:
        print_table(console, "Noise floors", noise, noise.columns)
    for remark in report.remarks:
        console.print(f"remark: {remark}", soft_wrap=True, markup=False)
    for name, why in report.refused.items():
        words = why if why.startswith(name) else f"{name}: {why}"
        console.print(f"left out: {words}", soft_wrap=True, markup=False)
    for name, convention in report.conventions.items():
        console.print(f"{name}: {convention_words(convention)}", soft_wrap=True, markup=False)
    for name, profile in report.rigidity.items():
        groups = ", ".join(f"{value / MILLIELECTRONVOLT:.2f}" for value in profile.rmse)
        console.print(
            f"{name}: error by rigidity, least rigid quarter first: {groups} meV; rank "
            f"correlation of |error| with rigidity {profile.correlation:+.2f}.",
            soft_wrap=True,
            markup=False,
        )


def print_table(console: Console, title: str, table, columns: tuple[str, ...]) -> None:
    """Chosen columns of a table."""
    from zeroflux.report.page import cell_text

    shown = RichTable(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    indices = [table.columns.index(name) for name in columns]
    for name, index in zip(columns, indices, strict=True):
        is_text = all(isinstance(row[index], str) for row in table.rows)
        title = name.replace(" (", "\n(").replace(" interval", "\ninterval")
        shown.add_column(title, justify="left" if is_text else "right", no_wrap=not is_text)
    for row in table.rows:
        shown.add_row(*(cell_text(row[index]) for index in indices))
    print_whole(shown, console=console)
    console.print()


def print_pools(several: PoolsReport) -> None:
    """The summary for people, on standard output."""
    console = Console(file=sys.stdout)
    reference = next(iter(several.reports.values())).reference
    console.print(f"{len(several.reports)} pools; reference: {reference}.")
    for table in (achieved_table(several.achieved), achieved_by_system_table(several.achieved)):
        print_table(console, table.title, table, table.columns)
    for name, pools in several.missing.items():
        console.print(
            f"{name}: could not be scored on {', '.join(pools)}, so it has no score over all.",
            soft_wrap=True,
            markup=False,
        )
    for pool, report in several.reports.items():
        for remark in report.remarks:
            console.print(f"remark on {pool}: {remark}", soft_wrap=True, markup=False)
