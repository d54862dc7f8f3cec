"""peer_spawn.py - a multiprocessing.Process from start to joined, whose target returns at once.

    --method spawn|fork|forkserver  --mb N  memory of the parent  --count N
"""

import multiprocessing
from time import monotonic_ns

import peer


def return_at_once():
    pass


def run_once(context):
    process = context.Process(target=return_at_once)
    process.start()
    process.join()
    peer.require(process.exitcode == 0, "the process ended normally")
    process.close()


def main():
    options = peer.options(method="spawn", mb=0, count=20)
    context = multiprocessing.get_context(options.method)
    memory = peer.resident(options.mb)
    for _ in range(3):
        run_once(context)
    begin = monotonic_ns()
    for _ in range(options.count):
        run_once(context)
    peer.print_us(monotonic_ns() - begin, options.count)
    del memory


if __name__ == "__main__":
    main()
