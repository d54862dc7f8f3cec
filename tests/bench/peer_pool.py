"""peer_pool.py - tasks of a multiprocessing.Pool or a ProcessPoolExecutor: an int squared, or bytes that come
back.

    --how map|imap|apply_async|executor  --workers N  --chunk N (0: the default)  --count N
    --bytes N (0: ints; else each item's size)
"""

import concurrent.futures
import multiprocessing
from time import monotonic_ns

import peer


def square(n):
    return n * n


def give_back(data):
    return data


def run_map(pool, options, count):
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


def run_imap(pool, options, count):
    begin = monotonic_ns()
    total = sum(pool.imap_unordered(square, range(count), options.chunk or 1))
    elapsed = monotonic_ns() - begin
    peer.require(total == sum(n * n for n in range(count)), "the results are squares")
    return elapsed


def run_apply_async(pool, options, count):
    begin = monotonic_ns()
    results = [pool.apply_async(square, (n,)) for n in range(count)]
    values = [result.get() for result in results]
    elapsed = monotonic_ns() - begin
    peer.require(values == [n * n for n in range(count)], "the results are squares")
    return elapsed


def run_executor(executor, options, count):
    begin = monotonic_ns()
    futures = [executor.submit(square, n) for n in range(count)]
    values = [future.result() for future in futures]
    elapsed = monotonic_ns() - begin
    peer.require(values == [n * n for n in range(count)], "the results are squares")
    return elapsed


def main():
    options = peer.options(how="map", workers=2, chunk=1, count=100000, bytes=0)
    run = {"map": run_map, "imap": run_imap, "apply_async": run_apply_async, "executor": run_executor}[options.how]
    context = multiprocessing.get_context("fork")
    if options.how == "executor":
        pool = concurrent.futures.ProcessPoolExecutor(options.workers, context)
    else:
        pool = context.Pool(options.workers)
    with pool:
        run(pool, options, options.count // 10 + 1)
        peer.print_rate(run(pool, options, options.count), options.count)


if __name__ == "__main__":
    main()
