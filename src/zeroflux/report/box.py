"""Boxes of the liquid for the three-dimensional view: ångström and meV, ready for the page."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import chemical_symbols

from zeroflux.labels import system_name
from zeroflux.report.data import ReportData
from zeroflux.report.selection import centred_mev, model_title, shown_networks
from zeroflux.units import ANGSTROM

MAX_BOXES = 40
"""Configurations offered by the picker; more would only make the page heavy."""
MAX_MODELS = 2
"""Models whose local energies are offered: those of smallest error."""


def boxes(data: ReportData) -> list[dict[str, Any]]:
    """Configurations with per-atom energies relative to the mean of the species in its system.

    Evaluated configurations come first, with the local energies of the median network of each
    size; without networks, all converged labels with their basin energies.
    """
    chosen = list(data.evaluated) or [
        k for k, label in enumerate(data.labels) if label.is_converged
    ]
    # A network that lacks an element has no energy for some of the atoms.
    models = [m for m in shown_networks(data) if np.isfinite(m.local_energy).all()]
    models = sorted(models, key=lambda m: m.home_error)[:MAX_MODELS]
    labels = [data.labels[k] for k in chosen]
    if not labels:
        return []
    sizes = [label.n_atoms for label in labels]
    keys = np.concatenate(
        [[f"{system_name(label)} {z}" for z in label.frame.atomic_numbers] for label in labels]
    )
    basin = centred_mev(np.concatenate([label.basin_energy for label in labels]), keys)
    fields = {"basin energy": basin}
    for model in models:
        name = model_title(data, model).removesuffix(" parameters").replace(", ", " ")
        local = centred_mev(model.local_energy, keys)
        fields[f"local energy, {name}"] = local
        fields[f"local − basin, {name}"] = local - basin
    ends = np.cumsum(sizes)
    shown = np.unique(np.linspace(0, len(labels) - 1, min(MAX_BOXES, len(labels))).astype(int))
    return [
        {
            "name": f"{chosen[k] + 1}: {_formula(labels[k])}",
            "system": system_name(labels[k]),
            "symbols": [chemical_symbols[z] for z in labels[k].frame.atomic_numbers],
            "positions": _wrapped(labels[k]).round(3).tolist(),
            "cell": (labels[k].frame.cell / ANGSTROM).round(4).tolist(),
            "fields": {
                name: values[ends[k] - sizes[k] : ends[k]].round(3).tolist()
                for name, values in fields.items()
            },
        }
        for k in shown
    ]


def _wrapped(label) -> np.ndarray:
    """Positions inside the cell (Å)."""
    fractional = label.frame.fractional_positions
    return (fractional - np.floor(fractional)) @ label.frame.cell / ANGSTROM


def _formula(label) -> str:
    """System and composition, such as ``argon, Ar16``."""
    numbers, counts = np.unique(label.frame.atomic_numbers, return_counts=True)
    formula = "".join(f"{chemical_symbols[z]}{n}" for z, n in zip(numbers, counts, strict=True))
    return f"{system_name(label)}, {formula}"
