"""Commands in what people read are commands: names and flags that the program has."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from edgelearn import boards
from edgelearn.build.platformio import make_project
from edgelearn.cli.app import COMMANDS
from tests.support.cli import ROOT
from tests.support.linear import LinearModel

SPAN = re.compile(r"`(edgelearn [^`]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(?:\$ )?(edgelearn .+)$", re.MULTILINE)
INDENTED = re.compile(r"^    (edgelearn .+)$", re.MULTILINE)
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "examples/*/*.md", "templates/**/*.md*")
    for path in sorted(ROOT.glob(pattern))
}


def commands(text: str) -> Iterator[str]:
    """What stands between backquotes, and lines that are a command; a backslash ends a line that goes on."""
    joined = re.sub(r"\\\n\s*", "", text)
    fenced = "\n".join(FENCE.findall(joined))
    rest = FENCE.sub("", joined)
    yield from (" ".join(found.split()) for found in SPAN.findall(rest))
    yield from (re.sub(r"\s#.*", "", line) for line in (*LINE.findall(fenced), *INDENTED.findall(rest)))


def unknown(command: str) -> list[str]:
    """The command's name, or those of its flags, that do not exist."""
    name = command.split()[1]
    if not re.fullmatch("[a-z]+", name):
        return []  # a file's name, or flags of the program itself
    if name not in COMMANDS:
        return [name]
    options = importlib.import_module(f"edgelearn.cli.commands.{name}").command.params
    known = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
    return [flag for flag in re.findall(r"(?<=\s)--[a-z0-9-]+", command) if flag not in {*known, "--help"}]


@pytest.mark.parametrize("name", TEXTS)
def test_commands_of_the_documents_exist(name: str) -> None:
    assert [(command, wrong) for command in commands(TEXTS[name]) if (wrong := unknown(command))] == []


def test_what_does_not_exist_is_found() -> None:
    fenced, indented = "```sh\nedgelearn paln --x\n```", "    edgelearn run --epoch=3 \\\n        --lr 1"
    text = f"So `edgelearn flash --board x` it.\n\n{fenced}\n\n{indented}\n"
    assert [unknown(command) for command in commands(text)] == [["--board"], ["paln"], ["--epoch"]]


@pytest.mark.parametrize("board", ["nucleo_f446re", "qemu-rv32", "esp32-c3-devkitm-1"])
def test_commands_of_a_projects_readme_exist(board: str) -> None:
    made = make_project(LinearModel().sources(), boards.load(board), carrier="uart", kernels=(), title="linear")
    found = list(commands(made.generated["README.md"]))
    assert found
    assert [(command, wrong) for command in found if (wrong := unknown(command))] == []
