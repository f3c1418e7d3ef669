# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire format of protocol buffers, for tests that read messages by themselves."""


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def varints(data):
    """Of a packed field; a field that is not packed is its only one."""
    if isinstance(data, int):
        return [data]
    at, values = 0, []
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


def fields(data):
    """(number, value) of each field of a message: a number, or the bytes of all but varints."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind in (1, 2):
            size, at = (8, at) if kind == 1 else varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError("field type %d" % kind)
        yield key >> 3, value
