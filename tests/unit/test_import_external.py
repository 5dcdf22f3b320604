"""Weights that an ONNX model keeps in files beside it."""

from __future__ import annotations

import contextlib
import random as stdlib_random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn.errors import InputError
from edgelearn.export import export_model
from edgelearn.importers import load
from edgelearn.importers.onnx import external, file
from tests.unit.import_models import compare, model, node, predict, random, save

WEIGHTS = {"w": random(30, 20), "v": random(20, 5)}


def made() -> onnx.ModelProto:
    """Two layers, one weight an initializer and one in a Constant node."""
    stored = onnx.numpy_helper.from_array(WEIGHTS["v"], "v")
    nodes = [node("Constant", [], "v", value=stored), node("MatMul", ["x", "w"], "h"), node("MatMul", ["h", "v"], "y")]
    return model(nodes, (30,), {"w": WEIGHTS["w"]})


def outside(folder: Path, *, one_file: bool = True) -> Path:
    """The model with both weights kept outside."""
    path = folder / "net.onnx"
    onnx.save(made(), path, save_as_external_data=True, all_tensors_to_one_file=one_file, location="net.data",
              size_threshold=0, convert_attribute=True)  # fmt: skip
    return path


@pytest.mark.parametrize("one_file", [True, False])
def test_weights_are_read_from_their_files(one_file: bool, tmp_path: Path) -> None:
    path = outside(tmp_path, one_file=one_file)
    assert len(list(tmp_path.iterdir())) == (2 if one_file else 3)
    graph = compare(path)
    for name, dense in zip(("w", "v"), graph.nodes, strict=True):
        np.testing.assert_array_equal(graph.tensors[dense.inputs[1]].data, WEIGHTS[name].T)


def test_an_export_is_one_file_with_the_weights_in_it(tmp_path: Path) -> None:
    path, out = outside(tmp_path), tmp_path / "elsewhere" / "trained.onnx"
    out.parent.mkdir()
    graph = load(path)
    first, second = (n.inputs[1] for n in graph.nodes)
    new = graph.tensors[first].data + np.float32(1)  # type: ignore[operator]
    export_model(path, graph, {first: new}, out)
    assert list(out.parent.iterdir()) == [out]
    trained = compare(out)
    np.testing.assert_array_equal(trained.tensors[first].data, new)
    np.testing.assert_array_equal(trained.tensors[second].data, graph.tensors[second].data)


def test_torchs_default_export(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(40, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(1, 40),), tmp_path / "m.onnx", verbose=False)
    assert (tmp_path / "m.onnx.data").stat().st_size >= 4 * 40 * 64, "torch kept the weights in the model's own file"
    graph = compare(tmp_path / "m.onnx", batch=1)
    out = tmp_path / "trained.onnx"
    export_model(tmp_path / "m.onnx", graph, {}, out)
    (tmp_path / "m.onnx.data").unlink()
    x = np.random.default_rng(0).normal(size=(1, 40)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(predict(out, x), net(torch.from_numpy(x)).numpy(), rtol=0, atol=1e-6)


# What is refused


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.where == path.name
    assert "\n" not in caught.value.message
    return caught.value


def entered(path: Path, **entries: str | None) -> Path:
    """The model with other entries for its weight `w`; None takes one out."""
    changed = onnx.load(path, load_external_data=False)
    tensor = changed.graph.initializer[0]
    known = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in known.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    path.write_bytes(changed.SerializeToString())
    return path


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = outside(tmp_path)
    (tmp_path / "net.data").unlink()
    error = refused(path)
    assert error.message == "weight 'w' is kept in 'net.data', which is not there"
    assert error.hint == external.HINT


def test_the_hint_gives_one_file(tmp_path: Path) -> None:
    path = outside(tmp_path)
    assert "onnx.save(onnx.load(path), path)" in external.HINT
    onnx.save(onnx.load(path), path)
    (tmp_path / "net.data").unlink()
    compare(path)


@pytest.mark.parametrize(
    "location",
    ["../net.data", "/etc/hostname", "sub/../../net.data", "..\\net.data", "C:\\net.data", "C:net.data", "", ".",
     "\\net.data", "net\0.data"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_opened(location: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = entered(outside(inner), location=location)
    (tmp_path / "net.data").write_bytes((inner / "net.data").read_bytes())
    assert "which is outside the model's folder" in refused(path).message


def test_links_that_lead_outside(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = outside(inner)
    (inner / "net.data").rename(tmp_path / "net.data")
    (inner / "net.data").symlink_to("../net.data")
    assert "which is outside the model's folder" in refused(path).message
    (inner / "net.data").unlink()
    (inner / "net.data").symlink_to("net.data")
    assert "'net.data'" in refused(path).message
    (inner / "net.data").unlink()
    (tmp_path / "net.data").rename(inner / "kept")
    (inner / "net.data").symlink_to("kept")
    load(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = outside(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("folder", "n" * 300):
        assert f"is kept in '{name[:77]}" in refused(entered(path, location=name)).message


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"offset": "4000"}, "lies beyond the end of 'net.data', which has "),
        ({"offset": "99999999999999999"}, "lies beyond the end of 'net.data', which has "),
        ({"length": "99999999999999999"}, "lies beyond the end of 'net.data', which has "),
        ({"length": "7"}, "is damaged: 7 bytes in 'net.data' for 2400 that its shape needs"),
        ({"offset": "-1"}, "is damaged: '-1' is no place in a file"),
        ({"length": "many"}, "is damaged: 'many' is no place in a file"),
        ({"offset": "9" * 5000}, "is no place in a file"),
    ],
)
def test_places_that_are_none(entries: dict[str, str], reason: str, tmp_path: Path) -> None:
    assert reason in refused(entered(outside(tmp_path), **entries)).message


def test_the_length_may_be_left_out(tmp_path: Path) -> None:
    """Then the tensor is the rest of the file."""
    path = outside(tmp_path, one_file=False)
    compare(entered(path, length=None, offset=None))
    assert "bytes in 'w' for 2400" in refused(entered(path, offset="4")).message


def test_other_entries_are_passed_over(tmp_path: Path) -> None:
    compare(entered(outside(tmp_path), checksum="0" * 40, prepacked_0="gemm|0|64"))


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = outside(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"net.data", b"net\xff\xfeata"))
    assert "is damaged: where its bytes are can't be read" in refused(path).message


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = outside(tmp_path)
    data = (tmp_path / "net.data").read_bytes()
    (tmp_path / "net.data").write_bytes(data[:1000])
    assert "which has 1000 bytes and may be cut short" in refused(path).message


def test_kinds_and_shapes_that_are_absurd(tmp_path: Path) -> None:
    def change(alter: Callable[[onnx.TensorProto], object]) -> str:
        changed = onnx.load(outside(tmp_path), load_external_data=False)
        alter(changed.graph.initializer[0])
        return refused(save(changed, tmp_path)).message

    text = onnx.TensorProto.STRING
    assert "can't be kept in another file" in change(lambda t: setattr(t, "data_type", text))
    assert "can't be kept in another file" in change(lambda t: setattr(t, "data_type", 99))
    assert "absurd shape" in change(lambda t: t.dims.append(-1))
    assert "absurd shape" in change(lambda t: t.dims.extend([1] * 20))


def test_the_limit_holds_for_model_and_weights_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes may be named many times: what counts is what has to be held."""
    path = outside(tmp_path)
    whole = path.stat().st_size + 4 * sum(w.size for w in WEIGHTS.values())
    monkeypatch.setattr(file, "MOST_BYTES", whole)
    load(path)
    monkeypatch.setattr(file, "MOST_BYTES", whole - 1)
    assert "makes the model larger than the limit, by 1 bytes" in refused(path).message


def test_graphs_within_nodes_are_looked_into(tmp_path: Path) -> None:
    """onnx's own checker would look for their files wherever the process happens to be."""
    (tmp_path / "net.data").write_bytes(bytes(4))
    tensor = onnx.TensorProto(name="k", dims=[1], data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../net.data")
    body = onnx.helper.make_graph([node("Relu", ["k"], "b")], "body", [], [], [tensor])
    path = save(model([node("Relu", ["x"], "y")], (3,)), tmp_path)
    whole = onnx.load(path)
    whole.graph.node.append(node("If", ["y"], "z", then_branch=body, else_branch=body))
    path.write_bytes(whole.SerializeToString())
    assert "weight 'k' is kept in '../net.data', which is outside" in refused(path).message


def test_damaged_models_never_end_in_a_traceback(tmp_path: Path) -> None:
    """A model comes out, or one InputError."""
    path = outside(tmp_path)
    content, rng = path.read_bytes(), stdlib_random.Random(5)
    start = content.index(b"location") - 40
    outcomes = []
    for _ in range(400):
        data = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 2))):
            data[rng.randrange(start, len(data))] = rng.choice((0, 1, 0x2E, 0x2F, 0x39, 0xFF, rng.randrange(256)))
        path.write_bytes(data)
        outcomes.append("error")
        with contextlib.suppress(InputError):
            load(path)
            outcomes[-1] = "model"
    assert outcomes.count("error") > 100
    assert outcomes.count("model") > 10
