#!/usr/bin/env python3
"""seeds_frame.py DIRECTORY - a few streams of frames to begin with."""
import os
import struct
import sys


def short(data):
    return struct.pack("!i", len(data)) + data


def long(data):
    return b"\xff\xff\xff\xff" + struct.pack("!Q", len(data)) + data


SEEDS = {
    "short": b"\0" + short(b"hello") + short(b"") + short(b"x" * 300),
    "long": b"\3" + long(b"hello") + short(b"y") + long(b""),
    "pieces": b"\1" + short(b"abc") * 5,
    "negative": b"\0" + b"\x80\0\0\0rest",
    "huge": b"\0" + b"\x7f\xff\xff\xff" + b"z" * 100,
    "half": b"\2" + short(b"hello")[:-2],
    "large": b"\x40" + short(b"w" * 20000) + short(b"end"),
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], "frame-" + name), "wb") as file:
        file.write(data)
