"""Every node test that ONNX has for a supported op passes, or is in the one table of what is refused and why."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from edgelearn.importers.onnx.call import HANDLERS
from tests.unit.onnx_nodes import cases, outcome

# Cases (without "test_"), and words of the importer's reason. The first row that fits a case is the one that counts.
REFUSED: tuple[tuple[str, str], ...] = (
    (
        "cast_FLOAT_to_FLOAT16 cast_FLOAT16_to_FLOAT castlike_FLOAT_to_FLOAT16 castlike_FLOAT16_to_FLOAT",
        "",
    ),  # these four pass
    ("pow_example pow pow_bcast_array pow_types_float32_*", "supported are the exponents 1, 2 and 3"),
    ("quantizelinear_uint16 quantizelinear_int16", ": activations of "),
    ("dequantizelinear_*int16", "INT16, supported is FLOAT"),
    ("quantizelinear_*blocked* dequantizelinear_blocked", "blocked quantisation (block_size 2) is not supported"),
    ("*quantizelinear_axis", "an activation has 3 scales, one a channel; supported is one"),
    ("quantizelinear_*int[24] quantizelinear_float* quantizelinear_e*m*", "not supported, only int8 and uint8"),
    ("dequantizelinear_*int[24] dequantizelinear_float* dequantizelinear_e*m*", ", supported is FLOAT"),
    ("qlinearmatmul_2D_*", ""),  # these four pass
    ("qlinearmatmul_3D_*", "expected 2 axes"),
    ("*_int8 *_int16 *_uint8 *_uint16 *_uint32 *_uint64 *_int32_trunc clip_default_int8_*", ", supported is FLOAT"),
    ("edge_pad reflect_pad wrap_pad pow_types_int*", ", supported is FLOAT"),
    ("identity_sequence identity_opt", "is no type, supported is FLOAT"),
    ("cast_e8m0_FLOAT8*", ", supported is FLOAT"),
    ("cast_e8m0_*", "Unrecognized attribute: round_mode"),
    (
        "cast_FLOAT_to_* cast_FLOAT16_to_* cast_no_saturate_* castlike_no_saturate_*",
        "casts to something other than float32 or float16",
    ),
    ("castlike_FLOAT_to_* castlike_FLOAT16_to_*", "casts to something other than float32 or float16"),
    ("castlike_[IU]*2_to_*", "is no type, supported is FLOAT"),
    (
        "cast_*_to_* castlike_*_to_* celu_bfloat16 reduce_max_bool_inputs reduce_max_empty_set_bool",
        ", supported is FLOAT",
    ),
    ("*pool_3d_* convtranspose_3d", "needs 1-D or 2-D maps"),
    ("*pool_2d_dilations convtranspose_dilations", "dilations [2, 2] are not supported"),
    ("batchnorm_*_training_mode maxpool_with_argmax_* *dropout*_mask*", "outputs, supported is one"),
    ("training_dropout_*", "drops elements at inference"),
    ("training_dropout", "drops elements at inference"),
    ("clip_min_greater_than_max clip_default_max", "supported is a finite lower limit below the upper one"),
    ("flatten_axis[023] flatten_negative_axis[124]", "mixes the batch axis"),
    ("reshape_reordered_all_dims reshape_one_dim", "mixes the batch axis"),
    ("reshape_negative_extended_dims reshape_allowzero_reordered", "does not fit one sample"),
    ("gather_1 gather_2d_indices", "supported is one"),
    ("gather_0 *softmax_axis_0 squeeze", "along the batch axis"),
    ("layer_normalization_4d_axis0 layer_normalization_4d_axis_negative_4", "along the batch axis"),
    ("layer_normalization_2d_axis0 layer_normalization_2d_axis_negative_2", "along the batch axis"),
    ("layer_normalization_3d_axis0_* layer_normalization_3d_axis_negative_3_*", "along the batch axis"),
    ("gather_negative_indices matmul_1d_* split_*1d_* split_*_default_axis_* split_zero_*", "expected the batch"),
    ("gemm_default_matrix_bias", "bias (3, 4) does not fit 4 outputs"),
    ("gemm_transposeA gemm_all_attributes", "transA would mix the samples"),
    ("matmul_3d matmul_4d matmul_bcast matmul_4d_1d", "expected 2 axes"),
    ("reduce_mean_default_axes_*", "the mean over all axes, the batch included"),
    ("reduce_max_default_axes_*", "the largest over all axes, the batch included"),
    ("reduce_max_empty_set", "has no fixed size"),
    ("swish", "No Op registered for Swish"),
    ("shape*", "does not depend on the input"),
    ("slice", "cuts the batch axis"),
    ("slice_start_out_of_bounds", "takes an empty part"),
    ("slice_neg_steps", "only positive ones are supported"),
    ("lstm_with_peepholes", "peephole weights P are not supported"),
    ("lstm_reverse lstm_bidirectional", "its last cell Y_c is read"),
)


def reason(name: str) -> str:
    """What the table says about a case; "" if it has to pass."""
    short = name.removeprefix("test_")
    return next((why for names, why in REFUSED if any(fnmatchcase(short, p) for p in names.split())), "")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("nodes")
    return {name: outcome(case, folder) for name, case in cases().items()}


def test_every_case_passes_or_is_refused_by_name(outcomes: dict[str, str]) -> None:
    wrong = {}
    for name, said in outcomes.items():
        why = reason(name)
        if (why == "") != (said == "") or why not in said:
            wrong[name] = (why, said)
    assert not wrong, "\n".join(f"{name}: the table says {a!r}, the importer {b!r}" for name, (a, b) in wrong.items())


def test_no_row_is_left_over() -> None:
    names = [name.removeprefix("test_") for name in cases()]
    patterns = [pattern for row, _ in REFUSED for pattern in row.split()]
    assert [p for p in patterns if not any(fnmatchcase(name, p) for name in names)] == []


def test_most_ops_have_a_case_that_passes(outcomes: dict[str, str]) -> None:
    passed = {case.model.graph.node[0].op_type for name, case in cases().items() if outcomes[name] == ""}
    # Swish is of opset 24: what is imported today is its product written out.
    assert HANDLERS.keys() - passed == {"Gather", "Shape", "Swish"}
    assert sum(said == "" for said in outcomes.values()) >= 150


def test_every_row_counts(outcomes: dict[str, str]) -> None:
    used = {reason(name) for name in outcomes}
    assert used == {why for _, why in REFUSED}
