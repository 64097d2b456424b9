"""Neighbour lists against a sum over images."""

import itertools

import numpy as np
import pytest

from zeroflux.errors import ModelError
from zeroflux.frames import Frame
from zeroflux.potentials.neighbors import (
    neighborhood,
    pair_list,
    species_index,
    stacked_neighborhoods,
)

SHEARED = np.array([[6.0, 0.0, 0.0], [2.5, 5.0, 0.0], [-1.0, 1.0, 7.0]])


def frame_in(cell: np.ndarray, n_atoms: int = 4) -> Frame:
    rng = np.random.default_rng(0)
    # not wrapped into the cell
    positions = rng.uniform(-1.5, 1.5, (n_atoms, 3)) @ cell
    return Frame(np.full(n_atoms, 18), positions, cell)


def distances_by_images(frame: Frame, cutoff: float, n_images: int = 6) -> list[np.ndarray]:
    """Sorted distances to all images within the cutoff, by brute force."""
    steps = np.array(list(itertools.product(range(-n_images, n_images + 1), repeat=3)))
    shifts = steps @ frame.cell
    rows = []
    for position in frame.positions:
        d = np.linalg.norm(frame.positions[:, None] + shifts - position, axis=-1).ravel()
        rows.append(np.sort(d[(d < cutoff) & (d > 1e-9)]))
    return rows


@pytest.mark.parametrize("cell", [6.0 * np.eye(3), SHEARED, SHEARED[[1, 0, 2]]])
def test_all_images_within_a_cutoff_beyond_the_cell_are_found(cell):
    frame = frame_in(cell)
    cutoff = 7.0  # longer than the cell, so own images are neighbours
    found = neighborhood(frame, [18], cutoff)
    lengths = np.linalg.norm(found.displacements, axis=-1)
    for row, expected in zip(lengths, distances_by_images(frame, cutoff), strict=True):
        np.testing.assert_allclose(np.sort(row[row < cutoff]), expected, atol=1e-10)


def test_unused_places_lie_beyond_the_cutoff():
    frames = [frame_in(6.0 * np.eye(3)), frame_in(9.0 * np.eye(3), n_atoms=3)]
    stacked = stacked_neighborhoods(frames, [18], 7.0)
    assert stacked.species.tolist()[1][3] == -1
    for k, frame in enumerate(frames):
        n_used = pair_list(frame, 7.0).n_used
        lengths = np.linalg.norm(stacked.displacements[k], axis=-1)
        np.testing.assert_array_equal((lengths < 7.0).sum(axis=1)[: frame.n_atoms], n_used)
    assert (np.linalg.norm(stacked.displacements[1, 3], axis=-1) > 7.0).all()


def test_a_row_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="neighbours; rows hold 2"):
        pair_list(frame_in(6.0 * np.eye(3)), 7.0, n_neighbors=2)


def test_an_element_the_model_does_not_know_is_named():
    frame = Frame(np.array([18, 54]), np.array([[0.0, 0, 0], [4, 0, 0]]), 9.0 * np.eye(3))
    assert species_index(frame, [18, 54]).tolist() == [0, 1]
    with pytest.raises(ModelError, match=r"atomic number \[54\]"):
        species_index(frame, [18])
