"""peer_queue.py - messages through a multiprocessing.Queue.

    --what bytes|value  --bytes N  --producers N  --consumers N  --count N
"""

import multiprocessing
from time import monotonic_ns

import peer


def put_all(queue, what, size, count):
    rest = bytes(max(0, size - 8))
    for i in range(count):
        queue.put((1, i, "value") if what == "value" else i.to_bytes(8, "little") + rest)


def get_all(queue, sums, what):
    count = total = 0
    while True:
        message = queue.get()
        if message is None:
            break
        count += 1
        total += message[1] if what == "value" else int.from_bytes(message[:8], "little")
    sums.put((count, total))


def main():
    options = peer.options(what="bytes", bytes=64, producers=1, consumers=1, count=10000)
    context = multiprocessing.get_context("fork")
    queue, sums = context.Queue(), context.Queue()
    each = options.count // options.producers
    getters = [context.Process(target=get_all, args=(queue, sums, options.what)) for _ in range(options.consumers)]
    for process in getters:
        process.start()
    begin = monotonic_ns()
    putters = [
        context.Process(target=put_all, args=(queue, options.what, options.bytes, each))
        for _ in range(options.producers)
    ]
    for process in putters:
        process.start()
    for process in putters:
        process.join()
    for _ in getters:
        queue.put(None)
    parts = [sums.get() for _ in getters]
    for process in getters:
        process.join()
    elapsed = monotonic_ns() - begin
    count, total = (sum(part[i] for part in parts) for i in (0, 1))
    peer.require(count == each * options.producers, "every message came")
    peer.require(total == each * (each - 1) // 2 * options.producers, "the messages are the right ones")
    peer.print_rate(elapsed, count)


if __name__ == "__main__":
    main()
