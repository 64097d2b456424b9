"""Charts of the shortcut: components of the energy and what can be had from them."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from zeroflux.correlation import ComponentTable, ShortcutComparison, component_table
from zeroflux.labels import system_name
from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ReportData
from zeroflux.report.selection import (
    centred_mev,
    joined,
    keyed_series,
    species_keys,
    species_series,
    without_phase,
)
from zeroflux.units import MILLIELECTRONVOLT

WIDER = 8.0
"""Systems whose energies spread by this factor more than the narrowest get panels of their own."""


def component_correlation(data: ReportData) -> Chart | None:
    """Kinetic and exchange-correlation against electrostatic energy, of totals and of atoms."""
    if not any(label.is_converged for label in data.labels):
        return None
    table = component_table(data.labels)
    panels = []
    for scale, systems in _scales(table).items():
        for name, label in (("kinetic", "kinetic"), ("xc", "exchange-correlation")):
            for of_atoms in (False, True):
                title = f"{label}, {'atoms' if of_atoms else 'totals per atom'}{scale}"
                series = _components(table, name, systems, of_atoms=of_atoms)
                if any(len(s.x) > 1 for s in series):
                    axis = f"{label} (meV)"
                    panels.append(Panel(title, "electrostatic (meV)", axis, series))
    return Chart(
        "component-correlation",
        "The components of the energy are nearly collinear",
        "Totals are those of configurations divided by the number of atoms; atoms are basin terms. "
        "All are relative to their mean per system (totals) or per species and system "
        "(atoms). Because one component nearly determines the others, one of them can stand in "
        "for the energy; because they nearly cancel, the small scatter seen here decides how well. "
        "Systems on a far wider scale, such as dimers pushed together, have panels of their own.",
        tuple(panels),
        n_columns=2,
    )


def _scales(table: ComponentTable) -> dict[str, list[str]]:
    """Systems of like spread together, the narrow ones first."""
    systems = np.array(table.systems)
    energy = table.totals(table.component("electrostatic")) / table.n_atoms_per_configuration
    spread = {
        str(name): float(energy[systems == name].std()) for name in dict.fromkeys(table.systems)
    }
    known = [value for value in spread.values() if value > 1e-9]
    limit = WIDER * float(np.median(known)) if known else np.inf
    groups = {
        "": [name for name, value in spread.items() if value <= limit],
        ", wide scale": [name for name, value in spread.items() if value > limit],
    }
    return {scale: names for scale, names in groups.items() if names}


def shortcut_overview(data: ReportData) -> Chart | None:
    """The best shortcut of each system beside the spread of the energies it has to find."""
    own = [c for c in data.shortcuts if c.is_out_of_fold and c.results]
    rows = [(f"{s.system} {chemical_symbols[s.species]}", s) for c in own for s in c.best.scores]
    if not rows:
        return None
    names = [name for name, _ in rows]
    error = [[v / MILLIELECTRONVOLT for v in (s.rmse.value, s.rmse.low, s.rmse.high)]
             for _, s in rows]  # fmt: skip
    value, low, high = (list(column) for column in zip(*error, strict=True))
    spread = [s.spread / MILLIELECTRONVOLT for _, s in rows]
    return Chart(
        "shortcut-overview",
        "Error of the best shortcut, beside what there is to find",
        "The predictor is chosen by totals left out of the fit; its error is that against basin "
        "energies, with a 95 % interval over configurations. Spread: standard deviation of the "
        "basin energies, the error of knowing nothing.",
        (
            Panel(
                "",
                "system and species",
                "energy per atom (meV)",
                (
                    Series("shortcut, error", names, value, low=low, high=high, colour="argon"),
                    Series("basin energies, spread", names, spread, colour="baseline"),
                ),
                is_y_from_zero=True,
            ),
        ),
        n_columns=1,
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
            for number in species:
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
                        colour=symbol,
                    )
                )
                series.append(
                    Series(
                        f"{symbol}, fitted on the atoms (bound)",
                        names,
                        [bound.rmse / mev for _, _, bound in rows],
                        colour=symbol,
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
                            colour=symbol,
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


def _components(
    table: ComponentTable, name: str, systems: list[str], *, of_atoms: bool
) -> tuple[Series, ...]:
    """A component against the electrostatic one: of atoms, or of configurations per atom."""
    places = np.array(table.systems)
    if of_atoms:
        places = places[table.configuration]
        symbols = [chemical_symbols[z] for z in table.species]
        keys = np.array([f"{p} {z}" for p, z in zip(places, symbols, strict=True)])
        x, y = table.component("electrostatic"), table.component(name)
    else:
        keys, n_atoms = places, table.n_atoms_per_configuration
        x = table.totals(table.component("electrostatic")) / n_atoms
        y = table.totals(table.component(name)) / n_atoms
    own = np.isin(places, systems)
    x, y = centred_mev(x, keys)[own], centred_mev(y, keys)[own]
    # crystals, clusters and pairs stand with their liquid: a colour is a composition and species
    return keyed_series(x, y, np.array([without_phase(str(key)) for key in keys[own]]))
