"""The sampler draws from the Boltzmann distribution: laws with exact or independent answers."""

import itertools

import numpy as np
import pytest
from scipy.stats import qmc

from zeroflux import Frame
from zeroflux.sampling import (
    DEFAULT_CUTOFF,
    NOBLE_GASES,
    PairPotential,
    StatePoint,
    pair_energies,
    pair_stress,
    sample_canonical,
    sample_liquid,
)
from zeroflux.sampling.decorrelate import statistical_inefficiency
from zeroflux.sampling.pair_sums import half_pairs
from zeroflux.sampling.state_points import initial_frame
from zeroflux.units import ANGSTROM, KELVIN


def standard_error(series: np.ndarray) -> float:
    """Standard error of the mean of a correlated series."""
    return float(np.sqrt(np.var(series) * statistical_inefficiency(series) / len(series)))


BOX, TEMPERATURE, N_DRAWN = 7.0 * ANGSTROM, 60.0, 5000


@pytest.fixture(scope="module")
def drawn_distances() -> np.ndarray:
    """Sorted nearest-image distances of two argon atoms, drawn by the sampler."""
    start = Frame(np.array([18, 18]), np.array([[0.0] * 3, [BOX / 2] * 3]), np.eye(3) * BOX)
    sampled = sample_canonical(start, temperature_kelvin=TEMPERATURE, n_frames=N_DRAWN, seed=3)
    d = np.array([f.fractional_positions[1] - f.fractional_positions[0] for f in sampled.frames])
    return np.sort(np.linalg.norm((d - np.round(d)) * BOX, axis=1))


def exact_distance_distribution(
    temperature: float, *, n_images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative distribution of that distance by quadrature over an eighth of the cell."""
    points = qmc.Sobol(3, rng=0).random_base2(16) * BOX / 2
    energy = np.zeros(len(points))
    curve = NOBLE_GASES.curve("Ar", "Ar")
    for step in itertools.product(range(-n_images, n_images + 1), repeat=3):
        r = np.linalg.norm(points + np.array(step) * BOX, axis=1)
        within = r < DEFAULT_CUTOFF
        energy[within] += curve.energy(r[within])
    weight = np.exp(-energy / (temperature * KELVIN))
    distance = np.linalg.norm(points, axis=1)
    order = np.argsort(distance)
    return distance[order], np.cumsum(weight[order]) / weight.sum()


@pytest.mark.parametrize(
    ("temperature", "n_images", "holds"),
    [(TEMPERATURE, 2, True), (1.4 * TEMPERATURE, 2, False), (TEMPERATURE, 0, False)],
    ids=["same", "control: another temperature", "control: without images"],
)
def test_distance_of_two_atoms_follows_the_boltzmann_distribution(
    temperature, n_images, holds, drawn_distances
):
    """Kolmogorov-Smirnov distance of decorrelated samples from the exact distribution."""
    distance, exact = exact_distance_distribution(temperature, n_images=n_images)
    empirical = (np.arange(N_DRAWN) + 0.5) / N_DRAWN
    deviation = np.abs(np.interp(drawn_distances, distance, exact) - empirical).max()
    # Critical value at the level 0.1 % (0.028), and 0.003 for 65536 points of quadrature.
    assert (deviation < 1.95 / np.sqrt(N_DRAWN) + 0.003) == holds, deviation


def test_exchanges_of_unlike_atoms_leave_averages_alone():
    """Moves alone and moves with exchanges must have the same mean energy."""
    start = initial_frame(
        StatePoint({"Ar": 4, "Kr": 4}, 260.0, 0.014), rng=np.random.default_rng(0)
    )

    def energies(swap_fraction: float, temperature: float) -> np.ndarray:
        return sample_canonical(
            start,
            temperature_kelvin=temperature,
            n_frames=1200,
            seed=1,
            swap_fraction=swap_fraction,
            n_melt_sweeps=200,
            max_stride=60,
        ).energies

    without, with_swaps, control = energies(0.0, 260.0), energies(0.4, 260.0), energies(0.4, 340.0)
    error = np.hypot(standard_error(without), standard_error(with_swaps))
    assert abs(without.mean() - with_swaps.mean()) < 4 * error
    assert abs(without.mean() - control.mean()) > 4 * error


def test_heat_capacity_from_fluctuations_is_the_slope_of_the_energy():
    """Var(U)/kT² at T against [U(T + d) − U(T − d)]/2d, for 8 argon atoms."""
    temperature, step, n_frames = 160.0, 30.0, 2000
    below, at, above = (
        sample_liquid(StatePoint({"Ar": 8}, t, 0.019), n_frames=n_frames, seed=s).energies
        for s, t in enumerate((temperature - step, temperature, temperature + step))
    )
    slope = (above.mean() - below.mean()) / (2 * step * KELVIN)
    fluctuation = np.var(at) / (temperature * KELVIN) ** 2
    # Relative standard errors: √(2/n) = 3.2 % of the variance, 4.3 % of the slope; the curvature
    # of U(T) over ±30 K adds 2 %. Three standard errors are 16 %.
    assert fluctuation == pytest.approx(slope, rel=0.16)
    # Control: the fluctuations of the hotter ensemble are not those of this one.
    assert np.var(above) / (temperature * KELVIN) ** 2 != pytest.approx(slope, rel=0.16)


def test_virial_pressure_is_the_volume_derivative_of_the_free_energy():
    r"""−⟨tr σ⟩/3 against −ΔF/ΔV, with ΔF = −kT ln⟨exp(−ΔU/kT)⟩ on scaling the cell.

    Both averages run over the same configurations, so only their difference fluctuates. With a
    sharp cutoff the virial misses the pairs that cross it: the control.
    """
    point = StatePoint({"Ar": 16}, 120.0, 0.018)
    frames = sample_liquid(point, n_frames=200, seed=4).frames
    cutoff, thermal = 6.5 * ANGSTROM, point.thermal_energy

    def pressures(potential: PairPotential) -> tuple[float, float]:
        traces = [np.trace(pair_stress(f, potential, cutoff)) for f in frames]
        virial = -float(np.mean(traces)) / 3
        reference = np.array([pair_energies(f, potential, cutoff).sum() for f in frames])
        free = []
        for factor in (1 + 2e-3, 1 - 2e-3):
            scale = factor ** (1 / 3)
            scaled = [Frame(f.atomic_numbers, f.positions * scale, f.cell * scale) for f in frames]
            change = np.array([pair_energies(f, potential, cutoff).sum() for f in scaled])
            free.append(-thermal * np.log(np.mean(np.exp(-(change - reference) / thermal))))
        return virial, -float(free[0] - free[1]) / (4e-3 * frames[0].volume)

    virial, volume = pressures(NOBLE_GASES.switched(onset=5.5 * ANGSTROM, cutoff=cutoff))
    # Second-order error of the difference: (2·10⁻³)² of the third derivative; the scale of the
    # pressure is ρ kT.
    scale = frames[0].n_atoms / frames[0].volume * thermal
    assert virial == pytest.approx(volume, abs=0.01 * scale)
    sharp_virial, sharp_volume = pressures(NOBLE_GASES)
    assert abs(sharp_virial - sharp_volume) > 0.05 * scale


def test_samples_are_decorrelated_and_successive_sweeps_are_not():
    """Site energies, the slowest observable, at the stride of the record and at one sweep."""
    point = StatePoint({"Ar": 16}, 90.0, 0.0208)
    sampled = sample_liquid(point, n_frames=200, seed=6)
    assert sampled.is_decorrelated

    def lag_one(frames: list[Frame]) -> float:
        sites = np.array([pair_energies(f, NOBLE_GASES, DEFAULT_CUTOFF) for f in frames])
        sites -= sites.mean()
        return float((sites[1:] * sites[:-1]).mean() / (sites**2).mean())

    # exp(−4) and a standard error of 1/√(200 · 16), atoms being nearly independent; the memory is
    # not exactly exponential, so 10 %.
    assert abs(lag_one(sampled.frames)) < 0.10
    close = sample_canonical(
        sampled.frames[-1], temperature_kelvin=90.0, n_frames=200, seed=6, max_stride=1
    )
    assert not close.is_decorrelated
    assert lag_one(close.frames) > 0.5


def test_equilibrium_forgets_the_start():
    """From a crystal and from a melt to the same mean energy, at 150 K."""
    point = StatePoint({"Ar": 16}, 150.0, 0.019)
    melt = sample_liquid(point, n_frames=150, seed=0)
    lattice = initial_frame(point, rng=np.random.default_rng(1))
    crystal = sample_canonical(lattice, temperature_kelvin=150.0, n_frames=150, seed=1)
    error = np.hypot(standard_error(melt.energies), standard_error(crystal.energies))
    assert abs(melt.energies.mean() - crystal.energies.mean()) < 4 * error
    start_energy = pair_energies(lattice, NOBLE_GASES, DEFAULT_CUTOFF).sum()
    assert abs(start_energy - crystal.energies.mean()) > 20 * error


def test_nothing_is_drawn_inside_the_wall():
    """A hot, dense fluid: every distance is beyond the wall, and the wall is never near."""
    frames = sample_liquid(StatePoint({"Ar": 16}, 900.0, 0.025), n_frames=50, seed=2).frames
    closest = min(half_pairs(f, 4.0 * ANGSTROM).distances.min() for f in frames)
    assert 2.2 * ANGSTROM < closest < 3.2 * ANGSTROM
