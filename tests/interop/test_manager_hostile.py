#!/usr/bin/env python3
# brood-test: wine
"""Peers that mean no good, at brood serve: it goes on, others are served meanwhile, and its memory stays bounded.

    test_manager_hostile.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where the helpers are, and how they are started
"""
import multiprocessing
import multiprocessing.managers as managers
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

DIRECTORY = sys.argv[1]
WRAPPER = sys.argv[2:-1]
SUFFIX = sys.argv[-1] if len(sys.argv) > 2 else ""
del sys.argv[1:]
PROGRAM = [*WRAPPER, os.path.join(DIRECTORY, "..", "..", "brood" + SUFFIX)]
IS_WINDOWS = SUFFIX == ".exe"
KEY = b"open sesame"
MIB = 1 << 20


def frame(data):
    return struct.pack(">i", len(data)) + data


def request(*parts):
    return frame(pickle.dumps(parts, 4))


class Hostile(unittest.TestCase):
    sanitized = None

    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen(
            [*PROGRAM, "serve", "--address", "127.0.0.1:0", "--authkey", KEY.decode(), "--max-message", str(8 * MIB),
             "--max-bytes", str(32 * MIB), "--max-client-bytes", str(16 * MIB), "--max-clients", "600",
             "--max-stored", str(24 * MIB)],
            stdout=subprocess.PIPE, text=True)
        host, port = cls.server.stdout.readline().strip().rsplit(":", 1)
        cls.address = host, int(port)
        multiprocessing.current_process().authkey = KEY
        cls.manager = managers.SyncManager(address=cls.address, authkey=KEY)
        cls.manager.connect()
        cls.numbers = cls.manager.list([1])
        cls.begin = cls.memory()

    @classmethod
    def tearDownClass(cls):
        managers.dispatch(cls.client(), None, "shutdown")
        assert cls.server.wait(20) == 0
        cls.server.stdout.close()

    @classmethod
    def client(cls):
        return managers.listener_client["pickle"][1](cls.address, authkey=KEY)

    def session(self):
        connection = self.client()
        managers.dispatch(connection, None, "accept_connection", ("hostile",))
        self.addCleanup(connection.close)
        return connection

    def raw(self):
        peer = socket.create_connection(self.address)
        peer.settimeout(20)
        self.addCleanup(peer.close)
        return peer

    @classmethod
    def is_sanitized(cls):
        if cls.sanitized is None:
            with open(PROGRAM[-1], "rb") as file:
                program = file.read()
            cls.sanitized = b"__asan_init" in program or b"__tsan_init" in program
        return cls.sanitized

    @classmethod
    def memory(cls):
        """Resident bytes of the server; 0 where they are not told, or say nothing: sanitizers keep what was freed."""
        if IS_WINDOWS or cls.is_sanitized():
            return 0
        with open(f"/proc/{cls.server.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def setUp(self):
        """A witness works meanwhile, and must never wait for long."""
        self.stop = threading.Event()
        self.slowest = self.most = self.calls = 0

        def watch():
            while not self.stop.is_set():
                begun = time.monotonic()
                self.numbers[0] += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.most = max(self.most, self.memory())
                self.calls += 1
                self.stop.wait(0.005)

        self.witness = threading.Thread(target=watch)
        self.witness.start()

    def tearDown(self):
        calls = self.calls
        while self.witness.is_alive() and self.calls < calls + 2:  # it is served now, too
            time.sleep(0.005)
        self.stop.set()
        self.witness.join(30)
        self.assertFalse(self.witness.is_alive(), "the witness is not served")
        self.assertLess(self.slowest, 10)
        if self.most:
            self.assertLess(self.most - self.begin, 128 * MIB, "the server's memory grows")
            print(f"{self.id().split('.')[-1]}: {self.calls} calls of the witness, the slowest "
                  f"{self.slowest * 1000:.0f} ms, at most {(self.most - self.begin) / MIB:.0f} MiB more", flush=True)

    def ends(self, peer):
        """Whether the server has closed the connection, whatever it said before."""
        try:
            while peer.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True

    # ---- before the key is proved ----

    def test_junk_before_the_key(self):
        for junk in (b"\0" * 300, b"\xff" * 300, b"GET / HTTP/1.1\r\n\r\n", frame(b"x" * 257), frame(b"#WELCOME#"),
                     b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff" + b"\x7f" + b"\xff" * 7, b"\x80\0\0\1", os.urandom(2000)):
            peer = self.raw()
            peer.sendall(junk)
            self.assertTrue(self.ends(peer), junk[:20])

    def test_a_request_before_the_key_is_none(self):
        peer = self.raw()
        peer.sendall(request(None, "shutdown", (), {}))
        self.assertTrue(self.ends(peer))
        self.assertIsNone(self.server.poll())

    def test_silent_connections(self):
        silent = [self.raw() for _ in range(100 if IS_WINDOWS else 900)]
        for peer in silent[::3]:
            peer.sendall(b"\0\0")
        session = self.session()
        session.send((self.numbers._id, "__len__", (), {}))
        self.assertEqual(session.recv(), ("#RETURN", 1))
        for peer in silent:
            peer.close()

    def test_a_flood_of_connections(self):
        for _ in range(200 if IS_WINDOWS else 1500):
            with socket.create_connection(self.address):
                pass

    # ---- behind the key ----

    def test_junk_behind_the_key(self):
        session = self.session()
        for junk in (b".", b"\x80\x04.", b"\x80\x09N.", b"(" * 5000, b"cos\nsystem\n(S'id'\ntR.", b"\x80\x04}]s.",
                     b"]q\1h\1a.", b"N.", os.urandom(1000), pickle.dumps(((1,), {}, None, "x")),
                     pickle.dumps((None, "list", (), {1: 2})), pickle.dumps((1, 2, 3, 4))):
            session.send_bytes(junk)
            self.assertEqual(session.recv()[0], "#TRACEBACK")
        session.send((self.numbers._id, "__len__", (), {}))
        self.assertEqual(session.recv(), ("#RETURN", 1))

    def test_lengths_that_are_lies(self):
        for header in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\0\0\0\xff\xff\xff\xff\xff", b"\x80\0\0\1"):
            session = self.session()
            os.write(session.fileno(), header + b"x" * 100)
            peer = socket.socket(fileno=os.dup(session.fileno()))
            peer.settimeout(20)
            self.assertTrue(self.ends(peer))
            peer.close()

    def test_half_frames(self):
        sessions = [self.session() for _ in range(10 if IS_WINDOWS else 40)]
        for session in sessions:  # each announces 6 MiB and sends 1: only some fit into the limit
            try:
                session._send(struct.pack(">i", 6 * MIB) + b"x" * MIB)
            except OSError:
                pass
        time.sleep(0.2)
        for session in sessions:
            session.close()

    def test_slow_bytes(self):
        session = self.session()
        for byte in request(self.numbers._id, "__len__", (), {}):
            session._send(bytes([byte]))
            time.sleep(0.001)
        self.assertEqual(session.recv(), ("#RETURN", 1))

    def test_replies_that_nobody_reads(self):
        text = "x" * MIB
        held = self.manager.list([text])
        sessions = [self.session() for _ in range(10 if IS_WINDOWS else 50)]
        ask = pickle.dumps((held._id, "__getitem__", (0,), {}))
        for session in sessions:
            os.set_blocking(session.fileno(), False)
            try:
                for _ in range(200):
                    session._send(frame(ask))
            except OSError:
                pass
        time.sleep(0.3)
        self.assertEqual(len(held[0]), MIB)
        for session in sessions:
            session.close()

    def test_floods_of_requests(self):
        ask = request(self.numbers._id, "__len__", (), {}) * 500
        peers = [self.session() for _ in range(5)]
        readers = [threading.Thread(target=lambda peer=peer: [peer.recv() for _ in range(2000)]) for peer in peers]
        for reader in readers:
            reader.start()
        for _ in range(4):
            for peer in peers:
                peer._send(ask)
        for reader in readers:
            reader.join(60)
            self.assertFalse(reader.is_alive())

    def test_what_is_others(self):
        victim = self.manager.dict(a=1)
        session = self.session()
        for _ in range(5):  # over a session that says who it is
            named = self.client()
            managers.dispatch(named, None, "accept_connection", ("brood:enemy",))
            named.send((None, "decref", (victim._id,), {}))
            self.assertEqual(named.recv()[0], "#TRACEBACK")
            named.close()
        for ident in ("", "0", "zz", "f" * 64, "-1", victim._id + "0", victim._id[:-1]):
            session.send((ident, "clear", (), {}))
            self.assertEqual(session.recv()[0], "#TRACEBACK")
        self.assertEqual(victim.copy(), {"a": 1})

    def test_methods_that_are_not_exposed(self):
        session = self.session()
        for name in ("__class__", "__reduce__", "__init__", "", "append\0x", "x" * 100000, "#NOTHING", "__dict__"):
            session.send((self.numbers._id, name, (), {}))
            self.assertEqual(session.recv()[0], "#TRACEBACK", name[:20])

    def kind(self, session):
        try:
            return session.recv()[0]
        except TypeError as error:  # a slice in a set or as a key: Python can do that from 3.12 on
            self.assertIn("unhashable type: 'slice'", str(error))
            return "#RETURN"

    def test_arguments_of_wrong_types(self):
        kinds = {"list": ([1],), "dict": ({},), "set": ([1],), "Namespace": (), "Lock": (), "RLock": (),
                 "Semaphore": (1,), "BoundedSemaphore": (1,), "Condition": (), "Event": (), "Barrier": (2,),
                 "Queue": (1,), "JoinableQueue": (), "Value": ("i", 1), "Array": ("i", [1])}
        strange = [None, "a", b"b", 1.5, float("nan"), 10**40, -1, [1], {"a": 1}, slice("a"), slice(None, None, 0),
                   Exception("x"), range(10**12), ...]
        session = self.session()
        for typeid, args in kinds.items():
            control = self.client()
            ident, exposed = managers.dispatch(control, None, "create", (typeid, *args))
            control.close()
            for method in exposed:
                for value in strange:
                    for call in ((value,), (value, value), (value,) * 5):
                        # A time-out of any kind ends at once, where it is one.
                        waits = method in ("wait", "acquire", "get", "put", "join")
                        session.send((ident, method, call, {"timeout": 0} if waits else {}))
                        self.assertIn(self.kind(session), ("#RETURN", "#ERROR", "#PROXY", "#TRACEBACK"))
                session.send((ident, method, (), {"bad": 1}))
                self.assertIn(self.kind(session), ("#ERROR", "#RETURN"), (typeid, method))
        control = self.client()
        for typeid in kinds:
            for value in strange:
                control = self.client()
                control.send((None, "create", (typeid, value, value, value, value), {}))
                self.assertEqual(control.recv()[0], "#TRACEBACK", (typeid, value))
                control.close()

    def test_deep_nesting(self):
        session = self.session()
        for depth in (100, 5000, 1000000):
            for deep in (b"]" * depth + b"a" * (depth - 1), b"(" * depth + b"t" * depth,
                         b"N" + b"\x85" * depth):
                session.send_bytes(b"\x80\x04(X\1\0\0\0aX\1\0\0\0b" + deep + b"}t.")
                self.assertIn(session.recv()[0], ("#TRACEBACK", "#ERROR"))

    def test_objects_that_are_filled(self):
        session = self.session()
        for typeid, name, args in (("list", "append", lambda i: ("x" * MIB,)),
                                   ("list", "extend", lambda i: (range(100000),)),
                                   ("dict", "__setitem__", lambda i: (i, b"x" * MIB)),
                                   ("dict", "update", lambda i: ({(i, j): j for j in range(10000)},)),
                                   ("Queue", "put", lambda i: ([i] * 100000,)),
                                   ("Namespace", "__setattr__", lambda i: (f"a{i}", "x" * MIB))):
            control = self.client()
            ident, _ = managers.dispatch(control, None, "create", (typeid,))
            control.close()
            kinds = []
            while len(kinds) < 1000 and kinds[-3:] != ["#ERROR"] * 3:
                session.send((ident, name, args(len(kinds)), {}))
                kind, value = session.recv()
                kinds.append(kind)
            self.assertIsInstance(value, MemoryError, (typeid, name))
            self.assertIn("there is no room for", str(value))
            self.assertGreater(len(kinds), 10, (typeid, name))
            control = self.client() # and what it had is there for the next
            managers.dispatch(control, None, "decref", (ident,))
            control.close()

    def test_small_requests_that_would_grow(self):
        session = self.session()
        control = self.client()
        ident, _ = managers.dispatch(control, None, "create", ("list", [0] * 1000))
        control.close()
        for name, args in (("__imul__", (10**12,)), ("__mul__", (2**62,)), ("extend", (range(10**15),)),
                           ("__setitem__", (slice(0, 0), range(10**15)))):
            session.send((ident, name, args, {}))
            kind, value = session.recv()
            self.assertEqual((kind, type(value)), ("#ERROR", MemoryError), (name, value))
        # A memo that doubles with each step: 2^40 items, were they made.
        grow = b"]q\0" + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(40))
        session.send_bytes(b"\x80\x04(X\1\0\0\0aX\1\0\0\0b(" + grow + b"t}t.")
        self.assertEqual(session.recv()[0], "#TRACEBACK")


if __name__ == "__main__":
    unittest.main()
