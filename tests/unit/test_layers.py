"""The pipe has a direction: a module imports only what stands before it in DESIGN.md's list."""

from __future__ import annotations

import ast
from pathlib import Path

import edgelearn

PACKAGE = Path(edgelearn.__file__).parent
DESIGN = PACKAGE.parent / "DESIGN.md"


def layers() -> list[str]:
    """The list in DESIGN.md: the lines between backquotes that start with `errors`."""
    text = DESIGN.read_text()
    start = text.index("`errors ")
    return text[start + 1 : text.index("`", start + 1)].split()


def imported(path: Path) -> set[str]:
    """Second parts of all `edgelearn.X` imports of a file, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "edgelearn":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("edgelearn.")}
    return found


def test_every_module_stands_in_the_list() -> None:
    modules = {p.stem for p in PACKAGE.iterdir() if (p.suffix == ".py" or p.is_dir()) and not p.name.startswith("_")}
    assert modules - set(layers()) == set()


def test_modules_import_only_what_stands_before_them() -> None:
    order = {name: k for k, name in enumerate(layers())}
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE).parts
        if len(inside) == 1 and inside[0].startswith("__"):
            continue
        own = inside[0].removesuffix(".py")
        for name in imported(path) - {own, "__version__"}:
            if name in order and order[name] > order[own]:
                wrong.append(f"{'/'.join(inside)} imports {name}")
    assert wrong == []
