"""Compiled reductions: sums over basins, the range of a field, distances to nuclei."""

from __future__ import annotations

import typing

import numpy as np

from zeroflux.compilation import njit


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
def image_squares(points, nuclei, cell, inverse, images, squares):
    """Squared distance between each point and the nearest image of each nucleus.

    ``cell`` is reduced, so that the nearest image of a wrapped vector is one of the given ones.
    """
    for p in range(points.shape[0]):
        for n in range(nuclei.shape[0]):
            squares[p, n] = _nearest_image(
                points[p, 0] - nuclei[n, 0],
                points[p, 1] - nuclei[n, 1],
                points[p, 2] - nuclei[n, 2],
                cell,
                inverse,
                images,
                np.inf,
            )


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
                    squares[owner] = _nearest_image(x, y, z, cell, inverse, images, squares[owner])


@typing.no_type_check
@njit(cache=True, nogil=True)
def _nearest_image(x, y, z, cell, inverse, images, nearest):
    """The smaller of ``nearest`` and the squared length of a vector's shortest image."""
    a = np.rint(x * inverse[0, 0] + y * inverse[1, 0] + z * inverse[2, 0])
    b = np.rint(x * inverse[0, 1] + y * inverse[1, 1] + z * inverse[2, 1])
    c = np.rint(x * inverse[0, 2] + y * inverse[1, 2] + z * inverse[2, 2])
    x -= a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
    y -= a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
    z -= a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
    for m in range(images.shape[0]):
        u = x + images[m, 0]
        v = y + images[m, 1]
        w = z + images[m, 2]
        nearest = min(nearest, u * u + v * v + w * w)
    return nearest
