"""Time and memory of basin codes on one density: 32 argon-like atoms in a cube.

    python benchmarks/basins/compare.py --sizes 60 120 200 300 -o benchmarks/basins/results

Each code runs in a process of its own; CPU seconds (user and system) and peak resident memory are
those of the whole process as the operating system counts them: start, imports, reading its input
and the partition. "zeroflux weight" reads three fields from .npy files and integrates all of them,
each read when its turn comes; "3 fields in memory" reads them first. The peers read one CHGCAR and
integrate the density alone. "zeroflux basins CHGCAR" is the whole command on the file that the
peers read: population, volume, flux residual, distances to attractor and surface, and a table.

For zeroflux the partition and the integration by themselves are given too: their CPU time, and in
copy-passes (over the time of one copy of the array). The chain of a partition is the CPU time that
threads cannot shorten: of each step the slowest thread, and all that is done by one. It is what
the wall time would be on idle cores. Python codes run once on a small grid before they are
measured, so that compiled code and bytecode come from their caches, as for any user; the first of
these runs, with empty caches, is in the table as "first call ever".

Peers are used when they can be found, and named as skipped otherwise:
  baderkit, pybader   in the environment given by --peers, which is made and filled from the package
                      index if there is none, or in the Python given by PEER_PYTHON
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
import venv
from datetime import date
from pathlib import Path

import numpy as np

from zeroflux.grids import UniformGrid
from zeroflux.partition import ARGON_LIKE, gaussian_promolecule, spread_frame
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.writing import write_run

PEER_PACKAGES = ("baderkit", "pybader")
LENGTH = 21.85  # bohr; 32 atoms at the density of liquid argon
N_ATOMS = 32

OURS = """
import sys, json, time, warnings
import numpy as np
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, slabs, spread_frame
folder, n, threads, method = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
in_turn = sys.argv[5] == "in_turn"
frame = spread_frame(32, 21.85, seed=1)
grid = UniformGrid(frame.cell, (n, n, n))
small = UniformGrid(frame.cell, (30, 30, 30))  # loads the compiled code from the cache
start = time.process_time()
basins(np.load(f"{folder}/small.npy"), small, frame, n_threads=threads, method=method).volume
load_time = time.process_time() - start
read = [lambda i=i: np.load(f"{folder}/field{i}.npy") for i in range(3)]
density = read[0]()
copy = np.empty_like(density)
np.copyto(copy, density)
n_copies = max(3, 200**3 // density.size * 20)  # long enough for a coarse clock
t = time.process_time()
for _ in range(n_copies):
    np.copyto(copy, density)
copy_time = (time.process_time() - t) / n_copies
del copy  # before the other fields come, so that it does not count as memory of the partition
if not in_turn:
    held = [read[1](), read[2]()]
    read[1:] = [lambda: held[0], lambda: held[1]]

chain = 0.0
call_slabs = slabs.Slabs.call
def call(slabs, kernel, calls):
    global chain
    times = []
    def timed(*call):
        t = time.thread_time(); result = kernel(*call); times.append(time.thread_time() - t)
        return result
    results = call_slabs(slabs, timed, calls)
    chain += max(times) if slabs.count > 1 else 0.0  # one slab runs in the main thread
    return results
slabs.Slabs.call = call
w, t, m = time.perf_counter(), time.process_time(), time.thread_time()
partition = basins(density, grid, frame, n_threads=threads, method=method)
chain += time.thread_time() - m
wall, cpu = time.perf_counter() - w, time.process_time() - t
integrate_time, integrals = 0.0, []
for field in (lambda: density, *read[1:]):
    values = field()
    t = time.process_time()
    integrals.append(partition.integrate(values)[0])
    integrate_time += time.process_time() - t
    del values
print(json.dumps(dict(partition_cpu_s=cpu, partition_wall_s=wall, partition_chain_s=chain,
    integrate_cpu_s=integrate_time, load_code_cpu_s=load_time, copy_s=copy_time,
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
    # columns of VASP's own files, since bader reads them by their widths
    rows = "\n".join("".join(f"{x:13.8f}" for x in row) for row in grid.cell / ANGSTROM)
    sites = "\n".join("".join(f"{x:10.7f}" for x in r) for r in frame.fractional_positions)
    values = density.ravel(order="F") * grid.volume
    for name, symbols in (("CHGCAR", "   Ar\n"), ("CHGCAR4", "")):
        head = f"argon\n   1.00000000000000\n{rows}\n{symbols}   {N_ATOMS}\nDirect\n{sites}\n\n"
        with (folder / name).open("wb") as file:
            file.write(f"{head} {n} {n} {n}\n".encode())
            if name == "CHGCAR":
                n_head = file.tell()
                write_run(file, values, per_line=5, digits=11)
            else:
                with (folder / "CHGCAR").open("rb") as other:
                    other.seek(n_head)
                    shutil.copyfileobj(other, file, 1 << 24)


def measure(command: list[str], folder: Path, caches: Path, limit: int) -> dict:
    """Run a command; its output, CPU seconds and peak memory as the system counts them."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(caches / "bytecode")
    if command[0] == sys.executable:
        environment["NUMBA_CACHE_DIR"] = str(caches / "numba")
    start = time.perf_counter()
    with (folder / "stdout").open("w+") as out, (folder / "stderr").open("w+") as err:
        limited = ["/bin/sh", "-c", f'ulimit -t {limit}; exec "$@"', "sh", *command]
        process = subprocess.Popen(limited, stdout=out, stderr=err, cwd=folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, errors = out.read(), err.read()
    result = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_gb": usage.ru_maxrss * 1024 / 1e9,
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


def install_peers(environment: Path) -> str:
    """Python of a virtual environment with the peers of the package index, made if there is none.

    It is an environment of its own, since the peers ask for other versions than zeroflux does.
    """
    python = environment.absolute() / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES], check=True)
    return str(python)


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
        "zeroflux weight": [*ours, "1", "weight", "in_turn"],
        "zeroflux weight, 3 fields in memory": [*ours, "1", "weight", "at_once"],
        "zeroflux weight, 2 threads": [*ours, "2", "weight", "in_turn"],
        "zeroflux neargrid": [*ours, "1", "neargrid", "in_turn"],
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
    parser.add_argument("--peers-up-to", type=int, default=300, help="largest size with a CHGCAR")
    parser.add_argument("--other-peers-up-to", type=int, default=120, help="all but weight_int")
    parser.add_argument("--neargrid-up-to", type=int, default=120)
    parser.add_argument("--limit", type=int, default=120, help="CPU seconds after which to stop")
    parser.add_argument("--only", nargs="+", help="names of codes; default: all that are found")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--peers", type=Path, help="virtual environment of baderkit and pybader")
    parser.add_argument("--add", action="store_true", help="keep other rows of the output file")
    parser.add_argument("--keep", type=Path, help="folder of inputs and caches for further calls")
    arguments = parser.parse_args()
    if arguments.peers:
        os.environ["PEER_PYTHON"] = install_peers(arguments.peers)
    rows = earlier_rows(arguments.output) if arguments.add else []
    with tempfile.TemporaryDirectory() as temporary:
        name = arguments.keep.absolute() if arguments.keep else Path(temporary)
        if not (name / "small").exists():
            warm_up(name, arguments, rows)
        for n in arguments.sizes:
            folder = name / str(n)
            if not folder.exists():
                folder.mkdir()
                write_inputs(folder, n, with_text=n <= arguments.peers_up_to)
            for code, command in codes(folder, n).items():
                if arguments.only and code not in arguments.only:
                    continue
                if command is None:
                    print(f"{n:4d} {code:36s} skipped: not found (see the head of this file)")
                    continue
                if n > largest(code, arguments):
                    print(f"{n:4d} {code:36s} skipped at this size (see --help)")
                    continue
                row = {"size": n, "code": code}
                row |= measure(command, folder, Path(name), arguments.limit)
                row.pop("text", "")
                volumes = row.pop("volumes", None)
                row.pop("populations", None)
                if code == "zeroflux weight" and volumes:
                    np.save(folder / "volumes.npy", volumes)
                if volumes and (folder / "volumes.npy").exists():
                    error = np.array(volumes) * unit(code) - np.load(folder / "volumes.npy")
                    row["volume_rms_from_ours_bohr3"] = float(np.sqrt(np.mean(error**2)))
                rows[:] = [r for r in rows if (r["size"], r["code"]) != (n, code)] + [row]
                print(f"{n:4d} {code:36s} cpu {row['cpu_s']:8.2f} s  {row['peak_gb']:.2f} GB", row)
                save(rows, arguments)
            if not arguments.keep:
                shutil.rmtree(folder)


def earlier_rows(output: Path) -> list[dict]:
    """Rows of an earlier call, to which others are added."""
    file = output.with_suffix(".json")
    return json.loads(file.read_text())["runs"] if file.exists() else []


def warm_up(folder: Path, arguments: argparse.Namespace, rows: list[dict]) -> None:
    """Fill the caches of all Python codes on a small grid; for zeroflux the first call counts."""
    small = folder / "small"
    small.mkdir(parents=True)
    write_inputs(small, 40, with_text=True)
    commands = codes(small, 40)
    for code in sorted(commands, key=lambda code: code != "zeroflux basins CHGCAR"):
        command = commands[code]
        if command is None or "python" not in Path(command[0]).name:
            continue
        if not arguments.only or code in arguments.only:
            row = measure(command, small, folder, 600)
            if code == "zeroflux basins CHGCAR":
                kept = {k: row[k] for k in ("cpu_s", "wall_s", "peak_gb", "exit")}
                rows.append({"size": 40, "code": f"{code}, first call ever", **kept})
                print(rows[-1])


def largest(code: str, arguments: argparse.Namespace) -> int:
    """Largest size at which a code is run."""
    if code == "zeroflux neargrid":
        return arguments.neargrid_up_to
    if code in ("zeroflux basins CHGCAR", "weight_int"):
        return arguments.peers_up_to
    return 10_000 if code.startswith("zeroflux") else arguments.other_peers_up_to


def unit(code: str) -> float:
    """Factor from a code's volumes to bohr³."""
    return 1.0 if code.startswith("zeroflux") else ANGSTROM**3


def processor() -> str:
    """Processor model and number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores"


def save(rows: list[dict], arguments: argparse.Namespace) -> None:
    """JSON with everything and a Markdown table with ratios to the command on the same file."""
    rows.sort(key=lambda row: row["size"])
    record = {"processor": processor(), "date": date.today().isoformat(), "runs": rows}
    arguments.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    lines = [
        f"{record['processor']}, shared with other work; {record['date']}. CPU seconds and peak",
        "resident memory (1e9 bytes) of the whole process (start, imports, input, partition,",
        "integrals); the partition, its chain (what two idle cores would take) and three",
        "integrals by themselves.",
        "A peak is at least that of the process that starts a code (so Linux counts): small ones",
        "and those of peers that equal ours, are upper bounds. Codes were stopped after "
        f"{arguments.limit} CPU s.",
        "",
        "| points | code | CPU s | peak GB | CPU s / zeroflux basins | partition | its chain |"
        " integrals | copy-passes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = [r for r in rows if r["size"] == row["size"]]
        ours = next((r for r in same if r["code"] == "zeroflux basins CHGCAR"), None)
        inner = ["", "", "", ""]
        if "partition_cpu_s" in row:
            total = row["partition_cpu_s"] + row["integrate_cpu_s"]
            keys = ("partition_cpu_s", "partition_chain_s", "integrate_cpu_s")
            passes = f"{total / row['copy_s']:.0f}" if row["copy_s"] > 0.0 else ""
            inner = [*(f"{row[k]:.3f}" for k in keys), passes]
        ratio = "" if ours is None else f"{row['cpu_s'] / ours['cpu_s']:.1f}"
        stopped = row["exit"] and row["cpu_s"] > 0.95 * arguments.limit
        cells = [f"> {row['cpu_s']:.0f}" if stopped else f"{row['cpu_s']:.2f}"]
        cells += [f"{row['peak_gb']:.2f}", f"> {ratio}" if stopped else ratio, *inner]
        if row["exit"] and not stopped:
            cells[2] = "failed"
        lines.append(f"| {row['size']}³ | {row['code']} | {' | '.join(cells)} |")
    arguments.output.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
