"""Tables of atoms as CSV, JSON and extended XYZ, labels, the restart journal, the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from zeroflux.analysis.acf import acf_text
from zeroflux.analysis.frame_report import SCHEMA, FrameReport
from zeroflux.errors import ConfigError, missing_extra
from zeroflux.volumetric.writing import replacing

if TYPE_CHECKING:
    from ase import Atoms

    from zeroflux.partition import Partition

SUFFIXES = (".csv", ".json", ".extxyz", ".xyz", ".html")
ACF = "ACF.dat"
"""Name of Henkelman's table."""


def to_json(reports: Sequence[FrameReport]) -> str:
    """All frames as one JSON text."""
    from zeroflux import __version__

    record = {
        "schema": SCHEMA,
        "zeroflux_version": __version__,
        "n_frames": len(reports),
        "frames": [report.to_dict() for report in reports],
    }
    return json.dumps(record, indent=1, allow_nan=False)


def to_csv(reports: Sequence[FrameReport]) -> str:
    """One line for each atom of each frame and for its vacuum; unknown values are empty."""
    keys = list(dict.fromkeys(key for report in reports for key in report.columns))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "source", "atom", "element", *keys])
    for report in reports:
        columns = [report.columns.get(key) for key in keys]
        for i, element in enumerate(report.elements):
            values = [math.nan if c is None else float(c[i]) for c in columns]
            cells = [repr(v) if math.isfinite(v) else "" for v in values]
            writer.writerow([report.frame, report.source, i, element, *cells])
        if report.vacuum is not None:
            cells = [repr(report.vacuum[key]) if key in report.vacuum else "" for key in keys]
            writer.writerow([report.frame, report.source, "", "vacuum", *cells])
    return text.getvalue()


def write_table(path: Path, reports: Sequence[FrameReport]) -> None:
    """Write all frames; the name decides on the form. The file appears when complete."""
    check_output(path, n_frames=len(reports))
    with replacing(path) as temporary:
        if path.suffix == ".json":
            temporary.write_text(to_json(reports) + "\n")
        elif path.suffix == ".csv":
            temporary.write_text(to_csv(reports))
        elif path.suffix == ".html":
            temporary.write_text(page_of(reports[0]), encoding="utf-8")
        elif path.name == ACF:
            temporary.write_text(acf_text(reports[0]))
        else:
            _write_extxyz(temporary, reports)


def check_output(path: Path, *, n_frames: int = 1) -> None:
    """Refuse a name before hours are spent on what is to be written.

    Raises
    ------
    ConfigError
        If the name is unknown or the folder is missing, or ACF.dat is asked for several frames.
    """
    if path.suffix not in SUFFIXES and path.name != ACF:
        raise ConfigError(
            f"Found the output '{path}'; expected a name in {', '.join(SUFFIXES)}, or {ACF}. "
            "Rename it."
        )
    if (path.name == ACF or path.suffix == ".html") and n_frames > 1:
        raise ConfigError(
            f"Found the output '{path}' for {n_frames} densities; expected one, which is all that "
            "it holds. Write .csv, .json or .extxyz."
        )
    if path.suffix == ".html" and find_spec("jinja2") is None:
        raise missing_extra("jinja2", "report")
    if not path.absolute().parent.is_dir():
        raise ConfigError(
            f"Found no folder '{path.parent}' for the output; expected one. Create it first."
        )


def page_of(report: FrameReport) -> str:
    """The page of one frame, with the surfaces of its basins if the owners of points were kept."""
    from zeroflux.report.basins_page import BasinResult, basins_page

    return basins_page(
        BasinResult(
            source=report.source,
            elements=report.elements,
            positions=np.stack([report.columns[axis] for axis in "xyz"], axis=1),
            cell=report.cell_angstrom,
            columns=report.columns,
            totals=report.totals,
            owners=report.owners,
            origin=report.origin_angstrom,
            method=report.method,
            remarks=report.remarks,
            vacuum=report.vacuum,
        )
    )


def atoms_of(report: FrameReport) -> Atoms:
    """One frame as ASE atoms with the arrays ``basin_charge``, ``basin_volume`` and so on.

    Charges and moments, where they are known, are ASE's ``initial_charges`` and
    ``initial_magmoms`` too.
    """
    from ase import Atoms

    positions = np.stack([report.columns[axis] for axis in "xyz"], axis=1)
    atoms = Atoms(report.elements, positions=positions, cell=report.cell_angstrom, pbc=True)
    for key, values in report.columns.items():
        if key not in ("x", "y", "z"):
            atoms.set_array(f"basin_{key}", np.asarray(values, dtype=np.float64))
    if np.isfinite(report.columns["charge"]).all():
        atoms.set_initial_charges(report.columns["charge"])
    moments = moments_of(report)
    if moments is not None:
        atoms.set_initial_magnetic_moments(moments)
    atoms.info["frame"] = report.frame
    atoms.info["source"] = report.source
    for key, value in (report.vacuum or {}).items():
        atoms.info[f"vacuum_{key}"] = value
    return atoms


def moments_of(report: FrameReport) -> Float[np.ndarray, "*shape"] | None:
    """Spin moments (μB), (n_atoms,) or if non-collinear (n_atoms, 3); None without spin."""
    if "moment_x" in report.columns:
        return np.stack([report.columns[f"moment_{axis}"] for axis in "xyz"], axis=1)
    return report.columns.get("moment")


def _write_extxyz(path: Path, reports: Sequence[FrameReport]) -> None:
    from ase.io import write

    write(path, [atoms_of(report) for report in reports], format="extxyz")


def label_path(template: Path, *, stem: str, number: int, is_only: bool) -> Path:
    """File of one frame's labels.

    Raises
    ------
    ConfigError
        If all frames would go to the same file, or the suffix is unknown.
    """
    text = str(template).replace("{stem}", stem).replace("{frame}", f"{number:06d}")
    if text == str(template) and not is_only:
        raise ConfigError(
            f"Found the single file '{template}' for the labels of several frames; expected "
            "{frame} or {stem} in its name. For example labels_{frame}.npz."
        )
    if Path(text).suffix not in (".npy", ".npz", ".cube"):
        raise ConfigError(
            f"Found '{template}' for the labels; expected .npy, .npz or .cube. Rename it."
        )
    return Path(text)


def write_labels(path: Path, partition: Partition) -> None:
    """Write the atom that owns most of each grid point.

    An .npz file also has the cell, the atoms, and the points that several atoms share with their
    weights, so that the partition can be used again.
    """
    from zeroflux.volumetric import VolumetricData, write_volumetric

    if path.suffix == ".cube":
        labels = partition.basin_index.astype(np.float64)
        write_volumetric(
            path,
            VolumetricData(
                grid=partition.grid, fields={"basin_index": labels}, frame=partition.frame
            ),
        )
        return
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            np.save(temporary, partition.basin_index)
            return
        np.savez(
            temporary,
            allow_pickle=False,
            basin_index=partition.basin_index,
            fractional_voxels=partition.fractional_voxels,
            fractional_starts=partition.fractional_starts,
            fractional_owners=partition.fractional_owners,
            fractional_weights=partition.fractional_weights,
            cell_bohr=partition.grid.cell,
            origin_bohr=partition.grid.origin,
            positions_bohr=partition.frame.positions,
            atomic_numbers=partition.frame.atomic_numbers,
        )
