"""The error budget: numbers, tables of docs/error-budget.md, and its figures.

    python benchmarks/error_budget/make.py argon krypton mixture

Arguments are pools of the data set, files of labels, or run directories. gauge.json, floors.json
and ../dimers/dimers.json are used if they are there. Writes error_budget.json beside this file, the
tables between the marks of docs/error-budget.md, and docs/figures.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from analysis import (
    SEED,
    Budget,
    budget_of,
    chosen,
    data_rows,
    floor_rows,
    gauge_rows,
    load,
    locality_rows,
    mode_rows,
    score_rows,
    surface_potential,
    zero_rows,
)
from ase.data import chemical_symbols
from figures import all_figures, title

from zeroflux.correlation import ShortcutComparison
from zeroflux.units import MILLIELECTRONVOLT

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCS = ROOT / "docs" / "error-budget.md"
SHOWN = ("es", "xc,es", "t+xc", "t+es", "t,xc", "t,nl", "t,xc,es")
GAUGE_WORDS = {
    "half_neutral": "½qV, neutral volumes",
    "field_density": "\\|∇V\\|²/8π, basins of ρ",
    "field_neutral": "\\|∇V\\|²/8π, neutral volumes",
}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _interval(three: Sequence[float]) -> str:
    value, low, high = three
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _where(row: dict[str, Any]) -> str:
    return title(row["system"], chemical_symbols.index(row["element"]))


def shortcut_table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Chosen predictors of one or more comparisons."""
    lines = [
        [
            _where(row),
            f"`{row['predictor']}`",
            f"{row['held_out_rmse_mev']:.2f}",
            _interval(row["rmse_mev"]),
            f"{row['spread_mev']:.1f}",
            f"{row['slope']:.2f}",
            f"{row['pearson']:.3f}",
            f"{row['bound_mev']:.2f}",
        ]
        for where in dict.fromkeys(_where(row) for row in rows)
        for name in names
        for row in rows
        if _where(row) == where and row["predictor"] == name
    ]
    header = ["species", "predictor", "held-out totals", "error of E_A", "spread", "slope", "r"]
    return table([*header, "bound"], lines)


def choice_table(budget: Budget) -> str:
    """What held-out totals choose, and what it costs the atoms."""
    lines = []
    for system, comparison in budget.within.items():
        for n_slopes in (1, 2, 3):
            picked = chosen(comparison, n_slopes)
            if picked is None:
                continue
            same = [r for r in comparison.results if len(r.fit.predictor.combinations) == n_slopes]
            for score in picked.scores:
                errors = {
                    r.fit.predictor.name: s.rmse.value / MILLIELECTRONVOLT
                    for r in same
                    for s in r.scores
                    if s.species == score.species
                }
                best = min(errors, key=errors.__getitem__)
                lines.append(
                    [
                        title(system, score.species),
                        str(n_slopes),
                        f"`{picked.fit.predictor.name}`",
                        f"{errors[picked.fit.predictor.name]:.2f}",
                        f"`{best}`",
                        f"{errors[best]:.2f}",
                    ]
                )
    header = ["species", "slopes", "chosen by totals", "its error of E_A", "best for the atoms"]
    return table([*header, "its error"], lines)


def slope_table(comparisons: Sequence[ShortcutComparison | None], names: Sequence[str]) -> str:
    """Slopes of totals and of atoms."""
    lines = []
    for comparison in comparisons:
        if comparison is None:
            continue
        for row in score_rows(comparison):
            if row["predictor"] not in names:
                continue
            terms = row["predictor"].split(",")
            for term, fitted, local in zip(
                terms, row["slopes_of_totals"], row["slopes_of_atoms"], strict=True
            ):
                lines.append(
                    [_where(row), f"`{row['predictor']}`", term, _interval(fitted), f"{local:.2f}"]
                )
    return table(["species", "predictor", "term", "slope of totals", "slope of atoms"], lines)


def zero_table(rows: Sequence[dict[str, Any]]) -> str:
    """Errors in the mixture with either zero of the potential."""
    by = {(r["predictor"], r["element"], r["trained"], r["zero"]): r for r in rows}
    lines = []
    for name in SHOWN:
        for element in ("Ar", "Kr"):
            cells = [
                f"{by[name, element, trained, zero]['rmse_mev'][0]:.1f}"
                for trained in ("mixture", "pure liquids")
                for zero in ("average", "between atoms")
            ]
            bounds = [
                f"{by[name, element, 'mixture', zero]['bound_mev']:.1f}"
                for zero in ("average", "between atoms")
            ]
            lines.append([f"`{name}`", element, *cells, *bounds])
    header = ["predictor", "element", "mixture, ⟨V⟩ = 0", "mixture, V_s = 0"]
    header += ["pure liquids, ⟨V⟩ = 0", "pure liquids, V_s = 0", "bound, ⟨V⟩ = 0"]
    return table([*header, "bound, V_s = 0"], lines)


def all_tables(
    budget: Budget,
    gauges: list[dict[str, Any]],
    floors: list[dict[str, Any]],
    zeros: list[dict[str, Any]],
) -> dict[str, str]:
    """Tables by the name of their mark."""
    within = [row for c in budget.within.values() for row in score_rows(c)]
    found = {
        "data": table(
            ["species", "configurations", "atoms", "spread of E_A", "spread of the charge (e)"],
            [
                [
                    *(_where(r), str(r["n_configurations"]), str(r["n_atoms"])),
                    *(f"{r['spread_mev']:.1f}", f"{r['charge_std']:.5f}"),
                ]
                for r in data_rows(budget)
            ],
        ),
        "shortcut": shortcut_table(within, SHOWN),
        "choice": choice_table(budget),
        "slopes": slope_table([*budget.within.values()], ("es", "t,xc", "t,xc,es")),
        "modes": table(
            ["species", "mode", "share of the variance", "moves E_A by", "\\|r\\| with the charge"],
            [
                [
                    *(_where(r), str(r["mode"]), f"{100 * r['share']:.2f} %"),
                    *(f"{r['moves_energy_mev']:.1f}", f"{r['correlation_with_charge']:.2f}"),
                ]
                for r in mode_rows(budget)
            ],
        ),
        "locality": table(
            ["species", "number", "spread", "error, left out", "r"],
            [
                [
                    *(_where(r), str(r["n_atoms"]), f"{r['spread_mev']:.1f}"),
                    *(f"{r['rmse_mev']:.2f}", f"{r['pearson']:.3f}"),
                ]
                for r in locality_rows(budget)
            ],
        ),
        "surface": table(
            ["species", "surface, ¼∫∇²ρ (rms)", "closure, per atom (rms)"],
            [
                [_where(r), f"{r['surface_mev']:.3f}", f"{r['closure_mev']:.4f}"]
                for r in data_rows(budget)
            ],
        ),
    }
    across = [row for c in (budget.to_mixture, budget.to_pure) if c for row in score_rows(c)]
    if across:
        found["transfer"] = shortcut_table(across, SHOWN)
    if gauges:
        found["gauge"] = table(
            ["species", "number", "gauge", "spread", "mean change", "rms change", "r", "slope"],
            [
                [
                    *(_where(r), str(r["n_atoms"]), GAUGE_WORDS[r["gauge"]]),
                    *(f"{r['spread_mev']:.1f}", f"{r['mean_change_mev']:+.2f}"),
                    *(f"{r['rms_change_mev']:.2f}", f"{r['pearson']:.3f}", f"{r['slope']:.2f}"),
                ]
                for r in gauge_rows(gauges)
                if r["gauge"] != "half_density"
            ],
        )
        found["charges"] = table(
            ["species", "basins of ρ, charge (rms, e)", "neutral volumes, charge (rms, e)"],
            [
                [_where(r), f"{r['basin_charge_rms']:.1e}", f"{r['neutral_charge_rms']:.1e}"]
                for r in gauge_rows(gauges)
                if r["gauge"] == "half_density"
            ],
        )
        found["potential"] = table(
            ["system", "V_s (V)", "r", "rms change", "left after ½V_s q_A"],
            [
                [
                    *(system, f"{v['volt']:+.2f}", f"{v['pearson']:.3f}"),
                    *(f"{v['rms_change_mev']:.2f}", f"{v['rms_left_mev']:.2f}"),
                ]
                for system in dict.fromkeys(r["system"] for r in gauges)
                for v in [surface_potential(gauges, [system])]
            ],
        )
    if zeros:
        found["zeros"] = zero_table(zeros)
    if floors:
        found["floors"] = table(
            ["species", "number", "change", "rms change of E_A", "r", "slope"],
            [
                [
                    *(_where(r), str(r["n_atoms"]), r["change"]),
                    *(f"{r['rms_change_mev']:.2f}", f"{r['pearson']:.4f}", f"{r['slope']:.3f}"),
                ]
                for r in floor_rows(floors)
            ],
        )
    return found


def dimer_tables(curves: dict[str, list[dict[str, float]]]) -> dict[str, str]:
    """Points and minima of the dimer curves."""
    import sys

    sys.path.insert(0, str(HERE.parent / "dimers"))
    from dimers import minimum

    points, minima = [], []
    for name, curve in curves.items():
        pair = f"{name[:2]}-{name[2:]}"
        for p in curve:
            keys = ("uncorrected_mev", "counterpoise_mev", "corrected_mev", "reference_mev")
            points.append([pair, f"{p['distance_angstrom']:.2f}", *(f"{p[k]:+.2f}" for k in keys)])
        distance = np.array([p["distance_angstrom"] for p in curve])
        lowest = {
            key: minimum(distance, np.array([p[key] for p in curve]))
            for key in ("corrected_mev", "reference_mev")
        }
        (r, e), (r0, e0) = lowest["corrected_mev"], lowest["reference_mev"]
        minima.append([pair, f"{r:.2f}", f"{e:.1f}", f"{r0:.2f}", f"{e0:.1f}"])
    return {
        "dimers": table(
            ["pair", "Å", "not corrected", "counterpoise", "corrected", "reference"], points
        ),
        "minima": table(["pair", "r (Å)", "E (meV)", "reference r", "reference E"], minima),
    }


def fill(path: Path, tables: dict[str, str]) -> None:
    """Put tables between ``<!-- table: NAME -->`` and ``<!-- end -->``."""
    text = path.read_text(encoding="utf-8")
    for name, body in tables.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Analyse, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pools", nargs="+")
    parser.add_argument("--bootstrap", type=int, default=500)
    asked = parser.parse_args()

    def read(path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    gauges, floors = read(HERE / "gauge.json"), read(HERE / "floors.json")
    dimers = read(HERE.parent / "dimers" / "dimers.json")
    curves = dimers["curves"] if dimers else {}
    budget = budget_of(load(asked.pools), n_bootstrap=asked.bootstrap)
    comparisons = [*budget.within.values(), budget.to_mixture, budget.to_pure]
    zeros = []
    if gauges and budget.to_mixture:
        volt = surface_potential(gauges)["volt"]
        zeros = zero_rows(budget, volt, n_bootstrap=20)
    record = {
        "seed": SEED,
        "n_bootstrap": asked.bootstrap,
        "data": data_rows(budget),
        "shortcuts": [row for c in comparisons if c for row in score_rows(c)],
        "modes": mode_rows(budget),
        "locality": locality_rows(budget),
        "gauge": gauge_rows(gauges) if gauges else [],
        "surface_potential": surface_potential(gauges) if gauges else {},
        "zero_of_potential": zeros,
        "floors": floor_rows(floors) if floors else [],
    }
    rounded = json.loads(json.dumps(record), parse_float=lambda text: float(f"{float(text):.6g}"))
    out = HERE / "error_budget.json"
    out.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    tables = all_tables(budget, gauges, floors, zeros) | (dimer_tables(curves) if curves else {})
    if DOCS.exists():
        fill(DOCS, tables)
    for name, body in tables.items():
        print(f"{name}\n{body}\n")
    extra = extras(record)
    all_figures(
        budget, extra=extra, gauge_records=gauges, curves=curves, folder=ROOT / "docs" / "figures"
    )


def extras(record: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What else moves an energy: rows of the figure, by system and element."""

    def key(row: dict[str, Any]) -> str:
        return f"{row['system']} {row['element']}"

    neutral = [r for r in record["gauge"] if r["gauge"] == "half_neutral"]
    found = {
        "gauge: neutral volumes": {key(r): r["rms_change_mev"] for r in neutral},
        "locality: linear, 12 functions": {key(r): r["rmse_mev"] for r in record["locality"]},
    }
    for change in ("basis TZV2P", "grid 350 hartree"):
        own = [r for r in record["floors"] if r["change"] == change]
        found[change] = {key(r): r["rms_change_mev"] for r in own}
    found["surface, ¼∫∇²ρ"] = {key(r): r["surface_mev"] for r in record["data"]}
    found["closure"] = {key(r): r["closure_mev"] for r in record["data"]}
    return found


if __name__ == "__main__":
    main()
