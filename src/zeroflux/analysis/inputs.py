"""Which files belong to which frame, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from zeroflux.errors import ConfigError, FileFormatError, StructureError
from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import UNITS, VolumetricData, read_volumetric
from zeroflux.volumetric.data import ATOMIC_UNIT_OF
from zeroflux.volumetric.header import real

SYNTAX = "[NAME=]FILE[::DATASET][@UNIT]"


@dataclass(frozen=True)
class FieldSpec:
    """A field as named on the command line: ``[NAME=]FILE[::DATASET][@UNIT]``.

    FILE may contain ``{dir}``, ``{name}``, ``{stem}`` and ``{number}``, which stand for the folder,
    the name, the name without suffixes and the last number in the name of the frame's density. A
    FILE without a folder is looked for beside the density; an empty one is the density's own file.
    """

    file: str
    dataset: str = ""
    unit: str = ""
    label: str = ""

    @classmethod
    def parse(cls, text: str) -> FieldSpec:
        """Take a specification apart.

        Raises
        ------
        ConfigError
            If the unit is unknown or there is neither file nor dataset.
        """
        rest, label = text, ""
        if match := re.match(r"([A-Za-z_]\w*)=(.+)$", rest):
            label, rest = match.groups()
        before, _, unit = rest.rpartition("@")
        if unit in UNITS:
            rest = before
        is_unit_unknown = bool(before) and unit not in UNITS and not Path(rest).exists()
        file, _, dataset = rest.partition("::")
        if is_unit_unknown or not (file or dataset):
            raise ConfigError(
                f"Found '{text}'; expected {SYNTAX} with UNIT one of {', '.join(UNITS)}. "
                "Correct the name of the field."
            )
        return cls(file=file, dataset=dataset, unit=unit if before else "", label=label)

    @property
    def name(self) -> str:
        """Name for keys: the label, the dataset, or the file's name without suffixes."""
        plain = re.sub(r"\{.*?\}", "", Path(self.file).name)
        name = self.label or self.dataset or _stem(Path(plain))
        return re.sub(r"\W+", "_", name.lower()).strip("_") or "field"

    def of(self, density: DensitySource, *, is_only: bool) -> str:
        """What to read for one frame: ``FILE`` or ``FILE::DATASET``.

        Raises
        ------
        ConfigError
            If the same file would serve several frames.
        """
        path = density.path
        if not self.file:
            return f"{path}::{self.dataset}"
        number = re.findall(r"\d+", path.name)
        filled = self.file
        for key, value in (
            ("{dir}", str(path.parent)),
            ("{name}", path.name),
            ("{stem}", _stem(path)),
            ("{number}", number[-1] if number else ""),
        ):
            filled = filled.replace(key, value)
        found = Path(filled)
        if found.parent == Path():
            beside = path.with_name(found.name)
            found = beside if beside.exists() or not is_only else found
        elif filled == self.file and not is_only and density.frame_index is None:
            raise ConfigError(
                f"Found the single file '{self.file}' for a field of several densities; expected a "
                "file name (looked for beside each density) or {dir}, {stem}, {name} or {number} "
                f"in it. For example '{{dir}}/{found.name}'."
            )
        return f"{found}::{self.dataset}" if self.dataset else str(found)


@dataclass(frozen=True)
class DensitySource:
    """Where the density of one frame is."""

    path: Path
    dataset: str = ""
    unit: str = ""
    frame_index: int | None = None
    data: VolumetricData | None = None
    """The density itself, if it is in memory."""

    @property
    def label(self) -> str:
        """The file, with dataset and frame if it has several."""
        text = f"{self.path}::{self.dataset}" if self.dataset else str(self.path)
        return text if self.frame_index is None else f"{text}[{self.frame_index}]"


def expand_densities(densities: Sequence[str | Path | VolumetricData]) -> list[DensitySource]:
    """One source for each frame, in the order given; files with many frames are expanded.

    Raises
    ------
    ConfigError
        If there is none.
    FileFormatError
        If a file does not exist.
    """
    from zeroflux.volumetric import arrays
    from zeroflux.volumetric.registry import format_by_contents

    sources: list[DensitySource] = []
    for text in densities:
        if isinstance(text, VolumetricData):
            sources.append(DensitySource(Path("density"), data=text))
            continue
        spec = FieldSpec.parse(str(text))
        path = Path(spec.file)
        if not path.exists():
            raise FileFormatError(
                f"{path}: there is no such file; expected a density. Check the path."
            )
        kind = format_by_contents(path)
        n_frames = None
        if kind is not None and kind.module is arrays:
            n_frames = arrays.count_frames(path, name=spec.dataset or None)
        indices: list[int | None] = [None] if n_frames is None else list(range(n_frames))
        sources += [DensitySource(path, spec.dataset, spec.unit, i) for i in indices]
    if not sources:
        raise ConfigError("Found no density; expected at least one file. Name a CHGCAR or cube.")
    return sources


def read_field(
    what: str,
    *,
    unit: str = "",
    frame_index: int | None = None,
    n_threads: int = 1,
    cell: Float[np.ndarray, "3 3"] | None = None,
    symbols: Sequence[str] | None = None,
) -> VolumetricData:
    """Read the first field of a file, in atomic units.

    Raises
    ------
    ConfigError
        If a unit is given for a file that states another.
    """
    data = read_volumetric(
        what,
        only_first=True,
        n_threads=n_threads,
        cell=cell,
        frame_index=frame_index or 0,
        symbols=symbols,
    )
    if not unit:
        return data
    if data.first_unit not in ("unknown", ATOMIC_UNIT_OF[unit]):
        raise ConfigError(
            f"Found the unit {unit} for {what}, whose format says {data.first_unit}; expected no "
            "unit, or one of that kind. Leave out '@...'."
        )
    name = next(iter(data.fields))
    is_stated = data.first_unit != "unknown"
    values = data.first if is_stated or UNITS[unit] == 1.0 else data.first * UNITS[unit]
    return replace(data, fields={name: values}, units={name: ATOMIC_UNIT_OF[unit]})


def moment_readers(
    data: VolumetricData, what: str, read: Callable[[str], VolumetricData]
) -> dict[str, Callable[[], VolumetricData]]:
    """Readers of the magnetization that a density comes with, by the names of their columns."""
    names = [name for name in data.fields if name.startswith("magnetization")]
    if names:  # in memory
        return {
            name.replace("magnetization", "moment"): partial(
                replace, data, fields={name: data.fields[name]}
            )
            for name in names
        }
    if not data.has_more or "::" in what:
        return {}
    whole = read(what)
    return {
        name.replace("magnetization", "moment"): partial(replace, whole, fields={name: values})
        for name, values in whole.fields.items()
        if name.startswith("magnetization")
    }


def read_cell(text: str) -> Float[np.ndarray, "3 3"]:
    """Cell (bohr) from a structure file, or from 3, 6 or 9 numbers (ångström, degrees).

    Raises
    ------
    ConfigError
        If it is neither.
    """
    from ase.cell import Cell

    if Path(text).exists():
        return next(read_frames(Path(text))).cell
    try:
        values = [real(t) for t in text.replace(",", " ").split()]
        if len(values) not in (3, 6, 9):
            raise ValueError
        cell = np.reshape(values, (3, 3)) if len(values) == 9 else Cell.new(values).array
    except ValueError as error:
        raise ConfigError(
            f"Found the cell '{text}'; expected a structure file, or 3, 6 or 9 numbers in ångström "
            "(lengths; lengths and angles; vectors). Correct --cell."
        ) from error
    return np.asarray(cell, dtype=np.float64) * ANGSTROM


def read_frames(path: Path) -> Iterator[Frame]:
    """Configurations of a volumetric file or of any file that ASE reads.

    Raises
    ------
    FileFormatError
        If neither can read it, or there is no cell.
    """
    from ase.io import iread

    from zeroflux.volumetric.registry import format_by_contents

    if format_by_contents(path) is not None:
        try:
            frame = read_volumetric(path, only_first=True).frame
        except FileFormatError:
            frame = None  # a POSCAR looks like a CHGCAR at first
        if frame is not None:
            yield frame
            return
    try:
        for atoms in iread(path):
            yield Frame.from_ase(atoms)
    except StructureError as error:
        raise FileFormatError(f"{path}: {error}") from error
    except Exception as error:  # ASE's readers raise whatever their parsing meets
        raise FileFormatError(
            f"{path}: cannot be read as a structure ({type(error).__name__}: {error}); expected a "
            "file that ASE reads, with a cell. Convert it to extended XYZ."
        ) from error


def frame_on_grid(data: VolumetricData, given: Frame | None) -> Frame:
    """The atoms, in exactly the grid's cell.

    Raises
    ------
    FileFormatError
        If neither the file nor the caller has atoms, or their cell is another one.
    """
    frame = given or data.frame
    if frame is None:
        raise FileFormatError(
            f"{data.place}: found no atoms or no elements; expected nuclei to give the basins to. "
            "Name a structure with --atoms, or the elements of a VASP 4 file with --symbols."
        )
    change = float(np.abs(frame.cell - data.grid.cell).max() / np.abs(data.grid.cell).max())
    if change > 1e-3:
        raise FileFormatError(
            f"{data.place}: the cell of the atoms differs from the grid's by {change:.2g} "
            "(relative); expected the same cell (1e-3). Check that the files belong together."
        )
    return replace(frame, cell=data.grid.cell)


def _stem(path: Path) -> str:
    """Name without compression and format suffixes: CHGCAR_1.gz → CHGCAR_1."""
    name = path.name
    for suffix in (".gz", ".xz", ".bz2", ".cube", ".cub", ".vasp", ".chgcar", ".xsf"):
        name = name.removesuffix(suffix)
    for suffix in (".npy", ".npz", ".h5", ".hdf5", ".zarr"):
        name = name.removesuffix(suffix)
    return name
