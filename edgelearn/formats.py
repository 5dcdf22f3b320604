"""Number formats a tensor can have on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Format:
    """One number format.

    `name` is the suffix in kernel names, `bits` the storage of one element on the device, `ctype` the C element
    type (a `bit` mask is stored eight elements a byte), `dtype` what numpy computes with.
    """

    name: str
    bits: int
    ctype: str
    dtype: np.dtype

    def nbytes(self, count: int) -> int:
        """Bytes on the device of `count` elements, rounded up to whole bytes."""
        return (count * self.bits + 7) // 8


F32 = Format("f32", 32, "float", np.dtype(np.float32))
F16 = Format("f16", 16, "el_f16", np.dtype(np.float16))
S8 = Format("s8", 8, "int8_t", np.dtype(np.int8))
S32 = Format("s32", 32, "int32_t", np.dtype(np.int32))
U8 = Format("u8", 8, "uint8_t", np.dtype(np.uint8))
U32 = Format("u32", 32, "uint32_t", np.dtype(np.uint32))
BIT = Format("bit", 1, "uint8_t", np.dtype(np.bool_))

# Of kernels whose products are piecewise affine (ops.pam); their operands are F32.
PAM = Format("pam", 32, "float", np.dtype(np.float32))

# Codes of weights that are signed powers of two (ops.shift), packed without gaps; numpy has one a byte.
SHIFTS = {bits: Format(f"shift{bits}", bits, "uint8_t", np.dtype(np.uint8)) for bits in (2, 3, 4)}

FORMATS = {f.name: f for f in (F32, F16, S8, S32, U8, U32, BIT)}
