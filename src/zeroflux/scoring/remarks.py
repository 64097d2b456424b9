"""What the tables of a score do not say by themselves, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroflux.units import ELECTRONVOLT, MILLIELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.correlation import ComponentTable
    from zeroflux.evaluation import Achieved, Convention
    from zeroflux.frames import Frame
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


def achieved_remarks(achieved: Mapping[str, Achieved]) -> list[str]:
    """Systems that cannot tell models apart, and so have no part in the score."""
    names = dict.fromkeys(name for one in achieved.values() for name in one.undecided)
    if not names:
        return []
    return [
        f"{', '.join(names)}: E/N or the pair potential is at the noise floor already, so "
        "nothing is left to achieve there and the score leaves it out."
    ]


UNITS = {"hartree": 27.211, "rydberg": 13.606, "kcal/mol": 1 / 23.061, "kJ/mol": 1 / 96.485}
"""Energies that are not in eV, by the number of eV in one."""
NEAR = 2.0
"""Factor within which a ratio points at a unit: good models respond by half to twice."""


def model_remarks(
    name: str,
    local: np.ndarray,
    table: ComponentTable,
    frames: Sequence[Frame],
    raw: np.ndarray | None = None,
) -> list[str]:
    """Mistakes that show in a model's per-atom energies: constants, units, order, lost images.

    ``local`` are the energies on the zero of the labels, ``raw`` as the model gives them (hartree).
    """
    x = centred(table.basin_energy, table)
    y = centred(local, table)
    if y.std() < 1e-9 * max(1.0, float(np.abs(local).max())):
        return [f"{name}: every atom of a species has the same energy; nothing is decomposed."]
    within_x, within_y = _within(x, table), _within(y, table)
    differ = within_x.std() > 0.1 * x.std()  # not so in dimers and crystals, of equal atoms
    if differ and within_y.std() < 1e-3 * y.std():
        return [
            f"{name}: the atoms of a configuration share one energy per species, as if the total "
            "had been divided by the number of atoms; nothing is decomposed."
        ]
    remarks = []
    r = float(np.corrcoef(x, y)[0, 1])
    unit = _unit(float(y.std() / x.std()), r, table, local if raw is None else raw)
    if unit:
        remarks.append(f"{name}: {unit}")
    r_within = _correlation(within_x, within_y)
    r_totals = _correlation(
        _totals_beyond_composition(table.total_energy, table),
        _totals_beyond_composition(table.totals(local), table),
    )
    if differ and table.n_configurations > 4 and r_totals > 0.8 and abs(r_within) < 0.2:
        remarks.append(
            f"{name}: totals follow the labels (r {r_totals:.2f}), atoms within a configuration do "
            f"not ({r_within:.2f}); are the atoms in another order?"
        )
    lost = _correlation(_within(_missing_images(frames), table), _within(y - x, table))
    if lost > 0.5 and len(x) >= 50:
        remarks.append(
            f"{name}: errors grow with the neighbours that an atom has across the faces of the "
            f"cell (r {lost:.2f}); were periodic boundary conditions (pbc) lost?"
        )
    return remarks


def _unit(ratio: float, r: float, table: ComponentTable, raw: np.ndarray) -> str:
    """A unit other than eV that explains the size of energies, or of their differences."""
    size = float(table.totals(raw).sum() / (table.total_energy.sum() or np.inf))
    for name, value in UNITS.items():
        for factor, words in ((1 / value, f"in {name}"), (value, f"converted from {name} twice")):
            if abs(size / factor - 1.0) < 0.01:
                return (
                    f"totals are {size:.4g} times those of the labels: energies {words}? Expected "
                    "eV."
                )
    if 0.1 < ratio < 10.0 or r < 0.3:
        return ""
    near = {}
    for name, value in UNITS.items():
        near[f"in {name} (ratio {1 / value:.3g})"] = abs(np.log(ratio * value))
        near[f"converted from {name} twice (ratio {value:.3g})"] = abs(np.log(ratio / value))
    likely = [words for words, gap in sorted(near.items(), key=lambda item: item[1])]
    likely = [words for words in likely if near[words] < np.log(NEAR)]
    if not likely:
        return ""
    return (
        f"differences between atoms are {ratio:.3g} times those of the labels: energies "
        f"{' or '.join(likely)}? Expected eV."
    )


def _totals_beyond_composition(per_cell: np.ndarray, table: ComponentTable) -> np.ndarray:
    """Totals per atom less what a constant per species explains."""
    counts = np.stack(
        [table.totals((table.species == z).astype(np.float64)) for z in table.species_present],
        axis=1,
    )
    n_atoms = counts.sum(axis=1)
    share, energy = counts / n_atoms[:, None], per_cell / n_atoms
    return energy - share @ np.linalg.lstsq(share, energy, rcond=None)[0]


def _missing_images(frames: Sequence[Frame], reach: float = 9.5) -> np.ndarray:
    """Neighbours of each atom within ``reach`` (bohr) that are images across a face of the cell."""
    from ase.neighborlist import primitive_neighbor_list

    counts = []
    for frame in frames:
        inside = np.linalg.solve(frame.cell.T, frame.positions.T).T % 1.0 @ frame.cell
        first, shift = primitive_neighbor_list("iS", [True] * 3, frame.cell, inside, reach)
        counts.append(np.bincount(first[shift.any(axis=1)], minlength=frame.n_atoms))
    return np.concatenate(counts).astype(np.float64)


def _within(values: np.ndarray, table: ComponentTable) -> np.ndarray:
    """Values less the mean of their species in their configuration."""
    key = np.stack([table.configuration, table.species])
    code = np.unique(key, axis=1, return_inverse=True)[1].ravel()
    return values - (np.bincount(code, weights=values) / np.bincount(code))[code]


def centred(values: np.ndarray, table: ComponentTable) -> np.ndarray:
    """Values less the mean of their species in their system."""
    system = np.unique(np.array(table.systems), return_inverse=True)[1][table.configuration]
    code = np.unique(np.stack([system, table.species]), axis=1, return_inverse=True)[1].ravel()
    return values - (np.bincount(code, weights=values) / np.bincount(code))[code]


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's, 0 where nothing varies."""
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 1e-12 and y.std() > 1e-12 else 0.0


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
