#!/usr/bin/env python3
# brood-test: wine
"""brood's clients against Python's servers; brood serve as a program; and examples/master_worker with Python on either side.

    test_manager_client.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where the helpers are, and how they are started
"""
import itertools
import multiprocessing
import multiprocessing.connection
import multiprocessing.managers as managers
import os
import queue
import re
import signal
import subprocess
import tempfile
import unittest

import serving
from serving import BINDIR, IS_WINDOWS, KEY, SUFFIX, WRAPPER

CLIENT = [*WRAPPER, os.path.join(BINDIR, "prog_manager_client" + SUFFIX)]
BROOD = [*WRAPPER, os.path.join(BINDIR, "..", "..", "brood" + SUFFIX)]
EXAMPLE = os.path.join(BINDIR, "..", "..", "examples", "master_worker" + SUFFIX)
TIMEOUT = 60


def text_of(address):
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


def pair_of(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class BroodClient(unittest.TestCase):
    maxDiff = None

    def use(self, where, server):
        done = subprocess.run([*CLIENT, where, KEY.decode(), server], stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
        self.assertEqual((done.returncode, done.stdout), (0, "good\n"))

    def use_python(self, address):
        # Proxies in values need the key of the process that reads them: the server's.
        multiprocessing.current_process().authkey = KEY
        server = serving.Server(address=address, authkey=KEY, ctx=multiprocessing.get_context("fork"))
        server.start()
        with server:
            self.use(text_of(server.address), "python")
            server._process.join(20)
            self.assertEqual(server._process.exitcode, 0)  # the client has shut it down

    def test_tcp(self):
        self.use_python(("127.0.0.1", 0))

    @unittest.skipIf(IS_WINDOWS, "Windows and the system here have TCP alone in common")
    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            self.use_python(directory + "/socket")

    @unittest.skipIf(IS_WINDOWS, "Windows and the system here have TCP alone in common")
    def test_abstract_socket(self):
        self.use_python(None)

    def test_the_same_at_a_brood_server(self):
        server = subprocess.Popen([*WRAPPER, os.path.join(BINDIR, "prog_manager_serve" + SUFFIX), "127.0.0.1:0",
                                   KEY.decode()], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.use(server.stdout.readline().strip(), "brood")
        self.assertEqual(server.wait(TIMEOUT), 0)

    def test_every_function_is_used(self):
        """But those of servers, which prog_manager_serve.c has, and that of a child that serves (tests/manager)."""
        here = os.path.dirname(os.path.abspath(__file__))
        declared = set()
        for header in ("manager.h", "proxy.h"):
            with open(os.path.join(here, "..", "..", "include", "brood", header)) as file:
                declared |= set(re.findall(r"BROOD_API [^;(]*?(brood_\w+)\(", file.read()))
        with open(os.path.join(here, "prog_manager_client.c")) as file:
            used = set(re.findall(r"brood_\w+", file.read()))
        with open(os.path.join(here, "prog_manager_serve.c")) as file:
            served = set(re.findall(r"brood_\w+", file.read()))
        self.assertGreater(len(declared), 70)
        self.assertEqual(declared - used - served, {"brood_manager_start", "brood_manager_server_stop"})


class Serve(unittest.TestCase):
    def start(self, *options, address="127.0.0.1:0"):
        process = subprocess.Popen([*BROOD, "serve", "--address", address, *options], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def connect(self, where):
        class Manager(managers.SyncManager):
            pass

        Manager.register("get_tasks")
        Manager.register("get_results")
        Manager.register("get_größe_размер")
        Manager.register("get_table", proxytype=managers.DictProxy)
        manager = Manager(address=pair_of(where), authkey=KEY)
        manager.connect()
        return manager

    def shut_down(self, where, key=KEY):
        managers.dispatch(multiprocessing.connection.Client(pair_of(where), authkey=key), None, "shutdown")

    def test_named_objects_are_served(self):
        process, where = self.start("--authkey", KEY.decode(), "--queue", "tasks", "--queue", "results",
                                    "--queue", "größe_размер", "--dict", "table", "--max-clients", "50", "--max-bytes", "1000000")
        manager = self.connect(where)
        manager.get_tasks().put(1)
        self.assertEqual(manager.get_tasks().get(), 1)
        self.assertRaises(queue.Empty, manager.get_results().get_nowait)
        manager.get_größe_размер().put(2)
        self.assertEqual(manager.get_größe_размер().get(), 2)
        manager.get_table()["a"] = [1]
        self.assertEqual(manager.get_table()["a"], [1])
        self.assertEqual(manager.list([1, 2])[1], 2)
        done = subprocess.run([*CLIENT, where, KEY.decode(), "serve"], stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
        self.assertEqual((done.returncode, done.stdout), (0, "good\n"))
        self.shut_down(where)
        self.assertEqual(process.wait(TIMEOUT), 0)

    def test_addresses(self):
        for host, address in (("127.0.0.1", "127.0.0.1:0"), ("::1", "[::1]:0"), ("localhost", "localhost:0")):
            if not self.is_here(host):
                continue
            process, where = self.start("--authkey", KEY.decode(), address=address)
            self.assertRegex(where, r"^(127\.0\.0\.1|\[::1\]|localhost):[1-9][0-9]*$", address)
            if "::" in where:  # Python's Client does not know that family by itself
                done = subprocess.run([*CLIENT, where, KEY.decode(), "serve"], stdout=subprocess.PIPE, text=True,
                                      timeout=TIMEOUT)
                self.assertEqual(done.stdout, "good\n")
                process.kill()
            else:
                self.shut_down(where)
            process.wait(TIMEOUT)

    def is_here(self, host):  # not every machine has IPv6, or a name for itself
        socket = multiprocessing.connection.socket
        try:
            family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
            with socket.socket(family) as probe:
                probe.bind(address)
            return True
        except OSError:
            return False

    def with_key_file(self, content, mode=0o600):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = directory.name + "/ключ für alle"
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def test_key_files(self):
        for content, key in ((KEY, KEY), (KEY + b"\n", KEY), (KEY + b"\r\nmore", KEY), (b"\0\xff \t", b"\0\xff \t"),
                             (b"k" * 1000, b"k" * 1000), (b"k\n" + b"x" * 5000, b"k")):
            process, where = self.start("--authkey-file", self.with_key_file(content))
            self.shut_down(where, key)
            self.assertEqual(process.wait(TIMEOUT), 0)

    def refused(self, *options):
        done = subprocess.run([*BROOD, "serve", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertTrue(done.stderr.startswith("brood serve: "), done.stderr)
        return done.stderr

    def test_key_files_that_are_refused(self):
        for content, why in ((b"", "is empty"), (b"\n", "is empty"), (b"\r\nkey", "is empty"), (b"k" * 1001, "longer"),
                             (b"k" * 1000000, "longer")):
            self.assertIn(why, self.refused("--address", "127.0.0.1:0", "--authkey-file", self.with_key_file(content)))
        self.assertIn("could not open", self.refused("--address", "127.0.0.1:0", "--authkey-file", "/nowhere/key"))
        directory = os.path.dirname(self.with_key_file(KEY))
        self.assertRegex(self.refused("--address", "127.0.0.1:0", "--authkey-file", directory),
                         "could not open" if IS_WINDOWS else "is a directory")

    @unittest.skipIf(IS_WINDOWS, "access control lists are not judged")
    def test_a_key_file_is_private(self):
        for mode in (0o640, 0o604, 0o620, 0o602, 0o644, 0o666):
            path = self.with_key_file(KEY, mode)
            self.assertIn(f"others can read or change the key's file: chmod 600 it: {path}",
                          self.refused("--address", "127.0.0.1:0", "--authkey-file", path))
        process, where = self.start("--authkey-file", self.with_key_file(KEY, 0o400))
        self.shut_down(where)
        self.assertEqual(process.wait(TIMEOUT), 0)

    def check_signal(self, number, address):
        process, where = self.start("--authkey-file", self.with_key_file(KEY), address=address)
        manager = managers.SyncManager(address=where if "/" in where else pair_of(where), authkey=KEY)
        manager.connect()
        numbers = manager.list([1])
        for _ in range(20):  # a nervous user: it ends cleanly all the same
            process.send_signal(number)
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertRaises((EOFError, OSError), numbers.append, 2)
        return where

    def test_ctrl_c_ends_it(self):
        self.check_signal(signal.SIGINT, "127.0.0.1:0")  # Wine makes the console's Ctrl-C of it

    @unittest.skipIf(IS_WINDOWS, "Windows has no SIGTERM, and Wine ends the program at once by it")
    def test_signals_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with tempfile.TemporaryDirectory() as directory:
                self.assertEqual(self.check_signal(number, directory + "/socket"), directory + "/socket")
                self.assertEqual(os.listdir(directory), [])

    def test_wrong_options_are_refused(self):
        for options in ([], ["--address", "127.0.0.1:0"], ["--bad", "x"], ["--address"],
                        ["--address", "127.0.0.1:0", "--authkey", "k", "--max-clients", "none"],
                        ["--address", "127.0.0.1:70000", "--authkey", "k"],
                        ["--address", "/nowhere/at/all", "--authkey", "k"]):
            self.refused(*options)
        done = subprocess.run([*BROOD, "serve", "--help"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("access control lists are not judged", done.stdout.replace("\n                      ", " "))


# ---- the distributed example ----

tasks, results = queue.Queue(), queue.Queue()


class Master(managers.BaseManager):
    """Serves the two queues of its own process."""


Master.register("get_task_queue", callable=lambda: tasks)
Master.register("get_result_queue", callable=lambda: results)


class Worker(managers.BaseManager):
    pass


Worker.register("get_task_queue")
Worker.register("get_result_queue")


class PythonMaster:
    """As the example's master: two workers, ten tasks."""

    def __enter__(self):
        self.master = Master(address=("127.0.0.1", 0), authkey=KEY, ctx=multiprocessing.get_context("fork"))
        self.master.start()
        self.where = text_of(self.master.address)
        give = self.master.get_task_queue()
        for task in (*range(10), None, None):
            give.put(task)
        return self

    def finish(self):
        answers = self.master.get_result_queue()
        return sorted(answers.get(timeout=TIMEOUT) for _ in range(10))

    def __exit__(self, *error):
        self.master.shutdown()


class BroodMaster:
    def __enter__(self):
        self.process = subprocess.Popen([*WRAPPER, EXAMPLE, "master", "127.0.0.1:0", KEY.decode()], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.where = self.process.stdout.readline().strip()
        return self

    def finish(self):
        output, _ = self.process.communicate("\n", timeout=TIMEOUT)
        return self.process.returncode, output

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()


def python_work(where):
    manager = Worker(address=pair_of(where), authkey=KEY)
    manager.connect()
    take, answers = manager.get_task_queue(), manager.get_result_queue()
    while True:
        task = take.get(timeout=TIMEOUT)
        if task is None:
            return
        answers.put((task, task * task))


@unittest.skipIf(not os.path.exists(EXAMPLE), "the examples are not built")
class Distributed(unittest.TestCase):
    """Each kind of master with each kind of workers, and with one of each."""

    def start(self, kind, where):
        if kind == "python":
            process = multiprocessing.get_context("fork").Process(target=python_work, args=(where,))
            process.start()
            self.addCleanup(process.kill)
            return lambda: (process.join(TIMEOUT), process.exitcode)[1]
        process = subprocess.Popen([*WRAPPER, EXAMPLE, "worker", where, KEY.decode()])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return lambda: process.wait(TIMEOUT)

    def run_with(self, make_master, expected):
        for kinds in itertools.combinations_with_replacement(("python", "brood"), 2):
            with self.subTest(workers=kinds), make_master() as master:
                workers = [self.start(kind, master.where) for kind in kinds]
                if make_master is PythonMaster:
                    self.assertEqual(master.finish(), expected)
                self.assertEqual([worker() for worker in workers], [0, 0])
                if make_master is BroodMaster:
                    self.assertEqual(master.finish(), expected)

    def test_python_is_the_master(self):
        self.run_with(PythonMaster, [(i, i * i) for i in range(10)])

    def test_brood_is_the_master(self):
        self.run_with(BroodMaster, (0, "10 answers, their sum is 285\n"))

    def test_a_wrong_key_is_refused(self):
        for make_master in (PythonMaster, BroodMaster):
            with self.subTest(make_master), make_master() as master:
                wrong = Worker(address=pair_of(master.where), authkey=b"wrong")
                with self.assertRaisesRegex(multiprocessing.AuthenticationError, "digest sent was rejected"):
                    wrong.connect()
                done = subprocess.run([*WRAPPER, EXAMPLE, "worker", master.where, "wrong"], stderr=subprocess.PIPE,
                                      text=True, timeout=TIMEOUT)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, f"could not connect to .*{re.escape(master.where)}.*: .*key|digest")


if __name__ == "__main__":
    unittest.main()
