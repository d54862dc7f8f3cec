#!/usr/bin/env python3
"""A part of the other tests with each other Python that is installed, from 3.8 on: clients and servers, both digests.

    test_versions.py DIRECTORY    where the helpers are

A Python counts that is found by its name (python3.12) or that pyenv has made.
"""
import glob
import os
import subprocess
import sys
import unittest

BINDIR = sys.argv.pop(1)
VERSIONS = [f"3.{minor}" for minor in range(8, 16)]
PARTS = {
    "test_connection": ("BroodListens.test_an_old_python_is_refused_where_md5_is",
                        "BroodListens.test_a_new_python_is_let_in_where_md5_is_refused",
                        "BroodListens.test_a_wrong_key_is_refused_and_the_next_client_is_let_in",
                        "PythonListens.test_the_wrong_key_is_told_to_both", "PythonListens.test_an_old_listener_is_refused_where_md5_is",
                        "PythonListens.test_a_new_listener_is_met_without_md5"),
    "test_manager_client": ("BroodClient.test_tcp", "BroodClient.test_unix_socket"),
    "test_manager": ("Control", "Nested", "Pools"),
}
RUN = """
import sys
name, directory, tests = sys.argv[1], sys.argv[2], sys.argv[3:]
sys.argv = [name, directory]
sys.path.insert(0, %r)
module = __import__(name)
import unittest
unittest.main(module=module, argv=[name, *tests])
""" % os.path.dirname(os.path.abspath(__file__))


def find(version):
    for program in (f"python{version}", *sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python3")))):
        try:
            told = subprocess.run([program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
        except OSError:
            continue
        if told.stdout.strip() == version:
            return program
    return None


class Versions(unittest.TestCase):
    """test_3_8, test_3_9, ..."""

    def run_parts(self, version):
        program = find(version)
        if program is None:
            self.skipTest(f"Python {version} is not installed")
        for name, tests in PARTS.items():
            done = subprocess.run([program, "-B", "-W", "ignore", "-c", RUN, name, BINDIR, *tests], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
            self.assertEqual(done.returncode, 0, done.stdout)


for each in VERSIONS:
    if each != "%d.%d" % sys.version_info[:2]:  # which has all the tests
        setattr(Versions, "test_" + each.replace(".", "_"), lambda self, version=each: self.run_parts(version))

if __name__ == "__main__":
    unittest.main(verbosity=2)
