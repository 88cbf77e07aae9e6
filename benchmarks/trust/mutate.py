"""Damage files: bytes, JSON documents, ONNX models and pickles, as nobody would write them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Damage = Callable[[bytes, random.Random], bytes]

HUGE = (0, -1, 1, 2, 7, 1 << 16, 1 << 24, 1 << 31, 1 << 40, 1 << 62, 1 << 63, -(1 << 63), 10**400)
ODD_TEXTS = ("", "x", "../../etc/passwd", "\0", "\n", "\x1b[2J", "\ud800", "é" * 40, "9" * 5000)


def any_bytes(data: bytes, rng: random.Random) -> bytes:
    """Cut, flip, double or overwrite."""
    held = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(held) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            del held[at:]
        elif kind == 1 and at < len(held):
            held[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del held[at : at + rng.randrange(1, 64)]
        elif kind == 3:
            held[at:at] = held[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            held[at : at + 4] = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "little")
        else:
            held[at:at] = rng.randbytes(rng.randrange(1, 16))
    return bytes(held)


# --- JSON ----------------------------------------------------------------------------------------


def json_document(data: bytes, rng: random.Random) -> bytes:
    """Change, drop, double or move a value of a document; now and then its text instead."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return any_bytes(data, rng)
    if rng.random() < 0.15:
        return any_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        spots = _places(document)
        if not spots:
            break
        parent, key = rng.choice(spots)
        kind = rng.randrange(5)
        if kind == 0:
            del parent[key]
        elif kind == 1:
            _, other = donor = rng.choice(spots)
            parent[key] = copy.deepcopy(donor[0][other]) if _holds(donor) else None
        elif kind == 2 and isinstance(parent[key], int) and not isinstance(parent[key], bool):
            parent[key] += rng.choice((-1, 1, 2, 1 << 20))
        else:
            parent[key] = odd_value(rng)
    text = json.dumps(document)
    if rng.random() < 0.1 and text.startswith('{"'):
        text = "{" + text[1 : text.index(",") + 1 if "," in text else -1] + text[1:]
    return text.encode("utf-8", "surrogatepass")


def odd_value(rng: random.Random) -> Any:
    """Return what was not asked for."""
    deep: Any = 0
    for _ in range(rng.choice((2, 40, 400))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    return rng.choice(
        (
            *(None, True, False, 0.5, -0.0, 1e300, float("nan"), float("inf"), -float("inf")),
            *(rng.choice(HUGE), rng.choice(HUGE), rng.choice(ODD_TEXTS), rng.choice(ODD_TEXTS)),
            *([], {}, [[]], [0] * 40, {"": 0}, deep),
        )
    )


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return every place of a document as parent and key."""
    found, stack = [], [document]
    while stack:
        parent = stack.pop()
        if isinstance(parent, dict | list):
            for key in list(parent) if isinstance(parent, dict) else range(len(parent)):
                found.append((parent, key))
                stack.append(parent[key])
    return found


def _holds(spot: tuple[Any, Any]) -> bool:
    parent, key = spot
    return key in parent if isinstance(parent, dict) else key < len(parent)


# --- ONNX ----------------------------------------------------------------------------------------


def onnx_model(data: bytes, rng: random.Random) -> bytes:
    """Change fields of the messages of a model; now and then its bytes instead."""
    import onnx

    try:
        model = onnx.ModelProto.FromString(data)
    except Exception:  # protobuf has an error of its own for each implementation
        return any_bytes(data, rng)
    if rng.random() < 0.15:
        return any_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        messages = _messages(model)
        _change_field(rng.choice(messages), messages, rng)
    return bytes(model.SerializeToString())


def _messages(root: Any) -> list[Any]:
    found, stack = [], [root]
    while stack:
        message = stack.pop()
        found.append(message)
        for field, value in message.ListFields():
            if field.message_type is not None:
                stack.extend(value if hasattr(value, "add") else [value])
    return found


def _change_field(message: Any, messages: list[Any], rng: random.Random) -> None:
    field = rng.choice(message.DESCRIPTOR.fields)
    value = getattr(message, field.name)
    many = hasattr(value, "append") or hasattr(value, "add")
    try:
        if many and len(value) and rng.random() < 0.5:
            at = rng.randrange(len(value))
            if rng.random() < 0.5:
                del value[at]
            elif field.message_type is None:
                value[at] = _scalar(field, rng)
            else:
                copied = value[at].SerializeToString()
                value.add().ParseFromString(copied)
        elif field.message_type is not None:
            same = [m for m in messages if m.DESCRIPTOR is field.message_type]
            # A copy by way of bytes: protobuf crashes where a message becomes part of itself.
            copied = rng.choice(same).SerializeToString() if same else b""
            target = value.add() if many else value
            target.ParseFromString(copied)
            target.SetInParent()
        elif many:
            value.extend(_scalar(field, rng) for _ in range(rng.choice((1, 2, 9, 70))))
        elif rng.random() < 0.3:
            message.ClearField(field.name)
        else:
            setattr(message, field.name, _scalar(field, rng))
    except (TypeError, ValueError):
        return  # out of the range of the field


def _scalar(field: Any, rng: random.Random) -> Any:
    kinds = type(field)
    if field.cpp_type in (kinds.CPPTYPE_FLOAT, kinds.CPPTYPE_DOUBLE):
        return rng.choice((0.0, -1.0, 0.3, 1e38, float("nan"), float("inf")))
    if field.cpp_type == kinds.CPPTYPE_STRING:
        text = rng.choice((*ODD_TEXTS[:6], "x", "y0_0", "c0", "Relu", "axis", "axes", "ai.onnx"))
        return text.encode() if field.type == kinds.TYPE_BYTES else text
    return rng.choice((*HUGE[:10], 3, 4, 6, 8, 9, 11, 13, 17))


# --- pickles -------------------------------------------------------------------------------------


def pickle_program(data: bytes, rng: random.Random) -> bytes:
    """Drop, double, swap or foist an instruction of a pickle; now and then its bytes instead."""
    import pickletools

    if rng.random() < 0.3:
        return any_bytes(data, rng)
    try:
        starts = [at for _, _, at in pickletools.genops(data) if at is not None]
    except ValueError:
        return any_bytes(data, rng)
    pieces = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    foreign = (
        *(b"cos\nsystem\n", b"X\x02\x00\x00\x00id", b"\x85", b"R", b"o", b"i", b"(", b"t", b"}"),
        *(
            b"cbuiltins\neval\n",
            b"ctorch\nload\n",
            b"\x93",
            b"\x92",
            b"b",
            b"Q",
            b"P1\n",
            b"\x82\x01",
        ),
        *(b"N", b"J\xff\xff\xff\x7f", b"\x8a\x09" + b"\xff" * 8 + b"\x7f", b"s", b"u", b"a", b"e"),
        *(b"0", b"1", b"2", b"q\x00", b"h\x00", b"h\xff", b"\x94", b"G" + b"\x7f" * 8, b"l", b"d"),
    )
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(pieces))
        kind = rng.randrange(5)
        if kind == 0 and len(pieces) > 1:
            del pieces[at]
        elif kind == 1:
            pieces.insert(at, pieces[at])
        elif kind == 2:
            other = rng.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        else:
            pieces.insert(at, rng.choice(foreign))
    return b"".join(pieces)


# --- what no document of ours is -----------------------------------------------------------------


def documents(seed: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what no JSON document of ours is."""
    yield "empty", b""
    yield "noise", b"\xff\xfe\x00" * 50
    yield "half", seed[: len(seed) // 2]
    yield "deep lists", b"[" * 200_000
    yield "deep objects", b'{"a":' * 200_000
    yield "another type", b"[]"
    yield "a number", b"1e999"
    yield "digits", b"9" * 100_000
    yield "text", b'"' + b"x" * 1_000_000 + b'"'
    yield "commas", b"[" + b"0," * (1 << 23) + b"0]"
    head = seed.lstrip()
    if head[:1] == b"{" and head[:2] != b"{}":
        key = head[: head.index(b",")] if b"," in head else head[:-1]
        yield "key twice", key + b"," + head[1:]
        yield "NaN", b'{"x": NaN,' + head[1:]
        yield "unknown key", b'{"hidden": 1,' + head[1:]
        yield "deep inside", b'{"hidden": ' + b"[" * 5000 + b"]" * 5000 + b"," + head[1:]


def changed(seed: bytes, *path: Any, to: Any) -> bytes:
    """Return a document with another value at ``path``."""
    document = json.loads(seed)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(document).encode()
