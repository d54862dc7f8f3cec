# brood-test: wine
"""test_connection.py - Python's Client and Listener with brood's at the other end: both digests, wrong keys, values.

    test_connection.py DIRECTORY [PREFIX... PROGRAM-SUFFIX]    where prog_connect is, and how it is started
"""
import contextlib
import hashlib
import hmac
import multiprocessing
import multiprocessing.connection as mpc
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from multiprocessing import AuthenticationError, reduction

DIRECTORY = sys.argv[1]
WRAPPER = sys.argv[2:-1]
SUFFIX = sys.argv[-1] if len(sys.argv) > 2 else ""
del sys.argv[1:]
PROGRAM = [*WRAPPER, os.path.join(DIRECTORY, "prog_connect" + SUFFIX)]
IS_WINDOWS = SUFFIX == ".exe"
IS_NEW = sys.version_info >= (3, 12)  # speaks SHA-256 by itself

KEY = b"key of the tests"
VALUES = [None, True, 42, -1, 2**70, 1.5, "text", b"bytes", "x" * 100000, [1, [2, 3]], (1, 2), {"a": [1], 2: None},
          {1, 2}, frozenset("ab")]


# ---- the protocol of Python 3.12 and later, over the connections of this one ----

CHALLENGE, WELCOME, FAILURE = b"#CHALLENGE#", b"#WELCOME#", b"#FAILURE#"


def digest_new(key, message):
    """The answer of a new Python to what follows #CHALLENGE#."""
    if len(message) == 20:
        return hmac.new(key, message, "md5").digest()
    for name in ("md5", "sha256", "sha384"):
        prefix = b"{%s}" % name.encode()
        if message.startswith(prefix):
            return prefix + hmac.new(key, message, name).digest()
    raise AuthenticationError("unsupported digest")


def deliver_new(connection, key, digest_name="sha256"):
    message = b"{%s}" % digest_name.encode() + os.urandom(40)
    connection.send_bytes(CHALLENGE + message)
    response = connection.recv_bytes(256)
    if len(response) == 16:
        good = hmac.compare_digest(response, hmac.new(key, message, "md5").digest())
    else:
        good = hmac.compare_digest(response, digest_new(key, message))
    deliver_new.sizes.append(len(response))
    connection.send_bytes(WELCOME if good else FAILURE)
    if not good:
        raise AuthenticationError("digest received was wrong")


def answer_new(connection, key):
    message = connection.recv_bytes(256)
    if not message.startswith(CHALLENGE):
        raise AuthenticationError(f"protocol error: {message!r}")
    message = message[len(CHALLENGE):]
    answer_new.sizes.append(len(message))
    connection.send_bytes(digest_new(key, message))
    if connection.recv_bytes(256) != WELCOME:
        raise AuthenticationError("digest sent was rejected")


deliver_new.sizes = []
answer_new.sizes = []


@contextlib.contextmanager
def python(version):
    """Python's connections speak as that version: the functions are looked up when they are called."""
    old = mpc.deliver_challenge, mpc.answer_challenge
    if version == "3.12":
        mpc.deliver_challenge, mpc.answer_challenge = deliver_new, answer_new
    try:
        yield
    finally:
        mpc.deliver_challenge, mpc.answer_challenge = old


# ---- brood ----

class Brood:
    """prog_connect, line by line."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().rstrip("\r\n")

    def finish(self):
        rest = self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(), rest

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None and error[0] is not None:
            self.process.kill()
        if not self.process.stdout.closed:
            self.finish()


def python_address(text):
    """A brood address as Python's."""
    if text.startswith("@"):
        return "\0" + text[1:]
    if "/" in text:
        return text
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def brood_address(address):
    if isinstance(address, tuple):
        return ("[%s]:%d" if ":" in address[0] else "%s:%d") % address[:2]
    return os.fsdecode(address).replace("\0", "@")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def client(address):
    """Client(), for IPv6 too, which Python's does not know by itself."""
    if isinstance(address, tuple) and ":" in address[0]:
        made = socket.create_connection(address)
        connection = mpc.Connection(made.detach())
        mpc.answer_challenge(connection, KEY)
        mpc.deliver_challenge(connection, KEY)
        return connection
    return mpc.Client(address, authkey=KEY)


class BroodListens(unittest.TestCase):
    def addresses(self):
        yield "127.0.0.1:0"
        if IS_WINDOWS:
            return
        if has_ipv6():
            yield "[::1]:0"
        yield ""
        with tempfile.TemporaryDirectory() as directory:
            yield os.path.join(directory, "socket")
            self.assertEqual(os.listdir(directory), [], "the socket's file is left")

    def check_values(self, connection):
        for value in VALUES:
            connection.send(value)
        for value in VALUES:
            self.assertEqual(connection.recv(), value)
        connection.send("bytes")
        self.assertEqual(connection.recv_bytes(), bytes(i % 251 for i in range(3000000)))

    def test_values_from_both_pythons(self):
        for version in ("3.11", "3.12"):
            for address in self.addresses():
                with self.subTest(version=version, address=address), python(version):
                    with Brood("listen", address, KEY.decode(), "1") as brood:
                        with client(python_address(brood.line())) as connection:
                            self.assertEqual(brood.line(), "accepted")
                            self.check_values(connection)
                        self.assertEqual(brood.line(), "ended")
                        self.assertEqual(brood.finish(), (0, ""))

    def test_sha256_is_spoken_where_the_other_can(self):
        answer_new.sizes.clear(), deliver_new.sizes.clear()
        with python("3.12"), Brood("listen", "127.0.0.1:0", KEY.decode(), "1", "no-md5") as brood:
            with mpc.Client(python_address(brood.line()), authkey=KEY):
                self.assertEqual(brood.line(), "accepted")
        self.assertEqual((answer_new.sizes, deliver_new.sizes), ([48], [40]))

    @unittest.skipUnless(IS_NEW, "this Python is not new")
    def test_a_new_python_is_let_in_where_md5_is_refused(self):
        with Brood("listen", "127.0.0.1:0", KEY.decode(), "1", "no-md5") as brood:
            with mpc.Client(python_address(brood.line()), authkey=KEY):
                self.assertEqual(brood.line(), "accepted")

    def test_a_wrong_key_is_refused_and_the_next_client_is_let_in(self):
        for version in ("3.11", "3.12"):
            with self.subTest(version=version), python(version):
                with Brood("listen", "127.0.0.1:0", KEY.decode(), "2") as brood:
                    address = python_address(brood.line())
                    with self.assertRaises(AuthenticationError) as caught:
                        mpc.Client(address, authkey=b"another")
                    self.assertEqual(str(caught.exception), "digest sent was rejected")
                    line = brood.line()
                    self.assertTrue(line.startswith("accepted EAUTH "), line)
                    self.assertIn("another key", line)
                    with mpc.Client(address, authkey=KEY) as connection:
                        connection.send([1])
                        self.assertEqual(connection.recv(), [1])

    @unittest.skipIf(IS_NEW, "this Python is not old")
    def test_an_old_python_is_refused_where_md5_is(self):
        with Brood("listen", "127.0.0.1:0", KEY.decode(), "1", "no-md5") as brood:
            with self.assertRaises(AuthenticationError):
                mpc.Client(python_address(brood.line()), authkey=KEY)
            line = brood.line()
            self.assertTrue(line.startswith("accepted EAUTH ") and "MD5" in line, line)

    def test_without_a_key(self):
        with Brood("listen", "127.0.0.1:0", "-", "1") as brood:
            with mpc.Client(python_address(brood.line())) as connection:
                self.check_values(connection)

    def test_silent_clients_keep_nobody_waiting(self):
        with Brood("listen", "127.0.0.1:0", KEY.decode(), "1") as brood:
            address = python_address(brood.line())
            silent = [socket.create_connection(address) for _ in range(200)]
            begun = time.monotonic()
            with mpc.Client(address, authkey=KEY) as connection:
                connection.send(1)
                self.assertEqual(connection.recv(), 1)
            self.assertLess(time.monotonic() - begun, 5)
            for one in silent:
                one.close()

    @unittest.skipIf(IS_WINDOWS, "descriptors go over local sockets")
    def test_handles_go_both_ways(self):
        with Brood("listen", "", KEY.decode(), "1") as brood:
            with mpc.Client(python_address(brood.line()), authkey=KEY) as connection:
                connection.send("handle")
                with open(reduction.recv_handle(connection), "rb") as file:
                    self.assertEqual(file.read(), b"through the handle")
                reading, writing = os.pipe()
                os.write(writing, b"from Python")
                os.close(writing)
                connection.send("take handle")
                reduction.send_handle(connection, reading, brood.process.pid)
                os.close(reading)
                self.assertEqual(connection.recv_bytes(), b"from Python")
                connection.send("still well")
                self.assertEqual(connection.recv(), "still well")


class PythonListens(unittest.TestCase):
    def families(self):
        yield ("127.0.0.1", 0)
        if not IS_WINDOWS:
            yield "\0brood-test-%d" % os.getpid()
            with tempfile.TemporaryDirectory() as directory:
                yield os.path.join(directory, "socket")

    def test_values_to_both_pythons(self):
        for version in ("3.11", "3.12"):
            for address in self.families():
                with self.subTest(version=version, address=address), python(version):
                    with mpc.Listener(address, authkey=KEY) as listener:
                        with Brood("connect", brood_address(listener.address), KEY.decode()) as brood:
                            with listener.accept() as connection:
                                self.assertEqual(brood.line(), "connected")
                                for value in VALUES:
                                    connection.send(value)
                                    self.assertEqual(connection.recv(), value)
                                connection.send("bytes")
                                self.assertEqual(len(connection.recv_bytes()), 3000000)
                            self.assertEqual(brood.finish(), (0, "ended\n"))

    def test_the_wrong_key_is_told_to_both(self):
        for version in ("3.11", "3.12"):
            with self.subTest(version=version), python(version):
                with mpc.Listener(("127.0.0.1", 0), authkey=KEY) as listener:
                    with Brood("connect", brood_address(listener.address), "another") as brood:
                        with self.assertRaises(AuthenticationError) as caught:
                            listener.accept()
                        self.assertEqual(str(caught.exception), "digest received was wrong")
                        line = brood.line()
                        self.assertTrue(line.startswith("connected EAUTH "), line)
                        self.assertIn("rejected our digest", line)

    @unittest.skipIf(IS_NEW, "this Python is not old")
    def test_an_old_listener_is_refused_where_md5_is(self):
        with mpc.Listener(("127.0.0.1", 0), authkey=KEY) as listener:
            with Brood("connect", brood_address(listener.address), KEY.decode(), "no-md5") as brood:
                with self.assertRaises(EOFError):
                    listener.accept()
                line = brood.line()
                self.assertTrue(line.startswith("connected EAUTH ") and "MD5" in line, line)

    @unittest.skipUnless(IS_NEW, "this Python is not new")
    def test_a_new_listener_is_met_without_md5(self):
        with mpc.Listener(("127.0.0.1", 0), authkey=KEY) as listener:
            with Brood("connect", brood_address(listener.address), KEY.decode(), "no-md5") as brood:
                with listener.accept() as connection:
                    self.assertEqual(brood.line(), "connected")
                    connection.send([1])
                    self.assertEqual(connection.recv(), [1])

    def test_a_digest_that_nobody_knows_is_refused(self):
        with python("3.12"), mpc.Listener(("127.0.0.1", 0), authkey=KEY) as listener:
            mpc.deliver_challenge = lambda connection, key: deliver_new(connection, key, "sha384")
            with Brood("connect", brood_address(listener.address), KEY.decode()) as brood:
                with self.assertRaises(EOFError):
                    listener.accept()
                self.assertIn("not known here", brood.line())

    def test_nobody_there(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            with Brood("connect", "127.0.0.1:%d" % probe.getsockname()[1], KEY.decode()) as brood:
                line = brood.line()
                self.assertTrue(line.startswith("connected ENOTFOUND could not connect to"), line)


if __name__ == "__main__":
    unittest.main()
