"""What a model is held beside: decompositions that need no model, and rigidities of the atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from zeroflux.correlation import ComponentTable
    from zeroflux.evaluation import RigidityProfile
    from zeroflux.frames import Frame
    from zeroflux.labels import Label

BASELINES = ("E/N", "random split", "pair potential")
"""Names that no model gets."""


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Random numbers of one purpose: the same whatever else is drawn, and however often."""
    import numpy as np

    return np.random.default_rng([seed, *purpose.encode()])


def baseline_energies(
    table: ComponentTable,
    frames: list[Frame],
    train_labels: list[Label],
    is_out_of_fold: bool,
    seed: int,
) -> dict[str, np.ndarray]:
    """E/N, a random split of the same totals, and a pair potential fitted to totals."""
    import numpy as np

    from zeroflux.evaluation import (
        fit_pair_potential,
        mean_energy_baseline,
        random_split_baseline,
    )
    from zeroflux.scoring.remarks import centred

    spread = float(centred(table.basin_energy, table).std())
    baselines = {
        "E/N": mean_energy_baseline(table.total_energy, table.configuration, species=table.species),
        "random split": random_split_baseline(
            table.total_energy,
            table.configuration,
            spread=spread,
            species=table.species,
            rng=stream(seed, "random split"),
        ),
    }
    if not is_out_of_fold:
        fit = fit_pair_potential(
            frames=[label.frame for label in train_labels],
            total_energy=np.array([label.total_energy for label in train_labels]),
        )
        known = set(fit.species)
        if all(set(map(int, frame.atomic_numbers)) <= known for frame in frames):
            baselines["pair potential"] = np.concatenate([fit.local_energies(f) for f in frames])
    elif len(frames) >= 10:
        folds = stream(seed, "folds of the pair potential").permutation(np.arange(len(frames)) % 5)
        local: list[np.ndarray] = [np.empty(0)] * len(frames)
        for fold in range(5):
            kept = np.flatnonzero(folds != fold)
            fit = fit_pair_potential(
                frames=[frames[k] for k in kept], total_energy=table.total_energy[kept]
            )
            for k in np.flatnonzero(folds == fold):
                if not set(map(int, frames[k].atomic_numbers)) <= set(fit.species):
                    return baselines
                local[k] = fit.local_energies(frames[k])
        baselines["pair potential"] = np.concatenate(local)
    return baselines


def profile_by_rigidity(
    local: np.ndarray,
    target: np.ndarray,
    table: ComponentTable,
    frames: list[Frame],
    train_labels: list[Label],
) -> RigidityProfile:
    """Error by rigidity of the radial features, the same yardstick for every model."""
    import numpy as np

    from zeroflux.evaluation import RadialBasis, rigidity_profile
    from zeroflux.evaluation.radial import radial_features
    from zeroflux.potentials.rigidity import local_prediction_rigidity
    from zeroflux.scoring.remarks import centred

    species = sorted(
        {int(z) for label in train_labels for z in label.frame.atomic_numbers}
        | {int(z) for z in table.species}
    )

    def features(frame: Frame) -> np.ndarray:
        near = radial_features(frame, species, RadialBasis()).reshape(frame.n_atoms, -1)
        # Features of each centre species apart, and its count: what a linear model would see.
        own = (frame.atomic_numbers[:, None] == np.array(species)).astype(np.float64)
        joint = np.concatenate([near, np.ones((frame.n_atoms, 1))], axis=1)
        return (own[:, :, None] * joint[:, None, :]).reshape(frame.n_atoms, -1)

    training = np.array([features(label.frame).sum(axis=0) for label in train_labels])
    atoms = np.concatenate([features(frame) for frame in frames])
    ridge = 1e-6 * float(np.mean(np.square(training).sum(axis=0)))
    rigidity = local_prediction_rigidity(atoms, training, ridge=ridge)
    return rigidity_profile(centred(local - target, table), rigidity)
