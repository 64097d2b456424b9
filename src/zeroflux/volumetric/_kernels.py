"""Numba kernels: decimal text to float64, and the axis order of VASP's files.

The parser is exactly rounded for up to 19 significant digits: the quick path multiplies or divides
an exact integer by an exact power of ten (Clinger 1990), the other one is the 128-bit product of
Lemire (2021). What neither can decide is left to Python's ``float``.

References
----------
W. D. Clinger, PLDI 1990, 92, doi 10.1145/93542.93557.
D. Lemire, Softw. Pract. Exper. 51, 1700 (2021), doi 10.1002/spe.2984, algorithm 1.
"""

import typing

import numpy as np

from zeroflux.compilation import njit

# What `parse_numbers` found at the place where it stopped.
DONE, NOT_A_NUMBER, OVERFLOW, NOT_FINITE, STARS, NEEDS_PYTHON = range(6)

SMALLEST_POWER, LARGEST_POWER = -342, 308
"""Decimal exponents outside of which 19 digits are zero or infinite in double precision."""

U0, U1, U3, U9, U10, U48 = (np.uint64(n) for n in (0, 1, 3, 9, 10, 48))
U32, U63, U64 = np.uint64(32), np.uint64(63), np.uint64(64)
LOW_HALF = np.uint64(0xFFFFFFFF)
PRECISION_MASK = np.uint64(0x1FF)  # the 64 − 55 bits that decide whether 64 bits are enough
HIDDEN_BIT = np.uint64(1 << 52)
SIGN_BIT = np.uint64(1 << 63)
EXACT_INTEGERS = np.uint64(1 << 53)
EXACT_POWERS = 10.0 ** np.arange(23)


def _powers_of_five() -> np.ndarray:
    """5^q for q in [SMALLEST_POWER, LARGEST_POWER]: the leading 128 bits (high, low)."""
    rows = []
    for q in range(SMALLEST_POWER, LARGEST_POWER + 1):
        power = 5 ** abs(q)
        if -27 <= q < 0:  # the reciprocal, rounded up: exact ties occur in this range
            leading = (1 << (power.bit_length() + 127)) // power + 1
        elif q < 0:
            leading = (1 << (2 * power.bit_length() + 128)) // power + 1
            leading >>= leading.bit_length() - 128
        else:
            leading = (power << 128) >> power.bit_length()
        rows.append((leading >> 64, leading & 0xFFFFFFFFFFFFFFFF))
    return np.array(rows, dtype=np.uint64)


POWERS_OF_FIVE = _powers_of_five()


@njit(cache=True, inline="always")
@typing.no_type_check
def _product(a, b):
    """128-bit product of two 64-bit integers: (high, low)."""
    a_low, a_high = a & LOW_HALF, a >> U32
    b_low, b_high = b & LOW_HALF, b >> U32
    low = a_low * b_low
    middle = a_high * b_low + (low >> U32)
    cross = a_low * b_high + (middle & LOW_HALF)
    return a_high * b_high + (middle >> U32) + (cross >> U32), (cross << U32) | (low & LOW_HALF)


@njit(cache=True)
@typing.no_type_check
def _nearest_double(digits, power):
    """Bits of the float64 nearest to digits × 10^power (sign apart); infinity if too large."""
    if digits == U0 or power < SMALLEST_POWER:
        return U0
    if power > LARGEST_POWER:
        return np.uint64(0x7FF0000000000000)
    shift = 0
    while digits < SIGN_BIT:
        digits = digits << U1
        shift += 1
    high, low = _product(digits, POWERS_OF_FIVE[power - SMALLEST_POWER, 0])
    if (high & PRECISION_MASK) == PRECISION_MASK:
        more, _ = _product(digits, POWERS_OF_FIVE[power - SMALLEST_POWER, 1])
        low = low + more
        if more > low:
            high = high + U1
    upper = high >> U63
    mantissa = high >> (upper + U9)
    # 217706 / 2^16 = log2(10): the binary exponent of 10^power
    exponent = ((217706 * power) >> 16) + 63 + np.int64(upper) - shift + 1023
    if exponent <= 0:  # subnormal: fewer digits, no tie can occur
        if exponent <= -63:
            return U0
        mantissa = mantissa >> np.uint64(1 - exponent)
        return (mantissa + (mantissa & U1)) >> U1
    is_tie = low <= U1 and -4 <= power <= 23 and (mantissa & U3) == U1
    if is_tie and (mantissa << (upper + U9)) == high:
        mantissa = mantissa - U1  # an exact tie goes to the even neighbour
    mantissa = (mantissa + (mantissa & U1)) >> U1
    if mantissa >= (HIDDEN_BIT << U1):
        mantissa = HIDDEN_BIT
        exponent += 1
    if exponent >= 0x7FF:
        return np.uint64(0x7FF0000000000000)
    return (mantissa - HIDDEN_BIT) | (np.uint64(exponent) << np.uint64(52))


@njit(cache=True)
@typing.no_type_check
def _long_digits(text, start, stop):
    """First 19 significant digits of a mantissa, the digits left out, and whether any was not 0."""
    digits, n_kept, n_left_out, is_inexact = U0, 0, 0, False
    for p in range(start, stop):
        digit = np.uint64(text[p]) - U48
        if digit > U9:  # the point
            continue
        if n_kept < 19:
            digits = digits * U10 + digit
            if digits != U0:
                n_kept += 1
        else:
            n_left_out += 1
            is_inexact = is_inexact or digit != U0
    return digits, n_left_out, is_inexact


@njit(cache=True)
@typing.no_type_check
def _complaint(text, p):
    """Why the token at p is not a finite number."""
    c = text[p]
    if c == 43 or c == 45:
        c = text[p + 1]
    if c == 42:
        return STARS
    c = c | 32  # lower case: n(an), i(nf)
    return NOT_FINITE if c == 110 or c == 105 else NOT_A_NUMBER


@njit(cache=True)
@typing.no_type_check
def _at(text, p):
    """Byte at p; an unsigned index is not looked at for a negative one, which saves a quarter."""
    return text[np.uint64(p)]


@njit(cache=True, nogil=True, error_model="numpy")
@typing.no_type_check
def parse_numbers(text, start, stop, values, bits, n_wanted):
    """Parse up to n_wanted numbers of text[start:stop] into values.

    ``bits`` is ``values`` seen as uint64. The text ends with white space, or text[stop] is white
    space. Returns the count, the position after the last number (of the first byte of the token
    in trouble), the number of newlines before it, and what was found.
    """
    p = start
    n_done = 0
    n_lines = 0
    while n_done < n_wanted:
        while p < stop and (_at(text, p) == 32 or 9 <= _at(text, p) <= 13):
            n_lines += _at(text, p) == 10
            p += 1
        if p >= stop:
            break
        token = p
        is_negative = _at(text, p) == 45
        if is_negative or _at(text, p) == 43:
            p += 1
        first = p
        digits = U0
        digit = np.uint64(_at(text, p)) - U48
        while digit <= U9:
            digits = digits * U10 + digit
            p += 1
            digit = np.uint64(_at(text, p)) - U48
        n_digits = p - first
        n_fraction = 0
        if _at(text, p) == 46:
            p += 1
            point = p
            digit = np.uint64(_at(text, p)) - U48
            while digit <= U9:
                digits = digits * U10 + digit
                p += 1
                digit = np.uint64(_at(text, p)) - U48
            n_fraction = p - point
            n_digits += n_fraction
        if n_digits == 0:
            return n_done, token, n_lines, _complaint(text, token)
        last = p
        exponent = 0
        letter = _at(text, p) | 32
        has_letter = letter == 101 or letter == 100  # e, d
        if has_letter:
            p += 1
        if has_letter or _at(text, p) == 43 or _at(text, p) == 45:
            exponent_sign = _at(text, p)
            if exponent_sign == 43 or exponent_sign == 45:
                p += 1
            point = p
            digit = np.uint64(_at(text, p)) - U48
            while digit <= U9:
                if exponent < 100000:
                    exponent = exponent * 10 + np.int64(digit)
                p += 1
                digit = np.uint64(_at(text, p)) - U48
            # Fortran drops the letter only to make room for three digits: 1.0-100
            if p == point or (not has_letter and p - point != 3):
                return n_done, token, n_lines, NOT_A_NUMBER
            if exponent_sign == 45:
                exponent = -exponent
        if not (_at(text, p) == 32 or 9 <= _at(text, p) <= 13):
            return n_done, token, n_lines, NOT_A_NUMBER
        exponent -= n_fraction
        is_inexact = False
        if n_digits > 19:
            digits, n_left_out, is_inexact = _long_digits(text, first, last)
            exponent += n_left_out
        if digits < EXACT_INTEGERS and -22 <= exponent <= 22 and not is_inexact:
            value = np.float64(np.int64(digits))
            value = (
                value * EXACT_POWERS[exponent] if exponent >= 0 else value / EXACT_POWERS[-exponent]
            )
            values[n_done] = -value if is_negative else value
        else:
            found = _nearest_double(digits, exponent)
            if is_inexact and found != _nearest_double(digits + U1, exponent):
                return n_done, token, n_lines, NEEDS_PYTHON
            if found == np.uint64(0x7FF0000000000000):
                return n_done, token, n_lines, OVERFLOW
            bits[n_done] = found | SIGN_BIT if is_negative else found
        n_done += 1
    return n_done, p, n_lines, DONE


@njit(cache=True, nogil=True)
@typing.no_type_check
def store_planes(planes, values, first):
    """Copy planes[c, b, a] (a runs fastest) to values[a, b, first + c], a cache line at once."""
    n_c, n_b, n_a = planes.shape
    for b in range(n_b):
        for a_0 in range(0, n_a, 8):
            for a in range(a_0, min(a_0 + 8, n_a)):
                for c in range(n_c):
                    values[a, b, first + c] = planes[c, b, a]
