#!/usr/bin/env python3
# brood-test: wine
"""Python's managers as clients of a brood server, and of Python's own: every type and every method, with the same outcome.

    test_manager.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where prog_manager_serve is, and how it is started
"""
import array
import collections
import datetime
import decimal
import fractions
import multiprocessing
import multiprocessing.managers as managers
import queue
import re
import threading
import time
import unittest
import uuid
from multiprocessing.connection import Listener

import serving
from serving import IS_WINDOWS, KEY, SaleError, Serving, add, square, wait_for


QUEUE_METHODS = {"empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize", "task_done"}


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((self.x, self.y))


class Control(Serving):
    def test_objects_are_counted_and_forgotten(self):
        before = self.manager._number_of_objects()
        held = self.manager.list([1])
        self.assertEqual(self.manager._number_of_objects(), before + 1)
        self.assertRegex(self.manager._debug_info(), held._id + r": +refcount=1\n    \[1\]")
        same = self.manager.list()
        same.append(held)
        self.ask("incref", held._id)
        self.assertRegex(self.manager._debug_info(), held._id + r": +refcount=2\n")
        self.ask("decref", held._id)
        ident = held._id
        del held
        self.assertEqual(self.manager._number_of_objects(), before + 1)
        self.ask("incref", ident)  # nobody refers to it, but the list has it
        self.assertEqual(same[0][0], 1)
        self.ask("decref", ident)
        del same
        self.assertEqual(self.manager._number_of_objects(), before)

    def test_create_gives_the_ident_and_the_methods(self):
        ident, exposed = self.ask("create", "Queue", maxsize=3)
        self.assertEqual((type(ident), type(exposed)), (str, tuple))
        self.assertLessEqual(QUEUE_METHODS, set(exposed))
        self.assertIsNone(self.ask("decref", ident))

    def test_one_request_a_connection(self):
        with self.control() as connection:
            connection.send((None, "dummy", (), {}))
            self.assertEqual(connection.recv(), ("#RETURN", None))
            with self.assertRaises((EOFError, ConnectionError)):
                connection.send((None, "dummy", (), {}))
                connection.recv()

    def test_failures_are_remote_errors(self):
        for name, args in (("create", ("nothing",)), ("create", ("list", 5)), ("create", ("list", 1, 2)), ("create", ()),
                           ("create", ("Barrier",)), ("create", ("Array", "x", [])), ("create", ("Pool", 0)),
                           ("create", ("Semaphore", -1)), ("create", ("BoundedSemaphore", -1)),
                           ("incref", ("123",)), ("decref", ("123",)), ("nothing", ()), ("__init__", ()),
                           ("get_methods", (1,)), ("get_methods", ()), ("incref", ()), ("decref", (1,))):
            with self.assertRaises(managers.RemoteError, msg=(name, args)):
                self.ask(name, *args)
        with self.assertRaisesRegex(managers.RemoteError, "not iterable"):
            self.manager.list(5)
        numbers = self.manager.list()
        for name in ("clear_all", "__class__", "__reduce_ex__", "__init_subclass__"):
            with self.assertRaises(managers.RemoteError):
                numbers._callmethod(name)

    def test_a_wrong_key_is_refused(self):
        with self.assertRaisesRegex(multiprocessing.AuthenticationError, "digest sent was rejected"):
            self.connect(b"wrong")

    def test_methods_are_told(self):
        tasks = self.manager.Queue()
        self.assertLessEqual(QUEUE_METHODS, set(self.ask("get_methods", tasks._token)))
        numbers = self.manager.list()
        self.assertLessEqual(set(numbers._exposed_), set(self.ask("get_methods", numbers._token)))
        # As a program does that unpickles an auto proxy that does not tell its methods.
        rebuilt = managers.AutoProxy(tasks._token, "pickle", authkey=KEY)
        rebuilt.put(1)
        self.assertEqual(tasks.get(), 1)

    def test_a_bad_request_does_not_end_the_session(self):
        conn = self.control()
        managers.dispatch(conn, None, "accept_connection", ("me",))
        numbers = self.manager.list([1])
        for bad in (5, (1, 2), ("a", "b", 3, {}), (None, 7, (), {}), [], "abcd", (numbers._id, "append", 5, {}),
                    (numbers._id, "append", (), 5), ("123", "append", (1,), {})):
            conn.send(bad)
            self.assertIn(conn.recv()[0], ("#TRACEBACK", "#ERROR"), bad)
        conn.send_bytes(b"garbage")
        self.assertEqual(conn.recv()[0], "#TRACEBACK")
        for good in ((numbers._id, "__len__", (), {}), [numbers._id, "__len__", [], {}]):
            conn.send(good)
            self.assertEqual(conn.recv(), ("#RETURN", 1))
        conn.close()

    def test_what_always_works(self):
        manager, pool = self.manager, self.manager.Pool(1)
        here = {"list": manager.list([1]), "dict": manager.dict(a=1), "Namespace": manager.Namespace(a=1),
                "Value": manager.Value("i", 1), "Array": manager.Array("i", [1])}
        hidden = {"Lock": manager.Lock(), "RLock": manager.RLock(), "Semaphore": manager.Semaphore(),
                  "BoundedSemaphore": manager.BoundedSemaphore(), "Condition": manager.Condition(),
                  "Event": manager.Event(), "Barrier": manager.Barrier(1), "Queue": manager.Queue(),
                  "JoinableQueue": manager.JoinableQueue(), "Pool": pool, "AsyncResult": pool.map_async(square, []),
                  "Iterator": pool.imap(square, [])}
        self.assertEqual({*here, *hidden}, set(managers.SyncManager._registry))
        for proxy in (*here.values(), *hidden.values()):
            for name in ("__str__", "__repr__"):
                self.assertIsInstance(proxy._callmethod(name), str)
            self.assertEqual(str(proxy), proxy._callmethod("__repr__"))
        for proxy in here.values():
            self.assertEqual(str(proxy._getvalue()), str(proxy))
        for proxy in hidden.values():
            with self.assertRaisesRegex(managers.RemoteError, "(?i)unserializable"):
                proxy._getvalue()
        pool.terminate()

    def test_objects_are_described_in_order(self):
        held = [self.manager.list([i]) for i in range(20)]
        lines = self.manager._debug_info().split("\n")
        idents = [line.split(":")[0].strip() for line in lines[::2]]
        self.assertEqual(idents, sorted(idents))
        self.assertLessEqual({proxy._id for proxy in held}, set(idents))
        self.assertTrue(all(re.match("  [^ :]+: +refcount=[0-9]+$", line) for line in lines[::2]), lines)
        self.assertTrue(all(line.startswith("    ") and len(line) <= 79 for line in lines[1::2]), lines)


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

    def test_iterators(self):
        pool = self.manager.Pool(1)
        for iterator in (iter(self.manager.dict(a=1)), pool.imap(square, [3])):
            for name, args in (("send", (1,)), ("throw", (ValueError,))):
                with self.assertRaises(managers.RemoteError):  # only generators have them
                    getattr(iterator, name)(*args)
            self.assertEqual(len(list(iterator)), 1)
            self.assertRaises(StopIteration, next, iterator)
            self.assertIs(iter(iterator), iterator)
            try:
                iterator.close()  # at Python's servers generators alone have it
            except managers.RemoteError:
                pass
        pool.terminate()

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

    def test_proxies_in_foreign_objects(self):
        held, count = self.manager.list(), self.manager._number_of_objects()
        held.append({"point": Point(self.manager.list([1]), [self.manager.dict(a=2)])})
        self.assertEqual(self.manager._number_of_objects(), count)  # nobody but the list has them
        point = held[0]["point"]
        point.x.append(3)
        self.assertEqual((list(point.x), dict(point.y[0])), ([1, 3], {"a": 2}))
        del point
        point = held.pop()["point"]
        self.assertEqual(len(held), 0)
        point.y[0]["b"] = 4
        self.assertEqual((list(point.x), dict(point.y[0])), ([1, 3], {"a": 2, "b": 4}))
        held.append(point)
        del point, held[0]
        self.assertEqual(self.manager._number_of_objects(), count)

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

    def test_proxies_of_every_type_come_back(self):
        manager = self.manager
        pool = manager.Pool(1)
        uses = [(manager.list([1]), lambda p: p[0]), (manager.dict(a=1), lambda p: p["a"]),
                (manager.Namespace(a=1), lambda p: p.a), (manager.Event(), lambda p: p.is_set()),
                (manager.Lock(), lambda p: (p.acquire(), p.release())), (manager.RLock(), lambda p: p.acquire()),
                (manager.Semaphore(), lambda p: p.acquire()), (manager.BoundedSemaphore(), lambda p: p.acquire()),
                (manager.Condition(), lambda p: (p.acquire(), p.notify(), p.release())),
                (manager.Barrier(1), lambda p: p.wait()), (manager.Value("i", 4), lambda p: p.value),
                (manager.Array("i", [5]), lambda p: p[0]), (manager.Queue(), lambda p: (p.put(1), p.get())),
                (manager.JoinableQueue(), lambda p: p.qsize()), (manager.set([1]), lambda p: len(p)),
                (manager.Counter(), lambda p: p.add()), (iter(manager.dict(k=1)), lambda p: list(p)),
                (pool, lambda p: p.apply(square, (3,))), (pool.apply_async(square, (4,)), lambda p: p.get(20))]
        outer, table, tasks = manager.list(), manager.dict(), manager.Queue()
        for proxy, use in uses:
            outer.append(proxy)
            table[1] = proxy
            tasks.put(proxy)
            for back in (outer.pop(), table.pop(1), tasks.get()):
                self.assertEqual(type(back).__name__, type(proxy).__name__)
                self.assertEqual((back._id, back._token.typeid), (proxy._id, proxy._token.typeid))
            use(back)

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
        for make in (self.manager.Queue, self.manager.JoinableQueue):
            with self.subTest(make):
                self.check_queue(make(maxsize=2))
                self.check_joinable_queue(make())

    def check_queue(self, tasks):
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

    def check_joinable_queue(self, tasks):
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


class Pools(Serving):
    def test_pool(self):
        pool = self.manager.Pool(2)
        self.assertEqual(pool.apply(square, (8,)), 64)
        self.assertEqual(pool.apply(square, kwds={}, args=(9,)), 81)
        self.assertEqual(pool.map(square, range(10)), [i * i for i in range(10)])
        self.assertEqual(pool.map(square, (1, 2, 3), chunksize=2), [1, 4, 9])
        self.assertEqual(pool.starmap(add, [(1, 2), (3, 4)], chunksize=1), [3, 7])
        pending = pool.apply_async(square, (5,))
        self.assertEqual(pending.get(timeout=20), 25)
        self.assertTrue(pending.ready() and pending.successful())
        self.assertIsNone(pending.wait())
        self.assertIsNone(pending.wait(1))
        self.assertEqual(pool.map_async(square, [1, 2]).get(20), [1, 4])
        self.assertEqual(pool.starmap_async(add, [(1, 2)]).get(), [3])
        self.assertEqual(list(pool.imap(square, [3, 4])), [9, 16])
        self.assertEqual(list(pool.imap(square, [3, 4], chunksize=2)), [9, 16])
        self.assertEqual(sorted(pool.imap_unordered(square, [3, 4])), [9, 16])
        iterator = pool.imap(square, [6])
        self.assertEqual(next(iterator), 36)
        for _ in range(2):
            self.assertRaises(StopIteration, next, iterator)
        for one in (lambda: pool.apply(square, (-1,)), lambda: pool.map(square, [1, -1]),
                    lambda: list(pool.imap(square, [1, -1]))):
            with self.assertRaisesRegex(ValueError, "-1 is no good"):
                one()
        failing = pool.apply_async(square, (-2,))
        with self.assertRaisesRegex(ValueError, "-2 is no good"):
            failing.get()
        self.assertFalse(failing.successful())
        with self.assertRaisesRegex(ValueError, "still running"):
            pool.join()
        pool.close()
        pool.join()
        with self.assertRaisesRegex(ValueError, "not running"):
            pool.apply(square, (1,))
        with self.assertRaisesRegex(managers.RemoteError, "at least 1"):
            self.manager.Pool(0)

    def test_a_result_that_is_late(self):
        pool = self.manager.Pool(1)
        with Listener(("127.0.0.1", 0)) as listener:
            pending = pool.apply_async(wait_for, ("127.0.0.1:%d" % listener.address[1],))
            with listener.accept() as gate:
                self.assertFalse(pending.ready())
                for form in (lambda: pending.get(0.05), lambda: pending.get(timeout=0.05), lambda: pending.get(0)):
                    self.assertRaises(multiprocessing.TimeoutError, form)
                with self.assertRaises(ValueError):
                    pending.successful()
                self.assertIsNone(pending.wait(0.05))
                self.assertFalse(pending.ready())
                waiting = self.in_thread(pending.get)
                gate.send([1, "open"])
                self.assertEqual(waiting(), [1, "open"])
        self.assertTrue(pending.successful())
        pool.terminate()

    def test_a_terminated_pool_ends(self):
        pool = self.manager.Pool(1)
        self.assertEqual(pool.map(square, []), [])
        pool.terminate()
        pool.join()


class BroodPools(Serving):
    def test_functions_have_names(self):
        pool = self.manager.Pool(processes=1)
        self.assertEqual(pool.apply("square", (7,)), 49)
        with self.assertRaises(LookupError):
            pool.apply("nothing")


def tearDownModule():
    if __name__ == "__main__":  # all tests have run
        serving.check_all_methods(("brood",) if IS_WINDOWS else ("brood", "python"))


ControlTcp, NestedTcp, SynchronisingTcp = map(serving.over_tcp, (Control, Nested, Synchronising))
ControlOnPython, ListsOnPython, DictsOnPython, ValuesOnPython, NestedOnPython, SynchronisingOnPython, PoolsOnPython = map(
    serving.on_python, (Control, Lists, Dicts, Values, Nested, Synchronising, Pools))

if __name__ == "__main__":
    unittest.main()
