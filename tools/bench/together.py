"""What each hart really executes of a training step when all of them run at the same time: an image of the plan, as it
is built for its board, with marks around each part, in an emulator with a thread for each hart.

What a hart executes while it waits for others, or sleeps, is not counted; on the first hart what it executes between
divided steps, and for waking the others, is.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import msgspec
import numpy as np

from edgelearn.build import build_image
from edgelearn.codegen import generate
from edgelearn.device import open_device
from edgelearn.link import Link
from edgelearn.plan import Plan
from edgelearn.session import encode, hyper_of
from tools.bench import counting

_ACCEL = ("-accel", "tcg,thread=multi")
_PART = re.compile(r"(static void \w+\(int32_t hart, el_optim \*o\)\n\{\n)(.*?)(\n\}\n)", re.DOTALL)
_PASS = re.compile(r"((?:void|float) el_model_(?:forward|loss|backward|update)\([^)]*\)\n\{\n)(.*?)(\n\}\n)", re.DOTALL)
_DIVIDED = re.compile(r"el_harts_run\([^;]*\);")
_ON, _OFF = "    EL_MARK(1);\n", "\n    EL_MARK(0);"


def marked(model: str) -> str:
    """The generated model with marks where each hart begins and ends a part, and the first one everything else."""
    model = model.replace('#include "el/kernels.h"', '#include "el/kernels.h"\n#include "el/mark.h"', 1)
    model = _PART.sub(rf"\1{_ON}\2{_OFF}\3", model)
    model = _DIVIDED.sub(rf"\g<0>\n{_ON}", model)

    def whole(found: re.Match[str]) -> str:
        body, returns, value = found[2].partition("    return ")
        return f"{found[1]}{_ON}{body}{_OFF}\n{returns}{value}{found[3]}"

    return _PASS.sub(whole, model)


def executed(plan: Plan) -> list[int]:
    """Instructions of each hart for one training sample; ToolError where the plugin does not work."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        board = plan.board
        assert board.emulator is not None
        plugin = f"{counting.plugin()},isa=riscv,harts=apart,out={out}"
        args = (*board.emulator.args, *_ACCEL, "-plugin", plugin)
        board = msgspec.structs.replace(board, emulator=msgspec.structs.replace(board.emulator, args=args))
        sources = generate(plan)
        files = {name: marked(text) if name == "model.c" else text for name, text in sources.files.items()}
        image = build_image(files, board, Path(folder), kernel_sources=sources.kernels)
        shape = plan.graph.meta["input"].user_shape
        x = np.random.default_rng(3).normal(size=(1, *shape)).astype(np.float32)
        with open_device(image) as device:
            link = Link(device)
            link.hello(plan.hash)
            link.configure(hyper_of(plan.config, 1))
            for sample, target in encode(plan, x, np.array([1])).wire:
                link.train(sample, target)
            link.close()
        lines = [line.split() for line in out.read_text().splitlines()]
    counts = {int(hart): int(insn) for hart, insn in lines}
    return [counts.get(hart, 0) for hart in range(board.harts)]
