"""The charts of a report, from its data: hartree in, meV out."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from zeroflux.correlation import ComponentTable, ShortcutComparison, component_table, system_name
from zeroflux.labels import Label
from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ModelResult, ReportData, pooled_rmse
from zeroflux.report.transfer_charts import (
    dimer_curves,
    error_by_rigidity,
    fidelity_transfer,
    learning_curve,
    transfer_matrix,
)
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

MAX_PARITY_POINTS = 1500
"""Points of one series in a parity plot; more are thinned evenly to keep the page light."""


def all_charts(data: ReportData) -> tuple[Chart, ...]:
    """All charts the data allow, in the order of the page."""
    charts = [
        local_parity(data),
        error_against_size(data),
        total_parity(data),
        transfer_matrix(data),
        fidelity_transfer(data),
        learning_curve(data),
        dimer_curves(data),
        error_by_rigidity(data),
        component_correlation(data),
        shortcut_errors(data),
        shortcut_parity(data),
        sampling_traces(data),
        radial_distributions(data),
        label_quality(data),
    ]
    return tuple(chart for chart in charts if chart is not None)


def local_parity(data: ReportData) -> Chart | None:
    """Local against basin energies, one panel per size, the seed of median error."""
    networks = data.networks
    if not networks:
        return None
    labels = [data.labels[k] for k in data.evaluated]
    basin = _joined(labels, "basin_energy")
    keys = _keys(labels)
    panels = []
    for architecture, size in _sizes(networks):
        model = _median_model(
            [m for m in networks if (m.architecture, m.n_parameters) == (architecture, size)]
        )
        series = _species_series(
            _centred(basin, keys), _centred(model.local_energy, keys), keys, labels
        )
        error = model.home_error / MILLIELECTRONVOLT
        panels.append(
            Panel(
                f"{architecture}, {size:,} parameters ({error:.2g} meV)",
                "basin energy (meV)",
                "local energy (meV)",
                series,
                has_diagonal=True,
            )
        )
    return Chart(
        "local-parity",
        "Local energies against basin energies",
        "Each point is an atom of an evaluated configuration. Both energies are relative to their "
        "mean over the species in its system, since totals fix no offset between species. Of each "
        "size the seed with the median error is shown; the number is its centred RMSE. The dotted "
        "line is perfect agreement.",
        tuple(panels),
    )


def error_against_size(data: ReportData) -> Chart | None:
    """Centred local error of every network against its number of parameters, per system."""
    networks = data.networks
    if not networks:
        return None
    panels = []
    systems = dict.fromkeys(score.system for model in networks for score in model.scores)
    architectures = list(dict.fromkeys(model.architecture for model in networks))
    for system in systems:
        series = []
        for colour, architecture in enumerate(architectures):
            own = [m for m in networks if m.architecture == architecture]
            size = np.array([m.n_parameters for m in own], dtype=np.float64)
            error = np.array([pooled_rmse(m.scores, system) for m in own]) / MILLIELECTRONVOLT
            series.append(
                Series(
                    architecture,
                    size,
                    error,
                    colour=colour,
                    is_hollow=True,
                    note=[f"{m.name}, seed {m.seed}" for m in own],
                )
            )
            distinct = np.unique(size)
            mean = np.array([error[size == s].mean() for s in distinct])
            scatter = np.array(
                [
                    error[size == s].std(ddof=1) if (size == s).sum() > 1 else np.nan
                    for s in distinct
                ]
            )
            series.append(
                Series(
                    f"{architecture}, mean ± s.d.",
                    distinct,
                    mean,
                    kind="line",
                    low=mean - scatter,
                    high=mean + scatter,
                    colour=colour,
                )
            )
        for offset, model in enumerate(m for m in data.models if m.is_baseline):
            value = pooled_rmse(model.scores, system) / MILLIELECTRONVOLT
            if np.isfinite(value):
                series.append(
                    Series(
                        model.name,
                        (),
                        [value],
                        kind="level",
                        colour=len(architectures) + offset,
                    )
                )
        panels.append(
            Panel(
                system,
                "number of parameters",
                "local error, centred RMSE (meV)",
                tuple(series),
                is_x_log=True,
                is_y_from_zero=True,
            )
        )
    return Chart(
        "error-against-size",
        "Error of the local energies against size",
        "Each point is one trained network (one seed); the line joins the means over seeds and its "
        "bars are one standard deviation over seeds. Dashed lines are baselines that know no "
        "chemistry beyond what their names say.",
        tuple(panels),
        n_columns=2,
    )


def total_parity(data: ReportData) -> Chart | None:
    """Predicted against DFT totals per atom, one panel per size."""
    networks = data.networks
    if not networks:
        return None
    labels = [data.labels[k] for k in data.evaluated]
    n_atoms = np.array([label.n_atoms for label in labels])
    index = np.repeat(np.arange(len(labels)), n_atoms)
    names = np.array([system_name(label) for label in labels])
    reference = np.array([label.total_energy for label in labels]) / n_atoms
    panels = []
    for architecture, size in _sizes(networks):
        model = _median_model(
            [m for m in networks if (m.architecture, m.n_parameters) == (architecture, size)]
        )
        predicted = np.bincount(index, weights=model.local_energy) / n_atoms
        series = []
        for colour, name in enumerate(dict.fromkeys(names)):
            own = names == name
            mean = reference[own].mean()
            series.append(
                Series(
                    str(name),
                    (reference[own] - mean) / MILLIELECTRONVOLT,
                    (predicted[own] - mean) / MILLIELECTRONVOLT,
                    colour=colour,
                )
            )
        panels.append(
            Panel(
                f"{architecture}, {size:,} parameters",
                "DFT total energy per atom (meV)",
                "predicted (meV)",
                tuple(series),
                has_diagonal=True,
            )
        )
    return Chart(
        "total-parity",
        "Total energies of configurations left out of training",
        "Each point is a configuration, relative to the mean DFT energy of its system. This is "
        "what the networks were trained for; the charts above show what they were not told.",
        tuple(panels),
    )


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
        keys = _keys(labels)
        basin = _joined(labels, "basin_energy")
        panels.append(
            Panel(
                f"{_comparison_name(comparison)}: {comparison.best.fit.predictor.name}",
                "basin energy (meV)",
                "shortcut (meV)",
                _species_series(_centred(basin, keys), _centred(energy, keys), keys, labels),
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


def sampling_traces(data: ReportData) -> Chart | None:
    """Potential energy along the sampling runs."""
    if not data.traces:
        return None
    series = tuple(
        Series(
            trace.name,
            trace.step,
            trace.energy_per_atom / MILLIELECTRONVOLT,
            kind="line",
            colour=index,
        )
        for index, trace in enumerate(data.traces)
    )
    return Chart(
        "sampling-energy",
        "Energy along the sampling runs",
        "Energy per atom of the potential that generated the configurations. A drift here would "
        "mean that the liquid had not settled.",
        (Panel("sampling potential", "step", "energy per atom (meV)", series),),
        n_columns=1,
    )


def radial_distributions(data: ReportData) -> Chart | None:
    """Radial distribution functions of the sampled configurations."""
    if not data.distributions:
        return None
    series = tuple(
        Series(item.name, item.distance / ANGSTROM, item.g, kind="line", colour=index)
        for index, item in enumerate(data.distributions)
    )
    return Chart(
        "radial-distribution",
        "Radial distribution functions",
        "Of the configurations that were labelled. Liquid argon at 84 K has its first maximum at "
        "3.78 Å.",
        (Panel("g(r)", "distance (Å)", "g(r)", series, is_y_from_zero=True),),
        n_columns=1,
    )


def label_quality(data: ReportData) -> Chart | None:
    """Closure residual per configuration and ∫∇²ρ per atom."""
    labels = [label for label in data.labels if label.is_converged]
    if not labels:
        return None
    closure, laplacian = [], []
    for colour, name in enumerate(data.systems):
        own = [(k, label) for k, label in enumerate(labels) if system_name(label) == name]
        index = [k + 1 for k, _ in own]
        closure.append(
            Series(
                name,
                index,
                [label.closure / label.n_atoms / MILLIELECTRONVOLT for _, label in own],
                colour=colour,
            )
        )
        laplacian.append(
            Series(
                name,
                index,
                [
                    0.25 * np.abs(label.terms.laplacian).max() / MILLIELECTRONVOLT
                    for _, label in own
                ],
                colour=colour,
            )
        )
    return Chart(
        "label-quality",
        "Quality of the labels",
        "Closure: total energy less the sum of the integrated terms, per atom. Zero flux: a "
        "quarter of the largest |∫∇²ρ| over a basin, by which two legitimate kinetic energies of "
        "that atom differ; zero for exact basins.",
        (
            Panel("closure", "configuration", "residual per atom (meV)", tuple(closure)),
            Panel(
                "zero flux",
                "configuration",
                "¼ max |∫∇²ρ| (meV)",
                tuple(laplacian),
                is_y_from_zero=True,
            ),
        ),
        n_columns=2,
    )


def _comparison_name(comparison: ShortcutComparison, system: str | None = None) -> str:
    """Name of a comparison: what it was trained on and scored on."""
    scored = system or ", ".join(comparison.scored_on)
    trained = ", ".join(comparison.trained_on)
    return scored if comparison.is_out_of_fold else f"{scored} from {trained}"


def _sizes(networks: tuple[ModelResult, ...]) -> list[tuple[str, int]]:
    """Architectures and sizes that occur, smallest first."""
    return list(dict.fromkeys((m.architecture, m.n_parameters) for m in networks))


def _median_model(models: list[ModelResult]) -> ModelResult:
    """The model of median error (the lower one of an even number)."""
    ranked = sorted(models, key=lambda model: model.home_error)
    return ranked[(len(ranked) - 1) // 2]


def _joined(labels: list[Label], name: str) -> np.ndarray:
    """A per-atom quantity of all labels."""
    return np.concatenate([getattr(label, name) for label in labels])


def _keys(labels: list[Label]) -> np.ndarray:
    """System and species of every atom as one string."""
    return np.concatenate(
        [
            [f"{system_name(label)} {chemical_symbols[z]}" for z in label.frame.atomic_numbers]
            for label in labels
        ]
    )


def _centred(energy: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Energy relative to the mean of its species and system (meV)."""
    _, code = np.unique(keys, return_inverse=True)
    mean = np.bincount(code, weights=energy) / np.bincount(code)
    return (energy - mean[code]) / MILLIELECTRONVOLT


def _species_series(
    x: np.ndarray, y: np.ndarray, keys: np.ndarray, labels: list[Label]
) -> tuple[Series, ...]:
    """One series per species and system, with the place of each atom as its note."""
    note = np.concatenate(
        [
            [f"configuration {k + 1}, atom {a + 1}" for a in range(label.n_atoms)]
            for k, label in enumerate(labels)
        ]
    )
    series = []
    for colour, key in enumerate(dict.fromkeys(keys)):
        own = np.flatnonzero(keys == key)
        own = own[:: max(1, -(-len(own) // MAX_PARITY_POINTS))]
        series.append(Series(str(key), x[own], y[own], colour=colour, note=list(note[own])))
    return tuple(series)


def _total_components(table: ComponentTable, name: str) -> tuple[Series, ...]:
    """Configuration totals of a component against the electrostatic one, per atom."""
    n_atoms = table.n_atoms_per_configuration
    keys = np.array(table.systems)
    x = _centred(table.totals(table.component("electrostatic")) / n_atoms, keys)
    y = _centred(table.totals(table.component(name)) / n_atoms, keys)
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
    x = _centred(table.component("electrostatic"), keys)
    y = _centred(table.component(name), keys)
    series = []
    for colour, key in enumerate(dict.fromkeys(keys)):
        own = np.flatnonzero(keys == key)
        own = own[:: max(1, -(-len(own) // MAX_PARITY_POINTS))]
        series.append(Series(str(key), x[own], y[own], colour=colour))
    return tuple(series)
