"""PROTOCOL.md against both sides: every number and every layout."""

from __future__ import annotations

import re
import struct
from dataclasses import fields
from pathlib import Path

import pytest

from edgelearn import link, wire
from edgelearn.share import firmware_dir

TEXT = (Path(__file__).parents[2] / "PROTOCOL.md").read_text()
HEADERS = "".join((firmware_dir() / "include/el" / name).read_text() for name in ("link.h", "rt.h"))
C_CODES = {"u16": "H", "u32": "I", "u64": "Q", "f32": "f", "8 bytes": "8s"}


def rows(header: str, below: str = "") -> list[list[str]]:
    """The rows of the table whose header starts with `header`, after the heading `below`."""
    start = TEXT.index(f"### {below}\n") if below else 0
    lines = TEXT[TEXT.index(f"| {header} |", start) :].splitlines()
    table = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def numbers(first: str) -> dict[str, int]:
    return {row[0]: int(row[1], 0) for row in rows(f"{first} | {'code' if first == 'type' else 'value'}")}


def c_number(name: str) -> int:
    found = re.search(rf"\b{name} = (0x[0-9A-Fa-f]+|\d+)", HEADERS)
    assert found, f"{name} is not in the headers"
    return int(found.group(1), 0)


@pytest.mark.parametrize(
    "table",
    ["limit", "type", "code in an ACK", "schedule", "operation", "space", "bit in what", "status", "flag"],
)
def test_numbers_equal_the_c_headers(table: str) -> None:
    for name, value in numbers(table).items():
        assert c_number(name) == value, name


@pytest.mark.parametrize(
    ("table", "prefix", "enum"),
    [
        ("code in an ACK", "EL_", wire.Ack),
        ("schedule", "EL_", wire.Schedule),
        ("operation", "EL_OP_", wire.Op),
        ("space", "EL_SPACE_", wire.Space),
    ],
)
def test_numbers_equal_the_python_enums(table: str, prefix: str, enum: type) -> None:
    assert {name.removeprefix(prefix): v for name, v in numbers(table).items()} == {e.name: e.value for e in enum}


def test_types_equal_the_python_enums() -> None:
    ours = {f"EL_{c.name}": c.value for c in wire.Command}
    ours |= {f"EL_{r.name}_REPLY" if r.name not in ("ACK", "RESULT") else f"EL_{r.name}": r.value for r in wire.Reply}
    assert numbers("type") == ours


def test_limits_and_flags_equal_python() -> None:
    assert numbers("limit")["EL_PROTOCOL"] == link.PROTOCOL
    assert numbers("flag") == {
        "EL_FLAG_UPDATED": wire.UPDATED,
        "EL_FLAG_CORRECT": wire.CORRECT,
        "EL_FLAG_KEPT": wire.KEPT,
        "EL_FLAG_SKIPPED": wire.SKIPPED,
    }
    assert numbers("status")["EL_SAMPLE_NOT_FINITE"] == wire.NOT_FINITE


@pytest.mark.parametrize(
    ("heading", "layout"),
    [
        ("hello", "<II"),
        ("hello reply", wire.HELLO_REPLY),
        ("config", wire.CONFIG),
        ("reset", wire.RESET),
        ("result", wire.RESULT),
        ("status", wire.STATUS),
    ],
)
def test_layouts_equal_python(heading: str, layout: str) -> None:
    table = rows("field", heading)
    assert "<" + "".join(C_CODES[row[1]] for row in table) == layout
    assert struct.calcsize(layout) <= numbers("limit")["EL_MAX_PAYLOAD"]


@pytest.mark.parametrize(
    ("heading", "kind"), [("hello reply", wire.Hello), ("config", wire.Hyper), ("status", wire.Status)]
)
def test_field_names_equal_python(heading: str, kind: type) -> None:
    table = [row[0] for row in rows("field", heading)]
    ours = [f.name for f in fields(kind)]
    assert sorted(table) == sorted(n for n in ours if n != "spent")


def test_chunks_fit_the_payload() -> None:
    most = numbers("limit")["EL_MAX_PAYLOAD"]
    assert f"up to {most - link.DATA_HEAD} bytes" in TEXT
    assert f"up to {most - link.WRITE_HEAD} bytes" in TEXT


def test_a_window_is_as_long_as_stated() -> None:
    limits = numbers("limit")
    whole = limits["EL_MAX_PAYLOAD"] + 6
    on_wire = len(link.encode_frame(1, 1, b"\1" * limits["EL_MAX_PAYLOAD"]))
    assert on_wire == whole + whole // 254 + 2
    assert f"{on_wire * limits['EL_WINDOW']:,} bytes on the wire" in TEXT
