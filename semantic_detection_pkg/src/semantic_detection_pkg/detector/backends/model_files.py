"""What a model file is by its content, so that a wrong one is refused by name with what to do.

An ONNX file is a protobuf message (`ModelProto` in onnx.proto) without a mark of its own. Its
outermost fields are walked here, which tells where it should end; nothing inside is read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from semantic_detection_pkg.detector.backends.trt.families import family_of_plan
from semantic_detection_pkg.detector.backends.trt.plan import BUILD_HINT
from semantic_detection_pkg.errors import ModelError

_HEAD = 4096  # bytes that tell most kinds
_AGAIN = "download or copy it again"
_TO_ONNX = (
    "export it to ONNX where PyTorch is: `yolo export format=onnx model=...` or "
    "tools/export_yoloe.py"
)
_ONNX, _PLAN = "an ONNX model", "a TensorRT plan"
# Fields of ModelProto.
_FIELD_GRAPH, _FIELD_OPSET, _LAST_FIELD = 7, 8, 25
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


class Kind(NamedTuple):
    """What a file is, "a web page" say, and what to do with it."""

    what: str
    remedy: str


def check_model_file(path: Path, engine: str) -> None:
    """Refuse what an engine cannot load if it can be told what it is.

    Args:
        path: an existing file.
        engine: "onnxruntime" or "tensorrt"; others know their files themselves.

    Raises:
        ModelError: it is something else, or only a part of a file.
    """
    wanted = {"onnxruntime": _ONNX, "tensorrt": _PLAN}.get(engine)
    if wanted is None:
        return
    try:
        kind = _kind(path)
    except OSError as error:
        raise ModelError(f"model {path}: {(error.strerror or str(error)).lower()}") from error
    if kind is None or (kind.what == wanted and not kind.remedy):
        return
    remedy = kind.remedy
    if kind.what == _ONNX and not remedy:
        remedy = f"{BUILD_HINT}, or take the engine onnxruntime"
    elif kind.what == _PLAN:
        remedy = "take the engine tensorrt (on the machine that built it), or the .onnx beside it"
    is_not = "an ONNX file" if wanted == _ONNX else wanted
    raise ModelError(f"model {path}: is not {is_not} but {kind.what}; {remedy}")


def _kind(path: Path) -> Kind | None:
    """Return the kind of a file; None: unknown. An ONNX model and a plan have no remedy."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if not head:
            return Kind("empty", _AGAIN)
        if not any(head) and size <= _HEAD:
            return Kind("nothing but zeros", _AGAIN)
        for is_kind, kind in _MARKS:
            if is_kind(head):
                return kind
        if head.startswith(b"PK\3\4"):
            return _archive_kind(path)
        if _is_text(head):
            return _text_kind(head, size)
        return _onnx_kind(file, size)


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


def _holds(mark: bytes, at: int) -> Callable[[bytes], bool]:
    return lambda head: head[at : at + len(mark)] == mark


def _is_plan(head: bytes) -> bool:
    # Raw, or with Ultralytics' length and JSON header in front.
    return family_of_plan(head) is not None or (head[3:5] == b"\0{" and b'"' in head[5:7])


_OTHER_RUNTIME = "the engines here run ONNX models and TensorRT plans; export to ONNX"
_MARKS: tuple[tuple[Callable[[bytes], bool], Kind], ...] = (
    (_is_plan, Kind(_PLAN, "")),
    (
        _starts(b"version https://git-lfs.github.com/spec/"),
        Kind(
            "a Git LFS pointer, which only names the model",
            "fetch the model itself: `git lfs pull` in its repository, or its page's download link",
        ),
    ),
    (_starts(b"\x80\x02", b"\x80\x03", b"\x80\x04"), Kind("a pickle (old PyTorch file)", _TO_ONNX)),
    (_holds(b"TFL3", 4), Kind("a TensorFlow Lite model", _OTHER_RUNTIME)),
    (_holds(b"ORTM", 4), Kind(_ONNX, "")),  # ONNX Runtime's own form
    (_starts(b"7767517\n"), Kind("an ncnn model", _OTHER_RUNTIME)),
    (_starts(b"GGUF"), Kind("a GGUF language model", _OTHER_RUNTIME)),
    (_starts(b"\x89HDF"), Kind("an HDF5 file (Keras?)", _OTHER_RUNTIME)),
    (_holds(b'{"', 8), Kind("a safetensors file: weights without a network", _TO_ONNX)),
    (
        _starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!"),
        Kind("packed", "unpack it"),
    ),
    (_holds(b"ustar", 257), Kind("a tar archive", "unpack it")),
    (_starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), Kind("a picture", "give the model's file")),
)


def _archive_kind(path: Path) -> Kind:
    """Tell PyTorch ZIP archives apart: TorchScript has code in them."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return Kind("a ZIP archive (PyTorch?) without its end: a part of a download", _AGAIN)
    if any(name.endswith("/data.pkl") for name in names):
        if any("/code/" in name for name in names):
            return Kind("a TorchScript file", f"from its checkpoint (.pt), {_TO_ONNX}")
        return Kind("a PyTorch checkpoint (.pt)", _TO_ONNX)
    if any(name.endswith(".onnx") for name in names):
        return Kind("a ZIP archive with an ONNX file in it", "unpack it")
    return Kind("a ZIP archive", "unpack it, or give the model's file")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\r\n\t\f\ufeff" for letter in text)


def _text_kind(head: bytes, size: int) -> Kind:
    text = " ".join(head.decode("utf-8", "replace").replace("\ufeff", "").split())
    lower = text[:500].lower()
    if re.match(r"<!doctype html|<html|<head|<!--.*<html", lower):
        title = re.search(r"<title[^>]*>\s*(.*?)\s*</title>", text, re.IGNORECASE)
        named = f" ({title[1][:60]!r})" if title else ""
        return Kind(
            f"a web page{named}", "take the link that downloads the file itself (raw, download)"
        )
    if lower.startswith(("<?xml", "<net")) and "<net" in lower:
        return Kind("an OpenVINO model", _OTHER_RUNTIME)
    return Kind(f"text of {size} bytes, {text[:60]!r}", "give the model's file")


def _onnx_kind(file: BinaryIO, size: int) -> Kind | None:
    """Walk the outermost fields; None: they are not those of an ONNX model."""
    position = 0
    seen: set[int] = set()
    while position < size:
        file.seek(position)
        head = file.read(20)
        tag, used = _varint(head)
        number, wire = tag >> 3, tag & 7
        length, more = _varint(head[used:]) if wire in (_VARINT, _BYTES) else (0, 0)
        is_cut = len(head) < 20 and (not used or (wire in (_VARINT, _BYTES) and not more))
        if is_cut and seen:
            return _cut_off(size, size + 1)
        if not 1 <= number <= _LAST_FIELD or wire not in (_VARINT, _FIXED_64, _BYTES, _FIXED_32):
            return _cut_off(size, None) if seen and not any(head) else None
        position += used + more + {_FIXED_64: 8, _FIXED_32: 4, _BYTES: length}.get(wire, 0)
        seen.add(number)
        if position > size:
            return _cut_off(size, position) if len(seen) > 1 else None
    is_whole = _FIELD_GRAPH in seen and _FIELD_OPSET in seen
    return Kind(_ONNX, "") if is_whole else _cut_off(size, size + 1)


def _cut_off(size: int, needed: int | None) -> Kind:
    rest = "the rest is zeros" if needed is None else f"{size:,} bytes of {needed:,} or more"
    return Kind(f"a part of one: {rest}", f"its download or copy was cut off; {_AGAIN}")


def _varint(data: bytes) -> tuple[int, int]:
    """Return value and bytes used; 0 bytes: it does not end here (protobuf's encoding guide)."""
    value = 0
    for index, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, index + 1
    return 0, 0
