"""Time and memory of basin codes on one density: 32 argon-like atoms in a cube.

    python benchmarks/basins/compare.py --sizes 60 120 200 300 -o benchmarks/basins/results

Each code runs in a process of its own; CPU seconds (user and system) and peak resident memory are
those of the whole process as the operating system counts them: start, imports, reading its input
and the partition. zeroflux reads three fields from .npy files and integrates all of them; the
peers read one CHGCAR and integrate the density alone. For zeroflux the partition and integration
by themselves are given too, and in copy-passes: CPU time over the time of one copy of the array.
"zeroflux basins CHGCAR" is the whole command on the file that the peers read: population, volume,
flux residual, distances to attractor and surface, and a table. Python codes run once before they
are measured, so that compiled code and bytecode come from their caches, as for any user.

Peers are used when they can be found, and named as skipped otherwise:
  baderkit, pybader   in the Python given by PEER_PYTHON (default: this one)
  weight_int          given by WEIGHT_INT or on PATH
  bader, critic2      given by BADER, CRITIC2 or on PATH
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from zeroflux.grids import UniformGrid
from zeroflux.partition import ARGON_LIKE, gaussian_promolecule, spread_frame
from zeroflux.units import ANGSTROM

LENGTH = 21.85  # bohr; 32 atoms at the density of liquid argon
N_ATOMS = 32

OURS = """
import sys, json, time, resource, warnings
import numpy as np
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, spread_frame
folder, n, threads, method = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
frame = spread_frame(32, 21.85, seed=1)
grid = UniformGrid(frame.cell, (n, n, n))
small = UniformGrid(frame.cell, (30, 30, 30))  # loads the compiled code from the cache
start = time.process_time()
basins(np.load(f"{folder}/small.npy"), small, frame, n_threads=threads, method=method).volume
load_time = time.process_time() - start
fields = [np.load(f"{folder}/field0.npy")]
copy = np.empty_like(fields[0])
np.copyto(copy, fields[0])
t = time.process_time(); np.copyto(copy, fields[0]); copy_time = time.process_time() - t
del copy  # before the other fields come, so that it does not count as memory of the partition
fields += [np.load(f"{folder}/field{i}.npy") for i in (1, 2)]
w, t = time.perf_counter(), time.process_time()
partition = basins(fields[0], grid, frame, n_threads=threads, method=method)
w1, t1 = time.perf_counter(), time.process_time()
integrals = partition.integrate(*fields)
t2 = time.process_time()
print(json.dumps(dict(partition_cpu_s=t1 - t, partition_wall_s=w1 - w, integrate_cpu_s=t2 - t1,
    load_code_cpu_s=load_time, copy_s=copy_time,
    volumes=partition.volume.tolist(), populations=integrals[0].tolist())))
"""

BADERKIT = """
import sys, json
from baderkit import Bader
bader = Bader.from_vasp(charge_filename=sys.argv[1], method=sys.argv[2], vacuum_tol=False)
print(json.dumps(dict(volumes=[float(v) for v in bader.atom_volumes],
                      populations=[float(v) for v in bader.atom_charges])))
"""

PYBADER = """
import sys, json
from pybader.interface import Bader
bader = Bader.from_file(sys.argv[1], file_type="vasp", method="neargrid", threads=1,
                        vacuum_tol=None)
bader()
print(json.dumps({}))
"""


def write_inputs(folder: Path, n: int, *, with_text: bool) -> None:
    """Three fields as .npy and the density as a CHGCAR with and without a line of symbols."""
    frame = spread_frame(N_ATOMS, LENGTH, seed=1)
    grid = UniformGrid(frame.cell, (n, n, n))
    density = gaussian_promolecule(frame, grid, [ARGON_LIKE] * N_ATOMS)
    np.save(folder / "field0.npy", density)
    small = UniformGrid(frame.cell, (30, 30, 30))
    values = gaussian_promolecule(frame, small, [((1.0, 0.3),)] * N_ATOMS)
    np.save(folder / "small.npy", values)
    np.save(folder / "field1.npy", np.maximum(density, 0.0) ** (4.0 / 3.0))
    np.save(folder / "field2.npy", np.maximum(density, 0.0) ** (5.0 / 3.0))
    if not with_text:
        return
    side = LENGTH / ANGSTROM
    rows = "\n".join(" ".join(f"{x:.12f}" for x in row) for row in np.eye(3) * side)
    sites = "\n".join(" ".join(f"{x:.12f}" for x in r) for r in frame.fractional_positions)
    values = (density * grid.volume).transpose(2, 1, 0).reshape(-1)
    for name, symbols in (("CHGCAR", "Ar\n"), ("CHGCAR4", "")):
        with (folder / name).open("w") as file:
            file.write(f"argon\n1.0\n{rows}\n{symbols}{N_ATOMS}\nDirect\n{sites}\n\n{n} {n} {n}\n")
            for begin in range(0, len(values), 500_000):
                block = values[begin : begin + 500_000].reshape(-1, 5)
                line = " ".join(["%.11E"] * 5)
                file.write("\n".join([line] * len(block)) % tuple(block.reshape(-1)) + "\n")


def measure(command: list[str], folder: Path) -> dict:
    """Run a command; its output, CPU seconds and peak memory as the system counts them."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    start = time.perf_counter()
    with (folder / "stdout").open("w+") as out, (folder / "stderr").open("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, errors = out.read(), err.read()
    result = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_gb": usage.ru_maxrss / 1e6,
        "exit": process.returncode,
    }
    if process.returncode:
        result["error"] = errors.strip()[-300:]
        return result
    for line in text.splitlines()[::-1]:
        if line.startswith("{"):
            result.update(json.loads(line))
            break
    result["text"] = text if "volumes" not in result else ""
    return result


def find(name: str) -> str | None:
    """A program given by a variable or on PATH."""
    return os.environ.get(name.upper()) or shutil.which(name)


def has_module(python: str, module: str) -> bool:
    """Whether an interpreter can import a module."""
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def codes(folder: Path, n: int) -> dict[str, list[str] | None]:
    """Command of each code; None if it was not found."""
    python = os.environ.get("PEER_PYTHON", sys.executable)
    ours = [sys.executable, "-W", "ignore", "-c", OURS, str(folder), str(n)]
    baderkit = [python, "-W", "ignore", "-c", BADERKIT, "CHGCAR"]
    kit, pyb = has_module(python, "baderkit"), has_module(python, "pybader")
    weight_int, bader, critic2 = (find(x) for x in ("weight_int", "bader", "critic2"))
    (folder / "critic2.cri").write_text("crystal CHGCAR\nload CHGCAR\nyt\n")
    return {
        "zeroflux weight": [*ours, "1", "weight"],
        "zeroflux weight, 2 threads": [*ours, "2", "weight"],
        "zeroflux neargrid": [*ours, "1", "neargrid"],
        "zeroflux basins CHGCAR": [
            *[sys.executable, "-W", "ignore", "-c", "from zeroflux.cli import main; main()"],
            *["basins", "CHGCAR", "-o", "basins.csv"],
        ],
        "weight_int": [weight_int, "CHGCAR4"] if weight_int else None,
        "bader weight": [bader, "-b", "weight", "CHGCAR"] if bader else None,
        "bader neargrid": [bader, "-b", "neargrid", "CHGCAR"] if bader else None,
        "critic2 yt": [critic2, "critic2.cri"] if critic2 else None,
        "baderkit weight": [*baderkit, "weight"] if kit else None,
        "baderkit neargrid": [*baderkit, "neargrid"] if kit else None,
        "pybader neargrid": [python, "-W", "ignore", "-c", PYBADER, "CHGCAR"] if pyb else None,
    }


def main() -> None:
    """Run all codes at all sizes and write a JSON file and a table."""
    parser = argparse.ArgumentParser(description="Time and memory of basin codes.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 120, 200, 300])
    parser.add_argument("--peers-up-to", type=int, default=300, help="largest size for peers")
    parser.add_argument("--python-peers-up-to", type=int, default=120)
    parser.add_argument("--only", nargs="+", help="names of codes; default: all that are found")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    rows = []
    for n in arguments.sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_inputs(folder, n, with_text=n <= arguments.peers_up_to)
            reference = None
            for code, command in codes(folder, n).items():
                if arguments.only and code not in arguments.only:
                    continue
                if command is None:
                    print(f"{n:4d} {code:28s} skipped: not found (see the head of this file)")
                    continue
                is_ours = code.startswith("zeroflux")
                needs_text = not is_ours or code.endswith("CHGCAR")
                is_python = code.startswith(("baderkit", "pybader"))
                limit = arguments.python_peers_up_to if is_python else arguments.peers_up_to
                if (needs_text and n > limit) or (code == "zeroflux neargrid" and n > 300):
                    print(f"{n:4d} {code:28s} skipped at this size (see --help)")
                    continue
                measure(command, folder) if is_ours or is_python else None  # compiled and cached
                row = {"size": n, "code": code, **measure(command, folder)}
                row.pop("text", "")
                volumes = row.pop("volumes", None)
                row.pop("populations", None)
                if volumes:
                    reference = volumes if reference is None else reference
                    row["volume_rms_from_ours_bohr3"] = float(
                        np.sqrt(np.mean((np.array(volumes) * unit(code) - reference) ** 2))
                    )
                rows.append(row)
                print(f"{n:4d} {code:28s} cpu {row['cpu_s']:8.2f} s  {row['peak_gb']:.2f} GB", row)
        save(rows, arguments.output)


def unit(code: str) -> float:
    """Factor from a code's volumes to bohr³."""
    return 1.0 if code.startswith("zeroflux") else ANGSTROM**3


def processor() -> str:
    """Processor model and number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores"


def save(rows: list[dict], path: Path) -> None:
    """JSON with everything and a Markdown table with ratios to zeroflux."""
    record = {"processor": processor(), "date": date.today().isoformat(), "runs": rows}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    lines = [
        f"{record['processor']}, shared with other work; {record['date']}. CPU seconds and peak",
        "resident memory of the whole process (start, imports, input, partition, integrals).",
        "",
        "| points | code | CPU s | peak GB | times zeroflux | partition + integrals, CPU s |"
        " copy-passes |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = (r for r in rows if r["size"] == row["size"])
        ours = next(r for r in same if r["code"] == "zeroflux weight")
        inner = passes = ""
        if "partition_cpu_s" in row:
            total = row["partition_cpu_s"] + row["integrate_cpu_s"]
            inner, passes = f"{total:.3f}", f"{total / row['copy_s']:.0f}"
        ratio = "failed" if row["exit"] else f"{row['cpu_s'] / ours['cpu_s']:.1f}"
        lines.append(
            f"| {row['size']}³ | {row['code']} | {row['cpu_s']:.2f} | {row['peak_gb']:.2f} | "
            f"{ratio} | {inner} | {passes} |"
        )
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
