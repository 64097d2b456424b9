"""MACE on the data of `known_answer.py`; runs in MACE's own environment, not in zeroflux's.

    pip install torch==2.13.0 mace-torch          # in a fresh virtual environment
    python peer_mace.py --data runs/benchmark_potentials --cpu-seconds 280 --out mace.json

`--data` is the folder that `known_answer.py --export-only` writes `train.xyz` and `test.xyz` to;
`known_answer.py --peer mace=PYTHON` calls this script itself.

Settings: one interaction with the cutoff of the other models (8 Å); correlation order 2; 16
channels (4080 parameters); energies only (the program crashes without computing forces, so their
weight is 0); batches of 10, amsgrad and an exponential moving average; a rate of 0.005 that falls
to a fiftieth; single precision; one fifth of the configurations to validate on after every epoch,
whose best model is kept. The energy weight is 1000: with a weight of 1 and a rate of 0.01 the
first epoch had been the best. These settings were not searched for: they are the only ones tried
in this form, and the falling rate ended the descent early. The number of epochs is what fits into
the CPU time, from two short runs, which also tell start-up from training; throughput is of the
training alone, looks at the validation set included.
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
        *("--energy_weight=1000.0", "--scaling=std_scaling", "--error_table=PerAtomRMSE"),
        *("--lr=0.005", "--scheduler=ExponentialLR", "--ema", "--ema_decay=0.99"),
        *(f"--lr_scheduler_gamma={0.02 ** (1 / n_epochs)}", "--eval_interval=1"),
        *("--r_max=8.0", "--num_interactions=1", "--correlation=2", "--num_channels=16"),
        *("--max_L=0", "--MLP_irreps=16x0e", "--radial_MLP=[16,16]", "--num_radial_basis=8"),
        *("--batch_size=10", "--valid_batch_size=40", f"--max_num_epochs={n_epochs}"),
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
    parser.add_argument("--cpu-seconds", type=float, default=280.0)
    parser.add_argument("--out", type=Path, default=Path("mace.json"))
    arguments = parser.parse_args()
    short = []
    for n_epochs in (1, 3):
        with tempfile.TemporaryDirectory() as work:
            short.append(train(arguments.data, Path(work), n_epochs)[0])
    epoch_cpu = (short[1] - short[0]) / 2
    n_epochs = max(4, round((arguments.cpu_seconds - short[0]) / epoch_cpu) + 1)
    print(f"{epoch_cpu:.2f} CPU s an epoch, {n_epochs} epochs", flush=True)
    with tempfile.TemporaryDirectory() as work:
        cpu, wall = train(arguments.data, Path(work), n_epochs)
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
        "structures_per_cpu_s": N_TRAIN * (n_epochs - 1) / (cpu - short[0]),
        "training_cpu_s": cpu,
        "training_wall_s": wall,
        "n_epochs": n_epochs,
        "site_rmse_mev": 1e3 * float(np.sqrt(np.mean(error**2))),
        "site_r": float(np.corrcoef(found.ravel(), expected.ravel())[0, 1]),
        "total_rmse_mev_per_atom": 1e3 * float(total.std()),
    }
    arguments.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
