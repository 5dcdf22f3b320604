"""Where the files that are not Python live: boards, firmware and templates.

In a checkout they lie next to the package; a wheel carries them inside it, under `_share`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgelearn.errors import InternalError

if TYPE_CHECKING:
    import jinja2

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = ("boards", "firmware", "templates")


@cache
def share_dir() -> Path:
    """The folder that holds `boards/`, `firmware/` and `templates/`."""
    for root in (_PACKAGE / "_share", _PACKAGE.parent):
        if all((root / folder).is_dir() for folder in _FOLDERS):
            return root
    raise InternalError(
        "the installation is incomplete: boards, firmware and templates are missing", where=str(_PACKAGE)
    )


def boards_dir() -> Path:
    """Board descriptions, one TOML each."""
    return share_dir() / "boards"


def firmware_dir() -> Path:
    """The C sources that every image shares."""
    return share_dir() / "firmware"


def templates_dir() -> Path:
    """Jinja templates of generated build files."""
    return share_dir() / "templates"


def cache_dir() -> Path:
    """Where what was built or downloaded once is kept: EDGELEARN_CACHE, a checkout's `.cache`, or the user's cache."""
    named = os.environ.get("EDGELEARN_CACHE")
    if named:
        return Path(named)
    if share_dir() == _PACKAGE.parent:
        return share_dir() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgelearn"


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # not at the top: most commands never render anything

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["bytes"] = lambda count: f"{count:,}"
    return environment


def template(name: str) -> jinja2.Template:
    """A template of `templates/`; an unknown variable in it is an error."""
    return _environment().get_template(name)
