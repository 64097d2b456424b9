"""Charts of local energies: parity and error against size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ModelResult, ReportData, pooled_rmse
from zeroflux.report.selection import (
    MAX_PARITY_POINTS,
    atom_places,
    baseline_name,
    centred_mev,
    joined,
    model_title,
    shown_networks,
)
from zeroflux.units import MILLIELECTRONVOLT


def local_parity(data: ReportData) -> Chart | None:
    """Local against basin energies, one panel per size, the seed of median error."""
    networks = shown_networks(data)
    if not networks:
        return None
    labels = [data.labels[k] for k in data.evaluated]
    basin = joined(labels, "basin_energy")
    places = atom_places(data)
    numbers = np.concatenate([label.frame.atomic_numbers for label in labels])
    keys = np.array([f"{p} {chemical_symbols[z]}" for p, z in zip(places, numbers, strict=True)])
    note = np.array(
        [
            f"configuration {k + 1}, atom {a + 1}"
            for k, label in enumerate(labels)
            for a in range(label.n_atoms)
        ]
    )
    panels = []
    for model in networks:
        home = np.array([model.is_home(str(place)) for place in places])
        used = np.flatnonzero(home & np.isfinite(model.local_energy))
        x = centred_mev(basin[used], keys[used])
        y = centred_mev(model.local_energy[used], keys[used])
        error = model.home_error / MILLIELECTRONVOLT
        panels.append(
            Panel(
                f"{model_title(data, model)} ({error:.2g} meV)",
                "basin energy (meV)",
                "local energy (meV)",
                _by_key(x, y, keys[used], note[used]),
                has_diagonal=True,
            )
        )
    return Chart(
        "local-parity",
        "Local energies against basin energies",
        "Each point is an atom of an evaluated configuration like those trained on. Both energies "
        "are relative to their mean over the species in its test set, since totals fix no offset "
        "between species. Of each size shown, the seed with the median error; the number is its "
        "centred RMSE. The dotted line is perfect agreement.",
        tuple(panels),
    )


def _by_key(x: np.ndarray, y: np.ndarray, keys: np.ndarray, note: np.ndarray) -> tuple[Series, ...]:
    """One series per key, thinned where it is long."""
    series = []
    for colour, key in enumerate(dict.fromkeys(keys)):
        own = np.flatnonzero(keys == key)
        own = own[:: max(1, -(-len(own) // MAX_PARITY_POINTS))]
        series.append(Series(str(key), x[own], y[own], colour=colour, note=list(note[own])))
    return tuple(series)


def error_against_size(data: ReportData) -> Chart | None:
    """Centred local error of every network against its number of parameters.

    A panel for each training set and system like it; for one training set, for every system.
    """
    networks = data.main_networks
    if not networks:
        return None
    sets = list(dict.fromkeys(m.trained_on for m in networks))
    architectures = list(dict.fromkeys(m.architecture for m in networks))
    panels = []
    for trained_on in sets:
        own = [m for m in networks if m.trained_on == trained_on]
        systems = dict.fromkeys(s.system for m in own for s in m.scores)
        if len(sets) > 1:
            systems = {system: None for system in systems if own[0].is_home(system)}
        levels = [m for m in data.models if m.is_baseline]
        if len(sets) > 1:
            levels = [m for m in levels if m.trained_on == trained_on]
        for system in systems:
            title = system if len(sets) == 1 else f"trained on {trained_on}, scored on {system}"
            panels.append(_size_panel(title, system, own, levels, architectures))
    return Chart(
        "error-against-size",
        "Error of the local energies against size",
        "Each point is one trained network (one seed); the line joins the means over seeds and its "
        "bars are one standard deviation over seeds. Linear models have no random start and stand "
        "for themselves. Dashed lines are baselines that know no chemistry beyond what their "
        "names say.",
        tuple(panels),
        n_columns=2,
    )


def _size_panel(
    title: str,
    system: str,
    networks: Sequence[ModelResult],
    levels: Sequence[ModelResult],
    architectures: Sequence[str],
) -> Panel:
    """Points of all networks, means by architecture, and baselines."""
    series = []
    for colour, architecture in enumerate(architectures):
        own = [m for m in networks if m.architecture == architecture]
        if not own:
            continue
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
            [error[size == s].std(ddof=1) if (size == s).sum() > 1 else np.nan for s in distinct]
        )
        series.append(
            Series(
                f"{architecture}, mean ± s.d.",
                distinct,
                mean,
                kind="line",
                low=np.maximum(mean - scatter, 0.2 * mean),  # the axis is logarithmic
                high=mean + scatter,
                colour=colour,
            )
        )
    for offset, model in enumerate(levels):
        value = pooled_rmse(model.scores, system) / MILLIELECTRONVOLT
        if np.isfinite(value):
            series.append(
                Series(
                    baseline_name(model),
                    (),
                    [value],
                    kind="level",
                    colour=len(architectures) + offset,
                )
            )
    return Panel(
        title,
        "number of parameters",
        "local error, centred RMSE (meV)",
        tuple(series),
        is_x_log=True,
        is_y_log=True,
    )


def composition_means(energy: np.ndarray, formulas: list[str]) -> np.ndarray:
    """For each configuration the mean energy of those of the same composition."""
    code = np.unique(formulas, return_inverse=True)[1]
    return (np.bincount(code, weights=energy) / np.bincount(code))[code]


def total_parity(data: ReportData) -> Chart | None:
    """Predicted against DFT totals per atom, one panel per size."""
    networks = shown_networks(data)
    if not networks:
        return None
    labels = [data.labels[k] for k in data.evaluated]
    n_atoms = np.array([label.n_atoms for label in labels])
    index = np.repeat(np.arange(len(labels)), n_atoms)
    names = np.array(data.evaluated_places, dtype=object)
    reference = np.array([label.total_energy for label in labels]) / n_atoms
    formulas = [str(np.sort(label.frame.atomic_numbers)) for label in labels]
    panels = []
    for model in networks:
        predicted = np.bincount(index, weights=model.local_energy) / n_atoms
        known = np.isfinite(predicted) & np.array([model.is_home(str(name)) for name in names])
        series = []
        for colour, name in enumerate(dict.fromkeys(names[known])):
            own = known & (names == name)
            mean = composition_means(reference[own], [formulas[k] for k in np.flatnonzero(own)])
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
                model_title(data, model),
                "DFT total energy per atom (meV)",
                "predicted (meV)",
                tuple(series),
                has_diagonal=True,
            )
        )
    return Chart(
        "total-parity",
        "Total energies of configurations left out of training",
        "Each point is a configuration like those trained on, relative to the mean DFT energy of "
        "its composition. This is what the networks were trained for; the charts above show what "
        "they were not told.",
        tuple(panels),
    )
