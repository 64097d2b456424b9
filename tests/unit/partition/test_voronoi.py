"""The Voronoi cell of a grid point."""

import numpy as np
import pytest

from zeroflux.partition import voronoi_stencil

LATTICES = {
    "simple cubic": (np.eye(3), 6),
    "face-centred": (np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]), 12),
    "body-centred": (np.array([[-1.0, 1, 1], [1, -1, 1], [1, 1, -1]]), 14),
    "orthorhombic": (np.diag([0.3, 0.5, 1.1]), 6),
    "hexagonal": (np.array([[1.0, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 0.7]]), 8),
    "triclinic": (np.array([[1.0, 0.1, 0.2], [0.3, 0.9, -0.1], [0.2, 0.35, 1.2]]), 14),
}
SHEAR = np.array([[1, 0, 0], [2, 1, 0], [-3, 1, 1]])


@pytest.mark.parametrize("name", LATTICES)
def test_facets_enclose_one_voxel_and_have_the_textbook_number(name):
    cell, n_facets = LATTICES[name]
    stencil = voronoi_stencil(cell)
    assert len(stencil.offsets) == n_facets
    # The cell is the union of pyramids over its facets, of height half a neighbour distance.
    volume = (stencil.areas * stencil.distances).sum() / 6.0
    assert volume == pytest.approx(abs(np.linalg.det(cell)), rel=1e-12)
    np.testing.assert_allclose(
        stencil.distances, np.linalg.norm(stencil.offsets @ cell, axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("name", LATTICES)
@pytest.mark.parametrize("change", [SHEAR, np.diag([1, 1, -1]), SHEAR[[1, 0, 2]]])
def test_another_basis_of_either_handedness_gives_the_same_cell(name, change):
    cell, _ = LATTICES[name]
    facets = _facets(cell)
    again = _facets(change @ cell)
    assert facets.shape == again.shape
    np.testing.assert_allclose(again, facets, atol=1e-10)


def test_a_different_lattice_gives_a_different_cell():
    cell, _ = LATTICES["triclinic"]
    assert not np.allclose(_facets(cell), _facets(1.01 * cell), atol=1e-10)


def _facets(cell):
    """Neighbour vectors with areas, in an order that does not depend on the basis."""
    stencil = voronoi_stencil(cell)
    rows = np.column_stack([stencil.offsets @ cell, stencil.areas])
    return rows[np.lexsort(np.round(rows, 6).T)]
