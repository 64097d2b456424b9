"""Speed and local fidelity on 1000 configurations of Lennard-Jones argon with known site energies.

    python benchmarks/potentials/known_answer.py [--peer mace=PYTHON apax=PYTHON]
    python benchmarks/potentials/known_answer.py --only --peer-speed mace=PYTHON apax=PYTHON

32 atoms at 85 to 150 K and 0.0185 to 0.0215 atoms/Å³; totals of 800 configurations are for
training (160 of them to stop on), 200 for testing. Models see totals only. Throughput is
configurations per CPU second of the training process once it has compiled, held-out looks
included; CPU seconds count all threads. Peers run in environments of their own, each given by the
path of its Python (see `peer_mace.py` and `peer_apax.py`): a search of their settings on held-out
totals, then `--cpu-seconds` with the best, one after the other; what they find is in the table with
ratios. `--peer-speed` measures the throughput of a trained peer again in a short run, to be done on
a quiet machine together with ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
from calculator_scaling import cpu_model

from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model, composition, predictions, prepared_inputs
from zeroflux.potentials.registry import sized_architecture
from zeroflux.sampling import LennardJones, PairBenchmark, PairPotential, StatePoint, pair_benchmark
from zeroflux.training.cells import split
from zeroflux.training.fit import fit
from zeroflux.training.schedule import Schedule
from zeroflux.training.tasks import Totals
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

CUTOFF = 8.0 * ANGSTROM
N_TRAINING = 800
CASES = (
    # architecture, parameters, seeds side by side, steps, other hyperparameters
    ("linear", 20, 1, 1, {"n_angular": 0}),
    ("pair", 25, 1, 1, {}),
    ("bpnn", 150, 16, 8000, {"n_angular": 0}),
    ("bpnn", 3000, 1, 8000, {"n_angular": 0}),
    ("bpnn", 3000, 1, 8000, {"n_angular": 4}),
    ("bpnn", 100000, 1, 2000, {"n_angular": 0}),
    ("painn", 3000, 1, 4000, {"n_layers": 1}),
    ("painn", 3000, 1, 2000, {"n_layers": 2}),
    ("schnet", 3000, 1, 2000, {}),
)


def lennard_jones_argon(seed: int = 0) -> PairBenchmark:
    """The data set: 20 state points of 50 configurations."""
    rng = np.random.default_rng(seed)
    points = [
        StatePoint(
            temperature_kelvin=float(rng.uniform(85, 150)),
            density_per_angstrom3=float(rng.uniform(0.0185, 0.0215)),
            composition={"Ar": 32},
        )
        for _ in range(20)
    ]
    curve = LennardJones(epsilon=10.32 * MILLIELECTRONVOLT, sigma=3.405 * ANGSTROM)
    potential = PairPotential({("Ar", "Ar"): curve})
    return pair_benchmark(points, n_frames_each=50, seed=seed, cutoff=CUTOFF, potential=potential)


def export(data: PairBenchmark, order: np.ndarray, path: Path) -> None:
    """Extended XYZ for the peers: energies in eV, site energies beside them."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    images = []
    for k in order:
        atoms = data.frames[k].to_ase()
        energy = float(data.total_energies[k]) / (1e3 * MILLIELECTRONVOLT)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((len(atoms), 3)))
        atoms.arrays["site_energy"] = data.site_energies[k] / (1e3 * MILLIELECTRONVOLT)
        images.append(atoms)
    write(path, images, format="extxyz")


def measure(
    frames: list[Frame], totals: np.ndarray, sites: np.ndarray, case: tuple, cache_dir: Path
) -> dict:
    """Train one case and score it on the test configurations."""
    name, size, n_seeds, n_steps, others = case
    architecture = sized_architecture(name, size, cutoff=CUTOFF, n_species=1, **others)
    start = time.process_time()
    inputs = prepared_inputs(architecture, frames, [18], cache_dir=cache_dir)
    prepared = time.process_time() - start
    train, held_out = split(N_TRAINING, 0, held_out_fraction=0.2, seed=0)
    looks: list[tuple[int, float, float]] = []
    start, wall = time.process_time(), time.perf_counter()
    fitted = fit(
        architecture,
        inputs,
        Totals(composition(frames, [18]), totals),
        train=train,
        held_out=held_out,
        seeds=range(n_seeds),
        schedule=Schedule(n_steps=n_steps, patience=n_steps),
        on_progress=lambda step, error: looks.append((step, time.process_time() - start, error)),
    )
    spent, wall = time.process_time() - start, time.perf_counter() - wall
    models = [
        Model(architecture, (18,), f.params, f.statistics, f.offsets.values, f.scale)
        for f in fitted
    ]
    found = np.array(predictions(models, frames[N_TRAINING:]))
    expected = sites[N_TRAINING:]
    error = found - expected
    error -= error.mean(axis=(1, 2), keepdims=True)  # the offset of the element is apart
    total_error = (found - expected).mean(axis=2)
    rate = None
    if len(looks) > 1:
        (first, begun, _), (last, ended, _) = looks[0], looks[-1]
        rate = 25 * n_seeds * (last - first) / (ended - begun)
    return {
        "model": f"zeroflux {name}" + "".join(f", {k}={v}" for k, v in others.items()),
        "n_parameters": models[0].n_parameters,
        "n_seeds": n_seeds,
        "structures_per_cpu_s": rate,
        "training_cpu_s": spent,
        "training_wall_s": wall,
        "inputs_cpu_s": prepared,
        "n_steps": n_steps,
        "held_out_mev_per_atom": [
            (prepared + spent_then, float(error / MILLIELECTRONVOLT))
            for _, spent_then, error in looks[:: max(1, len(looks) // 40)]
        ],
        "site_rmse_mev": float(np.sqrt(np.mean(error**2)) / MILLIELECTRONVOLT),
        "site_r": float(np.mean([np.corrcoef(f.ravel(), expected.ravel())[0, 1] for f in found])),
        "total_rmse_mev_per_atom": float(np.sqrt(np.mean(total_error**2)) / MILLIELECTRONVOLT),
    }


def table(record: dict) -> str:
    """Markdown table of the results, with ratios to each peer."""
    peers = [row for row in record["results"] if not row["model"].startswith("zeroflux")]
    lines = [
        f"Machine: {record['machine']}. Site energies spread by {record['site_std_mev']:.2f} meV.",
        "",
        "| model | parameters | configurations per CPU s | "
        + "".join(f"against {p['model']} | " for p in peers)
        + "training CPU s (wall s) | site RMSE (meV) | r | total RMSE (meV/atom) |",
        "|" + "---|" * (7 + len(peers)),
    ]
    for row in record["results"]:
        rate = row["structures_per_cpu_s"]
        ratios = "".join(
            f"{rate / p['structures_per_cpu_s']:.3g} | " if rate else "closed form | "
            for p in peers
        )
        seeds = f", {row['n_seeds']} seeds at once" if row["n_seeds"] > 1 else ""
        score = (
            f"{row['site_rmse_mev']:.3f} | {row['site_r']:.4f} | "
            f"{row['total_rmse_mev_per_atom']:.4f} |"
        )
        lines.append(
            f"| {row['model']}{seeds} | {row['n_parameters']} | "
            + (f"{rate:,.0f}" if rate else "closed form")
            + f" | {ratios}{row['training_cpu_s']:.1f} ({row['training_wall_s']:.1f}) | {score}"
        )
    return "\n".join([*lines, "", *time_table(record)]) + "\n"


TIMES = (3, 10, 30, 100, 300, 600)  # CPU seconds


def time_table(record: dict) -> list[str]:
    """Markdown table of the smallest held-out error so far against time."""
    lines = [
        "Error of held-out totals (meV/atom) after so many CPU seconds, preparation and "
        "compilation included:",
        "",
        "| model | parameters | " + " | ".join(f"{t} s" for t in TIMES) + " |",
        "|" + "---|" * (2 + len(TIMES)),
    ]
    for row in record["results"]:
        curve = row.get("held_out_mev_per_atom", [])
        if row["n_seeds"] > 1 or len(curve) < 2:
            continue
        cells = []
        for limit in TIMES:
            errors = [error for spent, error in curve if spent <= limit]
            is_over = curve[-1][0] < limit / 3  # it had stopped long before
            cells.append("" if is_over or not errors else f"{min(errors):.3f}")
        lines.append(f"| {row['model']} | {row['n_parameters']} | " + " | ".join(cells) + " |")
    for row in record["results"]:
        if "search" in row:
            tried = "; ".join(
                f"{one['setting']}: {one['held_out_mev_per_atom']:.2f}" for one in row["search"]
            )
            spent = sum(one["cpu_s"] for one in row["search"]) / len(row["search"])
            lines += [
                "",
                f"Settings of {row['model']}, held-out totals (meV/atom) after {spent:.0f} CPU "
                f"seconds each: {tried}.",
            ]
    return lines


def peer_speed(row: dict, name: str, python: str, work: Path) -> None:
    """Measure the throughput of a peer again, at the setting it was trained with."""
    out = work / f"{name}_speed.json"
    command = [python, str(Path(__file__).with_name(f"peer_{name}.py")), "--data", str(work)]
    command += ["--only-speed", *map(str, row["speed_arguments"]), "--out", str(out)]
    subprocess.run(command, check=True)
    row["structures_per_cpu_s_in_training"] = row["structures_per_cpu_s"]
    row |= json.loads(out.read_text(encoding="utf-8"))


def peer_row(name: str, python: str, work: Path, cpu_seconds: float) -> dict:
    """Train and score a peer in its own environment."""
    out = work / f"{name}.json"
    command = [python, str(Path(__file__).with_name(f"peer_{name}.py")), "--data", str(work)]
    command += ["--cpu-seconds", str(cpu_seconds), "--out", str(out)]
    subprocess.run(command, check=True)
    return json.loads(out.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", nargs="*", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--peer-speed", nargs="*", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--cpu-seconds", type=float, default=600.0, help="of each peer")
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark_potentials"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the cases to run again")
    parser.add_argument("--export-only", action="store_true", help="write the peers' data")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    data = lennard_jones_argon()
    order = np.random.default_rng(0).permutation(len(data.frames))
    export(data, order[:N_TRAINING], arguments.work / "train.xyz")
    export(data, order[N_TRAINING:], arguments.work / "test.xyz")
    if arguments.export_only:
        return
    frames = [data.frames[k] for k in order]
    sites = np.stack(data.site_energies)[order]
    totals = data.total_energies[order]
    record = {
        "machine": cpu_model(),
        "site_std_mev": float(sites.std() / MILLIELECTRONVOLT),
        "total_std_mev_per_atom": float(sites.mean(axis=1).std() / MILLIELECTRONVOLT),
        "cutoff_angstrom": 8.0,
        "results": [],
    }
    known = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    for number, case in enumerate(CASES):
        if arguments.only is not None and number not in arguments.only:
            row = known["results"][number]
        else:
            row = measure(frames, totals, sites, case, arguments.work)
            print(json.dumps(row), flush=True)
        record["results"].append(row)
    rows = {row["model"]: row for row in known.get("results", [])[len(CASES) :]}
    for peer in arguments.peer:
        name, python = peer.split("=", 1)
        row = peer_row(name, python, arguments.work, arguments.cpu_seconds)
        rows[row["model"]] = row
    for peer in arguments.peer_speed:
        name, python = peer.split("=", 1)
        row = next(row for title, row in rows.items() if title.lower() == name)
        peer_speed(row, name, python, arguments.work)
    record["results"] += rows.values()
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    arguments.out.with_suffix(".md").write_text(table(record), encoding="utf-8")
    print(table(record))


if __name__ == "__main__":
    main()
