"""peer_memory.py - memory of its own that an idle worker of a multiprocessing.Pool has.

    --method spawn|forkserver
"""

import multiprocessing
import sys

import peer


def square(n):
    return n * n


def private_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Anonymous"))


def main():
    options = peer.options(method="spawn")
    if not sys.platform.startswith("linux"):
        sys.exit(peer.SKIP)
    with multiprocessing.get_context(options.method).Pool(4) as pool:
        pool.map(square, range(4000))
        most = max(private_kb(process.pid) for process in multiprocessing.active_children())
    print(f"metric=KB value={most}")


if __name__ == "__main__":
    main()
