"""Compiled sweeps that find the voxels several atoms share, and mix their weights.

They start from labels that name the owner at the end of each voxel's steepest ascent.

1. `find_seams` lists voxels with a higher neighbour of another owner; they are marked by adding
   `QUEUED`.
2. `flood_downhill` marks in the same way what lies downhill of those, and adds `ONE_PENDING` for
   each marked higher neighbour.
3. `mix_weights` takes both off again, and writes ``-1 - slot`` where several atoms share a voxel,
   which `write_dominant` turns into the dominant owner.

Kernels release the GIL and work on a slab ``begin <= i < end`` of the first index, so that threads
can share the work.
"""

from __future__ import annotations

import typing

import numpy as np
from numba import njit

from zeroflux.partition._ascent_kernels import doubled, wrap

QUEUED = 1 << 30
ONE_PENDING = 1 << 24  # counts up to 26 higher neighbours in bits 24 to 28


@typing.no_type_check
@njit(cache=True, nogil=True)
def find_seams(field, labels, offsets, begin, end):
    n_a, n_b, n_c = field.shape
    found = np.empty(1024, np.int64)
    n = 0
    seam = np.empty(n_c, np.uint8)
    for i in range(begin, end):
        for j in range(n_b):
            seam[:] = 0
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
                    if n == found.size:
                        found = doubled(found)
                    found[n] = (i * n_b + j) * n_c + k
                    n += 1
    return found[:n].copy()


@typing.no_type_check
@njit(cache=True, nogil=True)
def _mark_seam(row, centre, others, owner, seam):
    for k in range(centre.size):
        differ = np.uint8(others[k] != owner[k])
        seam[k] |= differ & np.uint8(row[k] > centre[k])


@typing.no_type_check
@njit(cache=True, nogil=True)
def flood_downhill(field, labels, offsets, begin, end, arrivals, is_message):
    """Mark all voxels downhill of the given ones and count the marked higher neighbours of each.

    ``arrivals`` are voxels to start from, or messages that a marked voxel of another slab lies
    above them. Returns such messages for other slabs, and the number of voxels newly marked.
    """
    n_a, n_b, n_c = field.shape
    steps, reach = _flat_steps(offsets, n_b, n_c)
    values = field.ravel()
    flat = labels.ravel()
    near = np.empty(steps.size, np.int64)
    low, high = begin * n_b * n_c, end * n_b * n_c
    outbox = np.empty(64, np.int64)
    n_out = 0
    n_marked = 0
    stack = np.empty(arrivals.size + 1024, np.int64)
    n_stack = 0
    for voxel in arrivals:
        if flat[voxel] < QUEUED:
            flat[voxel] |= QUEUED
            stack[n_stack] = voxel
            n_stack += 1
        if is_message:
            flat[voxel] += ONE_PENDING
    while n_stack > 0:
        n_stack -= 1
        n_marked += 1
        voxel = stack[n_stack]
        _neighbours(voxel, n_a, n_b, n_c, offsets, steps, reach, near)
        if n_stack + near.size > stack.size:
            stack = doubled(stack)
        if n_out + near.size > outbox.size:
            outbox = doubled(outbox)
        here = values[voxel]
        for s in range(near.size):
            if values[near[s]] < here:
                if near[s] < low or near[s] >= high:
                    outbox[n_out] = near[s]
                    n_out += 1
                    continue
                label = flat[near[s]]
                if label < QUEUED:
                    label |= QUEUED
                    stack[n_stack] = near[s]
                    n_stack += 1
                flat[near[s]] = label + ONE_PENDING
    return outbox[:n_out].copy(), n_marked


@typing.no_type_check
@njit(cache=True, nogil=True)
def mix_weights(
    field,
    labels,
    offsets,
    conductances,
    begin,
    end,
    arrivals,
    is_message,
    n_atoms,
    cutoff,
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
    that are ready, or messages that a higher voxel of another slab has been done. Returns such
    messages, the number of slots in use, and the voxels that are left if the entries ran out.
    """
    n_a, n_b, n_c = field.shape
    steps, reach = _flat_steps(offsets, n_b, n_c)
    values = field.ravel()
    flat = labels.ravel()
    near = np.empty(steps.size, np.int64)
    low, high = begin * n_b * n_c, end * n_b * n_c
    outbox = np.empty(64, np.int64)
    n_out = 0
    stack = np.empty(arrivals.size + 1024, np.int64)
    n_stack = 0
    share = np.zeros(n_atoms)
    touched = np.empty(n_atoms, np.int64)
    for voxel in arrivals:
        if is_message:
            flat[voxel] -= ONE_PENDING
        if flat[voxel] < QUEUED + ONE_PENDING:
            stack[n_stack] = voxel
            n_stack += 1
    while n_stack > 0 and starts[base + n_slots] + n_atoms <= last_entry:
        n_stack -= 1
        voxel = stack[n_stack]
        _neighbours(voxel, n_a, n_b, n_c, offsets, steps, reach, near)
        if n_stack + near.size > stack.size:
            stack = doubled(stack)
        if n_out + near.size > outbox.size:
            outbox = doubled(outbox)
        here = values[voxel]
        n_touched = 0
        total = 0.0
        for s in range(near.size):
            rise = values[near[s]] - here
            if rise > 0.0:
                label = flat[near[s]]
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
                if near[s] < low or near[s] >= high:
                    outbox[n_out] = near[s]
                    n_out += 1
                    continue
                label = flat[near[s]] - ONE_PENDING
                flat[near[s]] = label
                if label < QUEUED + ONE_PENDING:
                    stack[n_stack] = near[s]
                    n_stack += 1
        kept = 0.0
        n_kept = 0
        for t in range(n_touched):
            if share[touched[t]] > cutoff * total:
                kept += share[touched[t]]
                touched[n_kept], touched[t] = touched[t], touched[n_kept]
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
            flat[voxel] = -1 - slot
            n_slots += 1
        elif n_touched > 0:
            flat[voxel] = touched[0]
        for t in range(n_touched):
            share[touched[t]] = 0.0
    return outbox[:n_out].copy(), n_slots, stack[:n_stack].copy()


@typing.no_type_check
@njit(cache=True, nogil=True)
def write_dominant(labels, voxels, starts, owners, weights):
    """Replace the slot numbers in the labels by the owner of the largest weight."""
    flat = labels.ravel()
    for slot in range(voxels.size):
        main = starts[slot]
        for m in range(main + 1, starts[slot + 1]):
            if weights[m] > weights[main] or (
                weights[m] == weights[main] and owners[m] < owners[main]
            ):
                main = m
        flat[voxels[slot]] = owners[main]


@typing.no_type_check
@njit(cache=True, nogil=True)
def close_gap(voxels, starts, owners, weights, n_slots, n_entries, first_slot, count):
    """Move the rows of a later stretch to the end of the first ``n_slots`` rows."""
    shift = n_entries - starts[first_slot]
    for slot in range(count):
        voxels[n_slots + slot] = voxels[first_slot + slot]
        begin, end = starts[first_slot + slot], starts[first_slot + slot + 1]
        for m in range(begin, end):
            owners[m + shift] = owners[m]
            weights[m + shift] = weights[m]
        starts[n_slots + slot] = begin + shift
        starts[n_slots + slot + 1] = end + shift


@typing.no_type_check
@njit(cache=True, nogil=True)
def _flat_steps(offsets, n_b, n_c):
    steps = (offsets[:, 0] * n_b + offsets[:, 1]) * n_c + offsets[:, 2]
    reach = np.empty(3, np.int64)
    for d in range(3):
        reach[d] = np.abs(offsets[:, d]).max()
    return steps, reach


@typing.no_type_check
@njit(cache=True, nogil=True)
def _neighbours(voxel, n_a, n_b, n_c, offsets, steps, reach, near):
    line = voxel // n_c
    k = voxel - line * n_c
    i = line // n_b
    j = line - i * n_b
    inside = (
        (i >= reach[0])
        & (i < n_a - reach[0])
        & (j >= reach[1])
        & (j < n_b - reach[1])
        & (k >= reach[2])
        & (k < n_c - reach[2])
    )
    if inside:
        for s in range(steps.size):
            near[s] = voxel + steps[s]
    else:
        for s in range(steps.size):
            a = wrap(i + offsets[s, 0], n_a)
            b = wrap(j + offsets[s, 1], n_b)
            near[s] = (a * n_b + b) * n_c + wrap(k + offsets[s, 2], n_c)
