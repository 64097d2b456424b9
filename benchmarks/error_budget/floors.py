"""What basis and grid change in basin energies, on a few configurations of the data set.

    python benchmarks/error_budget/floors.py argon=1 krypton=1 mixture=2

POOL=N takes N labelled configurations of 17 atoms of a pool of the data set or of a run directory,
in the order of their keys. Adds to floors.json beside this file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.data import file_or_pool
from zeroflux.labelling.label import label_frame
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labels import Label
from zeroflux.units import MILLIELECTRONVOLT

OUT = Path(__file__).with_suffix(".json")
CHANGES = {
    "basis TZV2P": {"basis": "TZV2P-MOLOPT-PBE-GTH-q8"},
    "grid 350 hartree": {"density_cutoff": 350.0},
}


def labels_of(pool: str) -> list[Label]:
    """Labels of a file, a pool or a run directory, in the order of their keys."""
    frames = Path(pool) / "label" / "frames"
    paths = sorted(frames.glob("*.extxyz")) if frames.exists() else [file_or_pool(Path(pool))]
    labels = [label for path in paths for label in read_labels(path) if label.n_atoms == 17]
    return sorted(labels, key=lambda label: str(label.info["label_key"]))


def energies(label: Label) -> dict[str, list[float]]:
    """Basin energies (meV), charges (e) and closure (meV per atom)."""
    return {
        "basin_energy_mev": (label.basin_energy / MILLIELECTRONVOLT).tolist(),
        "charge": label.terms.charge.tolist(),
        "closure_mev": [label.closure / label.n_atoms / MILLIELECTRONVOLT],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pools", nargs="+", metavar="POOL=N")
    parser.add_argument("--change", choices=list(CHANGES), action="append")
    asked = parser.parse_args()
    records = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else []
    done = {(record["label_key"], record["change"]) for record in records}
    for change in asked.change or CHANGES:
        engine = PyscfEngine(**CHANGES[change]).prepared(["Ar", "Kr"])
        for text in asked.pools:
            pool, _, number = text.partition("=")
            for label in labels_of(pool)[: int(number)]:
                key = label.info["label_key"]
                if (key, change) in done:
                    continue
                changed = label_frame(label.frame, engine=engine)
                records.append(
                    {
                        "system": str(label.info["system"]),
                        "label_key": key,
                        "change": change,
                        "atomic_numbers": label.frame.atomic_numbers.tolist(),
                        "before": energies(label),
                        "after": energies(changed),
                    }
                )
                OUT.write_text(json.dumps(records, indent=0) + "\n", encoding="utf-8")
                moved = changed.basin_energy - label.basin_energy
                rms = np.sqrt(np.mean((moved - moved.mean()) ** 2)) / MILLIELECTRONVOLT
                print(f"{change}, {pool} {key}: rms change {rms:.2f} meV", flush=True)


if __name__ == "__main__":
    main()
