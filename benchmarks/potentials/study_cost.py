"""What a study costs: CPU seconds per network of each architecture and size, from short runs.

    python benchmarks/potentials/study_cost.py [--config examples/emergence.yaml]

Trains each architecture and size for a few looks on boxes like those of the data set (17 argon
atoms; 28 atoms of argon and krypton with random geometry, since cost does not depend on energies),
separates compilation from steps, and projects the cost of the networks that the configuration
asks for. Steps are counted up to the limit of the configuration, which early stopping shortens.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from calculator_scaling import cpu_model

from zeroflux.config import training_of
from zeroflux.config_file import load_config
from zeroflux.frames import Frame
from zeroflux.potentials.registry import architecture_class
from zeroflux.stages.train import cells_of, sweep_settings
from zeroflux.training.cells import Cell, TrainingSet
from zeroflux.training.sweep import PARAMETERS_AT_ONCE, run_group
from zeroflux.units import ANGSTROM

N_LOOKS = 3
KINDS = {"argon": (17, 1), "krypton": (17, 1), "pure": (17, 2)}
"""Atoms and elements of the training sets of the study; others are mixtures."""
MIXTURE = (28, 2)


def boxes(n_atoms: int, n_species: int, n_frames: int = 120) -> TrainingSet:
    """Jittered lattices at the density of liquid argon with meaningless totals."""
    rng = np.random.default_rng(0)
    length = (n_atoms / 0.0195) ** (1 / 3) * ANGSTROM
    points = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) / 4.0
    frames = []
    for _ in range(n_frames):
        chosen = points[rng.permutation(len(points))[:n_atoms]]
        positions = chosen * length + rng.normal(0, 0.3, (n_atoms, 3))
        numbers = rng.permutation(np.resize([18, 36][:n_species], n_atoms))
        frames.append(Frame(numbers, positions, length * np.eye(3)))
    return TrainingSet(tuple(frames), rng.normal(0, 0.01, n_frames))


def measured(cell: Cell, n_seeds: int, settings, n_species: int, n_atoms: int) -> dict:
    """CPU seconds of compilation and of one step of one network."""
    looks: list[float] = []
    cells = [Cell(cell.architecture, cell.size, "boxes", 0, seed) for seed in range(n_seeds)]
    start = time.process_time()
    run_group(
        cells,
        boxes(n_atoms, n_species),
        settings,
        on_progress=lambda step, error: looks.append(time.process_time()),
    )
    per_look = (looks[-1] - looks[0]) / (len(looks) - 1)
    return {
        "architecture": cell.architecture,
        "size": cell.size,
        "n_species": n_species,
        "n_atoms": n_atoms,
        "n_seeds": n_seeds,
        "first_cpu_s": looks[0] - start - per_look,
        "step_cpu_ms": 1e3 * per_look / settings.schedule.interval / n_seeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("examples/emergence.yaml"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    from dataclasses import replace

    training = training_of(load_config(arguments.config))
    settings = sweep_settings(training, [])
    short = replace(settings.schedule, n_steps=50 * (N_LOOKS + 1), patience=10_000)
    settings = replace(settings, schedule=short)
    groups: dict[tuple, list[Cell]] = defaultdict(list)
    for cell in cells_of(training, list(training.training_sets)):
        if not architecture_class(cell.architecture).is_linear:
            groups[cell.group].append(cell)
    rows: dict[tuple, dict] = {}
    projected: dict[str, float] = defaultdict(float)
    n_networks = 0
    for group in groups.values():
        cell = group[0]
        n_atoms, n_species = KINDS.get(cell.training_set, MIXTURE)
        n_at_once = max(1, min(len(group), 16, PARAMETERS_AT_ONCE // cell.size))
        key = (cell.architecture, cell.size, n_atoms, n_species)
        if key not in rows:
            rows[key] = measured(cell, n_at_once, settings, n_species, n_atoms)
            print(json.dumps(rows[key]), flush=True)
            projected["compilation"] += rows[key]["first_cpu_s"]
        seconds = 1e-3 * rows[key]["step_cpu_ms"] * training.n_steps * len(group)
        projected[f"{cell.architecture} {cell.size}"] += seconds
        n_networks += len(group)
    record = {
        "machine": cpu_model(),
        "config": arguments.config.name,
        "n_networks": n_networks,
        "n_steps": training.n_steps,
        "projected_cpu_minutes": sum(projected.values()) / 60,
        "projected_cpu_s": {name: round(value, 1) for name, value in projected.items()},
        "measured": list(rows.values()),
    }
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in record.items() if k != "measured"}, indent=1))


if __name__ == "__main__":
    main()
