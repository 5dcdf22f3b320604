"""Persistence over a flash that loses power at every operation of a save; see power_fail.c.

Each geometry is a program of its own, under ASan and UBSan. Mutants of the C show that the simulation notices what it
is there for: with each of them it must fail.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgelearn.share import firmware_dir
from tests.support.clib import WARNINGS

HERE = Path(__file__).parent
CHECKED = [
    "-std=c11",
    "-O2",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    *WARNINGS,
    "-Wno-unused-function",
]
PERSIST = (firmware_dir() / "features" / "persist.c").read_text()

# Bytes of a page, of a unit, what erased bytes read as, pages of a slot, slots.
GEOMETRIES = {
    "F4 sectors": (1024, 4, 0xFF, 1, 3),
    "L4 pages": (256, 8, 0xFF, 3, 3),
    "H7 flash words": (1024, 32, 0xFF, 1, 4),
    "two slots": (512, 4, 0xFF, 2, 2),
    "two slots of one page": (1024, 64, 0xFF, 1, 2),
    "erased to zero": (256, 4, 0x00, 3, 3),
    "many slots": (1024, 16, 0xFF, 1, 8),
}


def run(
    folder: Path, geometry: tuple[int, int, int, int, int], source: str = PERSIST
) -> subprocess.CompletedProcess[str]:
    page, unit, erased, slot_pages, slots = geometry
    values = {"PAGE": page, "PAGES": slot_pages * slots, "UNIT": unit, "ERASED": erased}
    (folder / "board.h").write_text("".join(f"#define EL_STORE_{name} {value}u\n" for name, value in values.items()))
    (folder / "persist.c").write_text(source)
    (folder / "plan.c").write_text(
        '#include "el/persist.h"\n'
        f"const el_persist_plan el_persist = {{.slots = {slots}, .slot_pages = {slot_pages},"
        f" .replay = {slots > 2:d}}};\n"
    )
    files = [HERE / "power_fail.c", folder / "persist.c", folder / "plan.c", firmware_dir() / "src" / "link.c"]
    include = ["-I", str(firmware_dir() / "include"), "-I", str(folder)]
    program = folder / "power_fail"
    subprocess.run(["gcc", *CHECKED, *include, *map(str, files), "-o", str(program)], check=True)
    return subprocess.run([str(program)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_whatever_is_cut_off_the_board_has_old_or_new_weights(name: str, tmp_path: Path) -> None:
    done = run(tmp_path, GEOMETRIES[name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 1000


MUTANTS = {
    "the header comes first and its sum is not held": (
        ("erase_slot(slot) && write_payload(slot, &r) && commit(slot, &r)",
         "erase_slot(slot) && commit(slot, &r) && write_payload(slot, &r)"),
        ("sum_in_flash(slot, r.bytes) != r.sum", "slot > 99u"),
        ("return sum == r.sum", "return sum != 1u"),
    ),
    "the latest is written over": (
        ("return slot;\n}\n\n/* Writing */", "return store.latest == NONE ? slot : store.latest;\n}\n"),
    ),
    "the best is written over": (("(slot == store.best && el_persist.slots > 2u)", "slot > 99u"),),
    "a torn header counts": (("r->magic == EL_RECORD_MAGIC && r->check == check_of(r)", "r->check != 1u"),),
    "payloads are not checked": (
        ("sum_in_flash(slot, r.bytes) != r.sum", "slot > 99u"),
        ("return sum == r.sum", "return sum != 1u"),
    ),
    "nothing is erased": (("good = el_flash_erase(first + page)", "good = page + first != 99u"),),
    "Adam's counters are left out": (("{&el_state_of_run, sizeof el_state_of_run}", "{&el_state_of_run, 40}"),),
    "state is left out": (("out[count++] = el_model.state;", ""),),
    "an older save is the latest": (("r.sequence > latest.sequence", "r.sequence < latest.sequence"),),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_the_simulation_notices(name: str, tmp_path: Path) -> None:
    source = PERSIST
    for old, new in MUTANTS[name]:
        assert old in source, old
        source = source.replace(old, new)
    failures = []
    for k, geometry in enumerate(("two slots", "L4 pages", "H7 flash words")):
        folder = tmp_path / str(k)
        folder.mkdir()
        done = run(folder, GEOMETRIES[geometry], source)
        failures += [done.stdout] if done.returncode == 1 and done.stdout.startswith("case ") else []
        if failures:
            break
    assert failures
