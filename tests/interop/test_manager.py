#!/usr/bin/env python3
# brood-test: wine
"""Python's managers as clients of a brood server: every type and every method.

    test_manager.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where prog_manager_serve is, and how it is started

A server on Windows is met over TCP, which is all that they have in common.
"""
import array
import collections
import datetime
import decimal
import fractions
import multiprocessing
import multiprocessing.managers as managers
import os
import queue
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
import uuid

BINDIR = sys.argv[1]
WRAPPER = sys.argv[2:-1]
SUFFIX = sys.argv[-1] if len(sys.argv) > 2 else ""
del sys.argv[1:]
IS_WINDOWS = SUFFIX == ".exe"
KEY = b"open sesame"


class Manager(managers.SyncManager):
    pass


Manager.register("set", exposed=("__contains__", "__len__", "add", "clear", "copy", "difference", "discard",
                                 "intersection", "issubset", "issuperset", "pop", "remove", "union", "update"))
Manager.register("Counter")
Manager.register("get_counter")
Manager.register("get_tasks")
Manager.register("get_table", proxytype=managers.DictProxy)


class SaleError(Exception):
    """As the server names it."""


sys.modules["shop"] = types.ModuleType("shop")
sys.modules["shop"].SaleError = SaleError


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((self.x, self.y))


class Serving(unittest.TestCase):
    address = None
    exits = False

    @classmethod
    def setUpClass(cls):
        if IS_WINDOWS:
            cls.address = "127.0.0.1:0"
        cls.directory = tempfile.TemporaryDirectory()
        cls.server = subprocess.Popen(
            [*WRAPPER, os.path.join(BINDIR, "prog_manager_serve" + SUFFIX),
             cls.address or cls.directory.name + "/socket", KEY.decode()], stdout=subprocess.PIPE, text=True)
        cls.where = cls.server.stdout.readline().strip()
        multiprocessing.current_process().authkey = KEY
        cls.manager = cls.connect()

    @classmethod
    def connect(cls):
        where = cls.where
        if cls.address:
            host, port = where.rsplit(":", 1)
            where = (host.strip("[]"), int(port))
        manager = Manager(address=where, authkey=KEY)
        manager.connect()
        return manager

    @classmethod
    def tearDownClass(cls):
        managers.dispatch(managers.listener_client["pickle"][1](cls.manager.address, authkey=KEY), None, "shutdown")
        assert cls.server.wait(20) == 0
        cls.server.stdout.close()
        cls.directory.cleanup()

    def in_thread(self, function, *args):
        """Runs in a thread, so in a session of its own; returns a function that waits for the result."""
        box = []

        def run():
            try:
                box.append((function(*args), None))
            except BaseException as error:
                box.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def result(timeout=10):
            thread.join(timeout)
            self.assertFalse(thread.is_alive(), "the call hangs")
            value, error = box[0]
            if error is not None:
                raise error
            return value

        result.pending = thread.is_alive
        return result


class Control(Serving):
    def test_objects_are_counted_and_forgotten(self):
        before = self.manager._number_of_objects()
        held = self.manager.list([1])
        self.assertEqual(self.manager._number_of_objects(), before + 1)
        self.assertIn("refcount=1", self.manager._debug_info())
        del held
        self.assertEqual(self.manager._number_of_objects(), before)

    def test_failures_are_remote_errors(self):
        with self.assertRaisesRegex(managers.RemoteError, "no type"):
            self.manager._create("nothing")
        with self.assertRaisesRegex(managers.RemoteError, "not iterable"):
            self.manager.list(5)
        numbers = self.manager.list()
        with self.assertRaisesRegex(managers.RemoteError, "not exposed"):
            numbers._callmethod("clear_all")
        with self.assertRaisesRegex(managers.RemoteError, "no object"):
            conn = managers.listener_client["pickle"][1](self.manager.address, authkey=KEY)
            managers.dispatch(conn, None, "incref", ("123",))

    def test_a_wrong_key_is_refused(self):
        other = Manager(address=self.manager.address, authkey=b"wrong")
        with self.assertRaises(multiprocessing.AuthenticationError):
            other.connect()

    def test_methods_are_told(self):
        tasks = self.manager.Queue()
        conn = managers.listener_client["pickle"][1](self.manager.address, authkey=KEY)
        methods = managers.dispatch(conn, None, "get_methods", (tasks._token,))
        self.assertEqual(set(methods), {"empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize",
                                        "task_done"})

    def test_a_bad_request_does_not_end_the_session(self):
        conn = managers.listener_client["pickle"][1](self.manager.address, authkey=KEY)
        managers.dispatch(conn, None, "accept_connection", ("me",))
        for bad in (5, (1, 2), ("a", "b", 3, {}), (None, 7, (), {})):
            conn.send(bad)
            self.assertEqual(conn.recv()[0], "#TRACEBACK")
        conn.send_bytes(b"garbage")
        self.assertEqual(conn.recv()[0], "#TRACEBACK")
        numbers = self.manager.list([1])
        conn.send((numbers._id, "__len__", (), {}))
        self.assertEqual(conn.recv(), ("#RETURN", 1))
        conn.close()


@unittest.skipIf(IS_WINDOWS, "too many connections, 50 ms each; tests/manager has the same methods")
class Lists(Serving):
    def check(self, function, *start):
        """The same on a list and on a proxy: the same result or exception, the same content."""
        own = list(*start)
        proxy = self.manager.list(*start)

        def run(target):
            try:
                return function(target)
            except Exception as error:
                return type(error)

        expected, got = run(own), run(proxy)
        self.assertEqual(expected, got)
        self.assertEqual(own, proxy._getvalue())
        self.assertEqual(str(own), str(proxy))

    def test_every_method(self):
        for start in ([], [1, 2, 3], "abc", (1, "x", None), range(10), range(10, 0, -3), {1: 2}, [[1], [2]]):
            for function in (
                    len, sum, lambda l: l[0], lambda l: l[-1], lambda l: l[5], lambda l: l[:], lambda l: l[1:],
                    lambda l: l[::-1], lambda l: l[-2:5], lambda l: l[5:1:-2], lambda l: l[::3], lambda l: l["a"],
                    lambda l: l.append(4), lambda l: l.append(), lambda l: l.extend([1, 2]), lambda l: l.extend(5),
                    lambda l: l.insert(1, "i"), lambda l: l.insert(-100, "i"), lambda l: l.insert(100, "i"),
                    lambda l: l.pop(), lambda l: l.pop(0), lambda l: l.pop(-2), lambda l: l.pop(77),
                    lambda l: l.remove(2), lambda l: l.index(2), lambda l: l.index(2, -1), lambda l: l.index(2, 0, 9),
                    lambda l: l.count(1), lambda l: 2 in l, lambda l: l.reverse(), lambda l: l.sort(),
                    lambda l: l.sort(reverse=True), lambda l: l + [9], lambda l: l + (9,), lambda l: l * 2,
                    lambda l: 2 * l, lambda l: l * -1, lambda l: list(reversed(l)), list,
                    lambda l: l.__setitem__(0, "s"), lambda l: l.__setitem__(99, "s"),
                    lambda l: l.__setitem__(slice(1, 2), "xyz"), lambda l: l.__setitem__(slice(None, None, 2), [0]),
                    lambda l: l.__setitem__(slice(3, 1), [7]), lambda l: l.__setitem__(slice(0, 3), 5),
                    lambda l: l.__delitem__(0), lambda l: l.__delitem__(slice(None, None, 2)),
                    lambda l: l.__delitem__(slice(None, None, -2)), lambda l: l.__delitem__(99),
                    lambda l: l.__delitem__(slice(1, 3))):
                self.check(function, start)

    def test_augmented_assignment(self):
        numbers = self.manager.list([1])
        numbers += [2, 3]
        numbers *= 2
        self.assertEqual(numbers._getvalue(), [1, 2, 3, 1, 2, 3])
        self.assertIsInstance(numbers, managers.ListProxy)

    def test_sorting(self):
        for start in ([3, 1, 2], ["b", "a", ""], [(2, "a"), (1, "z"), (1, "b")], [1.5, 1, -2.5, 10**30, -(10**30)],
                      [b"b", b"a"], [[2], [1, 5], [1]], [1, "a"], [None, 1], ["\U0001f600", "\uffff", "z"]):
            self.check(lambda l: l.sort(), start)


@unittest.skipIf(IS_WINDOWS, "too many connections, 50 ms each; tests/manager has the same methods")
class Dicts(Serving):
    def test_every_method(self):
        def check(function):
            for start in ({}, {"a": 1, 2: "b"}, [("x", 1), ["y", 2]], collections.OrderedDict(z=1, y=2)):
                own, proxy = dict(start), self.manager.dict(start)
                results = []
                for target in (own, proxy):
                    try:
                        results.append(function(target))
                    except Exception as error:
                        results.append((type(error), error.args if type(error) is KeyError else None))
                self.assertEqual(*results)
                self.assertEqual(own, proxy.copy())
                self.assertEqual(list(own), proxy.keys())

        for function in (
                len, lambda d: d["a"], lambda d: d[2.0], lambda d: d[[]], lambda d: d.__setitem__("n", [1]),
                lambda d: d.__setitem__([], 1), lambda d: d.__delitem__("a"), lambda d: d.get("a"),
                lambda d: d.get("q", 5), lambda d: d.pop("a"), lambda d: d.pop("a", 3), lambda d: d.popitem(),
                lambda d: d.setdefault("a", 9), lambda d: d.setdefault("q"), lambda d: list(d.keys()),
                lambda d: list(d.values()), lambda d: list(d.items()), lambda d: "a" in d, lambda d: d.clear(),
                lambda d: d.copy(), lambda d: d.update({"u": 1}), lambda d: d.update([("u", 1)], v=2),
                lambda d: d.update(k=1), lambda d: d.update(5), lambda d: d.update([(1,)]), lambda d: d.update(["ab"]),
                list, lambda d: [key for key in d]):
            check(function)

    def test_keywords(self):
        self.assertEqual(self.manager.dict(a=1, b=2).copy(), {"a": 1, "b": 2})
        self.assertEqual(self.manager.dict({"a": 0}, a=1).copy(), {"a": 1})

    def test_iteration_notices_changes(self):
        table = self.manager.dict(a=1)
        iterator = iter(table)
        table["b"] = 2
        with self.assertRaisesRegex(RuntimeError, "changed size"):
            next(iterator)

    def test_keys_are_pythons(self):
        table = self.manager.dict()
        for key in (1, 1.0, True, "1", b"1", (1, 2), None, 10**30, frozenset([1]), Point(1, 2)):
            table[key] = str(key)
        self.assertEqual(len(table), 8)
        self.assertEqual(table[1], "True")
        self.assertEqual(table[10**30], str(10**30))


class Values(Serving):
    def test_whatever_comes_goes_back(self):
        held = self.manager.list()
        for value in (None, True, 1, -(2**70), 1.5, float("inf"), "x\u20ac\U0001f600", "\ud800", b"\0\xff",
                      bytearray(b"x"), [], {}, set(), {1, 2}, frozenset([3]), (1, (2, [3])), 1 + 2j, ..., NotImplemented,
                      range(5), slice(1, 2), Point(1, [2]), collections.OrderedDict(a=1), collections.Counter("aab"),
                      collections.deque([1, 2], 5), datetime.datetime(2020, 1, 2), datetime.timedelta(1),
                      decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.uuid4(), array.array("i", [1, 2]), int, len,
                      "x" * 100000, b"y" * 3000000, list(range(5000))):
            held[:] = [value]
            self.assertEqual(held[0], value)
            self.assertIs(type(held[0]), type(value))
        for error in (ValueError("x", 3), KeyError("k"), OSError(2, "No such file"), queue.Empty()):
            held[:] = [error]
            self.assertEqual((type(held[0]), held[0].args), (type(error), error.args))

    def test_namespace(self):
        names = self.manager.Namespace(job="a", n=1)
        names.extra = [1]
        self.assertEqual((names.job, names.n, names.extra), ("a", 1, [1]))
        del names.n
        self.assertFalse(hasattr(names, "n"))
        with self.assertRaisesRegex(AttributeError, "has no attribute 'n'"):
            names.n
        with self.assertRaises(AttributeError):
            del names.n
        self.assertEqual(str(names), "Namespace(extra=[1], job='a')")
        self.assertEqual(names._getvalue().job, "a")

    def test_value(self):
        value = self.manager.Value("i", 3)
        value.value += 4
        self.assertEqual((value.value, value.get()), (7, 7))
        value.set("any")
        self.assertEqual(value.value, "any")
        self.assertEqual(str(value), "Value('i', 'any')")
        self.assertEqual(value._getvalue().value, "any")

    def test_array(self):
        for code, items in (("i", [1, -2, 3]), ("d", [1.5, 2]), ("B", [0, 255]), ("u", "a\u20ac"), ("f", []),
                            ("Q", [2**64 - 1]), ("q", [-(2**63)]), ("l", range(4))):
            if IS_WINDOWS and code in "ul":  # they have another size there, and CPython's format is the machine's own
                continue
            own, proxy = array.array(code, items), self.manager.Array(code, items)
            self.assertEqual(len(proxy), len(own))
            self.assertEqual(list(proxy), list(own))
            self.assertEqual(proxy[:], own)
            self.assertEqual(proxy[1:], own[1:])
            self.assertEqual(proxy[::-1], own[::-1])
            self.assertEqual(proxy._getvalue(), own)
            if code != "u":
                self.assertEqual(str(proxy), str(own))
        numbers = self.manager.Array("i", [1, 2, 3])
        numbers[0] = 9
        numbers[-1] = 8
        numbers[1:2] = array.array("i", [5, 6])
        self.assertEqual(list(numbers), [9, 5, 6, 8])
        with self.assertRaisesRegex(IndexError, "^array index out of range"):
            numbers[4]
        with self.assertRaisesRegex(IndexError, "array assignment index out of range"):
            numbers[4] = 1
        with self.assertRaises(OverflowError):
            numbers[0] = 2**31
        with self.assertRaises(TypeError):
            numbers[0] = "a"
        with self.assertRaisesRegex(managers.RemoteError, "bad typecode"):
            self.manager.Array("x", [])

    def test_set(self):
        numbers = self.manager.set([1, 2])
        numbers.add(3)
        numbers.discard(9)
        with self.assertRaises(KeyError):
            numbers.remove(9)
        self.assertEqual(numbers.union([7]), {1, 2, 3, 7})
        self.assertEqual(numbers.copy(), {1, 2, 3})
        self.assertTrue(numbers.issubset([1, 2, 3, 4]))
        self.assertEqual(len(numbers._getvalue()), 3)

    def test_own_types(self):
        counter = self.manager.Counter(5)
        self.assertEqual(counter.add(), 6)
        self.assertEqual(counter.add(4), 10)
        self.assertEqual(counter.echo(1, [2], k="v"), ((1, [2]), {"k": "v"}))
        with self.assertRaises(SaleError) as caught:
            counter.fail()
        self.assertEqual(caught.exception.args, ("sold out",))
        with self.assertRaisesRegex(managers.RemoteError, "starts at 0"):
            self.manager.Counter(-1)
        with self.assertRaises(TypeError):
            counter.add("x")
        one, other = self.manager.get_counter(), self.manager.get_counter()
        self.assertEqual(one._id, other._id)
        one.add(2)
        self.assertEqual(other.add(0), 2)

    def test_slow_methods_keep_nobody_waiting(self):
        counter = self.manager.Counter()
        slow = [self.in_thread(counter.slow, 300) for _ in range(3)]
        started = time.monotonic()
        self.assertEqual(counter.add(), 1)
        self.assertTrue(slow[0].pending())
        self.assertEqual([wait() for wait in slow], ["slow"] * 3)
        self.assertLess(time.monotonic() - started, 5)

    def test_named_objects(self):
        tasks = self.manager.get_tasks()
        tasks.put((1, "job"))
        self.assertEqual(self.manager.get_tasks().get(timeout=1), (1, "job"))
        table = self.manager.get_table()
        self.assertEqual(table["a"], 1)
        table["b"] = 2
        del table
        self.assertEqual(self.manager.get_table().copy(), {"a": 1, "b": 2})


class Nested(Serving):
    def test_by_value_and_by_proxy(self):
        inner = self.manager.list([1])
        outer = self.manager.list([[88, 99], inner])
        self.assertIs(type(outer[0]), list)
        self.assertIsInstance(outer[1], managers.ListProxy)
        outer[0].append(5)
        self.assertEqual(outer[0], [88, 99])
        outer[1].append(2)
        self.assertEqual(inner._getvalue(), [1, 2])

    def test_containers_keep_what_they_contain(self):
        before = self.manager._number_of_objects()
        outer = self.manager.dict(k=self.manager.dict(x=1))
        self.assertEqual(outer["k"]["x"], 1)
        popped = outer.pop("k")
        self.assertEqual(popped["x"], 1)
        tasks = self.manager.Queue()
        tasks.put(self.manager.list([5]))
        self.assertEqual(tasks.get()[0], 5)
        table = self.manager.dict(tasks=tasks)
        table["tasks"].put(1)
        self.assertEqual(tasks.get(), 1)
        del outer, popped, tasks, table
        self.assertEqual(self.manager._number_of_objects(), before)

    def test_a_list_contains_itself(self):
        numbers = self.manager.list([1])
        numbers.append(numbers)
        numbers[1].append(2)
        self.assertEqual(numbers[1][1][2], 2)

    def test_locks_in_namespaces(self):
        names = self.manager.Namespace(lock=self.manager.Lock(), event=self.manager.Event())
        with names.lock:
            self.assertFalse(names.lock.acquire(False))
        names.event.set()
        self.assertTrue(names.event.is_set())


class Synchronising(Serving):
    def test_lock(self):
        lock = self.manager.Lock()
        self.assertTrue(lock.acquire())
        self.assertFalse(lock.acquire(False))
        self.assertFalse(lock.acquire(True, 0.05))
        self.assertFalse(lock.acquire(timeout=0.05))
        waiting = self.in_thread(lock.acquire)
        self.in_thread(lock.release)()
        self.assertTrue(waiting())
        lock.release()
        with self.assertRaisesRegex(RuntimeError, "release unlocked lock"):
            lock.release()
        with lock:
            pass

    def test_rlock(self):
        lock = self.manager.RLock()
        self.assertTrue(lock.acquire() and lock.acquire())
        self.assertFalse(self.in_thread(lock.acquire, False)())
        with self.assertRaisesRegex(RuntimeError, "cannot release un-acquired lock"):
            self.in_thread(lock.release)()
        lock.release()
        waiting = self.in_thread(lock.acquire, True, 5)
        lock.release()
        self.assertTrue(waiting())

    def test_semaphores(self):
        sem = self.manager.Semaphore(2)
        self.assertTrue(sem.acquire() and sem.acquire())
        self.assertFalse(sem.acquire(False))
        waiting = self.in_thread(sem.acquire)
        sem.release()
        self.assertTrue(waiting())
        for _ in range(5):
            sem.release()
        bounded = self.manager.BoundedSemaphore()
        bounded.acquire()
        bounded.release()
        with self.assertRaisesRegex(ValueError, "released too many times"):
            bounded.release()
        with self.assertRaisesRegex(managers.RemoteError, "must be >= 0"):
            self.manager.Semaphore(-1)

    def test_condition(self):
        cond = self.manager.Condition()
        for method, args in (("wait", ()), ("notify", ()), ("notify_all", ()), ("release", ())):
            with self.assertRaisesRegex(RuntimeError, "un-acquired lock"):
                getattr(cond, method)(*args)
        with cond:
            self.assertFalse(cond.wait(0.05))
            cond.acquire()
            self.assertFalse(cond.wait(timeout=0.05))
            cond.release()
        state = self.manager.list([0])
        ready = self.manager.Semaphore(0)

        def wait():
            with cond:
                ready.release()
                return cond.wait(10)

        waiters = [self.in_thread(wait) for _ in range(4)]
        for _ in waiters:
            ready.acquire()
        with cond:
            cond.notify(1)
        while all(waiter.pending() for waiter in waiters):
            time.sleep(0.001)
        with cond:
            cond.notify_all()
        self.assertEqual([waiter() for waiter in waiters], [True] * 4)

        def wait_for():
            with cond:
                return cond.wait_for(lambda: state[0] == 3, 10)

        waiter = self.in_thread(wait_for)
        for i in range(4):
            with cond:
                state[0] = i
                cond.notify_all()
        self.assertTrue(waiter())

    def test_event(self):
        event = self.manager.Event()
        self.assertFalse(event.is_set())
        self.assertFalse(event.wait(0.05))
        waiting = [self.in_thread(event.wait) for _ in range(3)]
        event.set()
        self.assertEqual([wait() for wait in waiting], [True] * 3)
        self.assertTrue(event.wait())
        event.clear()
        self.assertFalse(event.is_set())

    def test_barrier(self):
        barrier = self.manager.Barrier(3)
        self.assertEqual((barrier.parties, barrier.n_waiting, barrier.broken), (3, 0, False))
        for _ in range(3):
            parties = [self.in_thread(barrier.wait) for _ in range(2)]
            self.assertEqual(sorted([barrier.wait()] + [party() for party in parties]), [0, 1, 2])
        waiting = self.in_thread(barrier.wait)
        while barrier.n_waiting != 1:
            time.sleep(0.001)
        barrier.reset()
        with self.assertRaises(threading.BrokenBarrierError):
            waiting()
        self.assertFalse(barrier.broken)
        with self.assertRaises(threading.BrokenBarrierError):
            barrier.wait(0.05)
        self.assertTrue(barrier.broken)
        with self.assertRaises(threading.BrokenBarrierError):
            barrier.wait()
        barrier.reset()
        barrier.abort()
        self.assertTrue(barrier.broken)
        with self.assertRaises(threading.BrokenBarrierError):
            self.manager.Barrier(2, timeout=0.05).wait()

    def test_queue(self):
        tasks = self.manager.Queue(maxsize=2)
        tasks.put(1)
        tasks.put(2, True, None)
        self.assertTrue(tasks.full())
        self.assertEqual(tasks.qsize(), 2)
        for form in (lambda: tasks.put(3, False), lambda: tasks.put(3, False, None), lambda: tasks.put(3, True, 0.05),
                     lambda: tasks.put(3, timeout=0.05), lambda: tasks.put_nowait(3)):
            self.assertRaises(queue.Full, form)
        putting = self.in_thread(tasks.put, 3)
        self.assertEqual(tasks.get(), 1)
        putting()
        self.assertEqual((tasks.get(True, 1), tasks.get_nowait()), (2, 3))
        self.assertTrue(tasks.empty())
        for form in (lambda: tasks.get(False), lambda: tasks.get(True, 0.05), lambda: tasks.get(timeout=0.05),
                     lambda: tasks.get_nowait(), lambda: tasks.get(False, None)):
            self.assertRaises(queue.Empty, form)
        with self.assertRaisesRegex(ValueError, "'timeout' must be a non-negative number"):
            tasks.get(True, -1)
        getting = self.in_thread(tasks.get)
        tasks.put("late")
        self.assertEqual(getting(), "late")

    def test_joinable_queue(self):
        tasks = self.manager.JoinableQueue()
        for i in range(3):
            tasks.put(i)
        joining = self.in_thread(tasks.join)
        for i in range(3):
            self.assertTrue(joining.pending())
            tasks.get()
            tasks.task_done()
        joining()
        with self.assertRaisesRegex(ValueError, "task_done\\(\\) called too many times"):
            tasks.task_done()


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


@unittest.skipIf(IS_WINDOWS, "too many connections, 50 ms each; tests/manager has the same with fewer")
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
        client = managers.listener_client["pickle"][1]
        sessions = []
        for i in range(1000):
            sessions.append(client(self.manager.address, authkey=KEY))
            managers.dispatch(sessions[-1], None, "accept_connection", (f"client-{i}",))
        for session in sessions:
            session.send((counter._id, "#INCR", (1,), {}))
        self.assertEqual(sorted(session.recv()[1] for session in sessions), list(range(1, 1001)))
        for session in sessions:
            session.send((event._id, "wait", (), {}))
        event.set()
        for session in sessions:
            self.assertEqual(session.recv(), ("#RETURN", True))
            session.close()
        self.assertEqual(counter.value, 1000)


def square(n):
    """Stands for the server's function of that name."""


class Pools(Serving):
    def test_pool(self):
        pool = self.manager.Pool(2)
        self.assertEqual(pool.apply("square", (7,)), 49)
        self.assertEqual(pool.apply(square, (8,)), 64)
        self.assertEqual(pool.map("square", range(10)), [i * i for i in range(10)])
        self.assertEqual(pool.starmap("add", [(1, 2), (3, 4)], chunksize=1), [3, 7])
        pending = pool.apply_async("square", (5,))
        self.assertEqual(pending.get(timeout=20), 25)
        self.assertTrue(pending.ready() and pending.successful())
        self.assertIsNone(pending.wait())
        self.assertEqual(pool.map_async("square", [1, 2]).get(20), [1, 4])
        self.assertEqual(list(pool.imap("square", [3, 4])), [9, 16])
        self.assertEqual(sorted(pool.imap_unordered("square", [3, 4])), [9, 16])
        with self.assertRaisesRegex(ValueError, "-1 is no good"):
            pool.apply("square", (-1,))
        failing = pool.apply_async("square", (-2,))
        with self.assertRaisesRegex(ValueError, "-2 is no good"):
            failing.get()
        self.assertFalse(failing.successful())
        with self.assertRaises(LookupError):
            pool.apply("nothing")
        with self.assertRaisesRegex(ValueError, "still running"):
            pool.join()
        pool.close()
        pool.join()
        with self.assertRaises(ValueError):
            pool.apply("square", (1,))
        with self.assertRaisesRegex(managers.RemoteError, "at least 1"):
            self.manager.Pool(0)

    def test_a_terminated_pool_ends(self):
        pool = self.manager.Pool(1)
        self.assertEqual(pool.map("square", []), [])
        pool.terminate()
        pool.join()


@unittest.skipIf(IS_WINDOWS, "the others are over TCP already")
class ControlTcp(Control):
    address = "127.0.0.1:0"


@unittest.skipIf(IS_WINDOWS, "the others are over TCP already")
class NestedTcp(Nested):
    address = "127.0.0.1:0"


@unittest.skipIf(IS_WINDOWS, "the others are over TCP already")
class SynchronisingTcp(Synchronising):
    address = "127.0.0.1:0"


if __name__ == "__main__":
    unittest.main()
