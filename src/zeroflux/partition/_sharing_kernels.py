"""Compiled sweeps that find the voxels several atoms share, and mix their weights.

They start from labels that name the owner at the end of each voxel's steepest ascent.

1. `find_seams` lists voxels with a higher neighbour of another owner; they are marked by adding
   `QUEUED`.
2. `flood_downhill` marks in the same way what lies downhill of those, and adds `ONE_PENDING` for
   each marked higher neighbour.
3. `mix_weights` takes both off again, and writes ``-1 - slot`` where several atoms share a voxel,
   which `write_dominant` turns into the dominant owner.

Kernels release the GIL and work on a slab ``begin <= i < end`` of the first index, so that threads
can share the work. Flat arrays, scratch and lists come from the caller, since compiling their
allocation takes longer than compiling the sweeps; ``stack`` has room for every voxel of the slab,
``outbox`` for every message.
"""

from __future__ import annotations

import typing

import numpy as np

from zeroflux.compilation import njit
from zeroflux.partition._ascent_kernels import wrap

QUEUED = 1 << 30
ONE_PENDING = 1 << 24  # counts up to 26 higher neighbours in bits 24 to 28


@typing.no_type_check
@njit(cache=True, nogil=True)
def find_seams(field, labels, offsets, begin, end, seam, found):
    """List the voxels at a seam; how many they are. ``seam`` has room for a row."""
    n_a, n_b, n_c = field.shape
    n = 0
    for i in range(begin, end):
        for j in range(n_b):
            for k in range(n_c):
                seam[k] = 0
            centre = field[i, j]
            owner = labels[i, j]
            for s in range(offsets.shape[0]):
                a = (i + offsets[s, 0]) % n_a
                b = (j + offsets[s, 1]) % n_b
                row = field[a, b]
                others = labels[a, b]
                step = offsets[s, 2] % n_c
                if step > n_c // 2:
                    step -= n_c
                first, last = max(0, -step), min(n_c, n_c - step)
                _mark_seam(
                    row[first + step : last + step],
                    centre[first:last],
                    others[first + step : last + step],
                    owner[first:last],
                    seam[first:last],
                )
                for edge in range(abs(step)):
                    k = edge if step < 0 else n_c - 1 - edge
                    m = (k + step) % n_c
                    if others[m] != owner[k] and row[m] > centre[k]:
                        seam[k] = 1
            for k in range(n_c):
                if seam[k]:
                    found[n] = (i * n_b + j) * n_c + k
                    n += 1
    return n


@typing.no_type_check
@njit(cache=True, nogil=True)
def _mark_seam(row, centre, others, owner, seam):
    for k in range(centre.size):
        differ = np.uint8(others[k] != owner[k])
        seam[k] |= differ & np.uint8(row[k] > centre[k])


@typing.no_type_check
@njit(cache=True, nogil=True)
def flood_downhill(
    field, labels, shape, offsets, steps, reach, begin, end, arrivals, is_message, stack, outbox
):
    """Mark all voxels downhill of the given ones and count the marked higher neighbours of each.

    ``arrivals`` are voxels to start from, or messages that a marked voxel of another slab lies
    above them. Returns the number of such messages for other slabs, and of voxels newly marked.
    """
    plane = shape[1] * shape[2]
    low, high = begin * plane, end * plane
    n_out = 0
    n_marked = 0
    n_stack = 0
    for m in range(arrivals.size):
        voxel = arrivals[m]
        if labels[voxel] < QUEUED:
            labels[voxel] |= QUEUED
            stack[n_stack] = voxel
            n_stack += 1
        if is_message:
            labels[voxel] += ONE_PENDING
    while n_stack > 0:
        n_stack -= 1
        n_marked += 1
        voxel = stack[n_stack]
        here = field[voxel]
        is_inside = _is_inside(voxel, shape, reach)
        for s in range(steps.size):
            near = voxel + steps[s] if is_inside else _wrapped(voxel, shape, offsets, s)
            if field[near] < here:
                if near < low or near >= high:
                    outbox[n_out] = near
                    n_out += 1
                    continue
                label = labels[near]
                if label < QUEUED:
                    label |= QUEUED
                    stack[n_stack] = near
                    n_stack += 1
                labels[near] = label + ONE_PENDING
    return n_out, n_marked


@typing.no_type_check
@njit(cache=True, nogil=True)
def mix_weights(
    field,
    labels,
    shape,
    offsets,
    steps,
    reach,
    conductances,
    cutoff,
    begin,
    end,
    arrivals,
    is_message,
    stack,
    outbox,
    share,
    touched,
    voxels,
    starts,
    owners,
    weights,
    base,
    n_slots,
    last_entry,
):
    """Weights of the marked voxels of a slab, each as soon as all higher ones are known.

    A voxel is ready when its count of pending higher neighbours has come down to zero. Last in,
    first out keeps the work within a neighbourhood that the cache holds. ``arrivals`` are voxels
    of which some are ready, or messages that a higher voxel of another slab has been done.
    ``share`` has a zero and ``touched`` room for every atom. Returns the number of such messages,
    of slots in use, and of the voxels that are left on the stack if the entries ran out.
    """
    plane = shape[1] * shape[2]
    low, high = begin * plane, end * plane
    n_out = 0
    n_stack = 0
    for m in range(arrivals.size):
        voxel = arrivals[m]
        if is_message:
            labels[voxel] -= ONE_PENDING
        if labels[voxel] < QUEUED + ONE_PENDING:
            stack[n_stack] = voxel
            n_stack += 1
    while n_stack > 0 and starts[base + n_slots] + share.size <= last_entry:
        n_stack -= 1
        voxel = stack[n_stack]
        here = field[voxel]
        is_inside = _is_inside(voxel, shape, reach)
        n_touched = 0
        total = 0.0
        for s in range(steps.size):
            near = voxel + steps[s] if is_inside else _wrapped(voxel, shape, offsets, s)
            rise = field[near] - here
            if rise > 0.0:
                label = labels[near]
                flux = rise * conductances[s]
                total += flux
                if label >= 0:
                    if share[label] == 0.0:
                        touched[n_touched] = label
                        n_touched += 1
                    share[label] += flux
                else:
                    for m in range(starts[-1 - label], starts[-label]):
                        owner = owners[m]
                        if share[owner] == 0.0:
                            touched[n_touched] = owner
                            n_touched += 1
                        share[owner] += flux * weights[m]
            elif rise < 0.0:
                if near < low or near >= high:
                    outbox[n_out] = near
                    n_out += 1
                    continue
                label = labels[near] - ONE_PENDING
                labels[near] = label
                if label < QUEUED + ONE_PENDING:
                    stack[n_stack] = near
                    n_stack += 1
        kept = 0.0
        n_kept = 0
        for t in range(n_touched):
            owner = touched[t]
            if share[owner] > cutoff * total:
                kept += share[owner]
                touched[t] = touched[n_kept]
                touched[n_kept] = owner
                n_kept += 1
        if n_kept > 1:
            slot = base + n_slots
            m = starts[slot]
            for t in range(n_kept):
                owners[m] = touched[t]
                weights[m] = share[touched[t]] / kept
                m += 1
            voxels[slot] = voxel
            starts[slot + 1] = m
            labels[voxel] = -1 - slot
            n_slots += 1
        elif n_touched > 0:
            labels[voxel] = touched[0]
        for t in range(n_touched):
            share[touched[t]] = 0.0
    return n_out, n_slots, n_stack


@typing.no_type_check
@njit(cache=True, nogil=True)
def write_dominant(labels, voxels, starts, owners, weights, first_slot, count):
    """Replace slot numbers in the labels by the owner of the largest weight."""
    for slot in range(first_slot, first_slot + count):
        main = starts[slot]
        for m in range(main + 1, starts[slot + 1]):
            if weights[m] > weights[main] or (
                weights[m] == weights[main] and owners[m] < owners[main]
            ):
                main = m
        labels[voxels[slot]] = owners[main]


@typing.no_type_check
@njit(cache=True, nogil=True)
def _is_inside(voxel, shape, reach):
    """Whether no neighbour of a voxel lies across the edge of the grid."""
    n_a, n_b, n_c = shape
    line = voxel // n_c
    k = voxel - line * n_c
    i = line // n_b
    j = line - i * n_b
    return (
        (i >= reach[0])
        & (i < n_a - reach[0])
        & (j >= reach[1])
        & (j < n_b - reach[1])
        & (k >= reach[2])
        & (k < n_c - reach[2])
    )


@typing.no_type_check
@njit(cache=True, nogil=True)
def _wrapped(voxel, shape, offsets, s):
    """A neighbour of a voxel near the edge of the grid."""
    n_a, n_b, n_c = shape
    line = voxel // n_c
    i = line // n_b
    a = wrap(i + offsets[s, 0], n_a)
    b = wrap(line - i * n_b + offsets[s, 1], n_b)
    return (a * n_b + b) * n_c + wrap(voxel - line * n_c + offsets[s, 2], n_c)
