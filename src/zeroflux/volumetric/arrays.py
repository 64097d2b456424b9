"""Fields as NumPy (.npy, .npz), HDF5 and Zarr arrays, with one frame or many.

Names: ``cell_bohr`` or ``cell_angstrom`` (3, 3); optionally ``atomic_numbers`` (n_atoms,),
``positions_bohr`` or ``positions_angstrom`` (n_atoms, 3) and ``origin_bohr`` (3,). Every other
array of three dimensions is a field. In HDF5 and Zarr, all but the atomic numbers may have a
leading dimension of frames. The attribute ``unit`` of an HDF5 or Zarr array is one of the keys of
`zeroflux.volumetric.UNITS`; without it, atomic units are assumed. A ``.npy`` file holds one field
and needs its cell from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.errors import FileFormatError, StructureError, ZerofluxError, missing_extra
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.containers import check_codecs, check_heaps, check_size
from zeroflux.volumetric.data import ATOMIC_UNIT_OF, UNITS, VolumetricData, check_finite
from zeroflux.volumetric.writing import replacing

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".zarr")
LARGEST_FRAME_COUNT = 10**6
DENSITY_NAMES = ("density", "rho", "electron_density", "total", "value")
_RESERVED = {
    "cell_bohr", "cell_angstrom", "positions_bohr", "positions_angstrom", "origin_bohr",
    "atomic_numbers", "effective_charges",
}  # fmt: skip


def read(
    path: Path,
    *,
    only_first: bool = False,
    n_threads: int = 1,
    cell: Float[np.ndarray, "3 3"] | None = None,
    name: str | None = None,
    frame_index: int = 0,
) -> VolumetricData:
    """Read fields of one frame.

    Parameters
    ----------
    path
        The file, or the folder of a Zarr group.
    only_first
        Read one field only: ``density``, ``rho``, ``electron_density``, ``total``, ``value`` or
        the only one that there is.
    n_threads
        Without effect: arrays are not parsed.
    cell
        Cell (bohr), needed if the file has none.
    name
        Read this field only.
    frame_index
        Which frame of a file with many.

    Raises
    ------
    FileFormatError
        If the file is damaged, has no such field or frame, or lacks the cell.
    MissingExtraError
        If the package for HDF5 or Zarr is not installed.
    """
    del n_threads
    with _opened(path) as arrays, named_errors(path):
        names = _chosen(path, arrays, only_first=only_first, name=name)
        fields, units = {}, {}
        for field_name in names:
            array = arrays[field_name]
            _check_frame(path, array, frame_index, dimensions=4)
            unit = _unit(path, arrays, array)
            if unit not in UNITS:
                raise FileFormatError(
                    f"{path}: field '{field_name}' has the unit '{unit}'; expected one of "
                    f"{', '.join(UNITS)}. Correct the attribute 'unit'."
                )
            values = loaded(path, field_name, array, frame_index if array.ndim == 4 else ...)
            fields[field_name] = values * UNITS[unit] if UNITS[unit] != 1.0 else values
            units[field_name] = ATOMIC_UNIT_OF[unit]
        small = {key: arrays[key] for key in _RESERVED & set(arrays)}
        found_cell = _length(path, small, "cell", frame_index, shape=(3, 3))
        if found_cell is None and cell is None:
            raise FileFormatError(
                f"{path}: found no cell; expected an array 'cell_angstrom' or 'cell_bohr' beside "
                "the field. Write it to the file, or give the cell (--cell)."
            )
        positions = _length(path, small, "positions", frame_index, shape=(-1, 3))
        origin = _length(path, small, "origin", frame_index, shape=(3,))
        atomic_numbers = _atomic_numbers(path, small.get("atomic_numbers"))
        charges = _charges(path, small.get("effective_charges"), frame_index, atomic_numbers)
    shapes = {values.shape for values in fields.values()}
    if len(shapes) > 1:
        raise FileFormatError(
            f"{path}: fields have different shapes {sorted(shapes)}; expected one grid. Name the "
            "field: FILE::NAME."
        )
    used_cell = found_cell if found_cell is not None else cell
    assert used_cell is not None  # refused above
    try:
        shape = shapes.pop()
        grid = UniformGrid(
            cell=used_cell, shape=shape, origin=np.zeros(3) if origin is None else origin
        )
        frame = None
        if positions is not None and atomic_numbers is not None:
            if positions.shape != (len(atomic_numbers), 3):
                raise ValueError(
                    f"positions have shape {positions.shape} for {len(atomic_numbers)} atoms"
                )
            frame = Frame(atomic_numbers=atomic_numbers, positions=positions, cell=used_cell)
    except (ValueError, TypeError, StructureError) as error:
        raise FileFormatError(
            f"{path}: {error}; expected arrays that describe one periodic cell. Correct the file."
        ) from error
    return VolumetricData(
        grid=grid,
        fields=fields,
        frame=frame,
        units=units,
        source=path,
        effective_charges=charges,
    )


def write(path: Path, data: VolumetricData) -> None:
    """Write fields, cell and atoms; a ``.npy`` file takes the first field alone.

    Raises
    ------
    MissingExtraError
        If the package for HDF5 or Zarr is not installed.
    """
    arrays: dict[str, np.ndarray] = dict(data.fields)
    arrays["cell_bohr"] = data.grid.cell
    arrays["origin_bohr"] = data.grid.origin
    if data.frame:
        arrays["atomic_numbers"] = data.frame.atomic_numbers
        arrays["positions_bohr"] = data.frame.positions
    if data.effective_charges is not None:
        arrays["effective_charges"] = data.effective_charges
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            np.save(temporary, data.first)
        elif path.suffix == ".npz":
            np.savez(temporary, allow_pickle=False, **arrays)
        elif path.suffix == ".zarr":
            group = _package("zarr").open_group(str(temporary), mode="w")
            for name, values in arrays.items():
                group[name] = values
                group[name].attrs["unit"] = data.units.get(name, "unknown")
        else:
            with _package("h5py").File(temporary, "w") as file:
                for name, values in arrays.items():
                    file.create_dataset(name, data=values).attrs["unit"] = data.units.get(
                        name, "unknown"
                    )


def count_frames(path: Path, *, name: str | None = None) -> int | None:
    """Number of frames of a field of an HDF5 or Zarr file; None if it has no frame dimension.

    Raises
    ------
    FileFormatError
        If the file is damaged or has no such field.
    """
    with _opened(path) as arrays, named_errors(path):
        array = arrays[_chosen(path, arrays, only_first=True, name=name)[0]]
        n_frames = int(array.shape[0]) if array.ndim == 4 else None
        if n_frames is not None and n_frames > LARGEST_FRAME_COUNT:
            raise FileFormatError(
                f"{path}: found {n_frames} frames; expected at most {LARGEST_FRAME_COUNT}. Is the "
                "file damaged?"
            )
        return n_frames


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Any]]:
    """The arrays of a file by name, read when indexed."""
    with named_errors(path):
        if path.is_dir():
            check_codecs(path)
            group = _package("zarr").open_group(str(path), mode="r")
            yield dict(group.arrays())
            return
        with path.open("rb") as stream:
            magic = stream.read(8)
        if magic.startswith(b"\x89HDF"):
            with _package("h5py").File(path, "r") as file:
                yield {key: item for key, item in file.items() if hasattr(item, "shape")}
            return
        # an open stream, since NumPy leaves a file open whose archive is damaged
        with path.open("rb") as stream:
            if magic.startswith(b"PK"):
                with np.load(stream, allow_pickle=False) as archive:
                    yield {key: archive[key] for key in archive.files}
            else:
                yield {"value": np.load(stream, allow_pickle=False)}


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes NumPy, h5py or zarr raise into one kind of error."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ZerofluxError) and not isinstance(error, StructureError):
            raise
        # these libraries raise a dozen unrelated types for damaged files, none documented
        raise FileFormatError(
            f"{path}: cannot be read as arrays ({type(error).__name__}: {error}); expected a "
            "complete .npy, .npz, HDF5 or Zarr file. Write it again."
        ) from error


def _package(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise missing_extra(name, "formats") from error


def _chosen(
    path: Path, arrays: Mapping[str, Any], *, only_first: bool, name: str | None
) -> list[str]:
    """Names of the fields to read."""
    fields = [key for key, item in arrays.items() if key not in _RESERVED and item.ndim in (3, 4)]
    found = ", ".join(sorted(fields)) or "no array of three dimensions"
    if name is not None:
        if name not in fields:
            raise FileFormatError(
                f"{path}: found {found}; expected the field '{name}'. Check the name after '::'."
            )
        return [name]
    if not fields:
        raise FileFormatError(
            f"{path}: found {found}; expected a field. Write the density to the file."
        )
    if not only_first or len(fields) == 1:
        return sorted(fields)
    for usual in DENSITY_NAMES:
        if usual in fields:
            return [usual]
    raise FileFormatError(
        f"{path}: found the fields {found}; expected one, or one called 'density'. "
        f"Say which: {path.name}::NAME."
    )


def _check_frame(path: Path, array: Any, index: int, *, dimensions: int) -> None:
    n_frames = array.shape[0] if array.ndim == dimensions else 1
    if not 0 <= index < n_frames:
        raise FileFormatError(
            f"{path}: found {n_frames} frames; expected frame {index} among them."
        )


def _length(
    path: Path, arrays: Mapping[str, Any], name: str, index: int, *, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Array ``name_bohr`` or ``name_angstrom`` of one frame, in bohr; -1 in shape is any length."""
    for unit, factor in (("bohr", 1.0), ("angstrom", ANGSTROM)):
        array = arrays.get(f"{name}_{unit}")
        if array is None:
            continue
        part = ...  # one for all frames
        if array.ndim == len(shape) + 1:
            _check_frame(path, array, index, dimensions=len(shape) + 1)
            part = index
        part = loaded(path, f"{name}_{unit}", array, part)
        fits = [want in (-1, have) for want, have in zip(shape, part.shape, strict=False)]
        if part.ndim != len(shape) or not all(fits):
            raise FileFormatError(
                f"{path}: '{name}_{unit}' has shape {part.shape}; expected {shape} (-1: any). "
                "Correct the file."
            )
        return part * factor
    return None


def loaded(path: Path, name: str, array: Any, index: Any = ...) -> np.ndarray:
    """Values of an array or one of its frames, as float64.

    Raises
    ------
    FileFormatError
        If they are no finite real numbers, or the file stores too few of them.
    """
    if array.dtype.kind not in "fiub":
        raise FileFormatError(
            f"{path}: field '{name}' has type {array.dtype}; expected real numbers. Write its real "
            "part or its modulus."
        )
    check_size(path, name, array)
    values = np.ascontiguousarray(array[index], dtype=np.float64)
    check_finite(values, place=str(path), name=name)
    return values if array.ndim or index is not ... else values.reshape(())


def _unit(path: Path, arrays: Mapping[str, Any], array: Any) -> str:
    """The attribute ``unit``, which HDF5 keeps in a heap unless its length is fixed."""
    attributes = getattr(array, "attrs", {})
    if "unit" not in attributes:
        return "unknown"
    if hasattr(attributes, "get_id") and attributes.get_id("unit").dtype.kind == "O":
        check_heaps(path, arrays.values())
    unit = attributes["unit"]
    return unit.decode("latin-1") if isinstance(unit, bytes) else str(unit)


def _atomic_numbers(path: Path, array: Any) -> np.ndarray | None:
    if array is None:
        return None
    values = loaded(path, "atomic_numbers", array)
    if array.ndim != 1 or np.any(values != np.round(values)) or np.any(np.abs(values) > 200):
        raise FileFormatError(
            f"{path}: 'atomic_numbers' of shape {array.shape} are not whole numbers of elements; "
            "expected one for each atom. Correct the file."
        )
    return values.astype(np.int64)


def _charges(
    path: Path, array: Any, index: int, atomic_numbers: np.ndarray | None
) -> np.ndarray | None:
    """The valence charges of one frame."""
    if array is None or atomic_numbers is None:
        return None
    if array.ndim == 2:
        _check_frame(path, array, index, dimensions=2)
    values = loaded(path, "effective_charges", array, index if array.ndim == 2 else ...)
    if values.shape != atomic_numbers.shape:
        raise FileFormatError(
            f"{path}: 'effective_charges' have shape {array.shape} for {len(atomic_numbers)} "
            "atoms; expected one for each. Correct the file."
        )
    return values
