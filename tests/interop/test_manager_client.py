#!/usr/bin/env python3
"""brood's clients against Python's servers; and brood serve as a program.

    python3 tests/interop/test_manager_client.py DIRECTORY-OF-PROGRAMS
"""
import multiprocessing
import multiprocessing.managers as managers
import os
import queue
import signal
import subprocess
import sys
import tempfile
import unittest

BINDIR = sys.argv.pop(1)
BROOD = os.path.join(BINDIR, "..", "..", "brood")
KEY = b"open sesame"


def text_of(address):
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


class BroodClient(unittest.TestCase):
    maxDiff = None
    def use(self, address):
        manager = managers.SyncManager(address=address, authkey=KEY)
        # Proxies in values need the key of the process that reads them: the server's.
        manager.start(lambda: setattr(multiprocessing.current_process(), "authkey", KEY))
        with manager:
            done = subprocess.run([os.path.join(BINDIR, "prog_manager_client"), text_of(manager.address), KEY.decode()],
                                  stdout=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, "good\n"))

    def test_tcp(self):
        self.use(("127.0.0.1", 0))

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            self.use(directory + "/socket")

    def test_abstract_socket(self):
        self.use(None)


class Serve(unittest.TestCase):
    def start(self, *options, address="127.0.0.1:0"):
        process = subprocess.Popen([BROOD, "serve", "--address", address, *options], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def connect(self, where):
        class Manager(managers.SyncManager):
            pass

        Manager.register("get_tasks")
        Manager.register("get_results")
        Manager.register("get_table", proxytype=managers.DictProxy)
        host, port = where.rsplit(":", 1)
        manager = Manager(address=(host, int(port)), authkey=KEY)
        manager.connect()
        return manager

    def test_named_objects_are_served(self):
        process, where = self.start("--authkey", KEY.decode(), "--queue", "tasks", "--queue", "results",
                                    "--dict", "table", "--max-clients", "50", "--max-bytes", "1000000")
        manager = self.connect(where)
        manager.get_tasks().put(1)
        self.assertEqual(manager.get_tasks().get(), 1)
        self.assertRaises(queue.Empty, manager.get_results().get_nowait)
        manager.get_table()["a"] = [1]
        self.assertEqual(manager.get_table()["a"], [1])
        self.assertEqual(manager.list([1, 2])[1], 2)
        done = subprocess.run([os.path.join(BINDIR, "prog_manager_client"), where, KEY.decode(), "brood"],
                              stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "good\n"))
        managers.dispatch(managers.listener_client["pickle"][1](manager.address, authkey=KEY), None, "shutdown")
        self.assertEqual(process.wait(10), 0)

    def test_signals_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with tempfile.TemporaryDirectory() as directory:
                with open(directory + "/key", "wb") as file:
                    file.write(KEY + b"\n")
                process, where = self.start("--authkey-file", directory + "/key", address=directory + "/socket")
                self.assertEqual(where, directory + "/socket")
                manager = managers.SyncManager(address=where, authkey=KEY)
                manager.connect()
                numbers = manager.list([1])
                for _ in range(20):  # a nervous user: it ends cleanly all the same
                    process.send_signal(number)
                self.assertEqual(process.wait(10), 0)
                self.assertFalse(os.path.exists(where))
                self.assertRaises((EOFError, OSError), numbers.append, 2)

    def test_wrong_options_are_refused(self):
        for options in ([], ["--address", "127.0.0.1:0"], ["--bad", "x"], ["--address"],
                        ["--address", "127.0.0.1:0", "--authkey", "k", "--max-clients", "none"],
                        ["--address", "127.0.0.1:0", "--authkey-file", "/nowhere/key"],
                        ["--address", "/nowhere/at/all", "--authkey", "k"]):
            done = subprocess.run([BROOD, "serve", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=20)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertTrue(done.stderr.startswith("brood serve: "), done.stderr)
        self.assertEqual(subprocess.run([BROOD, "serve", "--help"], stdout=subprocess.DEVNULL).returncode, 0)


tasks, results = queue.Queue(), queue.Queue()


class Master(managers.BaseManager):
    """Serves the two queues of its own process."""


Master.register("get_task_queue", callable=lambda: tasks)
Master.register("get_result_queue", callable=lambda: results)


class Worker(managers.BaseManager):
    pass


Worker.register("get_task_queue")
Worker.register("get_result_queue")


class Distributed(unittest.TestCase):
    """examples/master_worker with Python on either side."""

    program = os.path.join(BINDIR, "..", "..", "examples", "master_worker")

    def setUp(self):
        if not os.path.exists(self.program):
            self.skipTest("the examples are not built")

    def test_python_is_the_master(self):
        master = Master(address=("127.0.0.1", 0), authkey=KEY)
        master.start()
        with master:
            workers = [subprocess.Popen([self.program, "worker", text_of(master.address), KEY.decode()])
                       for _ in range(3)]
            give, answers = master.get_task_queue(), master.get_result_queue()
            for i in range(30):
                give.put(i)
            self.assertEqual(sorted(answers.get(timeout=20) for _ in range(30)), [(i, i * i) for i in range(30)])
            for worker in workers:
                give.put(None)
            self.assertEqual([worker.wait(20) for worker in workers], [0, 0, 0])

    def test_python_is_the_worker(self):
        process = subprocess.Popen([self.program, "master", "127.0.0.1:0", KEY.decode()], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        host, port = process.stdout.readline().strip().rsplit(":", 1)
        wrong = Worker(address=(host, int(port)), authkey=b"wrong")
        self.assertRaises(multiprocessing.AuthenticationError, wrong.connect)
        manager = Worker(address=(host, int(port)), authkey=KEY)
        manager.connect()
        take, answers = manager.get_task_queue(), manager.get_result_queue()
        while (task := take.get(timeout=20)) is not None:
            answers.put((task, task * task))
        output, _ = process.communicate("\n", timeout=20)
        self.assertEqual((process.returncode, output), (0, "10 answers, their sum is 285\n"))


if __name__ == "__main__":
    unittest.main()
