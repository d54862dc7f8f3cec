"""peer_lock.py - a multiprocessing.Lock that is acquired and released again and again.

    --processes N (1: nobody else wants it)  --count N  in all
"""

import multiprocessing
from time import monotonic_ns

import peer


def use(lock, number, count):
    for _ in range(count):
        lock.acquire()
        number.value += 1
        lock.release()


def work(lock, number, ready, go, count):
    ready.release()
    go.wait()
    use(lock, number, count)


def main():
    options = peer.options(processes=1, count=1000000)
    context = multiprocessing.get_context("fork")
    lock, ready, go = context.Lock(), context.Semaphore(0), context.Event()
    number = context.RawValue("q", 0)
    each = options.count // options.processes
    if options.processes == 1:
        begin = monotonic_ns()
        use(lock, number, each)
    else:
        workers = [
            context.Process(target=work, args=(lock, number, ready, go, each)) for _ in range(options.processes)
        ]
        for process in workers:
            process.start()
        for _ in workers:
            ready.acquire()
        begin = monotonic_ns()
        go.set()
        for process in workers:
            process.join()
    elapsed = monotonic_ns() - begin
    peer.require(number.value == each * options.processes, "nothing was counted at once")
    peer.print_rate(elapsed, number.value)


if __name__ == "__main__":
    main()
