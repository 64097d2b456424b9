"""Molecular dynamics of liquid argon with a network trained on total energies alone.

    python examples/05_md_argon.py [--data data/argon.extxyz.xz] [--steps 4000] [--atoms 256]

Without `--data`, the training set is a known answer: liquids drawn with the pair potential of
argon and labelled by it. The radial distribution function of the dynamics then has to be the one
of Monte Carlo with that potential. With `--data` (extended XYZ of pure argon with `energy`) it is
the liquid of those labels; density functional theory need not agree with the pair potential.

The run is constant-energy dynamics after a thermostat has set the temperature; the drift of the
total energy is printed. Radial distributions and energies go to `--out` as a table and, with
matplotlib, as a figure.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import units
from ase.io import iread
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

from zeroflux.calculator import Calculator
from zeroflux.errors import MissingExtraError
from zeroflux.frames import Frame
from zeroflux.report.chart import Chart, Panel, Series, chart_csv
from zeroflux.report.matplotlib_chart import save_charts
from zeroflux.sampling import (
    RadialDistribution,
    StatePoint,
    pair_benchmark,
    radial_distribution,
    sample_liquid,
)
from zeroflux.training.checkpoints import save_model
from zeroflux.training.fit import Schedule
from zeroflux.training.sweep import Cell, SweepSettings, TrainingSet, run_cell
from zeroflux.units import ANGSTROM, ELECTRONVOLT, MILLIELECTRONVOLT

TEMPERATURE = 95.0  # K, with the density below a point of the normal liquid
DENSITY = 0.0202  # atoms/Å³
CUTOFF = 8.0 * ANGSTROM
TIME_STEP = 5.0 * units.fs
EVERY = 20  # steps between configurations that are kept


def training_set(path: Path | None) -> TrainingSet:
    """Labels from a file, or a liquid labelled by a pair potential."""
    if path is not None:
        images = list(iread(path, format="extxyz"))
        energies = np.array([atoms.get_potential_energy() for atoms in images]) * ELECTRONVOLT
        return TrainingSet(tuple(Frame.from_ase(atoms) for atoms in images), energies)
    points = [
        StatePoint({"Ar": 32}, temperature_kelvin=t, density_per_angstrom3=density)
        for t in (90.0, 120.0, 150.0, 300.0)
        for density in (0.0185, 0.0205)
    ]
    data = pair_benchmark(points, n_frames_each=40, seed=0, cutoff=CUTOFF)
    return TrainingSet(tuple(data.frames), data.total_energies)


class Trajectory(NamedTuple):
    """A constant-energy run, looked at every `EVERY` steps."""

    frames: list[Frame]
    time_ps: np.ndarray
    total_mev_per_atom: np.ndarray
    """Kinetic and potential energy."""
    temperature_kelvin: float

    @property
    def drift(self) -> float:
        """Slope of the total energy (meV/atom/ns)."""
        return 1e3 * float(np.polyfit(self.time_ps, self.total_mev_per_atom, 1)[0])


def dynamics(model, start: Frame, n_steps: int) -> Trajectory:
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
    frames, totals, temperatures = [], [], []

    def keep() -> None:
        frames.append(Frame.from_ase(atoms))
        totals.append(atoms.get_total_energy() / len(atoms))
        temperatures.append(atoms.get_temperature())

    run = VelocityVerlet(atoms, TIME_STEP)
    run.attach(keep, interval=EVERY)
    run.run(n_steps)
    time_ps = np.arange(len(totals)) * EVERY * TIME_STEP / (1e3 * units.fs)
    return Trajectory(frames, time_ps, 1e3 * np.array(totals), float(np.mean(temperatures)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--atoms", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("runs/md_argon"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    data = training_set(arguments.data)
    settings = SweepSettings(
        cutoff=CUTOFF, schedule=Schedule(n_steps=6000), hyperparameters={"n_angular": 0}
    )
    model = run_cell(Cell("bpnn", 1000, "argon", 0, seed=0), data, settings)
    save_model(arguments.out / "model.safetensors", model)
    held_out = model.metadata["held_out_rmse_hartree_per_atom"] / MILLIELECTRONVOLT
    print(f"{model.n_parameters} parameters, held-out totals to {held_out:.3f} meV/atom")

    point = StatePoint(
        {"Ar": arguments.atoms}, temperature_kelvin=TEMPERATURE, density_per_angstrom3=DENSITY
    )
    sampled = sample_liquid(point, n_frames=60, seed=1)
    run = dynamics(model, sampled.frames[-1], arguments.steps)
    print(
        f"{len(run.frames)} configurations of {arguments.atoms} atoms at "
        f"{run.temperature_kelvin:.1f} K, drift {run.drift:.3f} meV/atom/ns"
    )

    r_max = 0.5 * run.frames[0].volume ** (1 / 3)
    network, reference = (
        radial_distribution(each, pair=("Ar", "Ar"), r_max=r_max, n_bins=80)
        for each in (run.frames, sampled.frames)
    )
    chart = comparison(network, reference, run)
    (arguments.out / "md_argon.csv").write_text(chart_csv(chart), encoding="utf-8")
    try:
        save_charts([chart], arguments.out)
    except MissingExtraError as error:
        print(error)
    difference = np.sqrt(np.mean((network.values - reference.values) ** 2))
    for name, g in (("network, dynamics", network), ("pair potential, Monte Carlo", reference)):
        top = g.first_maximum() / ANGSTROM
        print(f"{name}: first maximum {g.values.max():.2f} at {top:.2f} Å")
    print(f"root-mean-square difference of the two g(r): {difference:.3f}")


def comparison(
    network: RadialDistribution, reference: RadialDistribution, run: Trajectory
) -> Chart:
    """Both radial distributions, and the total energy of the dynamics."""
    liquids = (("network, dynamics", network), ("pair potential, Monte Carlo", reference))
    radial = tuple(
        Series(name, g.centres / ANGSTROM, g.values, kind="line", colour=k)
        for k, (name, g) in enumerate(liquids)
    )
    change = run.total_mev_per_atom - run.total_mev_per_atom.mean()
    energy = Series("total energy", run.time_ps, change, kind="line", colour=2)
    return Chart(
        "md_argon",
        "Liquid argon with a trained network",
        "Radial distribution functions, and the total energy of constant-energy dynamics.",
        (
            Panel("Structure", "distance (Å)", "g(r)", radial),
            Panel("Energy conservation", "time (ps)", "E − ⟨E⟩ (meV/atom)", (energy,)),
        ),
    )


if __name__ == "__main__":
    main()
