"""Score everything that can be had offline, and write the leaderboard anew.

    zeroflux train benchmarks/leaderboard/ours.yaml --out runs/leaderboard --with-upstream
    python benchmarks/leaderboard/run.py --models-python PEERS/bin/python --ours runs/leaderboard

PEERS is an environment with ASE and the packages in `MODELS` (``pip install chgnet sevenn
tblite``); zeroflux need not be there. It writes ``results/leaderboard/``: predictions are not
kept, the tables are: ``scores.json`` and ``bare.json`` (without dispersion), ``local.csv``, and
``README.md`` with the versions. To add a model, add a line to `MODELS`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from zeroflux import data
from zeroflux.scoring.pools import run_pools, write_pools

MODELS = {
    "GFN2-xTB": "gfn2",
    "GFN1-xTB": "gfn2?method=GFN1-xTB",
    "CHGNet": "chgnet",
    "SevenNet-0": "sevennet-0",
    "SevenNet-l3i5": "sevennet-0?model=7net-l3i5",
}
"""Models of the other environment, by the name of their row."""
HERE = {"Lennard-Jones": "lj"}
"""Models that need nothing."""
POOLS = ("version3/argon_test", "version3/krypton_test", "version3/mixture_test")
PACKAGES = ("chgnet", "sevenn", "tblite", "torch", "ase", "numpy")


def main() -> None:
    """Predict where the models are, score here, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models-python", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, help="Folder to keep predictions in.")
    parser.add_argument("--ours", type=Path, help="Run directory of our networks.")
    parser.add_argument("--pools", nargs="+", default=POOLS)
    parser.add_argument("--output", type=Path, default=Path("results/leaderboard"))
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.predictions or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for pool in given.pools:
            for name, target in MODELS.items():
                predict(given.models_python, pool, target, folder / f"{name}-{pool}.extxyz")
        models = [f"{name}={folder}/{name}-{{pool}}.extxyz" for name in MODELS]
        models += [f"{name}={target}" for name, target in HERE.items()]
        if given.ours:
            networks = sorted(given.ours.glob("train/models/*.safetensors"))
            names = [path.stem.partition("_everything")[0].replace("_", " ") for path in networks]
            models += [f"ours {name}={path}" for name, path in zip(names, networks, strict=True)]
        found = {
            "scores": scored(given.pools, models, dispersion=True),
            "bare": scored(given.pools, models, dispersion=False),
        }
    for name, several in found.items():
        write_pools(several, given.output / f"{name}.json")
    write_pools(found["scores"], given.output / "local.csv")
    page = [*INTRODUCTION]
    for title, several in zip(("With D3", "Without D3"), found.values(), strict=True):
        page += [f"## {title}", "", *table_of(several), ""]
    page += ["## Versions", "", *(f"- {line}" for line in versions(given.models_python, found))]
    (given.output / "README.md").write_text("\n".join(page) + "\n", encoding="utf-8")


INTRODUCTION = (
    "# Leaderboard",
    "",
    "Written by `benchmarks/leaderboard/run.py`; do not edit. Scores are defined in",
    'docs/evaluation.md, "The score of 0 to 1", with their weaknesses. Columns of pools are',
    "centred local RMSE in meV and, behind the stroke, Pearson's r, pooled and averaged over",
    "species by atoms. Argon is nearly pairwise: the pair potential fitted to the pool itself is",
    "hard to beat there, and mixtures discriminate. Models that were trained on PBE without D3",
    "belong into the second table. Ours are trained on totals alone, of version 2.",
    "",
)


def predict(python: Path, pool: str, target: str, path: Path) -> None:
    """Write a model's energies on a pool, unless they are there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    script = Path(data.__file__).with_name("predict.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [python, script, data.path(pool), target, "-o", path]
    subprocess.run([str(part) for part in command], check=True, env=environment)


def scored(pools, models, *, dispersion: bool):
    """Scores on all pools."""
    from zeroflux.scoring.run import run_score

    return run_pools(
        [Path(pool) for pool in pools],
        models,
        lambda pool, given: run_score(
            pool, given, dispersion=dispersion, refuse=lambda line: print(line, file=sys.stderr)
        ),
        seed=0,
        tell=lambda line: print(line, file=sys.stderr),
    )


def table_of(several) -> list[str]:
    """Rows by score, as Markdown."""
    import numpy as np

    from zeroflux.report.tables import achieved_table
    from zeroflux.units import MILLIELECTRONVOLT

    def cell(pool: str, name: str) -> str:
        model = next((m for m in several.reports[pool].models if m.name == name), None)
        if model is None:
            return "–"
        n_atoms = np.array([s.n_atoms for s in model.scores])
        rmse = np.sqrt(np.average([s.rmse.value**2 for s in model.scores], weights=n_atoms))
        r = np.average([s.pearson.value for s in model.scores], weights=n_atoms)
        return f"{rmse / MILLIELECTRONVOLT:.1f} / {r:.3f}"

    lines = ["| model | score | 95 % | error / baseline | " + " | ".join(several.reports) + " |"]
    lines += ["|---" * (4 + len(several.reports)) + "|"]
    for name, score, interval, ratio, _ in achieved_table(several.achieved).rows:
        cells = " | ".join(cell(pool, name) for pool in several.reports)
        lines.append(f"| {name} | {score:.3f} | {interval} | {ratio:.2f} | {cells} |")
    return lines


def versions(python: Path, found) -> list[str]:
    """Versions of the packages and of the labels."""
    code = (
        "import json\nfrom importlib.metadata import version, PackageNotFoundError\n"
        f"found = {{}}\nfor p in {PACKAGES!r}:\n"
        "    try: found[p] = version(p)\n    except PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    answer = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    labels = {
        label.info.get("label_version", "unknown")
        for report in found["scores"].reports.values()
        for label in report.labels
    }
    lines = [f"labels of version {', '.join(map(str, sorted(labels, key=str)))}"]
    return lines + [f"{name} {value}" for name, value in json.loads(answer.stdout).items()]


if __name__ == "__main__":
    main()
