"""What travels to the browser arrives: to the bit, or within the error that is stated."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headviz.viewers import look
from headviz.viewers.record import Record
from headviz.viewers.wire import MAGIC, pack, rounding_errors


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A reader written from the layout alone."""
    block = gzip.decompress(data)
    assert block[:4] == MAGIC
    length = int.from_bytes(block[4:8], "little")
    header = json.loads(block[8 : 8 + length])
    arrays = {}
    for entry in header["arrays"]:
        kind = np.dtype(entry["dtype"])
        count = int(np.prod(entry["shape"]))
        start = 8 + length + entry["offset"]
        planes = np.frombuffer(block, np.uint8, count * kind.itemsize, start).reshape(kind.itemsize, count)
        values = planes.T.copy().view(kind).reshape(entry["shape"])
        if "low" in entry:
            values = np.float32(np.array(entry["low"]) + np.array(entry["size"]) * values)
        arrays[entry["name"]] = values
    return header, arrays


SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)
ARRAYS = st.one_of(
    hnp.arrays(st.sampled_from([np.bool_, np.uint8, np.int16, np.int32]), SHAPES),
    hnp.arrays(np.int64, SHAPES, elements={"min_value": -(2**40), "max_value": 2**40}),
    hnp.arrays(np.float32, SHAPES, elements={"allow_nan": False}),
    hnp.arrays(np.float64, SHAPES, elements={"allow_nan": False}),
)


@given(ARRAYS)
def test_numbers_arrive_as_they_are(values: np.ndarray) -> None:
    header, arrays = unpack(pack(Record("mesh", {"n": 1}, {"a": values}), {"step": 2}))
    assert arrays["a"].shape == values.shape
    assert np.array_equal(arrays["a"], values)
    assert (header["kind"], header["facts"], header["state"]) == ("mesh", {"n": 1}, {"step": 2})


@given(hnp.arrays(np.float64, (7, 3), elements={"min_value": -5, "max_value": 5}))
def test_rounded_arrays_keep_to_the_error_that_is_stated(values: np.ndarray) -> None:
    record = Record("mesh", {}, {"a": values})
    header, arrays = unpack(pack(record, {}, precision={"a": 1e-3}))
    entry = next(entry for entry in header["arrays"] if entry["name"] == "a")
    assert entry["dtype"] == "uint16"
    assert abs(arrays["a"] - values).max() <= entry["error"] <= 1e-3
    assert rounding_errors(record, {"a": 1e-3}) == {"a": entry["error"]}


def test_what_may_not_be_rounded_that_far_is_not() -> None:
    values = np.linspace(0, 1000, 50).reshape(-1, 1)
    header, arrays = unpack(pack(Record("mesh", {}, {"a": values}), {}, precision={"a": 1e-6}))
    assert "error" not in header["arrays"][0]
    assert abs(arrays["a"] - values).max() <= 1000 * 2**-24
    _, arrays = unpack(pack(Record("mesh", {}, {"a": np.array([0.0, np.nan])}), {}, precision={"a": 1.0}))
    assert np.isnan(arrays["a"][1])


def test_scales_travel_along_and_packing_is_repeatable() -> None:
    record = Record("mesh", {}, {"a": np.zeros(3)})
    _, arrays = unpack(pack(record, {}))
    assert np.array_equal(arrays["look.signed"], look.signed())
    assert tuple(look.signed()[0]) == (0x00, 0x72, 0xB2)
    assert tuple(look.signed()[-1]) == (0xE6, 0x9F, 0x00)
    assert look.signed()[127:129].min() > 250
    assert pack(record, {}) == pack(record, {})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0, "0"), (1, "1"), (-1.0, "−1"), (0.0412, "0.0412"), (0.04125, "0.0413"), (1234567, "1,234,567"),
        (999.6, "1,000"), (99.96, "100"), (9.996, "10"), (0.00012345, "0.000123"), (0.0000123, "1.23e−5"), (-2.5e-7, "−2.5e−7"),
        (1e12, "1e12"), (None, "NaN"), (float("nan"), "NaN"), (float("inf"), "∞"), (-float("inf"), "−∞"), (1.125, "1.13"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float | None, text: str) -> None:
    assert look.number(value) == text


@pytest.mark.parametrize(
    ("metres", "text"),
    [(0.041, "0.041 m"), (0.0032, "3.2 mm"), (2e-6, "2 µm"), (0, "0 m"), (-0.004, "−4 mm"), (None, "NaN m")],
)
def test_lengths_have_a_unit(metres: float | None, text: str) -> None:
    assert look.length(metres) == text


def test_counts() -> None:
    assert [look.count(n, "ray") for n in (0, 1, 1024)] == ["0 rays", "1 ray", "1,024 rays"]
    assert look.count(2, "vertex", "vertices") == "2 vertices"
