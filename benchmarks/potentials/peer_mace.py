"""MACE on the data of `known_answer.py`; runs in MACE's own environment, not in zeroflux's.

    pip install torch==2.13.0 mace-torch          # in a fresh virtual environment
    python peer_mace.py --data runs/benchmark_potentials --epochs 20 --out mace.json

`--data` is the folder that `known_answer.py` has written `train.xyz` and `test.xyz` to. Settings:
the defaults of `mace_run_train` for optimiser and stopping, a rate of 0.003, two layers,
correlation order 2, 8 scalar channels, 6 Å per layer, batches of 25, energies only (force weight
0; the program crashes without computing forces), single precision, one fifth of the
configurations to validate on after every epoch. With the default rate of 0.01 and an energy
weight of 1 the validation loss did not improve after the first epoch and that epoch's model was
kept; at the settings here it halves within a dozen epochs. Throughput is from the difference of
CPU time between a run of one epoch and the whole run, so that start-up is left out; MACE's own
looks at the validation set are in.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_TRAIN = 640


def train(data: Path, work: Path, n_epochs: int) -> tuple[float, float]:
    """CPU and wall seconds of one training run."""
    command = [
        *(sys.executable, "-m", "mace.cli.run_train", "--name=argon", f"--work_dir={work}"),
        *(f"--train_file={data / 'train.xyz'}", "--valid_fraction=0.2", "--E0s=average"),
        *("--energy_key=energy", "--forces_key=forces", "--forces_weight=0.0"),
        *(
            "--energy_weight=1000.0",
            "--lr=0.003",
            "--eval_interval=1",
            "--scaling=std_scaling",
            "--error_table=PerAtomRMSE",
        ),
        *("--r_max=6.0", "--num_interactions=2", "--correlation=2", "--num_channels=8"),
        *("--max_L=0", "--MLP_irreps=8x0e", "--radial_MLP=[16,16]", "--num_radial_basis=8"),
        *("--batch_size=25", "--valid_batch_size=40", f"--max_num_epochs={n_epochs}"),
        *("--default_dtype=float32", "--device=cpu", "--seed=0", "--plot=False"),
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("mace.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as short:
        start_up, _ = train(arguments.data, Path(short), 1)
    with tempfile.TemporaryDirectory() as work:
        cpu, wall = train(arguments.data, Path(work), arguments.epochs)
        from ase.io import read
        from mace.calculators import MACECalculator

        path = next(p for p in Path(work).rglob("argon.model"))
        calculator = MACECalculator(model_paths=str(path), device="cpu", default_dtype="float32")
    found, expected = [], []
    for atoms in read(arguments.data / "test.xyz", index=":"):
        expected.append(atoms.arrays["site_energy"])
        calculator.calculate(atoms, properties=["energy"])
        # interaction energies of the nodes: the energies of the elements are left out
        found.append(np.asarray(calculator.results["node_energy"]).reshape(-1))
    found, expected = np.array(found), np.array(expected)
    n_parameters = sum(p.numel() for p in calculator.models[0].parameters())
    error = (found - found.mean()) - (expected - expected.mean())
    total = (found - expected).mean(axis=1)
    row = {
        "model": "MACE",
        "n_parameters": n_parameters,
        "n_seeds": 1,
        "structures_per_cpu_s": N_TRAIN * (arguments.epochs - 1) / (cpu - start_up),
        "training_cpu_s": cpu,
        "training_wall_s": wall,
        "n_epochs": arguments.epochs,
        "site_rmse_mev": 1e3 * float(np.sqrt(np.mean(error**2))),
        "site_r": float(np.corrcoef(found.ravel(), expected.ravel())[0, 1]),
        "total_rmse_mev_per_atom": 1e3 * float(total.std()),
    }
    arguments.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
