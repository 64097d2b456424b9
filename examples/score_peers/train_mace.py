"""Train a small MACE on total energies of the argon pool, and write what it predicts.

Runs in an environment of MACE's own, see README.md. Writes into `--out`:

    train.extxyz, test.extxyz   the labels, split; `zeroflux score` takes test.extxyz as DATA
    argon.model                 the trained MACE
    mace.extxyz                 the test configurations with predicted `energies` and `energy`

The training file holds positions, cells and total energies, and nothing per atom.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ase.io import write
from labelled import arguments, bare, split, write_predictions
from mace_argon import calculator

ENERGY_WEIGHT = 1e5
"""MACE's loss is (ΔE/N)² in eV²; totals of a liquid spread by 4 meV/atom. This makes the loss of
order one, so that Adam's ε and the program's thresholds do not drown it."""


def train(folder: Path, *, n_epochs: int, seed: int) -> Path:
    """Run MACE's own training program and return the model it keeps."""
    command = [
        *(sys.executable, "-m", "mace.cli.run_train", "--name=argon", f"--work_dir={folder}"),
        *(f"--train_file={folder / 'totals.extxyz'}", "--valid_fraction=0.2", "--E0s=average"),
        *("--energy_key=REF_energy", "--forces_key=REF_forces", "--loss=weighted"),
        # Forces have weight zero, but the program does not run without computing them.
        *("--forces_weight=0.0", f"--energy_weight={ENERGY_WEIGHT}", "--error_table=PerAtomRMSE"),
        *("--scaling=std_scaling", "--r_max=6.0", "--num_interactions=1", "--correlation=2"),
        *("--num_channels=8", "--max_L=0", "--MLP_irreps=8x0e", "--radial_MLP=[16,16]"),
        *("--num_radial_basis=8", "--batch_size=10", "--valid_batch_size=20", "--lr=0.01"),
        *(f"--max_num_epochs={n_epochs}", "--patience=200", "--eval_interval=5"),
        # Totals are of the order of 10⁴ eV: single precision would round them to a meV.
        *("--default_dtype=float64", "--device=cpu", f"--seed={seed}", "--plot=False"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return folder / "argon.model"


def main() -> None:
    given = arguments(__doc__.splitlines()[0], out="runs/score_mace", n_epochs=400)
    learn, test = split(given)
    write(given.out / "totals.extxyz", [bare(label, "REF_energy") for label in learn])
    model = train(given.out, n_epochs=given.epochs, seed=given.seed)
    write_predictions(given.out / "mace.extxyz", test, calculator(model))
    print(f"{len(learn)} totals learned, {len(test)} configurations predicted: {given.out}")


if __name__ == "__main__":
    main()
