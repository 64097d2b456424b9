"""Which atoms, models and names the charts share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from zeroflux.labels import Label, system_name
from zeroflux.report.chart import Series
from zeroflux.report.colours import PHASES
from zeroflux.report.data import ModelResult, ReportData
from zeroflux.units import MILLIELECTRONVOLT

MAX_SHOWN = 8
"""Networks that get a panel or a colour of their own; of more, a choice is shown."""
MAX_PARITY_POINTS = 250
"""Points of one series in a parity plot; more are thinned evenly to keep the page light."""


def sizes_of(networks: Sequence[ModelResult]) -> list[tuple[str, int]]:
    """Architectures and sizes that occur, smallest first."""
    return list(dict.fromkeys((m.architecture, m.n_parameters) for m in networks))


def median_model(models: Sequence[ModelResult]) -> ModelResult:
    """The model of median error (the lower one of an even number)."""
    ranked = sorted(models, key=lambda model: model.home_error)
    return ranked[(len(ranked) - 1) // 2]


def joined(labels: list[Label], name: str) -> np.ndarray:
    """A per-atom quantity of all labels."""
    return np.concatenate([getattr(label, name) for label in labels])


def species_keys(labels: list[Label]) -> np.ndarray:
    """System and species of every atom as one string."""
    return np.concatenate(
        [
            [f"{system_name(label)} {chemical_symbols[z]}" for z in label.frame.atomic_numbers]
            for label in labels
        ]
    )


def centred_mev(energy: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Energy relative to the mean of its species and system (meV)."""
    _, code = np.unique(keys, return_inverse=True)
    mean = np.bincount(code, weights=energy) / np.bincount(code)
    return (energy - mean[code]) / MILLIELECTRONVOLT


def species_series(
    x: np.ndarray, y: np.ndarray, keys: np.ndarray, labels: list[Label]
) -> tuple[Series, ...]:
    """One series per species and system, with the place of each atom as its note."""
    note = np.concatenate(
        [
            [f"configuration {k + 1}, atom {a + 1}" for a in range(label.n_atoms)]
            for k, label in enumerate(labels)
        ]
    )
    return keyed_series(x, y, keys, note)


def keyed_series(
    x: np.ndarray, y: np.ndarray, keys: np.ndarray, note: np.ndarray | None = None
) -> tuple[Series, ...]:
    """One series of points per key, thinned where it is long."""
    series = []
    for key in dict.fromkeys(keys):
        own = np.flatnonzero(keys == key)
        own = own[:: max(1, -(-len(own) // MAX_PARITY_POINTS))]
        notes = None if note is None else [str(text) for text in note[own]]
        series.append(Series(str(key), x[own], y[own], note=notes))
    return tuple(series)


def shown_networks(data: ReportData) -> list[ModelResult]:
    """Networks to show atom by atom: of each size the seed of median error.

    Where that is too many, of each training set those of the architecture with most networks,
    and of these the smallest, the best and the largest.
    """
    groups: dict[tuple[str, str, int], list[ModelResult]] = {}
    for model in data.main_networks:
        key = (model.trained_on, model.architecture, model.n_parameters)
        groups.setdefault(key, []).append(model)
    if len(groups) <= MAX_SHOWN:
        return [median_model(own) for own in groups.values()]
    shown = []
    for trained_on in dict.fromkeys(key[0] for key in groups):
        counts: dict[str, int] = {}
        for (where, architecture, _), own in groups.items():
            if where == trained_on:
                counts[architecture] = counts.get(architecture, 0) + len(own)
        favourite = max(counts, key=lambda name: counts[name])
        of_size = {n: own for (t, a, n), own in groups.items() if (t, a) == (trained_on, favourite)}
        best = min(of_size, key=lambda n: float(np.mean([m.home_error for m in of_size[n]])))
        for size in sorted({min(of_size), best, max(of_size)}):
            shown.append(median_model(of_size[size]))
    return shown


def model_title(data: ReportData, model: ModelResult) -> str:
    """Architecture and size, with the training set where there are several."""
    name = f"{model.architecture}, {model.n_parameters:,} parameters"
    several = len({m.trained_on for m in data.networks}) > 1
    return f"{model.trained_on}: {name}" if several else name


def without_phase(name: str) -> str:
    """A system's name without its phase: ``argon fcc Ar`` is ``argon Ar``."""
    return " ".join(word for word in name.split() if word not in PHASES)


def place_words(name: str) -> str:
    """A test set and its system as words: ``solids, argon fcc`` is ``argon fcc``."""
    test_set, _, system = name.partition(", ")
    words = test_set.replace("unseen_", "other ").replace("_", " ")
    if not system:
        return words
    is_said = any(word in system for word in (words.rstrip("s"), "fcc", "hcp"))
    return system if is_said else f"{system}, {words}"


def seeded_architectures(networks: Sequence[ModelResult]) -> list[str]:
    """Architectures that came in several sizes, with several seeds: they can show an effect."""
    found = []
    for name in dict.fromkeys(m.architecture for m in networks):
        own = [m for m in networks if m.architecture == name]
        kinds = {(m.trained_on, m.n_parameters) for m in own}
        if len({m.size or m.n_parameters for m in own}) > 1 and len(own) > len(kinds):
            found.append(name)
    return found


def baseline_name(model: ModelResult) -> str:
    """Name of a baseline without its training set."""
    return model.name.removesuffix(f" ({model.trained_on})")


def atom_places(data: ReportData) -> np.ndarray:
    """Test set of every evaluated atom."""
    sizes = [data.labels[k].n_atoms for k in data.evaluated]
    return np.repeat(np.array(data.evaluated_places, dtype=object), sizes)
