"""Check of the learning-rate rule: is the best rate the same at every width?

    python benchmarks/potentials/learning_rate.py

Held-out *totals* of the Lennard-Jones set of `known_answer.py` against the learning rate, for
Behler-Parrinello networks of four sizes, with the rule of `learning_rate_scales` and, as a
control, with the full rate for every matrix. Site energies play no part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import jax
from calculator_scaling import cpu_model
from known_answer import CUTOFF, N_TRAINING, lennard_jones_argon

import zeroflux.training.fit as training
from zeroflux.potentials.energy import composition, prepared_inputs
from zeroflux.potentials.layers import learning_rate_scales, n_parameters
from zeroflux.potentials.registry import sized_architecture
from zeroflux.training.cells import split
from zeroflux.training.schedule import Schedule
from zeroflux.units import MILLIELECTRONVOLT

SIZES = (60, 600, 6000, 30000)
RATES = (0.003, 0.01, 0.03, 0.1)
N_SEEDS = 2


def held_out_errors(size: int, n_steps: int) -> list[dict]:
    """Held-out error of totals at each rate (meV/atom), mean over seeds."""
    frames, totals = DATA
    architecture = sized_architecture("bpnn", size, cutoff=CUTOFF, n_species=1)
    inputs = prepared_inputs(architecture, frames, [18])
    train, held_out = split(N_TRAINING, 0, held_out_fraction=0.2, seed=0)
    rows = []
    for rate in RATES:
        fitted = training.fit(
            architecture,
            inputs,
            training.Totals(composition(frames, [18]), totals),
            train=train,
            held_out=held_out,
            seeds=range(N_SEEDS),
            schedule=Schedule(learning_rate=rate, n_steps=n_steps, patience=n_steps),
        )
        error = sum(one.held_out_rmse for one in fitted) / len(fitted)
        rows.append(
            {
                "n_parameters": n_parameters(fitted[0].params),
                "learning_rate": rate,
                "held_out_total_rmse_mev_per_atom": error / MILLIELECTRONVOLT,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    record = {"machine": cpu_model(), "n_steps": arguments.steps, "results": []}
    full_rate = lambda params: jax.tree.map(lambda _: 1.0, params)  # noqa: E731
    for rule, scales in (("fan-in", learning_rate_scales), ("none", full_rate)):
        training.learning_rate_scales = scales
        jax.clear_caches()  # the rule is compiled in
        for size in SIZES:
            for row in held_out_errors(size, arguments.steps):
                record["results"].append({"rule": rule, **row})
                print(json.dumps(record["results"][-1]), flush=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    BENCHMARK = lennard_jones_argon()
    DATA = (BENCHMARK.frames, BENCHMARK.total_energies)
    main()
