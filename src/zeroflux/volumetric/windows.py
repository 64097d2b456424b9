"""Grids that are not one period of the density: repeated planes, cuts, nuclei outside or twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.volumetric.cells import electron_count
from zeroflux.volumetric.data import VolumetricData

EQUAL_PLANES = 1e-4  # relative; files have five digits or more
SAME_SITE = 0.1  # bohr
FACE_CHARGE = 5e-3  # electrons beyond the faces that are worth a word
TINY = 1e-30


def repeated_axes(data: VolumetricData) -> tuple[int, ...]:
    """Directions along which the last plane of points repeats the first.

    Equal end planes have one other reason, a mirror half a step before the first plane; then the
    next planes are equal too. Where they are, the mirror may also lie on a repeated plane, and
    smoothness decides: ln ρ is continued to the first plane by an even polynomial through the next
    three, for either place of the mirror. The median over a plane passes over cusps.
    """
    return tuple(axis for axis in range(3) if _is_repeated(np.moveaxis(data.first, axis, 0)))


def _is_repeated(values: np.ndarray) -> bool:
    if len(values) < 8:
        return False
    first, last = values[0], values[-1]
    largest = float(first.max())
    if largest <= 0.0:
        return False
    allowed = EQUAL_PLANES * np.maximum(np.abs(first), 1e-2 * largest)
    if (np.abs(first - last) > allowed).any():
        return False
    seen = first > 1e-3 * largest
    zeroth, one, two, three, before = (
        np.log(np.maximum(values[i][seen], TINY)) for i in (0, 1, 2, 3, -2)
    )
    if np.median(np.abs(one - before)) > 10.0 * EQUAL_PLANES:
        return True  # no mirror
    on_plane = np.median(np.abs(1.5 * one - 0.6 * two + 0.1 * three - zeroth))
    half_step = np.median(np.abs(1.8 * one - two + 0.2 * three - zeroth))
    return bool(on_plane < 0.5 * half_step and half_step > 1e-6)


def without_planes(data: VolumetricData, axes: tuple[int, ...]) -> VolumetricData:
    """The same field without the last plane along some directions, in the smaller cell."""
    shape = list(data.grid.shape)
    cell = np.array(data.grid.cell)
    every = [slice(None)] * 3
    for axis in axes:
        cell[axis] *= (shape[axis] - 1) / shape[axis]
        shape[axis] -= 1
        every[axis] = slice(0, -1)
    fields = {
        name: np.ascontiguousarray(values[tuple(every)]) for name, values in data.fields.items()
    }
    grid = replace(data.grid, cell=cell, shape=(shape[0], shape[1], shape[2]))
    frame = replace(data.frame, cell=cell) if data.frame else None
    return replace(data, grid=grid, fields=fields, frame=frame)


def plane_remark(data: VolumetricData, axes: tuple[int, ...]) -> str:
    """What was mended by `without_planes`; the data are those before."""
    names = " and ".join("abc"[axis] for axis in axes)
    before, after = electron_count(data), electron_count(without_planes(data, axes))
    return (
        f"{data.place}: the last plane along {names} repeats the first; expected each point of the "
        f"period once. It was left out: {after:.6g} electrons instead of {before:.6g}, and a cell "
        "shorter by one step."
    )


def check_window(data: VolumetricData, frame: Frame) -> str | None:
    """What is said of a density that ends at the faces of its grid without being periodic.

    Raises
    ------
    FileFormatError
        If a nucleus is outside of such a face.
    """
    scaled = (frame.positions - data.grid.origin) @ np.linalg.inv(data.grid.cell)
    missing, axes = 0.0, []
    for axis in range(3):
        lost = _beyond_faces(np.moveaxis(data.first, axis, 0)) * data.grid.voxel_volume
        if lost < FACE_CHARGE:
            continue
        missing += lost
        axes.append("abc"[axis])
        step = 1.0 / data.grid.shape[axis]
        outside = np.flatnonzero((scaled[:, axis] < -step) | (scaled[:, axis] > 1.0))
        if outside.size:
            raise FileFormatError(
                f"{data.place}: atom {outside[0]} (Z = {frame.atomic_numbers[outside[0]]}) lies "
                f"outside the grid along {'abc'[axis]}, where the density is not periodic; "
                "expected a whole period, or a box around all atoms. Write the density on a larger "
                "box."
            )
    if not axes:
        return None
    return (
        f"{data.place}: the density is cut off at the faces along {', '.join(axes)}, where it is "
        f"neither small nor periodic; expected a whole period or a wide box. About {missing:.2g} "
        "electrons are outside: write it on a box with a wider margin (6 bohr around the nuclei)."
    )


def _beyond_faces(values: np.ndarray) -> float:
    """Sum of the values (per voxel) beyond the two end planes, if they do not join; else 0."""
    if len(values) < 8:
        return 0.0
    top = np.maximum(values[0], values[-1])
    largest = float(top.max())
    if largest <= 0.0:
        return 0.0
    seen = top > 1e-3 * largest
    before, last, first, after = (values[i][seen] for i in (-2, -1, 0, 1))
    logs = [np.log(np.maximum(values[i][seen], TINY)) for i in (-3, -2, -1, 0, 1, 2)]
    bends = [np.median(np.abs(logs[i] - 2 * logs[i + 1] + logs[i + 2])) for i in range(4)]
    if max(bends[1:3]) <= 5.0 * max(bends[0], bends[3]) + 0.05:
        return 0.0
    total = 0.0
    for face, inner in ((first, after), (last, before)):
        decay = np.log(max(inner.sum(), TINY) / max(face.sum(), TINY))
        total += float(face.sum()) / max(decay, 0.1)
    return total


def distinct_atoms(data: VolumetricData, frame: Frame) -> tuple[VolumetricData, Frame, str | None]:
    """Each nucleus once: periodic images that a file lists too are left out.

    Raises
    ------
    FileFormatError
        If two nuclei are at one place.
    """
    scaled = frame.positions @ np.linalg.inv(frame.cell)
    keep = np.ones(frame.n_atoms, dtype=bool)
    for i in range(frame.n_atoms - 1):
        if not keep[i]:
            continue
        step = scaled[i + 1 :] - scaled[i]
        near = np.linalg.norm((step - np.rint(step)) @ frame.cell, axis=1) < SAME_SITE
        for j in np.flatnonzero(near) + i + 1:
            is_image = bool(np.rint(scaled[j] - scaled[i]).any())
            if not is_image or frame.atomic_numbers[i] != frame.atomic_numbers[j]:
                raise FileFormatError(
                    f"{data.place}: the nuclei of atoms {i} and {j} (Z = "
                    f"{frame.atomic_numbers[i]} and {frame.atomic_numbers[j]}) are at one place; "
                    "expected one nucleus for each. Remove one of them, or name a structure with "
                    "--atoms."
                )
            keep[j] = False
    if keep.all():
        return data, frame, None
    charges = data.effective_charges
    if charges is not None and len(charges) == len(keep):
        data = replace(data, effective_charges=charges[keep])
    left = replace(
        frame, atomic_numbers=frame.atomic_numbers[keep], positions=frame.positions[keep]
    )
    data = replace(data, frame=left)
    remark = (
        f"{data.place}: atoms {', '.join(str(i) for i in np.flatnonzero(~keep)[:10])} are periodic "
        f"images of others; expected each atom once. Left out {int((~keep).sum())} of {len(keep)}."
    )
    return data, left, remark
