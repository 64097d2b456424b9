"""Compiled sweeps that find a way off the plateaus of a field."""

from __future__ import annotations

import typing

import numpy as np

from zeroflux.compilation import njit
from zeroflux.partition._sharing_kernels import _is_inside, _wrapped


@typing.no_type_check
@njit(cache=True, nogil=True)
def plateau_levels(field, labels, shape, offsets, steps, reach, tops):
    """Steps of the shortest path of equal values from each top to a point that has a way up.

    They are written into ``labels``, which holds -1 at tops and less elsewhere. ``tops`` becomes
    the list of the points with such a path, nearest first; how many they are. It is left as it is
    if there are none.
    """
    n_found = 0
    for m in range(tops.size):
        voxel = tops[m]
        is_inside = _is_inside(voxel, shape, reach)
        for s in range(steps.size):
            near = voxel + steps[s] if is_inside else _wrapped(voxel, shape, offsets, s)
            if labels[near] < -1 and field[near] == field[voxel]:
                labels[voxel] = 1
                tops[n_found] = voxel  # never beyond m
                n_found += 1
                break
    m = 0
    while m < n_found:
        voxel = tops[m]
        level = labels[voxel] + 1
        is_inside = _is_inside(voxel, shape, reach)
        for s in range(steps.size):
            near = voxel + steps[s] if is_inside else _wrapped(voxel, shape, offsets, s)
            if labels[near] == -1 and field[near] == field[voxel]:
                labels[near] = level
                tops[n_found] = near
                n_found += 1
        m += 1
    return n_found


@typing.no_type_check
@njit(cache=True, nogil=True)
def lower_by_level(field, labels, voxels, least):
    """Lower points by the smallest representable amount, or ``least``, per step of their path."""
    for m in range(voxels.size):
        voxel = voxels[m]
        value = abs(field[voxel])
        field[voxel] -= labels[voxel] * max(np.nextafter(value, np.inf) - value, least)
