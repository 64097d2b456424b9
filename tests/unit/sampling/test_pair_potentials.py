"""Pair curves: wells of the literature, slopes, walls, switching, refusals."""

import numpy as np
import pytest
from scipy.special import gammainc

from zeroflux.errors import StructureError
from zeroflux.sampling import NOBLE_GASES, LennardJones, PairPotential
from zeroflux.sampling.pair_potentials import (
    ARGON,
    ARGON_KRYPTON,
    KRYPTON,
    Switched,
    extended_dispersion,
    well,
)
from zeroflux.units import ANGSTROM, KELVIN, MILLIELECTRONVOLT, NANOMETRE

ARGON_LJ = LennardJones(epsilon=119.8 * KELVIN, sigma=3.405 * ANGSTROM)
CURVES = {
    "argon": ARGON,
    "krypton": KRYPTON,
    "argon-krypton": ARGON_KRYPTON,
    "lennard-jones": ARGON_LJ,
    "switched": Switched(ARGON, onset=4.0 * ANGSTROM, cutoff=8.0 * ANGSTROM),
}


@pytest.mark.parametrize(
    ("curve", "distance", "depth"),
    [
        (ARGON, 3.7618, 12.333),
        (KRYPTON, 4.0158, 17.310),
        (ARGON_KRYPTON, 3.89, 14.41),
        # 2^(1/6) σ and ε, by arithmetic
        (ARGON_LJ, 3.405 * 2 ** (1 / 6), 119.8 * KELVIN / MILLIELECTRONVOLT),
    ],
)
def test_wells_are_those_of_the_literature(curve, distance, depth):
    found_distance, found_depth = well(curve)
    # The reference values are rounded in their last digit.
    assert found_distance / ANGSTROM == pytest.approx(distance, abs=6e-5)
    assert found_depth / MILLIELECTRONVOLT == pytest.approx(depth, abs=6e-4)


def test_argon_does_not_have_the_well_of_krypton():
    """Control of the test above: the tolerance tells the two apart."""
    assert abs(well(ARGON)[0] - well(KRYPTON)[0]) > 100 * 6e-5 * ANGSTROM


@pytest.mark.parametrize("name", CURVES)
def test_derivative_is_the_slope_of_the_energy(name):
    curve = CURVES[name]
    distance = np.linspace(curve.wall + 0.01, 9.0 * ANGSTROM, 400)
    step = 1e-4
    slope = (curve.energy(distance + step) - curve.energy(distance - step)) / (2 * step)
    # The step's error is V''' step²/6, at most 5·10⁻⁹ of V'' step ~ V at the wall.
    scale = np.abs(curve.derivative(distance)).max()
    np.testing.assert_allclose(curve.derivative(distance), slope, rtol=1e-6, atol=1e-9 * scale)
    assert not np.allclose(curve.derivative(distance), 1.01 * slope, rtol=1e-6)


@pytest.mark.parametrize("name", ["argon", "krypton", "argon-krypton", "lennard-jones"])
def test_between_wall_and_minimum_the_energy_only_falls(name):
    curve = CURVES[name]
    minimum = well(curve)[0]
    inside = np.linspace(curve.wall, 0.999 * minimum, 500)
    assert (curve.derivative(inside) < 0).all()
    # At 1000 K, hotter than any state point, the wall holds back a weight of exp(-50) or less.
    assert curve.energy(np.array([curve.wall]))[0] > 49_000 * KELVIN
    assert np.isposinf(curve.energy(np.array([0.99 * curve.wall]))[0])
    assert np.isneginf(curve.derivative(np.array([0.99 * curve.wall]))[0])


def test_far_apart_only_the_sixth_power_is_left():
    far = np.array([300.0])
    for curve, c6 in ((ARGON, 0.442812017), (KRYPTON, 0.8992209265)):
        expected = c6 * KELVIN * NANOMETRE**6
        # C₈/(C₆ R²) is 3·10⁻⁴ at 300 bohr.
        assert -curve.energy(far)[0] * far[0] ** 6 == pytest.approx(expected, rel=5e-4)


def test_mixed_pair_agrees_with_the_tang_toennies_form():
    """Independent construction: the 2003 like pairs (A, b, C₆, C₈, C₁₀) by combining rules.

    A and the higher C by geometric means, 1/b by the mean of 1/b, C₆ = 91.13 from oscillator
    strengths. The wells of the like pairs differ by up to 0.6 % in depth and 0.005 Å in place
    between the two families of curves; where the wall rises by 5 ε per Å that alone makes 3 %
    of the well depth.
    """
    decay = 2 * 2.031 * 1.865 / (2.031 + 1.865)
    coefficients = (91.13, np.sqrt(1623 * 4187), np.sqrt(49060 * 155500))
    distance = np.linspace(3.65, 8.0, 100) * ANGSTROM
    expected = np.sqrt(748.3 * 832.4) * np.exp(-decay * distance)
    for n, c in zip((6, 8, 10), coefficients, strict=True):
        expected = expected - c / distance**n * gammainc(n + 1, decay * distance)
    tolerance = 0.03 * well(ARGON_KRYPTON)[1]
    assert np.abs(ARGON_KRYPTON.energy(distance) - expected).max() < tolerance
    assert np.abs(ARGON.energy(distance) - expected).max() > tolerance
    # C₆ is not put in; corresponding states give 1 % less than the oscillator strengths.
    c6 = -ARGON_KRYPTON.energy(np.array([300.0]))[0] * 300.0**6
    assert c6 == pytest.approx(91.13, rel=0.015)


def test_switching_leaves_the_inside_alone_and_ends_smoothly():
    curve = CURVES["switched"]
    inside = np.linspace(3.0, 4.0, 50) * ANGSTROM
    np.testing.assert_array_equal(curve.energy(inside), ARGON.energy(inside))
    end = curve.cutoff - np.array([1e-3, 0.0, -1.0])
    # S falls as 10 (width)⁻³ x³: 10⁻⁹ of the energy at 10⁻³ bohr from the end.
    assert np.abs(curve.energy(end)).max() < 1e-8 * np.abs(ARGON.energy(end)).max()
    assert np.abs(curve.derivative(end)).max() < 1e-5 * np.abs(ARGON.derivative(end)).max()


def test_switching_must_start_before_it_ends():
    with pytest.raises(ValueError, match="onset < cutoff"):
        Switched(ARGON, onset=9.0, cutoff=8.0)


def test_dispersion_series_follows_its_recursion():
    series = extended_dispersion(1.0, 2.0, 8.0)
    assert series == (1.0, 2.0, 8.0, 64.0, 1024.0, 32768.0)


def test_potential_knows_pairs_in_either_order_and_names_what_it_lacks():
    assert NOBLE_GASES.curve("Kr", "Ar") is NOBLE_GASES.curve("Ar", "Kr")
    assert NOBLE_GASES.symbols == ("Ar", "Kr")
    with pytest.raises(StructureError, match=r"pair Ar-Xe.*knows only Ar, Kr"):
        NOBLE_GASES.curve("Ar", "Xe")
    with pytest.raises(ValueError, match="no curve for the pair Ar-Kr"):
        PairPotential({("Ar", "Ar"): ARGON, ("Kr", "Kr"): KRYPTON})
