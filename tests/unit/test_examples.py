"""What the READMEs say of each example's memory is what is planned, and its own limits leave room for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn.cli.pipeline import plan_job
from edgelearn.cli.settings import make_job
from tests.support.cli import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))


@pytest.mark.parametrize("readme", EXAMPLES, ids=lambda path: path.parent.name)
def test_memory_is_as_described(readme: Path) -> None:
    job = make_job({"project": str(readme.parent)})
    ram = plan_job(job).ram
    name = readme.parent.name
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| [{name}]"))
    assert row.endswith(f"| {ram:,} |")
    if name != "wearable":
        assert f"{ram:,}" in readme.read_text()
    assert job.checks.max_ram is not None
    assert ram <= int(job.checks.max_ram)


def test_examples_are_small() -> None:
    for readme in EXAMPLES:
        assert sum(path.stat().st_size for path in readme.parent.iterdir()) < 450 << 10
