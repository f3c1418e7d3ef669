# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether anybody reads marks: the semaphore of this interpreter's probe python:audit.

The kernel raises that counter, in the memory of this process, while pycost, or any
other tracer, is attached to the probe.  `listening` is true then: asking costs some ten
nanoseconds.  It is always true where the counter cannot be found, and where PYCOST_MARKS
is "always" in the environment, for an audit hook of one's own; and never where the
interpreter was built without the probe, as nobody can listen there.

What is read is ELF, and the notes as SystemTap's <sys/sdt.h> writes them.
"""
import os
import struct

__all__ = ["listening"]

NOTE = b"stapsdt\0"
NOTE_TYPE = 3
SECTION = ".note.stapsdt", ".stapsdt.base"
NOTES_MAX = 1 << 20


class NotFound(Exception):
    pass


def sections(file):
    """{name: (address, offset, size)}; of an ELF file of 64 bits, little-endian."""
    head = file.read(64)
    if len(head) < 64 or head[:6] != b"\x7fELF\2\1":
        raise NotFound
    start, = struct.unpack_from("<Q", head, 40)
    size, count, names = struct.unpack_from("<3H", head, 58)
    if size != 64 or not count or names >= count:
        raise NotFound
    file.seek(start)
    table = [struct.unpack("<2I4Q2I2Q", file.read(size)) for _ in range(count)]
    file.seek(table[names][4])
    text = file.read(min(table[names][5], NOTES_MAX))
    return {text[s[0]:text.index(b"\0", s[0])].decode(): s[3:6] for s in table}


def segment_start(file):
    """The address that the file's first byte is loaded at, before it is moved."""
    file.seek(0)
    head = file.read(64)
    start, = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<2H", head, 54)
    for n in range(count):
        file.seek(start + n * size)
        kind, _, offset, address = struct.unpack("<2I2Q", file.read(24))
        if kind == 1 and offset == 0:
            return address
    raise NotFound


def semaphores(file):
    """Where the file says that the semaphores of its python:audit are: a set."""
    found = sections(file)
    if SECTION[0] not in found:
        return set()
    _, offset, size = found[SECTION[0]]
    file.seek(offset)
    notes, at, told = file.read(min(size, NOTES_MAX)), 0, set()
    while at + 12 <= len(notes):
        name, length, kind = struct.unpack_from("<3I", notes, at)
        text = at + 12
        body = text + (name + 3 & ~3)
        at = body + (length + 3 & ~3)
        if notes[text:text + name] == NOTE and kind == NOTE_TYPE and at <= len(notes):
            _, base, semaphore = struct.unpack_from("<3Q", notes, body)
            if notes[body + 24:at].startswith(b"python\0audit\0") and semaphore:
                # What was linked anew since has been moved by as much as the base.
                told.add(semaphore + found[SECTION[1]][0] - base)
    return told


def mappings():
    """[(first, end, rights, offset, path)] of this process's files."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            parts = line.rstrip("\n").split(None, 5)
            if len(parts) == 6 and parts[5].startswith("/"):
                first, end = (int(part, 16) for part in parts[0].split("-"))
                yield first, end, parts[1], int(parts[2], 16), parts[5]


def address_of_semaphore(inside):
    """Of the file that has the address `inside` of its own; None: it has no such probe."""
    files = list(mappings())
    path, = (name for first, end, _, _, name in files if first <= inside < end)
    with open(path, "rb") as file:
        told = semaphores(file)
        if not told:
            return None
        moved = min(first for first, _, _, offset, name in files
                    if name == path and offset == 0) - segment_start(file)
    address = moved + told.pop()
    # To be read at any time from now on, it must be the file's own data.
    if told or not any(first <= address < end - 1 and rights.startswith("rw") and name == path
                       for first, end, rights, _, name in files):
        raise NotFound
    return address


def find():
    if os.environ.get("PYCOST_MARKS") == "always":
        return True
    try:
        from ctypes import c_uint16, c_void_p, cast, pythonapi

        inside = cast(pythonapi.PySys_Audit, c_void_p).value
        address = address_of_semaphore(inside)
        return False if address is None else c_uint16.from_address(address)
    except Exception:
        return True


listening = find()
