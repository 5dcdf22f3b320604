"""Parts of a call that harts compute at the same time are the whole call, bit by bit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgelearn.ops.parts import spans
from tests.support.kernel_cases import all_cases
from tests.support.parts import check_parts


def test_parts_are_the_whole() -> None:
    assert check_parts("host", all_cases()) > 300


@given(st.integers(1, 500), st.integers(1, 16), st.sampled_from([1, 4, 32]))
def test_spans_cover(total: int, parts: int, grain: int) -> None:
    found = spans(total, parts, grain)
    assert [a for a, _ in found] == [0, *(b for _, b in found[:-1])]
    assert found[-1][1] == total
    assert len(found) <= parts
    assert all(a < b and a % grain == 0 for a, b in found)
    grains = -(-total // grain)
    assert max(b - a for a, b in found) <= -(-grains // parts) * grain
