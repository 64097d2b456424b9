"""Uniform periodic grids."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class UniformGrid:
    """Points ``origin + (i/n_a) a + (j/n_b) b + (k/n_c) c`` of a periodic cell.

    Fields on the grid are C-ordered arrays of shape ``shape``: the last index, along the third
    lattice vector, runs fastest.

    Raises
    ------
    ValueError
        If the shape is not positive or the cell has no volume.
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
        if abs(np.linalg.det(self.cell)) < 1e-12:
            raise ValueError(f"grid cell has no volume: {self.cell.tolist()}")

    @property
    def n_points(self) -> int:
        """Number of grid points."""
        return int(np.prod(self.shape))

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
