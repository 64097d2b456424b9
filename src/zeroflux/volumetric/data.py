"""Fields on a periodic grid, with the atoms and the file that they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM, ELECTRONVOLT

UNITS: dict[str, float] = {
    "1/bohr^3": 1.0,
    "1/angstrom^3": ANGSTROM**-3,
    "hartree/bohr^3": 1.0,
    "eV/angstrom^3": ELECTRONVOLT / ANGSTROM**3,
    "hartree": 1.0,
    "eV": ELECTRONVOLT,
    "unknown": 1.0,
}
"""Units a field may be given in, as factors to atomic units. In memory a field is in atomic
units; ``unknown`` says that the file does not tell, and atomic units are assumed."""


ATOMIC_UNIT_OF: dict[str, str] = {
    unit: {"1": "1/bohr^3", "hartree": unit, "unknown": unit}.get(
        unit.partition("/")[0], "hartree/bohr^3" if "/" in unit else "hartree"
    )
    for unit in UNITS
}
"""The atomic unit of the same kind of quantity."""


@dataclass(frozen=True, eq=False)
class VolumetricData:
    """One or more named fields on one grid.

    Raises
    ------
    ValueError
        If there is no field, or one has another shape than the grid.
    """

    grid: UniformGrid
    fields: Mapping[str, Float[np.ndarray, "n_a n_b n_c"]]
    """Values in atomic units, float64, C order."""
    frame: Frame | None = None
    """Atoms, when the file has them and their elements are known."""
    units: Mapping[str, str] = field(default_factory=dict)
    """What a field is, by its atomic unit: ``1/bohr^3``, ``hartree/bohr^3``, ``hartree`` or
    ``unknown`` (the default). A field already multiplied by a factor of `UNITS` is in its atomic
    unit."""
    source: Path | None = None
    """The file read."""
    effective_charges: Float[np.ndarray, " n_atoms"] | None = None
    """The charge column of a cube: valence charges when a pseudopotential code wrote it."""
    group_sizes: tuple[int, ...] | None = None
    """Atoms of each group of a VASP header; each group has an entry in the POTCAR."""
    relative_cell_error: float = 0.0
    """Bound of the relative error of the cell volume from the digits printed in the file."""
    has_more: bool = False
    """Whether the file holds further fields, such as the magnetization, that were not read."""
    first_value_line: int = 0
    """Line of the first value of the first field in a text file; 0 for a binary one."""

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError("no field given; expected at least one")
        for name, values in self.fields.items():
            if values.shape != tuple(self.grid.shape):
                raise ValueError(
                    f"field '{name}' has shape {values.shape}; the grid has {self.grid.shape}"
                )

    @property
    def first(self) -> Float[np.ndarray, "n_a n_b n_c"]:
        """The first field, the one that most files hold alone."""
        return next(iter(self.fields.values()))

    @property
    def first_unit(self) -> str:
        """Unit of the first field."""
        return self.units.get(next(iter(self.fields)), "unknown")

    @property
    def place(self) -> str:
        """``path:line`` of the values, for messages."""
        where = str(self.source) if self.source else "array"
        return f"{where}:{self.first_value_line}" if self.first_value_line else where


def check_finite(values: Float[np.ndarray, "*shape"], *, place: str, name: str) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    FileFormatError
        If a value is not finite.
    """
    # one pass without a temporary: the sum is finite unless a value is not (or it overflows)
    if np.isfinite(np.sum(values)):
        return
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise FileFormatError(
            f"{place}: field '{name}' holds {len(wrong)} values that are not finite, the first at "
            f"index {index} ({values[index]}); expected numbers. Write the field again."
        )


def check_same_grid(data: VolumetricData, other: VolumetricData) -> None:
    """Refuse a second file whose grid, cell or atoms are not those of the first.

    Cells may differ by the digits that a header keeps (1e-4 relative), atoms by 1e-3 bohr modulo
    the lattice.

    Raises
    ------
    FileFormatError
        If they do not match.
    """
    if other.grid.shape != data.grid.shape:
        raise FileFormatError(
            f"{other.place}: the grid has {_by(other.grid.shape)} points, that of {data.place} "
            f"has {_by(data.grid.shape)}; expected the same grid. Write both files from one "
            "calculation with the same settings."
        )
    change = np.abs(other.grid.cell - data.grid.cell).max() / np.abs(data.grid.cell).max()
    if change > 1e-4:
        raise FileFormatError(
            f"{other.place}: the cell differs from that of {data.place} by {change:.2g} "
            "(relative); expected the same cell (1e-4). Check that the files belong together."
        )
    shift = np.abs(other.grid.origin - data.grid.origin).max()
    if shift > 1e-3:
        raise FileFormatError(
            f"{other.place}: the grid's origin is {shift:.3g} bohr away from that of {data.place}; "
            "expected the same points. Check that the files belong together."
        )
    if data.frame is None or other.frame is None:
        return
    if not np.array_equal(data.frame.atomic_numbers, other.frame.atomic_numbers):
        raise FileFormatError(
            f"{other.place}: the atoms are not those of {data.place} (other elements or order); "
            "expected the same. Check that the files belong together."
        )
    step = other.frame.fractional_positions - data.frame.fractional_positions
    moved = np.linalg.norm((step - np.round(step)) @ data.grid.cell, axis=1)
    if moved.size and moved.max() > 1e-3:
        raise FileFormatError(
            f"{other.place}: atom {int(moved.argmax())} is {moved.max():.3g} bohr away from its "
            f"place in {data.place}; expected the same configuration. Check that the files "
            "belong together."
        )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
