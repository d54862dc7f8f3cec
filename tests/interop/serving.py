"""What the tests of managers share: the servers, brood's and Python's, and which calls were made on each.

    test_manager*.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where the helpers are, and how they are started

A server on Windows is met over TCP, which is all that they have in common.
"""
import collections
import multiprocessing
import multiprocessing.connection
import multiprocessing.managers as managers
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest

BINDIR = sys.argv[1]
WRAPPER = sys.argv[2:-1]
SUFFIX = sys.argv[-1] if len(sys.argv) > 2 else ""
del sys.argv[1:]
IS_WINDOWS = SUFFIX == ".exe"
KEY = b"open sesame"
SET_METHODS = ("__contains__", "__len__", "add", "clear", "copy", "difference", "difference_update", "discard",
               "intersection", "intersection_update", "issubset", "issuperset", "pop", "remove",
               "symmetric_difference", "union", "update")

if IS_WINDOWS:
    # Python's client writes two small messages in a row and waits for the acknowledgement of the first before it sends the
    # second; brood's server asks Windows for it at once, but Wine does not know that request. So the client does not wait.
    class PromptSocket(socket.socket):
        def connect(self, address):
            super().connect(address)
            if self.family == socket.AF_INET:
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    multiprocessing.connection.socket = types.SimpleNamespace(**{**vars(socket), "socket": PromptSocket})


# ---- what both servers have besides Python's own types ----

class SaleError(Exception):
    """As brood's server names it."""


sys.modules["shop"] = types.ModuleType("shop")
sys.modules["shop"].SaleError = SaleError
SaleError.__module__ = "shop"


class Counter:
    """What prog_manager_serve has in C."""

    def __init__(self, start=0):
        if start < 0:
            raise ValueError("a counter starts at 0 or above")
        self.n = start

    def add(self, by=1):
        self.n += by
        return self.n

    def fail(self):
        raise SaleError("sold out")

    def echo(self, *args, **kwds):
        return args, kwds

    def slow(self, ms):
        time.sleep(ms / 1000)
        return "slow"


def square(n):
    if n < 0:
        raise ValueError(f"{n} is no good")
    return n * n


def add(a, b):
    return a + b


def wait_for(address):
    """What the listener says."""
    host, port = address.split(":")
    with multiprocessing.connection.Client((host, int(port))) as connection:
        return connection.recv()


class Manager(managers.SyncManager):
    """The client."""


class Server(managers.SyncManager):
    """Python's server."""


the_counter, the_tasks, the_table = Counter(), managers.queue.Queue(), {"a": 1}
Manager.register("set", exposed=SET_METHODS)
Server.register("set", set, exposed=SET_METHODS)
Manager.register("Counter")
Server.register("Counter", Counter)
Manager.register("get_counter")
Server.register("get_counter", lambda: the_counter)
Manager.register("get_tasks")
Server.register("get_tasks", lambda: the_tasks)
Manager.register("get_table", proxytype=managers.DictProxy)
Server.register("get_table", lambda: the_table, proxytype=managers.DictProxy)

if "manager_owned" not in managers.AutoProxy.__code__.co_varnames:
    # Python 3.8 cannot read auto proxies in its own server (bpo-30256): as in later releases.
    original_auto_proxy = managers.AutoProxy

    def AutoProxy(*args, manager_owned=False, **kwds):
        return original_auto_proxy(*args, **kwds)

    AutoProxy.__module__ = "multiprocessing.managers"
    managers.AutoProxy = AutoProxy


# ---- which calls were made ----

calls = collections.defaultdict(set)  # of a server's kind: (type, method, shape of the arguments)
exposed = {}  # of a type: what brood's server has told


def shape_of(args, kwds):
    """put("x", True, timeout=0.1) is "x, True, timeout=t"."""
    def kind(value):
        return repr(value) if value is None or value in (True, False) and isinstance(value, bool) else \
            "t" if isinstance(value, (int, float)) else "x"

    return ", ".join([kind(value) for value in args] + [f"{name}={kind(kwds[name])}" for name in sorted(kwds)])


def recording(self, name, args=(), kwds={}):
    typeid = self._token.typeid
    calls[Serving.running].add((typeid, name, shape_of(args, kwds)))
    if Serving.running == "brood":
        exposed.setdefault(typeid, self._exposed_)
    return original_callmethod(self, name, args, kwds)


original_callmethod = managers.BaseProxy._callmethod
managers.BaseProxy._callmethod = recording


def check_all_methods(kinds, always=("#GETVALUE", "__repr__"), leave=()):
    """Fails if a method that Python's proxies have was never called. What auto proxies have the server has told."""
    missing = []
    for typeid in {*managers.SyncManager._registry} - {*leave}:
        proxytype = managers.SyncManager._registry[typeid][3]
        methods = getattr(proxytype, "_exposed_", None) or exposed.get(typeid, ("any method",))
        for kind in kinds:
            called = {name for called_type, name, _ in calls[kind] if called_type == typeid}
            missing += [(kind, typeid, name) for name in (*methods, *always) if name not in called]
    assert not missing, missing


# ---- the servers ----

class Serving(unittest.TestCase):
    """Its tests have a server: brood's, or in the subclass that on_python makes, Python's."""

    maxDiff = None
    server = "brood"
    address = "127.0.0.1:0" if IS_WINDOWS else None
    running = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        multiprocessing.current_process().authkey = KEY
        if cls.server == "python":
            where = cls.start_python()
        else:
            where = cls.start_brood()
        Serving.running = cls.server
        cls.where = where
        cls.manager = cls.connect()

    @classmethod
    def start_brood(cls):
        cls.process = subprocess.Popen(
            [*WRAPPER, os.path.join(BINDIR, "prog_manager_serve" + SUFFIX),
             cls.address or cls.directory.name + "/socket", KEY.decode()], stdout=subprocess.PIPE, text=True)
        where = cls.process.stdout.readline().strip()
        if cls.address is None:
            return where
        host, port = where.rsplit(":", 1)
        return host.strip("[]"), int(port)

    @classmethod
    def start_python(cls):
        cls.process = Server(address=("127.0.0.1", 0) if cls.address else cls.directory.name + "/socket", authkey=KEY,
                             ctx=multiprocessing.get_context("fork"))
        cls.process.start()
        return cls.process.address

    @classmethod
    def connect(cls, key=KEY):
        manager = Manager(address=cls.where, authkey=key)
        manager.connect()
        return manager

    @classmethod
    def control(cls):
        """A connection that has proved the key."""
        return multiprocessing.connection.Client(cls.where, authkey=KEY)

    @classmethod
    def ask(cls, name, *args, **kwds):
        connection = cls.control()
        try:
            return managers.dispatch(connection, None, name, args, kwds)
        finally:
            connection.close()

    @classmethod
    def tearDownClass(cls):
        if cls.server == "python":
            cls.process.shutdown()
        else:
            cls.ask("shutdown")
            assert cls.process.wait(20) == 0
            cls.process.stdout.close()
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

        def result(timeout=20):
            thread.join(timeout)
            self.assertFalse(thread.is_alive(), "the call hangs")
            value, error = box[0]
            if error is not None:
                raise error
            return value

        result.pending = thread.is_alive
        return result


def on_python(case):
    """The same tests with Python's server, so that brood's is compared with it. With a server under Wine there would be
    nothing else to see than natively."""
    made = type(case.__name__ + "OnPython", (case,), {"server": "python", "address": None, "__module__": case.__module__})
    return unittest.skipIf(IS_WINDOWS, "no brood takes part")(made)


def over_tcp(case):
    return unittest.skipIf(IS_WINDOWS, "the others are over TCP already")(
        type(case.__name__ + "Tcp", (case,), {"address": "127.0.0.1:0", "__module__": case.__module__}))
