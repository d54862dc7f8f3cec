#!/usr/bin/env python3
"""Unpacks the test corpus of pickles (tests/data/corpus/pickles.bin) into seeds for fuzz_pickle, one file each.

    tests/fuzz/seeds_pickle.py DIRECTORY
"""
import hashlib
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(HERE, "..", "data", "corpus", "pickles.bin"), "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        fields = []
        for _ in range(3):
            size = struct.unpack_from("<I", data, at)[0]
            fields.append(data[at + 4:at + 4 + size])
            at += 4 + size
        if not fields[0].startswith(b"large"):
            name = hashlib.sha1(fields[2]).hexdigest()[:16]
            with open(os.path.join(target, name), "wb") as seed:
                seed.write(fields[2])


if __name__ == "__main__":
    main()
