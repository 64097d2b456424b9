"""Cost and memory of the ASE calculator against the number of atoms, and drift in NVE.

    python benchmarks/potentials/calculator_scaling.py [--atoms 1000 10000 100000] [--out FILE]

One process per case, since peak memory is a process's. Times are CPU seconds of one energy,
forces and stress evaluation after the first, with the neighbour list kept and with it rebuilt.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CASES = (
    {"architecture": "linear", "size": 50},
    {"architecture": "pair", "size": 25},
    {"architecture": "bpnn", "size": 3000},
    {"architecture": "painn", "size": 2000, "n_layers": 1},
    {"architecture": "painn", "size": 3000, "n_layers": 2},
    {"architecture": "schnet", "size": 3000, "n_interactions": 1},
    {"architecture": "schnet", "size": 3000},
)
CUTOFF_ANGSTROM = 7.0


def random_model(architecture: str, size: int, **hyperparameters):
    """Untrained model: cost does not depend on the values of the parameters."""
    import jax

    from zeroflux.frames import Frame
    from zeroflux.potentials.energy import Model, prepared_inputs
    from zeroflux.potentials.registry import sized_architecture
    from zeroflux.units import ANGSTROM

    form = sized_architecture(
        architecture, size, cutoff=CUTOFF_ANGSTROM * ANGSTROM, n_species=1, **hyperparameters
    )
    small = Frame.from_ase(liquid(108))
    statistics = jax.tree.map(
        np.asarray,
        form.statistics(jax.tree.map(jax.numpy.asarray, prepared_inputs(form, [small], [18]))),
    )
    params = jax.tree.map(np.asarray, form.init(jax.random.key(0)))
    return Model(form, (18,), params, statistics, np.zeros(1), 1e-4)


def liquid(n_atoms: int):
    """Argon at 0.0205 atoms/Å³: an fcc crystal of that density, shaken."""
    from ase.build import bulk

    cells = round((n_atoms / 4) ** (1 / 3))
    atoms = bulk("Ar", "fcc", a=(4 / 0.0205) ** (1 / 3), cubic=True) * (cells, cells, cells)
    atoms.rattle(0.3, seed=0)
    return atoms


def measure(case: dict, n_atoms: int, is_double: bool) -> dict:
    """One case in this process."""
    from zeroflux.calculator import Calculator

    atoms = liquid(n_atoms)
    model = random_model(**case)
    atoms.calc = Calculator(model, is_double=is_double)
    atoms.get_forces()
    rng = np.random.default_rng(0)

    def cpu(step: float) -> float:
        atoms.positions += step * rng.uniform(-1, 1, atoms.positions.shape)
        start = time.process_time()
        atoms.get_forces()
        return time.process_time() - start

    kept = min(cpu(0.001) for _ in range(3))
    lists_before = atoms.calc.n_lists_built
    rebuilt = cpu(0.6)
    return {
        **case,
        "n_parameters": model.n_parameters,
        "n_atoms": len(atoms),
        "is_double": is_double,
        "cpu_us_per_atom_list_kept": 1e6 * kept / len(atoms),
        "cpu_us_per_atom_list_rebuilt": 1e6 * rebuilt / len(atoms),
        "lists_rebuilt": atoms.calc.n_lists_built - lists_before,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=int, nargs="+", default=[1000, 10000, 100000])
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(json.loads(arguments.case), arguments.atoms[0], arguments.double)))
        return
    results = []
    for case in CASES:
        for n_atoms in arguments.atoms:
            command = [
                sys.executable,
                __file__,
                "--case",
                json.dumps(case),
                "--atoms",
                str(n_atoms),
            ]
            command += ["--double"] if arguments.double else []
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                print(case, n_atoms, "failed:", run.stderr.strip().splitlines()[-1])
                continue
            results.append(json.loads(run.stdout.splitlines()[-1]))
            print(json.dumps(results[-1]), flush=True)
    record = {"machine": cpu_model(), "cutoff_angstrom": CUTOFF_ANGSTROM, "results": results}
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def cpu_model() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
