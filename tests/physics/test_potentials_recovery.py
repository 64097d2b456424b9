"""A known answer: site energies of a pair potential, recovered from totals alone."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.potentials.energy import predictions
from zeroflux.potentials.neighbors import neighborhood
from zeroflux.potentials.registry import ARCHITECTURES
from zeroflux.training.cells import Cell, SweepSettings, TrainingSet
from zeroflux.training.schedule import Schedule
from zeroflux.training.sweep import run_cell

SLOW = pytest.mark.slow
CUTOFF = 12.0  # bohr
N_TRAIN = 600


def site_energies(frame: Frame) -> np.ndarray:
    """Half of each Lennard-Jones term to each partner, smoothly cut (hartree)."""
    rows = neighborhood(frame, [18], CUTOFF)
    r = np.linalg.norm(rows.displacements, axis=-1)
    x = np.minimum(r / CUTOFF, 1.0)
    s6 = (6.4 / r) ** 6
    return 0.5 * (4 * 3.8e-4 * (s6**2 - s6) * (1 - x**2) ** 3).sum(axis=1)


def hot_crystals(n_frames: int) -> list[Frame]:
    """Eight atoms thrown about the sites of a distorted fcc crystal, at various densities."""
    rng = np.random.default_rng(0)
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = np.concatenate([sites, sites + np.array([1.0, 0.0, 0.0])]) / [2.0, 1.0, 1.0]
    frames = []
    for _ in range(n_frames):
        cell = np.diag(rng.uniform(9.6, 10.4, 3) * [2.0, 1.0, 1.0])
        positions = sites @ cell + rng.normal(0.0, 0.35, (8, 3))
        frames.append(Frame(np.full(8, 18), positions, cell))
    return frames


@pytest.fixture(scope="module")
def crystals() -> tuple[TrainingSet, list[Frame], np.ndarray]:
    frames = hot_crystals(N_TRAIN + 50)
    local = np.stack([site_energies(frame) for frame in frames])
    data = TrainingSet(tuple(frames[:N_TRAIN]), local[:N_TRAIN].sum(axis=1))
    return data, frames[N_TRAIN:], local[N_TRAIN:]


def trained_on(data: TrainingSet, architecture: str, size: int, n_steps: int):
    settings = SweepSettings(
        cutoff=CUTOFF,
        schedule=Schedule(n_steps=n_steps),
        hyperparameters={"n_angular": 0, "n_layers": 1},
    )
    return run_cell(Cell(architecture, size, "crystals", 0, 0), data, settings)


# Parameters and steps; networks not named here are trained as long. Measured in an earlier form of
# the layers: schnet 0.8 % of the spread (two interactions), painn 0.9 %.
SMALL = {"linear": (20, 1), "pair": (25, 1), "bpnn": (600, 8000)}
CASES = [
    pytest.param(name, *SMALL.get(name, (600, 8000)), marks=() if name in SMALL else SLOW)
    for name in ARCHITECTURES
]


@pytest.mark.parametrize(("architecture", "size", "n_steps"), CASES)
def test_site_energies_of_a_pair_potential_are_recovered_from_totals(
    crystals, architecture, size, n_steps
):
    data, test_frames, expected = crystals
    model = trained_on(data, architecture, size, n_steps)
    found = np.stack(predictions([model], test_frames)[0])
    # The question of the study on a case where the answer is exact. The bounds, 2 % of the
    # spread and r > 0.999, are an order of magnitude below the errors found on real liquids.
    error = (found - found.mean()) - (expected - expected.mean())
    assert np.sqrt(np.mean(error**2)) < 0.02 * expected.std()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def test_totals_that_belong_to_other_configurations_teach_nothing(crystals):
    """Control: the recovery above is learnt and not built in."""
    data, test_frames, expected = crystals
    shuffled = TrainingSet(data.frames, np.random.default_rng(1).permutation(data.total_energies))
    found = np.stack(predictions([trained_on(shuffled, "linear", 20, 1)], test_frames)[0])
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] < 0.9
