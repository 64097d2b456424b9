"""Which energies of atoms networks find: those of version 2 or 3, and of which partition.

    zeroflux train benchmarks/partitions/networks.yaml --out runs/partitions --with-upstream
    python benchmarks/partitions/networks.py runs/partitions

Networks trained on totals of version 2's mixtures alone are held against the per-atom energies of
the same test boxes in version 2's basis and in version 3's, there by each partition. Exploratory:
asked after the first comparison of the two bases. Writes networks.json and networks.md beside this
file: centred errors (meV), mean over seeds and largest deviation of a seed from it.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

import zeroflux as zf

OUT = Path(__file__).with_suffix(".json")
REFERENCES = (
    ("version 2, basins", "mixture_test", "direct"),
    ("version 3, basins", "version3/mixture_test", "direct"),
    ("version 3, neutral", "version3/mixture_test", "neutral"),
    ("version 3, orbital", "version3/mixture_test", "orbital"),
    ("version 3, stockholder", "version3/mixture_test", "stockholder"),
)


def main() -> None:
    models = sorted(Path(sys.argv[1]).glob("train/models/*.safetensors"))
    errors: dict[str, dict[str, dict[str, list[float]]]] = {}
    for title, pool, reference in REFERENCES:
        found = errors.setdefault(title, defaultdict(lambda: defaultdict(list)))
        for row in zf.score(pool, models, reference=reference, n_bootstrap=20).table:
            name = row["model"].partition("_mixture_all")[0]
            found[name][row["species"]].append(row["RMSE (meV)"])
    OUT.write_text(json.dumps(errors, indent=1) + "\n")
    titles = list(errors)
    lines = ["| model | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for name in errors[titles[0]]:
        cells = [_cell(errors[title][name]) for title in titles]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    OUT.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(by_species: dict[str, list[float]]) -> str:
    """Argon / krypton."""
    parts = []
    for values in by_species.values():
        spread = np.abs(np.array(values) - np.mean(values)).max()
        parts.append(f"{np.mean(values):.1f}" + (f" ± {spread:.1f}" if len(values) > 1 else ""))
    return " / ".join(parts)


if __name__ == "__main__":
    main()
