"""Figures of the error budget (SVG and PNG)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from analysis import Budget, result_of
from ase.data import chemical_symbols
from matplotlib.figure import Figure

from zeroflux.units import MILLIELECTRONVOLT

BLUE, ORANGE, GREEN, GREY = "#2a6fb0", "#d9792b", "#3b8f5a", "#8a8a8a"
SINGLE = "es"
NAMES = {"argon": "pure argon", "krypton": "pure krypton", "mixture": "mixture"}


def title(system: str, number: int) -> str:
    """Name of a system and species."""
    if system == "mixture":
        return f"{chemical_symbols[number]} in the mixture"
    return NAMES.get(system, system)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure in both formats."""
    for suffix, extra in (("svg", {"metadata": {"Date": None}}), ("png", {})):
        figure.savefig(folder / f"{name}.{suffix}", dpi=150, **extra)


def _panels(n: int, width: float = 3.0, height: float = 3.0) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(width * n, height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, n)).tolist()
    for ax in axes:
        ax.tick_params(labelsize=8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    return figure, axes


def _centred(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / MILLIELECTRONVOLT


def parity(budget: Budget, folder: Path) -> None:
    """Direct energies against one term and against the predictor that held-out totals choose."""
    figure, axes = _panels(len(budget.groups))
    for ax, (system, z) in zip(axes, budget.groups, strict=True):
        comparison = budget.within[system]
        table = budget.table.of_systems([system])
        own = table.species == z
        direct = _centred(table.basin_energy[own])
        single, best = result_of(comparison, SINGLE), comparison.best
        for result, colour in ((single, GREY), (best, BLUE)):
            if result is None:
                continue
            (score,) = [s for s in result.scores if (s.system, s.species) == (system, z)]
            error = score.rmse.value / MILLIELECTRONVOLT
            ax.plot(
                direct,
                _centred(result.local_energy[own]),
                ".",
                ms=2.5,
                color=colour,
                label=f"{result.fit.predictor.name}: {error:.1f} meV",
                rasterized=True,
            )
        ends = [direct.min(), direct.max()]
        ax.plot(ends, ends, color="black", lw=0.8)
        pad = 0.15 * (ends[1] - ends[0])
        ax.set(xlim=(ends[0] - pad, ends[1] + pad), ylim=(ends[0] - pad, ends[1] + pad))
        ax.set_title(title(system, z), fontsize=9)
        ax.set_xlabel("direct basin energy (meV)", fontsize=8)
        ax.legend(fontsize=7, frameon=False, markerscale=3, loc="upper left")
    axes[0].set_ylabel("shortcut, fitted to totals (meV)", fontsize=8)
    save(figure, folder, "shortcut_parity")


def why_krypton(budget: Budget, folder: Path) -> None:
    """Energy against one term, in the pure liquid and in the mixture, by charge."""
    groups = [g for g in (("krypton", 36), ("mixture", 36), ("mixture", 18)) if g in budget.groups]
    figure, axes = _panels(len(groups), width=3.5)
    limit = 1000.0 * np.abs(budget.charge).max()
    points = None
    for ax, (system, z) in zip(axes, groups, strict=True):
        own = budget.atoms(system, z)
        energy = budget.table.basin_energy - budget.table.component("dispersion")
        term = budget.table.component("electrostatic")
        points = ax.scatter(
            _centred(term[own]),
            _centred(energy[own]),
            c=1000.0 * budget.charge[own],
            s=5,
            cmap="coolwarm",
            vmin=-0.6 * limit,
            vmax=0.6 * limit,
            rasterized=True,
        )
        r = np.corrcoef(term[own], energy[own])[0, 1]
        ax.set_title(f"{title(system, z)}: r = {r:.2f}", fontsize=9)
        ax.set_xlabel("electrostatic term (meV)", fontsize=8)
    axes[0].set_ylabel("basin energy without dispersion (meV)", fontsize=8)
    if points is not None:
        bar = figure.colorbar(points, ax=axes, shrink=0.9, pad=0.01)
        bar.set_label("basin charge (10⁻³ e)", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    save(figure, folder, "why_krypton")


def budget_dots(budget: Budget, extra: dict[str, dict[str, float]], folder: Path) -> None:
    """All errors of one species in one column, on a logarithmic scale."""
    rows = ["spread of the energies", "es", "xc,es", "t+es", "t,nl", "t,xc", "t,xc,es"]
    rows += ["t,xc,es, other systems", *extra]
    figure, axes = _panels(len(budget.groups), width=2.3, height=4.2)
    for ax, (system, z) in zip(axes, budget.groups, strict=True):
        comparison = budget.within[system]
        key = f"{system} {chemical_symbols[z]}"
        across = budget.to_mixture if system == "mixture" else budget.to_pure
        for level, name in enumerate(rows):
            y = len(rows) - level
            if name == "spread of the energies":
                value = comparison.results[0].scores
                (score,) = [s for s in value if (s.system, s.species) == (system, z)]
                ax.plot(score.spread / MILLIELECTRONVOLT, y, "D", color="black", ms=5)
                continue
            if name in extra:
                if key in extra[name]:
                    ax.plot(extra[name][key], y, "s", color=GREEN, ms=5)
                continue
            source = across if name.endswith("other systems") else comparison
            if source is None:
                continue
            wanted = name.partition(", ")[0]
            result = result_of(source, wanted)
            if result is None:
                continue
            (score,) = [s for s in result.scores if (s.system, s.species) == (system, z)]
            estimate = score.rmse
            interval = [
                [(estimate.value - estimate.low) / MILLIELECTRONVOLT],
                [(estimate.high - estimate.value) / MILLIELECTRONVOLT],
            ]
            colour = ORANGE if name.endswith("other systems") else BLUE
            ax.errorbar(
                estimate.value / MILLIELECTRONVOLT, y, xerr=interval, fmt="o", color=colour, ms=4
            )
            (bound,) = [b for b in result.upper_bounds if (b.system, b.species) == (system, z)]
            ax.plot(bound.rmse / MILLIELECTRONVOLT, y, "|", color="black", ms=9)
        ax.set_xscale("log")
        ax.set_xlim(2e-4, 40)
        ax.set_yticks(range(1, len(rows) + 1), rows[::-1] if ax is axes[0] else [""] * len(rows))
        ax.grid(axis="x", lw=0.4, color="#dddddd")
        ax.set_title(title(system, z), fontsize=9)
        ax.set_xlabel("meV", fontsize=8)
    save(figure, folder, "error_budget")


def gauges(records: list[dict[str, Any]], folder: Path) -> None:
    """Basin energies with the electrostatic term over neutral volumes against the labels."""
    groups = sorted({(r["system"], z) for r in records for z in r["atomic_numbers"]})
    figure, axes = _panels(len(groups))
    for ax, (system, z) in zip(axes, groups, strict=True):
        own = [(r, np.array(r["atomic_numbers"]) == z) for r in records if r["system"] == system]
        x, y = (
            np.concatenate([np.array(r["energies_mev"][key])[mask] for r, mask in own])
            for key in ("half_density", "half_neutral")
        )
        shift = (y - x).mean()
        middle = x.mean()
        ax.plot(x - middle, y - middle - shift, ".", ms=4, color=BLUE)
        ends = [(x - middle).min(), (x - middle).max()]
        ax.plot(ends, ends, color="black", lw=0.8)
        r = np.corrcoef(x, y)[0, 1]
        ax.set_title(f"{title(system, z)}: r = {r:.3f}", fontsize=9)
        ax.set_xlabel("½qV over basins of the density (meV)", fontsize=8)
    axes[0].set_ylabel("½qV over neutral volumes (meV)", fontsize=8)
    save(figure, folder, "gauge")


def dimer_curves(curves: dict[str, list[dict[str, float]]], folder: Path) -> None:
    """Dimer curves beside the reference pair potentials."""
    from zeroflux.sampling import NOBLE_GASES
    from zeroflux.units import ANGSTROM

    figure, axes = _panels(len(curves))
    for ax, (name, points) in zip(axes, curves.items(), strict=True):
        first, second = name[:2], name[2:]
        distance = np.array([p["distance_angstrom"] for p in points])
        fine = np.linspace(distance[0], distance[-1], 200)
        reference = NOBLE_GASES.curve(first, second).energy(fine * ANGSTROM) / MILLIELECTRONVOLT
        ax.plot(fine, reference, color="black", lw=1.0, label="reference")
        for key, style, colour, label in (
            ("corrected_mev", "o-", BLUE, "PBE-D3(BJ), corrected"),
            ("uncorrected_mev", "x:", ORANGE, "not corrected"),
        ):
            ax.plot(
                distance, [p[key] for p in points], style, ms=4, lw=1, color=colour, label=label
            )
        ax.axhline(0.0, color=GREY, lw=0.6)
        ax.set_ylim(-25, 15)
        ax.set_title(f"{first}-{second}", fontsize=9)
        ax.set_xlabel("distance (Å)", fontsize=8)
    axes[0].set_ylabel("interaction energy (meV)", fontsize=8)
    axes[0].legend(fontsize=7, frameon=False)
    save(figure, folder, "dimers")


def all_figures(
    budget: Budget,
    *,
    extra: dict[str, dict[str, float]],
    gauge_records: list[dict[str, Any]],
    curves: dict[str, list[dict[str, float]]],
    folder: Path,
) -> None:
    """Everything that there are data for."""
    parity(budget, folder)
    why_krypton(budget, folder)
    budget_dots(budget, extra, folder)
    if gauge_records:
        gauges(gauge_records, folder)
    if curves:
        dimer_curves(curves, folder)
