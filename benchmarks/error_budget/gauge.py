"""Basin energies in four electrostatic gauges, from the orbitals that labelling runs have kept.

    python benchmarks/error_budget/gauge.py runs/data/{argon=6,krypton=6,mixture=10}

RUN=N takes N labelled configurations of a run directory, in the order of their keys (which is
random). No self-consistent field is solved again. Adds to gauge.json beside this file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.labelling.gauge import electrostatic_gauges
from zeroflux.labelling.keys import content_key
from zeroflux.labels import Label
from zeroflux.run_directory import open_run
from zeroflux.stages.label import engine_of
from zeroflux.units import MILLIELECTRONVOLT

OUT = Path(__file__).with_suffix(".json")
GAUGES = ("half_density", "half_neutral", "field_density", "field_neutral")


def labels_with_orbitals(folder: Path, n_wanted: int) -> tuple[list[Label], Path]:
    """Labels of a run whose orbitals were kept, and the folder of the orbitals."""
    orbitals = folder / "label" / "orbitals"
    settings = engine_of(open_run(folder).config.label).settings
    found: list[Label] = []
    for path in sorted((folder / "label" / "frames").glob("*.extxyz")):
        for label in read_labels(path):
            if (orbitals / f"{content_key(label.frame, settings)}.npz").exists():
                found.append(label)
        if len(found) >= n_wanted:
            break
    return found[:n_wanted], orbitals


def gauges_of(label: Label, engine) -> dict:
    """Basin energies of one configuration in the four gauges (meV), and charges."""
    found = electrostatic_gauges(engine.energy_densities(label.frame))
    # Everything but the electrostatic term is as in the label. Single terms follow the density
    # to first order, so they may differ from the label's by what the SCF threshold leaves.
    rest = label.basin_energy - found.half_density
    relabelled = np.abs(found.half_density - label.terms.electrostatic).max()
    if relabelled > 2.0 * MILLIELECTRONVOLT:
        raise SystemExit(f"the label has another electrostatic term: {relabelled:.2e} hartree")
    return {
        "system": str(label.info["system"]),
        "label_key": label.info["label_key"],
        "atomic_numbers": label.frame.atomic_numbers.tolist(),
        "energies_mev": {
            name: ((rest + getattr(found, name)) / MILLIELECTRONVOLT).tolist() for name in GAUGES
        },
        "basin_charge": found.basin_charge.tolist(),
        "neutral_charge": found.neutral_charge.tolist(),
        "n_merged_maxima": found.n_merged,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN=N")
    records = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else []
    done = {record["label_key"] for record in records}
    for text in parser.parse_args().runs:
        folder, _, number = text.partition("=")
        labels, orbitals = labels_with_orbitals(Path(folder), int(number))
        engine = engine_of(open_run(Path(folder)).config.label, orbital_folder=orbitals)
        for label in labels:
            if label.info["label_key"] in done:
                continue
            records.append(gauges_of(label, engine))
            energies = records[-1]["energies_mev"]
            moved = np.array(energies["half_neutral"]) - np.array(energies["half_density"])
            print(
                f"{folder} {label.info['label_key']}: rms change {moved.std():.2f} meV", flush=True
            )
            OUT.write_text(json.dumps(records, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
