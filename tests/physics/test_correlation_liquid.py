"""Correlations of energy components in a liquid whose per-atom energies are known exactly.

In a pair-potential liquid the virial W plays the part of a component that nearly determines the
energy E: at fixed volume the totals of dense van der Waals liquids correlate strongly (Bailey,
Pedersen, Gnan, Schrøder, Dyre, J. Chem. Phys. 129, 184507 (2008), doi:10.1063/1.2982247: R = 0.94
for Lennard-Jones argon), those of a dilute gas do not.
"""

import numpy as np
import pytest
from ase.neighborlist import primitive_neighbor_list

from zeroflux.correlation import ComponentTable, fit_locally, fit_shortcut, predictor
from zeroflux.correlation.comparison import compare_shortcuts
from zeroflux.frames import Frame
from zeroflux.labels import TERMS
from zeroflux.sampling.monte_carlo import sample_liquid
from zeroflux.sampling.pair_potentials import NOBLE_GASES
from zeroflux.sampling.state_points import StatePoint

LIQUID, GAS = 0.0210, 0.0050  # atoms per Å³ at 100 K
VIRIAL = predictor("es")
"""The virial takes the column of the electrostatic energy: the algebra is the same."""


def energy_and_virial(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """½ Σ V and −⅙ Σ r V' per atom (hartree), within 16 bohr."""
    first, distance = primitive_neighbor_list(
        "id", [True] * 3, frame.cell, frame.positions, cutoff=16.0
    )
    curve = NOBLE_GASES.curve("Ar", "Ar")
    n_atoms = frame.n_atoms
    energy = 0.5 * np.bincount(first, weights=curve.energy(distance), minlength=n_atoms)
    work = distance * curve.derivative(distance)
    return energy, -np.bincount(first, weights=work, minlength=n_atoms) / 6.0


@pytest.fixture(scope="module", params=[LIQUID, GAS], ids=["liquid", "gas"])
def fluid(request) -> tuple[float, ComponentTable]:
    """Density, and a table with the virial as one component and the rest as another."""
    density = request.param
    point = StatePoint({"Ar": 32}, 100.0, density)
    frames = sample_liquid(point, n_frames=40, seed=1).frames
    energy, virial = (np.concatenate(x) for x in zip(*map(energy_and_virial, frames), strict=True))
    components = np.zeros((len(energy), len(TERMS)))
    components[:, TERMS.index("electrostatic")] = virial
    components[:, TERMS.index("xc")] = energy - virial
    configuration = np.repeat(np.arange(len(frames)), 32)
    return density, ComponentTable(
        components=components,
        basin_energy=energy,
        species=np.full(len(energy), 18),
        configuration=configuration,
        total_energy=np.bincount(configuration, weights=energy),
        systems=("argon",) * len(frames),
    )


def test_totals_of_virial_and_energy_correlate_in_the_liquid_and_not_in_the_gas(fluid):
    density, table = fluid
    virial = table.totals(table.component("electrostatic"))
    correlation = np.corrcoef(virial, table.total_energy)[0, 1]
    # 40 configurations: the standard error of R = 0.94 is (1 − R²)/√40 = 0.02, of R = 0 it is
    # 0.16. Argon's pair potential is not quite Lennard-Jones, hence 0.85 rather than 0.9.
    assert (correlation > 0.85) == (density == LIQUID), correlation
    if density == GAS:
        assert abs(correlation) < 0.5


def test_held_out_totals_are_predicted_as_far_as_they_correlate(fluid):
    density, table = fluid
    comparison = compare_shortcuts(
        table, predictors=[VIRIAL], n_bootstrap=50, rng=np.random.default_rng(0)
    )
    assert (comparison.best.held_out.r2 > 0.6) == (density == LIQUID)


def test_a_correlation_of_totals_is_no_promise_for_the_atoms(fluid):
    """Why every shortcut is held against direct energies: R of totals says little of atoms.

    In this liquid the totals correlate with R = 0.94, the atoms with 0.6, and the slopes differ
    nearly twofold: an atom's energy also varies with its neighbours at fixed mean density.
    """
    density, table = fluid
    (local,) = fit_locally(table, VIRIAL)
    total_slope = float(fit_shortcut(table, VIRIAL).slopes[0, 0])
    correlation = np.sqrt(1.0 - (local.rmse / table.basin_energy.std()) ** 2)
    if density == LIQUID:
        assert correlation < 0.8
        assert total_slope > 1.3 * local.slopes[0]


def test_two_terms_that_make_up_the_energy_find_every_atom(fluid):
    """Virial and remainder with a slope each: both slopes are one and every atom is exact."""
    _, table = fluid
    exact = predictor("xc,es")
    fit = fit_shortcut(table, exact)
    # Totals of some 0.05 hartree hold 1e-17; the collinearity of 0.94 costs a factor of 100.
    np.testing.assert_allclose(fit.slopes[0], [1.0, 1.0], atol=1e-8)
    comparison = compare_shortcuts(
        table, predictors=[VIRIAL, exact], n_bootstrap=50, rng=np.random.default_rng(0)
    )
    assert comparison.best.fit.predictor.name == "xc,es"
    assert comparison.best.scores[0].rmse.value < 1e-9
