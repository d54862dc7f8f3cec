"""peer.py - what the Python peers of a benchmark share: the options, the checks, the figure."""

import argparse
import sys

SKIP = 77


def options(**defaults):
    """The command line's --name values; the defaults tell names and types."""
    parser = argparse.ArgumentParser()
    for name, default in defaults.items():
        parser.add_argument("--" + name, type=type(default), default=default)
    return parser.parse_args()


def require(condition, what):
    if not condition:
        sys.exit("not true: " + what)


def resident(mb):
    """Memory of that many MB with every page touched; to be kept by the caller."""
    memory = bytearray(mb << 20)
    memory[::4096] = b"\1" * len(memory[::4096])
    return memory


def print_us(elapsed, count):
    print(f"metric=us value={elapsed / 1e3 / count:.6g}")


def print_rate(elapsed, count):
    print(f"metric=ops/s value={count * 1e9 / elapsed:.6g}")
