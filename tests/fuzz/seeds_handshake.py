#!/usr/bin/env python3
"""seeds_handshake.py DIRECTORY - the messages of both kinds of Python to begin with."""
import os
import sys


def messages(*parts):
    return b"".join(bytes([len(part)]) + part for part in parts)


OLD = b"#CHALLENGE#" + b"0" * 20
NEW = b"#CHALLENGE#{sha256}" + b"0" * 40
SEEDS = {
    "old-client": b"\1" + messages(b"1" * 16, OLD, b"#WELCOME#"),
    "new-client": b"\1" + messages(b"{sha256}" + b"1" * 32, NEW, b"#WELCOME#"),
    "md5-client": b"\1" + messages(b"{md5}" + b"1" * 16, b"#CHALLENGE#{md5}" + b"0" * 20, b"#FAILURE#"),
    "old-listener": b"\0" + messages(OLD, b"#WELCOME#", b"1" * 16),
    "new-listener": b"\0" + messages(NEW, b"#WELCOME#", b"{sha256}" + b"1" * 32),
    "strict": b"\2" + messages(NEW, b"#FAILURE#"),
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], "handshake-" + name), "wb") as file:
        file.write(data)
