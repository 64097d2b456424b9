"""How fast cube and CHGCAR files are read: zeroflux, NumPy, ASE, pybader, baderkit.

Usage: python benchmarks/volumetric/read_speed.py [--shapes 120 200 300] [--folder /dev/shm]

Every reader runs in a process of its own, once on a small file (compilation, imports), then on the
large one. CPU seconds and peak memory are reported: wall time depends on what else the machine
does. Files should lie in memory (/dev/shm), so that disks do not count. pybader and baderkit are
run by the interpreter named in ZEROFLUX_BENCH_PEER_PYTHON, and skipped with a message without it.
Results go to results.json and results.md beside this script.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from zeroflux import Frame, UniformGrid
from zeroflux.volumetric import VolumetricData, cube, vasp

HERE = Path(__file__).parent
OURS = "from zeroflux.volumetric import read_volumetric\ndef read(path): return "
HEADER = """
import numpy as np
def header(f):
    f.readline(); f.readline()
    n = int(f.readline().split()[0])
    shape = [int(f.readline().split()[0]) for _ in range(3)]
    for _ in range(n): f.readline()
    return shape
"""
READERS: dict[str, dict[str, str]] = {
    "cube": {
        "zeroflux": OURS + "read_volumetric(path).first",
        "zeroflux, 2 threads": OURS + "read_volumetric(path, n_threads=2).first",
        "numpy.fromstring": HEADER + "def read(path):\n with open(path) as f:\n  s = header(f)\n"
        "  return np.fromstring(f.read(), sep=' ').reshape(s)",
        "numpy.loadtxt": HEADER + "def read(path):\n with open(path) as f:\n  s = header(f)\n"
        "  return np.loadtxt(f).reshape(s)",
        "split and numpy.array": HEADER
        + "def read(path):\n with open(path) as f:\n  s = header(f)\n"
        "  return np.array(f.read().split(), dtype=float).reshape(s)",
        "ase.io.cube": "from ase.io.cube import read_cube\n"
        "def read(path):\n with open(path) as f: return read_cube(f)['data']",
        "pybader 0.3.12": "from pybader.io.cube import read as r\n"
        "def read(path): return r(path)[0]['charge']",
        "baderkit 0.10.2": "from baderkit.toolkit.grid import Grid\n"
        "def read(path): return Grid.from_cube(path, data_type='charge').total",
    },
    "CHGCAR": {
        "zeroflux": OURS + "read_volumetric(path).first",
        "zeroflux, 2 threads": OURS + "read_volumetric(path, n_threads=2).first",
        "ase VaspChargeDensity": "from ase.calculators.vasp import VaspChargeDensity\n"
        "def read(path): return VaspChargeDensity(path).chg[0]",
        "pybader 0.3.12": "from pybader.io.vasp import read as r\n"
        "def read(path): return r(path)[0]['charge']",
        "baderkit 0.10.2": "from baderkit.toolkit.grid import Grid\n"
        "def read(path): return Grid.from_vasp(path, data_type='charge').total",
    },
}
PEERS = ("pybader", "baderkit")
HARNESS = r"""
import contextlib, io, json, re, sys, time
{reader}
small, large = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):
    read(small)
    before = time.process_time()
    values = read(large)
    cpu = time.process_time() - before
# not ru_maxrss, which a process inherits from its parent
peak = int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1]) * 1024
print(json.dumps(dict(cpu_s=cpu, peak_bytes=peak, shape=list(values.shape),
                      mean=float(abs(values).mean()))))
"""


def density(n: int) -> VolumetricData:
    """A smooth positive field on n³ points of a cubic cell with 32 atoms."""
    cell = np.eye(3) * 21.7
    grid = UniformGrid(cell=cell, shape=(n, n, n))
    positions = np.random.default_rng(1).random((32, 3)) @ cell
    frame = Frame(np.full(32, 18), positions, cell)
    waves = [np.exp(4.0 * np.cos(2 * np.pi * (np.arange(n) / n - x))) for x in (0.1, 0.3, 0.6)]
    values = (waves[0][:, None] * waves[1])[:, :, None] * waves[2]
    values *= 256.0 / (values.sum() * grid.voxel_volume)
    return VolumetricData(grid, {"total": values}, frame)


def limit(path: Path, n: int) -> float:
    """CPU seconds to read the bytes into a buffer and to copy the array once: the lower bound."""
    code = (
        "import sys, time, numpy as np\n"
        "b = np.ones(1 << 21, np.uint8); a = np.ones(int(sys.argv[2]) ** 3); c = a.copy()\n"
        "t = time.process_time()\n"
        "with open(sys.argv[1], 'rb', buffering=0) as f:\n"
        "    while f.readinto(b): pass\n"
        "c[:] = a\n"
        "print(time.process_time() - t)"
    )
    command = [sys.executable, "-c", code, str(path), str(n)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(name: str, reader: str, small: Path, large: Path) -> dict[str, object] | None:
    """CPU seconds and peak memory of one reader; None with a message if it is not there."""
    python = sys.executable
    if name.startswith(PEERS):
        python = os.environ.get("ZEROFLUX_BENCH_PEER_PYTHON", "")
        if not python:
            print(f"{name}: skipped, ZEROFLUX_BENCH_PEER_PYTHON is not set")
            return None
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    command = [python, "-W", "ignore", "-c", HARNESS.format(reader=reader), str(small), str(large)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if run.returncode:
        reason = run.stderr.strip().splitlines()[-1] if run.stderr.strip() else "no message"
        print(f"{name}: failed on {large.name}: {reason}")
        return {"failed": reason}
    return json.loads(run.stdout.strip().splitlines()[-1])


def markdown(results: list[dict], machine: str) -> str:
    """The table of results."""
    lines = [
        "# Reading speed of volumetric text files",
        "",
        f"Machine: {machine}. CPU seconds of one read (second call, file in memory); written by",
        "`read_speed.py`. The limit is reading the bytes plus one copy of the array.",
        "",
        "| file | reader | CPU s | MB/s | peak GB | CPU time / zeroflux |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        if "cpu_s" not in r:
            lines.append(f"| {r['file']} | {r['reader']} | failed: {r['failed']} | | | |")
            continue
        peak = f"{r['peak_bytes'] / 1e9:.2f}" if "peak_bytes" in r else ""
        lines.append(
            f"| {r['file']} | {r['reader']} | {r['cpu_s']:.2f} | "
            f"{r['file_bytes'] / r['cpu_s'] / 1e6:.0f} | {peak} | {r['ratio']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the files, run all readers, report."""
    parser = argparse.ArgumentParser(description="Reading speed of cube and CHGCAR files.")
    parser.add_argument("--shapes", type=int, nargs="+", default=[120, 200, 300])
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        small = {"cube": folder / "small.cube", "CHGCAR": folder / "CHGCAR_small"}
        cube.write(small["cube"], density(12), digits=5)
        vasp.write(small["CHGCAR"], density(12))
        for n in options.shapes:
            for kind, readers in READERS.items():
                path = folder / (f"{n}.cube" if kind == "cube" else f"CHGCAR_{n}")
                if kind == "cube":
                    cube.write(path, density(n), digits=5, header_decimals=6)
                else:
                    vasp.write(path, density(n))
                size = path.stat().st_size
                base = {"file": f"{kind} {n}³", "file_bytes": size}
                rows = [base | {"reader": "limit", "cpu_s": limit(path, n)}]
                for reader, code in readers.items():
                    found = measure(reader, code, small[kind], path)
                    if found is not None:
                        rows.append(base | {"reader": reader} | found)
                    print(rows[-1])
                ours = next(r["cpu_s"] for r in rows if r["reader"] == "zeroflux")
                results += [r | {"ratio": r["cpu_s"] / ours} if "cpu_s" in r else r for r in rows]
                path.unlink()
    machine = f"{_cpu()}, {os.cpu_count()} cores (shared), Python {platform.python_version()}"
    (HERE / "results.json").write_text(
        json.dumps({"machine": machine, "results": results}, indent=1) + "\n"
    )
    text = markdown(results, machine)
    (HERE / "results.md").write_text(text)
    print(text)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
