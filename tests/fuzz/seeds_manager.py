#!/usr/bin/env python3
"""Seeds for fuzz_manager: each method of each type once, and requests without an object.

    seeds_manager.py DIRECTORY
"""
import os
import pickle
import struct
import sys

TYPES = ("list dict set Namespace Lock RLock Semaphore BoundedSemaphore Condition Event Queue JoinableQueue Barrier "
         "Value Array").split()
LOCK = [("acquire", ()), ("acquire", (False,)), ("acquire", (True, 0.001)), ("release", ())]
QUEUE = [("put", (1,)), ("put", (1, True, 0.001)), ("get", ()), ("get", (True, 0.001)), ("get_nowait", ()),
         ("qsize", ()), ("empty", ()), ("full", ()), ("put_nowait", ([1],)), ("task_done", ()), ("join", ())]
ITEMS = [("__getitem__", (0,)), ("__getitem__", (slice(1, None, -1),)), ("__setitem__", (0, 5)), ("__len__", ())]
METHODS = {
    "list": ITEMS + [("append", (1,)), ("extend", (range(5),)), ("insert", (0, "x")), ("pop", ()), ("sort", ()),
                     ("sort", (), {"reverse": True}), ("reverse", ()), ("index", (1,)), ("remove", (1,)),
                     ("__add__", ([1],)), ("__mul__", (2,)), ("__imul__", (2,)), ("__contains__", (1,)),
                     ("__delitem__", (slice(0, 1),)), ("__reversed__", ()), ("count", (1,))],
    "dict": [("__setitem__", ("a", 1)), ("__getitem__", ("a",)), ("get", ("a", 2)), ("update", ({1: 2},), {"k": 3}),
             ("pop", ("a",)), ("popitem", ()), ("setdefault", ("q", [])), ("keys", ()), ("values", ()), ("items", ()),
             ("__iter__", ()), ("copy", ()), ("clear", ()), ("__contains__", (1,)), ("__delitem__", (1,))],
    "set": [("add", (1,)), ("discard", (1,)), ("remove", (1,)), ("union", ([1],)), ("update", ([2, 3],)), ("pop", ()),
            ("issubset", ([1],)), ("difference", ([1],)), ("symmetric_difference", ([1],)), ("copy", ())],
    "Namespace": [("__setattr__", ("a", 1)), ("__getattribute__", ("a",)), ("__delattr__", ("a",))],
    "Lock": LOCK, "RLock": LOCK, "Semaphore": LOCK, "BoundedSemaphore": LOCK,
    "Condition": LOCK[:1] + [("wait", (0.001,)), ("notify", (1,)), ("notify_all", ()), ("wait", ()), ("release", ())],
    "Event": [("set", ()), ("is_set", ()), ("wait", (0.001,)), ("clear", ()), ("wait", ())],
    "Queue": QUEUE, "JoinableQueue": QUEUE,
    "Barrier": [("wait", (0.001,)), ("__getattribute__", ("parties",)), ("reset", ()), ("abort", ()), ("wait", ())],
    "Value": [("get", ()), ("set", (5,))],
    "Array": ITEMS + [("__setitem__", (slice(0, 1), [1, 2]))],
}
EXTRAS = [("#GETVALUE", ()), ("__str__", ()), ("#INCR", (1, "a")), ("#CAS", (1, 2, 0)), ("#SET", ([1], 0)),
          ("#GET", (0,)), ("#DEL", (0,)), ("#AT", ((0,), "append", (1,), {})),
          ("#BATCH", ([(None, "append", (1,), {}), (None, "pop", (), {})],))]
CONTROL = [("dummy", ()), ("create", ("list", [1, 2])), ("create", ("Queue",)), ("incref", ("x",)),
           ("decref", ("x",)), ("number_of_objects", ()), ("debug_info", ()), ("accept_connection", ("me",)),
           ("#FEATURES", ()), ("get_methods", (5,)), ("nothing", ())]


def message(request):
    data = pickle.dumps(request, 4)
    return struct.pack("<H", len(data)) + data


def main(directory):
    rows = {"control": [(None, *call) for call in CONTROL]}
    for number, name in enumerate(TYPES):
        rows[name] = [(number, *call) for call in METHODS[name] + EXTRAS]
    os.makedirs(directory, exist_ok=True)
    for name, calls in rows.items():
        requests = [call if len(call) == 4 else (*call, {}) for call in calls]
        for i, request in enumerate(requests):
            with open(os.path.join(directory, f"{name}-{i}"), "wb") as file:
                file.write(message(request))
        with open(os.path.join(directory, name), "wb") as file:
            file.write(b"".join(map(message, requests)))


main(sys.argv[1])
