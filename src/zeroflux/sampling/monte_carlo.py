r"""Canonical Monte Carlo of a periodic box of atoms with a pair potential.

Single-atom moves and exchanges of unlike atoms are accepted with probability
min[1, exp(-ΔU/k_BT)]. Pairs count up to a cutoff, with all images. The interaction beyond the
cutoff is left out: at fixed volume and composition the usual tail correction is a constant
that cancels in ΔU, so it does not change which configurations are drawn.

References
----------
Metropolis, Rosenbluth, Rosenbluth, Teller, Teller, J. Chem. Phys. 21, 1087 (1953),
doi 10.1063/1.1699114; Frenkel, Smit, *Understanding Molecular Simulation* (2002), chapter 3.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import StructureError
from zeroflux.frames import Frame
from zeroflux.sampling import _kernels
from zeroflux.sampling.decorrelate import (
    autocorrelation_function,
    decorrelation_stride,
    detect_equilibration,
    statistical_inefficiency,
)
from zeroflux.sampling.order import translational_order
from zeroflux.sampling.pair_potentials import NOBLE_GASES, PairPotential
from zeroflux.sampling.pair_sums import cutoff_reach, pair_energies
from zeroflux.sampling.state_points import StatePoint, initial_frame
from zeroflux.units import ANGSTROM, KELVIN

logger = logging.getLogger(__name__)

DEFAULT_CUTOFF = 12.0 * ANGSTROM
"""Cutoff of the sampling (bohr). Argon's attraction there is 0.02 meV."""

_TARGET_ACCEPTANCE = 0.4
_N_TABLE = 4096


@dataclass(frozen=True, eq=False)
class SampledLiquid:
    """Decorrelated configurations of one state point, with the evidence that they are."""

    state_point: StatePoint
    """What was sampled."""
    frames: list[Frame]
    """Configurations, atoms wrapped into the cell."""
    energies: Float[np.ndarray, " n_frames"]
    """Energy of each configuration (hartree), pairs up to the cutoff."""
    seed: int
    """Seed of the run."""
    acceptance: float
    """Accepted fraction of the single-atom moves during production."""
    swap_acceptance: float
    """Accepted fraction of the exchanges of unlike atoms; NaN if there were none."""
    step: float
    """Largest displacement along an axis in one move (bohr), fixed after equilibration."""
    stride: int
    """Sweeps between configurations; a sweep is one trial per atom."""
    statistical_inefficiency: float
    """g = 1 + 2 Σ C(t) of the slowest observable before production (sweeps)."""
    autocorrelation_time: float
    """Integrated autocorrelation time g/2 of that observable (sweeps)."""
    lag_one_correlation: float
    """Correlation of the energies of successive configurations; its standard error is about
    the inverse root of their number."""
    translational_order: float
    """Mean of `order.translational_order` over the configurations: 1 for a crystal, about 8/N to
    12/N for a liquid. A small box near its freezing point has to be looked at."""
    n_equilibration_sweeps: int
    """Sweeps before production: melting, step adaptation and the pilot run."""
    is_decorrelated: bool
    """Whether the stride is at least 2 g, and the pilot run was at least 20 g long, so that g
    can be trusted."""

    @property
    def n_frames(self) -> int:
        """Number of configurations."""
        return len(self.frames)


def sample_liquid(
    state_point: StatePoint,
    *,
    n_frames: int,
    seed: int,
    potential: PairPotential = NOBLE_GASES,
    cutoff: float = DEFAULT_CUTOFF,
    min_stride: int = 1,
) -> SampledLiquid:
    """Decorrelated configurations of a fluid at one state point, in a cubic box.

    Atoms start on lattice sites, are melted at five times the temperature, then equilibrated;
    see `sample_canonical` for the rest.
    """
    start = initial_frame(state_point, rng=np.random.default_rng([seed, 0]))
    return sample_canonical(
        start,
        temperature_kelvin=state_point.temperature_kelvin,
        n_frames=n_frames,
        seed=seed,
        potential=potential,
        cutoff=cutoff,
        n_melt_sweeps=200,
        min_stride=min_stride,
        composition=dict(state_point.composition),
    )


def sample_canonical(
    start: Frame,
    *,
    temperature_kelvin: float,
    n_frames: int,
    seed: int,
    potential: PairPotential = NOBLE_GASES,
    cutoff: float = DEFAULT_CUTOFF,
    swap_fraction: float = 0.2,
    n_melt_sweeps: int = 0,
    n_adaptation_sweeps: int = 400,
    max_pilot_sweeps: int = 16000,
    min_stride: int = 1,
    max_stride: int = 2000,
    composition: dict[str, int] | None = None,
) -> SampledLiquid:
    r"""Decorrelated configurations of the canonical ensemble that a start belongs to.

    1. Melt: `n_melt_sweeps` at five times the temperature.
    2. Adapt the step to an acceptance of 0.4. Afterwards it is fixed, because a step that
       depends on the history breaks detailed balance.
    3. Pilot: run until it is 50 statistical inefficiencies long, for the slowest of the
       energy, the energies of the single atoms, the density modes :math:`|\rho_k|^2` at the
       smallest wave vectors and, in a mixture, the same modes of the composition. A total can
       forget before its parts do.
    4. Production: one configuration every 2 g sweeps.

    Parameters
    ----------
    start
        Starting configuration; cell and composition stay as they are.
    temperature_kelvin
        Temperature (K).
    n_frames
        Number of configurations.
    seed
        Seed of all random numbers; the same seed gives the same configurations.
    potential
        Pair potential.
    cutoff
        Distance (bohr) from which on pairs are left out.
    swap_fraction
        Part of the trials that exchange two atoms; no effect in a pure system.
    n_melt_sweeps, n_adaptation_sweeps, max_pilot_sweeps
        Lengths of the stages before production (sweeps).
    min_stride, max_stride
        Bounds of the number of sweeps between configurations. The upper one matters for clusters
        and solids, whose atoms hardly change places; the record then says so.
    composition
        Composition in the order in which it is to be reported; taken from `start` if not given.

    Raises
    ------
    StructureError
        If atoms of `start` overlap or the potential does not know an element.
    """
    if n_frames < 1:
        raise ValueError(f"{n_frames} configurations asked for; expected at least 1")
    state_point = StatePoint(
        composition=composition or _composition(start),
        temperature_kelvin=temperature_kelvin,
        density_per_angstrom3=start.n_atoms / start.volume * ANGSTROM**3,
    )
    chain = _Chain(start, potential, cutoff, swap_fraction, np.random.default_rng([seed, 1]))
    temperature = temperature_kelvin * KELVIN
    step = 0.1 * (start.volume / start.n_atoms) ** (1 / 3)
    n_sweeps = 0
    for n_stage, thermal_energy in (
        (n_melt_sweeps, 5 * temperature),
        (n_adaptation_sweeps, temperature),
    ):
        step = chain.adapt_step(n_stage, thermal_energy, step)
        n_sweeps += n_stage

    pilot = _pilot(chain, temperature, step, max_pilot_sweeps)
    wanted = decorrelation_stride(pilot.inefficiency)
    stride = max(min_stride, min(wanted, max_stride))
    record = chain.run(n_frames, stride, temperature, step)
    frames = [chain.frame(p, k) for p, k in zip(record.positions, record.kinds, strict=True)]
    energies = np.array([pair_energies(f, potential, cutoff).sum() for f in frames])
    moves, accepted, swaps, swapped = record.counts
    logger.info(
        "%s: acceptance %.2f, autocorrelation time %.0f sweeps, stride %d",
        state_point.name,
        accepted / moves,
        pilot.inefficiency / 2,
        stride,
    )
    return SampledLiquid(
        state_point=state_point,
        frames=frames,
        energies=energies,
        seed=seed,
        acceptance=float(accepted / moves),
        swap_acceptance=float(swapped / swaps) if swaps else float("nan"),
        step=step,
        stride=stride,
        statistical_inefficiency=pilot.inefficiency,
        autocorrelation_time=pilot.inefficiency / 2,
        lag_one_correlation=(
            float(autocorrelation_function(energies)[1]) if n_frames > 1 else float("nan")
        ),
        translational_order=float(np.mean([translational_order(f) for f in frames])),
        n_equilibration_sweeps=n_sweeps + pilot.n_sweeps,
        is_decorrelated=pilot.is_long_enough and stride >= wanted,
    )


@dataclass(frozen=True, eq=False)
class _Record:
    """Raw output of a stretch of the chain."""

    positions: np.ndarray
    kinds: np.ndarray
    energies: np.ndarray
    site_energies: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class _Pilot:
    """What the pilot run found."""

    inefficiency: float
    n_sweeps: int
    is_long_enough: bool


class _Chain:
    """State of the Markov chain: the only thing here that changes in place."""

    def __init__(
        self,
        start: Frame,
        potential: PairPotential,
        cutoff: float,
        swap_fraction: float,
        rng: np.random.Generator,
    ) -> None:
        pair_energies(start, potential, cutoff)  # refuses overlaps and unknown elements
        self.cell = np.ascontiguousarray(start.cell)
        self.inverse = np.ascontiguousarray(np.linalg.inv(self.cell))
        self.elements, kinds = np.unique(start.atomic_numbers, return_inverse=True)
        self.positions = np.array(start.positions)
        self.kinds = kinds.astype(np.int64)
        self.cutoff = cutoff
        self.reach = cutoff_reach(self.cell, cutoff)
        self.tables, self.walls, self.steps = tabulate(potential, self.elements, cutoff)
        self.swap_fraction = swap_fraction if len(self.elements) > 1 else 0.0
        self.rng = rng

    def run(self, n_records: int, stride: int, thermal_energy: float, step: float) -> _Record:
        """Advance by n_records × stride sweeps and keep each stride-th configuration."""
        n_atoms = len(self.positions)
        positions = np.empty((n_records, n_atoms, 3))
        kinds = np.empty((n_records, n_atoms), dtype=np.int64)
        energies = np.empty(n_records)
        site_energies = np.empty((n_records, n_atoms))
        counts = _kernels.metropolis(
            self.rng,
            self.positions,
            self.kinds,
            self.cell,
            self.inverse,
            self.reach,
            self.tables,
            self.walls,
            self.steps,
            self.cutoff**2,
            1.0 / thermal_energy,
            step,
            self.swap_fraction,
            stride,
            positions,
            kinds,
            energies,
            site_energies,
        )
        return _Record(positions, kinds, energies, site_energies, counts)

    def adapt_step(self, n_sweeps: int, thermal_energy: float, step: float) -> float:
        """Step that is accepted with the target frequency, found while the chain moves on."""
        longest = 0.5 * float(np.min(1.0 / np.linalg.norm(self.inverse, axis=0)))
        for _ in range(n_sweeps // 20):
            moves, accepted = self.run(1, 20, thermal_energy, step).counts[:2]
            step *= np.clip(accepted / max(moves, 1) / _TARGET_ACCEPTANCE, 0.5, 2.0)
            step = min(float(step), longest)
        return step

    def frame(self, positions: np.ndarray, kinds: np.ndarray) -> Frame:
        """Frame with the atoms wrapped into the cell and sorted by element."""
        order = np.argsort(kinds, kind="stable")
        fractional = positions[order] @ self.inverse
        return Frame(
            atomic_numbers=self.elements[kinds[order]].astype(np.int64),
            positions=(fractional - np.floor(fractional)) @ self.cell,
            cell=self.cell.copy(),
        )


def _pilot(chain: _Chain, thermal_energy: float, step: float, max_sweeps: int) -> _Pilot:
    """Run until the slowest observable is known to 50 inefficiencies, or the budget is spent."""
    observables: list[np.ndarray] = []
    n_sweeps, chunk = 0, min(1000, max_sweeps)
    while True:
        new = _observables(chain.run(chunk, 1, thermal_energy, step), chain.inverse)
        if observables:
            new = [np.concatenate(p, axis=1) for p in zip(observables, new, strict=True)]
        observables = new
        n_sweeps += chunk
        start = max(detect_equilibration(o.mean(axis=0)).start for o in observables)
        inefficiency = max(statistical_inefficiency(o[:, start:]) for o in observables)
        n_independent = (n_sweeps - start) / inefficiency
        if n_independent >= 50 or n_sweeps >= max_sweeps:
            return _Pilot(inefficiency, n_sweeps, n_independent >= 20)
        chunk = min(n_sweeps, max_sweeps - n_sweeps)


def _observables(record: _Record, inverse: np.ndarray) -> list[np.ndarray]:
    """Series (rows: equivalent ones) of energy, density modes, composition modes, site energies."""
    waves = np.exp(2j * np.pi * (record.positions @ inverse))
    found = [record.energies[None], (np.abs(waves.sum(axis=1)) ** 2).T]
    site_energies = record.site_energies.copy()
    n_kinds = int(record.kinds.max()) + 1
    for kind in range(n_kinds):
        is_kind = record.kinds == kind
        site_energies[is_kind] -= site_energies[is_kind].mean()
        if n_kinds > 1:
            weight = (is_kind - is_kind.mean())[:, :, None]
            found.append((np.abs((weight * waves).sum(axis=1)) ** 2).T)
    return [*found, site_energies.T]


def tabulate(
    potential: PairPotential, elements: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cubic Hermite tables of all curves on uniform grids of r² from the wall to the cutoff.

    The interpolation error is below 1e-8 hartree where the energy is below 0.1 hartree: no
    Boltzmann factor changes by more than 1e-4 at 80 K.

    Returns
    -------
    Tables of (energy, derivative by r²) for each pair of elements, squared walls, grid steps.
    """
    n = len(elements)
    tables = np.zeros((n, n, _N_TABLE + 2, 2))
    walls, steps = np.zeros((n, n)), np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            curve = potential.curve_of_numbers(int(elements[a]), int(elements[b]))
            if not curve.wall < cutoff:
                raise StructureError(
                    f"cutoff is {cutoff / ANGSTROM:.3f} Å; expected more than the wall of the "
                    f"curve, {curve.wall / ANGSTROM:.3f} Å. Raise the cutoff."
                )
            walls[a, b] = curve.wall**2
            steps[a, b] = (cutoff**2 - curve.wall**2) / _N_TABLE
            squares = walls[a, b] + steps[a, b] * np.arange(_N_TABLE + 2)
            squares[0] *= 1 + 1e-14  # the square root must not fall inside the wall
            distances = np.sqrt(squares)
            tables[a, b, :, 0] = curve.energy(distances)
            tables[a, b, :, 1] = curve.derivative(distances) / (2 * distances)
    return tables, walls, steps


def _composition(frame: Frame) -> dict[str, int]:
    elements, counts = np.unique(frame.atomic_numbers, return_counts=True)
    return {chemical_symbols[z]: int(n) for z, n in zip(elements, counts, strict=True)}
