"""Train a small apax model on total energies of the argon pool, and write what it predicts.

Runs in an environment of apax's own, see README.md. Writes into `--out`:

    train.extxyz, test.extxyz   the labels, split; `zeroflux score` takes test.extxyz as DATA
    argon/                      the trained model, a folder of apax
    apax.extxyz                 the test configurations with predicted `energies` and `energy`

The training files hold positions, cells and total energies, and nothing per atom.
"""

from __future__ import annotations

from pathlib import Path

from apax.train.run import run
from apax_argon import calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from labelled import arguments, bare, split, write_predictions

from zeroflux.labels import Label

HELD_OUT = 0.2
"""Share of the training totals on which the best epoch is chosen."""


def write_totals(path: Path, labels: list[Label]) -> None:
    """Configurations with their total energy, as apax reads it."""
    frames = [bare(label, "total") for label in labels]
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, energy=atoms.info.pop("total"))
    write(path, frames)


def train(folder: Path, *, n_epochs: int, seed: int) -> Path:
    """Run apax's own training and return the folder it keeps."""
    run(
        {
            "n_epochs": n_epochs,
            "seed": seed,
            "ckpt_interval": 10_000,
            "data": {
                "directory": str(folder),
                "experiment": "argon",
                "train_data_path": str(folder / "fit.extxyz"),
                "val_data_path": str(folder / "held_out.extxyz"),
                "batch_size": 10,
                "valid_batch_size": 4,
                "shift_method": "per_element_regression_shift",
                "shift_options": {"energy_regularisation": 1e-6},
                # apax's default scale is taken from forces, which there are none of.
                "scale_method": "mean_energy_rms_scale",
                "scale_options": {},
            },
            "model": {
                "name": "gmnn",
                "basis": {"name": "bessel", "n_basis": 8, "r_max": 7.0},
                "n_radial": 3,
                "nn": [16, 16],
                # Totals are of the order of 10⁴ eV: single precision would round them to a meV.
                "descriptor_dtype": "fp64",
                "readout_dtype": "fp64",
                "scale_shift_dtype": "fp64",
            },
            "loss": [{"name": "energy", "loss_type": "mse", "weight": 1.0, "atoms_exponent": 1}],
            "metrics": [{"name": "energy", "reductions": ["per_atom_rmse"]}],
            "optimizer": {"nn_lr": 0.01, "emb_lr": 0.01},
            "callbacks": [{"name": "csv"}],
            "progress_bar": {"disable_epoch_pbar": True},
        }
    )
    return folder / "argon"


def main() -> None:
    given = arguments(__doc__.splitlines()[0], out="runs/score_apax", n_epochs=400)
    learn, test = split(given)
    n_held_out = round(HELD_OUT * len(learn))
    write_totals(given.out / "held_out.extxyz", learn[::5][:n_held_out])
    held = {id(label) for label in learn[::5][:n_held_out]}
    write_totals(given.out / "fit.extxyz", [label for label in learn if id(label) not in held])
    model = train(given.out.absolute(), n_epochs=given.epochs, seed=given.seed)
    write_predictions(given.out / "apax.extxyz", test, calculator(model))
    print(f"{len(learn)} totals learned, {len(test)} configurations predicted: {given.out}")


if __name__ == "__main__":
    main()
