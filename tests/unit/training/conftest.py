"""A small training set with a known answer: a pair potential and its site energies."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.potentials.neighbors import neighborhood
from zeroflux.training.cells import TrainingSet

CUTOFF = 10.0


def pair_energy(distance: np.ndarray) -> np.ndarray:
    """Morse-like well at 7 bohr of 1 mHa, smooth to zero at the cutoff (hartree)."""
    x = np.exp(-(distance - 7.0))
    smooth = np.where(distance < CUTOFF, (1.0 - (distance / CUTOFF) ** 2) ** 3, 0.0)
    return 1e-3 * (x**2 - 2.0 * x) * smooth


def pair_force(distance: np.ndarray) -> np.ndarray:
    h = 1e-5
    return (pair_energy(distance - h) - pair_energy(distance + h)) / (2 * h)


def site_energies(frame: Frame) -> np.ndarray:
    rows = neighborhood(frame, [18], CUTOFF)
    return 0.5 * pair_energy(np.linalg.norm(rows.displacements, axis=-1)).sum(axis=1) - 1.0


def forces(frame: Frame) -> np.ndarray:
    rows = neighborhood(frame, [18], CUTOFF)
    d = np.linalg.norm(rows.displacements, axis=-1)
    return -np.einsum("ij,ija->ia", pair_force(d) / d, rows.displacements)


def jittered_frames(n_frames: int) -> list[Frame]:
    """Four atoms near the sites of an fcc cell about 10 bohr wide."""
    rng = np.random.default_rng(0)
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    frames = []
    for _ in range(n_frames):
        length = rng.uniform(9.6, 10.4)
        positions = sites * length + rng.normal(0, 0.4, (4, 3))
        frames.append(Frame(np.full(4, 18), positions, length * np.eye(3)))
    return frames


@pytest.fixture(scope="session")
def known() -> tuple[TrainingSet, list[np.ndarray]]:
    """Configurations with totals and forces, and their site energies apart (hartree)."""
    frames = jittered_frames(80)
    local = [site_energies(frame) for frame in frames]
    totals = np.array([each.sum() for each in local])
    return TrainingSet(tuple(frames), totals, tuple(forces(f) for f in frames)), local
