"""Radial baselines: exact recovery of pair potentials, invariances, noise floors."""

from typing import Any

import numpy as np
import pytest

from zeroflux.evaluation import RadialBasis, fit_pair_potential, locality, noise_floors
from zeroflux.evaluation.radial import PairPotentialFit, radial_features
from zeroflux.frames import Frame


def boxes(n: int, *, species=(18, 36), seed: int = 0) -> list[Frame]:
    """Jittered cubic lattices of 27 atoms in boxes of varied size (bohr)."""
    rng = np.random.default_rng(seed)
    lattice = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    frames = []
    for _ in range(n):
        spacing = rng.uniform(6.8, 7.6)
        frames.append(
            Frame(
                rng.choice(species, size=27).astype(np.int64),
                spacing * lattice + rng.normal(scale=0.4, size=(27, 3)),
                3 * spacing * np.eye(3),
            )
        )
    return frames


BASIS = RadialBasis(cutoff=12.0, n_functions=8, start=5.0)


def hidden_pair_potential(species: tuple[int, ...]) -> PairPotentialFit:
    """A pair potential inside the basis, with numbers out of the air."""
    rng = np.random.default_rng(11)
    n = len(species)
    raw = rng.normal(scale=1e-3, size=(n, n, 8))
    return PairPotentialFit(
        species, BASIS, raw + raw.transpose(1, 0, 2), rng.normal(scale=0.1, size=n) - 20
    )


def test_features_agree_with_brute_force_over_images():
    frame = boxes(1)[0]
    features = radial_features(frame, (18, 36), BASIS)
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3) @ frame.cell
    vectors = frame.positions[None, :, None] + shifts - frame.positions[:, None, None]
    distance = np.linalg.norm(vectors, axis=-1)
    distance[distance < 1e-9] = 1e3
    values = BASIS.values(distance.ravel()).reshape(*distance.shape, 8).sum(axis=2)
    for channel, number in enumerate((18, 36)):
        expected = values[:, frame.atomic_numbers == number].sum(axis=1)
        np.testing.assert_allclose(features[:, channel], expected, atol=1e-12)


def test_functions_go_to_zero_smoothly_at_the_cutoff():
    r = np.array([12.0 - 1e-4, 12.0, 13.0])
    np.testing.assert_allclose(BASIS.values(r), 0.0, atol=1e-8)


def test_a_pair_potential_is_recovered_atom_by_atom_from_totals():
    species = (18, 36)
    truth = hidden_pair_potential(species)
    frames = boxes(60)
    total = np.array([truth.local_energies(frame).sum() for frame in frames])
    fit = fit_pair_potential(frames=frames, total_energy=total, basis=BASIS, smoothing=[1e-12])
    for frame in boxes(3, seed=5):
        expected = truth.local_energies(frame)
        np.testing.assert_allclose(fit.local_energies(frame), expected, atol=1e-5)
        assert expected.std() > 1e-3


def test_control_a_pair_potential_blind_to_distance_is_not_recovered_with_wrong_totals():
    truth = hidden_pair_potential((18, 36))
    frames = boxes(60)
    total = np.array([truth.local_energies(frame).sum() for frame in frames])
    wrong = total[np.random.default_rng(0).permutation(60)]
    fit = fit_pair_potential(frames=frames, total_energy=wrong, basis=BASIS)
    frame = boxes(1, seed=5)[0]
    assert np.abs(fit.local_energies(frame) - truth.local_energies(frame)).max() > 1e-3


def test_a_local_energy_is_explained_by_neighbours_and_a_random_one_is_not():
    frames = boxes(12, species=(18,))
    truth = hidden_pair_potential((18,))
    energy = np.concatenate([truth.local_energies(frame) for frame in frames])
    options: dict[str, Any] = {"frames": frames, "systems": ["argon"] * 12, "basis": BASIS}
    (local,) = locality(energy=energy, ridge=1e-9, **options)
    assert local.rmse < 1e-3 * local.spread
    noise = np.random.default_rng(0).normal(size=len(energy))
    (random,) = locality(energy=noise, **options)
    assert random.rmse > 0.95 * random.spread


def test_a_basis_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="start"):
        RadialBasis(cutoff=2.0)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 energies"):
        locality(frames=boxes(1), energy=np.zeros(3), systems=["a"])


def test_noise_floors_are_root_mean_squares_and_seeds_are_compared_without_their_offset():
    rng = np.random.default_rng(0)
    common = rng.normal(size=500)
    ensemble = common + 0.02 * rng.normal(size=(8, 500)) + rng.normal(size=(8, 1))
    floors = noise_floors(
        laplacian=np.array([3e-4, -4e-4]),
        closure_per_atom=np.array([1e-6, -1e-6]),
        shortcut_rmse=1e-4,
        local_energy_by_seed=ensemble,
    )
    assert floors.kinetic_gauge == pytest.approx(0.25 * 3.5355e-4, rel=1e-3)
    assert floors.closure == pytest.approx(1e-6)
    assert floors.seeds == pytest.approx(0.02, rel=0.05)
    assert np.isnan(noise_floors(laplacian=np.ones(1), closure_per_atom=np.ones(1)).seeds)
