"""Fixtures that train a model on an emulated board inside a test suite: `edgelearn_board` and `edgelearn_run`.

pytest loads this file in every project in whose environment edgelearn is installed, so it imports nothing of edgelearn
until a fixture is used. docs/PYTEST.md shows how.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

if TYPE_CHECKING:
    from edgelearn.errors import EdgelearnError
    from edgelearn.testing import RunningBoard, RunResult, Workshop

MARKER = "edgelearn"
FIXTURES = {"edgelearn_workshop", "edgelearn_board", "edgelearn_run"}
FILES = {"model", "data", "project", "board", "sensor"}  # settings that may name one


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings, with help."""
    group = parser.getgroup("edgelearn", "models that train on emulated boards")
    group.addoption("--edgelearn-board", metavar="ID", help="board for tests that name none (qemu-m4)")
    group.addoption("--edgelearn-cache", metavar="DIR", help="folder of built images (in pytest's cache)")
    parser.addini("edgelearn_board", "board for tests that name none (qemu-m4)")
    parser.addini("edgelearn_cache", "folder of built images, relative to this file (in pytest's cache)")
    parser.addini(
        "edgelearn_missing_tools",
        "a compiler or emulator that is not installed: fail, or skip the test",
        default="fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the one setting that has but two values."""
    config.addinivalue_line(
        "markers", f"{MARKER}(**settings): settings of edgelearn_board and edgelearn_run, where a call gives none"
    )
    chosen = config.getini("edgelearn_missing_tools")
    if chosen not in ("fail", "skip"):
        raise pytest.UsageError(f"edgelearn_missing_tools is 'fail' or 'skip', not '{chosen}'")


@pytest.fixture(scope="session")
def edgelearn_workshop(pytestconfig: pytest.Config) -> Workshop:
    """What the other two stand on, for fixtures of your own: `board(model, ...)` and `run(model, data, folder=...)`."""
    from edgelearn.testing import Workshop

    def skip(error: EdgelearnError) -> None:
        pytest.skip(f"{error.message}; {error.hint}")

    board = pytestconfig.getoption("--edgelearn-board") or _ini(pytestconfig, "board")
    skips = _ini(pytestconfig, "missing_tools") == "skip"
    return Workshop(_cache(pytestconfig), board, on_missing=skip if skips else None)


@pytest.fixture
def edgelearn_board(
    request: pytest.FixtureRequest, edgelearn_workshop: Workshop
) -> Iterator[Callable[..., RunningBoard]]:
    """A function that boots a model's image on an emulated board: infer, evaluate, train, read weights."""
    booted: list[RunningBoard] = []

    def boot(model: str | Path | None = None, **settings: Any) -> RunningBoard:
        __tracebackhide__ = True
        booted.append(edgelearn_workshop.board(**_settings(request, model=model, **settings)))
        return booted[-1]

    yield boot
    for board in booted:
        board.close()


@pytest.fixture
def edgelearn_run(
    request: pytest.FixtureRequest, edgelearn_workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., RunResult]:
    """A function that trains a model on an emulated board: metrics, RAM, insn, the exported model."""

    def run(model: str | Path | None = None, data: Any = None, **settings: Any) -> RunResult:
        __tracebackhide__ = True
        found = _settings(request, model=model, data=data, **settings)
        found.setdefault("folder", tmp_path_factory.mktemp("edgelearn-run"))
        return edgelearn_workshop.run(**found)

    return run


@pytest.hookimpl(hookwrapper=True)  # which pytest 7 knows too
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """An error with a message for people is shown as that message: where in the test, and what to do.

    Only in tests that use a fixture of ours: whoever calls edgelearn otherwise wants the traceback.
    """
    outcome = yield
    error = call.excinfo.value if call.excinfo else None
    if FIXTURES & set(getattr(item, "fixturenames", ())) and _is_ours(error) and call.excinfo is not None:
        own = [entry for entry in call.excinfo.traceback if Path(entry.path) == item.path]
        # The first line is what pytest's summary shows of a failure.
        where = f"\n\n{item.path}:{own[-1].lineno + 1}: {type(error).__name__}" if own else ""
        outcome.get_result().longrepr = f"{error.render()}{where}"


def _is_ours(error: BaseException | None) -> TypeGuard[EdgelearnError]:
    """Without importing what was not imported yet: then it can't be ours."""
    errors = sys.modules.get("edgelearn.errors")
    return errors is not None and isinstance(error, errors.EdgelearnError)


def _settings(request: pytest.FixtureRequest, **given: Any) -> dict[str, Any]:
    """The marker's settings, nearest first, below those of the call; files beside the test are found from anywhere."""
    marked = {k: v for marker in reversed(list(request.node.iter_markers(MARKER))) for k, v in marker.kwargs.items()}
    settings = {**marked, **{k: v for k, v in given.items() if v is not None}}
    for name in FILES & settings.keys():
        beside = request.path.parent / settings[name] if isinstance(settings[name], str | Path) else None
        if beside is not None and beside.exists():
            settings[name] = str(beside)
    return settings


def _ini(config: pytest.Config, name: str) -> str | None:
    return str(config.getini(f"edgelearn_{name}") or "") or None


def _cache(config: pytest.Config) -> Path:
    """Named by a flag or a setting, else in pytest's own cache, which --cache-clear empties."""
    flag, named = config.getoption("--edgelearn-cache"), _ini(config, "cache")
    if flag:
        return Path(flag)
    if named:
        return (config.inipath.parent if config.inipath else config.rootpath) / named
    if config.pluginmanager.hasplugin("cacheprovider") and config.cache is not None:
        return Path(config.cache.mkdir("edgelearn"))
    from edgelearn.share import cache_dir

    return cache_dir() / "pytest"
