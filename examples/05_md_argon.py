"""Molecular dynamics of liquid argon with a network trained on total energies alone.

    python examples/05_md_argon.py [--steps 4000] [--atoms 256]
    python examples/05_md_argon.py --data argon --dimers dimers --architecture schnet

Without `--data`, the training set is a known answer: liquids drawn with the pair potential of
argon and labelled by it. The radial distribution function of the dynamics then has to be the one
of Monte Carlo with that potential. With `--data` (a pool of the data set, or extended XYZ of
argon labelled by zeroflux) it is the liquid of those labels, and density functional theory need
not agree with the pair potential. To see where a difference comes from, a pair function is fitted
to the same totals and sampled as well, and is drawn beside the pair potential and, with
`--dimers`, beside labelled dimers.

The run is constant-energy dynamics after a thermostat has set the temperature; the drift of the
total energy is printed with its standard error. Everything goes to `--out` as a table and, with
matplotlib, as a figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from scipy.interpolate import CubicSpline

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.calculator import Calculator
from zeroflux.data import file_or_pool
from zeroflux.errors import MissingExtraError
from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model, predictions
from zeroflux.potentials.neighbors import neighborhood
from zeroflux.report.chart import Chart, Panel, Series, chart_csv
from zeroflux.report.matplotlib_chart import save_charts
from zeroflux.sampling import (
    DEFAULT_CUTOFF,
    NOBLE_GASES,
    PairPotential,
    RadialDistribution,
    StatePoint,
    pair_benchmark,
    pair_stress,
    radial_distribution,
    sample_liquid,
)
from zeroflux.training.cells import Cell, SweepSettings, TrainingSet
from zeroflux.training.checkpoints import save_model
from zeroflux.training.schedule import Schedule
from zeroflux.training.sweep import run_cell
from zeroflux.units import ANGSTROM, ELECTRONVOLT, MILLIELECTRONVOLT

TEMPERATURE = 95.0  # K, with the density below a point of the normal liquid
DENSITY = 0.0202  # atoms/Å³
CUTOFF = 8.0 * ANGSTROM
TIME_STEP = 5.0 * units.fs
EVERY = 20  # steps between configurations that are kept


N_BLOCKS = 10  # of a trajectory, for standard errors


def training_set(given: Path | None) -> TrainingSet:
    """Labels of a file or pool, or a liquid labelled by a pair potential."""
    if given is not None:
        labels = read_labels(file_or_pool(given))
        energies = np.array([label.total_energy for label in labels])
        return TrainingSet(tuple(label.frame for label in labels), energies)
    points = [
        StatePoint({"Ar": 32}, temperature_kelvin=t, density_per_angstrom3=density)
        for t in (90.0, 120.0, 150.0, 300.0)
        for density in (0.0185, 0.0205)
    ]
    data = pair_benchmark(points, n_frames_each=40, seed=0, cutoff=CUTOFF)
    return TrainingSet(tuple(data.frames), data.total_energies)


def closest_approach(frames: Sequence[Frame]) -> float:
    """Smallest distance of two atoms (bohr)."""
    lists = (neighborhood(frame, [18], CUTOFF).displacements for frame in frames)
    return min(float(np.linalg.norm(vectors, axis=-1).min()) for vectors in lists)


class Trajectory(NamedTuple):
    """A constant-energy run, looked at every `EVERY` steps."""

    frames: list[Frame]
    time_ps: np.ndarray
    total_mev_per_atom: np.ndarray
    """Kinetic and potential energy."""
    temperature_kelvin: float
    pressure_mpa: tuple[float, float]
    """Mean and standard error."""

    @property
    def drift(self) -> tuple[float, float]:
        """Slope of the total energy and its standard error, from means of blocks (meV/atom/ns)."""
        time, energy = block_means(self.time_ps), block_means(self.total_mev_per_atom)
        coefficients, covariance = np.polyfit(time, energy, 1, cov=True)
        return 1e3 * float(coefficients[0]), 1e3 * float(np.sqrt(covariance[0, 0]))


def block_means(values: np.ndarray) -> np.ndarray:
    """Means of `N_BLOCKS` successive parts, long enough to be independent."""
    return np.array([part.mean() for part in np.array_split(values, N_BLOCKS)])


def with_error(values: np.ndarray) -> tuple[float, float]:
    """Mean of a series and its standard error."""
    return float(values.mean()), float(block_means(values).std(ddof=1) / np.sqrt(N_BLOCKS))


def dynamics(model: Model, start: Frame, n_steps: int) -> Trajectory:
    """Constant-energy run after a thermostat has set the temperature."""
    atoms = start.to_ase()
    atoms.calc = Calculator(model)
    rng = np.random.default_rng(0)
    spread = np.sqrt(atoms.get_masses() * units.kB * TEMPERATURE)
    atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))
    thermostat = Langevin(
        atoms,
        TIME_STEP,
        temperature_K=TEMPERATURE,
        friction=0.01 / units.fs,
        fixcm=False,
        rng=rng,
    )
    thermostat.run(n_steps // 4)
    atoms.set_momenta(atoms.get_momenta() - atoms.get_momenta().mean(axis=0))
    frames, totals, temperatures, pressures = [], [], [], []

    def keep() -> None:
        frames.append(Frame.from_ase(atoms))
        totals.append(atoms.get_total_energy() / len(atoms))
        temperatures.append(atoms.get_temperature())
        pressures.append(-atoms.get_stress(include_ideal_gas=True)[:3].mean() / (1e-3 * units.GPa))

    run = VelocityVerlet(atoms, TIME_STEP)
    run.attach(keep, interval=EVERY)
    run.run(n_steps)
    time_ps = np.arange(len(totals)) * EVERY * TIME_STEP / (1e3 * units.fs)
    return Trajectory(
        frames,
        time_ps,
        1e3 * np.array(totals),
        float(np.mean(temperatures)),
        with_error(np.array(pressures)),
    )


class FittedCurve(NamedTuple):
    """A pair function by splines, as a curve that can be sampled."""

    spline: CubicSpline
    """Energy (hartree) of the distance (bohr)."""
    wall: float
    """Distance (bohr) below which the training set holds no pair."""

    def energy(self, distance: np.ndarray) -> np.ndarray:
        """V(r) (hartree)."""
        value = self.spline(np.minimum(distance, CUTOFF))
        return np.where(distance < self.wall, np.inf, value)

    def derivative(self, distance: np.ndarray) -> np.ndarray:
        """dV/dr (hartree/bohr)."""
        slope = np.where(distance < CUTOFF, self.spline(np.minimum(distance, CUTOFF), 1), 0.0)
        return np.where(distance < self.wall, -np.inf, slope)


def fitted_curve(data: TrainingSet) -> FittedCurve:
    """Pair function that fits the totals best (closed form): what a dimer in vacuum would have."""
    settings = SweepSettings(cutoff=CUTOFF)
    model = run_cell(Cell("pair", 25, "argon", 0, seed=0), data, settings)
    wall = closest_approach(data.frames)
    distance = np.linspace(wall, CUTOFF, 200)
    box = 3 * CUTOFF * np.eye(3)
    dimers = [Frame(np.array([18, 18]), np.array([[0, 0, 0], [r, 0, 0]]), box) for r in distance]
    energy = np.array([local.sum() for local in predictions([model], dimers)[0]])
    return FittedCurve(CubicSpline(distance, energy - energy[-1]), wall)


class Liquid(NamedTuple):
    """What is compared: structure and pressure of one liquid."""

    name: str
    g: RadialDistribution
    pressure_mpa: tuple[float, float]


def sampled(name: str, potential: PairPotential, point: StatePoint, cutoff: float) -> Liquid:
    """Monte Carlo with a pair potential."""
    frames = sample_liquid(point, n_frames=60, seed=1, potential=potential, cutoff=cutoff).frames
    ideal = point.density_per_angstrom3 * units.kB * point.temperature_kelvin
    stress = np.array([np.trace(pair_stress(f, potential, cutoff)) / 3 for f in frames])
    pressure = (ideal - stress / (ELECTRONVOLT / ANGSTROM**3)) / (1e-3 * units.GPa)
    return Liquid(name, structure(frames), with_error(pressure))


def structure(frames: Sequence[Frame]) -> RadialDistribution:
    """Radial distribution up to half the box."""
    r_max = 0.5 * frames[0].volume ** (1 / 3)
    return radial_distribution(frames, pair=("Ar", "Ar"), r_max=r_max, n_bins=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="file or pool of labels")
    parser.add_argument("--dimers", type=Path, help="file or pool with labelled argon dimers")
    parser.add_argument("--architecture", default="bpnn")
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--atoms", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("runs/md_argon"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    data = training_set(given.data)
    settings = SweepSettings(
        cutoff=CUTOFF,
        schedule=Schedule(n_steps=6000, batch_size=10 if given.data else 25),
        hyperparameters={"n_angular": 0},
    )
    model = run_cell(Cell(given.architecture, given.size, "argon", 0, seed=0), data, settings)
    save_model(given.out / "model.safetensors", model)
    held_out = model.metadata["held_out_rmse_hartree_per_atom"] / MILLIELECTRONVOLT
    print(
        f"{given.architecture}, {model.n_parameters} parameters, {len(data.frames)} totals; "
        f"those held out to {held_out:.3f} meV/atom"
    )

    def point(temperature: float) -> StatePoint:
        return StatePoint(
            {"Ar": given.atoms}, temperature_kelvin=temperature, density_per_angstrom3=DENSITY
        )

    start = sample_liquid(point(TEMPERATURE), n_frames=1, seed=1).frames[0]
    run = dynamics(model, start, given.steps)
    print(
        f"{len(run.frames)} configurations of {given.atoms} atoms at "
        f"{run.temperature_kelvin:.1f} K; total energy fluctuates by "
        f"{run.total_mev_per_atom.std():.4f} meV/atom and drifts by "
        f"{run.drift[0]:.4f} ± {run.drift[1]:.4f} meV/atom/ns"
    )
    print(
        f"closest approach {closest_approach(run.frames) / ANGSTROM:.2f} Å, "
        f"in the training set {closest_approach(data.frames) / ANGSTROM:.2f} Å"
    )

    curve = fitted_curve(data)
    here = point(run.temperature_kelvin)
    liquids = (
        Liquid("network, dynamics", structure(run.frames), run.pressure_mpa),
        sampled("pair potential, Monte Carlo", NOBLE_GASES, here, DEFAULT_CUTOFF),
        sampled(
            "pair function of the totals, Monte Carlo",
            PairPotential({("Ar", "Ar"): curve}),
            here,
            CUTOFF,
        ),
    )
    for liquid in liquids:
        difference = np.sqrt(np.mean((liquid.g.values - liquids[0].g.values) ** 2))
        print(
            f"{liquid.name}: first maximum {liquid.g.values.max():.2f} at "
            f"{liquid.g.first_maximum() / ANGSTROM:.2f} Å, g(r) differs from the network's by "
            f"{difference:.3f} (rms), pressure {liquid.pressure_mpa[0]:.0f} ± "
            f"{liquid.pressure_mpa[1]:.0f} MPa"
        )
    labelled = None if given.dimers is None else dimer_energies(given.dimers)
    name = "md_argon" if given.data is None else "md_argon_labels"
    chart = comparison(name, liquids, run, curve, labelled)
    (given.out / f"{chart.name}.csv").write_text(chart_csv(chart), encoding="utf-8")
    try:
        save_charts([chart], given.out)
    except MissingExtraError as error:
        print(error)


def dimer_energies(given: Path) -> tuple[np.ndarray, np.ndarray]:
    """Distances (bohr) and interaction energies (hartree) of labelled argon dimers."""
    labels = read_labels(file_or_pool(given))
    labels = [label for label in labels if (label.frame.atomic_numbers == 18).all()]
    distance = np.array([closest_approach([label.frame]) for label in labels])
    energy = [
        label.total_energy
        - label.n_atoms * (label.info["isolated_energy_Ar_ev"] * ELECTRONVOLT)
        # dispersion with the dimer's own periodic images
        - label.n_atoms * label.info.get("image_dispersion_ev_per_atom", 0.0) * ELECTRONVOLT
        for label in labels
    ]
    return distance, np.array(energy)


def comparison(
    name: str,
    liquids: Sequence[Liquid],
    run: Trajectory,
    curve: FittedCurve,
    labelled: tuple[np.ndarray, np.ndarray] | None,
) -> Chart:
    """Radial distributions, pair energies, and the total energy of the dynamics."""
    radial = tuple(
        Series(liquid, g.centres / ANGSTROM, g.values, kind="line") for liquid, g, _ in liquids
    )
    distance = np.linspace(max(curve.wall, 3.3 * ANGSTROM), CUTOFF, 200)
    pairs = [
        Series(
            liquids[k].name,
            distance / ANGSTROM,
            of(distance) / MILLIELECTRONVOLT,
            kind="line",
        )
        for k, of in ((1, NOBLE_GASES.curve("Ar", "Ar").energy), (2, curve.energy))
    ]
    if labelled is not None:
        is_shown = labelled[0] > distance[0]
        x, y = (values[is_shown] for values in labelled)
        pairs.append(
            Series("labelled dimers", x / ANGSTROM, y / MILLIELECTRONVOLT, colour="reference")
        )
    change = run.total_mev_per_atom - run.total_mev_per_atom.mean()
    energy = Series("total energy of the dynamics", run.time_ps, change, kind="line")
    return Chart(
        name,
        "Liquid argon with a trained network",
        "Radial distribution functions, the energy of a pair, and the total energy of "
        "constant-energy dynamics.",
        (
            Panel("Structure", "distance (Å)", "g(r)", radial),
            Panel("Energy of a pair", "distance (Å)", "V(r) (meV)", tuple(pairs)),
            Panel("Energy conservation", "time (ps)", "E − ⟨E⟩ (meV/atom)", (energy,)),
        ),
    )


if __name__ == "__main__":
    main()
