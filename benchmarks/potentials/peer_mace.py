"""MACE on the data of `known_answer.py`; runs in MACE's own environment, not in zeroflux's.

    pip install torch==2.13.0 mace-torch          # in a fresh virtual environment
    python peer_mace.py --data runs/benchmark_potentials --cpu-seconds 600 --out mace.json

`--data` is the folder that `known_answer.py --export-only` writes `train.xyz` and `test.xyz` to;
`known_answer.py --peer mace=PYTHON` calls this script itself.

What all runs share: about 3000 parameters (correlation order 2, invariant messages, as the
program's README advises for size), the weighted loss on energies alone, amsgrad and an exponential
moving average of 0.99 (README), single precision ("a significant speed-up", README), one fifth of
the configurations to validate on after every epoch, whose best model is kept. The energy weight is
1e5: it makes the loss, (ΔE/N)² in eV², of order one, so that Adam's ε does not drown it. The rate
falls exponentially to a hundredth over a run, whatever its length.

The program computes and differentiates forces even at weight zero and crashes when told not to
(its issue 1385). `ENERGIES_ONLY` takes them out of the loss, which speeds it up; nothing else of it
is changed.

What is searched for, on validation totals, in runs of `--search-cpu-seconds` each: the rate, around
the program's default of 0.01, and whether one interaction of the benchmark's 8 Å or two of 6 Å. The
best gets `--cpu-seconds`. The number of epochs is what fits into them, from two short runs, which
also tell start-up from training; throughput is of the training alone, looks at the validation set
included.
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
FALL = 0.01  # of the rate over a run
SHAPES = {
    "two interactions of 6 Å": ("--r_max=6.0", "--num_interactions=2", "--num_channels=8"),
    "one interaction of 8 Å": ("--r_max=8.0", "--num_interactions=1", "--num_channels=12"),
}
CANDIDATES = (
    ("two interactions of 6 Å", 0.01),
    ("one interaction of 8 Å", 0.01),
    ("one interaction of 8 Å", 0.03),
    ("two interactions of 6 Å", 0.03),
)
ENERGIES_ONLY = """
import importlib, torch
from mace.modules import loss
train = importlib.import_module("mace.tools.train")

def no_forces(ref, pred, ddp=None):
    return torch.zeros((), dtype=pred["energy"].dtype)

def log(*given, metrics=train.valid_err_log, **more):
    for one in (*given, *more.values()):
        if isinstance(one, dict):
            one.setdefault("rmse_f", 0.0)
    metrics(*given, **more)

loss.mean_squared_error_forces = no_forces
train.valid_err_log = log
"""
RUN = """
from mace.cli import run_train
run_train.create_error_table = lambda **_: "no table"
run_train.main()
"""


def train(data: Path, work: Path, shape: str, rate: float, n_epochs: int) -> tuple[float, float]:
    """CPU and wall seconds of one training run."""
    options = [
        *("--name=argon", f"--work_dir={work}", f"--train_file={data / 'fit.xyz'}"),
        *(f"--valid_file={data / 'validate.xyz'}", "--E0s=average", "--energy_key=energy"),
        *("--forces_key=none", "--compute_forces=False", "--forces_weight=0.0"),
        *("--energy_weight=1e5", "--scaling=std_scaling", "--error_table=PerAtomRMSE"),
        *(f"--lr={rate}", "--scheduler=ExponentialLR", "--ema", "--ema_decay=0.99"),
        *(f"--lr_scheduler_gamma={FALL ** (1 / n_epochs)}", "--eval_interval=1"),
        *(*SHAPES[shape], "--correlation=2", "--max_ell=2", "--max_L=0"),
        *("--MLP_irreps=16x0e", "--radial_MLP=[16,16]", "--num_radial_basis=8"),
        *("--batch_size=10", "--valid_batch_size=80", f"--max_num_epochs={n_epochs}"),
        *("--default_dtype=float32", "--device=cpu", "--seed=0", "--plot=False"),
    ]
    command = [sys.executable, "-c", ENERGIES_ONLY + RUN, *options]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start


def validation(work: Path) -> np.ndarray:
    """Error of validation totals (meV/atom) after each epoch, as the program logs it."""
    lines = next(work.rglob("*_train.txt")).read_text(encoding="utf-8").splitlines()
    looks = [row for row in map(json.loads, lines) if row["mode"] == "eval"]
    return 1e3 * np.array([row["rmse_e_per_atom"] for row in looks if row["epoch"] is not None])


def costs(data: Path, shape: str) -> tuple[float, float]:
    """CPU seconds of start-up with the first epoch, and of each further epoch."""
    short = []
    for n_epochs in (1, 4):
        with tempfile.TemporaryDirectory() as work:
            short.append(train(data, Path(work), shape, 0.01, n_epochs)[0])
    return short[0], (short[1] - short[0]) / 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cpu-seconds", type=float, default=600.0)
    parser.add_argument("--search-cpu-seconds", type=float, default=70.0)
    parser.add_argument("--only-speed", nargs=2, metavar=("SHAPE", "EPOCHS"))
    parser.add_argument("--out", type=Path, default=Path("mace.json"))
    arguments = parser.parse_args()
    from ase.io import iread, read, write

    images = list(iread(arguments.data / "train.xyz"))
    write(arguments.data / "fit.xyz", images[:N_TRAIN])
    write(arguments.data / "validate.xyz", images[N_TRAIN:])
    if arguments.only_speed:
        shape, n_epochs = arguments.only_speed[0], int(arguments.only_speed[1])
        first, last = (
            train(arguments.data, Path(tempfile.mkdtemp()), shape, 0.01, n)[0]
            for n in (1, 1 + n_epochs)
        )
        rate = N_TRAIN * n_epochs / (last - first)
        arguments.out.write_text(json.dumps({"structures_per_cpu_s": rate}), encoding="utf-8")
        print(f"MACE, {shape}: {rate:.0f} configurations per CPU s")
        return

    epoch_costs = {shape: costs(arguments.data, shape) for shape in SHAPES}

    def epochs(shape: str, cpu_seconds: float) -> int:
        first, further = epoch_costs[shape]
        return max(4, round((cpu_seconds - first) / further) + 1)

    search = []
    for shape, rate in CANDIDATES:
        with tempfile.TemporaryDirectory() as work:
            n_epochs = epochs(shape, arguments.search_cpu_seconds)
            cpu, _ = train(arguments.data, Path(work), shape, rate, n_epochs)
            error = float(validation(Path(work)).min())
        search.append((error, shape, rate, n_epochs, cpu))
        print(f"{shape}, rate {rate}: {error:.3f} meV/atom ({n_epochs} epochs)", flush=True)
    _, shape, rate, *_ = min(search)
    n_epochs = epochs(shape, arguments.cpu_seconds)
    with tempfile.TemporaryDirectory() as work:
        cpu, wall = train(arguments.data, Path(work), shape, rate, n_epochs)
        curve = np.minimum.accumulate(validation(Path(work)))
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
    first, _ = epoch_costs[shape]
    epoch_cpu = (cpu - first) / (n_epochs - 1)
    row = {
        "model": "MACE",
        "n_parameters": n_parameters,
        "n_seeds": 1,
        "structures_per_cpu_s": N_TRAIN / epoch_cpu,
        "training_cpu_s": cpu,
        "training_wall_s": wall,
        "n_epochs": n_epochs,
        "setting": f"{shape}, rate {rate}",
        "speed_arguments": [shape, 10],
        "search": [
            {"setting": f"{s}, rate {r}", "n_epochs": n, "cpu_s": c, "held_out_mev_per_atom": e}
            for e, s, r, n, c in search
        ],
        "held_out_mev_per_atom": [
            (first + epoch_cpu * k, float(curve[k]))
            for k in np.unique(np.geomspace(1, len(curve) - 1, 40).round().astype(int))
        ],
        "site_rmse_mev": 1e3 * float(np.sqrt(np.mean(error**2))),
        "site_r": float(np.corrcoef(found.ravel(), expected.ravel())[0, 1]),
        "total_rmse_mev_per_atom": 1e3 * float(total.std()),
    }
    arguments.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
