"""Kinetic energy density of Gaussian orbitals by one density collocation (PySCF).

The gradient of a contracted Gaussian shell of angular momentum l is a combination of Cartesian
shells l+1 and l−1 with the same exponents,

    ∂_x (x^a y^b z^c e^{−αr²}) = a x^{a−1} y^b z^c e^{−αr²} − 2α x^{a+1} y^b z^c e^{−αr²},

so with C_x the matrix of ∂_x in that *gradient basis*,

    τ(r) = ½ Σ_x Σ_{μν} (C_x D C_xᵀ)_{μν} χ'_μ(r) χ'_ν(r)

is the density of the matrix ½ Σ_x C_x D C_xᵀ, and the fast multigrid code for densities gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse

# libcint's normalisation of the angular part of Cartesian s and p functions; 1 beyond.
_ANGULAR_FACTOR = {0: 0.5 / np.sqrt(np.pi), 1: 0.5 * np.sqrt(3.0 / np.pi)}
# Slots of a shell in PySCF's integer table `_bas`.
_ATOM, _L, _N_PRIMITIVES, _N_CONTRACTIONS, _EXPONENTS, _COEFFICIENTS = 0, 1, 2, 3, 5, 6
# e^{-25}: relative size below which a Gaussian's grid integral counts as exact.
_ALIAS_EXPONENT = 25.0


def _cartesian_powers(l_total: int) -> list[tuple[int, int, int]]:
    return [
        (a, b, l_total - a - b) for a in range(l_total, -1, -1) for b in range(l_total - a, -1, -1)
    ]


def gradient_basis(cell: Any) -> tuple[Any, list[Any]]:
    """Cell with the shells of ∇χ, and the three matrices of ∂_x, ∂_y, ∂_z into its functions.

    Parameters
    ----------
    cell
        PySCF cell (or molecule) with spherical functions.

    Returns
    -------
    gradient_cell
        The same atoms with Cartesian shells l+1 and l−1 for each shell l.
    derivatives
        Sparse matrices, shape (number of functions of ``gradient_cell``, number of functions of
        ``cell``).
    """
    env = list(cell._env)
    # Shells of one atom, angular momentum and set of exponents are one: its primitives are then
    # collocated once. Value: rows of contraction coefficients, column and factors of each.
    merged: dict[tuple[int, int, tuple[float, ...]], list[tuple[np.ndarray, int, int]]] = {}
    n_columns = 0
    for shell in cell._bas:
        l_shell, n_primitives, n_contractions = (int(n) for n in shell[_L : _N_CONTRACTIONS + 1])
        exponents = cell._env[shell[_EXPONENTS] :][:n_primitives]
        coefficients = cell._env[shell[_COEFFICIENTS] :][: n_primitives * n_contractions]
        for row in coefficients.reshape(n_contractions, n_primitives):
            for step in (1, -1):
                if l_shell + step >= 0:
                    key = (int(shell[_ATOM]), l_shell + step, tuple(exponents.tolist()))
                    scaled = -2.0 * exponents * row if step == 1 else row
                    merged.setdefault(key, []).append((scaled, n_columns, step))
            n_columns += len(_cartesian_powers(l_shell))
    shells: list[list[int]] = []
    entries: list[list[tuple[int, int, float]]] = [[], [], []]
    n_rows = 0
    # PySCF wants the shells of an atom together, in the order of the atoms.
    for (atom, l_new, exponents), contractions in sorted(merged.items(), key=lambda kv: kv[0][:2]):
        pointer = len(env)
        env += [*exponents, *np.concatenate([row for row, _, _ in contractions])]
        sizes = (len(exponents), len(contractions))
        shells.append([atom, l_new, *sizes, 0, pointer, pointer + len(exponents), 0])
        new_powers = {power: i for i, power in enumerate(_cartesian_powers(l_new))}
        for _, column, step in contractions:
            l_shell = l_new - step
            scale = _ANGULAR_FACTOR.get(l_shell, 1.0) / _ANGULAR_FACTOR.get(l_new, 1.0)
            for j, power in enumerate(_cartesian_powers(l_shell)):
                for axis in range(3):
                    a, b, c = (p + step * (i == axis) for i, p in enumerate(power))
                    if min(a, b, c) >= 0:
                        factor = scale * (1.0 if step == 1 else power[axis])
                        entries[axis].append((n_rows + new_powers[a, b, c], column + j, factor))
            n_rows += len(new_powers)
    gradient_cell = cell.copy(deep=False)
    gradient_cell._atm = cell._atm.copy()
    gradient_cell._env = np.asarray(env)
    gradient_cell._bas = np.asarray(shells, dtype=np.int32)
    gradient_cell.cart = True
    to_cartesian = sparse.csr_matrix(cell.cart2sph_coeff(normalized="sp"))
    derivatives = []
    for per_axis in entries:
        rows, columns, values = zip(*per_axis, strict=True)
        matrix = sparse.csr_matrix((values, (rows, columns)), shape=(n_rows, n_columns))
        derivatives.append(matrix @ to_cartesian)
    return gradient_cell, derivatives


def gradient_density_matrix(
    density_matrix: Float[np.ndarray, "n_ao n_ao"], derivatives: list[Any]
) -> Float[np.ndarray, "n_gradient n_gradient"]:
    """½ Σ_x C_x D C_xᵀ, whose density is τ."""
    total = sum(c @ (c @ density_matrix.T).T for c in derivatives)
    return 0.5 * np.asarray(total)


def kinetic_energy_density(
    cell: Any,
    density_matrix: Float[np.ndarray, "n_ao n_ao"],
    *,
    mesh: tuple[int, int, int],
    integrator: Callable[[Any], Any],
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Positive-definite kinetic energy density :math:`\tau = \tfrac12\sum_i f_i|\nabla\psi_i|^2`.

    Parameters
    ----------
    cell
        PySCF cell.
    density_matrix
        One-particle density matrix in the functions of ``cell``.
    mesh
        Grid points along the lattice vectors.
    integrator
        Makes PySCF's multigrid integrator of a cell.

    Returns
    -------
    τ on the grid (hartree bohr⁻³).
    """
    from pyscf.pbc.dft.gen_grid import UniformGrids

    gradient_cell, derivatives = gradient_basis(cell)
    # A gradient is larger than its function: the same truncation would cost krypton 0.06 meV.
    gradient_cell.precision = 0.1 * cell.precision
    collocation = integrator(gradient_cell)
    collocation.mesh = np.asarray(mesh)
    matrix = gradient_density_matrix(density_matrix, derivatives)
    tau = collocation.get_rho(gradient_cell, matrix, UniformGrids(gradient_cell))
    return np.asarray(tau).reshape(mesh)


def sharp_primitive_corrections(
    cell: Any,
    density_matrix: Float[np.ndarray, "n_ao n_ao"],
    *,
    mesh: tuple[int, int, int],
) -> Float[np.ndarray, " n_atoms"]:
    r"""What the grid misses of each atom's kinetic energy because a primitive is too sharp for it.

    A product of two primitives with exponents summing to p is integrated by a uniform grid of
    wave vectors up to G_max with a relative error of about :math:`e^{-G_{max}^2/p}`. Only
    products on one centre are that sharp (argon's basis has one exponent of 24 with a tiny
    coefficient), and they lie within a bohr of their nucleus, inside its basin. So the exact
    on-centre integral replaces the grid's, atom by atom:

    .. math:: \Delta T_A = \mathrm{tr}\,D_{AA}(T - \tilde T)_{AA}
              - \Delta V \sum_g (\tau_{AA} - \tilde\tau_{AA})(r_g),

    where the tilde leaves the sharp primitives out of the contractions.

    Returns
    -------
    Corrections (hartree), zero where no primitive is sharp.
    """
    g_max = np.pi / np.linalg.norm(cell.lattice_vectors() / np.asarray(mesh)[:, None], axis=1).max()
    limit = g_max**2 / _ALIAS_EXPONENT
    voxel_volume = cell.vol / np.prod(mesh)
    corrections = np.zeros(cell.natm)
    slices = cell.aoslice_by_atom()
    for atom in range(cell.natm):
        free, smooth = one_atom(cell, atom), one_atom(cell, atom)
        smallest = min(free.bas_exp(i).min() for i in range(free.nbas))
        reach = 0.0
        for shell in smooth._bas:
            exponents = smooth._env[shell[_EXPONENTS] :][: shell[_N_PRIMITIVES]]
            sharp = 2.0 * exponents > limit
            for k in range(shell[_N_CONTRACTIONS]):
                start = shell[_COEFFICIENTS] + k * shell[_N_PRIMITIVES]
                smooth._env[start : start + shell[_N_PRIMITIVES]][sharp] = 0.0
            if sharp.any():
                reach = max(reach, np.sqrt(36.0 / (exponents[sharp].min() + smallest)))
        if reach == 0.0:
            continue
        start, stop = slices[atom, 2:]
        block = density_matrix[start:stop, start:stop]
        exact = np.einsum("ij,ji", block, free.intor("int1e_kin") - smooth.intor("int1e_kin"))
        points = _grid_points_near(cell, free.atom_coord(0), mesh, reach)
        on_grid = _tau_at(free, block, points).sum() - _tau_at(smooth, block, points).sum()
        corrections[atom] = exact - voxel_volume * on_grid
    return corrections


def one_atom(cell: Any, atom: int) -> Any:
    """PySCF molecule of one atom of a cell, in its place, without its images."""
    from pyscf import gto

    symbol = cell.atom_symbol(atom)
    return gto.M(
        atom=[(symbol, cell.atom_coord(atom))],
        unit="B",
        basis={symbol: cell._basis[symbol]},
        spin=None,
        verbose=0,
    )


def _grid_points_near(
    cell: Any, centre: np.ndarray, mesh: tuple[int, int, int], radius: float
) -> Float[np.ndarray, "n_points 3"]:
    """Points of the periodic grid within a box that holds the sphere around a centre."""
    steps = cell.lattice_vectors() / np.asarray(mesh)[:, None]
    index = centre @ np.linalg.inv(steps)
    # Half-widths of the box in grid steps: radius over the spacing of the lattice planes.
    half = radius * np.linalg.norm(np.linalg.inv(steps), axis=0)
    axes = [
        np.arange(np.ceil(c - h), np.floor(c + h) + 1) for c, h in zip(index, half, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) @ steps


def _tau_at(mol: Any, block: np.ndarray, points: np.ndarray) -> Float[np.ndarray, " n_points"]:
    gradients = mol.eval_gto("GTOval_sph_deriv1", points)[1:4]
    return 0.5 * np.einsum("xgi,ij,xgj->g", gradients, block, gradients, optimize=True)
