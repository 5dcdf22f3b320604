"""What the scripts that make examples share: archives, checks against what is committed, and recipes measured.

A recipe is measured by `edgelearn run` itself, as a native process: the same C as on a board, and a lot faster.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fetch_assets import FetchError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
Score = Callable[[Path], Mapping[str, float]]


class MakeError(Exception):
    """A file can't be made; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """A way to train: settings of `edgelearn run` that differ from those in the example's edgelearn.toml."""

    title: str
    settings: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """How an example is made: `files` by name, as bytes; the `recipes` of its table; `score` adds columns measured on
    the trained file, and is also applied to the untrained `model`.
    """

    name: str
    model: str
    files: Callable[[], Mapping[str, bytes]]
    recipes: Sequence[Recipe]
    score: Score | None = None

    @property
    def folder(self) -> Path:
        """Where the example lives."""
        return EXAMPLES / self.name


def archive(**arrays: np.ndarray) -> bytes:
    """An npz archive; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def same(made: bytes, path: Path) -> bool:
    """Whether a file holds what was made: the same arrays, or the same bytes."""
    if not path.is_file():
        return False
    if path.suffix != ".npz":
        return made == path.read_bytes()
    with np.load(io.BytesIO(made)) as new, np.load(path) as old:
        return set(new.files) == set(old.files) and all(
            new[k].dtype == old[k].dtype and np.array_equal(new[k], old[k]) for k in new.files
        )


def measure(example: Example, recipe: Recipe, seed: int, folder: Path) -> dict[str, Any]:
    """One run on the host; `folder` then holds what `edgelearn run` writes. MakeError if it fails."""
    flags = {"board": "host", "carrier": "pipe", "seed": seed, "out": folder, **recipe.settings}
    return _edgelearn("run", example, flags)


def _edgelearn(command: str, example: Example, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The last line that a command prints with --json."""
    flags = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    line = [sys.executable, "-m", "edgelearn", command, "--json", "--project", str(example.folder), *flags]
    done = subprocess.run(line, cwd=EXAMPLES.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MakeError(f"edgelearn {command} failed: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _figures(example: Example, summary: Mapping[str, Any], when: str, model: Path) -> dict[str, float]:
    held_out = summary[when]
    figures = {key: held_out[key] for key in ("accuracy", "loss") if held_out[key] is not None}
    return figures | dict(example.score(model) if example.score else {})


def table(example: Example, seeds: int) -> list[str]:
    """A line for the untrained model and one for each recipe, in Markdown: bytes of RAM on the example's own board,
    accuracies or losses by seed, and means over seeds.
    """
    lines: list[str] = []
    for recipe in example.recipes:
        runs = []
        ram = _edgelearn("plan", example, recipe.settings)["ram"]["total"]
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                summary = measure(example, recipe, seed, Path(folder))
                before = _figures(example, summary, "before", example.folder / example.model)
                runs.append(_figures(example, summary, "after", Path(folder) / f"trained{Path(example.model).suffix}"))
        first, *others = runs[0]
        if not lines:
            lines = [f"| recipe | RAM | {first}, by seed | {' | '.join((first, *others))} |"]
            lines.append("|" + "---|" * (lines[0].count("|") - 1))
            lines.append("| before | | | " + " | ".join(f"{before[key]:.3f}" for key in (first, *others)) + " |")
        listed = " ".join(f"{run[first]:.3f}" for run in runs)
        means = " | ".join(f"{np.mean([run[key] for run in runs]):.3f}" for key in (first, *others))
        lines.append(f"| {recipe.title} | {ram:,} | {listed} | {means} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main(example: Example, description: str) -> int:
    """The command line of such a script."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed files differ")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="measure the README's table over N seeds")
    args = parser.parse_args()
    try:
        files = example.files()
        different = [name for name, content in files.items() if not same(content, example.folder / name)]
        if args.check:
            print(f"{example.name}: {', '.join(different) or 'nothing'} differs")
            return 1 if different else 0
        example.folder.mkdir(parents=True, exist_ok=True)
        for name in different:
            (example.folder / name).write_bytes(files[name])
            print(f"wrote {example.folder / name}, {len(files[name]):,} bytes")
        if args.seeds:
            print("\n".join(table(example, args.seeds)))
    except (MakeError, FetchError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
