"""The study's page from what is committed here: scores, tables, manifests and the data set.

    python results/page.py [FOLDER]

Local energies of single atoms are not committed, and neither are the networks. So the page has no
parity plots, and nothing that has to be asked of networks: dimers, symmetry, receptive fields,
rigidity. Their figures of the study itself are in ``figures/``.
"""

import csv
import json
import lzma
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from zeroflux.config import training_of
from zeroflux.config_file import load_config
from zeroflux.data import load
from zeroflux.evaluation import Ambiguity, locality, noise_floors
from zeroflux.labels import system_name
from zeroflux.report import ModelResult, ReportData, SeedAmbiguity, write_report
from zeroflux.stages import study
from zeroflux.stages.correlate import compared_systems, comparisons
from zeroflux.stages.evaluate import place_names
from zeroflux.stages.report import label_facts
from zeroflux.stages.score_table import read_scores
from zeroflux.units import MILLIELECTRONVOLT

HERE = Path(__file__).parent
REMARK = (
    "The labels are of version 2. In mixtures their energies of atoms are not converged in the "
    "basis: off by 3.6 meV (argon) and 5.8 meV (krypton). Totals stand, and so does argon alone "
    "(0.5 meV)."
)
CONFIG = HERE.parent / "examples" / "emergence.yaml"


def rows(name: str) -> list[dict[str, str]]:
    """Rows of a committed table."""
    with (HERE / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def models(n_atoms: int) -> list[ModelResult]:
    """Every network and baseline with its committed scores; energies of atoms are unknown."""
    home: dict[str, list[str]] = {}
    for row in rows("local-energies"):
        home.setdefault(row["trained on"], []).append(row["system"])
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in ("scores", "totals"):
            paths.append(Path(folder) / f"{name}.csv")
            paths[-1].write_bytes(lzma.decompress((HERE / f"{name}.csv.xz").read_bytes()))
        local, totals = read_scores(*paths)
        with paths[1].open(encoding="utf-8", newline="") as handle:
            first = {row["model"]: row for row in reversed(list(csv.DictReader(handle)))}
    return [
        ModelResult(
            name=name,
            architecture=row["architecture"],
            n_parameters=int(row["n_parameters"]),
            seed=int(row["seed"]),
            trained_on=row["training_set"],
            local_energy=np.full(n_atoms, np.nan),
            scores=tuple(local[name]),
            totals=tuple(totals[name]),
            is_baseline=row["is_baseline"] == "True",
            home_systems=tuple(dict.fromkeys(home[row["training_set"]])),
            n_training_configurations=int(row["n_training"]),
            target=row["target"],
            size=int(row["size"]),
        )
        for name, row in reversed(first.items())
    ]


def ambiguities() -> list[SeedAmbiguity]:
    """Differences between seeds as the study found them."""
    return [
        SeedAmbiguity(
            row["trained on"],
            row["architecture"],
            int(row["parameters"]),
            Ambiguity(
                int(row["pairs"]),
                *(
                    float(row[key]) * MILLIELECTRONVOLT
                    for key in ("totals (meV/atom)", "local (meV)", "explained (meV)")
                ),
            ),
        )
        for row in rows("seed-ambiguity-table")
    ]


def provenance() -> dict[str, dict[str, object]]:
    """Versions, machine and times of the study's stages."""
    found: dict[str, dict[str, object]] = {}
    for stage in ("train", "evaluate", "report"):
        manifest = json.loads((HERE / "manifests" / f"{stage}.json").read_text(encoding="utf-8"))
        found[stage] = {"started": manifest["started"], "wall time (s)": manifest["wall_s"]}
        found["versions"], found["machine"] = manifest["versions"], manifest["machine"]
    return found


def report_data() -> ReportData:
    """All that the page shows."""
    config = load_config(CONFIG)
    labels = load(*training_of(config).training_sets["everything"])
    n_trained, places = len(labels), []
    for name, members in config.evaluate.test_sets.items():
        own = load(*members)
        labels += own
        places += place_names(name, own)
    test = labels[n_trained:]
    results = models(sum(label.n_atoms for label in test))
    shortcuts = [c for c in comparisons(labels, config.correlate) if c.results]
    compared = set(compared_systems([system_name(label) for label in labels]))
    common = [label for label in labels if system_name(label) in compared]
    noise = noise_floors(
        laplacian=np.concatenate([label.terms.laplacian for label in labels]),
        closure_per_atom=np.array([label.closure / label.n_atoms for label in labels]),
    )
    seeds = next(float(r["size (meV)"]) for r in rows("noise-floors") if "seeds" in r["source"])
    data = ReportData(
        title=config.title,
        labels=labels,
        evaluated=range(n_trained, len(labels)),
        places=places,
        shortcuts=shortcuts,
        models=results,
        locality=locality(
            frames=[label.frame for label in common],
            energy=np.concatenate([label.basin_energy for label in common]),
            systems=[system_name(label) for label in common],
        ),
        noise=replace(noise, seeds=seeds * MILLIELECTRONVOLT),
        ambiguities=ambiguities(),
        remarks=[REMARK],
        provenance={"labels": label_facts(labels), **provenance()},
    )
    return replace(data, **study.analysis(data, config))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    write_report(report_data(), target / "report.html", with_figures=False)
