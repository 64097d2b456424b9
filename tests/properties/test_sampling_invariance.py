"""Invariances of pair energies and of the sampler's bookkeeping, for any frame."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroflux import Frame
from zeroflux.sampling import NOBLE_GASES, StatePoint, pair_energies, pair_forces
from zeroflux.sampling.pair_sums import half_pairs
from zeroflux.sampling.state_points import initial_frame
from zeroflux.sampling.structures import centred
from zeroflux.units import ANGSTROM

# First calls compile and check types, which would trip a deadline.
common = settings(deadline=None, derandomize=True, max_examples=25)
cutoffs = st.floats(4.0, 14.0).map(lambda r: r * ANGSTROM)
seeds = st.integers(0, 2**32 - 1)


def random_frame(seed: int, n_argon: int = 3, n_krypton: int = 3) -> Frame:
    """Mixed fluid-like frame in a skewed cell, without overlaps."""
    rng = np.random.default_rng(seed)
    point = StatePoint({"Ar": n_argon, "Kr": n_krypton}, 100.0, 0.015)
    start = initial_frame(point, rng=rng)
    cell = start.cell @ (np.eye(3) + rng.uniform(-0.1, 0.1, size=(3, 3)))
    noise = rng.uniform(-0.3, 0.3, size=start.positions.shape)
    return Frame(start.atomic_numbers, start.fractional_positions @ cell + noise, cell)


@common
@given(seed=seeds, cutoff=cutoffs, order=st.permutations(range(6)))
def test_relabelling_atoms_relabels_site_energies(seed, cutoff, order):
    frame, order = random_frame(seed), np.array(order)
    relabelled = Frame(frame.atomic_numbers[order], frame.positions[order], frame.cell)
    np.testing.assert_allclose(
        pair_energies(relabelled, NOBLE_GASES, cutoff),
        pair_energies(frame, NOBLE_GASES, cutoff)[order],
        atol=1e-15,
    )


@common
@given(seed=seeds, cutoff=cutoffs, repeat=st.tuples(*[st.integers(1, 3)] * 3))
def test_a_supercell_repeats_site_energies(seed, cutoff, repeat):
    frame = random_frame(seed)
    steps = np.stack(np.meshgrid(*[np.arange(n) for n in repeat], indexing="ij"), -1).reshape(-1, 3)
    supercell = Frame(
        np.tile(frame.atomic_numbers, len(steps)),
        np.concatenate([frame.positions + step @ frame.cell for step in steps]),
        frame.cell * np.array(repeat)[:, None],
    )
    energies = pair_energies(frame, NOBLE_GASES, cutoff)
    np.testing.assert_allclose(
        pair_energies(supercell, NOBLE_GASES, cutoff), np.tile(energies, len(steps)), atol=1e-14
    )


@common
@given(seed=seeds, cutoff=cutoffs, jumps=st.lists(st.integers(-3, 3), min_size=18, max_size=18))
def test_moving_atoms_by_lattice_vectors_changes_nothing(seed, cutoff, jumps):
    frame = random_frame(seed)
    moved = Frame(
        frame.atomic_numbers,
        frame.positions + np.array(jumps).reshape(6, 3) @ frame.cell,
        frame.cell,
    )
    np.testing.assert_allclose(
        pair_energies(moved, NOBLE_GASES, cutoff),
        pair_energies(frame, NOBLE_GASES, cutoff),
        atol=1e-13,
    )


@common
@given(seed=seeds, cutoff=cutoffs)
def test_rotating_rotates_forces_and_keeps_energies(seed, cutoff):
    frame = random_frame(seed)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))  # may be improper
    rotated = Frame(frame.atomic_numbers, frame.positions @ q, frame.cell @ q)
    np.testing.assert_allclose(
        pair_energies(rotated, NOBLE_GASES, cutoff),
        pair_energies(frame, NOBLE_GASES, cutoff),
        atol=1e-14,
    )
    np.testing.assert_allclose(
        pair_forces(rotated, NOBLE_GASES, cutoff),
        pair_forces(frame, NOBLE_GASES, cutoff) @ q,
        atol=1e-14,
    )


@common
@given(seed=seeds, cutoff=cutoffs)
def test_site_energies_sum_to_the_sum_over_pairs(seed, cutoff):
    frame = random_frame(seed)
    pairs = half_pairs(frame, cutoff)
    total = 0.0
    for i, j, r in zip(pairs.first, pairs.second, pairs.distances, strict=True):
        z = frame.atomic_numbers[[i, j]]
        total += float(NOBLE_GASES.curve_of_numbers(int(z[0]), int(z[1])).energy(np.array([r]))[0])
    np.testing.assert_allclose(pair_energies(frame, NOBLE_GASES, cutoff).sum(), total, atol=1e-14)


@common
@given(seed=seeds)
def test_exchanging_elements_does_change_site_energies(seed):
    """Control: the invariances above are not those of a constant."""
    frame = random_frame(seed)
    exchanged = Frame(frame.atomic_numbers[::-1].copy(), frame.positions, frame.cell)
    before, after = (pair_energies(f, NOBLE_GASES, 20.0) for f in (frame, exchanged))
    assert not np.allclose(before, after, atol=1e-6)


@common
@given(seed=seeds, shift=st.lists(st.floats(-30, 30), min_size=3, max_size=3))
def test_centring_does_not_care_where_a_cluster_lies(seed, shift):
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-6.0, 6.0, size=(5, 3))
    cell = np.eye(3) * 40.0
    first, second = (
        centred(Frame(np.full(5, 18), positions + s, cell)) for s in (np.zeros(3), np.array(shift))
    )
    np.testing.assert_allclose(first.positions, second.positions, atol=1e-9)
