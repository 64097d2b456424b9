"""The page of one frame's basins: structure, surface of a picked atom, table, sums, warnings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from jaxtyping import Float, Int

from zeroflux.errors import ConfigError
from zeroflux.report.chart_json import plain
from zeroflux.report.page import fill, script_json
from zeroflux.report.surface import Surface, basin_surfaces
from zeroflux.report.table import with_minus

MAX_FACETS = 90_000
"""Facets of all surfaces together: about 2 MB of the page."""
LONGEST_BOND = 1.2
"""Atoms nearer than this many times the sum of their covalent radii are joined by a stick."""
UNITS = {
    **dict.fromkeys(("population", "valence", "charge"), "e"),
    "volume": "Å³",
    "laplacian": "e/Å²",
    **dict.fromkeys(("attractor_distance", "surface_distance"), "Å"),
    **dict.fromkeys(("moment", "moment_x", "moment_y", "moment_z"), "μB"),
}
"""Units of the columns that every frame may have."""
ENDINGS = (("_ev_angstrom3", "eV Å³"), ("_ev", "eV"), ("_au", "atomic units"), ("_e", "e"))
"""Ending of the integral of a further field → its unit."""
WORDS = {
    "population": "electrons",
    "laplacian": "∫∇²ρ",
    "moment": "magnetic moment",
    "spin_integral": "magnetic moment",
    "attractor_distance": "nucleus to maximum",
    "surface_distance": "nucleus to surface",
}
FIRST = ("charge", "moment", "spin", "magnet", "volume")
"""Words of the columns that are offered first as colours."""
DIVERGING = ("charge", "moment", "spin", "magnet", "laplacian", "change")
"""Quantities with a meaning of zero: their colours have a middle."""


@dataclass(frozen=True, eq=False)
class BasinResult:
    """One frame's basins as the page shows them (e, Å, eV)."""

    source: str
    """Where the density came from."""
    elements: Sequence[str]
    positions: Float[np.ndarray, "n_atoms 3"]
    cell: Float[np.ndarray, "3 3"]
    columns: Mapping[str, Float[np.ndarray, " n_atoms"]]
    """Values of each atom by names that end in their unit, such as ``charge``."""
    totals: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of each quantity ``sum``, ``grid_total`` and ``difference``."""
    owners: Int[np.ndarray, "nx ny nz"] | None = None
    """Atom of each grid point, negative for none; without it no surfaces are drawn. Those of
    a molecule have an outer end, a surface of constant density."""
    origin: Float[np.ndarray, " 3"] = field(default_factory=lambda: np.zeros(3))
    """Position of the first grid point."""
    method: str = ""
    remarks: Sequence[str] = ()
    """Warnings and repairs."""
    vacuum: Mapping[str, float] | None = None
    """Integrals over the points that belong to no atom."""

    def __post_init__(self) -> None:
        for name, values in {"positions": self.positions, **self.columns}.items():
            if len(values) != len(self.elements):
                raise ConfigError(
                    f"Found {len(values)} values of {name} for {len(self.elements)} atoms; "
                    "expected one for each. Give the columns of one frame."
                )


def basins_page(result: BasinResult) -> str:
    """The page as HTML text; it holds its scripts and data and fetches nothing."""
    columns = {key: values for key, values in result.columns.items() if key not in ("x", "y", "z")}
    known = {key: v for key, v in columns.items() if np.isfinite(v).any()}
    order = sorted(known, key=_rank)
    surfaces = _surfaces(result)
    payload = {
        "elements": list(result.elements),
        "positions": np.round(result.positions, 3).tolist(),
        "radii": [_radius(symbol) for symbol in result.elements],
        "cell": np.round(result.cell, 4).tolist(),
        "bonds": _bonds(result.elements, result.positions),
        "columns": [
            {
                "key": key,
                "title": column_title(key),
                "diverging": any(word in key for word in DIVERGING),
                "values": [_six(v) for v in known[key]],
            }
            for key in order
        ],
        "surfaces": [None if s is None else _packed(s) for s in surfaces],
    }
    return fill(
        "basins.html",
        title=f"Basins of {Atoms(list(result.elements)).get_chemical_formula('metal')}",
        result=result,
        sums=[
            (
                column_title(key),
                *(f"{entry[end]:.5f}" for end in ("sum", "grid_total")),
                with_minus(f"{entry['difference']:.1e}"),
            )
            for key, entry in result.totals.items()
        ],
        vacuum=[(column_title(k), f"{v:.5f}") for k, v in (result.vacuum or {}).items()],
        has_surfaces=any(s is not None for s in surfaces),
        has_charge="charge" in known,
        payload=script_json(payload),
        scripts=["chart.js", "viewer.js", "basins.js"],
    )


def column_title(key: str) -> str:
    """Name of a column as words with its unit: ``charge`` is ``charge (e)``."""
    change = key.endswith("_coarse_change")
    name = key.removesuffix("_coarse_change")
    ending, unit = next(((e, u) for e, u in ENDINGS if name.endswith(e)), ("", ""))
    unit = UNITS.get(name, unit)
    name = name.removesuffix(ending)
    words = WORDS.get(name, name.replace("_", " ")) + (", coarse change" if change else "")
    return f"{words} ({unit})" if unit else words


def _rank(key: str) -> int:
    """Place of a column among those offered; a change on a coarse grid comes last."""
    if key.endswith("_coarse_change"):
        return len(FIRST) + 1
    return next((k for k, word in enumerate(FIRST) if word in key), len(FIRST))


def _radius(symbol: str) -> float:
    """Radius of an atom's ball (Å), smaller than its bonds are long."""
    return round(0.36 * float(covalent_radii[atomic_numbers.get(symbol, 0)]) + 0.1, 2)


def _bonds(elements: Sequence[str], positions: np.ndarray) -> list[list[int]]:
    """Pairs of atoms in the cell that are close enough for a stick."""
    radii = np.array([covalent_radii[atomic_numbers.get(symbol, 0)] for symbol in elements])
    pairs = []
    for i in range(len(positions) - 1):
        distance = np.linalg.norm(positions[i + 1 :] - positions[i], axis=1)
        near = distance < LONGEST_BOND * (radii[i] + radii[i + 1 :])
        pairs += [[i, int(j)] for j in np.flatnonzero(near) + i + 1]
    return pairs


def _surfaces(result: BasinResult) -> list[Surface | None]:
    """Surface of each atom, coarser where there are many."""
    if result.owners is None:
        return [None] * len(result.elements)
    across = int(np.clip(np.sqrt(MAX_FACETS / (9.0 * len(result.elements))), 5, 11))
    return list(
        basin_surfaces(
            result.owners,
            cell=result.cell,
            origin=result.origin,
            positions=result.positions,
            points_across=across,
        )
    )


def _packed(surface: Surface) -> dict[str, Any]:
    """A surface as 16-bit numbers: vertices in hundredths of an ångström from the first."""
    origin = surface.vertices[0]
    offsets = np.round(100.0 * (surface.vertices - origin)).astype("<i2")
    return {
        "origin": plain(origin),
        "vertices": base64.b64encode(offsets.tobytes()).decode(),
        "facets": base64.b64encode(surface.facets.astype("<u2").tobytes()).decode(),
    }


def _six(value: float) -> float | None:
    """Six significant digits; None where unknown."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
