"""The pytest plugin as others meet it: its documented example, many workers, and what it says of mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.support.cli import MODEL, ROOT, environment, small_data

pytest_plugins = ["pytester"]
Golden = Callable[[str, str], None]
PAGE = ROOT / "docs" / "PYTEST.md"
NEVER = "numpy onnx serial edgelearn.errors edgelearn.testing edgelearn.cli".split()


def examples() -> dict[str, str]:
    """The Python files of docs/PYTEST.md."""
    return dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture(autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are built once for all of these tests; a test may name another folder."""
    folder = tmp_path_factory.getbasetemp() / "images"
    monkeypatch.setenv("PYTEST_ADDOPTS", f"--edgelearn-cache={folder}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_the_plugin_is_found_by_pytest() -> None:
    (entry,) = entry_points(group="pytest11", name="edgelearn")
    assert entry.value == "edgelearn.pytest_plugin"


def test_nothing_is_imported_before_it_is_needed() -> None:
    program = f"import sys, edgelearn.pytest_plugin\nprint([m for m in {NEVER} if m in sys.modules])"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, text=True, env=environment(), check=True).stdout == "[]\n"


def test_the_documented_example(pytester: pytest.Pytester) -> None:
    for name, text in examples().items():
        pytester.path.joinpath(name).write_text(text)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=4)


COUNTED = """
import edgelearn.testing as testing
import pytest

built = testing.build_image

@pytest.fixture(autouse=True)
def counted(monkeypatch, pytestconfig):
    def build(*args, **settings):
        with (pytestconfig.rootpath / "builds").open("a") as file:
            file.write("x")
        return built(*args, **settings)
    monkeypatch.setattr(testing, "build_image", build)
"""


def test_workers_share_an_image_that_one_of_them_builds(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(examples()["conftest.py"] + COUNTED)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("k", range(4))
        def test_boot(k, edgelearn_board, model, samples):
            board = edgelearn_board(model, carrier=["pipe", "uart"][k % 2])
            assert board.infer(samples["x_test"]).shape == (100, 3)
        """
    )
    flags = ("-q", "--edgelearn-cache=images")
    pytester.runpytest_subprocess("-n", "2", *flags).assert_outcomes(passed=4)
    assert (pytester.path / "builds").read_text() == "xx"
    pytester.runpytest_subprocess("-k", "0 or 1", *flags).assert_outcomes(passed=2)
    assert (pytester.path / "builds").read_text() == "xx", "kept from run to run"


def test_where_settings_come_from(pytester: pytest.Pytester) -> None:
    """Call, marker of the function, marker of the class, flag, setting; files beside the test."""
    pytester.makeconftest(examples()["conftest.py"])
    pytester.makeini("[pytest]\nedgelearn_board = host\n")
    folder = pytester.mkdir("inner")
    (folder / "test_settings.py").write_text(
        """
import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def files(model, samples):
    folder = __import__("pathlib").Path(__file__).parent
    (folder / "net.onnx").write_bytes(model.read_bytes())
    np.savez(folder / "data.npz", **samples)


@pytest.mark.edgelearn(model="net.onnx", lr=0.5, batch=2)
class TestAll:
    def test_class(self, edgelearn_board):
        plan = edgelearn_board().plan
        assert (plan.board.id, plan.config.lr, plan.config.batch) == ("host", 0.5, 2)

    @pytest.mark.edgelearn(lr=0.25)
    def test_function(self, edgelearn_board):
        config = edgelearn_board().plan.config
        assert (config.lr, config.batch) == (0.25, 2)
        assert edgelearn_board(lr=0.125).plan.config.lr == 0.125

    @pytest.mark.edgelearn(data="data.npz")
    def test_run(self, edgelearn_run):
        run = edgelearn_run(epochs=2)
        assert (run.samples, run.steps, run.insn, run.after.samples) == (400, 200, None, 100)
        assert run.figures["board"] == "host"
        assert (run.folder / "report.html").is_file()
        assert run.exported.read_bytes()
"""
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=3)


WRONG = """
def test_setting(edgelearn_board, model):
    edgelearn_board(model, epoch=3)


def test_model(edgelearn_board):
    edgelearn_board("nowhere.onnx")


def test_shape(edgelearn_board, model):
    edgelearn_board(model).infer([[1.0, 2.0]])


def test_board(edgelearn_board, model):
    edgelearn_board(model, board="qemu-m44")


def test_raised(edgelearn_board, model):
    import pytest
    from edgelearn.errors import UsageError

    with pytest.raises(UsageError, match="there is no board"):
        edgelearn_board(model, board="qemu-m44")


def test_memory(edgelearn_board, model):
    import pytest
    from edgelearn.errors import InputError

    with pytest.raises(InputError, match="the model does not fit qemu-m4"):
        edgelearn_board(model, ram=1000)
"""


def test_what_is_wrong_is_said_at_the_line_of_the_test(pytester: pytest.Pytester, golden: Golden) -> None:
    pytester.makeconftest(examples()["conftest.py"])
    pytester.makepyfile(test_it=WRONG)
    result = pytester.runpytest_subprocess("-q", "--show-capture=no")
    result.assert_outcomes(failed=4, passed=2)
    text = result.stdout.str()
    shown = text[text.index("= FAILURES =") :].partition("\n")[2].partition("= short test summary")[0]
    shown = shown.rpartition("\n")[0].replace(f"{pytester.path}/", "")
    golden("pytest/errors.txt", re.sub(r"\S+/model0/", "", shown) + "\n")


@pytest.mark.parametrize("chosen", ["fail", "skip", "ignore"])
def test_missing_tools(chosen: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeini(f"[pytest]\nedgelearn_missing_tools = {chosen}\n")
    pytester.makepyfile(f"def test_it(edgelearn_board):\n    edgelearn_board({str(MODEL)!r})\n")
    monkeypatch.setenv("PATH", "/nowhere")
    result = pytester.runpytest_subprocess("-q", "-rs")
    if chosen == "ignore":
        assert "edgelearn_missing_tools is 'fail' or 'skip', not 'ignore'" in result.stderr.str()
        return
    result.assert_outcomes(**{"failed" if chosen == "fail" else "skipped": 1})
    assert "no compiler for qemu-m4: tried arm-none-eabi-gcc" in result.stdout.str()
    assert "apt-get install gcc-arm-none-eabi" in result.stdout.str()


def test_the_words_of_the_help(pytester: pytest.Pytester, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = pytester.runpytest_subprocess("--help").stdout.str()
    options = text[text.index("models that train on emulated boards:") :].split("\n\n")[0]
    settings = re.findall(r"^  edgelearn_.*(?:\n {24,}.*)*", text, re.MULTILINE)
    listed = pytester.runpytest_subprocess("--markers").outlines
    markers = [line for line in listed if line.startswith("@pytest.mark.edgelearn")]
    golden("pytest/help.txt", "\n".join([options, *settings, *markers]) + "\n")


def test_a_board_without_pytest(tmp_path: Path) -> None:
    """The workshop alone: train, count, export what was trained, and go on with it."""
    import numpy as np

    from edgelearn.errors import UsageError
    from edgelearn.testing import Workshop

    with np.load(small_data(tmp_path / "small.npz")) as archive:
        x, y = archive["x_train"], archive["y_train"]
    workshop = Workshop(tmp_path / "images")
    settings = {"board": "qemu-m4", "train": "last", "lr": 0.0002, "batch": 5}
    with workshop.board(MODEL, count=True, **settings) as board:
        before = board.evaluate(x, y)
        losses = board.train(x, y, epochs=2)
        assert len(losses) == 24
        assert board.status().step == 6, "two batches and an incomplete one, twice"
        assert min(board.spent) > 100_000
        after = board.evaluate(x, y)
        assert after.loss < before.loss
        trained = board.export(tmp_path / "trained.onnx")
        predictions = board.infer(x)
        with pytest.raises(UsageError, match="samples have shape"):
            board.infer(x[:, :1])
    with workshop.board(MODEL, data=tmp_path / "small.npz", bake=22, **settings) as baked:
        assert baked.infer(x[:1]).shape == (1, 7)
    with workshop.board(trained, **settings) as again:
        np.testing.assert_allclose(again.infer(x), predictions, rtol=1e-5, atol=1e-6)
        assert again.evaluate(x, y).loss == pytest.approx(after.loss, rel=1e-5)
