"""Properties of the number parser and of the readers: nothing is ever read wrongly in silence."""

import re
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.volumetric import VolumetricData, cube, read_volumetric, vasp, write_volumetric, xsf
from zeroflux.volumetric.text import TextSource

PROFILE = settings(
    deadline=None,  # the first call compiles
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FORMATS = st.sampled_from(["%r", "%.0e", "%.5E", "%.11E", "%.16e", "%.17g", "%.25e", "%+.18E"])


def parse(text: str, n: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.txt"
        path.write_text(text)
        with TextSource(path) as source:
            return source.numbers(n, what="values")


def same_bits(found: np.ndarray, expected: list[float]) -> bool:
    return found.view(np.uint64).tolist() == np.array(expected).view(np.uint64).tolist()


@PROFILE
@given(st.lists(st.tuples(FINITE, FORMATS), min_size=1, max_size=60))
def test_printed_numbers_are_read_as_float_reads_them(pairs):
    tokens = [form % value for value, form in pairs]
    kept = [t for t in tokens if np.isfinite(float(t))]  # 1.7e308 may round up to infinity
    assert same_bits(parse(" " + "\n".join(kept) + "\n0", len(kept)), [float(t) for t in kept])


DIGITS = st.text("0123456789", max_size=30)


@PROFILE
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "-", "+"]), DIGITS, DIGITS, st.integers(-400, 290)).filter(
            lambda t: t[1] or t[2]
        ),
        min_size=1,
        max_size=40,
    )
)
def test_arbitrary_digits_are_rounded_to_the_nearest_double(parts):
    tokens = [f"{sign}{whole}.{fraction}E{power}" for sign, whole, fraction, power in parts]
    kept = [t for t in tokens if np.isfinite(float(t))]
    assert same_bits(parse(" ".join([*kept, "0"]), len(kept)), [float(t) for t in kept])


@PROFILE
@given(whole=st.integers(2**52, 2**53 - 1), power=st.integers(-3, 22))
def test_exact_ties_go_to_the_even_neighbour(whole, power):
    """Halfway between two doubles, by one: below, on and above the tie."""
    tie = (2 * whole + 1) * 2**power if power > 0 else whole * 10 + 5
    suffix = "" if power > 0 else "e-1"
    tokens = [f"{tie - 1}{suffix}", f"{tie}{suffix}", f"{tie + 1}{suffix}"]
    assert same_bits(parse(" ".join(tokens), 3), [float(t) for t in tokens])


def oracle(token: str) -> float | None:
    """The number that a token stands for, by Python's rules plus Fortran's; None if none."""
    text = token.lower().replace("d", "e")
    if match := re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+))([+-]\d{3})", text):
        text = f"{match[1]}e{match[2]}"
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


@PROFILE
@given(st.text("0123456789+-.eEdD*nNaif", min_size=1, max_size=12))
def test_exactly_what_is_a_number_is_accepted(token):
    expected = oracle(token)
    if expected is None:
        with pytest.raises(FileFormatError, match=r"numbers\.txt:2: found"):
            parse(f"1.0\n{token} 2.0\n", 3)
    else:
        assert same_bits(parse(f"1.0\n{token} 2.0\n", 3), [1.0, expected, 2.0])


@PROFILE
@given(data=st.data())
def test_every_format_gives_back_what_was_written(data):
    shape = data.draw(st.tuples(*[st.integers(1, 9)] * 3), label="shape")
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed")
    name = data.draw(
        st.sampled_from(["a.cube", "CHGCAR", "LOCPOT.gz", "a.xsf.xz", "a.npz", "a.cube.bz2"]),
        label="name",
    )
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(3, 9, 3)) + rng.uniform(-1, 1, (3, 3))
    cell *= rng.choice([-1.0, 1.0])  # either handedness
    grid = UniformGrid(cell=cell, shape=shape)
    frame = Frame(rng.integers(1, 90, 4), rng.uniform(-1, 2, (4, 3)) @ cell, cell)
    values = rng.normal(size=shape) * 10.0 ** rng.uniform(-8, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        written_data = VolumetricData(grid, {"total": values}, frame)
        if name.startswith(vasp.NAMES):  # VASP's six decimals have a test of their own
            vasp.write(path, written_data, header_decimals=16)
        else:
            write_volumetric(path, written_data)
        found = read_volumetric(path)
    # text has 12 digits of the values and 12 decimals or more of lengths
    np.testing.assert_allclose(found.first, values, rtol=6e-12, atol=0)
    np.testing.assert_allclose(found.grid.cell, cell, rtol=0, atol=1e-11)
    assert found.frame is not None
    np.testing.assert_array_equal(found.frame.atomic_numbers, frame.atomic_numbers)
    np.testing.assert_allclose(found.frame.positions, frame.positions, rtol=0, atol=1e-10)


def written(name: str) -> bytes:
    """A small file of each format, with everything that the format may hold."""
    rng = np.random.default_rng(8)
    cell = np.array([[5.0, 0.0, 0.0], [0.7, 6.0, 0.0], [0.1, -0.5, 7.0]])
    grid = UniformGrid(cell=cell, shape=(3, 4, 5))
    frame = Frame(np.array([18, 18, 36]), rng.random((3, 3)) @ cell, cell)
    fields = {"total": rng.random(grid.shape)}
    if name != "a.npy":
        fields["magnetization"] = rng.normal(size=grid.shape)
    data = VolumetricData(grid, fields, frame)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        if name == "a.cube":
            cube.write(path, data, digits=5)
        elif name == "CHGCAR":
            vasp.write(path, data, digits=5)
        elif name == "a.xsf":
            xsf.write(path, data, digits=5)
        else:
            write_volumetric(path, data)
        content = path.read_bytes()
    if name == "CHGCAR":
        first, second = content.split(b"\n     3     4     5\n")[1:]
        head = content[: content.index(first)]
        extra = b"augmentation occupancies 1 3\n 0.1 0.2 0.3\n"
        content = head + first.rstrip(b"\n") + b"\n" + extra + b"     3     4     5\n" + second
    return content


CONTENTS = {name: written(name) for name in ("a.cube", "CHGCAR", "a.xsf", "a.npz", "a.npy")}


def read_content(name: str, content: bytes) -> VolumetricData:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*ghosts", RepairWarning)  # an atom's number became 0
        path = Path(folder) / name
        path.write_bytes(content)
        return read_volumetric(path, cell=np.eye(3) * 5.0 if name == "a.npy" else None)


def attempt(name: str, content: bytes) -> VolumetricData | str:
    """What a damaged file gives: data, or the message of the error or warning."""
    try:
        return read_content(name, content)
    except (FileFormatError, RepairWarning) as error:
        return str(error)


@pytest.mark.parametrize("name", CONTENTS)
def test_the_unharmed_files_are_read(name):
    """Control of the two tests below: without damage there is no refusal."""
    assert read_content(name, CONTENTS[name]).grid.shape == (3, 4, 5)


@pytest.mark.parametrize("name", CONTENTS)
@PROFILE
@given(data=st.data())
def test_a_file_with_flipped_bytes_is_refused_or_complete(name, data):
    content = bytearray(CONTENTS[name])
    n_flips = data.draw(st.integers(1, 4), label="n_flips")
    for _ in range(n_flips):
        # half of the flips in the first 400 bytes, where the header is
        last = data.draw(st.sampled_from([400, len(content) - 1]), label="range")
        place = data.draw(st.integers(0, min(last, len(content) - 1)), label="place")
        byte = data.draw(
            st.one_of(st.sampled_from(list(b" \n0123456789.-+E*")), st.integers(0, 255)),
            label="byte",
        )
        content[place] = byte
    found = attempt(name, bytes(content))
    if isinstance(found, str):
        assert name in found
        return
    for values in found.fields.values():
        assert values.shape == tuple(found.grid.shape)
        assert np.isfinite(values).all()
    assert found.grid.volume > 0
    if found.frame is not None:
        assert np.isfinite(found.frame.positions).all()


@pytest.mark.parametrize("name", CONTENTS)
@PROFILE
@given(data=st.data())
def test_a_truncated_file_is_refused(name, data):
    content = CONTENTS[name]
    end = len(content) - 1 if name in ("a.npz", "a.npy") else len(content.rstrip()) - 1
    # half of the cuts near the end of a block of values, where they are hardest to notice
    ends = [m.start() for m in re.finditer(rb"\n *(?:3 +4 +5|aug|END)", content)] or [end]
    near = st.sampled_from(ends).flatmap(lambda e: st.integers(max(0, e - 30), min(e, end)))
    content = content[: data.draw(st.one_of(st.integers(0, end), near), label="bytes kept")]
    found = attempt(name, content)
    if isinstance(found, str):
        assert name in found
        return
    # some cuts leave a complete smaller file: a CHGCAR or XSF without its second field
    assert name in ("CHGCAR", "a.xsf")
    assert list(found.fields)[:1] == ["total"]
    np.testing.assert_array_equal(found.first, read_content(name, CONTENTS[name]).first)
