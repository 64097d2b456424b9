"""The terminal side of ``zeroflux basins``: progress, tables, remarks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zeroflux.analysis.frame_report import FrameReport
from zeroflux.analysis.outputs import to_json
from zeroflux.analysis.run import run_basins
from zeroflux.analysis.tables import atom_table, trajectory_table
from zeroflux.errors import ConfigError
from zeroflux.terminal import print_whole


def run_on_terminal(
    densities: Sequence[str],
    *,
    as_json: bool,
    output: Path | None,
    save_labels: Path | None,
    **options: Any,
) -> list[FrameReport]:
    """Run `run_basins` with a progress bar, then print a table or JSON and all remarks."""
    errors = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    n_old = 0
    # a bar only for people: not in a log file, and gone when done
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("basins", total=None)

        def advance(report: FrameReport, n_frames: int, is_old: bool) -> None:
            nonlocal n_old
            n_old += is_old
            bar.update(task, total=n_frames, advance=1, description=report.source)

        reports = run_basins(
            densities,
            output=output,
            save_labels=save_labels,
            on_found=lambda words: errors.print(words, soft_wrap=True, highlight=False),
            on_frame=advance,
            **options,
        )
    written = [path for path in (output, save_labels) if path]
    if n_old:
        errors.print(f"{n_old} of {len(reports)} frames were finished before and skipped.")
    if as_json:
        sys.stdout.write(to_json(reports) + "\n")
    else:
        table = atom_table(reports[0]) if len(reports) == 1 else trajectory_table(reports)
        print_whole(table)
        _print_facts(reports[0] if len(reports) == 1 else None)
    for path in written:
        errors.print(f"wrote {path}", soft_wrap=True, highlight=False)
    for report in reports:
        for remark in report.remarks:
            errors.print(f"warning: {remark}", style="yellow", soft_wrap=True, highlight=False)
    return reports


def parse_valence(texts: Sequence[str]) -> dict[str, float]:
    """Valences such as ``Ar=8``.

    Raises
    ------
    ConfigError
        If one has another form.
    """
    from ase.data import atomic_numbers

    from zeroflux.volumetric.header import real

    result = {}
    for text in texts:
        symbol, _, number = text.partition("=")
        try:
            value = real(number)
        except ValueError:
            value = -1.0
        if symbol not in atomic_numbers or not 0.0 < value < 200.0:
            raise ConfigError(
                f"Found the valence '{text}'; expected an element and its number of valence "
                "electrons, such as Ar=8. Correct --valence."
            )
        result[symbol] = value
    return result


def _print_facts(report: FrameReport | None) -> None:
    if report is None:
        return
    console = Console(soft_wrap=True, highlight=False)
    found = report.attractors
    console.print(
        f"{found['n_maxima']} maxima, {found['n_non_nuclear']} of them non-nuclear "
        f"({found['treatment']})."
    )
    if report.valence_source:
        console.print(f"Charges are counted from valences: {report.valence_source}.")
    elif report.charges_hint:
        console.print(report.charges_hint)
