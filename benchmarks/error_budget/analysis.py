"""Numbers of the error budget, from labels: shortcuts, transfer, modes, locality, floors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.correlation import (
    ComponentTable,
    ShortcutComparison,
    ShortcutResult,
    compare_shortcuts,
    component_table,
    isolated_energies,
    predictor,
)
from zeroflux.data import file_or_pool
from zeroflux.evaluation import locality
from zeroflux.labels import TERMS as LABEL_TERMS
from zeroflux.labels import Label
from zeroflux.units import ELECTRONVOLT, MILLIELECTRONVOLT

TERMS = ("t", "xc", "es", "nl")
"""Terms that predictors are made of. The short-range local term is zero in krypton."""
SUMS = ("t+xc", "es+xc", "t+es", "t+xc+es")
NAMES = (
    *TERMS,
    *SUMS,
    *(",".join(two) for two in combinations(TERMS, 2)),
    *(",".join(three) for three in combinations(TERMS, 3)),
)
"""All predictors that are tried. All terms at once would be the direct decomposition."""
SEED = 20


@dataclass(frozen=True, eq=False)
class Budget:
    """Everything that tables and figures are made of."""

    labels: list[Label]
    table: ComponentTable
    charge: np.ndarray
    """Net charge of the basin of every atom (e)."""
    within: dict[str, ShortcutComparison]
    """By system, each configuration scored by a fit without it."""
    to_mixture: ShortcutComparison | None
    """Fitted to the pure liquids, applied to the mixture."""
    to_pure: ShortcutComparison | None
    """Fitted to the mixture, applied to the pure liquids."""

    def atoms(self, system: str, number: int) -> np.ndarray:
        """Whether each atom is of a system and species."""
        of_system = np.array(self.table.systems)[self.table.configuration] == system
        return of_system & (self.table.species == number)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Systems and the species in them, in the order of the tables."""
        return [
            (system, z)
            for system in dict.fromkeys(self.table.systems)
            for z in self.table.species_present
            if self.atoms(system, z).any()
        ]


def load(pools: Sequence[str]) -> list[Label]:
    """Labels of pools of the data set, files, or run directories (finished or not)."""
    labels: list[Label] = []
    for pool in pools:
        frames = Path(pool) / "label" / "frames"
        paths = sorted(frames.glob("*.extxyz")) if frames.exists() else [file_or_pool(Path(pool))]
        labels += [label for path in paths for label in read_labels(path)]
    return labels


def budget_of(labels: list[Label], *, n_bootstrap: int) -> Budget:
    """Fit and judge every predictor, within systems and across them."""
    table = component_table(labels)
    rng = np.random.default_rng(SEED)
    options: dict[str, Any] = {
        "predictors": [predictor(name) for name in NAMES],
        "references": isolated_energies(labels),
        "n_bootstrap": n_bootstrap,
        "rng": rng,
    }
    systems = list(dict.fromkeys(table.systems))
    within = {name: compare_shortcuts(table.of_systems([name]), **options) for name in systems}
    to_mixture = to_pure = None
    if {"argon", "krypton", "mixture"} <= set(systems):
        pure, mixture = table.of_systems(["argon", "krypton"]), table.of_systems(["mixture"])
        to_mixture = compare_shortcuts(pure, mixture, **options)
        to_pure = compare_shortcuts(mixture, pure, **options)
    charge = np.concatenate([label.terms.charge for label in labels])
    return Budget(labels, table, charge, within, to_mixture, to_pure)


def result_of(comparison: ShortcutComparison, name: str) -> ShortcutResult | None:
    """Result of one predictor."""
    found = [result for result in comparison.results if result.fit.predictor.name == name]
    return found[0] if found else None


def chosen(comparison: ShortcutComparison, n_slopes: int) -> ShortcutResult | None:
    """Predictor of so many slopes with the smallest held-out error of totals."""
    for result in comparison.results:  # best held-out error first
        if len(result.fit.predictor.combinations) == n_slopes:
            return result
    return None


def score_rows(comparison: ShortcutComparison) -> list[dict[str, Any]]:
    """Every predictor of a comparison as plain numbers (meV)."""
    mev = MILLIELECTRONVOLT
    rows = []
    for result in comparison.results:
        bounds = {(b.system, b.species): b for b in result.upper_bounds}
        for score in result.scores:
            bound = bounds[score.system, score.species]
            own = result.fit.species.index(score.species)
            n_slopes = len(result.fit.predictor.combinations)
            intervals = result.slope_intervals[own * n_slopes : (own + 1) * n_slopes]
            rows.append(
                {
                    "trained_on": list(comparison.trained_on),
                    "system": score.system,
                    "element": chemical_symbols[score.species],
                    "predictor": result.fit.predictor.name,
                    "held_out_rmse_mev": result.held_out.rmse / mev,
                    "held_out_r2": result.held_out.r2,
                    "sum_rule_rms_mev": result.sum_rule_rms / mev,
                    "spread_mev": score.spread / mev,
                    "rmse_mev": [
                        x / mev for x in (score.rmse.value, score.rmse.low, score.rmse.high)
                    ],
                    "slope": score.slope.value,
                    "pearson": score.pearson.value,
                    "bound_mev": bound.rmse / mev,
                    "slopes_of_totals": [[x.value, x.low, x.high] for x in intervals],
                    "slopes_of_atoms": list(bound.slopes),
                }
            )
    return rows


def data_rows(budget: Budget) -> list[dict[str, Any]]:
    """What the labels are: numbers, spreads, charges, noise of surface and closure (meV)."""
    mev = MILLIELECTRONVOLT
    flux = np.concatenate([label.terms.laplacian for label in budget.labels]) / 4.0
    closure = np.array([label.closure / label.n_atoms for label in budget.labels])
    rows = []
    for system, z in budget.groups:
        own = budget.atoms(system, z)
        of_system = np.array(budget.table.systems) == system
        rows.append(
            {
                "system": system,
                "element": chemical_symbols[z],
                "n_configurations": int(of_system.sum()),
                "n_atoms": int(own.sum()),
                "spread_mev": float(budget.table.basin_energy[own].std() / mev),
                "charge_std": float(budget.charge[own].std()),
                "surface_mev": float(np.sqrt(np.mean(flux[own] ** 2)) / mev),
                "closure_mev": float(np.sqrt(np.mean(closure[of_system] ** 2)) / mev),
            }
        )
    return rows


def locality_rows(budget: Budget) -> list[dict[str, Any]]:
    """Error of a linear fit of basin energies on 12 radial functions, left out (meV)."""
    scores = locality(
        frames=[label.frame for label in budget.labels],
        energy=budget.table.basin_energy,
        systems=list(budget.table.systems),
    )
    return [
        {
            "system": score.system,
            "element": chemical_symbols[score.species],
            "n_atoms": score.n_atoms,
            "spread_mev": score.spread / MILLIELECTRONVOLT,
            "rmse_mev": score.rmse / MILLIELECTRONVOLT,
            "pearson": score.pearson,
        }
        for score in scores
    ]


def mode_rows(budget: Budget) -> list[dict[str, Any]]:
    """Principal components of the five terms over the atoms of a species.

    A mode moves the terms by its standard deviation times its vector, and the energy by that
    times the sum of the vector's elements. How many modes move the energy is how many terms a
    shortcut needs.
    """
    rows = []
    for system, z in budget.groups:
        own = budget.atoms(system, z)
        terms = budget.table.components[own][:, :5] / MILLIELECTRONVOLT
        terms = terms - terms.mean(axis=0)
        scores, sizes, vectors = np.linalg.svd(terms, full_matrices=False)
        sizes = sizes / np.sqrt(len(terms))
        for k in range(3):
            with_charge = np.corrcoef(scores[:, k], budget.charge[own])[0, 1]
            rows.append(
                {
                    "system": system,
                    "element": chemical_symbols[z],
                    "mode": k + 1,
                    "share": float(sizes[k] ** 2 / (sizes**2).sum()),
                    "std_mev": float(sizes[k]),
                    "moves_energy_mev": float(abs(vectors[k].sum()) * sizes[k]),
                    "correlation_with_charge": float(abs(with_charge)),
                }
            )
    return rows


def gauge_rows(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Basin energies in other electrostatic gauges against those of the labels (meV)."""
    rows = []
    groups = dict.fromkeys((r["system"], z) for r in records for z in r["atomic_numbers"])
    for system, z in sorted(groups):
        own = [(r, np.array(r["atomic_numbers"]) == z) for r in records if r["system"] == system]

        def joined(key: str, own=own) -> np.ndarray:
            return np.concatenate([np.array(r["energies_mev"][key])[mask] for r, mask in own])

        def charges(key: str, own=own) -> np.ndarray:
            return np.concatenate([np.array(r[key])[mask] for r, mask in own])

        label = joined("half_density")
        for gauge in ("half_density", "half_neutral", "field_density", "field_neutral"):
            other = joined(gauge)
            moved = other - label
            rows.append(
                {
                    "system": system,
                    "element": chemical_symbols[z],
                    "gauge": gauge,
                    "n_configurations": len(own),
                    "n_atoms": len(label),
                    "spread_mev": float(other.std()),
                    "mean_change_mev": float(moved.mean()),
                    "rms_change_mev": float(moved.std()),
                    "pearson": float(np.corrcoef(other, label)[0, 1]),
                    "slope": float(np.polyfit(label - label.mean(), other, 1)[0]),
                    "basin_charge_rms": float(np.sqrt(np.mean(charges("basin_charge") ** 2))),
                    "neutral_charge_rms": float(np.sqrt(np.mean(charges("neutral_charge") ** 2))),
                }
            )
    return rows


def surface_potential(
    records: list[dict[str, Any]], systems: Sequence[str] = ()
) -> dict[str, float]:
    """Potential at the basin surfaces that explains the change of gauge by the charges.

    Over basins of the density, ½qV and |∇V|²/8π differ by a surface term. Where the potential is
    flat between the atoms, V_s, that term is ½ V_s q_A, so one number makes the gauges equal.
    """
    own = [r for r in records if not systems or r["system"] in systems]
    energies = [r["energies_mev"] for r in own]
    change = np.concatenate(
        [np.array(e["field_density"]) - np.array(e["half_density"]) for e in energies]
    )
    charge = np.concatenate([np.array(r["basin_charge"]) for r in own])
    slope = float(change @ charge / (charge @ charge))
    return {
        "volt": -2.0 * slope / 1000.0,
        "pearson": float(np.corrcoef(change, charge)[0, 1]),
        "rms_change_mev": float(np.sqrt(np.mean(change**2))),
        "rms_left_mev": float(np.sqrt(np.mean((change - slope * charge) ** 2))),
    }


def with_zero_between_atoms(budget: Budget, volt: float) -> ComponentTable:
    """The table with the zero of the potential moved to its value between the atoms.

    Adds −½ V_s q_A to the electrostatic term; totals stay, since the charges sum to zero.
    """
    shift = -0.5 * volt * ELECTRONVOLT * budget.charge
    components = budget.table.components.copy()
    components[:, LABEL_TERMS.index("electrostatic")] += shift
    return replace(
        budget.table, components=components, basin_energy=budget.table.basin_energy + shift
    )


def zero_rows(budget: Budget, volt: float, *, n_bootstrap: int) -> list[dict[str, Any]]:
    """Shortcuts in the mixture with either zero of the potential, and from the pure liquids."""
    rows = []
    for zero, table in (
        ("average", budget.table),
        ("between atoms", with_zero_between_atoms(budget, volt)),
    ):
        mixture = table.of_systems(["mixture"])
        for trained in ("mixture", "pure liquids"):
            options: dict[str, Any] = {
                "predictors": [predictor(name) for name in NAMES],
                "references": isolated_energies(budget.labels),
                "n_bootstrap": n_bootstrap,
                "rng": np.random.default_rng(SEED),
            }
            if trained == "mixture":
                comparison = compare_shortcuts(mixture, **options)
            else:
                comparison = compare_shortcuts(
                    table.of_systems(["argon", "krypton"]), mixture, **options
                )
            rows += [{"zero": zero, "trained": trained, **row} for row in score_rows(comparison)]
    return rows


def floor_rows(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Change of basin energies with basis and grid, centred per species (meV)."""
    rows = []
    keys = dict.fromkeys(
        (r["change"], r["system"], z) for r in records for z in sorted(set(r["atomic_numbers"]))
    )
    for change, system, z in keys:
        own = [r for r in records if (r["change"], r["system"]) == (change, system)]
        before, after = (
            np.concatenate(
                [
                    np.array(r[side]["basin_energy_mev"])[np.array(r["atomic_numbers"]) == z]
                    for r in own
                ]
            )
            for side in ("before", "after")
        )
        rows.append(
            {
                "change": change,
                "system": system,
                "element": chemical_symbols[z],
                "n_atoms": len(before),
                "rms_change_mev": float((after - before).std()),
                "pearson": float(np.corrcoef(after, before)[0, 1]),
                "slope": float(np.polyfit(before - before.mean(), after, 1)[0]),
            }
        )
    return rows
