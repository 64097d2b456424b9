"""apax on the data of `known_answer.py`; runs in apax's own environment, not in zeroflux's.

    pip install apax==0.14.0                      # in a fresh virtual environment
    python peer_apax.py --data runs/benchmark_potentials --cpu-seconds 600 --out apax.json

`--data` is the folder that `known_answer.py --export-only` writes `train.xyz` and `test.xyz` to;
`known_answer.py --peer apax=PYTHON` calls this script itself.

What all runs share: the Gaussian-moment network with the cutoff of the other models (8 Å), three
radial functions of the program's default basis and a perceptron of two layers of 24, about 3000
parameters in use (the file holds radial coefficients for all pairs of 119 elements; those of argon
are counted). The loss knows energies only, so that XLA leaves the forces out; a weight of 1e4 keeps
it, (ΔE)²/N in eV², well above Adam's ε. The rate falls linearly to nothing over a run (the
program's default schedule). The scale comes from the spread of energies, since the default takes it
from forces; scale and shift stay as they are (rates of 0, which the program's documentation gives
for this): steps of the shift of the default size or larger are of the order of the differences in
energy that there are to learn, and left 12 to 17 meV/atom after a minute. One fifth of the
configurations to validate on after every epoch, whose best model is kept. Batches of 10; batches of
25 made fewer steps in the same time and were worse in that first search.

What is searched for, on validation totals, in runs of `--search-cpu-seconds` each: the rate of the
network and the radial coefficients, between the default of 0.001 and the 0.03 of the program's full
template. The best gets `--cpu-seconds`. The number of epochs is what fits into them, from two short
runs, which also tell start-up and compilation from training; throughput is of the training alone,
looks at the validation set included.
"""

from __future__ import annotations

import argparse
import csv
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
MODEL = {
    "name": "gmnn",
    "basis": {"name": "bessel", "n_basis": 16, "r_max": 8.0},
    "n_radial": 3,
    "nn": [24, 24],
}


CANDIDATES = ((10, 0.003), (10, 0.01), (10, 0.03))
"""Batch and rate."""


def settings(data: Path, work: Path, batch: int, rate: float, n_epochs: int) -> dict:
    """Configuration of apax."""
    return {
        "n_epochs": n_epochs,
        "seed": 1,
        "ckpt_interval": 10_000,
        "data": {
            "directory": str(work),
            "experiment": "argon",
            "train_data_path": str(data / "fit.xyz"),
            "val_data_path": str(data / "validate.xyz"),
            "batch_size": batch,
            "valid_batch_size": 40,
            "shift_method": "per_element_regression_shift",
            "shift_options": {"energy_regularisation": 1e-6},
            "scale_method": "mean_energy_rms_scale",
            "scale_options": {},
        },
        "model": MODEL,
        "loss": [{"name": "energy", "loss_type": "mse", "weight": 1e4, "atoms_exponent": 1}],
        "metrics": [{"name": "energy", "reductions": ["per_atom_rmse"]}],
        "optimizer": {
            "nn_lr": rate,
            "emb_lr": rate,
            "scale_lr": 0.0,
            "shift_lr": 0.0,
        },
        "callbacks": [{"name": "csv"}],
        "progress_bar": {"disable_epoch_pbar": True},
    }


def train(data: Path, work: Path, batch: int, rate: float, n_epochs: int) -> tuple[float, float]:
    """CPU and wall seconds of one training run, in a process of its own."""
    config = work / "config.json"
    config.write_text(json.dumps(settings(data, work, batch, rate, n_epochs)), encoding="utf-8")
    code = "import json, sys; from apax.train.run import run; run(json.load(open(sys.argv[1])))"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    }
    subprocess.run([sys.executable, "-c", code, str(config)], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start


def site_energies(work: Path, images: list) -> tuple[np.ndarray, int]:
    """Per-atom energies (eV) of the best model, and its parameters that argon uses."""
    import jax
    from apax.config import parse_config
    from apax.data.input_pipeline import pad_nl
    from apax.data.preprocessing import compute_nl
    from apax.layers.scaling import PerElementScaleShift
    from apax.train.checkpoints import load_params
    from apax.utils.convert import atoms_to_inputs

    config = parse_config(json.loads((work / "config.json").read_text(encoding="utf-8")))
    params = load_params(config.data.model_version_path)
    own = {"params": params["params"]["energy_model"]}
    inputs = atoms_to_inputs([atoms.copy() for atoms in images])
    lists = [
        compute_nl(r, box, MODEL["basis"]["r_max"])
        for r, box in zip(inputs["positions"], inputs["box"], strict=True)
    ]
    longest = max(index.shape[1] for index, _ in lists)
    builder = config.model.get_builder()(config.model.model_dump())
    model = builder.build_energy_model(apply_mask=True, init_box=inputs["box"][0])

    @jax.jit
    def energies(positions, numbers, index, box, offsets):
        _, kept = model.apply(
            own,
            *(positions, numbers, index, box, offsets),
            capture_intermediates=lambda module, _: isinstance(module, PerElementScaleShift),
            mutable=["intermediates"],
        )
        (found,) = jax.tree.leaves(kept)
        return found[:, 0]

    found = []
    for k, (index, offsets) in enumerate(lists):
        index, offsets = pad_nl(index, offsets, longest)
        found.append(
            energies(inputs["positions"][k], inputs["numbers"][k], index, inputs["box"][k], offsets)
        )
    readout = jax.tree.leaves(own["params"]["readout"])
    n_parameters = sum(leaf.size for leaf in readout)
    n_parameters += (
        MODEL["n_radial"] * MODEL["basis"]["n_basis"] + 2
    )  # of argon: basis, scale, shift
    return np.array(found), n_parameters


def validation(work: Path) -> np.ndarray:
    """Error of validation totals (meV/atom) after each epoch, as the program logs it."""
    path = next(work.rglob("log.csv"))
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return 1e3 * np.array([float(row["val_energy_per_atom_rmse"]) for row in rows])


def costs(data: Path, batch: int) -> tuple[float, float]:
    """CPU seconds of start-up with the first epoch, and of each further epoch."""
    short = []
    for n_epochs in (1, 5):
        with tempfile.TemporaryDirectory() as work:
            short.append(train(data, Path(work), batch, 0.01, n_epochs)[0])
    return short[0], (short[1] - short[0]) / 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cpu-seconds", type=float, default=600.0)
    parser.add_argument("--search-cpu-seconds", type=float, default=70.0)
    parser.add_argument("--only-speed", type=int, nargs=2, metavar=("BATCH", "EPOCHS"))
    parser.add_argument("--out", type=Path, default=Path("apax.json"))
    arguments = parser.parse_args()
    from ase.io import iread, write

    images = list(iread(arguments.data / "train.xyz"))
    write(arguments.data / "fit.xyz", images[:N_TRAIN])
    write(arguments.data / "validate.xyz", images[N_TRAIN:])
    if arguments.only_speed:
        batch, n_epochs = arguments.only_speed
        first, last = (
            train(arguments.data, Path(tempfile.mkdtemp()), batch, 0.01, n)[0]
            for n in (1, 1 + n_epochs)
        )
        rate = N_TRAIN * n_epochs / (last - first)
        arguments.out.write_text(json.dumps({"structures_per_cpu_s": rate}), encoding="utf-8")
        print(f"apax, batches of {batch}: {rate:.0f} configurations per CPU s")
        return

    epoch_costs = {batch: costs(arguments.data, batch) for batch in {b for b, _ in CANDIDATES}}

    def epochs(batch: int, cpu_seconds: float) -> int:
        first, further = epoch_costs[batch]
        return max(4, round((cpu_seconds - first) / further) + 1)

    search = []
    for batch, rate in CANDIDATES:
        with tempfile.TemporaryDirectory() as work:
            n_epochs = epochs(batch, arguments.search_cpu_seconds)
            cpu, _ = train(arguments.data, Path(work), batch, rate, n_epochs)
            error = float(validation(Path(work)).min())
        search.append((error, batch, rate, n_epochs, cpu))
        print(f"batch {batch}, rate {rate}: {error:.3f} meV/atom ({n_epochs} epochs)", flush=True)
    _, batch, rate, *_ = min(search)
    n_epochs = epochs(batch, arguments.cpu_seconds)
    test = list(iread(arguments.data / "test.xyz"))
    expected = np.array([atoms.arrays["site_energy"] for atoms in test])
    with tempfile.TemporaryDirectory() as work:
        cpu, wall = train(arguments.data, Path(work), batch, rate, n_epochs)
        curve = np.minimum.accumulate(validation(Path(work)))
        found, n_parameters = site_energies(Path(work), test)
    error = (found - found.mean()) - (expected - expected.mean())
    total = (found - expected).mean(axis=1)
    first, _ = epoch_costs[batch]
    epoch_cpu = (cpu - first) / (n_epochs - 1)
    row = {
        "model": "apax",
        "n_parameters": n_parameters,
        "n_seeds": 1,
        "structures_per_cpu_s": N_TRAIN / epoch_cpu,
        "training_cpu_s": cpu,
        "training_wall_s": wall,
        "n_epochs": n_epochs,
        "setting": f"batches of {batch}, rate {rate}",
        "speed_arguments": [batch, 40],
        "search": [
            {
                "setting": f"batches of {b}, rate {r}",
                "n_epochs": n,
                "cpu_s": c,
                "held_out_mev_per_atom": e,
            }
            for e, b, r, n, c in search
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
