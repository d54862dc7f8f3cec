"""peer_pool.py - tasks of a multiprocessing.Pool: an int squared, or bytes that come back.

    --workers N  --chunk N (0: the default)  --count N  --bytes N (0: ints; else each item's size)
"""

import multiprocessing
from time import monotonic_ns

import peer


def square(n):
    return n * n


def give_back(data):
    return data


def run(pool, options, count):
    size = options.bytes
    items = [b"x" * size for _ in range(count)] if size else list(range(count))
    begin = monotonic_ns()
    results = pool.map(give_back if size else square, items, options.chunk or None)
    elapsed = monotonic_ns() - begin
    if size:
        peer.require(all(len(result) == size for result in results), "all bytes come back")
    else:
        peer.require(results == [n * n for n in items], "the results are squares")
    return elapsed


def main():
    options = peer.options(workers=2, chunk=1, count=100000, bytes=0)
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        run(pool, options, options.count // 10 + 1)
        peer.print_rate(run(pool, options, options.count), options.count)


if __name__ == "__main__":
    main()
