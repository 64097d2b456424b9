"""Labels per hour of both engines at identical settings, and where the time goes.

    python benchmarks/labelling/compare.py -o benchmarks/labelling/results

Each label is made by a process of its own, as the workers of ``zeroflux label`` do, with the
isolated atoms known beforehand, and one small label first so that compiled code is loaded. Both
engines have the same functional, basis, pseudopotential and cutoff, are converged so that the
basin energies are within 0.03 meV of tight ones, and share the code that turns orbitals into
basin energies. CP2K's time is thus that of a label with the direct decomposition; its SCF alone
is given too. Two cores: one label on two threads; the rate of two processes with a thread each is
twice that of one core where memory bandwidth allows, and is measured as well.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from zeroflux.frames import Frame
from zeroflux.labelling.cp2k import Cp2kEngine
from zeroflux.labelling.label import label_frame
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.sampling import StatePoint, crystal, sample_liquid
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

SYSTEMS = {"Ar17": {"Ar": 17}, "Ar8Kr9": {"Ar": 8, "Kr": 9}}
ENGINES = {"pyscf": PyscfEngine(), "cp2k": Cp2kEngine()}
# Threads of a label, and labels at a time.
RUNS = {"1 core": (1, 1), "2 threads": (2, 1), "2 processes": (1, 2)}


def liquid(composition: dict[str, int]) -> Frame:
    state = StatePoint(composition, temperature_kelvin=110.0, density_per_angstrom3=0.0185)
    return sample_liquid(state, n_frames=1, seed=7).frames[0]


def one_label(job: Path) -> None:
    """In a process of its own: the label of a pickled engine and configuration."""
    engine, frame = pickle.loads(job.read_bytes())
    small = crystal("Kr", "fcc", nearest_distance=4.1 * ANGSTROM, repeat=(1, 1, 1))
    if engine.name == "pyscf":
        label_frame(small, engine=PyscfEngine(density_cutoff=30.0, precision=1e-6))
    else:
        label_frame(small, engine=Cp2kEngine(density_cutoff=30.0))
    wall, times = time.perf_counter(), os.times()
    label = label_frame(frame, engine=engine)
    done = os.times()
    print(
        json.dumps(
            {
                "wall_s": time.perf_counter() - wall,
                "cpu_s": sum(done[:4]) - sum(times[:4]),
                "scf_cpu_s": label.info["scf_cpu_s"],
                "densities_cpu_s": label.info["densities_cpu_s"],
                "scf_cycles": label.info["scf_cycles"],
                "closure_mev_per_atom": label.closure / label.n_atoms / MILLIELECTRONVOLT,
                "total_energy": label.total_energy,
                "basin_energies": list(label.basin_energy),
                "engine_version": label.info["engine_version"],
            }
        )
    )


def measure(job: Path, n_threads: int, n_processes: int) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(n_threads)}
    command = [sys.executable, __file__, "--job", str(job)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(n_processes)
    ]
    found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    mean = {
        key: sum(one[key] for one in found) / n_processes
        for key in ("wall_s", "cpu_s", "scf_cpu_s", "densities_cpu_s", "closure_mev_per_atom")
    }
    mean["basins_cpu_s"] = mean["cpu_s"] - mean["scf_cpu_s"] - mean["densities_cpu_s"]
    kept = ("scf_cycles", "total_energy", "basin_energies", "engine_version")
    return {
        **{key: round(value, 3) for key, value in mean.items()},
        **{key: found[0][key] for key in kept},
        "labels_per_hour": round(3600.0 * n_processes / mean["wall_s"], 1),
        "labels_per_cpu_hour": round(3600.0 / mean["cpu_s"], 1),
    }


def table(results: dict[str, Any]) -> str:
    lines = [
        f"{results['machine']}; {results['date']}. PySCF {results['versions']['pyscf']}, CP2K "
        f"{results['versions']['cp2k']}",
        "(Debian's build). PBE, DZVP-MOLOPT-PBE-GTH-q8, GTH-PBE-q8, 220 Ha, Γ point, one liquid "
        "configuration",
        "each (110 K, 0.0185 Å⁻³). Columns in s: SCF, energy densities and basins are CPU time.",
        "",
        "| system | run | engine | SCF | densities | basins | CPU | wall | labels per hour "
        "| per CPU hour | cycles |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for run in results["runs"]:
        lines.append(
            f"| {run['system']} | {run['run']} | {run['engine']} | {run['scf_cpu_s']:.1f} "
            f"| {run['densities_cpu_s']:.1f} | {run['basins_cpu_s']:.1f} | {run['cpu_s']:.1f} "
            f"| {run['wall_s']:.1f} | {run['labels_per_hour']:.0f} "
            f"| {run['labels_per_cpu_hour']:.0f} | {run['scf_cycles']} |"
        )
    lines += [
        "",
        "| system | run | labels per hour, PySCF over CP2K | per CPU hour | SCF CPU, CP2K over "
        "PySCF |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['system']} | {r['run']} | {r['labels_per_hour']:.2f} "
        f"| {r['labels_per_cpu_hour']:.2f} | {r['scf_cpu']:.2f} |"
        for r in results["ratios"]
    ]
    return "\n".join(lines) + "\n"


def ratios(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_name = {(run["system"], run["run"], run["engine"]): run for run in runs}
    found = []
    for system, name, engine in by_name:
        if engine != "pyscf" or (system, name, "cp2k") not in by_name:
            continue
        ours, theirs = by_name[system, name, "pyscf"], by_name[system, name, "cp2k"]
        found.append(
            {
                "system": system,
                "run": name,
                "labels_per_hour": ours["labels_per_hour"] / theirs["labels_per_hour"],
                "labels_per_cpu_hour": ours["labels_per_cpu_hour"] / theirs["labels_per_cpu_hour"],
                "scf_cpu": theirs["scf_cpu_s"] / ours["scf_cpu_s"],
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, help="path without suffix")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--before", default="true", help="shell command run before each label")
    parser.add_argument("--after", default="true", help="shell command run after each label")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        one_label(arguments.job)
        return
    engines = {name: engine.prepared(["Ar", "Kr"]) for name, engine in ENGINES.items()}
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for system in arguments.systems:
            frame = liquid(SYSTEMS[system])
            for name in arguments.runs:
                for engine_name, engine in engines.items():
                    job = Path(folder) / "job.pkl"
                    job.write_bytes(pickle.dumps((engine, frame)))
                    subprocess.run(arguments.before, shell=True, check=False)
                    try:
                        measured = measure(job, *RUNS[name])
                    finally:
                        subprocess.run(arguments.after, shell=True, check=False)
                    runs.append({"system": system, "run": name, "engine": engine_name, **measured})
                    print(json.dumps({**runs[-1], "basin_energies": None}), flush=True)
    results = {
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "date": date.today().isoformat(),
        "versions": {run["engine"]: run["engine_version"] for run in runs},
        "load": os.getloadavg(),
        "runs": runs,
        "ratios": ratios(runs),
    }
    text = table(results)
    print(text)
    if arguments.out:
        arguments.out.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(text)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
