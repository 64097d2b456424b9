"""Gaussian orbitals on the grids of rectangular cells, by the products that Gaussians are.

A Cartesian Gaussian and its periodic images are a product of three functions of one coordinate,

    Σ_n χ(r − R − n) = X(x) Y(y) Z(z),   X(x) = Σ_n (x − R_x − nL)^a e^{−α(x − R_x − nL)²},

so an orbital on the grid is a matrix product, ψ_i = Σ_μ c_μi X_μ Y_μ Z_μ, whatever the images and
however many pairs of functions overlap. For diffuse uncontracted bases that is several times less
work than the collocation of their products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from zeroflux.labelling.kinetic import (
    _ANGULAR_FACTOR,
    _ATOM,
    _COEFFICIENTS,
    _EXPONENTS,
    _L,
    _N_CONTRACTIONS,
    _cartesian_powers,
)

_PLANES_AT_ONCE = 8
_POINTS_AT_ONCE = 4096
_REACH = 40.0  # e^-40: where a Gaussian ends


def is_rectangular(lattice: Float[np.ndarray, "3 3"]) -> bool:
    """Whether the lattice vectors lie along the axes of the coordinates."""
    off_axis = lattice - np.diag(np.diag(lattice))
    return bool(np.abs(off_axis).max() < 1e-10 * np.abs(lattice).max())


@dataclass(frozen=True, eq=False)
class Primitives:
    """Cartesian primitives x^a y^b z^c e^{−αr²} of a cell."""

    centres: Float[np.ndarray, "n 3"]
    """Nuclei they stand on (bohr)."""
    exponents: Float[np.ndarray, " n"]
    """α (bohr⁻²)."""
    powers: Int[np.ndarray, "n 3"]
    """a, b, c."""
    of_functions: Any
    """Sparse matrix (primitives, spherical functions of the cell)."""


def primitives(cell: Any) -> Primitives:
    """Primitives of a PySCF cell, and its spherical functions in terms of them."""
    rows: list[tuple[np.ndarray, float, tuple[int, int, int]]] = []
    entries: list[tuple[int, int, float]] = []
    n_columns = 0
    for shell in cell._bas:
        l_shell, n_primitives, n_contractions = (int(n) for n in shell[_L : _N_CONTRACTIONS + 1])
        exponents = cell._env[shell[_EXPONENTS] :][:n_primitives]
        coefficients = cell._env[shell[_COEFFICIENTS] :][: n_primitives * n_contractions]
        powers = _cartesian_powers(l_shell)
        first = len(rows)
        rows += [(cell.atom_coord(int(shell[_ATOM])), a, p) for a in exponents for p in powers]
        for contraction in coefficients.reshape(n_contractions, n_primitives):
            scaled = contraction * _ANGULAR_FACTOR.get(l_shell, 1.0)
            entries += [
                (first + i * len(powers) + j, n_columns + j, c)
                for i, c in enumerate(scaled)
                for j in range(len(powers))
            ]
            n_columns += len(powers)
    row, column, value = zip(*entries, strict=True)
    contractions = sparse.csr_matrix((value, (row, column)), shape=(len(rows), n_columns))
    to_cartesian = sparse.csr_matrix(cell.cart2sph_coeff(normalized="sp"))
    centres, alphas, abc = zip(*rows, strict=True)
    return Primitives(
        centres=np.array(centres),
        exponents=np.array(alphas, dtype=float),
        powers=np.array(abc, dtype=int),
        of_functions=contractions @ to_cartesian,
    )


@dataclass(frozen=True, eq=False)
class _Block:
    """Part of the grid, and the primitives that reach it."""

    region: tuple[slice, slice, slice]
    """Its points."""
    weights: Float[np.ndarray, "n_rows n_occupied"]
    """Orbitals in the primitives that are above the precision somewhere in it."""
    x: Float[np.ndarray, "n_rows n_x"]
    dx: Float[np.ndarray, "n_rows n_x"]
    layers: Float[np.ndarray, "3 n_rows n_yz"]
    """Y Z, Y' Z and Y Z'."""

    def derivatives(self, axis: int) -> Float[np.ndarray, "n_x n_occupied n_yz"]:
        """Derivatives of the orbitals along an axis."""
        left = (self.dx if axis == 0 else self.x).T[:, None, :] * self.weights.T[None]
        values = left.reshape(-1, self.weights.shape[0]) @ self.layers[axis]
        return values.reshape(*left.shape[:2], -1)


def orbital_kinetic_energy_density(
    cell: Any, orbitals: Float[np.ndarray, "n_ao n_occupied"], *, mesh: tuple[int, int, int]
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Positive-definite kinetic energy density :math:`\tau = \sum_i|\nabla\psi_i|^2`.

    Parameters
    ----------
    cell
        PySCF cell with lattice vectors along the axes; see `is_rectangular`.
    orbitals
        Doubly occupied orbitals.
    mesh
        Grid points along the lattice vectors.

    Returns
    -------
    τ on the grid (hartree bohr⁻³).
    """
    tau = np.zeros(mesh)
    for block in _blocks_of(cell, primitives(cell), orbitals, mesh):
        part = tau[block.region]
        for axis in range(3):
            gradient = block.derivatives(axis)
            part += np.einsum("xip,xip->xp", gradient, gradient).reshape(part.shape)
    return tau


def _blocks_of(
    cell: Any, basis: Primitives, orbitals: np.ndarray, mesh: tuple[int, ...]
) -> Iterator[_Block]:
    """The whole grid, a block at a time, each with the primitives that matter there."""
    weights = basis.of_functions @ orbitals
    lengths = np.diag(cell.lattice_vectors())
    tables = [_tables(basis, axis, lengths[axis], mesh[axis]) for axis in range(3)]
    negligible = 0.1 * cell.precision / np.abs(weights).max(axis=1).clip(min=1e-300)
    (x, dx), (y, dy), (z, dz) = tables
    x_size, z_size = np.maximum(abs(x), abs(dx)), np.maximum(abs(z), abs(dz))
    y_size = np.maximum(abs(y), abs(dy)).max(axis=1)
    for planes in _slices(mesh[2], max(1, _POINTS_AT_ONCE // mesh[1])):
        reach = z_size[:, planes].max(axis=1) * y_size
        near = np.flatnonzero(reach > negligible)
        layers = np.stack(
            [
                (a[near][:, :, None] * b[near][:, None, planes]).reshape(len(near), -1)
                for a, b in ((y, z), (dy, z), (y, dz))
            ]
        )
        for block in _slices(mesh[0], _PLANES_AT_ONCE):
            seen = x_size[near][:, block].max(axis=1) * reach[near] > negligible[near]
            rows = near[seen]
            yield _Block(
                region=(block, slice(None), planes),
                weights=weights[rows],
                x=x[rows][:, block],
                dx=dx[rows][:, block],
                layers=layers[:, seen],
            )


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _tables(
    basis: Primitives, axis: int, length: float, n_points: int
) -> tuple[Float[np.ndarray, "n n_points"], Float[np.ndarray, "n n_points"]]:
    """Periodic functions of one coordinate, and their derivatives, at the points of the grid."""
    keys, which = np.unique(
        np.stack([basis.centres[:, axis], basis.exponents, basis.powers[:, axis]], axis=1),
        axis=0,
        return_inverse=True,
    )
    centre, alpha, power = keys[:, :1], keys[:, 1:2], keys[:, 2:].astype(int)
    grid = np.arange(n_points) * (length / n_points)
    n_images = int(np.ceil(np.sqrt(_REACH / alpha.min()) / length)) + 1
    value = np.zeros((len(keys), n_points))
    slope = np.zeros_like(value)
    nearest = np.round((grid - centre) / length)
    for image in range(-n_images, n_images + 1):
        distance = grid - centre - (nearest + image) * length
        gaussian = np.exp(-alpha * distance**2)
        value += distance**power * gaussian
        slope -= 2.0 * alpha * distance ** (power + 1) * gaussian
        slope += power * distance ** np.maximum(power - 1, 0) * gaussian
    return value[which.ravel()], slope[which.ravel()]
