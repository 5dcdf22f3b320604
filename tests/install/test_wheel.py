"""The installed wheel, not the checkout, does the whole job from a folder of the user's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.install.test_pytest_plugin import examples
from tests.support.cli import ROOT, small_data


def _bare(**changes: str) -> dict[str, str]:
    """An environment that knows nothing of the checkout."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | changes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(list(map(str, command)), check=True, env=_bare())
    return next(folder.glob("edgelearn-*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it. Its dependencies are lent by the tests' own environment, to save a
    minute of downloading, edgelearn itself is not: the lent folder comes last, and its .pth files are not followed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python3*")) / "site-packages"
    target = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", target, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(list(map(str, command)), check=True, env=_bare())
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return target


def test_the_wheel_carries_what_is_not_python(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    wanted = [
        "boards/qemu-m4.toml",
        "boards/costs/qemu-m4.json",
        "firmware/include/el/model.h",
        "templates/model.c.j2",
        "templates/project/edgelearn.yml.j2",
        *(str(path.relative_to(ROOT)) for path in (ROOT / "examples").glob("*/*") if path.is_file()),
    ]
    assert [w for w in wanted if f"edgelearn/_share/{w}" not in names] == []
    assert [n for n in names if n.startswith(("tests/", ".venv")) or n.endswith(".pyc")] == []


def test_the_plugin_of_the_wheel(python: Path, tmp_path: Path) -> None:
    """pytest finds it by itself, and the documented example passes; what it leaves lies in pytest's own cache."""
    for name, text in examples().items():
        (tmp_path / name).write_text(text)
    command = [python, "-m", "pytest", "-q", "-k", "predictions"]
    done = subprocess.run(command, cwd=tmp_path, env=_bare(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert len(list((tmp_path / ".pytest_cache" / "d" / "edgelearn").iterdir())) == 1


def test_the_wheel_trains(python: Path, tmp_path: Path) -> None:
    def edgelearn(*args: str, cwd: Path = tmp_path) -> str:
        command = [str(python.with_name("edgelearn")), *args]
        done = subprocess.run(command, cwd=cwd, env=_bare(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import edgelearn; print(edgelearn.__file__)"],
        cwd=tmp_path,
        env=_bare(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(where.strip()).is_relative_to(python.parents[1])
    edgelearn("new", "watch", "--example", "wearable")
    small_data(tmp_path / "watch" / "data.npz")
    lines = edgelearn("run", "--epochs", "1", "--json", cwd=tmp_path / "watch").splitlines()
    summary = json.loads(lines[-1])
    assert (summary["event"], summary["samples"]) == ("done", 12)
    assert (tmp_path / "watch" / "out" / "trained.onnx").is_file()
