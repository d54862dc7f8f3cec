"""peer_pickle.py - encodes and decodes the typical value of bench_pickle.c with the C pickler.

    --what encode|decode  --count N
"""

import pickle
from time import monotonic_ns

import peer

TYPICAL = {
    "id": 1234567,
    "parent": -42,
    "size": 1 << 40,
    "ratio": 0.1,
    "mean": 2.5e10,
    "name": "wordcount",
    "title": "na\u00efve caf\u00e9",
    "point": {"x": 1.5, "y": -2.5},
    "ints": [i * i for i in range(1000)],
    "blob": bytes(range(256)) * 4,
}


def encode(count):
    dumps = pickle.dumps
    begin = monotonic_ns()
    for _ in range(count):
        dumps(TYPICAL, 5)
    return monotonic_ns() - begin


def decode(count):
    loads = pickle.loads
    data = pickle.dumps(TYPICAL, 5)
    begin = monotonic_ns()
    for _ in range(count):
        loads(data)
    return monotonic_ns() - begin


def main():
    options = peer.options(what="encode", count=10000)
    peer.require(pickle.loads(pickle.dumps(TYPICAL, 5)) == TYPICAL, "the value comes back")
    elapsed = encode(options.count) if options.what == "encode" else decode(options.count)
    peer.print_rate(elapsed, options.count)


if __name__ == "__main__":
    main()
