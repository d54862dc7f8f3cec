"""peer_rtt.py - 8 bytes to another process and back, through a multiprocessing.Pipe, or a connection of a Listener.

    --through pipe|connection  --cpus 1|2  --count N
"""

import multiprocessing
import multiprocessing.connection
import os
import struct
import sys
from time import monotonic_ns

import peer

NUMBER = struct.Struct("=q")


def connect_and_echo(address, cpu):
    echo(multiprocessing.connection.Client(address, authkey=b"key"), None, cpu)


def echo(pipe, unused_end, cpu):
    if unused_end is not None:
        unused_end.close()
    os.sched_setaffinity(0, [cpu])
    try:
        while True:
            (number,) = NUMBER.unpack(pipe.recv_bytes())
            pipe.send_bytes(NUMBER.pack(number + 1))
    except EOFError:
        pass


def exchange(pipe, count):
    for i in range(count):
        pipe.send_bytes(NUMBER.pack(i))
        (answer,) = NUMBER.unpack(pipe.recv_bytes())
        peer.require(answer == i + 1, "the answer is the number and one")


def main():
    options = peer.options(through="pipe", cpus=1, count=10000)
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(usable) < options.cpus:
        print(f"needs {options.cpus} CPUs", file=sys.stderr)
        sys.exit(peer.SKIP)

    context = multiprocessing.get_context("fork")
    cpu = usable[options.cpus - 1]
    if options.through == "connection":
        with multiprocessing.connection.Listener(None, authkey=b"key") as listener:
            process = context.Process(target=connect_and_echo, args=(listener.address, cpu))
            process.start()
            ours = listener.accept()
    else:
        ours, theirs = context.Pipe()
        process = context.Process(target=echo, args=(theirs, ours, cpu))
        process.start()
        theirs.close()
    os.sched_setaffinity(0, [usable[0]])
    exchange(ours, options.count // 10 + 1)
    begin = monotonic_ns()
    exchange(ours, options.count)
    elapsed = monotonic_ns() - begin
    ours.close()
    process.join()
    peer.require(process.exitcode == 0, "the process ended normally")
    peer.print_us(elapsed, options.count)


if __name__ == "__main__":
    main()
