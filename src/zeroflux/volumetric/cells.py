"""The cell of a file with few digits, and what the number of electrons says about it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.volumetric.data import VolumetricData

LARGEST_RESCALING = 2e-3
"""Larger relative changes of a length are not rounding but another cell."""
CORE_RADIUS = 1.5
"""PAW densities may be negative this near to nuclei (bohr), about the radius of a projector."""
LARGEST_CORE_PART = 0.05
"""... and by this part of the electrons."""
LARGEST_DENSITY = 1e12
"""Far above the density at any nucleus (e/bohr³), and sums of such values do not overflow."""


def electron_count(data: VolumetricData) -> float:
    r"""Electrons of the first field, :math:`\int \rho\,dr`."""
    return float(data.first.sum()) * data.grid.voxel_volume


def with_cell(data: VolumetricData, cell: Float[np.ndarray, "3 3"]) -> VolumetricData:
    """The same values in a more precise cell; atoms stay where they are.

    A cube's header has 6 decimals of the *step*, so 300 points multiply its rounding by 300.

    Raises
    ------
    FileFormatError
        If the cell differs by more than rounding (2e-3, relative).
    """
    change = float(np.abs(cell - data.grid.cell).max() / np.abs(data.grid.cell).max())
    if change > LARGEST_RESCALING:
        raise FileFormatError(
            f"{data.place}: the given cell differs from the file's by {change:.2g} (relative); "
            f"expected the same cell with more digits (at most {LARGEST_RESCALING:g}). Check its "
            "unit, ångström, and the order of its vectors."
        )
    return replace(
        data,
        grid=replace(data.grid, cell=cell),
        frame=replace(data.frame, cell=cell) if data.frame else None,
        relative_cell_error=0.0,
    )


def with_electron_count(data: VolumetricData, n_electrons: float) -> VolumetricData:
    r"""The same values in a cell scaled so that :math:`\int \rho\,dr` is ``n_electrons``.

    Raises
    ------
    FileFormatError
        If that changes a length by more than rounding (2e-3, relative).
    """
    found = electron_count(data)
    ratio = n_electrons / found if found > 0 else 0.0
    if abs(ratio - 1.0) > LARGEST_RESCALING:
        raise FileFormatError(
            f"{data.place}: the density integrates to {found:.6f} electrons, {n_electrons:g} were "
            f"announced; expected a difference due to the rounding of the cell (at most "
            f"{LARGEST_RESCALING:g}, relative). Check the number of (valence) electrons and the "
            "density's unit."
        )
    return with_cell(data, data.grid.cell * float(np.cbrt(ratio)))


def rounding_complaint(data: VolumetricData, n_valence: float | None = None) -> str | None:
    """What is wrong with the number of electrons, if it looks like a rounded cell; else None.

    ``n_valence`` is the number that it should be, when known, up to an integer net charge;
    otherwise the nearest integer, if that is within what the header's digits allow.
    """
    found = electron_count(data)
    expected = float(round(found)) if n_valence is None else n_valence
    expected += round(found - expected)  # a cell may be charged
    missing = found - expected
    allowed = data.relative_cell_error * abs(expected)
    # half of the integers' spacing says nothing about which integer was meant
    is_rounding = abs(missing) <= min(1.5 * allowed, 0.1)
    if n_valence is None and (not is_rounding or abs(missing) < 1e-4):
        return None
    if abs(missing) < max(1e-4, 1e-7 * abs(expected)):
        return None
    cause = (
        f"; the digits of the header's cell allow {allowed:.2g}: scale the cell with "
        f"--electrons {expected:g} or --cell"
        if is_rounding
        else "; the digits of the header's cell do not explain it: check the unit and grid of the "
        "density, and the valences"
    )
    return (
        f"{data.place}: the density integrates to {found:.6f} electrons, {missing:+.6f} from "
        f"{expected:g}{cause}."
    )


def check_density(
    data: VolumetricData, *, tolerance: float = 1e-4, cores: Frame | None = None
) -> None:
    """Refuse a field that cannot be an electron density.

    Smaller negative parts are ripples of a Fourier series; `zeroflux.partition.basins` warns of
    them.

    Parameters
    ----------
    data
        Its first field is looked at.
    tolerance
        Largest negative part, relative to the positive one.
    cores
        Nuclei about which the density may be negative (`CORE_RADIUS`, `LARGEST_CORE_PART`), as
        PAW densities are; only where a reference defines the basins.

    Raises
    ------
    FileFormatError
        If the negative part is larger, or nothing is positive.
    """
    density = data.first
    lowest, highest = float(density.min()), float(density.max())
    if highest > LARGEST_DENSITY:
        raise FileFormatError(
            f"{data.place}: the largest density is {highest:.3g} e/bohr³; expected no more than "
            f"{LARGEST_DENSITY:g}, which no nucleus reaches. The file is damaged: write it again."
        )
    if lowest >= 0.0 and highest > 0.0:
        return
    negative = density[density < 0.0]
    in_negative = -float(negative.sum()) * data.grid.voxel_volume
    in_positive = electron_count(data) + in_negative
    if in_negative <= tolerance * in_positive and in_positive > 0.0:
        return
    if cores is not None and in_negative <= LARGEST_CORE_PART * in_positive:
        outside = _outside_cores(data, cores, np.argwhere(density < 0.0))
        if -float(negative[outside].sum()) * data.grid.voxel_volume <= tolerance * in_positive:
            return
    index = tuple(int(i) for i in np.unravel_index(int(density.argmin()), density.shape))
    raise FileFormatError(
        f"{data.place}: {negative.size} of {density.size} densities are negative, the lowest "
        f"{lowest:.3g} e/bohr³ at point {index}, {in_negative:.3g} electrons in all against "
        f"{in_positive:.6g} positive ones; expected an electron density (negative values of "
        "Fourier rounding at most). Is this a potential, a spin density or a difference? Negative "
        "values at the nuclei of a PAW density are accepted with --reference (AECCAR0 and AECCAR2)."
    )


def _outside_cores(
    data: VolumetricData, nuclei: Frame, points: Int[np.ndarray, "n_points 3"]
) -> Bool[np.ndarray, " n_points"]:
    """Which points are farther from all nuclei than `CORE_RADIUS`."""
    places = points / np.array(data.grid.shape)
    places += np.linalg.solve(data.grid.cell.T, data.grid.origin)
    is_outside = np.ones(len(points), dtype=bool)
    images = np.array(list(product((-1, 0, 1), repeat=3))) @ data.grid.cell
    for site in nuclei.fractional_positions:
        step = places[is_outside] - site
        steps = ((step - np.round(step)) @ data.grid.cell)[:, None, :] + images
        is_outside[is_outside] = np.linalg.norm(steps, axis=2).min(axis=1) > CORE_RADIUS
    return is_outside
