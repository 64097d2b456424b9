"""Charts of local energies: parity and error against size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from zeroflux.report.chart import Chart, Panel, Series
from zeroflux.report.data import ModelResult, ReportData, pooled_rmse
from zeroflux.report.selection import (
    atom_places,
    baseline_name,
    centred_mev,
    joined,
    keyed_series,
    model_title,
    place_words,
    seeded_architectures,
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
        if not used.size:
            continue  # scored elsewhere: its energies are not here
        x = centred_mev(basin[used], keys[used])
        y = centred_mev(model.local_energy[used], keys[used])
        error = model.home_error / MILLIELECTRONVOLT
        panels.append(
            Panel(
                f"{model_title(data, model)} ({error:.2g} meV)",
                "basin energy (meV)",
                "local energy (meV)",
                keyed_series(x, y, keys[used], note[used]),
                has_diagonal=True,
            )
        )
    if not panels:
        return None
    return Chart(
        "local-parity",
        "Local energies against basin energies",
        "Each point is an atom of an evaluated configuration like those trained on. Both energies "
        "are relative to their mean over the species in its test set, since totals fix no offset "
        "between species. Of each size shown, the seed with the median error; the number is its "
        "centred RMSE. The dotted line is perfect agreement.",
        tuple(panels),
    )


def error_by_size(data: ReportData) -> Chart | None:
    """The finding in one figure: local error against size, a line for each training set.

    With one training set, a line for each architecture and a point for each network.
    """
    networks = data.main_networks
    names = seeded_architectures(networks)
    if not names:
        return None
    sets = list(dict.fromkeys(m.trained_on for m in networks))
    kept = [m for m in networks if m.architecture in names]
    if len(sets) == 1:
        series = [s for name in names for s in _architecture_series(name, kept, None)]
        caption = "A point is a network, the line joins the means over seeds."
    else:
        series = [_set_series(name, [m for m in kept if m.trained_on == name]) for name in sets]
        caption = (
            f"Means over {', '.join(names)} and their seeds; bars span the means of the "
            f"architectures. Colours: what the networks were trained on{_members(kept)}."
        )
    return Chart(
        "error-by-size",
        "Local error against the size of the network",
        caption,
        (
            Panel(
                "",
                "number of parameters",
                "local error (meV)",
                tuple(series),
                is_x_log=True,
                is_y_log=True,
            ),
        ),
    )


def _members(networks: Sequence[ModelResult]) -> str:
    """Systems of the training sets that are not named by their one system."""
    found = {m.trained_on: m.home_systems for m in networks if m.home_systems}
    words = [
        f"{name}: {', '.join(systems[:-1])} and {systems[-1]}"
        for name, systems in found.items()
        if len(systems) > 1
    ]
    return f" ({'; '.join(words)})" if words else ""


def _set_series(trained_on: str, networks: Sequence[ModelResult]) -> Series:
    """Mean over architectures of the mean error of each size."""
    sizes = sorted({m.size or m.n_parameters for m in networks})
    means, low, high = [], [], []
    for size in sizes:
        own = [m for m in networks if (m.size or m.n_parameters) == size]
        each = [
            np.mean([m.home_error for m in own if m.architecture == name]) / MILLIELECTRONVOLT
            for name in dict.fromkeys(m.architecture for m in own)
        ]
        means.append(float(np.mean(each)))
        low.append(float(min(each)))
        high.append(float(max(each)))
    return Series(trained_on, sizes, means, kind="line", low=low, high=high)


def error_ladder(data: ReportData) -> Chart | None:
    """For each training set: knowing nothing, a pair potential, networks, and their ceiling."""
    networks = data.main_networks
    sets = list(dict.fromkeys(m.trained_on for m in networks))
    if len(sets) < 2:
        return None
    found: dict[str, dict[str, float]] = {}
    for trained_on in sets:
        own = [m for m in data.models if m.trained_on == trained_on]
        most = max(m.n_training_configurations for m in own)
        for m in (m for m in own if m.is_baseline and baseline_name(m) != "random split"):
            found.setdefault(baseline_name(m), {})[trained_on] = m.home_error
        for title, target in (
            ("best network, from totals", "total"),
            ("best network, shown the basin energies", "local"),
        ):
            errors: dict[tuple[str, int], list[float]] = {}
            for m in own:
                is_network = not m.is_baseline and m.architecture != "linear"
                if is_network and (m.target, m.n_training_configurations) == (target, most):
                    key = (m.architecture, m.n_parameters)
                    errors.setdefault(key, []).append(m.home_error)
            if errors:
                found.setdefault(title, {})[trained_on] = min(map(np.mean, errors.values()))
    keys = {"best network, from totals": "argon", "best network, shown the basin energies": "pure"}
    return Chart(
        "error-ladder",
        "Error of the local energies, between knowing nothing and knowing all",
        "Local error on systems like those trained on. E/N, the mean energy per atom, gives "
        "every atom its share of the total and knows nothing of its surroundings.",
        (
            Panel(
                "",
                "training set",
                "local error (meV)",
                tuple(
                    Series(
                        "E/N" if name == "mean energy per atom" else name,
                        list(errors),
                        [error / MILLIELECTRONVOLT for error in errors.values()],
                        colour=keys.get(name, "pair" if "pair" in name else "baseline"),
                    )
                    for name, errors in found.items()
                ),
                is_y_from_zero=True,
            ),
        ),
        n_columns=1,
    )


def error_against_size(data: ReportData) -> Chart | None:
    """Centred local error of every network against its number of parameters.

    A panel for each training set and system like it; for one training set, for every system.
    """
    networks = data.main_networks
    if not networks:
        return None
    sets = list(dict.fromkeys(m.trained_on for m in networks))
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
            words = place_words(system)
            title = words if len(sets) == 1 else f"trained on {trained_on}, scored on {words}"
            panels.append(_size_panel(title, system, own, levels))
    return Chart(
        "error-against-size",
        "Error of the local energies against size, network by network",
        "Each point is one trained network (one seed); the line joins the means over seeds and its "
        "bars are one standard deviation over seeds. Linear models have no random start and stand "
        "for themselves. Dashed: the best baseline, which is no network.",
        tuple(panels),
        n_columns=2,
    )


def _size_panel(
    title: str, system: str, networks: Sequence[ModelResult], baselines: Sequence[ModelResult]
) -> Panel:
    """Points of all networks, means by architecture, and the best baseline."""
    names = list(dict.fromkeys(m.architecture for m in networks))
    series = [s for name in names for s in _architecture_series(name, networks, system)]
    levels = {
        baseline_name(m): error
        for m in baselines
        if np.isfinite(error := pooled_rmse(m.scores, system) / MILLIELECTRONVOLT)
    }
    if levels:
        best = min(levels, key=lambda name: levels[name])
        series.append(Series(best, (), [levels[best]], kind="level", colour="baseline"))
    return Panel(
        title,
        "number of parameters",
        "local error (meV)",
        tuple(series),
        is_x_log=True,
        is_y_log=True,
    )


def _architecture_series(
    architecture: str, networks: Sequence[ModelResult], system: str | None
) -> tuple[Series, Series]:
    """Every network of an architecture, and the means over seeds; on its home if no system."""
    own = [m for m in networks if m.architecture == architecture]
    size = np.array([m.n_parameters for m in own], dtype=np.float64)
    error = (
        np.array([m.home_error if system is None else pooled_rmse(m.scores, system) for m in own])
        / MILLIELECTRONVOLT
    )
    distinct = np.unique(size)
    mean = np.array([error[size == s].mean() for s in distinct])
    scatter = np.array(
        [error[size == s].std(ddof=1) if (size == s).sum() > 1 else np.nan for s in distinct]
    )
    return (
        Series(
            architecture,
            size,
            error,
            is_hollow=True,
            note=[f"{architecture}, {m.n_parameters:,}, seed {m.seed}" for m in own],
        ),
        Series(
            architecture,
            distinct,
            mean,
            kind="line",
            low=np.maximum(mean - scatter, 0.2 * mean),  # the axis is logarithmic
            high=mean + scatter,
        ),
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
        if not known.any():
            continue
        series = []
        for name in dict.fromkeys(names[known]):
            own = known & (names == name)
            mean = composition_means(reference[own], [formulas[k] for k in np.flatnonzero(own)])
            series.append(
                Series(
                    str(name),
                    (reference[own] - mean) / MILLIELECTRONVOLT,
                    (predicted[own] - mean) / MILLIELECTRONVOLT,
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
    if not panels:
        return None
    return Chart(
        "total-parity",
        "Total energies of configurations left out of training",
        "Each point is a configuration like those trained on, relative to the mean DFT energy of "
        "its composition. This is what the networks were trained for; the charts above show what "
        "they were not told.",
        tuple(panels),
    )
