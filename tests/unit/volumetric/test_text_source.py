"""Numbers and lines of text files."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.volumetric import text
from zeroflux.volumetric.text import TextSource

HARD_NUMBERS = [
    "0", "-0", "+1.", ".5", "-.5e1", "1e22", "1e23", "8.5e22", "123456789012345678",
    "9007199254740993",  # 2^53 + 1: a tie, goes to even
    "9007199254740995", "9007199254740992.5", "4503599627370497.5",
    "1.7976931348623157e308", "2.2250738585072014e-308", "2.2250738585072011e-308",
    "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1e-400",
    "7.2057594037927933e16", "0.1", "0.3", "5e-324", "1.0000000000000000000000000001",
    "9007199254740993.00000000000000000001",  # 36 digits decide the tie
    "0." + "0" * 60 + "123456789", "123456789" + "0" * 40, "3" * 400 + "e-390",
]  # fmt: skip


def numbers_of(tmp_path, content, n, **options):
    path = tmp_path / "numbers.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with TextSource(path, **options) as source:
        return source.numbers(n, what="values")


@pytest.fixture
def tiny_chunks(monkeypatch):
    """Buffers so small that every kind of chunk border occurs."""
    monkeypatch.setattr(text, "CHUNK", 256)
    monkeypatch.setattr(text, "LONGEST_LINE", 128)
    monkeypatch.setattr(text, "LONGEST_TOKEN", 64)


def test_hard_numbers_are_rounded_as_float_does(tmp_path):
    found = numbers_of(tmp_path, "\n".join(HARD_NUMBERS), len(HARD_NUMBERS))
    expected = np.array([float(t) for t in HARD_NUMBERS])
    # bits are compared, not values: the sign of zero counts
    assert found.view(np.uint64).tolist() == expected.view(np.uint64).tolist()


def test_the_hard_numbers_are_hard():
    """Control: digits times a power of ten in double precision misses some of them."""

    def careless(token):
        mantissa, _, exponent = token.partition("e")
        whole, _, fraction = mantissa.partition(".")
        digits = float(int(whole + fraction)) if len(whole + fraction) < 300 else 0.0
        return digits * 10.0 ** min(308, int(exponent or 0) - len(fraction))

    assert any(careless(t) != float(t) for t in HARD_NUMBERS)


def test_fortran_exponents_are_read(tmp_path):
    found = numbers_of(tmp_path, "1.5D+02 -1.0d-3 1.0-100 2.5+101 1D2\n", 5)
    assert found.tolist() == [150.0, -1e-3, 1e-100, 2.5e101, 100.0]


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("*****", "too wide"),
        ("-****", "too wide"),
        ("NaN", "finite"),
        ("-inf", "finite"),
        ("Infinity", "finite"),
        ("1e400", "double precision"),
        ("abc", "expected a number"),
        ("1.0-5", "expected a number"),
        ("1.2.3", "expected a number"),
        ("--1", "expected a number"),
        ("1e", "expected a number"),
        ("1e+", "expected a number"),
        (".", "expected a number"),
        ("0x10", "expected a number"),
        ("1,5", "expected a number"),
        ("1.0-2.0", "expected a number"),
        ("1\x00", "expected a number"),
    ],
)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_is_no_number_is_refused_with_its_line(tmp_path, token, word, n_threads):
    lines = ["1.0 2.0 3.0"] * 30000
    lines[20000] = f"1.0 {token} 3.0"
    with pytest.raises(FileFormatError, match=rf"numbers\.txt:20001: .*{word}"):
        numbers_of(tmp_path, "\n".join(lines), 90000, n_threads=n_threads)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_numbers_do_not_depend_on_chunks_or_threads(tmp_path, n_threads, monkeypatch):
    monkeypatch.setattr(text, "CHUNK", 100_000)
    rng = np.random.default_rng(1)
    expected = rng.lognormal(-5, 5, 30_000)
    content = "\n".join(" ".join(repr(x) for x in row) for row in expected.reshape(-1, 6).tolist())
    path = tmp_path / "numbers.txt"
    path.write_text("header\n" + content + "\nfooter")
    with TextSource(path, n_threads=n_threads) as source:
        assert source.readline() == "header"
        found = source.numbers(30_000, what="values")
        assert source.readline() == ""  # the rest of the last line of numbers
        assert source.line == 5002
        assert source.readline() == "footer"
        assert source.readline() is None
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize("width", range(1, 30))
def test_a_number_across_a_chunk_border_is_whole(tmp_path, width):
    token = "1" * width
    found = numbers_of(tmp_path, " ".join([token] * 100), 100)
    assert found.tolist() == [float(token)] * 100


@pytest.mark.usefixtures("tiny_chunks")
def test_endless_tokens_and_lines_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"numbers\.txt:1: .*without a blank"):
        numbers_of(tmp_path, "1" * 1000, 500)
    path = tmp_path / "line.txt"
    path.write_text("x" * 1000)
    with TextSource(path) as source, pytest.raises(FileFormatError, match="binary"):
        source.readline()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_truncated_file_tells_how_many_numbers_it_has(tmp_path, n_threads):
    with pytest.raises(FileFormatError, match=r"numbers\.txt:3: .* after 5 of 6 numbers"):
        numbers_of(tmp_path, "1.0 2.0 3.0\n4.0 5.0\n", 6, n_threads=n_threads)


def test_a_header_beyond_the_file_size_is_refused_before_memory_is_taken(tmp_path):
    with pytest.raises(FileFormatError, match="has only 3 bytes"):
        numbers_of(tmp_path, "1 2", 10**15)


def test_more_numbers_than_memory_holds_are_refused(tmp_path):
    # compressed: the file's size says nothing about the count
    with pytest.raises(FileFormatError, match="memory"):
        numbers_of(tmp_path, gzip.compress(b"1 2"), 10**18)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_compressed_files_are_read_and_their_truncation_is_named(tmp_path, compress):
    content = compress("\n".join(str(i) for i in range(5000)).encode())
    np.testing.assert_array_equal(numbers_of(tmp_path, content, 5000), np.arange(5000.0))
    with pytest.raises(FileFormatError, match=r"numbers\.txt:\d+: .*(truncated|damaged)"):
        numbers_of(tmp_path, content[:-20], 5000)


def test_an_empty_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"numbers\.txt:1: the file is empty"):
        numbers_of(tmp_path, "", 1)
    with pytest.raises(FileFormatError, match="cannot be opened"):
        TextSource(tmp_path / "missing")


def test_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_bytes(b"one\r\n1.0 2.0\r\n3.0\r\n")
    with TextSource(path) as source:
        assert source.readline() == "one"
        assert source.numbers(3, what="values").tolist() == [1.0, 2.0, 3.0]
        source.expect_end()


def test_a_number_cut_by_the_end_of_the_file_is_noticed(tmp_path):
    with pytest.warns(RepairWarning, match=r"numbers\.txt:2: .*'3\.1'"):
        numbers_of(tmp_path, "1.111 2.111\n3.1", 3)
    for whole in ("1.111 2.111\n3.1\n", "1.111 2.111\n-3.111"):  # controls
        assert len(numbers_of(tmp_path, whole, 3)) == 3
