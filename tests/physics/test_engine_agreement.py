"""Two independent programs, one configuration, one basis: the same energies of the atoms."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from zeroflux.grids import UniformGrid
from zeroflux.labelling.cp2k import Cp2kEngine
from zeroflux.labelling.cp2k_band_form import band_form_energies
from zeroflux.labelling.electrostatics import gaussian_charges, gaussian_self_energy
from zeroflux.labelling.gth_data import closed_shell_ions
from zeroflux.labelling.label import basin_terms, label_frame
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labels import TERMS
from zeroflux.partition import basins
from zeroflux.sampling import StatePoint, sample_liquid
from zeroflux.units import MILLIELECTRONVOLT
from zeroflux.volumetric import read_volumetric

pytestmark = [
    pytest.mark.cp2k,
    pytest.mark.skipif(
        shutil.which("cp2k") is None, reason="cp2k is not on PATH (apt-get install cp2k)"
    ),
]

# What the programs have to agree to at converged cutoffs, per atom.
AGREEMENT = 0.05 * MILLIELECTRONVOLT
# Both are converged far below that: 1e-5 and less in the orbital gradient.
CP2K = Cp2kEngine(convergence=1e-7, with_forces=True)
PYSCF = PyscfEngine(energy_tolerance=1e-8, gradient_tolerance=1e-5, with_forces=True)


def with_guess(symbols: list[str]) -> PyscfEngine:
    """Atoms on a coarse grid are good enough to start from."""
    coarse = PyscfEngine(density_cutoff=30.0, precision=1e-6).prepared(symbols)
    return replace(PYSCF, isolated_atoms=coarse.isolated_atoms)


@pytest.fixture(scope="module")
def from_pyscf(frame):
    return with_guess(["Ar", "Kr"]).energy_densities(frame)


@pytest.fixture(scope="module")
def from_cp2k(frame):
    return CP2K.energy_densities(frame)


@pytest.fixture(scope="module")
def calculation(frame, tmp_path_factory):
    engine = replace(CP2K, scratch_folder=tmp_path_factory.mktemp("cp2k"))
    with engine.calculation(frame, cubes=("E_DENSITY_CUBE", "V_HARTREE_CUBE")) as done:
        yield done


def terms_of(densities):
    return basin_terms(densities, dispersion=np.zeros(densities.frame.n_atoms))


def test_total_energies_agree(from_pyscf, from_cp2k):
    difference = from_cp2k.total_energy - from_pyscf.total_energy
    assert abs(difference) / 4 < AGREEMENT


def test_control_on_a_coarse_grid_total_energies_do_not_agree(frame, from_pyscf):
    with replace(CP2K, density_cutoff=80.0, convergence=1e-5).calculation(frame) as coarse:
        difference = coarse.energies.total - from_pyscf.total_energy
    assert abs(difference) / 4 > 2 * AGREEMENT


def test_basin_terms_agree(from_pyscf, from_cp2k):
    """To first order in the orbitals: both programs' gradients are below 1e-5."""
    one, two = terms_of(from_pyscf), terms_of(from_cp2k)
    for term in TERMS:
        np.testing.assert_allclose(
            getattr(two, term), getattr(one, term), atol=2 * AGREEMENT, err_msg=term
        )
    np.testing.assert_allclose(two.energy_unclosed, one.energy_unclosed, atol=AGREEMENT)
    np.testing.assert_allclose(two.charge, one.charge, atol=1e-5)
    # Control: what is compared differs between the atoms by far more than the tolerance.
    assert np.ptp(one.energy_unclosed[from_pyscf.frame.atomic_numbers == 18]) > 20 * AGREEMENT
    assert np.ptp(one.charge) > 1e-3


def test_forces_agree(from_pyscf, from_cp2k):
    """To first order in the orbitals, whose gradients are below 1e-5."""
    tolerance = 2e-5
    np.testing.assert_allclose(from_cp2k.forces, from_pyscf.forces, atol=tolerance)
    # Control: even the small forces of this configuration are far larger.
    assert np.abs(from_pyscf.forces).max() > 20 * tolerance


def test_orbitals_read_back_have_the_energies_that_cp2k_prints(from_cp2k, calculation):
    printed = calculation.energies.terms
    ours = {term: from_cp2k.term_total(term) for term in TERMS}
    # Analytic in both programs; the text has 14 decimals, the orbitals all.
    assert abs(ours["kinetic"] - printed["kinetic"]) / 4 < 0.2 * AGREEMENT
    assert abs(ours["xc"] - printed["xc"]) / 4 < AGREEMENT
    # CP2K integrates the short-range pseudopotential analytically and the rest on a multigrid, so
    # that 0.1 meV per atom moves between the two; the sum is exact to the closure.
    core = ours["kinetic"] + ours["pseudo_local"] + ours["pseudo_nonlocal"]
    hartree = printed["hartree"] + printed["core_self"] + printed["core_overlap"]
    assert abs(core - printed["core_hamiltonian"]) / 4 < 4 * AGREEMENT
    assert abs(ours["electrostatic"] - hartree) / 4 < 4 * AGREEMENT
    assert abs(sum(ours.values()) - calculation.energies.total) / 4 < 0.6 * AGREEMENT


def test_density_and_electrostatic_terms_agree_with_cp2ks_own_cubes(frame, from_cp2k, calculation):
    density, hartree = (
        read_volumetric(calculation.folder / f"zeroflux-{name}-1_0.cube")
        for name in ("ELECTRON_DENSITY", "v_hartree")
    )
    ions = closed_shell_ions(frame, CP2K.pseudopotential)
    grid = UniformGrid(frame.cell, density.grid.shape, density.grid.origin)
    smeared = gaussian_charges(frame, grid, charges=ions.charges, widths=ions.widths)
    partition = basins(density.first, grid, frame, reference=density.first + smeared)
    # The cube holds the potential energy of an electron.
    field = 0.5 * (smeared - density.first) * -hartree.first
    population, electrostatic = partition.integrate(density.first, field)
    electrostatic -= gaussian_self_energy(ions.charges, ions.widths)
    ours = basin_terms(from_cp2k, dispersion=np.zeros(4), method="weight")
    # Six digits of a cube, and another grid: 1e-4 e was seen between grids in liquids.
    np.testing.assert_allclose(population, ours.population, atol=2e-4)
    np.testing.assert_allclose(electrostatic, ours.electrostatic, atol=5 * MILLIELECTRONVOLT)
    assert np.ptp(ours.population) > 2e-3
    # Control: with the sign of the file taken for that of the potential nothing fits.
    wrong = partition.integrate(-field)[0]
    assert np.abs(wrong - ours.electrostatic).min() > 1.0


def test_the_band_form_has_the_same_total_and_other_basin_energies(frame, from_cp2k):
    """docs/decisions/local-energy.md says why."""
    band_form = band_form_energies(frame, engine=CP2K)
    direct = terms_of(from_cp2k).energy_unclosed
    # Five digits of a cube, and closure.
    assert abs(band_form.sum() - from_cp2k.total_energy) / 4 < 1.0 * MILLIELECTRONVOLT
    assert np.abs(band_form - direct).max() > 0.5 * MILLIELECTRONVOLT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::zeroflux.errors.RepairWarning")  # flat density between atoms
@pytest.mark.parametrize("composition", [{"Ar": 17}, {"Ar": 8, "Kr": 9}], ids=["Ar", "ArKr"])
def test_labels_of_a_liquid_agree(composition):
    state = StatePoint(composition, temperature_kelvin=110.0, density_per_angstrom3=0.0185)
    (frame,) = sample_liquid(state, n_frames=1, seed=7).frames
    one = label_frame(frame, engine=with_guess(list(composition)))
    two = label_frame(frame, engine=CP2K)
    assert abs(two.total_energy - one.total_energy) / 17 < AGREEMENT
    np.testing.assert_allclose(two.basin_energy, one.basin_energy, atol=2 * AGREEMENT)
    for term in TERMS:
        np.testing.assert_allclose(
            getattr(two.terms, term), getattr(one.terms, term), atol=4 * AGREEMENT, err_msg=term
        )
    np.testing.assert_allclose(two.terms.charge, one.terms.charge, atol=1e-5)
    assert one.basin_energy[frame.atomic_numbers == 18].std() > 20 * AGREEMENT
