"""test_pickle.py - what Python pickles, brood reads; what brood then writes, Python reads: as an equal object.

    test_pickle.py DIRECTORY    where prog_pickle_echo is
"""
import collections
import datetime
import decimal
import os
import pickle
import random
import struct
import subprocess
import sys
import threading
import unittest

import make_pickle_corpus as corpus

PROGRAM = os.path.join(sys.argv.pop(1), "prog_pickle_echo")
PICKLERS = (pickle.dumps, pickle._dumps)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def blob(data):
    return struct.pack("<I", len(data)) + bytes(data)


class Echo:
    """The program at the other end. Answers are read in a thread, so that neither waits for the other."""

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read_blob(self):
        header = self.process.stdout.read(4)
        if len(header) != 4:
            raise EOFError("prog_pickle_echo has ended")
        size = struct.unpack("<I", header)[0]
        return self.process.stdout.read(size)

    def read_answer(self):
        text = self.read_blob().decode("utf-8", "surrogatepass")
        data = self.read_blob()
        return text, data, list(iter(self.read_blob, b""))

    def ask_all(self, requests):
        """requests: (pickle, buffers, protocol to answer in); gives (repr, pickle, buffers) of each."""
        def write():
            for data, buffers, protocol in requests:
                parts = [bytes([protocol]), blob(data), *map(blob, buffers), blob(b"")]
                self.process.stdin.write(b"".join(parts))
            self.process.stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        answers = [self.read_answer() for _ in requests]
        writer.join()
        return answers

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(20)


def same(a, b, seen=None):
    """Whether two objects are equal to the last bit, types and order included, and circles gone round once."""
    seen = set() if seen is None else seen
    if type(a) is not type(b):
        return False
    if (id(a), id(b)) in seen:
        return True
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, (type, type(len), type(same), type(None), int, str, bytes)):
        return a == b
    seen.add((id(a), id(b)))
    if isinstance(a, (set, frozenset)):
        return same_sets(a, b, seen)
    if isinstance(a, dict):
        parts = [(list(a), list(b)), (list(a.values()), list(b.values()))]
    elif isinstance(a, (list, tuple, collections.deque)):
        parts = [(x, y) for x, y in zip(a, b)] + [(len(a), len(b))]
    elif isinstance(a, BaseException):
        parts = [(a.args, b.args)]
    elif type(a).__module__ == "shop":
        parts = [(getattr(a, slot, 0), getattr(b, slot, 0)) for slot in getattr(type(a), "__slots__", ())]
    else:
        return a == b
    parts.append((getattr(a, "__dict__", None), getattr(b, "__dict__", None)))
    return all(same(x, y, seen) for x, y in parts)


def same_sets(a, b, seen):
    if len(a) != len(b):
        return False
    if a == b:
        return True
    # Objects of users' classes are compared by identity: match them by what they contain.
    left = sorted(a, key=lambda x: repr(getattr(x, "x", x)))
    right = sorted(b, key=lambda x: repr(getattr(x, "x", x)))
    return all(same(x, y, seen) for x, y in zip(left, right))


def random_value(source, depth=0):
    kinds = 14 if depth < 4 else 9
    kind = source.randrange(kinds)
    if kind == 0:
        return source.choice([None, True, False])
    if kind == 1:
        return source.randrange(-70000, 70000)
    if kind == 2:
        return source.getrandbits(source.randrange(1, 300)) * source.choice([1, -1])
    if kind == 3:
        return struct.unpack("d", struct.pack("Q", source.getrandbits(64)))[0]
    if kind in (4, 5):
        return "".join(map(chr, (source.choice([source.randrange(128), source.randrange(0x3000),
                                                source.randrange(0x110000)])
                                 for _ in range(source.randrange(12)))))
    if kind in (6, 7):
        return bytes(source.getrandbits(8) for _ in range(source.choice([0, 3, 300])))
    if kind == 8:
        return bytearray(source.getrandbits(8) for _ in range(source.choice([0, 3, 300])))
    items = [random_value(source, depth + 1) for _ in range(source.randrange(6))]
    if kind in (9, 10):
        return items
    if kind == 11:
        return tuple(items)
    keys = [source.choice([source.randrange(100), str(source.randrange(100)), (source.randrange(5), "k")])
            for _ in items]
    if kind == 12:
        return dict(zip(keys, items))
    return source.choice([set, frozenset])(keys)


class PickleTest(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()

    def tearDown(self):
        self.assertEqual(self.echo.close(), 0)

    def check(self, named_values):
        """Sends each value in every protocol by both picklers, has it back in 4 and 5."""
        rows = []
        for name, value in named_values:
            for protocol in PROTOCOLS:
                for pickler in PICKLERS:
                    try:
                        data = pickler(value, protocol)
                    except (pickle.PicklingError, TypeError, ValueError):
                        continue  # old protocols cannot pickle everything
                    expected = pickle.loads(data)
                    rows += [(name, expected, (data, [], 4)), (name, expected, (data, [], 5))]
        answers = self.echo.ask_all([request for _, _, request in rows])
        for (name, expected, (_, _, protocol)), (text, data, buffers) in zip(rows, answers):
            self.assertFalse(text.startswith("!"), (name, text))
            self.assertFalse(buffers and protocol == 4)
            for load in (pickle.loads, pickle._loads):
                back = load(data, buffers=[bytearray(b) for b in buffers])
                back = self.settle(back)
                self.assertTrue(same(expected, back), (name, expected, back))

    def settle(self, value):
        """An out-of-band buffer comes back as what carried it: make it what it stands for."""
        if isinstance(value, memoryview):
            self.assertTrue(value.readonly)
            return bytes(value)
        if type(value) in (list, tuple):
            return type(value)(map(self.settle, value))
        if type(value) is dict:
            return {k: self.settle(v) for k, v in value.items()}
        return value

    def test_values_of_the_corpus_come_back(self):
        self.check(corpus.VALUES.items())

    def test_random_values_come_back(self):
        source = random.Random(20)
        self.check((f"random {i}", random_value(source)) for i in range(300))

    def test_identity_and_circles_of_objects_are_kept(self):
        values = [corpus.make_tree(), corpus.make_graph(), corpus.make_slots(),
                  corpus.make_point(x=corpus.SHARED, y=corpus.SHARED)]
        requests = [(pickle.dumps(v, p), [], 4) for p in PROTOCOLS[2:] for v in values]
        answers = self.echo.ask_all(requests)
        for i in range(0, len(answers), len(values)):
            tree, graph, slots, point = (pickle.loads(data) for _, data, _ in answers[i:i + len(values)])
            self.assertTrue(all(child.parent is tree for child in tree.y))
            self.assertTrue(all(node.y == graph.y for node in graph.y) and graph in graph.y)
            self.assertIs(slots.b[0], slots)
            self.assertIs(point.x, point.y)

    def test_what_is_shared_between_values_is_copied(self):
        data = pickle.dumps([corpus.SHARED, corpus.SHARED], 4)
        [(_, back, _)] = self.echo.ask_all([(data, [], 4)])
        first, second = pickle.loads(back)
        self.assertEqual(first, second)
        self.assertIsNot(first, second)

    def test_buffers_travel_out_of_band(self):
        buffers = []
        value = [pickle.PickleBuffer(bytearray(b"x" * 200)), pickle.PickleBuffer(b"y" * 300), b"z" * 50]
        data = pickle.dumps(value, 5, buffer_callback=buffers.append)
        self.assertEqual(len(buffers), 2)
        [(text, back, out)] = self.echo.ask_all([(data, [b.raw() for b in buffers], 5)])
        self.assertEqual(text, repr([bytearray(b"x" * 200), b"y" * 300, b"z" * 50]))
        self.assertEqual(out, [b"x" * 200, b"y" * 300])
        first, second, third = pickle.loads(back, buffers=[bytearray(out[0]), out[1]])
        self.assertEqual((first, bytes(second), third), (b"x" * 200, b"y" * 300, b"z" * 50))

    def test_circles_of_plain_values_are_refused(self):
        loop, knot = [], {}
        loop.append((loop,))
        knot["k"] = [knot]
        for value in (loop, knot, loop[0]):
            for protocol in PROTOCOLS:
                [(text, _, _)] = self.echo.ask_all([(pickle.dumps(value, protocol), [], 4)])
                self.assertIn("a container contains itself", text)

    def test_persistent_ids_are_refused(self):
        import io

        class Pickler(pickle.Pickler):
            def persistent_id(self, value):
                return "id" if value == "me" else None

        for protocol in PROTOCOLS:
            stream = io.BytesIO()
            Pickler(stream, protocol).dump(["me"])
            [(text, _, _)] = self.echo.ask_all([(stream.getvalue(), [], 4)])
            self.assertTrue(text.startswith("!ENOTSUP: "), text)

    def test_equal_objects_are_equal_keys(self):
        first = pickle.dumps({datetime.date(2020, 1, 1): "a", decimal.Decimal("1.5"): "b"}, 4)
        [(text, data, _)] = self.echo.ask_all([(first, [], 4)])
        self.assertEqual(text, "{<opaque datetime.date>: 'a', <opaque decimal.Decimal>: 'b'}")
        self.assertEqual(pickle.loads(data)[datetime.date(2020, 1, 1)], "a")

    def test_the_committed_corpus_is_what_the_script_writes(self):
        """Names and reprs only: the bytes depend on the version of Python."""
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "corpus", "pickles.bin")
        with open(path, "rb") as file:
            committed = file.read()
        names = {record[0] for record in corpus.records()}
        at = 0
        found = set()
        while at < len(committed):
            fields = []
            for _ in range(3):
                size = struct.unpack_from("<I", committed, at)[0]
                fields.append(committed[at + 4:at + 4 + size])
                at += 4 + size
            found.add(fields[0].decode())
        stems = {name.rsplit(" ", 1)[0] for name in names}
        self.assertEqual({name.rsplit(" ", 1)[0] for name in found}, stems)


if __name__ == "__main__":
    unittest.main()
