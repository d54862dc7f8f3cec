#!/usr/bin/env python3
# brood-test: wine
"""What brood's managers promise beyond Python's, to Python's clients: deaths of clients, single steps, a thousand sessions.

    test_manager_beyond.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where prog_manager_serve is, and how it is started
"""
import multiprocessing
import multiprocessing.managers as managers
import os
import resource
import signal
import time
import unittest

from serving import IS_WINDOWS, KEY, Manager, Serving


def hold_lock(lock, ready):
    lock.acquire()
    ready.set()
    time.sleep(60)


def hold_objects(address, ready):
    manager = Manager(address=address, authkey=KEY)
    manager.connect()
    held = [manager.list([i]) for i in range(10)]
    held[0].append(1)
    ready.set()
    time.sleep(60)


def count_up(table, lock, n):
    for _ in range(n):
        with lock:
            table["n"] += 1


class Processes(Serving):
    def test_processes_share_objects(self):
        context = multiprocessing.get_context("fork")
        table, lock = self.manager.dict(n=0), self.manager.Lock()
        children = [context.Process(target=count_up, args=(table, lock, 20)) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join(20)
            self.assertEqual(child.exitcode, 0)
        self.assertEqual(table["n"], 80)

    def test_a_dead_clients_lock_is_released(self):
        context = multiprocessing.get_context("fork")
        for lock in (self.manager.Lock(), self.manager.RLock(), self.manager.Semaphore(1), self.manager.Condition()):
            ready = self.manager.Event()
            child = context.Process(target=hold_lock, args=(lock, ready))
            child.start()
            ready.wait(10)
            waiting = self.in_thread(lock.acquire, True, 10)
            os.kill(child.pid, signal.SIGKILL)
            self.assertTrue(waiting())
            child.join()

    @unittest.skipIf(IS_WINDOWS, "over TCP nothing tells which process it was")
    @unittest.skipIf("BROOD_TEST_PORTABLE" in os.environ, "without pidfds nobody is told of the end of another's child")
    def test_a_dead_clients_references_are_dropped(self):
        context = multiprocessing.get_context("fork")
        before = self.manager._number_of_objects()
        ready = self.manager.Event()
        child = context.Process(target=hold_objects, args=(self.manager.address, ready))
        child.start()
        ready.wait(10)
        self.assertEqual(self.manager._number_of_objects(), before + 11)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        del child
        while self.manager._number_of_objects() != before + 1:
            time.sleep(0.001)
        ready.clear()

    @unittest.skipIf(IS_WINDOWS, "over TCP nothing tells which process it was")
    @unittest.skipIf("BROOD_TEST_PORTABLE" in os.environ, "without pidfds nobody is told of the end of another's child")
    def test_a_lock_outlives_the_thread_that_took_it(self):
        lock = self.manager.Lock()
        self.assertTrue(self.in_thread(lock.acquire)())
        self.manager._number_of_objects()  # by now the server has seen the end of the thread's session
        self.assertFalse(lock.acquire(False))
        lock.release()

    def test_what_a_dead_client_waited_for_is_not_lost(self):
        context = multiprocessing.get_context("fork")
        tasks = self.manager.Queue()
        getting = context.Process(target=tasks.get)
        getting.start()
        time.sleep(0.3)
        os.kill(getting.pid, signal.SIGKILL)
        getting.join()
        time.sleep(0.1)
        tasks.put("here")
        self.assertEqual(tasks.get(timeout=5), "here")

    def test_beyond_python(self):
        table = self.manager.dict(n=1, deep={"list": [1, {"x": 5}]})
        self.assertEqual(table._callmethod("#INCR", (2, "n")), 3)
        self.assertEqual(table._callmethod("#INCR", (1, "new")), 1)
        self.assertEqual(table._callmethod("#INCR", (1, "deep", "list", 1, "x")), 6)
        self.assertTrue(table._callmethod("#CAS", (3, 10, "n")))
        self.assertFalse(table._callmethod("#CAS", (3, 11, "n")))
        table._callmethod("#AT", (("deep", "list"), "append", (7,)))
        self.assertEqual(table["deep"], {"list": [1, {"x": 6}, 7]})
        answers = table._callmethod("#BATCH", ([(table._id, "__setitem__", ("a", 1), {}), (None, "get", ("a",), {}),
                                                (None, "pop", ("zz",), {}), (None, "clear", (), {})],))
        self.assertEqual(answers[:2], [("#RETURN", None), ("#RETURN", 1)])
        self.assertEqual((answers[2][0], type(answers[2][1])), ("#ERROR", KeyError))
        self.assertEqual(len(answers), 3)
        self.assertEqual(table["n"], 10)


class Crowd(Serving):
    address = "127.0.0.1:0"

    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.limits = soft, hard
        if soft < 2500:
            if hard != resource.RLIM_INFINITY and hard < 2500:
                raise unittest.SkipTest("the system allows too few open files")
            resource.setrlimit(resource.RLIMIT_NOFILE, (2500, hard))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        resource.setrlimit(resource.RLIMIT_NOFILE, cls.limits)

    def test_a_thousand_clients_are_served(self):
        event, counter = self.manager.Event(), self.manager.Value("i", 0)
        sessions = []
        for i in range(1000):
            sessions.append(self.control())
            managers.dispatch(sessions[-1], None, "accept_connection", (f"client-{i}",))
        # Wine's server looks at each socket with bytes again before each of its steps: there only a few have some at once.
        # Natively all thousand have.
        step = 10 if IS_WINDOWS else 1000
        groups = [sessions[i:i + step] for i in range(0, 1000, step)]
        numbers = []
        for group in groups:
            for session in group:
                session.send((counter._id, "#INCR", (1,), {}))
            numbers += [session.recv()[1] for session in group]
        self.assertEqual(sorted(numbers), list(range(1, 1001)))
        for group in groups:
            for session in group:
                session.send((event._id, "wait", (), {}))
            self.assertEqual(counter.value, 1000)
        event.set()
        for session in sessions:
            self.assertEqual(session.recv(), ("#RETURN", True))
        for group in groups:
            for session in group:
                session.close()
            self.assertEqual(counter.value, 1000)


if __name__ == "__main__":
    unittest.main()
