"""What the examples share: labels split in two, totals for another program, its predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.labels import Label
from zeroflux.units import ELECTRONVOLT

DATA = Path(__file__).parent / "../../data/argon.extxyz.xz"


def arguments(description: str, *, out: str, n_epochs: int) -> argparse.Namespace:
    """Command line of an example."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=DATA, help="labels")
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--epochs", type=int, default=n_epochs)
    parser.add_argument("--test-fraction", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return given


def split(given: argparse.Namespace) -> tuple[list[Label], list[Label]]:
    """Labels to learn from and to score on, also written as train.extxyz and test.extxyz."""
    labels = read_labels(given.data)
    order = np.random.default_rng(given.seed).permutation(len(labels))
    n_test = round(given.test_fraction * len(labels))
    test = [labels[k] for k in sorted(order[:n_test])]
    learn = [labels[k] for k in sorted(order[n_test:])]
    write_labels(given.out / "test.extxyz", test)
    write_labels(given.out / "train.extxyz", learn)
    return learn, test


def bare(label: Label, key: str) -> Atoms:
    """Positions, cell and total energy (eV) under a name, and nothing per atom."""
    atoms = label.frame.to_ase()
    atoms.info[key] = label.total_energy / ELECTRONVOLT
    return atoms


def write_predictions(path: Path, test: list[Label], calculator: Calculator) -> None:
    """The test configurations with the `energy` and `energies` of a calculator."""
    predicted = []
    for label in test:
        atoms = label.frame.to_ase()
        calculator.calculate(atoms, properties=["energy"])
        results = {name: calculator.results[name] for name in ("energy", "energies")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        predicted.append(atoms)
    write(path, predicted)
