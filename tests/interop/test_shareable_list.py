"""test_shareable_list.py - Python and brood see the same shared memory, and the same ShareableList in it.

    test_shareable_list.py DIRECTORY    where prog_shareable_list is
"""
import os
import subprocess
import sys
import unittest
from multiprocessing import resource_tracker, shared_memory

PROGRAM = os.path.join(sys.argv.pop(1), "prog_shareable_list")
ITEMS = [7, -1.5, True, "text", b"bytes", None, "x" * 8, -(2**63), 2**63 - 1]


def forget(memory):
    """Python's tracker would remove what it has only opened."""
    resource_tracker.unregister(memory._name, "shared_memory")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


class Lists(unittest.TestCase):
    def name(self):
        return "bt-py-%d-%s" % (os.getpid(), self._testMethodName[-8:])

    def test_brood_reads_and_writes_what_python_made(self):
        made = shared_memory.ShareableList(ITEMS, name=self.name())
        try:
            self.assertEqual(run("read", self.name()).split("\n")[:-1],
                             ["7", "-1.5", "True", "'text'", "b'bytes'", "None", "'xxxxxxxx'",
                              "-9223372036854775808", "9223372036854775807"])
            run("write", self.name())
            self.assertEqual(list(made), ["brood"] + ITEMS[1:3] + [None, b"BROOD", 12] + ITEMS[6:])
        finally:
            made.shm.close()
            made.shm.unlink()

    def test_python_reads_what_brood_made(self):
        run("make", self.name())
        made = shared_memory.ShareableList(name=self.name())
        self.assertEqual(list(made), [1, 2.5, False, "brood", b"abc", None])
        made[3] = "python"
        self.assertEqual(run("read", self.name()).split("\n")[3], "'python'")
        made.shm.close()
        made.shm.unlink()


if __name__ == "__main__":
    unittest.main()
