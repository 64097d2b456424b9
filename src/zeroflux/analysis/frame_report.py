"""What is reported of one frame, in the units of the output.

The names of the columns and keys are a contract; docs/basins-output.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

SCHEMA = "zeroflux-basins/2"


FRAME_COLUMNS = (
    "population", "valence", "charge", "volume", "laplacian",
    "attractor_distance", "surface_distance",
)  # fmt: skip
"""Columns that every frame has, beside positions."""


OLD_NAMES = {
    "population_e": "population",
    "valence_e": "valence",
    "charge_e": "charge",
    "volume_angstrom3": "volume",
    "laplacian_e_per_angstrom2": "laplacian",
    "attractor_distance_angstrom": "attractor_distance",
    "surface_distance_angstrom": "surface_distance",
    **{f"{axis}_angstrom": axis for axis in "xyz"},
}
"""Columns of schema 1 by their names now."""


class Columns(dict[str, Any]):
    """Values by the names of the columns; the names of schema 1 find the same values."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({_new_name(key): value for key, value in values.items()})

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(_new_name(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(_new_name(key) if isinstance(key, str) else key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the default if there is none."""
        return super().get(_new_name(key), default)


def _new_name(key: str) -> str:
    stem = key.removesuffix("_coarse_change")
    return OLD_NAMES.get(stem, stem) + key[len(stem) :]


@dataclass(frozen=True, eq=False)
class FrameReport:
    """Basins of one frame, in the output's units (e, Å, eV)."""

    source: str
    """File of the density, with dataset and frame."""
    frame: int
    """Number of the frame in this run."""
    method: str
    grid_shape: tuple[int, int, int]
    cell_angstrom: Float[np.ndarray, "3 3"]
    elements: tuple[str, ...]
    columns: Mapping[str, Float[np.ndarray, " n_atoms"]]
    """One value for each atom; NaN where unknown."""
    totals: Mapping[str, Mapping[str, float]]
    """Of each quantity ``sum``, ``grid_total`` and ``difference``."""
    attractors: Mapping[str, Any]
    valence_source: str | None = None
    remarks: tuple[str, ...] = field(default_factory=tuple)
    """Repairs and doubts, each with its size."""
    charges_hint: str | None = None
    """How to get net charges if there are none; for the terminal only."""
    vacuum: Mapping[str, float] | None = None
    """Integrals over the points that belong to no atom, by the names of the columns."""

    owners: Int[np.ndarray, "n_a n_b n_c"] | None = None
    """Atom of each point of the grid, for pictures, negative where there is next to no density; if
    it was asked for, and never in files."""
    origin_angstrom: Float[np.ndarray, " 3"] = field(default_factory=lambda: np.zeros(3))
    """Position of the first point."""

    def __post_init__(self) -> None:
        for name in ("columns", "totals", "vacuum"):
            values = getattr(self, name)
            object.__setattr__(self, name, None if values is None else Columns(values))

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.elements)

    def to_dict(self) -> dict[str, Any]:
        """The frame as the JSON output has it; NaN becomes None."""
        atoms = [
            {
                "atom": i,
                "element": element,
                **{key: _plain(values[i]) for key, values in self.columns.items()},
            }
            for i, element in enumerate(self.elements)
        ]
        return {
            "frame": self.frame,
            "source": self.source,
            "method": self.method,
            "grid_shape": list(self.grid_shape),
            "cell_angstrom": self.cell_angstrom.tolist(),
            "n_atoms": self.n_atoms,
            "valence_source": self.valence_source,
            "atoms": atoms,
            "totals": {k: {n: _plain(v) for n, v in t.items()} for k, t in self.totals.items()},
            "attractors": dict(self.attractors),
            "vacuum": None if self.vacuum is None else dict(self.vacuum),
            "remarks": list(self.remarks),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FrameReport:
        """The frame of a JSON record."""
        atoms = record["atoms"]
        keys = [k for k in (atoms[0] if atoms else {}) if k not in ("atom", "element")]
        return cls(
            source=record["source"],
            frame=record["frame"],
            method=record["method"],
            grid_shape=tuple(record["grid_shape"]),
            cell_angstrom=np.array(record["cell_angstrom"], dtype=np.float64),
            elements=tuple(a["element"] for a in atoms),
            columns={
                k: np.array([np.nan if a[k] is None else a[k] for a in atoms], dtype=np.float64)
                for k in keys
            },
            totals=record["totals"],
            attractors=record["attractors"],
            valence_source=record["valence_source"],
            remarks=tuple(record["remarks"]),
            vacuum=record.get("vacuum"),
        )


def _plain(value: float) -> float | None:
    """A float for JSON, which knows no NaN or infinity."""
    return float(value) if np.isfinite(value) else None
