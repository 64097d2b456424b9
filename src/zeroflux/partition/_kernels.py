"""Compiled sweeps over the grid. Labels are int32 arrays that change meaning as the work goes on.

1. `point_uphill` writes ``-1`` at a voxel without higher neighbour (a top) and ``-2 - s`` at one
   whose steepest ascent leads to neighbour ``s``.
2. The caller puts the owning atom (0, 1, ...) at the tops; `follow_pointers` copies it to all
   voxels whose steepest ascent ends there.
3. `find_seams` lists voxels with a higher neighbour of another owner; they are marked by adding
   `QUEUED`.
4. `flood_downhill` marks in the same way what lies downhill of those, and adds `ONE_PENDING` for
   each marked higher neighbour. `mix_weights` takes both off again, and writes ``-1 - slot`` where
   several atoms share a voxel, which `write_dominant` turns into the dominant owner.

All kernels release the GIL and work on a slab ``begin <= i < end`` of the first index where that
is meaningful, so that threads can share the work.
"""

from __future__ import annotations

import typing

import numpy as np
from numba import njit

QUEUED = 1 << 30
ONE_PENDING = 1 << 24  # counts up to 26 higher neighbours in bits 24 to 28


@typing.no_type_check
@njit(cache=True, nogil=True)
def point_uphill(field, offsets, slopes, labels, begin, end):
    n_a, n_b, n_c = field.shape
    best = np.empty(n_c)
    choice = np.empty(n_c, np.int32)
    tops = np.empty(64, np.int64)
    n_tops = 0
    for i in range(begin, end):
        for j in range(n_b):
            centre = field[i, j]
            best[:] = 0.0
            choice[:] = -1
            for s in range(offsets.shape[0]):
                row = field[(i + offsets[s, 0]) % n_a, (j + offsets[s, 1]) % n_b]
                step = offsets[s, 2] % n_c
                if step > n_c // 2:
                    step -= n_c
                mark = np.int32(-2 - s)
                first, last = max(0, -step), min(n_c, n_c - step)
                _keep_steepest(
                    row[first + step : last + step],
                    centre[first:last],
                    slopes[s],
                    mark,
                    best[first:last],
                    choice[first:last],
                )
                for edge in range(abs(step)):  # the few voxels whose neighbour wraps around
                    k = edge if step < 0 else n_c - 1 - edge
                    rise = slopes[s] * (row[(k + step) % n_c] - centre[k])
                    if rise > best[k]:
                        best[k] = rise
                        choice[k] = mark
            labels[i, j] = choice
            highest = choice[0]
            for k in range(n_c):
                highest = max(highest, choice[k])
            if highest == -1:
                for k in range(n_c):
                    if choice[k] == -1:
                        if n_tops == tops.size:
                            tops = _doubled(tops)
                        tops[n_tops] = (i * n_b + j) * n_c + k
                        n_tops += 1
    return tops[:n_tops].copy()


@typing.no_type_check
@njit(cache=True, nogil=True)
def _keep_steepest(row, centre, slope, mark, best, choice):
    for k in range(centre.size):  # no branch and no negative index: this loop is vectorised
        rise = slope * (row[k] - centre[k])
        up = rise > best[k]
        best[k] = rise if up else best[k]
        choice[k] = mark if up else choice[k]


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
                        found = _doubled(found)
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
            stack = _doubled(stack)
        if n_out + near.size > outbox.size:
            outbox = _doubled(outbox)
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
            stack = _doubled(stack)
        if n_out + near.size > outbox.size:
            outbox = _doubled(outbox)
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
            a = _wrap(i + offsets[s, 0], n_a)
            b = _wrap(j + offsets[s, 1], n_b)
            near[s] = (a * n_b + b) * n_c + _wrap(k + offsets[s, 2], n_c)


@typing.no_type_check
@njit(cache=True, nogil=True)
def _doubled(array):
    longer = np.empty(2 * array.size, array.dtype)
    longer[: array.size] = array
    return longer


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
def share_by_weight(values, labels, voxels, starts, owners, weights, sums):
    """Move what other atoms own of the fractional voxels away from the dominant owner."""
    for slot in range(voxels.size):
        voxel = voxels[slot]
        value = values[voxel]
        main = labels[voxel]
        for m in range(starts[slot], starts[slot + 1]):
            if owners[m] != main:
                sums[owners[m]] += weights[m] * value
                sums[main] -= weights[m] * value


@typing.no_type_check
@njit(cache=True, nogil=True)
def field_range(field, begin, end):
    """Smallest and largest value, sum, and sum of the negative values."""
    low = np.inf
    high = -np.inf
    total = 0.0
    negative = 0.0
    for i in range(begin, end):
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
def nearest_facets(labels, offsets, middles, corner, steps, nuclei, cell, inverse, images, squares):
    """Lower ``squares`` to the squared distance between each nucleus and its nearest facet.

    A facet lies half-way (``middles``) to a neighbour of another owner. ``cell`` is reduced, so
    that the nearest image of a wrapped vector is one of the given ones.
    """
    n_a, n_b, n_c = labels.shape
    for i in range(n_a):
        for j in range(n_b):
            here = corner + i * steps[0] + j * steps[1]
            row = labels[i, j]
            for s in range(offsets.shape[0]):
                others = labels[(i + offsets[s, 0]) % n_a, (j + offsets[s, 1]) % n_b]
                shift = offsets[s, 2] % n_c
                for k in range(n_c):
                    ahead = k + shift
                    owner = row[k]
                    if owner == others[ahead if ahead < n_c else ahead - n_c]:
                        continue
                    x = here[0] + k * steps[2, 0] + middles[s, 0] - nuclei[owner, 0]
                    y = here[1] + k * steps[2, 1] + middles[s, 1] - nuclei[owner, 1]
                    z = here[2] + k * steps[2, 2] + middles[s, 2] - nuclei[owner, 2]
                    a = np.rint(x * inverse[0, 0] + y * inverse[1, 0] + z * inverse[2, 0])
                    b = np.rint(x * inverse[0, 1] + y * inverse[1, 1] + z * inverse[2, 1])
                    c = np.rint(x * inverse[0, 2] + y * inverse[1, 2] + z * inverse[2, 2])
                    x -= a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
                    y -= a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
                    z -= a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
                    nearest = squares[owner]
                    for m in range(images.shape[0]):
                        u = x + images[m, 0]
                        v = y + images[m, 1]
                        w = z + images[m, 2]
                        nearest = min(nearest, u * u + v * v + w * w)
                    squares[owner] = nearest


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
