"""What `edgelearn new` writes: a folder in which `edgelearn run` and the user's CI work at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

from edgelearn import __version__
from edgelearn.boards import Board
from edgelearn.errors import InputError
from edgelearn.share import share_dir, template

SETTINGS = "edgelearn.toml"
# File in the project, and its template in templates/project.
FILES = {
    SETTINGS: "edgelearn.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    "requirements.txt": "requirements.txt",
    ".github/workflows/edgelearn.yml": "edgelearn.yml",
}
PRECISION_WORDS = {
    "fp16": "weights, activations and gradients take two bytes an element",
    "mixed": "activations and gradients take two bytes an element, trained weights four",
}
_APT = "apt-get install "
# Extras of edgelearn by the suffix of the model: the curve, and what measures an exported TensorFlow Lite file.
EXTRAS = {".onnx": "plot", ".tflite": "litert,plot"}


def examples() -> list[str]:
    """The examples that can be copied."""
    return sorted(path.parent.name for path in (share_dir() / "examples").glob("*/edgelearn.toml"))


def packages(board: Board) -> str:
    """The system packages that a board needs, as apt names."""
    installs = [board.build.install, board.emulator.install if board.emulator else ""]
    words = [w for text in installs if text.startswith(_APT) for w in text.removeprefix(_APT).split()]
    return " ".join(dict.fromkeys(words))


def project_files(title: str, board: Board, example: str | None, precision: str = "fp32") -> dict[str, bytes]:
    """Every file of a new project by its path; InputError if there is no such example."""
    if example is not None and example not in examples():
        raise InputError(f"there is no example '{example}'", hint=f"examples are {', '.join(examples())}")
    files: dict[str, bytes] = {}
    values: dict[str, object] = {"name": title, "board": board.id, "version": __version__, "example": example}
    copied = _example_files(share_dir() / "examples" / example, board) if example is not None else {}
    suffix = next((path.suffix for path in map(Path, copied) if path.suffix in EXTRAS), ".onnx")
    values |= {"packages": packages(board), "checks": {}, "suffix": suffix, "extras": EXTRAS[suffix]}
    for path, name in FILES.items():
        files[path] = template(f"project/{name}.j2").render(values).encode()
    files |= copied
    if precision != "fp32":
        files[SETTINGS] = _in_precision(files[SETTINGS].decode(), precision).encode()
    return files


def _in_precision(text: str, precision: str) -> str:
    """Settings that train in half precision; an example's limits of RAM and instructions are float32's."""
    lines, section = [], ""
    for line in text.splitlines():
        if section == "[train]" and not line:
            lines.append(f'precision = "{precision}"  # {PRECISION_WORDS[precision]}')
        section = line if line.startswith("[") or not line else section
        measured = line.startswith(("max_ram", "max_insn"))
        lines.append(f"# {line}{'' if '#' in line else '  #'} in float32" if measured else line)
    return "\n".join([*lines, ""])


def _example_files(folder: Path, board: Board) -> dict[str, bytes]:
    """The example's own settings and story, with its model and data under the names that every project has."""
    text = (folder / "edgelearn.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    names = {"model": f"model{Path(settings['model']).suffix}", "data": "data.npz"}
    for key, value in {**names, "board": board.id}.items():
        text = text.replace(f'{key} = "{settings[key]}"', f'{key} = "{value}"')
    text = text.replace("README.md", "EXAMPLE.md")
    found = {name: (folder / settings[key]).read_bytes() for key, name in names.items()}
    found |= {"edgelearn.toml": text.encode(), "EXAMPLE.md": (folder / "README.md").read_bytes()}
    return found | {path.name: path.read_bytes() for path in sorted(folder.glob("LICENSE*"))}
