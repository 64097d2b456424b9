"""Uniform periodic grids."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

LARGEST_LENGTH = 1e7
"""No cell is longer (bohr)."""
LARGEST_CONDITION = 1e6
"""Largest condition number of the three steps: 600 for one layer of points in a slab's vacuum."""


@dataclass(frozen=True, eq=False)
class UniformGrid:
    """Points ``origin + (i/n_a) a + (j/n_b) b + (k/n_c) c`` of a periodic cell.

    Fields on the grid are C-ordered arrays of shape ``shape``: the last index, along the third
    lattice vector, runs fastest.

    Raises
    ------
    ValueError
        If the shape is not positive, the cell has no volume, or its lengths are beyond any crystal.
    """

    cell: Float[np.ndarray, "3 3"]
    """Lattice vectors of the whole cell as rows (bohr); either handedness."""
    shape: tuple[int, int, int]
    """Number of points along each lattice vector."""
    origin: Float[np.ndarray, " 3"] = field(default_factory=lambda: np.zeros(3))
    """Position of point (0, 0, 0) (bohr)."""

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(f"grid shape is {self.shape}; expected three positive numbers")
        sizes = (self.cell, self.origin)
        if not all(np.isfinite(x).all() and np.abs(x).max() <= LARGEST_LENGTH for x in sizes):
            raise ValueError(
                f"grid cell or origin is {self.cell.tolist()}, {self.origin.tolist()}; expected "
                f"lengths up to {LARGEST_LENGTH:g} bohr"
            )
        if abs(np.linalg.det(self.cell)) < 1e-12:
            raise ValueError(f"grid cell has no volume: {self.cell.tolist()}")
        # how far the neighbours of a point are away in indices, which the kernels add up
        if np.linalg.cond(self.voxel_vectors) > LARGEST_CONDITION:
            raise ValueError(
                f"grid cell {self.cell.tolist()} is too flat or too sheared for {self.shape} "
                "points; expected steps of similar lengths in three directions"
            )

    @property
    def n_points(self) -> int:
        """Number of grid points."""
        return math.prod(int(n) for n in self.shape)  # NumPy's product overflows

    @property
    def volume(self) -> float:
        """Cell volume (bohr³)."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel (bohr³)."""
        return self.volume / self.n_points

    @property
    def voxel_vectors(self) -> Float[np.ndarray, "3 3"]:
        """Steps between neighbouring points as rows (bohr)."""
        return self.cell / np.array(self.shape)[:, None]

    @property
    def spacing(self) -> Float[np.ndarray, " 3"]:
        """Lengths of the three steps (bohr)."""
        return np.linalg.norm(self.voxel_vectors, axis=1)

    def points(self) -> Float[np.ndarray, "n_a n_b n_c 3"]:
        """Positions of all points (bohr)."""
        a, b, c = (np.arange(n) for n in self.shape)
        index = np.stack(np.meshgrid(a, b, c, indexing="ij"), axis=-1)
        return self.origin + index @ self.voxel_vectors

    def reciprocal_vectors(self) -> Float[np.ndarray, "n_a n_b n_k 3"]:
        """Wave vectors G of `numpy.fft.rfftn` of a field on this grid (1/bohr)."""
        reciprocal = 2.0 * np.pi * np.linalg.inv(self.cell).T
        a, b = (np.fft.fftfreq(n, 1.0 / n) for n in self.shape[:2])
        c = np.fft.rfftfreq(self.shape[2], 1.0 / self.shape[2])
        index = np.stack(np.meshgrid(a, b, c, indexing="ij"), axis=-1)
        return index @ reciprocal

    def points_near(
        self, position: Float[np.ndarray, " 3"], radius: float
    ) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Points within a sphere of the periodic grid, once for each image that is in it.

        Returns
        -------
        indices
            Of the points in the flattened grid.
        distances
            From the position (bohr).
        """
        inverse = np.linalg.inv(self.voxel_vectors)
        centre = (position - self.origin) @ inverse
        half = radius * np.linalg.norm(inverse, axis=0)
        axes = [
            np.arange(np.ceil(c - h), np.floor(c + h) + 1, dtype=np.int64)
            for c, h in zip(centre, half, strict=True)
        ]
        x, y, z = (axis - c for axis, c in zip(axes, centre, strict=True))
        metric = self.voxel_vectors @ self.voxel_vectors.T
        squares = (
            (metric[0, 0] * x**2)[:, None, None]
            + (metric[1, 1] * y**2)[:, None]
            + metric[2, 2] * z**2
        )
        for i, j, product in (
            (0, 1, x[:, None, None] * y[:, None]),
            (0, 2, x[:, None, None] * z),
            (1, 2, y[:, None] * z),
        ):
            if metric[i, j] != 0.0:
                squares += 2.0 * metric[i, j] * product
        a, b, c = (axis % n for axis, n in zip(axes, self.shape, strict=True))
        inside = squares <= radius**2
        indices = ((a[:, None, None] * self.shape[1] + b[:, None]) * self.shape[2] + c)[inside]
        return indices, np.sqrt(squares[inside])
