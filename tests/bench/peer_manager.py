"""peer_manager.py - calls of a SyncManager's objects by several client processes at once.

    --what dict_get|dict_set|queue|lock|connect  --clients N  --count N
"""

import multiprocessing
from multiprocessing.connection import Client
from time import monotonic_ns

import peer


def use(thing, what, count, address):
    if what == "dict_get":
        for _ in range(count):
            thing["key"]
    elif what == "dict_set":
        for i in range(count):
            thing["key"] = i
    elif what == "queue":
        for i in range(count // 2):
            thing.put(i)
            thing.get()
    elif what == "lock":
        for _ in range(count // 2):
            thing.acquire()
            thing.release()
    else:
        key = bytes(multiprocessing.current_process().authkey)
        for _ in range(count):
            Client(address, authkey=key).close()


def client(thing, ready, start, what, count, address):
    ready.release()
    start.wait()
    use(thing, what, count, address)


def main():
    options = peer.options(what="dict_get", clients=1, count=2000)
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        thing = {"queue": manager.Queue, "lock": manager.Lock}.get(options.what, lambda: manager.dict(key=1))()
        ready, start = manager.Semaphore(0), manager.Event()
        each = options.count // options.clients
        clients = [context.Process(target=client, args=(thing, ready, start, options.what, each, manager.address))
                   for _ in range(options.clients)]
        for process in clients:
            process.start()
        for _ in clients:
            ready.acquire()
        begin = monotonic_ns()
        start.set()
        for process in clients:
            process.join()
            peer.require(process.exitcode == 0, "a client ended well")
        elapsed = monotonic_ns() - begin
    peer.print_rate(elapsed, each * options.clients)


if __name__ == "__main__":
    main()
