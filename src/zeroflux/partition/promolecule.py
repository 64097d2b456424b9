"""Model densities of which the basins are known or can be found by other means."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid

ARGON_LIKE = ((7.0, 0.55), (1.6, 0.28), (-0.6, 2.0))
"""Eight electrons with a dip at the nucleus and about the extent of argon's valence density."""


def gaussian_promolecule(
    frame: Frame, grid: UniformGrid, terms: list[tuple[tuple[float, float], ...]]
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Superposition of spherical atoms, each a sum of normalised Gaussians.

    .. math:: \rho(r) = \sum_A \sum_t q_t (\alpha_t/\pi)^{3/2} e^{-\alpha_t |r - R_A|^2}

    with all periodic images, built as a Fourier series cut at the grid's highest wave vectors, so
    that the density is band-limited and its Fourier Laplacian exact.

    Parameters
    ----------
    frame
        Nuclei.
    grid
        Grid in the same cell.
    terms
        For each atom its pairs of electrons :math:`q_t` and exponents :math:`\alpha_t` (1/bohr²).
    """
    from scipy import fft

    reciprocal = 2.0 * np.pi * np.linalg.inv(grid.cell).T
    a, b = (np.fft.fftfreq(n, 1.0 / n) for n in grid.shape[:2])
    c = np.fft.rfftfreq(grid.shape[2], 1.0 / grid.shape[2])
    positions = (frame.positions - grid.origin) @ np.linalg.inv(grid.cell)
    phases = [np.exp(-2j * np.pi * np.outer(positions[:, d], k)) for d, k in enumerate((a, b, c))]
    kinds = sorted(set(terms))
    members = [[n for n, t in enumerate(terms) if t == kind] for kind in kinds]
    series = np.empty((len(a), len(b), len(c)), dtype=np.complex128)
    plane = np.stack(np.meshgrid(b, c, indexing="ij"), axis=-1) @ reciprocal[1:]
    for i, m in enumerate(a):
        square = ((plane + m * reciprocal[0]) ** 2).sum(axis=-1)
        total = np.zeros(square.shape, dtype=np.complex128)
        for kind, atoms in zip(kinds, members, strict=True):
            form = sum(q * np.exp(-square / (4.0 * alpha)) for q, alpha in kind)
            waves = phases[0][atoms, i, None] * phases[1][atoms]
            total += form * (waves.T @ phases[2][atoms])
        series[i] = total
    series *= grid.n_points / grid.volume
    return np.asarray(fft.irfftn(series, s=grid.shape, overwrite_x=True))


def spread_frame(n_atoms: int, length: float, *, seed: int, atomic_number: int = 18) -> Frame:
    """Atoms at random in a cube (bohr), pushed apart until none are close, like a cold liquid."""
    points = np.random.default_rng(seed).random((n_atoms, 3))
    for _ in range(2000):
        difference = points[:, None] - points[None]
        difference -= np.rint(difference)
        distance = np.linalg.norm(difference, axis=-1) + 9.0 * np.eye(n_atoms)
        push = (difference / distance[..., None] ** 9).sum(axis=1)
        size = np.linalg.norm(push, axis=1)[:, None]
        points += 2e-4 * push / np.maximum(1.0, 0.01 * size)
    return Frame(
        atomic_numbers=np.full(n_atoms, atomic_number),
        positions=(points % 1.0) * length,
        cell=length * np.eye(3),
    )
