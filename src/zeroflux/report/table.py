"""A table of plain rows with units in the headings."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from zeroflux.evaluation.statistics import Estimate
from zeroflux.units import MILLIELECTRONVOLT

Cell = str | float | int


@dataclass(frozen=True)
class Table:
    """A table that sorts in the page and is written as CSV."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def table_csv(table: Table) -> str:
    """The table as comma-separated values."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(
        [f"{cell:.7g}" if isinstance(cell, float) else cell for cell in row] for row in table.rows
    )
    return out.getvalue()


def mev(value: float) -> float:
    """Hartree to meV."""
    return float(value / MILLIELECTRONVOLT)


def with_minus(number: str) -> str:
    """A number as text with a minus sign in place of the hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def mev_interval(estimate: Estimate) -> str:
    """Interval in meV."""
    if not np.isfinite(estimate.low):
        return "too few data"
    return with_minus(f"{mev(estimate.low):.2f} to {mev(estimate.high):.2f}")


def interval(estimate: Estimate) -> str:
    """Interval of a number without unit."""
    if not np.isfinite(estimate.low):
        return "too few data"
    return with_minus(f"{estimate.low:.2f} to {estimate.high:.2f}")
