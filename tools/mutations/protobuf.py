"""Damages an ONNX file inside its format: the result is a protobuf that parses, and says something else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

INTEGERS = (0, 1, -1, 2, 3, 5, 7, 16, 255, 1 << 16, (1 << 31) - 1, 1 << 31, -(1 << 31), 1 << 40, (1 << 63) - 1)
FLOATS = (0.0, 1.0, -1.0, 0.5, 1e-30, 3e38, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "x", "N", "ai.onnx", "com.example", "Relu", "a b", "name\n", "\x00", "é" * 40, "SAME_UPPER", "0")
WHOLE = {
    FieldDescriptor.CPPTYPE_INT32: 32, FieldDescriptor.CPPTYPE_INT64: 64, FieldDescriptor.CPPTYPE_UINT32: 32,
    FieldDescriptor.CPPTYPE_UINT64: 64,
}  # fmt: skip
Site = tuple[Any, FieldDescriptor]


def mutate_protobuf(content: bytes, other: bytes, generator: random.Random) -> bytes:
    """One to five fields changed: values, shapes, attributes, names and ops; or replaced by those of `other`."""
    model = onnx.ModelProto.FromString(content)
    for _ in range(generator.choice((1, 1, 1, 2, 5))):
        message, field = _pick(model, generator)
        if _repeated(field):
            _change_list(message, field, other, generator)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            _change_message(message, field, other, generator)
        else:
            _set(message, field, _value(field, getattr(message, field.name), model, generator))
    return bytes(model.SerializeToString())


def _messages(message: Any) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            for part in value if _repeated(field) else [value]:
                yield from _messages(part)


def _pick(model: Any, generator: random.Random) -> Site:
    """A message of a kind and a field of it, mostly one that is set; rare kinds as often as common ones."""
    kinds: dict[str, list[Any]] = {}
    for message in _messages(model):
        kinds.setdefault(message.DESCRIPTOR.name, []).append(message)
    message = generator.choice(kinds[generator.choice(sorted(kinds))])
    fields = [field for field, _ in message.ListFields()]
    if not fields or generator.random() < 0.15:
        fields = list(message.DESCRIPTOR.fields)
    return message, generator.choice(fields)


def _repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def _value(field: FieldDescriptor, old: Any, model: Any, generator: random.Random) -> Any:
    """Another value of a field's type."""
    if field.cpp_type in WHOLE:
        value = generator.choice((*INTEGERS, old + 1, old - 1, -old, 2 * old)) & ((1 << WHOLE[field.cpp_type]) - 1)
        signed = field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
        return value - (1 << WHOLE[field.cpp_type]) if signed and value >> (WHOLE[field.cpp_type] - 1) else value
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return generator.choice([v.number for v in field.enum_type.values])
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return generator.choice((*FLOATS, -old, 2 * old))
    if field.type == FieldDescriptor.TYPE_BYTES:
        cut = generator.randrange(len(old) + 1)
        return generator.choice((b"", old[:cut], old + b"\0" * 4, old[cut:], bytes(reversed(old)), old[:cut] + b"\xff"))
    return generator.choice((*TEXTS, old + "x", *_texts(field, model, generator)))


def _texts(field: FieldDescriptor, model: Any, generator: random.Random) -> list[str]:
    """Words that mean something where this one stands: other ops, other names of the same model."""
    if field.name == "op_type":
        return generator.choices(sorted({schema.name for schema in onnx.defs.get_all_schemas()}), k=20)
    nodes = model.graph.node
    names = [name for node in nodes for name in (*node.input, *node.output, *(a.name for a in node.attribute))]
    return generator.choices(names, k=20) if names else []


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    setattr(message, field.name, value)


def _change_list(message: Any, field: FieldDescriptor, other: bytes, generator: random.Random) -> None:
    values = getattr(message, field.name)
    kind = generator.randrange(6)
    at = generator.randrange(len(values)) if len(values) else 0
    if kind == 0 or not len(values):
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            values.add().CopyFrom(_donor(field, other, generator))
        else:
            values.append(_value(field, _zero(field), onnx.ModelProto(), generator))
    elif kind == 1:
        del values[at]
    elif kind == 2:
        values.append(values[at])
    elif kind == 3 and generator.random() < 0.3:
        del values[:]
    elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        values[at].CopyFrom(generator.choice((_donor(field, other, generator), generator.choice(values))))
    else:
        values[at] = _value(field, values[at], onnx.ModelProto(), generator)


def _zero(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b""
    return "" if field.cpp_type == FieldDescriptor.CPPTYPE_STRING else 0


def _change_message(message: Any, field: FieldDescriptor, other: bytes, generator: random.Random) -> None:
    if generator.random() < 0.5:
        message.ClearField(field.name)
    else:
        getattr(message, field.name).CopyFrom(_donor(field, other, generator))


def _donor(field: FieldDescriptor, other: bytes, generator: random.Random) -> Any:
    """A message of the field's type out of another file; an empty one if there is none."""
    found = [m for m in _messages(onnx.ModelProto.FromString(other)) if m.DESCRIPTOR is field.message_type]
    return generator.choice(found) if found else GetMessageClass(field.message_type)()
