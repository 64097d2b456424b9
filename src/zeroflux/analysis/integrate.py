"""Basins of one frame and the integrals over them, with sums against the grid's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.analysis.frame_report import FRAME_COLUMNS, FrameReport
from zeroflux.errors import FileFormatError, PartitionError
from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM, ELECTRONVOLT
from zeroflux.volumetric import Valence, VolumetricData, check_same_grid
from zeroflux.volumetric.electrons import shortest_bond

if TYPE_CHECKING:
    from zeroflux.partition import Partition
INTEGRAL_UNITS = {
    "1/bohr^3": ("e", 1.0),
    "hartree/bohr^3": ("ev", 1.0 / ELECTRONVOLT),
    "hartree": ("ev_angstrom3", 1.0 / (ELECTRONVOLT * ANGSTROM**3)),
    "unknown": ("au", 1.0),
}
"""Unit of a field → ending of its integral's key, and factor from atomic units."""
N_ATTRACTORS_LISTED = 20
ENVELOPE = 1e-3
"""Density (bohr⁻³) at the outer end of a molecule in pictures, after Bader et al., J. Am. Chem.
Soc. 109, 7968 (1987), doi 10.1021/ja00260a006."""
LONGEST_BOND = 1.4  # sums of covalent radii; noble-gas atoms are at 1.7 and share no bond

FieldReader = Callable[[], VolumetricData]


def report_frame(
    data: VolumetricData,
    frame: Frame,
    *,
    fields: Mapping[str, FieldReader],
    reference: Float[np.ndarray, "n_a n_b n_c"] | None = None,
    method: str = "weight",
    n_threads: int = 1,
    valence: Valence | None = None,
    coarse_check: bool = False,
    allow_empty: bool = False,
    vacuum: float | None = None,
    source: str = "",
    number: int = 0,
    remarks: Sequence[str] = (),
    charges_hint: str | None = None,
    keep_owners: bool = False,
    on_partition: Callable[[Partition], None] | None = None,
) -> FrameReport:
    """Partition a density and integrate fields over its basins.

    Parameters
    ----------
    data
        The density (e/bohr³) is the first field.
    frame
        The nuclei.
    fields
        Further fields to integrate, by name; each is read, integrated and forgotten in turn.
    reference
        Field whose ascent defines the basins; the density itself by default.
    method, n_threads
        As of `zeroflux.partition.basins`.
    valence
        Charges from which net charges are counted.
    coarse_check
        Repeat on every second point of each direction that has an even number of them, and
        report the differences.
    allow_empty
        Accept atoms without a maximum, with a remark.
    vacuum
        Density (e/Å³) below which points belong to no atom; their integrals are kept apart.
    source, number, remarks, charges_hint
        For the record.
    keep_owners
        Keep the atom of each point for pictures.
    on_partition
        Called with the partition, for example to save labels.
    """
    from zeroflux.partition import basins

    density = data.first
    outside = None if vacuum is None else density < vacuum * ANGSTROM**-3
    heard = list(remarks)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            partition = basins(
                density,
                data.grid,
                frame,
                reference=reference,
                method=method,  # type: ignore[arg-type]
                n_threads=n_threads,
                allow_empty=allow_empty,
            )
        except PartitionError as error:
            raise type(error)(f"{data.place}: {error}") from error
    heard += [str(w.message) for w in caught]
    if remark := _dip_remark(data, partition):
        heard.append(remark)
    if remark := _empty_remark(data, partition):
        heard.append(remark)
    if on_partition:
        on_partition(partition)
    coarse = _coarse_partition(data, frame, reference, partition, heard) if coarse_check else None

    columns: dict[str, np.ndarray] = {}
    for axis, values in zip("xyz", frame.positions.T / ANGSTROM, strict=True):
        columns[axis] = values
    totals: dict[str, dict[str, float]] = {}

    left_out: dict[str, float] = {}

    def inside(values: np.ndarray) -> np.ndarray:
        return values if outside is None else np.where(outside, 0.0, values)

    def add(
        key: str, values: np.ndarray, factor: float, grid_total: float, in_vacuum: float = 0.0
    ) -> None:
        columns[key] = factor * values
        total = float(columns[key].sum()) + factor * in_vacuum
        totals[key] = {
            "sum": total,
            "grid_total": factor * grid_total,
            "difference": total - factor * grid_total,
        }

    def add_integral(key: str, values: np.ndarray, factor: float) -> None:
        in_atoms = inside(values)
        whole, in_vacuum = _grid_total(values, data), 0.0
        if outside is not None:
            in_vacuum = float(values[outside].sum()) * data.grid.voxel_volume
            left_out[key] = factor * in_vacuum
        add(key, partition.integrate(in_atoms)[0], factor, whole, in_vacuum)
        _add_coarse(key, values, factor)

    def _add_coarse(key: str, values: np.ndarray, factor: float) -> None:
        if coarse is not None:
            found = coarse[0].integrate(inside(values)[coarse[1]])[0]
            columns[f"{key}_coarse_change"] = factor * found - columns[key]

    add_integral("population", density, 1.0)
    unknown = np.full(frame.n_atoms, np.nan)
    columns["valence"] = unknown if valence is None else valence.charges
    columns["charge"] = columns["valence"] - columns["population"]
    add_integral("volume", np.broadcast_to(np.float64(1.0), density.shape), ANGSTROM**-3)
    for name, read in fields.items():
        other = read()
        check_same_grid(data, other)
        ending, factor = INTEGRAL_UNITS[other.first_unit]
        is_moment = name.startswith("moment") and ending == "e"  # in Bohr magnetons
        add_integral(name if is_moment else f"{name}_integral_{ending}", other.first, factor)
        del other
    add("laplacian", partition.laplacian, ANGSTROM**2, 0.0)
    columns["attractor_distance"] = partition.attractor_distance / ANGSTROM
    columns["surface_distance"] = partition.surface_distance / ANGSTROM
    return FrameReport(
        source=source or data.place,
        frame=number,
        method=method,
        grid_shape=data.grid.shape,
        cell_angstrom=data.grid.cell / ANGSTROM,
        elements=tuple(chemical_symbols[z] for z in frame.atomic_numbers),
        columns=columns,
        totals=totals,
        attractors=_attractor_record(partition),
        valence_source=None if valence is None else valence.source,
        remarks=tuple(heard),
        charges_hint=charges_hint,
        vacuum=left_out if outside is not None else None,
        owners=np.where(density > ENVELOPE, partition.basin_index, -1) if keep_owners else None,
        origin_angstrom=data.grid.origin / ANGSTROM,
    )


def flagged_frame(
    data: VolumetricData,
    frame: Frame,
    *,
    method: str,
    valence: Valence | None,
    source: str,
    number: int,
    remarks: Sequence[str],
) -> FrameReport:
    """A frame of several that could not be divided: unknown numbers, and why in the remarks."""
    unknown = np.full(frame.n_atoms, np.nan)
    columns = {f"{a}": x for a, x in zip("xyz", frame.positions.T / ANGSTROM, strict=True)}
    columns |= dict.fromkeys(FRAME_COLUMNS, unknown)
    return FrameReport(
        source=source,
        frame=number,
        method=method,
        grid_shape=data.grid.shape,
        cell_angstrom=data.grid.cell / ANGSTROM,
        elements=tuple(chemical_symbols[z] for z in frame.atomic_numbers),
        columns=columns,
        totals={},
        attractors={
            "n_maxima": None,
            "n_non_nuclear": None,
            "treatment": "none",
            "non_nuclear": [],
        },
        valence_source=None if valence is None else valence.source,
        remarks=tuple(remarks),
    )


def _empty_remark(data: VolumetricData, partition: Partition) -> str | None:
    """Which atoms have no maximum, where that is allowed."""
    owned = np.bincount(partition.attractors.owners, minlength=partition.n_atoms)
    empty = np.flatnonzero(owned == 0)
    if not empty.size:
        return None
    names = ", ".join(
        f"{i} ({chemical_symbols[partition.frame.atomic_numbers[i]]})" for i in empty[:10]
    )
    return (
        f"{data.place}: {empty.size} of {partition.n_atoms} atoms have no maximum, atoms {names}; "
        "expected one each. Their basins are empty, and their electrons are counted to neighbours."
    )


def _dip_remark(data: VolumetricData, partition: Partition) -> str | None:
    """What is said where a pseudo-density of bonded atoms defines the basins."""
    frame = partition.frame
    dips = np.flatnonzero(partition.attractors.has_dip)
    bonded = [i for i in dips if shortest_bond(frame, int(i)) < LONGEST_BOND]
    if not bonded:
        return None
    names = ", ".join(f"{i} ({chemical_symbols[frame.atomic_numbers[i]]})" for i in bonded[:5])
    return (
        f"{data.place}: the field that defines the basins dips at {len(bonded)} of "
        f"{frame.n_atoms} nuclei, atoms {names}"
        f"{', ...' if len(bonded) > 5 else ''}: a pseudo-density, whose maxima are not at the "
        "nuclei; expected a reference with cores. Whole bonds may go to one atom, and charges may "
        "be wrong by an electron: pass the all-electron density as --reference (VASP: LAECHG = "
        ".TRUE., then --reference AECCAR0 --reference AECCAR2)."
    )


def _grid_total(values: np.ndarray, data: VolumetricData) -> float:
    return float(values.sum()) * data.grid.voxel_volume


def _coarse_partition(
    data: VolumetricData,
    frame: Frame,
    reference: np.ndarray | None,
    partition: Partition,
    remarks: list[str],
) -> tuple[Partition, tuple[slice, ...]] | None:
    """The same partition on every second point of the directions with even counts."""
    from zeroflux.partition import basins

    steps = [2 if n % 2 == 0 and n >= 4 else 1 for n in data.grid.shape]
    if max(steps) == 1:
        remarks.append(
            f"The coarse-grid check was left out: a grid of {data.grid.shape} points has no "
            "direction with an even number."
        )
        return None
    every = tuple(slice(None, None, step) for step in steps)
    density = np.ascontiguousarray(data.first[every])
    shape = (density.shape[0], density.shape[1], density.shape[2])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the full grid are reported
            coarse = basins(
                density,
                replace(data.grid, shape=shape),
                frame,
                reference=None if reference is None else np.ascontiguousarray(reference[every]),
                method=partition.method,
                allow_empty=True,  # the full grid decides
            )
    except PartitionError as error:
        remarks.append(f"The coarse-grid check failed: {error}")
        return None
    return coarse, every


def _attractor_record(partition: Partition) -> dict[str, Any]:
    """Counts of maxima, and the non-nuclear ones with the atoms that they were given to."""
    found = partition.attractors
    far = np.flatnonzero(~found.is_nuclear)
    far = far[np.argsort(-found.values[far], kind="stable")][:N_ATTRACTORS_LISTED]
    return {
        "n_maxima": len(found.voxels),
        "n_non_nuclear": found.n_non_nuclear,
        "treatment": "maxima are merged into the nearest nucleus; equally near ones share them",
        "non_nuclear": [
            {
                "position_angstrom": (found.positions[i] / ANGSTROM).tolist(),
                "value_e_per_angstrom3": float(found.values[i]) * ANGSTROM**3,
                "atom": int(found.atoms[i]),
                "atoms": found.owners[found.owner_starts[i] : found.owner_starts[i + 1]].tolist(),
                "distance_angstrom": float(found.distances[i]) / ANGSTROM,
            }
            for i in far
        ],
    }


def check_reference(data: VolumetricData, parts: Sequence[VolumetricData]) -> np.ndarray:
    """Sum of the reference densities on the grid of the density (AECCAR0 + AECCAR2).

    Raises
    ------
    FileFormatError
        If there is none, or grids do not match.
    """
    if not parts:
        raise FileFormatError("no reference density given; expected at least one")
    for part in parts:
        check_same_grid(data, part)
    total = parts[0].first
    for part in parts[1:]:
        total = total + part.first
    return total
