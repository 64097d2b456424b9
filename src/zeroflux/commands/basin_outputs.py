"""Tables of atoms as CSV, JSON and extended XYZ, labels, the restart journal, the terminal."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.commands.basin_report import SCHEMA, FrameReport
from zeroflux.errors import ConfigError
from zeroflux.volumetric.writing import replacing

if TYPE_CHECKING:
    from rich.table import Table

    from zeroflux.partition import Partition

SUFFIXES = (".csv", ".json", ".extxyz", ".xyz")


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
    """Write all frames; the suffix decides on the form. The file appears when complete."""
    check_output(path)
    with replacing(path) as temporary:
        if path.suffix == ".json":
            temporary.write_text(to_json(reports) + "\n")
        elif path.suffix == ".csv":
            temporary.write_text(to_csv(reports))
        else:
            _write_extxyz(temporary, reports)


def check_output(path: Path) -> None:
    """Refuse a name before hours are spent on what is to be written.

    Raises
    ------
    ConfigError
        If the suffix is unknown or the folder is missing.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f"Found the output '{path}'; expected a name in {', '.join(SUFFIXES)}. Rename it."
        )
    if not path.absolute().parent.is_dir():
        raise ConfigError(
            f"Found no folder '{path.parent}' for the output; expected one. Create it first."
        )


def _write_extxyz(path: Path, reports: Sequence[FrameReport]) -> None:
    from ase import Atoms
    from ase.io import write

    images = []
    for report in reports:
        positions = np.stack([report.columns[f"{axis}_angstrom"] for axis in "xyz"], axis=1)
        atoms = Atoms(report.elements, positions=positions, cell=report.cell_angstrom, pbc=True)
        for key, values in report.columns.items():
            if key not in ("x_angstrom", "y_angstrom", "z_angstrom"):
                atoms.set_array(key, np.asarray(values, dtype=np.float64))
        atoms.info["frame"] = report.frame
        atoms.info["source"] = report.source
        for key, value in (report.vacuum or {}).items():
            atoms.info[f"vacuum_{key}"] = value
        images.append(atoms)
    write(path, images, format="extxyz")


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


class Journal:
    """Finished frames of a trajectory, one JSON line each, beside the output.

    A line is appended when its frame is done and flushed to the disk. A process killed in between
    leaves at most one incomplete last line, which is dropped when the journal is read again.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(output.name + ".journal.jsonl")
        self._done: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            for line in self.path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                    self._done[entry["key"]] = entry["report"]
                except (ValueError, KeyError, TypeError):
                    continue  # cut off by an interruption; the frame is computed again

    def find(self, key: str) -> FrameReport | None:
        """The finished frame of this key, if there is one."""
        record = self._done.get(key)
        return None if record is None else FrameReport.from_dict(record)

    def add(self, key: str, report: FrameReport) -> None:
        """Remember a finished frame on disk."""
        record = report.to_dict()
        self._done[key] = record
        line = json.dumps({"key": key, "report": record}, allow_nan=False)
        with self.path.open("a+b") as stream:
            # an incomplete last line must not swallow this one
            stream.seek(0, os.SEEK_END)
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def frame_key(files: Iterable[Path], settings: object) -> str:
    """Fingerprint of a frame: its files with size and time of change, and all settings."""
    from zeroflux import __version__

    stamp = []
    for path in files:
        status = path.stat()
        stamp.append((str(path.absolute()), status.st_size, status.st_mtime_ns))
    text = repr((SCHEMA, __version__, stamp, settings))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


TITLES = {
    "population_e": "electrons (e)",
    "charge_e": "charge (e)",
    "volume_angstrom3": "volume (Å³)",
    "laplacian_e_per_angstrom2": "∫∇²ρ (e/Å²)",
    "attractor_distance_angstrom": "attractor (Å)",
    "surface_distance_angstrom": "surface (Å)",
}
_SMALL = ("laplacian_e_per_angstrom2", "coarse_change")


def atom_table(report: FrameReport) -> Table:
    """One frame for the terminal: a row for each atom, sums and grid totals below."""
    from rich.table import Table

    hidden = {"x_angstrom", "y_angstrom", "z_angstrom", "valence_e"}
    if report.valence_source is None:
        hidden.add("charge_e")
    keys = [key for key in report.columns if key not in hidden]
    table = Table(title=f"{report.source}: {report.method} basins", show_footer=False)
    table.add_column("atom", justify="right")
    table.add_column("")
    for key in keys:
        table.add_column(TITLES.get(key, key.replace("_", " ")), justify="right")
    for i, element in enumerate(report.elements):
        cells = [_shown(key, float(report.columns[key][i])) for key in keys]
        table.add_row(str(i), element, *cells)
    if report.vacuum is not None:
        cells = [_shown(key, report.vacuum[key]) if key in report.vacuum else "" for key in keys]
        table.add_row("", "vacuum", *cells)
    table.add_section()
    for name, label in (("sum", "sum"), ("grid_total", "grid"), ("difference", "diff.")):
        cells = [
            _shown(key, report.totals[key][name], is_difference=name == "difference")
            if key in report.totals
            else ""
            for key in keys
        ]
        table.add_row("", label, *cells)
    return table


def trajectory_table(reports: Sequence[FrameReport]) -> Table:
    """Many frames for the terminal: a row for each, with what decides on trust."""
    from rich.table import Table

    table = Table(title=f"{len(reports)} frames: {reports[0].method} basins")
    for title in ("frame", "source", "atoms", "electrons (e)", "largest |∫∇²ρ| (e/Å²)",
                  "non-nuclear", "remarks"):  # fmt: skip
        table.add_column(title, justify="left" if title == "source" else "right")
    for report in reports:
        flux = np.abs(report.columns["laplacian_e_per_angstrom2"]).max()
        table.add_row(
            str(report.frame),
            report.source,
            str(report.n_atoms),
            f"{report.totals['population_e']['sum']:.6f}" if report.totals else "?",
            f"{flux:.1e}" if report.totals else "?",
            str(report.attractors["n_non_nuclear"]) if report.totals else "?",
            str(len(report.remarks)),
        )
    return table


def _shown(key: str, value: float, *, is_difference: bool = False) -> str:
    if not math.isfinite(value):
        return "?"
    if is_difference or any(part in key for part in _SMALL):
        return f"{value:.1e}"
    return f"{value:.3f}" if key.endswith("distance_angstrom") else f"{value:.5f}"
