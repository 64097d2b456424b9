"""Charts of the shortcut: components of the energy and what can be had from them."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from zeroflux.correlation import ComponentTable, ShortcutComparison, component_table
from zeroflux.labels import system_name
from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ReportData
from zeroflux.report.selection import (
    MAX_PARITY_POINTS,
    centred_mev,
    joined,
    species_keys,
    species_series,
)
from zeroflux.units import MILLIELECTRONVOLT


def component_correlation(data: ReportData) -> Chart | None:
    """Kinetic and exchange-correlation against electrostatic energy, of totals and of atoms."""
    if not any(label.is_converged for label in data.labels):
        return None
    table = component_table(data.labels)
    panels = []
    for name, label in (("kinetic", "kinetic"), ("xc", "exchange-correlation")):
        for of_atoms in (False, True):
            series = _atom_components(table, name) if of_atoms else _total_components(table, name)
            panels.append(
                Panel(
                    f"{label}: {'atoms' if of_atoms else 'totals per atom'}",
                    "electrostatic (meV)",
                    f"{label} (meV)",
                    series,
                )
            )
    return Chart(
        "component-correlation",
        "The components of the energy are nearly collinear",
        "Totals are those of configurations divided by the number of atoms; atoms are basin terms. "
        "All are relative to their mean per system (totals) or per species and system "
        "(atoms). Because one component nearly determines the others, one of them can stand in "
        "for the energy; because they nearly cancel, the small scatter seen here decides how well.",
        tuple(panels),
        n_columns=2,
    )


def shortcut_errors(data: ReportData) -> Chart | None:
    """Local error of every shortcut per species, with the bound of a local fit."""
    if not data.shortcuts:
        return None
    panels = []
    for comparison in data.shortcuts:
        for system in comparison.scored_on:
            series = []
            species = sorted(
                {s.species for r in comparison.results for s in r.scores if s.system == system}
            )
            for colour, number in enumerate(species):
                rows = [
                    (result.fit.predictor.name, score, bound)
                    for result in comparison.results
                    for score in result.scores
                    for bound in result.upper_bounds
                    if (score.system, score.species) == (system, number)
                    and (bound.system, bound.species) == (system, number)
                ]
                symbol = chemical_symbols[number]
                names = [name for name, _, _ in rows]
                mev = MILLIELECTRONVOLT
                series.append(
                    Series(
                        f"{symbol}, fitted on totals",
                        names,
                        [score.rmse.value / mev for _, score, _ in rows],
                        low=[score.rmse.low / mev for _, score, _ in rows],
                        high=[score.rmse.high / mev for _, score, _ in rows],
                        colour=colour,
                    )
                )
                series.append(
                    Series(
                        f"{symbol}, fitted on the atoms (bound)",
                        names,
                        [bound.rmse / mev for _, _, bound in rows],
                        colour=colour,
                        is_hollow=True,
                    )
                )
                if rows:
                    series.append(
                        Series(
                            f"{symbol}, spread of the basin energies",
                            (),
                            [rows[0][1].spread / mev],
                            kind="level",
                            colour=colour,
                        )
                    )
            panels.append(
                Panel(
                    _comparison_name(comparison, system),
                    "predictor (best held-out totals first)",
                    "error per atom, centred RMSE (meV)",
                    tuple(series),
                    is_y_from_zero=True,
                )
            )
    return Chart(
        "shortcut-errors",
        "How well each shortcut finds the energies of the atoms",
        "Filled: slopes fitted on total energies only, bars are 95 % bootstrap intervals over "
        "configurations. Hollow: the same predictor fitted to the basin energies themselves, "
        "without the sum rule; a fit to totals can come out below it only because it is corrected "
        "by the known total. Dashed: spread of the basin energies, the error of knowing nothing. "
        "Terms: t kinetic, xc exchange-correlation, es electrostatic, nl non-local "
        "pseudopotential; + makes a sum of one slope, a comma separates terms with slopes of "
        "their own.",
        tuple(panels),
        n_columns=2,
    )


def shortcut_parity(data: ReportData) -> Chart | None:
    """Energies by the chosen shortcut against basin energies."""
    panels = []
    for comparison in data.shortcuts:
        if not comparison.results:
            continue
        labels = [
            label
            for label in data.labels
            if label.is_converged and system_name(label) in comparison.scored_on
        ]
        energy = comparison.best.local_energy
        if sum(label.n_atoms for label in labels) != len(energy):
            continue  # scored on a subset of the labels: there is nothing to pair it with
        keys = species_keys(labels)
        basin = joined(labels, "basin_energy")
        panels.append(
            Panel(
                f"{_comparison_name(comparison)}: {comparison.best.fit.predictor.name}",
                "basin energy (meV)",
                "shortcut (meV)",
                species_series(centred_mev(basin, keys), centred_mev(energy, keys), keys, labels),
                has_diagonal=True,
            )
        )
    if not panels:
        return None
    return Chart(
        "shortcut-parity",
        "The best shortcut atom by atom",
        "Predictor with the smallest error on held-out totals; basin energies had no say in the "
        "choice. Each atom is predicted by a fit without its configuration where training and "
        "scored sets are the same. Energies are relative to their mean per species and system.",
        tuple(panels),
    )


def _comparison_name(comparison: ShortcutComparison, system: str | None = None) -> str:
    """Name of a comparison: what it was trained on and scored on."""
    scored = system or ", ".join(comparison.scored_on)
    trained = ", ".join(comparison.trained_on)
    return scored if comparison.is_out_of_fold else f"{scored} from {trained}"


def _total_components(table: ComponentTable, name: str) -> tuple[Series, ...]:
    """Configuration totals of a component against the electrostatic one, per atom."""
    n_atoms = table.n_atoms_per_configuration
    keys = np.array(table.systems)
    x = centred_mev(table.totals(table.component("electrostatic")) / n_atoms, keys)
    y = centred_mev(table.totals(table.component(name)) / n_atoms, keys)
    return tuple(
        Series(str(key), x[keys == key], y[keys == key], colour=colour)
        for colour, key in enumerate(dict.fromkeys(keys))
    )


def _atom_components(table: ComponentTable, name: str) -> tuple[Series, ...]:
    """Basin terms of the atoms against the electrostatic one."""
    systems = np.array(table.systems)[table.configuration]
    keys = np.array(
        [f"{s} {chemical_symbols[z]}" for s, z in zip(systems, table.species, strict=True)]
    )
    x = centred_mev(table.component("electrostatic"), keys)
    y = centred_mev(table.component(name), keys)
    series = []
    for colour, key in enumerate(dict.fromkeys(keys)):
        own = np.flatnonzero(keys == key)
        own = own[:: max(1, -(-len(own) // MAX_PARITY_POINTS))]
        series.append(Series(str(key), x[own], y[own], colour=colour))
    return tuple(series)
