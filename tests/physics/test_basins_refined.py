"""Extrapolation of basin integrals to zero grid spacing."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import gaussian_promolecule, locally_refined, refined_basins, spread_frame
from zeroflux.partition.refined import extrapolation_coefficients

FRAME = spread_frame(5, 11.5, seed=3)
TERMS = [((7.0, 0.55), (1.6, 0.28), (-0.6, 2.0))] * 3 + [((8.0, 0.45),)] * 2


def promolecule(n):
    grid = UniformGrid(FRAME.cell, (n, n, n))
    return gaussian_promolecule(FRAME, grid, TERMS), grid


def test_coefficients_cancel_first_and_second_order():
    np.testing.assert_allclose(extrapolation_coefficients((1, 2, 3)), [0.5, -4.0, 4.5], rtol=1e-12)
    spacings = 1.0 / np.array([1, 2, 4])
    values = 3.0 - 0.2 * spacings + 0.7 * spacings**2
    assert extrapolation_coefficients((1, 2, 4)) @ values == pytest.approx(3.0, rel=1e-12)
    # control: a cube is not cancelled
    assert abs(extrapolation_coefficients((1, 2, 4)) @ spacings**3) > 0.1


@pytest.mark.parametrize("factor", [2, 3])
def test_refinement_keeps_the_given_points_and_the_total_and_is_good_between(factor):
    density, _ = promolecule(44)
    finer, _ = promolecule(44 * factor)
    refined = locally_refined(density, factor)
    np.testing.assert_allclose(refined[::factor, ::factor, ::factor], density, atol=1e-12)
    assert refined.mean() == pytest.approx(density.mean(), rel=1e-12)
    # Where basins touch; at the nuclei a spacing of 0.26 bohr is too coarse for any polynomial.
    valence = finer < 0.02
    np.testing.assert_allclose(refined[valence], finer[valence], atol=1e-5)
    assert np.abs(refined - np.roll(finer, 1, axis=0))[valence].max() > 1e-3  # control


def test_what_is_too_sharp_for_the_grid_stays_at_its_nucleus():
    """A spike at one point: a Fourier series would carry it through the whole cell."""
    spike = np.zeros((24, 24, 24))
    spike[12, 12, 12] = 1.0
    refined = locally_refined(spike, 2)
    far = np.ones(refined.shape, dtype=bool)
    far[16:33, 16:33, 16:33] = False
    assert np.all(refined[far] == 0.0)
    assert np.abs(refined[~far]).sum() > 1.0
    assert refined.sum() == pytest.approx(8.0, rel=1e-12)


def test_extrapolated_basins_are_five_times_as_accurate_and_add_up():
    density, grid = promolecule(46)  # 0.25 bohr, as a 90 Ha cutoff gives
    refined = refined_basins(density, grid, FRAME)
    fine = refined_basins(*promolecule(92), FRAME)
    error = np.sqrt(np.mean((refined.volume - fine.volume) ** 2))
    weight_error = np.sqrt(np.mean((refined.partitions[0].volume - fine.volume) ** 2))
    assert error < weight_error / 5.0, (error, weight_error)
    # Control: the finest of the three grids alone is not that good; it is the extrapolation.
    finest_error = np.sqrt(np.mean((refined.partitions[-1].volume - fine.volume) ** 2))
    assert error < finest_error, (error, finest_error)
    assert (np.abs(refined.volume - fine.volume) < np.abs(refined.volume_change) + 0.02).all()
    flux = np.abs(refined.laplacian).max()
    assert flux < np.abs(refined.partitions[0].laplacian).max() / 5.0
    totals = np.array([density.sum(), (density**2).sum()]) * grid.voxel_volume
    np.testing.assert_allclose(
        refined.integrate(density, density**2).sum(axis=1), totals, rtol=1e-11
    )
    assert refined.volume.sum() == pytest.approx(grid.volume, rel=1e-11)


def test_mirror_images_keep_equal_numbers():
    """Two like atoms: the extrapolation cannot break what every level respects."""
    frame = Frame(
        np.array([18, 18]), np.array([[2.3, 4.0, 4.0], [7.3, 4.0, 4.0]]), np.diag([10.0, 8, 8])
    )
    grid = UniformGrid(frame.cell, (30, 24, 24))
    density = gaussian_promolecule(frame, grid, [((1.0, 0.5),)] * 2)
    refined = refined_basins(density, grid, frame, factors=(1, 2))
    np.testing.assert_allclose(refined.population, 1.0, rtol=1e-9)


def test_factors_must_ascend():
    density, grid = promolecule(24)
    with pytest.raises(ValueError, match="ascending"):
        refined_basins(density, grid, FRAME, factors=(2, 1))
