"""Grid error of basin energies on densities of DFT, in meV; and the same basins by other codes.

    python benchmarks/basins/dft_energies.py LABEL.extxyz ORBITALS.npz [...] -o dft_energies

Each pair is a labelled configuration and its orbitals, as `zeroflux run` keeps them with
`keep_orbitals`. All energy densities are evaluated from the same orbitals at each cutoff, so that
what differs is the grid and the partition of it. The reference is the extrapolation from three
grids at the largest cutoff. With weight_int and critic2 at hand (WEIGHT_INT, CRITIC2 or on PATH)
the basins at the label's cutoff are compared with theirs, from files that zeroflux writes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.labelling.energy_density import FIELDS, EnergyDensities
from zeroflux.labelling.pyscf import PyscfEngine, Solution
from zeroflux.partition import basins, refined_basins
from zeroflux.partition.refined import extrapolation_coefficients
from zeroflux.units import MILLIELECTRONVOLT
from zeroflux.volumetric import VolumetricData, vasp

CUTOFFS = (160.0, 220.0, 350.0)
LABEL_CUTOFF = 220.0


def basin_energies(densities: EnergyDensities) -> dict[str, np.ndarray]:
    """Energies of the atoms (meV) without dispersion, by each kind of partition."""
    total = np.asarray(sum(densities.fields[name] for name in FIELDS))
    atomic = sum(densities.atomic.values())
    refined = refined_basins(
        densities.density, densities.grid, densities.frame, reference=densities.reference
    )
    levels = refined.levels(total)[:, 0]
    kinds = {
        "weight": levels[0],
        "refined, 2 grids": extrapolation_coefficients((1, 2)) @ levels[:2],
        "refined, 3 grids": refined.coefficients @ levels,
    }
    return {k: (v + atomic) / MILLIELECTRONVOLT for k, v in kinds.items()}


def other_codes(densities: EnergyDensities) -> dict[str, dict[str, np.ndarray]]:
    """Populations (e), volumes (bohr³) and energies (hartree) of each code that was found."""
    partition = basins(
        densities.density, densities.grid, densities.frame, reference=densities.reference
    )
    total = np.asarray(sum(densities.fields[name] for name in FIELDS))
    population, energy = partition.integrate(densities.density, total)
    found = {"zeroflux": dict(population=population, volume=partition.volume, energy=energy)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, values in (
            ("REF", densities.reference), ("RHO", densities.density), ("ENERGY", total)
        ):  # fmt: skip
            data = VolumetricData(
                grid=densities.grid,
                fields={"total": values},
                frame=densities.frame,
                units={"total": "1/bohr^3"},
                source=folder / file,
            )
            vasp.write(folder / f"{file}.CHGCAR", data, header_decimals=16)
        for code, run in (("weight_int", _weight_int), ("critic2", _critic2)):
            program = os.environ.get(code.upper()) or shutil.which(code)
            if program is None:
                print(f"{code} skipped: not found (set {code.upper()} or PATH)")
            else:
                found[code] = run(program, folder, densities)
    return found


def _weight_int(program: str, folder: Path, densities: EnergyDensities) -> dict[str, np.ndarray]:
    for name in ("REF", "RHO", "ENERGY"):  # it knows the header of VASP 4 only
        lines = (folder / f"{name}.CHGCAR").read_text().split("\n", 6)
        (folder / name).write_text("\n".join(lines[:5] + lines[6:]))
    text = subprocess.run(
        [program, "-s", "REF", "RHO", "ENERGY"], cwd=folder, capture_output=True, text=True
    ).stdout
    rows = np.array(
        [[float(x) for x in line.split()] for line in text.splitlines() if line[:1] != "#"]
    )
    volume = rows[:, -1] / rows[:, -1].sum() * densities.grid.volume
    return dict(population=rows[:, 2], energy=rows[:, 3], volume=volume)


def _critic2(program: str, folder: Path, densities: EnergyDensities) -> dict[str, np.ndarray]:
    loads = "".join(f"load {n}.CHGCAR id {n.lower()}\n" for n in ("REF", "RHO", "ENERGY"))
    integrals = "integrable rho name electrons\nintegrable energy name hartrees\n"
    script = f"crystal REF.CHGCAR\n{loads}reference ref\n{integrals}yt\n"
    (folder / "in.cri").write_text(script)
    text = subprocess.run(
        [program, "in.cri"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    ).stdout
    table = text.partition("* Integrated atomic properties")[2].splitlines()
    lines = [line for line in table if not line.startswith("#")][1 : densities.frame.n_atoms + 1]
    rows = np.array([[float(x) for x in line.split()[6:]] for line in lines])
    return dict(volume=rows[:, 0], population=rows[:, -2], energy=rows[:, -1])


def main() -> None:
    """Evaluate all pairs and write JSON and a table."""
    parser = argparse.ArgumentParser(description="Grid error of basin energies on DFT densities.")
    parser.add_argument("files", type=Path, nargs="+", help="LABEL.extxyz ORBITALS.npz ...")
    parser.add_argument("--cutoffs", type=float, nargs="+", default=CUTOFFS)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "dft_energies")
    arguments = parser.parse_args()
    record: list[dict] = []
    for label_file, orbitals in zip(arguments.files[::2], arguments.files[1::2], strict=True):
        label = read_labels(label_file)[0]
        with np.load(orbitals) as kept:
            solution = Solution(
                *(kept[n] if n == "orbitals" else kept[n].item() for n in Solution._fields)
            )
        symbols = np.array([chemical_symbols[z] for z in label.frame.atomic_numbers])
        engine = PyscfEngine()
        found: dict[tuple[float, str], np.ndarray] = {}
        shapes = {}
        for cutoff in arguments.cutoffs:
            densities = replace(engine, density_cutoff=cutoff).densities_of_orbitals(
                label.frame, solution
            )
            shapes[cutoff] = densities.grid.shape[0]
            for kind, energies in basin_energies(densities).items():
                found[cutoff, kind] = energies
            if cutoff == LABEL_CUTOFF:
                codes = other_codes(densities)
                stored = label.terms.energy_unclosed - label.terms.dispersion
                change = found[cutoff, "refined, 2 grids"] * MILLIELECTRONVOLT - stored
        reference = found[max(arguments.cutoffs), "refined, 3 grids"]
        rows = []
        for (cutoff, kind), energies in found.items():
            row = {"cutoff_hartree": cutoff, "points": shapes[cutoff], "partition": kind}
            for symbol in dict.fromkeys(symbols.tolist()):
                error = (energies - reference)[symbols == symbol]
                row[symbol] = {"mean_mev": error.mean(), "centred_rms_mev": error.std()}
            rows.append(row)
        others = {
            code: {
                "max_population_e": np.abs(v["population"] - codes["zeroflux"]["population"]).max(),
                "max_volume_bohr3": np.abs(v["volume"] - codes["zeroflux"]["volume"]).max(),
                "max_energy_mev": np.abs(v["energy"] - codes["zeroflux"]["energy"]).max()
                / MILLIELECTRONVOLT,
            }
            for code, v in codes.items()
            if code != "zeroflux"
        }
        record.append(
            {
                "configuration": label_file.stem,
                "formula": "".join(f"{s}{(symbols == s).sum()}" for s in sorted(set(symbols))),
                "temperature_kelvin": label.info.get("temperature_kelvin"),
                "largest_change_from_stored_label_hartree": np.abs(change).max(),
                "rows": rows,
                "other_codes_at_label_cutoff": others,
            }
        )
        print(json.dumps(record[-1], indent=1))
    arguments.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
