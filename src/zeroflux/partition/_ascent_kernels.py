"""Compiled sweeps that follow the density uphill: steepest ascent and near-grid.

`point_uphill` writes ``-1`` into the labels at a voxel without higher neighbour (a top) and
``-2 - s`` at one whose steepest ascent leads to neighbour ``s``. The caller puts the owning atom
(0, 1, ...) at the tops; `follow_pointers` copies it to all voxels whose steepest ascent ends there.

Kernels release the GIL and work on a slab ``begin <= i < end`` of the first index where that is
meaningful, so that threads can share the work. They allocate nothing and name no array operation:
compiling `np.empty`, `array.copy` or a slice assignment takes longer than compiling the sweep.
"""

from __future__ import annotations

import typing

import numpy as np

from zeroflux.compilation import njit


@typing.no_type_check
@njit(cache=True, nogil=True)
def point_uphill(field, offsets, slopes, labels, begin, end, best, tops):
    """Point every voxel uphill and list the tops; how many they are.

    ``best`` has room for a row, ``tops`` for every voxel of the slab.
    """
    n_a, n_b, n_c = field.shape
    n_tops = 0
    for i in range(begin, end):
        for j in range(n_b):
            centre = field[i, j]
            choice = labels[i, j]
            for k in range(n_c):
                best[k] = 0.0
                choice[k] = -1
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
            highest = choice[0]
            for k in range(n_c):
                highest = max(highest, choice[k])
            if highest == -1:
                for k in range(n_c):
                    if choice[k] == -1:
                        tops[n_tops] = (i * n_b + j) * n_c + k
                        n_tops += 1
    return n_tops


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
def follow_pointers(labels, shape, offsets, steps, begin, end, path):
    """Copy the owner of the top at the end of each voxel's steepest ascent to the voxel.

    ``labels`` is flat, ``steps`` are the offsets as steps in it. Of a longer ascent than ``path``
    has room for the rest finds its owner when its turn comes.
    """
    n_a, n_b, n_c = shape
    for i0 in range(begin, end):
        for j0 in range(n_b):
            line = (i0 * n_b + j0) * n_c
            for k0 in range(n_c):
                voxel = line + k0
                owner = labels[voxel]
                i, j, k = i0, j0, k0
                n = 0
                while owner < 0:
                    if n < path.size:
                        path[n] = voxel
                        n += 1
                    s = -2 - owner
                    i += offsets[s, 0]
                    j += offsets[s, 1]
                    k += offsets[s, 2]
                    if (i < 0) | (i >= n_a) | (j < 0) | (j >= n_b) | (k < 0) | (k >= n_c):
                        i, j, k = i % n_a, j % n_b, k % n_c
                        voxel = (i * n_b + j) * n_c + k
                    else:
                        voxel += steps[s]
                    owner = labels[voxel]
                for m in range(n):
                    labels[path[m]] = owner


@typing.no_type_check
@njit(cache=True, nogil=True)
def wrap(i, n):
    if i < 0 or i >= n:
        i %= n
    return i


@typing.no_type_check
@njit(cache=True, nogil=True)
def follow_near_grid(field, labels, pointers, inverse_metric, offsets, path):
    """Near-grid ascent from every voxel, then again from all voxels next to another basin.

    ``pointers`` is a copy of ``labels``; ``path`` has room for every voxel.
    """
    n_a, n_b, n_c = field.shape
    flat = labels.ravel()
    for i in range(n_a):
        for j in range(n_b):
            for k in range(n_c):
                if labels[i, j, k] < 0:
                    n, owner = _near_grid_path(
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
                        n, owner = _near_grid_path(
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
        a = wrap(i + offsets[s, 0], n_a)
        b = wrap(j + offsets[s, 1], n_b)
        if labels[a, b, wrap(k + offsets[s, 2], n_c)] != owner:
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
            return n, owner
        known = owner >= 0 and n > 0
        if known and not (to_inside and _is_edge(labels, offsets, here[0], here[1], here[2])):
            return n, owner
        path[n] = voxel
        n += 1
        value = field[here[0], here[1], here[2]]
        for d in range(3):
            ahead[:] = here
            ahead[d] = wrap(here[d] + 1, shape[d])
            after = field[ahead[0], ahead[1], ahead[2]]
            ahead[d] = wrap(here[d] - 1, shape[d])
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
                ahead[d] = wrap(here[d] + int(whole + more), shape[d])
            voxel = (ahead[0] * n_b + ahead[1]) * n_c + ahead[2]
            for m in range(n):
                if path[m] == voxel:
                    on_grid = True
                    break
        if on_grid:
            s = -2 - pointer
            rest[:] = 0.0
            for d in range(3):
                ahead[d] = wrap(here[d] + offsets[s, d], shape[d])
        here[:] = ahead
