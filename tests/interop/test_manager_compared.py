#!/usr/bin/env python3
# brood-test: wine
"""The same calls, word by word, at a brood server and at Python's: the same results, exceptions, messages and arguments.

    test_manager_compared.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where prog_manager_serve is, and how it is started

A row of the table is a type, the constructor's arguments, and calls one after the other: "put(x, True, timeout=0.01)".
"""
import array
import multiprocessing.managers as managers
import unittest

import serving
from serving import Serving, square

T = 0.01  # a time-out that passes
NAN, INF, BIG = float("nan"), float("inf"), 10**40
WAITS = ("acquire()", "acquire(True)", "acquire(True, 1)", "acquire(True, timeout=1)", "acquire(timeout=1)",
         "acquire(blocking=True, timeout=1)", "acquire(blocking=True)", "acquire(timeout=1.5, blocking=True)",
         "acquire(True, INF)", "acquire(True, -1)", "acquire(timeout=-1)")
TRIES = ("acquire(False)", "acquire(blocking=False)", "acquire(True, T)", "acquire(timeout=T)", "acquire(True, timeout=T)",
         "acquire(blocking=True, timeout=T)", "acquire(0)", "acquire(1, 0)", "acquire(timeout=0)")
WRONG = ("acquire(False, 1)", "acquire(False, timeout=1)", "acquire(True, 1, 2)", "acquire(bad=1)", "acquire('a', 'b')",
         "release(1, 2)", "release(bad=1)")

ROWS = [
    # ---- locks: taken by each form, and tried while it is taken ----
    *(("Lock", "()", f"{form}; release()") for form in WAITS if "INF" not in form),
    *(("Lock", "()", f"{form}; release(); acquire(); {form}; release(); release()") for form in TRIES),
    *(("Lock", "()", f"{form}; acquire(False)") for form in WRONG),
    *(("RLock", "()", f"{form}; {form}; release(); release(); release()") for form in WAITS if "INF" not in form),
    *(("RLock", "()", f"{form}; acquire(False); release(); release(); release()") for form in TRIES),
    *(("RLock", "()", f"{form}; acquire(False)") for form in WRONG),
    *(("Semaphore", "(2)", f"{form}; {form}; acquire(False); release(); acquire(); release(); release(); release()")
      for form in WAITS if "-1" not in form),
    *((kind, "(0)", f"{form}; acquire(False)") for form in TRIES for kind in ("Semaphore", "BoundedSemaphore")),
    *((kind, "(1)", f"{form}; acquire(False)") for form in ("acquire(False, 1)", "acquire(False, timeout=1)",
                                                            "acquire(True, None)", "acquire(timeout=None)", "acquire(bad=1)",
                                                            "acquire(True, 1, 2)", "acquire(blocking=True, timeout=None)")
      for kind in ("Semaphore", "BoundedSemaphore")),
    ("BoundedSemaphore", "()", "acquire(); release(); release(); acquire(False)"),
    ("BoundedSemaphore", "(2)", "release(); acquire(); release(); release()"),
    ("BoundedSemaphore", "(value=2)", "acquire(); acquire(); acquire(False)"),
    ("Semaphore", "(value=0)", "acquire(False); release(); acquire(False); acquire(False)"),
    ("Semaphore", "(-1)", ""), ("Semaphore", "('a')", ""), ("Semaphore", "(1, 2)", ""), ("Semaphore", "(n=1)", ""),
    ("BoundedSemaphore", "(value=-1)", ""), ("Lock", "(1)", ""), ("Event", "(1)", ""),
    # ---- Condition ----
    *(("Condition", "()", f"{form}; acquire(False); release(); release(); release()") for form in WAITS if "INF" not in form),
    *(("Condition", "()", f"acquire(); {form}; release(); release()")
      for form in ("wait(T)", "wait(0)", "wait(timeout=T)", "wait(-1)", "notify()", "notify(1)", "notify(5)", "notify(n=2)",
                   "notify(0)", "notify_all()", "notify(1, 2)", "wait('a')", "wait(T, 1)", "wait(bad=1)",
                   "notify_all(1)")),
    ("Condition", "()", "wait()"), ("Condition", "()", "wait(T)"), ("Condition", "()", "notify()"),
    ("Condition", "()", "notify_all()"), ("Condition", "()", "release()"),
    ("Condition", "()", "acquire(); acquire(); acquire(); wait(T); release(); release(); release(); release()"),
    # ---- Event ----
    ("Event", "()", "is_set(); wait(T); wait(0); wait(timeout=T); wait(-1); set(); set(); wait(); wait(None); wait(5); "
                    "wait(timeout=5); wait(timeout=None); is_set(); clear(); clear(); is_set(); wait(T)"),
    ("Event", "()", "wait('a'); wait(1, 2); wait(bad=1); set(1); clear(1); is_set(1); is_set()"),
    # ---- Barrier ----
    ("Barrier", "(1)", "wait(); wait(None); wait(1); wait(timeout=1); wait(timeout=None); wait(1.5); "
                       "__getattribute__('parties'); __getattribute__('n_waiting'); __getattribute__('broken')"),
    ("Barrier", "(2)", "wait(T); __getattribute__('broken'); wait(); wait(1); reset(); __getattribute__('broken'); wait(0); "
                       "reset(); wait(timeout=T); wait(timeout=T)"),
    ("Barrier", "(2)", "abort(); __getattribute__('broken'); abort(); wait(); reset(); reset(); __getattribute__('broken')"),
    ("Barrier", "(2, None, 0.01)", "wait(); wait(None); reset(); wait(None)"),
    ("Barrier", "(2, timeout=0.01)", "wait(); __getattribute__('broken')"),
    ("Barrier", "(parties=1, action=None, timeout=None)", "wait()"),
    ("Barrier", "(1)", "__getattribute__('nothing'); __getattribute__(); abort(1); reset(1); wait(1, 2); wait(bad=1)"),
    ("Barrier", "()", ""),
    # ---- queues: each form, on one that is empty, one with room, and a full one ----
    *((kind, "(1)", f"{form}; qsize(); {form}; qsize(); full(); empty(); get(False)")
      for kind in ("Queue", "JoinableQueue")
      for form in ("put('x', False)", "put('x', False, None)", "put('x', True, T)", "put('x', True, timeout=T)",
                   "put('x', False, T)", "put('x', block=False)", "put('x', block=True, timeout=T)", "put('x', timeout=T)",
                   "put_nowait('x')", "put(item='x', block=False)", "put('x', True, 0)", "put('x', True, -1)",
                   "put('x', False, -1)", "put(item='x', timeout=T)", "put_nowait(item='x')")),
    *((kind, "()", f"put('x'); put('y', True); put('z', True, None); put(None, timeout=None); put(block=True, item=1); "
                   f"put(2); put(3); {form}; qsize(); get(); {form}; get(True); get(True, None); get(timeout=None); {form}; {form}; qsize()")
      for kind in ("Queue", "JoinableQueue")
      for form in ("get(False)", "get(False, None)", "get(True, T)", "get(False, T)", "get(timeout=T)", "get(block=False)",
                   "get(True, timeout=T)", "get_nowait()", "get(block=True, timeout=T)", "get(True, 0)", "get(True, -1)",
                   "get(False, -1)")),
    *((kind, start, "full(); put(1); put(2); full(); put(3, False); qsize(); empty()")
      for kind in ("Queue", "JoinableQueue")
      for start in ("(2)", "(maxsize=2)", "(0)", "(maxsize=0)", "(-1)", "()")),
    *((kind, "()", "put(1); put(2); task_done(); get(); task_done(); join(); task_done(); join()")
      for kind in ("Queue", "JoinableQueue")),
    ("Queue", "()", "put(); put(1, 2, 3, 4); put(bad=1); get(1, 2, 3); get(bad=1); get_nowait(1); put_nowait(); qsize(1); "
                    "empty(1); full(1); join(1); task_done(1); qsize(); get(True, 'a')"),
    ("Queue", "(1, 2)", ""), ("Queue", "(size=1)", ""),
    # ---- list ----
    *(("list", start, calls) for start in ("()", "([3, 1, 2, 1])", "('cab',)") for calls in (
        "append(1); append(); append(1, 2); append(object=1); __len__()", "extend('xy'); extend([]); extend(5); extend()",
        "insert(0, 'i'); insert(-1, 'j'); insert(99, 'k'); insert(True, 1); insert('a', 1); insert(1); insert(1.5, 2)",
        "pop(); pop(0); pop(-1); pop(9); pop('a'); pop(1, 2); pop(None); pop(1.0); pop(True)",
        "remove(1); remove('a'); remove(77); remove()", "index(1); index('a'); index(77); index(1, 2); index(1, -1, 9); "
        "index(1, 0, 1); index(1, 'a'); index(); index(1, 0, BIG); index(1, -BIG); index(1, BIG); index(1, None); index(1, 0, None)", "count(1); count('a'); count([]); count()",
        "reverse(); reverse(1); __reversed__()", "sort(); sort(reverse=True); sort(reverse=False, key=None); sort(True); "
        "sort(bad=1)",
        "__getitem__(0); __getitem__(-1); __getitem__(9); __getitem__(-9); __getitem__('a'); __getitem__(1.0); __getitem__(BIG); "
        "__getitem__(True); __getitem__(slice(None)); __getitem__(slice(1, -1)); __getitem__(slice(None, None, -1)); "
        "__getitem__(slice(0, 9, 2)); __getitem__(slice(0, 1, 0)); __getitem__(slice('a')); __getitem__(slice(-BIG**11, BIG**11)); __getitem__()",
        "__setitem__(0, 'n'); __setitem__(9, 1); __setitem__('a', 1); __setitem__(slice(1, 2), [7, 8]); "
        "__setitem__(slice(None, None, 2), 'x'); __setitem__(slice(0, 0), 5); __setitem__(1); __setitem__(slice(9, 9), (1,))",
        "__delitem__(0); __delitem__(9); __delitem__('a'); __delitem__(slice(0, 1)); __delitem__()",
        "__add__([1]); __add__((1,)); __add__(5); __mul__(2); __mul__(-1); __mul__('a'); __mul__(1.5); __rmul__(2); "
        "__rmul__('a'); __mul__(True); __mul__(BIG); __mul__(-BIG); __rmul__(BIG)", "__imul__(2); __imul__(0); __imul__('a'); __imul__(BIG); __imul__(2**62); __len__()",
        "__contains__(1); __contains__(1.0); __contains__([]); __contains__(); __len__(1)")),
    ("list", "([1, 'a'])", "sort(); append(2); sort(); __getitem__(slice(None))"),
    ("list", "([[2], [1], []])", "sort(); __getitem__(slice(None)); index([1]); remove([]); count([2])"),
    ("list", "([1, 2.5, True, -3])", "sort(reverse=True); __getitem__(slice(None))"),
    ("list", "([NAN, INF, BIG, -BIG])", "__contains__(INF); index(BIG); count(-BIG); index(-INF)"),
    ("list", "(range(5))", "__getitem__(slice(None))"), ("list", "(range(10, 0, -3))", "__getitem__(slice(None))"),
    ("list", "({1: 2, 3: 4})", "__getitem__(slice(None))"), ("list", "(b'ab')", "__getitem__(slice(None))"),
    ("list", "({5})", "__getitem__(slice(None))"), ("list", "(5)", ""), ("list", "(None)", ""), ("list", "(1, 2)", ""),
    # ---- dict and its iterator ----
    *(("dict", start, calls) for start in ("()", "({'a': 1, 2: 'b'})", "([('a', 1), ['b', 2]])", "(a=1, b=2)",
                                           "({'a': 0}, a=1, c=3)") for calls in (
        "__getitem__('a'); __getitem__(2); __getitem__(2.0); __getitem__('q'); __getitem__([]); __getitem__(None); __getitem__()",
        "__setitem__('a', [1]); __setitem__((1, 2), 3); __setitem__([], 1); __setitem__({}, 1); __setitem__('a'); items()",
        "__delitem__('a'); __delitem__('a'); __delitem__([]); __len__(); __delitem__()",
        "__contains__('a'); __contains__(2); __contains__([]); __contains__()",
        "get('a'); get('q'); get('q', 5); get([]); get(); get('a', 1, 2); get(key='a')",
        "pop('a'); pop('a', 3); pop('a'); pop(); pop('q', None); pop('q', default=1)",
        "popitem(); popitem(); popitem(); popitem(); popitem(1)",
        "setdefault('a', 9); setdefault('q'); setdefault('r', [1]); setdefault([]); setdefault(); items()",
        "keys(); values(); items(); copy(); keys(1); copy(1)", "clear(); __len__(); items(); clear(1)",
        "update({'u': 1}); update([('v', 1), ['w', 2]], x=3); update(y=1); update(); update(5); update([(1,)]); update(['ab']); "
        "update([5]); update({}, 1); update({}, {}); items()",
        "__len__(); __len__(1); __iter__(); __iter__(1)")),
    ("dict", "({1: 'a', True: 'b', 1.0: 'c', '1': 'd', b'1': 'e', None: 'f', (1,): 'g'})", "items(); __len__(); pop(True)"),
    ("dict", "({1: 2})", "pop([]); pop([], 1); pop({}, 1); items()"), ("dict", "(5)", ""), ("dict", "([1])", ""), ("dict", "([(1, 2, 3)])", ""), ("dict", "({}, {})", ""), ("dict", "(['ab'])", "items()"),
    # ---- Namespace, Value, Array ----
    ("Namespace", "(a=1, b=[2])", "__getattribute__('a'); __getattribute__('b'); __getattribute__('job'); "
                                  "__setattr__('c', None); __getattribute__('c'); __delattr__('a'); __getattribute__('a'); "
                                  "__delattr__('a'); __setattr__('x'); __getattribute__(); __delattr__('nothing'); "
                                  "__setattr__(1, 2); __getattribute__(1); __repr__()"),
    ("Namespace", "()", "__repr__(); __setattr__('n', 'x'); __setattr__('_hidden', 1); __setattr__('a', 1); __repr__()"),
    ("Namespace", "(1)", ""), ("Namespace", "({})", ""),
    ("Value", "('i', 3)", "get(); set(5); get(); set('any'); get(); __repr__(); set(); set(1, 2); get(1)"),
    ("Value", "('x', [1], lock=False)", "get(); set(None); get()"), ("Value", "('d', 1.5, True)", "get(); __repr__()"),
    ("Value", "('i')", ""), ("Value", "()", ""), ("Value", "(typecode='i', value=2)", "get()"),
    *(("Array", f"({code!r}, {items})", "__len__(); __getitem__(0); __getitem__(-1); __getitem__(9); __getitem__(slice(None)); "
       f"__getitem__(slice(None, None, -1)); __getitem__(slice(1, 2)); __setitem__(0, {good}); __setitem__(9, {good}); "
       f"__setitem__(0, {bad}); __setitem__(0, None); __setitem__(0, 'xy'); __getitem__('a'); __setitem__('a', {good}); "
       "__setitem__(0); __getitem__(); __getitem__(slice(None)); __repr__()")
      for code, items, good, bad in (
          ("b", [-128, 127], 1, 128), ("B", [0, 255], 1, -1), ("h", [-2**15, 1], 2, 2**15), ("H", [2**16 - 1], 2, 2**16),
          ("i", [1, -2, 3], 2**31 - 1, 2**31), ("I", [2**32 - 1], 2, -1), ("q", [-2**63, 1], 2, 2**63), ("Q", [2**64 - 1], 2, 2**64),
          ("f", [1.5, -0.0], 2.5, "b'x'"), ("d", [1.5, 1e300], 2, "b'x'"))),
    ("Array", "('i', [1, 2, 3])", "__setitem__(slice(0, 1), array.array('i', [7, 8])); __getitem__(slice(None)); "
                                  "__setitem__(slice(0, 1), [1]); __setitem__(slice(0, 1), array.array('d', [1])); __setitem__(0, 1.5)"),
    ("Array", "('i', range(4))", "__getitem__(slice(None))"), ("Array", "('i', (1, 2), lock=False)", "__getitem__(1)"),
    ("Array", "('x', [])", ""), ("Array", "('i', ['a'])", ""), ("Array", "('i', 5)", ""), ("Array", "('B', [256])", ""),
    ("Array", "('i')", ""), ("Array", "(1, [])", ""),
    # ---- Pool: what needs no function, and functions that both servers know ----
    ("Pool", "(1)", "map(square, []); map(square, [1, 2]); map(square, (3,), 1); map(square, [3], chunksize=2); starmap(square, [(4,)]); "
                    "apply(square, (5,)); apply(square, [6], {}); apply(square, args=(7,), kwds={}); apply(square, (-1,)); "
                    "map(square, [1, -3]); map(square, 5); join(); close(); close(); map(square, [1]); apply(square, (1,)); "
                    "map_async(square, [1]); imap(square, [1]); join(); terminate(); join()"),
    ("Pool", "(1)", "apply_async(square, (3,)); apply_async(square, (-3,)); map_async(square, [1, 2], 1); map_async(square, [1, -2]); "
                    "map_async(square, [], chunksize=3); starmap_async(square, [(1,), (2,)]); starmap_async(square, [(-1,)]); "
                    "imap(square, [1, 2, 3]); imap(square, [1, -1, 2]); imap(square, []); imap(square, [4, 5], 1); "
                    "imap_unordered(square, [7]); imap_unordered(square, (8,), chunksize=1); imap_unordered(square, [-7]); "
                    "apply_async(func=square, args=(1,)); map_async(square); apply(); map(); imap(); starmap(square, [1]); "
                    "imap(square, [1], 0); map(bad=1); close(1); join(1); terminate(1)"),
    ("Pool", "(processes=1)", "terminate(); terminate(); apply(square, (1,)); join()"),
    ("Pool", "(0)", ""), ("Pool", "(-1)", ""), ("Pool", "('a')", ""), ("Pool", "(1, 2)", ""),
    # ---- set, as a program registers it ----
    ("set", "([1, 2])", "add(3); add([]); discard(9); discard([]); remove(9); remove(1); __contains__(2); __contains__([]); __len__(); "
                        "union([7], (8,)); intersection([2, 9]); difference([2]); symmetric_difference([2, 5]); issubset([2, 3, 4]); "
                        "issuperset([2]); update([1], [5]); intersection_update([1, 2]); difference_update([1]); copy(); pop(); pop(); "
                        "clear(); add(); union(5); copy()"),
    ("set", "(5)", ""), ("set", "([[]])", ""),
    # ---- a type of the program's own ----
    ("Counter", "(5)", "add(); add(4); echo(1, [2], k='v'); fail(); nothing(); _add()"), ("Counter", "(-1)", ""),
]


def arguments(*args, **kwds):
    return args, kwds


NAMES = {"a": arguments, "T": T, "NAN": NAN, "INF": INF, "BIG": BIG, "array": array, "square": square}


def made_of(text):
    return eval("a" + text, NAMES)


USES = {"Iterator": [("__next__", (), {})] * 7 + [("__next__", (1, 2), {}), ("send", (1,), {}), ("throw", (KeyError,), {})],
        "AsyncResult": [("get", (20,), {}), ("get", (), {"timeout": 20}), ("get", (None,), {}), ("get", (), {}), ("ready", (), {}),
                        ("successful", (), {}), ("wait", (), {}), ("wait", (1,), {}), ("wait", (), {"timeout": 1}),
                        ("get", (1, 2), {}), ("get", (), {"bad": 1}), ("ready", (1,), {}), ("wait", (1, 2), {})]}


def told(function):
    """What comes of it, in a form that can be compared. The texts of servers' failures and of those that Python itself
    words anew with each release are free."""
    try:
        result = function()
    except (managers.RemoteError, TypeError, OverflowError) as error:
        return type(error).__name__
    except ValueError as error:
        return "ValueError", error.args[0].replace("can't specify a timeout for a non-blocking call", "bad time-out").replace(
            "can't specify timeout for non-blocking acquire", "bad time-out")
    except AttributeError as error:
        return "AttributeError", error.args[0].split()[-1].strip("'")  # up to 3.10 it is the name alone
    except Exception as error:
        return type(error).__name__, error.args
    if type(result).__name__ == "list_reverseiterator":
        result = list(result)
    if isinstance(result, managers.BaseProxy):
        return "proxy", result._token.typeid, [(name, args, told(lambda: result._callmethod(name, args, kwds)))
                                               for name, args, kwds in USES[result._token.typeid]]
    return type(result).__name__, repr(result)


def play(manager, typeid, start, calls):
    args, kwds = made_of(start)
    made = []
    outcomes = [told(lambda: made.append(getattr(manager, typeid)(*args, **kwds)))]
    for call in filter(None, calls.split("; ")):
        if made:
            name, _, rest = call.partition("(")
            args, kwds = made_of("(" + rest)
            outcomes.append((call, told(lambda: made[0]._callmethod(name, args, kwds))))
    return outcomes


def play_all(case):
    outcomes = []
    for row in ROWS:
        played = case.in_thread(play, case.manager, *row)
        try:
            outcomes.append(played())
        except AssertionError:
            raise AssertionError(f"hangs: {row}")
    return outcomes


class Compared(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        """Python's server is here also when brood's is under Wine."""
        cls.outcomes = {}
        for server in (type("Python", (Serving,), {"server": "python", "address": None}), Serving):
            server.setUpClass()
            try:
                cls.outcomes[server.server] = play_all(server())
            finally:
                server.tearDownClass()

    def test_every_row(self):
        for i, row in enumerate(ROWS):
            with self.subTest(row):
                self.assertEqual(self.outcomes["brood"][i], self.outcomes["python"][i])

    def test_no_method_is_left_out(self):
        """Those of pools' results and of iterators are compared in test_manager.py."""
        serving.check_all_methods(("brood", "python"), always=(), leave=("Iterator", "AsyncResult"))


if __name__ == "__main__":
    unittest.main()
