"""What two threads gain on one partition, beside what two independent processes gain.

    python benchmarks/basins/threads.py --size 300 --rounds 10

A round is, in turn: one partition by one thread, one by two threads, and two independent ones at
the same time, each by one thread in a process of its own. The last says how much two cores of the
machine give to this work at most. Wall times; beside each the part of the two cores that all other
processes took meanwhile (from /proc/stat), and the medians of samples for which that is small.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from zeroflux.grids import UniformGrid
from zeroflux.partition import ARGON_LIKE, basins, gaussian_promolecule, spread_frame

LENGTH = 21.85  # bohr; the density of compare.py
N_ATOMS = 32
QUIET = 0.05  # part of the two cores that others may take


def work(size: int, file: str, connection: Connection) -> None:
    """Do partitions with the number of threads that is asked for; answer with wall times."""
    frame = spread_frame(N_ATOMS, LENGTH, seed=1)
    density, grid = np.load(file), UniformGrid(frame.cell, (size, size, size))
    connection.send("ready")
    while (n_threads := connection.recv()) is not None:
        start = time.perf_counter()
        basins(density, grid, frame, n_threads=n_threads)
        connection.send((time.perf_counter() - start, time.process_time()))


def cpu_of_all() -> float:
    """CPU seconds that all processes have taken since the machine was started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(x) for x in fields]
    busy = sum(ticks) - ticks[3] - ticks[4]  # all but idle and waiting for the disk
    return busy / os.sysconf("SC_CLK_TCK")


def sample(workers: list[Connection], used: dict[int, float], n_threads: int) -> dict[str, float]:
    """One partition by each of the workers at the same time."""
    before, start = cpu_of_all(), time.perf_counter()
    for worker in workers:
        worker.send(n_threads)
    answers = [worker.recv() for worker in workers]
    wall = time.perf_counter() - start
    own = 0.0
    for worker, (_, total) in zip(workers, answers, strict=True):
        own += total - used.get(id(worker), 0.0)
        used[id(worker)] = total
    others = max(0.0, cpu_of_all() - before - own) / (2.0 * wall)
    return {"wall_s": max(t for t, _ in answers), "cpu_s": own, "others": others}


def main() -> None:
    """Run the rounds and print what is gained."""
    parser = argparse.ArgumentParser(description="Gain of two threads on a partition.")
    parser.add_argument("--size", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("-o", "--output", type=Path, help="JSON file of all samples")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        summarise(measured(arguments.size, arguments.rounds, Path(folder)), arguments)


def measured(size: int, rounds: int, folder: Path) -> dict[str, list[dict]]:
    """Samples of each way of working, from processes that share nothing but the density's file."""
    file = folder / "density.npy"
    frame = spread_frame(N_ATOMS, LENGTH, seed=1)
    grid = UniformGrid(frame.cell, (size, size, size))
    np.save(file, gaussian_promolecule(frame, grid, [ARGON_LIKE] * N_ATOMS))
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(2)]
    for _, far in pipes:
        context.Process(target=work, args=(size, str(file), far), daemon=True).start()
    workers = [near for near, _ in pipes]
    for worker in workers:
        worker.recv()
    used: dict[int, float] = {}
    plans = {
        "one thread": (workers[:1], 1),
        "two threads": (workers[:1], 2),
        "two processes": (workers, 1),
    }
    for chosen, n_threads in plans.values():  # compiled code, and memory that was never touched
        sample(chosen, used, n_threads)
    samples: dict[str, list[dict]] = {name: [] for name in plans}
    for _ in range(rounds):
        for name, (chosen, n_threads) in plans.items():
            samples[name].append(sample(chosen, used, n_threads))
    for worker in workers:
        worker.send(None)
    return samples


def summarise(samples: dict[str, list[dict]], arguments: argparse.Namespace) -> None:
    """Medians of the quiet samples and their ratios; everything into the file."""
    medians = {}
    for name, all_of_it in samples.items():
        quiet = [s["wall_s"] for s in all_of_it if s["others"] < QUIET]
        medians[name] = float(np.median(quiet)) if quiet else float("nan")
        walls = " ".join(f"{s['wall_s']:.2f} ({s['others']:.0%})" for s in all_of_it)
        print(f"{name:14s} median of {len(quiet)} quiet {medians[name]:.3f} s | {walls}")
    gain = medians["one thread"] / medians["two threads"]
    limit = 2.0 * medians["one thread"] / medians["two processes"]
    print(f"two threads: {gain:.2f} times; two processes: {limit:.2f} times")
    record = {"size": arguments.size, "date": date.today().isoformat(), "median_wall_s": medians}
    record |= {"gain_of_two_threads": gain, "gain_of_two_processes": limit, "samples": samples}
    if arguments.output:
        arguments.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
