"""Compiled sweeps over the grid. Labels are int32 arrays that change meaning as the work goes on.

1. `point_uphill` writes ``-1`` at a voxel without higher neighbour (a top) and ``-2 - s`` at one
   whose steepest ascent leads to neighbour ``s``.
2. The caller puts the owning atom (0, 1, ...) at the tops; `follow_pointers` copies it to all
   voxels whose steepest ascent ends there.
3. `find_seams` marks voxels with a higher neighbour of another owner by adding `QUEUED`.
4. `mix_weights` turns what is shared by several atoms into ``-1 - slot`` and back into the
   dominant owner when it has finished.

All kernels release the GIL and work on a slab ``begin <= i < end`` of the first index where that
is meaningful, so that threads can share the work.
"""

from __future__ import annotations

import typing

import numpy as np
from numba import njit

QUEUED = 1 << 30


@typing.no_type_check
@njit(cache=True, nogil=True)
def point_uphill(field, offsets, slopes, labels, begin, end):
    n_a, n_b, n_c = field.shape
    best = np.empty(n_c)
    choice = np.empty(n_c, np.int32)
    for i in range(begin, end):
        for j in range(n_b):
            centre = field[i, j]
            best[:] = 0.0
            choice[:] = -1
            for s in range(offsets.shape[0]):
                row = field[(i + offsets[s, 0]) % n_a, (j + offsets[s, 1]) % n_b]
                step = offsets[s, 2]
                slope = slopes[s]
                mark = np.int32(-2 - s)
                for k in range(max(0, -step), min(n_c, n_c - step)):
                    rise = slope * (row[k + step] - centre[k])
                    up = rise > best[k]
                    best[k] = rise if up else best[k]
                    choice[k] = mark if up else choice[k]
                for edge in range(abs(step)):  # the few voxels whose neighbour wraps around
                    k = (edge if step < 0 else n_c - 1 - edge) % n_c
                    rise = slope * (row[(k + step) % n_c] - centre[k])
                    if rise > best[k]:
                        best[k] = rise
                        choice[k] = mark
            labels[i, j] = choice


@typing.no_type_check
@njit(cache=True, nogil=True)
def follow_pointers(labels, offsets, begin, end):
    n_a, n_b, n_c = labels.shape
    flat = labels.ravel()
    path = np.empty(4096, np.int64)
    for i0 in range(begin, end):
        for j0 in range(n_b):
            for k0 in range(n_c):
                owner = labels[i0, j0, k0]
                if owner >= 0:
                    continue
                i, j, k = i0, j0, k0
                n = 0
                while owner < 0:
                    if n == path.size:
                        longer = np.empty(2 * n, np.int64)
                        longer[:n] = path
                        path = longer
                    path[n] = (i * n_b + j) * n_c + k
                    n += 1
                    s = -2 - owner
                    i = _wrap(i + offsets[s, 0], n_a)
                    j = _wrap(j + offsets[s, 1], n_b)
                    k = _wrap(k + offsets[s, 2], n_c)
                    owner = labels[i, j, k]
                for m in range(n):
                    flat[path[m]] = owner


@typing.no_type_check
@njit(cache=True, nogil=True, inline="always")
def _wrap(i, n):
    if i < 0 or i >= n:
        i %= n
    return i


@typing.no_type_check
@njit(cache=True, nogil=True)
def find_seams(field, labels, offsets, begin, end):
    n_a, n_b, n_c = field.shape
    found = np.empty(1024, np.int64)
    n = 0
    seam = np.empty(n_c, np.bool_)
    for i in range(begin, end):
        for j in range(n_b):
            seam[:] = False
            centre = field[i, j]
            owner = labels[i, j]
            for s in range(offsets.shape[0]):
                a = (i + offsets[s, 0]) % n_a
                b = (j + offsets[s, 1]) % n_b
                row = field[a, b]
                others = labels[a, b]
                step = offsets[s, 2]
                for k in range(max(0, -step), min(n_c, n_c - step)):
                    differ = others[k + step] != owner[k]
                    seam[k] |= differ & (row[k + step] > centre[k])
                for edge in range(abs(step)):
                    k = (edge if step < 0 else n_c - 1 - edge) % n_c
                    m = (k + step) % n_c
                    seam[k] |= (others[m] != owner[k]) & (row[m] > centre[k])
            for k in range(n_c):
                if seam[k]:
                    if n == found.size:
                        longer = np.empty(2 * n, np.int64)
                        longer[:n] = found
                        found = longer
                    found[n] = (i * n_b + j) * n_c + k
                    n += 1
    return found[:n].copy()


@typing.no_type_check
@njit(cache=True, nogil=True)
def mix_weights(
    field,
    labels,
    offsets,
    conductances,
    seams,
    seed_voxels,
    seed_offsets,
    seed_owners,
    n_atoms,
    cutoff,
):
    n_a, n_b, n_c = field.shape
    n_s = offsets.shape[0]
    values = field.ravel()
    flat = labels.ravel()
    n_slots = seed_voxels.size
    voxels = np.empty(max(1024, 2 * n_slots, seams.size), np.int64)
    starts = np.empty(voxels.size + 1, np.int64)
    owners = np.empty(max(2 * voxels.size, 2 * seed_owners.size), np.int32)
    weights = np.empty(owners.size)
    starts[0] = 0
    heap = np.empty(max(1024, 2 * seams.size), np.int64)
    n_heap = 0
    for voxel in seams:
        flat[voxel] |= QUEUED
        n_heap = _push(heap, n_heap, values, voxel)
    for slot in range(n_slots):  # tops that several atoms share
        voxel = seed_voxels[slot]
        voxels[slot] = voxel
        first, last = seed_offsets[slot], seed_offsets[slot + 1]
        starts[slot + 1] = last
        for m in range(first, last):
            owners[m] = seed_owners[m]
            weights[m] = 1.0 / (last - first)
        flat[voxel] = -1 - slot
        i, j, k = voxel // (n_b * n_c), voxel // n_c % n_b, voxel % n_c
        for s in range(n_s):
            a, b = (i + offsets[s, 0]) % n_a, (j + offsets[s, 1]) % n_b
            near = (a * n_b + b) * n_c + (k + offsets[s, 2]) % n_c
            if values[near] < values[voxel] and 0 <= flat[near] < QUEUED:
                flat[near] |= QUEUED
                heap, n_heap = _grow(heap, n_heap)
                n_heap = _push(heap, n_heap, values, near)
    share = np.zeros(n_atoms)
    touched = np.empty(n_atoms, np.int64)
    downhill = np.empty(n_s, np.int64)
    while n_heap > 0:
        voxel, n_heap = _pop(heap, n_heap, values)
        here = values[voxel]
        i, j, k = voxel // (n_b * n_c), voxel // n_c % n_b, voxel % n_c
        n_touched = 0
        n_down = 0
        total = 0.0
        for s in range(n_s):
            a = _wrap(i + offsets[s, 0], n_a)
            b = _wrap(j + offsets[s, 1], n_b)
            near = (a * n_b + b) * n_c + _wrap(k + offsets[s, 2], n_c)
            rise = values[near] - here
            if rise > 0.0:
                flux = rise * conductances[s]
                total += flux
                label = flat[near]
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
                downhill[n_down] = near
                n_down += 1
        dominant = touched[0]
        for t in range(n_touched):
            if share[touched[t]] > share[dominant] or (
                share[touched[t]] == share[dominant] and touched[t] < dominant
            ):
                dominant = touched[t]
        kept = 0.0
        n_kept = 0
        for t in range(n_touched):
            if share[touched[t]] > cutoff * total:
                kept += share[touched[t]]
                n_kept += 1
        before = flat[voxel] - QUEUED
        if n_kept > 1:
            if n_slots == voxels.size:
                voxels = _doubled(voxels)
                starts = _doubled(starts)
            first = starts[n_slots]
            if first + n_kept > owners.size:
                owners = _doubled(owners)
                weights = _doubled(weights)
            m = first
            for t in range(n_touched):
                owner = touched[t]
                if share[owner] > cutoff * total:
                    owners[m] = owner
                    weights[m] = share[owner] / kept
                    m += 1
            voxels[n_slots] = voxel
            starts[n_slots + 1] = m
            flat[voxel] = -1 - n_slots
            n_slots += 1
        else:
            flat[voxel] = dominant
        if n_kept > 1 or dominant != before:
            for t in range(n_down):
                near = downhill[t]
                if flat[near] < QUEUED:
                    flat[near] |= QUEUED
                    if n_heap == heap.size:
                        heap = _doubled(heap)
                    n_heap = _push(heap, n_heap, values, near)
        for t in range(n_touched):
            share[touched[t]] = 0.0
    for slot in range(n_slots):
        dominant = starts[slot]
        for m in range(starts[slot], starts[slot + 1]):
            if weights[m] > weights[dominant]:
                dominant = m
        flat[voxels[slot]] = owners[dominant]
    n_entries = starts[n_slots]
    return (
        voxels[:n_slots].copy(),
        starts[: n_slots + 1].copy(),
        owners[:n_entries].copy(),
        weights[:n_entries].copy(),
    )


@typing.no_type_check
@njit(cache=True, nogil=True)
def _doubled(array):
    longer = np.empty(2 * array.size, array.dtype)
    longer[: array.size] = array
    return longer


@typing.no_type_check
@njit(cache=True, nogil=True)
def _grow(heap, n_heap):
    if n_heap == heap.size:
        heap = _doubled(heap)
    return heap, n_heap


@typing.no_type_check
@njit(cache=True, nogil=True)
def _push(heap, n, values, voxel):
    value = values[voxel]
    child = n
    while child > 0:
        parent = (child - 1) >> 1
        if values[heap[parent]] >= value:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = voxel
    return n + 1


@typing.no_type_check
@njit(cache=True, nogil=True)
def _pop(heap, n, values):
    top = heap[0]
    n -= 1
    last = heap[n]
    value = values[last]
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= n:
            break
        if child + 1 < n and values[heap[child + 1]] > values[heap[child]]:
            child += 1
        if values[heap[child]] <= value:
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = last
    return top, n


@typing.no_type_check
@njit(cache=True, nogil=True)
def sum_by_owner(field, labels, sums):
    for i in range(field.shape[0]):
        for j in range(field.shape[1]):
            row = field[i, j]
            owner = labels[i, j]
            k = 0
            while k < row.size:
                run = owner[k]
                total = 0.0
                while k < row.size and owner[k] == run:
                    total += row[k]
                    k += 1
                sums[run] += total


@typing.no_type_check
@njit(cache=True, nogil=True)
def share_by_weight(values, dominant, starts, owners, weights, sums):
    """Move what other atoms own of the fractional voxels away from the dominant owner."""
    for slot in range(values.size):
        main = dominant[slot]
        for m in range(starts[slot], starts[slot + 1]):
            if owners[m] != main:
                sums[owners[m]] += weights[m] * values[slot]
                sums[main] -= weights[m] * values[slot]


@typing.no_type_check
@njit(cache=True, nogil=True)
def field_range(field):
    """Smallest and largest value, sum, and sum of the negative values."""
    low = np.inf
    high = -np.inf
    total = 0.0
    negative = 0.0
    for i in range(field.shape[0]):
        for j in range(field.shape[1]):
            row = field[i, j]
            line = 0.0
            least = row[0]
            most = row[0]
            below = 0.0
            for k in range(row.size):
                value = row[k]
                line += value
                least = min(least, value)
                most = max(most, value)
                below += min(value, 0.0)
            low = min(low, least)
            high = max(high, most)
            total += line
            negative += below
    return low, high, total, negative


@typing.no_type_check
@njit(cache=True, nogil=True)
def find_facets(labels, offsets):
    """Voxels with a facet towards another owner, and the number of that neighbour."""
    n_a, n_b, n_c = labels.shape
    voxels = np.empty(1024, np.int64)
    neighbours = np.empty(1024, np.int64)
    n = 0
    for i in range(n_a):
        for j in range(n_b):
            for s in range(offsets.shape[0]):
                others = labels[(i + offsets[s, 0]) % n_a, (j + offsets[s, 1]) % n_b]
                for k in range(n_c):
                    if others[_wrap(k + offsets[s, 2], n_c)] != labels[i, j, k]:
                        if n == voxels.size:
                            voxels = _doubled(voxels)
                            neighbours = _doubled(neighbours)
                        voxels[n] = (i * n_b + j) * n_c + k
                        neighbours[n] = s
                        n += 1
    return voxels[:n].copy(), neighbours[:n].copy()


@typing.no_type_check
@njit(cache=True, nogil=True)
def follow_near_grid(field, labels, inverse_metric, offsets):
    """Near-grid ascent from every voxel, then again from all voxels next to another basin."""
    n_a, n_b, n_c = field.shape
    pointers = labels.copy()
    flat = labels.ravel()
    path = np.empty(1024, np.int64)
    for i in range(n_a):
        for j in range(n_b):
            for k in range(n_c):
                if labels[i, j, k] < 0:
                    n, owner, path = _near_grid_path(
                        field, labels, pointers, inverse_metric, offsets, i, j, k, False, path
                    )
                    for m in range(n):
                        flat[path[m]] = owner
    for _ in range(50):  # ends when no voxel at an edge changes its owner
        changed = 0
        for i in range(n_a):
            for j in range(n_b):
                for k in range(n_c):
                    if pointers[i, j, k] < 0 and _is_edge(labels, offsets, i, j, k):
                        n, owner, path = _near_grid_path(
                            field, labels, pointers, inverse_metric, offsets, i, j, k, True, path
                        )
                        if owner != labels[i, j, k]:
                            labels[i, j, k] = owner
                            changed += 1
        if changed == 0:
            break


@typing.no_type_check
@njit(cache=True, nogil=True)
def _is_edge(labels, offsets, i, j, k):
    n_a, n_b, n_c = labels.shape
    owner = labels[i, j, k]
    for s in range(offsets.shape[0]):
        a = _wrap(i + offsets[s, 0], n_a)
        b = _wrap(j + offsets[s, 1], n_b)
        if labels[a, b, _wrap(k + offsets[s, 2], n_c)] != owner:
            return True
    return False


@typing.no_type_check
@njit(cache=True, nogil=True)
def _near_grid_path(field, labels, pointers, inverse_metric, offsets, i, j, k, to_inside, path):
    """Voxels on the way up, until a labelled one (or one inside a basin, or a top) is met."""
    n_a, n_b, n_c = field.shape
    shape = (n_a, n_b, n_c)
    n = 0
    slope = np.empty(3)
    step = np.empty(3)
    rest = np.zeros(3)
    here = np.array([i, j, k])
    ahead = np.empty(3, np.int64)
    while True:
        voxel = (here[0] * n_b + here[1]) * n_c + here[2]
        owner = labels[here[0], here[1], here[2]]
        pointer = pointers[here[0], here[1], here[2]]
        if pointer >= 0:  # a top: the caller wrote its owner before the ascent
            return n, owner, path
        known = owner >= 0 and n > 0
        if known and not (to_inside and _is_edge(labels, offsets, here[0], here[1], here[2])):
            return n, owner, path
        if n == path.size:
            path = _doubled(path)
        path[n] = voxel
        n += 1
        value = field[here[0], here[1], here[2]]
        for d in range(3):
            ahead[:] = here
            ahead[d] = _wrap(here[d] + 1, shape[d])
            after = field[ahead[0], ahead[1], ahead[2]]
            ahead[d] = _wrap(here[d] - 1, shape[d])
            before = field[ahead[0], ahead[1], ahead[2]]
            slope[d] = 0.0 if (after < value and before < value) else 0.5 * (after - before)
        largest = 0.0
        for d in range(3):
            step[d] = 0.0
            for e in range(3):
                step[d] += inverse_metric[d, e] * slope[e]
            largest = max(largest, abs(step[d]))
        on_grid = largest == 0.0
        if not on_grid:
            for d in range(3):
                whole = np.rint(step[d] / largest)
                rest[d] += step[d] / largest - whole
                more = np.rint(rest[d])
                rest[d] -= more
                ahead[d] = _wrap(here[d] + int(whole + more), shape[d])
            voxel = (ahead[0] * n_b + ahead[1]) * n_c + ahead[2]
            for m in range(n):
                if path[m] == voxel:
                    on_grid = True
                    break
        if on_grid:
            s = -2 - pointer
            rest[:] = 0.0
            for d in range(3):
                ahead[d] = _wrap(here[d] + offsets[s, d], shape[d])
        here[:] = ahead
