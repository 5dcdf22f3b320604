"""What the planner needs of memory for real nets: exact bytes, batch 1, plain SGD in place, everything trained."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.graph import Phase, Role
from edgelearn.importers import load
from edgelearn.peaks import peaks
from edgelearn.plan import Plan, make_plan
from tools.fetch_assets import fetch_all

# Bytes of activations kept for the backward pass (the scores that the loss reads not counted), of masks (one bit an
# output of each ReLU that is trained through), of the arena, and of the arena with a fifth more MACs.
FIGURES = {
    "image_classification": (291_072, 9_216, 348_416, 222_272),
    "keyword_spotting": (258_256, 9_000, 330_256, 172_328),
    "visual_wake_words": (1_028_608, 28_944, 1_075_696, 452_288),
    "anomaly_detection": (6_688, 129, 9_892, 6_820),
}


# Portable kernels, whatever they cost: the scratch of others is not what these figures are about.
BOARD = replace(load_board("qemu-m4"), id="portable", kernels=("blk", "ref"))


def plan(name: str, **changes: float) -> Plan:
    return make_plan(load(fetch_all([name])[name]), TrainConfig(**changes), BOARD)


@pytest.mark.parametrize("name", FIGURES)
def test_activations_masks_and_arena_are_these_bytes(name: str) -> None:
    maps, masks, arena, lean_arena = FIGURES[name]
    full, lean = plan(name), plan(name, recompute=0.2)
    scores = {n for s in full.schedule.steps if s.node.phase is Phase.LOSS for n in s.node.inputs}
    kept = [t for t in full.kept() if t.role is Role.INPUT or t.name not in scores]
    assert sum(t.nbytes for t in kept if t.role is not Role.MASK) == maps
    assert sum(t.nbytes for t in kept if t.role is Role.MASK) == masks
    assert full.arena.nbytes == full.arena.lower_bound == arena
    assert lean.arena.nbytes == lean_arena
    for made in (full, lean):
        assert made.schedule.exact
        assert made.arena.nbytes <= 1.03 * made.arena.lower_bound
    assert lean.training_macs - lean.recomputed_macs == full.training_macs
    assert 0 < lean.recomputed_macs <= 0.2 * full.training_macs
    rows = [row.nbytes for row in peaks(lean)]
    assert rows[:3] == sorted(rows[:3]), "each thing less that the planner does needs more memory"
    assert min(rows[3:]) > 1.5 * rows[0]
