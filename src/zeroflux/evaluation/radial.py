"""Linear models on radial functions of the neighbours: how local is an energy, and a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM


@dataclass(frozen=True)
class RadialBasis:
    """Gaussians between `start` and `cutoff`, brought smoothly to zero at the cutoff."""

    cutoff: float = 7.0 * ANGSTROM
    """Distance beyond which a neighbour counts for nothing (bohr)."""
    n_functions: int = 12
    start: float = 2.8 * ANGSTROM
    """Centre of the first function (bohr): just inside the closest approach in the liquid."""

    def __post_init__(self) -> None:
        if not 0 < self.start < self.cutoff or self.n_functions < 2:
            raise ValueError(
                f"Found start {self.start:.3g} and cutoff {self.cutoff:.3g} bohr with "
                f"{self.n_functions} functions; expected 0 < start < cutoff and at least two."
            )

    def values(
        self, distance: Float[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, "n_pairs n_functions"]:
        r"""Basis functions :math:`e^{-(r-r_k)^2/2w^2}\,\tfrac12[1+\cos(\pi r/r_c)]`.

        Width w equals the spacing of the centres.

        References
        ----------
        Behler, Parrinello, PRL 98, 146401 (2007), doi:10.1103/PhysRevLett.98.146401, eq. 3, 4.
        """
        centres, spacing = np.linspace(self.start, self.cutoff, self.n_functions, retstep=True)
        smooth = np.where(
            distance < self.cutoff, 0.5 * (1.0 + np.cos(np.pi * distance / self.cutoff)), 0.0
        )
        gauss = np.exp(-0.5 * ((distance[:, None] - centres) / spacing) ** 2)
        return gauss * smooth[:, None]


def radial_features(
    frame: Frame, species: Sequence[int], basis: RadialBasis
) -> Float[np.ndarray, "n_atoms n_species n_functions"]:
    """Basis functions summed over the neighbours of each atom, apart for each neighbour species."""
    from ase.neighborlist import primitive_neighbor_list

    first, second, distance = primitive_neighbor_list(
        "ijd", [True] * 3, frame.cell, frame.positions, basis.cutoff
    )
    shape = (frame.n_atoms, len(species), basis.n_functions)
    features = np.zeros(shape)
    values = basis.values(np.asarray(distance))
    for channel, number in enumerate(species):
        own = frame.atomic_numbers[second] == number
        np.add.at(features[:, channel], first[own], values[own])
    return features


@dataclass(frozen=True)
class LocalityScore:
    """How much of an energy a linear model of the near neighbours explains, left out."""

    system: str
    species: int
    n_atoms: int
    spread: float
    """Standard deviation of the energy (hartree)."""
    rmse: float
    """Error of the prediction for configurations that were left out, centred (hartree)."""
    pearson: float


def locality(
    *,
    frames: Sequence[Frame],
    energy: Float[np.ndarray, " n_atoms"],
    systems: Sequence[str],
    basis: RadialBasis | None = None,
    ridge: float = 1e-4,
) -> tuple[LocalityScore, ...]:
    """Leave-one-configuration-out error of a ridge fit of per-atom energies to radial functions.

    A small error shows that the energy is a smooth function of the neighbourhood and thus can be
    learned. The fit is made per system and species and reads the energies themselves.

    Parameters
    ----------
    frames
        Configurations.
    energy
        Per-atom energies, configurations one after the other (hartree).
    systems
        Name of the system of each configuration.
    basis
        Radial functions; the default is 12 within 7 Å.
    ridge
        Penalty on the coefficients of standardised features, in units of the number of atoms.
    """
    basis = basis or RadialBasis()
    configuration = np.repeat(np.arange(len(frames)), [frame.n_atoms for frame in frames])
    numbers = np.concatenate([frame.atomic_numbers for frame in frames])
    if len(energy) != len(numbers) or len(systems) != len(frames):
        raise ValueError(
            f"Found {len(energy)} energies and {len(systems)} systems for {len(numbers)} atoms in "
            f"{len(frames)} frames; expected one each. Concatenate them in the order of the frames."
        )
    present = [int(number) for number in np.unique(numbers)]
    features = np.concatenate(
        [radial_features(frame, present, basis).reshape(frame.n_atoms, -1) for frame in frames]
    )
    system_of_atom = np.asarray(systems)[configuration]
    scores = []
    for system in dict.fromkeys(systems):
        for number in np.unique(numbers[system_of_atom == system]):
            own = (system_of_atom == system) & (numbers == number)
            if len(np.unique(configuration[own])) < 3:
                continue
            predicted = _leave_one_out(features[own], energy[own], configuration[own], ridge)
            error = predicted - energy[own]
            scores.append(
                LocalityScore(
                    system=str(system),
                    species=int(number),
                    n_atoms=int(own.sum()),
                    spread=float(energy[own].std()),
                    rmse=float(error.std()),
                    pearson=float(np.corrcoef(predicted, energy[own])[0, 1]),
                )
            )
    return tuple(scores)


@dataclass(frozen=True, eq=False)
class PairPotentialFit:
    """Pair functions per pair of species and an energy per species, fitted to totals."""

    species: tuple[int, ...]
    basis: RadialBasis
    coefficients: Float[np.ndarray, "n_species n_species n_functions"]
    """Symmetric in the species (hartree)."""
    offsets: Float[np.ndarray, " n_species"]
    """Energy of an atom without neighbours, as far as the totals determine it (hartree)."""

    def local_energies(self, frame: Frame) -> Float[np.ndarray, " n_atoms"]:
        """Offset plus half of each pair energy (hartree)."""
        features = radial_features(frame, self.species, self.basis)
        row = np.searchsorted(self.species, frame.atomic_numbers)
        return self.offsets[row] + 0.5 * np.einsum("acf,acf->a", features, self.coefficients[row])


def fit_pair_potential(
    *,
    frames: Sequence[Frame],
    total_energy: Float[np.ndarray, " n_frames"],
    basis: RadialBasis | None = None,
    smoothing: Sequence[float] = tuple(10.0**k for k in range(-12, 1)),
) -> PairPotentialFit:
    r"""Baseline: smooth pair functions linear in a radial basis, fitted to totals.

    .. math:: E = \sum_A b_{s(A)} + \tfrac12 \sum_{A \ne B} \sum_k w^{s(A)s(B)}_k g_k(r_{AB})

    A few dozen totals hardly tell neighbouring functions apart, so second differences of w are
    penalised (a P-spline); the strength, relative to the data's weight, is the one of `smoothing`
    with the smallest leave-one-out error of the totals.

    References
    ----------
    Eilers, Marx, Stat. Sci. 11, 89 (1996), doi:10.1214/ss/1038425655.
    """
    basis = basis or RadialBasis()
    species = tuple(
        int(z) for z in np.unique(np.concatenate([frame.atomic_numbers for frame in frames]))
    )
    pairs = [(a, b) for a in range(len(species)) for b in range(a, len(species))]
    n_atoms = np.array([frame.n_atoms for frame in frames])
    design = np.empty((len(frames), len(pairs), basis.n_functions))
    composition = np.empty((len(frames), len(species)))
    for index, frame in enumerate(frames):
        features = 0.5 * radial_features(frame, species, basis)
        own = [frame.atomic_numbers == number for number in species]
        composition[index] = [mask.mean() for mask in own]
        for column, (a, b) in enumerate(pairs):
            total = features[own[a], b].sum(axis=0)
            if a != b:
                total = total + features[own[b], a].sum(axis=0)
            design[index, column] = total / frame.n_atoms
    difference = np.diff(np.eye(basis.n_functions), n=2, axis=0)
    # The small ridge keeps what second differences leave free, a straight line, from growing.
    penalty = difference.T @ difference + 1e-3 * np.eye(basis.n_functions)
    weights, offsets = _penalised_fit(
        design.reshape(len(frames), -1),
        composition,
        total_energy / n_atoms,
        penalty=np.kron(np.eye(len(pairs)), penalty),
        strengths=smoothing,
    )
    coefficients = np.zeros((len(species), len(species), basis.n_functions))
    for column, (a, b) in enumerate(pairs):
        block = weights.reshape(len(pairs), -1)[column]
        coefficients[a, b] = coefficients[b, a] = block
    return PairPotentialFit(species, basis, coefficients, offsets)


def _leave_one_out(
    features: np.ndarray, energy: np.ndarray, configuration: np.ndarray, ridge: float
) -> np.ndarray:
    """Prediction for the atoms of each configuration by a fit to all other configurations."""
    predicted = np.empty(len(energy))
    for left_out in np.unique(configuration):
        test, train = configuration == left_out, configuration != left_out
        ones = np.ones((int(train.sum()), 1))
        weights, offset = _ridge_with_exact(features[train], ones, energy[train], ridge)
        predicted[test] = features[test] @ weights + offset[0]
    return predicted


def _penalised_fit(
    features: np.ndarray,
    exact: np.ndarray,
    y: np.ndarray,
    *,
    penalty: np.ndarray,
    strengths: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Penalised least squares, strength by leave-one-out error; exact columns are not penalised."""
    projector = exact @ np.linalg.pinv(exact)
    x = features - projector @ features
    target = y - projector @ y
    unit = np.trace(x.T @ x) / np.trace(penalty)
    best, weights = np.inf, np.zeros(x.shape[1])
    for strength in strengths:
        inverse = np.linalg.pinv(x.T @ x + strength * unit * penalty, hermitian=True)
        candidate = inverse @ (x.T @ target)
        leverage = np.einsum("ij,jk,ik->i", x, inverse, x) + np.diag(projector)
        # Leave-one-out residuals of a linear smoother (Craven, Wahba, Numer. Math. 31, 377, 1979).
        residual = (target - x @ candidate) / np.maximum(1.0 - leverage, 1e-9)
        if residual @ residual < best:
            best, weights = float(residual @ residual), candidate
    offsets = np.linalg.lstsq(exact, y - features @ weights, rcond=None)[0]
    return weights, offsets


def _ridge_with_exact(
    features: np.ndarray, exact: np.ndarray, y: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge on standardised features, none on the exact columns (minimum norm if degenerate)."""
    inverse = np.linalg.pinv(exact)
    x = features - exact @ (inverse @ features)
    target = y - exact @ (inverse @ y)
    scale = x.std(axis=0)
    scale = np.where(scale > 1e-12 * max(scale.max(initial=0.0), 1e-300), scale, np.inf)
    x = x / scale
    gram = x.T @ x + ridge * len(y) * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ target) / scale
    offsets = np.linalg.lstsq(exact, y - features @ weights, rcond=None)[0]
    return weights, offsets
