"""The sampler as a program: seeds, records, tables, refusals. Its physics is in tests/physics."""

import numpy as np
import pytest

from zeroflux import Frame
from zeroflux.errors import StructureError
from zeroflux.sampling import (
    DEFAULT_CUTOFF,
    NOBLE_GASES,
    StatePoint,
    crystal,
    pair_benchmark,
    pair_energies,
    sample_canonical,
    sample_liquid,
)
from zeroflux.sampling.monte_carlo import _Chain, tabulate
from zeroflux.units import ANGSTROM, KELVIN

MIXTURE = StatePoint({"Kr": 6, "Ar": 4}, 120.0, 0.018)


def test_same_seed_same_configurations_other_seed_other_ones():
    first, again, other = (sample_liquid(MIXTURE, n_frames=3, seed=s) for s in (5, 5, 6))
    for a, b in zip(first.frames, again.frames, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
    np.testing.assert_array_equal(first.energies, again.energies)
    assert not np.allclose(first.energies, other.energies)


def test_record_holds_what_was_asked_for():
    sampled = sample_liquid(MIXTURE, n_frames=4, seed=1, min_stride=7)
    assert sampled.n_frames == 4
    assert sampled.stride >= 7
    assert sampled.state_point.composition == {"Kr": 6, "Ar": 4}
    for frame, energy in zip(sampled.frames, sampled.energies, strict=True):
        assert sorted(frame.atomic_numbers) == [18] * 4 + [36] * 6
        assert frame.volume == pytest.approx(MIXTURE.volume)
        assert pair_energies(frame, NOBLE_GASES, DEFAULT_CUTOFF).sum() == pytest.approx(energy)
        fractional = frame.fractional_positions
        assert ((fractional > -1e-12) & (fractional < 1 + 1e-12)).all()
    # The step was adapted to an acceptance of 0.4 in 20-sweep blocks of 10 atoms.
    assert 0.25 < sampled.acceptance < 0.55
    assert 0.0 < sampled.swap_acceptance < 1.0


def test_running_energy_of_the_chain_is_the_exact_one_up_to_a_constant():
    """The kernel adds up changes from tables and leaves out an atom's own images."""
    start = sample_liquid(MIXTURE, n_frames=1, seed=2).frames[0]
    chain = _Chain(start, NOBLE_GASES, DEFAULT_CUTOFF, 0.3, np.random.default_rng(0))
    record = chain.run(40, 10, 120 * KELVIN, 1.0)
    exact = [
        pair_energies(chain.frame(p, k), NOBLE_GASES, DEFAULT_CUTOFF).sum()
        for p, k in zip(record.positions, record.kinds, strict=True)
    ]
    offset = exact - record.energies
    assert record.counts[3] > 0, "no exchange was accepted, so none was tested"
    assert np.ptp(exact) > 1e-3
    # Table error, see below, times 45 pairs; accumulated rounding is smaller.
    assert np.ptp(offset) < 1e-9


def test_a_free_atom_takes_every_step_and_does_not_drift():
    """Proposals must be symmetric: without forces the walk is uniform, unbiased steps."""
    start = Frame(np.array([18]), np.zeros((1, 3)), np.eye(3) * 60.0)
    chain = _Chain(start, NOBLE_GASES, 20.0, 0.0, np.random.default_rng(0))
    step, n_moves = 0.5, 20_000
    record = chain.run(n_moves, 1, 100 * KELVIN, step)
    assert record.counts[1] == record.counts[0] == n_moves
    moves = np.diff(record.positions[:, 0], axis=0)
    # Uniform on [-step, step]: mean 0 ± step/√(3 n), variance step²/3 ± 0.6 %; four of each.
    assert np.abs(moves.mean(axis=0)).max() < 4 * step / np.sqrt(3 * n_moves)
    np.testing.assert_allclose((moves**2).mean(axis=0), step**2 / 3, rtol=0.025)
    assert np.abs(moves).max() <= step


def test_tables_are_as_exact_as_they_claim():
    tables, walls, steps = tabulate(NOBLE_GASES, np.array([18, 36]), DEFAULT_CUTOFF)
    middle = np.arange(4096) + 0.5
    for a, b in ((0, 0), (0, 1), (1, 1)):
        distance = np.sqrt(walls[a, b] + steps[a, b] * middle)
        curve = NOBLE_GASES.curve(("Ar", "Kr")[a], ("Ar", "Kr")[b])
        left, right = tables[a, b, :4096], tables[a, b, 1:4097]
        value = 0.5 * (left[:, 0] + right[:, 0])
        value += steps[a, b] / 8 * (left[:, 1] - right[:, 1])  # Hermite at the midpoint
        assert np.abs(value - curve.energy(distance)).max() < 1e-8
        wrong = 0.5 * (left[:, 0] + right[:, 0])  # control: linear interpolation is not enough
        assert np.abs(wrong - curve.energy(distance)).max() > 1e-6


def test_mixture_in_reported_order_and_pure_system_has_no_swaps():
    pure = sample_liquid(StatePoint({"Ar": 8}, 100.0, 0.02), n_frames=1, seed=0)
    assert np.isnan(pure.swap_acceptance)
    assert np.isnan(pure.lag_one_correlation)


def test_solid_keeps_its_lattice():
    """At 20 K argon vibrates by 0.1 Å or so; no atom leaves its site."""
    start = crystal("Ar", "fcc", nearest_distance=3.76 * ANGSTROM)
    sampled = sample_canonical(start, temperature_kelvin=20.0, n_frames=2, seed=0)
    perfect = pair_energies(start, NOBLE_GASES, DEFAULT_CUTOFF).sum()
    thermal = 1.5 * 31 * 20.0 * KELVIN  # the centre of mass does not vibrate
    # Standard deviation of a harmonic energy: thermal √(2/93); six of them and anharmonicity.
    assert sampled.energies - perfect == pytest.approx(np.full(2, thermal), rel=0.9)


@pytest.mark.parametrize("n_frames", [0, -1])
def test_no_frames_is_refused(n_frames):
    with pytest.raises(ValueError, match="at least 1"):
        sample_liquid(MIXTURE, n_frames=n_frames, seed=0)


def test_unknown_elements_are_refused():
    with pytest.raises(StructureError, match="Xe"):
        sample_liquid(StatePoint({"Xe": 4}, 160.0, 0.013), n_frames=1, seed=0)


def test_benchmark_energies_are_exact_and_depend_on_the_seed():
    points = [StatePoint({"Ar": 8}, 100.0, 0.02), MIXTURE]
    cutoff = 7.0 * ANGSTROM
    data = pair_benchmark(points, n_frames_each=2, seed=1, cutoff=cutoff)
    assert [frame.n_atoms for frame in data.frames] == [8, 8, 10, 10]
    for frame, local, total in zip(
        data.frames, data.site_energies, data.total_energies, strict=True
    ):
        np.testing.assert_allclose(pair_energies(frame, data.potential, cutoff), local)
        assert local.sum() == pytest.approx(total, rel=1e-14)
        # Nothing beyond the cutoff interacts: a larger one changes nothing.
        np.testing.assert_allclose(
            pair_energies(frame, data.potential, 2 * cutoff), local, atol=1e-16
        )
    other = pair_benchmark(points, n_frames_each=2, seed=2, cutoff=cutoff)
    assert not np.allclose(other.total_energies, data.total_energies)
