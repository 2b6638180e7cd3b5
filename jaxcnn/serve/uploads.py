"""The pictures of a request: a form, a single file as the body, or JSON; checked before anything is decoded."""

import asyncio
import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, FormParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from jaxcnn.data.failure import or_reason
from jaxcnn.serve.limits import Limits
from jaxcnn.serve.refusal import Refusal
from jaxcnn.train.model import Model

FORM, JSON = "multipart/form-data", "application/json"
# The kinds that browsers, cameras and laboratories make. Others of Pillow's run programs, or are hardly tested.
FORMATS = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
_EXPECTED = f"a picture as the body with its type (image/png, image/jpeg, ...), {FORM}, or {JSON}"


class Pictures(BaseModel):
    """Pictures in JSON."""

    model_config = ConfigDict(extra="forbid")
    pictures: Annotated[list[str], Field(description="Each picture's file in base64.", min_length=1)]


@dataclass(frozen=True)
class Upload:
    """A picture's file as it came, with its name where it came with one."""

    name: str | None
    content: bytes = b""


async def body(request: Request, limits: Limits) -> bytes:
    """The whole body. Raises Refusal where it is too large, or comes too slowly."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body_bytes:
        raise _too_large(limits, f"has {int(length):,} bytes")
    received = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                received += chunk
                if len(received) > limits.body_bytes:
                    raise _too_large(limits, f"has more than {limits.body_bytes:,} bytes")
    except TimeoutError:
        seen = f"{len(received):,} bytes of the body came in {limits.body_seconds:g} seconds"
        raise Refusal(408, f"{seen}; expected all of it.") from None
    except ClientDisconnect:
        raise Refusal(400, "the connection ended within the body.") from None
    return bytes(received)


def _too_large(limits: Limits, seen: str) -> Refusal:
    return Refusal(413, f"the body {seen}; expected at most {limits.body_bytes:,}. Send a smaller picture.")


def kind(content_type: str) -> str:
    """Which of the types that are taken; of all files, "image/". Raises Refusal for others."""
    named = content_type.partition(";")[0].strip().lower()
    if named in (FORM, JSON):
        return named
    if named.startswith("image/") or named == "application/octet-stream":
        return "image/"
    seen = f"is {content_type!r:.80}" if content_type else "is missing"
    raise Refusal(415, f"the Content-Type {seen}; expected {_EXPECTED}.")


def uploads(content_type: str, content: bytes, limits: Limits) -> list[Upload]:
    """The files in a body. Raises Refusal for bodies that are not what they say, for no files and for too many."""
    match kind(content_type):
        case "multipart/form-data":
            found = _of_form(content_type, content)
        case "application/json":
            found = _of_json(content)
        case _:
            found = [Upload(None, content)] if content else []
    if not found:
        raise Refusal(400, f"there is no picture in the request; expected {_EXPECTED}.")
    if len(found) > limits.pictures:
        raise Refusal(413, f"the request has {len(found)} pictures; expected at most {limits.pictures}.")
    return found


def _of_form(content_type: str, content: bytes) -> list[Upload]:
    """The form's files, whatever their fields are called."""
    found: list[Upload] = []

    def add(file: File) -> None:
        name = file.file_name.decode("utf-8", "replace") if file.file_name else None
        file.file_object.seek(0)
        found.append(Upload(name, file.file_object.read()))

    _, options = parse_options_header(content_type)
    try:
        in_memory = {"MAX_MEMORY_FILE_SIZE": len(content)}  # no picture is written to disk
        parser = FormParser(FORM, lambda field: None, add, boundary=options.get(b"boundary"), config=in_memory)
        parser.write(content)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Refusal(400, f"the body is no {FORM}: {error}.") from None
    return found


def _of_json(content: bytes) -> list[Upload]:
    expected = 'expected {"pictures": ["BASE64", ...]}'
    try:
        given = Pictures.model_validate_json(content)
    except ValidationError as error:
        raise Refusal(400, f"the body is not as it should be: {_in_words(error)}; {expected}.") from None
    return [Upload(None, of) for of in _decoded(given.pictures)]


def _decoded(texts: list[str]) -> Iterator[bytes]:
    for i, text in enumerate(texts):
        try:
            yield base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(400, f"pictures[{i}] is no base64 ({error}); expected a picture's file in it.") from None


def _in_words(error: ValidationError) -> str:
    """The first of what is wrong, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def pixels(model: Model, upload: Upload, limits: Limits, *, preprocessed: bool) -> UInt8[np.ndarray, "h w c"]:
    """What the network sees of a picture, see `Model.pixels`; of a `preprocessed` one all that there is.

    Raises: Refusal, naming the file, for what is no picture, or has too many pixels.
    """
    name = f"{upload.name!r:.80}" if upload.name else "the picture"
    found = or_reason(_pixels, BytesIO(upload.content), model, limits, preprocessed)
    if isinstance(found, Refusal):
        raise Refusal(found.status, f"{name} {found.message}")
    if isinstance(found, str):
        raise Refusal(400, f"{name} can't be read: {found}; expected {', '.join(FORMATS)}.")
    return found


def _pixels(file: BytesIO, model: Model, limits: Limits, preprocessed: bool) -> UInt8[np.ndarray, "h w c"] | Refusal:
    from PIL import Image

    from jaxcnn.data.pictures import decode

    Image.init()
    formats = [form for form in FORMATS if form in Image.OPEN]  # a Pillow may have been built without one
    try:
        with Image.open(file, formats=formats) as picture:
            width, height = picture.size
    except Image.DecompressionBombError as error:
        return Refusal(413, f"has too many pixels: {error}")
    if width * height > limits.pixels:
        return Refusal(413, f"has {width:,} × {height:,} pixels; expected at most {limits.pixels:,} in all.")
    file.seek(0)
    if not preprocessed:
        return model.pixels(file)
    there = decode(file)
    if there.shape[:2] != model.image_shape[:2]:
        expected = " × ".join(map(str, model.image_shape[:2]))
        return Refusal(
            400,
            f"has {there.shape[0]} × {there.shape[1]} pixels (height × width); expected {expected}, since "
            "preprocessed says that it is what the network sees.",
        )
    return model.pixels(there)
