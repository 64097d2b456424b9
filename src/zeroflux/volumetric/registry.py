"""Which module reads and writes which file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux import plugins
from zeroflux.errors import FileFormatError
from zeroflux.volumetric import arrays, cube, vasp, vasp_hdf5, xsf
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.header import is_integer, is_real
from zeroflux.volumetric.text import READ_ERRORS, open_decompressed

_COMPRESSIONS = (".gz", ".xz", ".bz2")
_XSF_KINDS = ("CRYSTAL", "SLAB", "POLYMER", "MOLECULE")
_XSF_SECTIONS = (
    "PRIMVEC", "CONVVEC", "PRIMCOORD", "CONVCOORD", "ATOMS", "ANIMSTEPS", "DIM-GROUP",
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A file format: its name for messages, and the module with its ``read`` and ``write``."""

    name: str
    module: Any
    suffixes: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


FORMATS = (
    Format("cube", cube, cube.SUFFIXES),
    Format("vasp", vasp, vasp.SUFFIXES, vasp.NAMES),
    Format("xsf", xsf, xsf.SUFFIXES),
    Format("vasp-hdf5", vasp_hdf5, ()),
    Format("arrays", arrays, arrays.SUFFIXES),
)
"""To add a format: write a module with ``read``, ``write`` and ``SUFFIXES``, and list it here, or
name it in the entry points ``zeroflux.formats`` of a package of your own."""


def _added(name: str) -> Format | None:
    """Format of another package by a file's name; asked for when none of ours fits."""
    for key in plugins.installed("formats"):
        module = plugins.load("formats", key)
        if name.lower().endswith(tuple(module.SUFFIXES)):
            return Format(key, module, tuple(module.SUFFIXES))
    return None


def format_by_name(path: Path) -> Format | None:
    """Format by the file's name, compression apart: CHGCAR_1.gz, density.cube, rho.npz."""
    name = path.name
    for suffix in _COMPRESSIONS:
        name = name.removesuffix(suffix)
    for kind in FORMATS:
        if name.startswith(kind.prefixes) if kind.prefixes else False:
            return kind
        if name.lower().endswith(kind.suffixes):
            return kind
    return _added(name)


def format_by_contents(path: Path) -> Format | None:
    """Format by the first bytes or lines, or None if they tell nothing.

    Raises
    ------
    FileFormatError
        If the file cannot be opened or is empty.
    """
    by_name = {kind.name: kind for kind in FORMATS}
    if path.is_dir():
        is_zarr = any((path / mark).exists() for mark in ("zarr.json", ".zgroup"))
        return by_name["arrays"] if is_zarr else None
    try:
        with open_decompressed(path) as stream:
            head = stream.read(4096)
    except READ_ERRORS:
        return None  # damaged compression: the reader says so
    if head.startswith(b"\x89HDF") and vasp_hdf5.is_vasp(path):
        return by_name["vasp-hdf5"]
    if head.startswith((b"\x93NUMPY", b"PK\x03\x04", b"\x89HDF")):
        return by_name["arrays"]
    lines = head.decode("utf-8", errors="replace").split("\n")
    words = [line.split() for line in lines]
    if _is_xsf(words):
        return by_name["xsf"]
    # the comment lines of a cube may hold anything; its next four start with a count
    if len(words) > 6 and all(_is_count(w) and _are_reals(w[1:4]) for w in words[2:6]):
        return by_name["cube"]
    is_scaled = len(words) > 5 and len(words[1]) == 1 and is_real(words[1][0])
    if is_scaled and all(_are_reals(w[:3]) for w in words[2:5]):
        return by_name["vasp"]
    return None


def read_volumetric(
    path: str | Path,
    *,
    only_first: bool = False,
    n_threads: int = 1,
    cell: Float[np.ndarray, "3 3"] | None = None,
    frame_index: int = 0,
    symbols: Sequence[str] | None = None,
) -> VolumetricData:
    """Read fields on a grid from a file of any supported format.

    The contents decide on the format, then the name. ``FILE::NAME`` names one field of a file with
    several, for example ``CHGCAR::magnetization``.

    Parameters
    ----------
    path
        Cube, VASP (CHGCAR, AECCAR, LOCPOT, EDM_*), XSF, .npy, .npz, HDF5 or Zarr; text formats
        may be compressed by gzip, xz or bzip2.
    only_first
        Read the first field only (the total density of a spin-polarised CHGCAR).
    n_threads
        Threads that parse numbers.
    cell
        Cell (bohr) for an array file that has none.
    frame_index
        Frame of an HDF5 or Zarr file with many.
    symbols
        Elements of a VASP 4 file, which names none.

    Raises
    ------
    FileFormatError
        If the file cannot be read; the message starts with ``path:line``.

    Examples
    --------
    >>> data = read_volumetric("CHGCAR", only_first=True)  # doctest: +SKIP
    >>> data.first.sum() * data.grid.voxel_volume  # electrons  # doctest: +SKIP
    256.0
    """
    text, _, name = str(path).partition("::")
    path = Path(text)
    if not path.exists():
        raise FileFormatError(
            f"{path}: there is no such file; expected volumetric data. Check the path."
        )
    kind = format_by_contents(path) or format_by_name(path)
    if kind is None:
        raise FileFormatError(
            f"{path}:1: found neither a known format nor a known name; expected a cube, VASP, XSF, "
            ".npy, .npz, HDF5 or Zarr file. Name the file after its format, or check its header."
        )
    if kind.module is arrays:
        return arrays.read(
            path, only_first=only_first, cell=cell, name=name or None, frame_index=frame_index
        )
    options = {"only_first": only_first and not name, "n_threads": n_threads}
    if kind.module is vasp:
        data = vasp.read(path, symbols=symbols, **options)
    else:
        data = kind.module.read(path, **options)
    if not name:
        return data
    if name not in data.fields:
        raise FileFormatError(
            f"{path}: found the fields {', '.join(data.fields)}; expected '{name}'. Check the name "
            "after '::'."
        )
    return replace(data, fields={name: data.fields[name]})


def write_volumetric(path: str | Path, data: VolumetricData) -> None:
    """Write fields on a grid; the name decides on format and compression.

    The file appears when it is complete.

    Raises
    ------
    FileFormatError
        If the name belongs to no format.
    """
    path = Path(path)
    kind = format_by_name(path)
    if kind is None:
        raise FileFormatError(
            f"{path}: the name belongs to no known format; expected .cube, .vasp, CHGCAR*, .xsf, "
            ".npy, .npz, .h5 or .zarr. Rename the output."
        )
    kind.module.write(path, data)


def _is_xsf(words: list[list[str]]) -> bool:
    """Whether two lines are XSF's: one alone, "Slab" or "Molecule", may be a title."""
    first, second, *_ = [w for w in words if w and not w[0].startswith("#")] + [[""], [""]]
    keyword, following = first[0].upper(), second[0].upper()
    is_following = following in _XSF_SECTIONS or following.startswith("BEGIN_")
    if keyword.startswith("BEGIN_"):
        return is_following or keyword.startswith(("BEGIN_BLOCK_DATAGRID", "BEGIN_INFO"))
    if not all(is_integer(w) for w in first[1:]):
        return False
    if keyword in _XSF_KINDS:
        return is_following
    # numbers follow, more than the scale factor of a CHGCAR
    has_row = len(second) > 1 and all(is_real(w) for w in second[1:])
    return keyword in _XSF_SECTIONS and (is_following or has_row or following in _XSF_KINDS)


def _is_count(words: list[str]) -> bool:
    return len(words) >= 4 and is_integer(words[0])


def _are_reals(words: list[str]) -> bool:
    return len(words) == 3 and all(is_real(w) for w in words)
