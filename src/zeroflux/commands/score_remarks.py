"""What the tables of a score do not say by themselves, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroflux.units import ELECTRONVOLT, MILLIELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.correlation import ComponentTable
    from zeroflux.evaluation import Convention
    from zeroflux.report import ModelResult


def set_remarks(table: ComponentTable) -> list[str]:
    """What a set of configurations is too small or too uniform to show."""
    counts = np.stack(
        [table.totals((table.species == z).astype(np.float64)) for z in table.species_present]
    )
    composition = counts / counts.sum(axis=0)
    rank = int(np.linalg.matrix_rank(composition))
    n, n_species = table.n_configurations, len(table.species_present)
    remarks = []
    if n <= rank:
        remarks.append(
            f"{_counted(n, 'configuration')} cannot show a convention: a constant per species fits "
            "any total, so errors of totals are zero by construction and a wrong decomposition "
            "would pass; score more configurations."
        )
    if rank < n_species:
        remarks.append(
            f"{_counted(rank, 'composition')} cannot tell the constants of {n_species} species "
            "apart: only their sum over the cell is known."
        )
    return remarks


def baseline_remarks(baselines: Sequence[ModelResult], *, is_out_of_fold: bool) -> list[str]:
    """Where the pair potential is missing, or is no baseline to beat."""
    found = {model.name: model for model in baselines}
    fitted = "out of fold on the data" if is_out_of_fold else "to the training labels"
    if "pair potential" not in found:
        return [
            f"No pair potential among the baselines: fitted {fitted}, it needs ten configurations "
            "and every element."
        ]
    from ase.data import chemical_symbols

    bad = [
        f"{score.system} {chemical_symbols[score.species]} "
        f"{score.rmse.value / MILLIELECTRONVOLT:.1f} meV "
        f"at a spread of {score.spread / MILLIELECTRONVOLT:.1f}"
        for score in found["pair potential"].scores
        if score.rmse.value > score.spread
    ]
    if not bad:
        return []
    return [
        f"The pair potential, fitted {fitted}, extrapolates badly ({'; '.join(bad)}): worse than "
        "no model at all, it is not a baseline to beat there. Compare with E/N, or name labels "
        "like these by --training."
    ]


def convention_words(convention: Convention) -> str:
    """A convention in plain words with numbers."""
    from ase.data import chemical_symbols

    def by_species(energies) -> str:
        if not convention.is_shift_unique:
            mean = np.mean([*energies.values()]) / ELECTRONVOLT
            return f"about {mean:+.4f} eV per atom, not to be divided among the species"
        return ", ".join(
            f"{chemical_symbols[z]} {value / ELECTRONVOLT:+.4f} eV" for z, value in energies.items()
        )

    words = {
        "complete": "Σ energies = energy",
        "no total": "no energy is given, so whether the per-atom energies decompose one is "
        "unknown; their sum is taken",
        "offsets omitted": "per-atom energies omit a constant per species "
        f"({by_species(convention.omitted)})",
    }[convention.kind]
    if convention.kind == "offsets omitted" and not convention.is_tested:
        words += ", which so few configurations cannot show"
    if convention.worst_sum_error > 0.01 * MILLIELECTRONVOLT:
        words += (
            f" to {convention.worst_sum_error / MILLIELECTRONVOLT:.2g} meV per atom, within the "
            f"rounding of the numbers ({convention.tolerance / MILLIELECTRONVOLT:.2g})"
        )
    return (
        f"{words}; zero of energy against the labels: {by_species(convention.zero_shift)}, removed."
    )


def _counted(n: int, what: str) -> str:
    return f"{'One' if n == 1 else n} {what}{'' if n == 1 else 's'}"
