"""Writes generated files beside those of a user, and never takes an edit back silently.

A folder's list says what was written into it, by hash. A file that is not what the list says was edited: it is named,
and nothing is written at all. Files that are no longer generated go, if they are as they were written. The list has old
and new hashes while files are being written, so that whatever interrupts that leaves no file that looks edited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgelearn.build.compile import replace_text
from edgelearn.errors import InputError

LIST = ".edgelearn.json"
MARK, HEAD = b"by edgelearn", 400  # what a generated file says in its first bytes


def write_generated(folder: Path, files: Mapping[str, str], *, force: bool = False) -> None:
    """Make a folder's generated files these texts, by path. InputError, and nothing is written, if one was edited.

    `force` replaces what was edited.
    """
    before = _read_list(folder) if (folder / LIST).is_file() else _marked(folder, files)
    edited = [
        name
        for name in sorted({*files, *before})
        if (folder / name).is_file() and _hash(folder / name) not in (_hash(files.get(name)), *before.get(name, ()))
    ]
    if edited and not force:
        raise InputError(
            "these files were changed since edgelearn wrote them",
            where=str(folder),
            details=tuple(edited),
            hint="move your changes to files of your own in src/ or to platformio.local.ini, or give another --out;"
            " --overwrite replaces them",
        )
    hashes = {name: _hash(text) for name, text in files.items()}
    both = {name: sorted({hashes.get(name, ""), *before.get(name, ())} - {""}) for name in {*files, *before}}
    replace_text(folder / LIST, _list_text(both))
    for name in sorted(files):
        replace_text(folder / name, files[name])
    for name in sorted(before.keys() - files.keys()):
        (folder / name).unlink(missing_ok=True)
        _drop_empty(folder, (folder / name).parent)
    replace_text(folder / LIST, _list_text({name: [value] for name, value in hashes.items()}))


def write_once(folder: Path, files: Mapping[str, str]) -> None:
    """Texts that are the user's from then on: a file that is there stays as it is."""
    for name, text in files.items():
        if not (folder / name).exists():
            replace_text(folder / name, text)


def _marked(folder: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """Hashes of the files that say themselves who wrote them, for a folder from before there were lists."""
    found = (folder / name for name in names)
    ours = {p: _hash(p) for p in found if p.is_file() and MARK in p.read_bytes()[:HEAD]}
    return {str(path.relative_to(folder)): [value] for path, value in ours.items()}


def _read_list(folder: Path) -> dict[str, list[str]]:
    """Hashes by path; nothing where there is no list, or one that nobody can read any more."""
    try:
        return {str(name): list(map(str, found)) for name, found in json.loads((folder / LIST).read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _list_text(hashes: Mapping[str, list[str]]) -> str:
    return json.dumps(hashes, indent=1, sort_keys=True) + "\n"


def _hash(what: Path | str | None) -> str:
    data = what.read_bytes() if isinstance(what, Path) else (what or "").encode()
    return hashlib.sha256(data).hexdigest()


def _drop_empty(folder: Path, path: Path) -> None:
    while path != folder and path.is_dir() and not any(path.iterdir()):
        path.rmdir()
        path = path.parent
