"""Gradient descent of many seeds at once, stopped by held-out totals, resumable."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Int

from zeroflux.errors import ArtifactError
from zeroflux.potentials.layers import learning_rate_scales
from zeroflux.training.losses import LOSSES, Target
from zeroflux.training.offsets import SpeciesOffsets
from zeroflux.training.schedule import Schedule
from zeroflux.training.state import CurveRow, load_state, save_state
from zeroflux.training.tasks import ScaledTask

logger = logging.getLogger(__name__)

HELD_OUT_AT_ONCE = 64  # configurations of message-passing models


@dataclass(frozen=True, eq=False)
class Fitted:
    """One trained network with everything needed to use it."""

    params: Any
    statistics: dict[str, np.ndarray]
    offsets: SpeciesOffsets
    scale: float
    """Energy of one unit of output (hartree)."""
    held_out_rmse: float
    """Error of held-out totals per atom at the kept parameters (hartree)."""
    best_step: int
    """Step whose parameters were kept."""
    curve: tuple[CurveRow, ...]


def descend(
    architecture: Any,
    task: ScaledTask,
    target: Target,
    train: np.ndarray,
    held_out: np.ndarray,
    seeds: Sequence[int],
    schedule: Schedule,
    state_path: Path | None,
    on_progress: Callable[[int, float], None] | None,
) -> list[Fitted]:
    """Adam on random batches, all seeds side by side, each stopped on its own held-out error."""
    unit = task.per_atom_spread
    batch_size = min(schedule.batch_size, len(train))
    with jax.enable_x64(schedule.is_double):
        # Sets of like size share one compilation: rows are added that no batch ever draws.
        data, constants = jax.device_put((_padded_rows(task.data), task.constants))
        held_out_data, n_held_out = _held_out_rows(task.data, held_out)
        state = _initial_state(architecture, seeds, schedule)
        rows: list[list[CurveRow]] = [[] for _ in seeds]
        if state_path is not None and state_path.exists():
            try:
                state, rows = load_state(state_path, like=state)
            except ArtifactError as error:
                logger.warning("%s This training starts again.", error)
                state_path.unlink()
        while state["step"] < schedule.n_steps and not _all_stopped(state, schedule):
            start = int(state["step"])
            index = _batches(train, seeds, start, batch_size, schedule.interval)
            rates = schedule.rates(start) * architecture.learning_rate_factor
            moving, loss = _advance(
                architecture, target, state["moving"], data, constants, index, rates
            )
            error = np.asarray(
                _held_out_error(architecture, moving["params"], held_out_data, n_held_out),
                np.float64,
            )
            step = start + schedule.interval
            is_running = step - state["best_step"] <= schedule.patience + schedule.interval
            is_better = is_running & (error < state["best_error"])
            state = {
                "step": np.asarray(step),
                "moving": moving,
                "best": _keep_better(is_better, moving["params"], state["best"]),
                "best_error": np.where(is_better, error, state["best_error"]),
                "best_step": np.where(is_better, step, state["best_step"]),
            }
            for k, seed_rows in enumerate(rows):
                if is_running[k]:
                    seed_rows.append(
                        CurveRow(
                            step,
                            float(np.sqrt(loss[k])) * unit,
                            float(error[k]) * unit,
                            float(rates[-1]),
                        )
                    )
            if state_path is not None:
                save_state(state_path, state, rows)
            if on_progress is not None:
                on_progress(step, float(state["best_error"].min()) * unit)
        best = jax.tree.map(np.asarray, state["best"])
    if state_path is not None:
        state_path.unlink(missing_ok=True)
    return [
        Fitted(
            params=jax.tree.map(lambda leaf: leaf[k], best),  # noqa: B023
            statistics=task.statistics,
            offsets=task.offsets,
            scale=task.scale,
            held_out_rmse=float(state["best_error"][k]) * unit,
            best_step=int(state["best_step"][k]),
            curve=tuple(rows[k]),
        )
        for k in range(len(seeds))
    ]


def _initial_state(architecture: Any, seeds: Sequence[int], schedule: Schedule) -> dict[str, Any]:
    dtype = jnp.float64 if schedule.is_double else jnp.float32
    start = [jax.tree.map(np.asarray, architecture.init(int(seed))) for seed in seeds]
    stacked = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves), dtype), *start)
    n_seeds = len(seeds)
    return {
        "step": np.asarray(0),
        "moving": {"params": stacked, "adam": jax.vmap(optax.scale_by_adam().init)(stacked)},
        "best": stacked,
        "best_error": np.full(n_seeds, np.inf),
        "best_step": np.zeros(n_seeds, np.int64),
    }


def _bucket(n: int) -> int:
    """Next power of two, not less than 16."""
    return max(16, 1 << (n - 1).bit_length())


def _padded_rows(data: dict[str, Any]) -> dict[str, Any]:
    """Arrays with copies of their first row up to the next power of two."""

    def pad(leaf: np.ndarray) -> np.ndarray:
        n = _bucket(len(leaf)) - len(leaf)
        return np.concatenate([leaf, np.broadcast_to(leaf[:1], (n, *leaf.shape[1:]))])

    return jax.tree.map(pad, data)


def _held_out_rows(data: dict[str, Any], held_out: np.ndarray) -> tuple[dict[str, Any], Any]:
    """Held-out configurations, filled up with rows whose error is zero, and their true number."""
    kept = {key: data[key] for key in ("inputs", "weight", "target")}
    rows = _padded_rows(jax.tree.map(lambda leaf: leaf[held_out], kept))
    is_real = np.arange(len(rows["weight"])) < len(held_out)
    rows["weight"], rows["target"] = rows["weight"] * is_real, rows["target"] * is_real
    return jax.device_put(rows), np.float32(len(held_out))


def _all_stopped(state: dict[str, Any], schedule: Schedule) -> bool:
    return bool((state["step"] - state["best_step"] > schedule.patience).all())


def _batches(
    train: np.ndarray, seeds: Sequence[int], start: int, batch_size: int, n_steps: int
) -> Int[np.ndarray, "n_seeds n_steps batch"]:
    """Configurations of each step: shuffled passes over the training set, by seed and step."""
    n_passes = -(-n_steps * batch_size // len(train))
    each = []
    for seed in seeds:
        rng = np.random.default_rng([seed, start])
        order = np.concatenate([rng.permutation(train) for _ in range(n_passes)])
        each.append(order[: n_steps * batch_size].reshape(n_steps, batch_size))
    return np.stack(each)


@partial(jax.jit, static_argnames=("architecture", "target"))
def _advance(
    architecture: Any,
    target: Target,
    moving: dict[str, Any],
    data: dict[str, Any],
    constants: dict[str, Any],
    index: Any,
    rates: Any,
) -> tuple[dict[str, Any], Any]:
    """Some steps of Adam for every seed; returns the new state and the mean loss on the way."""
    adam = optax.scale_by_adam()
    loss_function = LOSSES[target]

    def step(carry: dict[str, Any], batch_and_rate: Any) -> tuple[dict[str, Any], Any]:
        rows, rate = batch_and_rate
        batch = {**jax.tree.map(lambda leaf: leaf[rows], data), **constants}
        loss, gradient = jax.value_and_grad(
            lambda params: loss_function(architecture, params, batch)
        )(carry["params"])
        update, adam_state = adam.update(gradient, carry["adam"])
        params = jax.tree.map(
            lambda p, u, s: p - (rate * s).astype(p.dtype) * u,
            carry["params"],
            update,
            learning_rate_scales(carry["params"]),
        )
        return {"params": params, "adam": adam_state}, loss

    def run(one: dict[str, Any], rows: Any) -> tuple[dict[str, Any], Any]:
        one, losses = jax.lax.scan(step, one, (rows, jnp.asarray(rates)))
        return one, losses.mean()

    return jax.vmap(run)(moving, index)


@partial(jax.jit, static_argnames="architecture")
def _held_out_error(architecture: Any, params: Any, rows: dict[str, Any], n_real: Any) -> Any:
    """Root-mean-square error of held-out totals per atom, in units of their spread."""
    n_rows = len(rows["weight"])

    def error(one: Any) -> Any:
        if architecture.is_local or n_rows <= HELD_OUT_AT_ONCE:
            return LOSSES["total"](architecture, one, rows)
        # many neighbour lists at once would need more memory than a training step
        squared = jax.lax.map(
            lambda row: LOSSES["total"](architecture, one, jax.tree.map(lambda x: x[None], row)),
            rows,
            batch_size=HELD_OUT_AT_ONCE,
        )
        return squared.mean()

    mean = jax.vmap(error)(params)
    return jnp.sqrt(mean * (n_rows / n_real.astype(mean.dtype)))


@jax.jit
def _keep_better(is_better: Any, new: Any, old: Any) -> Any:
    def choose(n: Any, o: Any) -> Any:
        return jnp.where(is_better.reshape(-1, *[1] * (n.ndim - 1)), n, o)

    return jax.tree.map(choose, new, old)
