"""TensorBoard's event files, read by the definitions of TFRecord and of protocol buffers, without any package."""

import struct
from typing import NamedTuple


class Event(NamedTuple):
    """`scalars` by their tags; `start` of an event that hides what other files tell of this step and later ones."""

    step: int
    scalars: dict[str, float]
    start: bool


def read(file):
    """The events of a file, after its version."""
    data, events = file.read_bytes(), []
    while data:
        length, check = struct.unpack("<QI", data[:12])
        content, of_content = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])[0]
        assert (masked(data[:8]), masked(content)) == (check, of_content), "a damaged record"
        events.append(content)
        data = data[16 + length :]
    version, *others = map(fields, events)
    assert version[3] == [b"brain.Event:2"]
    return [event(content) for content in others if 5 in content or 7 in content]


def event(content):
    """By tensorflow/core/util/event.proto: 2 is the step, 5 a summary, 7 a session's log, whose status 1 is START."""
    scalars = {}
    for summary in content.get(5, []):
        for value in map(fields, fields(summary)[1]):
            scalars[value[1][0].decode()] = struct.unpack("<f", value[2][0])[0]
    sessions = [fields(log)[1] == [1] for log in content.get(7, [])]
    return Event(content.get(2, [0])[0], scalars, any(sessions))


def fields(message):
    """{number: values} of a protocol buffer, whatever its type; numbers as int, all else as bytes."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}[key & 7] if key & 7 != 2 else varint()
            value, at = message[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def masked(data):
    """CRC-32C (Castagnoli), rotated and offset as TFRecord has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
