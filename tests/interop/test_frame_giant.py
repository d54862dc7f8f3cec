"""test_frame_giant.py - a message of more than 2 GiB from Python to brood, with the long header.

    test_frame_giant.py DIRECTORY    where prog_connect is
"""
import mmap
import multiprocessing.connection as mpc
import os
import subprocess
import sys

KEY = b"key of the tests"
SIZE = 2**31 + 5


def free_memory():
    try:
        with open("/proc/meminfo") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except OSError:
        return 0


def main():
    if free_memory() < 6 * 2**30:
        print("SKIPPED: test_interop_frame_giant: less than 6 GiB of memory are free, or nobody knows")
        return 77
    brood = subprocess.Popen([os.path.join(sys.argv[1], "prog_connect"), "listen", "", KEY.decode(), "1"],
                             stdout=subprocess.PIPE, text=True)
    try:
        address = brood.stdout.readline().strip()
        if address.startswith("@"):
            address = "\0" + address[1:]
        # The pages are never written to but the last, so they cost no memory here.
        with mmap.mmap(-1, SIZE) as giant, mpc.Client(address, authkey=KEY) as connection:
            giant[SIZE - 1] = 7
            connection.send("giant")
            connection.send_bytes(giant)
            assert connection.recv() == (SIZE, 7)
        assert brood.wait(20) == 0
    finally:
        brood.kill()
    return 0


sys.exit(main())
