#!/usr/bin/env python3
"""Writes tests/data/corpus/pickles.bin: pickles by real Python, and how brood shows what it reads from them.

    PYTHONHASHSEED=0 python3 tests/interop/make_pickle_corpus.py > tests/data/corpus/pickles.bin

Every value in every protocol by both the C pickler and the pure Python one, equal bytes once. The file is a row of
records: name, repr and pickle, each with its size in front (little-endian, 4 bytes). A repr of "*" is that of the
record before. Names beginning with "large" are too long to be damaged byte by byte.
"""
import array
import collections
import datetime
import decimal
import fractions
import math
import pickle
import struct
import sys
import uuid

CLASSES = {}


class Point:
    """Stands for users' classes; pickled as module "shop"."""

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Slots:
    __slots__ = ("a", "b")


class Stack(list):
    pass


class Registry(dict):
    pass


class Reduced:
    def __reduce__(self):
        return (Point, (1, [2]), {"z": 3})


class NewArgs:
    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __getnewargs_ex__(self):
        return (1, 2), {"key": "word"}


class OldArgs:
    def __new__(cls, *args):
        return super().__new__(cls)

    def __getnewargs__(self):
        return (1, "two")


class SaleError(Exception):
    pass


class Boom(Exception):
    pass


for cls in (Point, Slots, Stack, Registry, Reduced, NewArgs, OldArgs, SaleError, Boom):
    cls.__module__ = "shop"
sys.modules["shop"] = sys.modules[__name__]


def class_name(value):
    """The module and name that the global in the pickle has."""
    kind = type(value)
    if kind is type or callable(value) and hasattr(value, "__qualname__"):
        return value.__module__, value.__qualname__
    if kind is Reduced:
        return "shop", "Point"
    if kind in (type(Ellipsis), type(NotImplemented)):
        return "builtins", repr(value)
    return kind.__module__, kind.__qualname__


def shown(value):
    """How brood shows the value: Python's repr, and opaques by their class."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes, bytearray):
        return repr(value)
    if kind is list:
        return "[" + ", ".join(map(shown, value)) + "]"
    if kind is tuple:
        return "(" + ", ".join(map(shown, value)) + (",)" if len(value) == 1 else ")")
    if kind is dict:
        return "{" + ", ".join(f"{shown(k)}: {shown(v)}" for k, v in value.items()) + "}"
    if kind is set:
        return "{" + ", ".join(map(shown, value)) + "}" if value else "set()"
    if kind is frozenset:
        return "frozenset({" + ", ".join(map(shown, value)) + "})" if value else "frozenset()"
    if isinstance(value, BaseException) and kind is not Boom:
        return kind.__name__ + "(" + ", ".join(map(shown, value.args)) + ")"
    return "<opaque {}.{}>".format(*class_name(value))


def make_point(**attributes):
    point = Point(1, 2)
    point.__dict__.update(attributes)
    return point


def make_tree():
    root = Point("root", [])
    for i in range(3):
        child = Point(i, [])
        child.parent = root
        root.y.append(child)
    return root


def make_graph():
    nodes = [Point(i, set()) for i in range(4)]
    for node in nodes:
        node.y.update(nodes)
    return nodes[0]


def make_slots():
    slots = Slots()
    slots.a = 1
    slots.b = [slots]
    return slots


def make_error():
    error = KeyError("key")
    error.code = [1, 2]
    return error


SHARED = [1, 2]
KEY = (1, ("two", frozenset([3])))
DAY = datetime.date(2020, 2, 29)

VALUES = {
    "none": None,
    "true": True,
    "false": False,
    "ints": [0, 1, -1, 127, 128, 255, 256, 65535, 65536, -128, -129, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1],
    "wide ints": [2**62, 2**63 - 1, -(2**63), 2**40, -(2**40)],
    "big ints": [2**63, -(2**63) - 1, 2**64, 10**40, -(10**40), 2**127, -(2**127), 2**128 - 1],
    "huge int": 2**2100 + 7,
    "floats": [0.0, -0.0, 1.5, -1e300, 5e-324, 2**-44, 0.1, 1e16, 1e15, 1e-5, math.pi],
    "special floats": [math.inf, -math.inf, math.nan],
    "str": ["", "abc", "it's", 'a"b', "na\u00efve", "\u20ac", "\U0001f600", "\0\n\r\t\\", "x" * 256],
    "surrogates": ["\ud800", "a\udfff", "\ud83d\ude00"],
    "escapes": ["\\u0041", "\\", "\\\\n", "\x1a\r\n", "\x85\xa0"],
    "bytes": [b"", b"abc", b"\x00\xff\n", b"y" * 256],
    "bytearray": [bytearray(), bytearray(b"abc\x80")],
    "list": [1, [2, [3, []]], []],
    "tuple": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),)),
    "dict": {"a": 1, 2: "b", None: [], (1, 2): {}, 1.5: {"x": {"y": "z"}}},
    "set": {1, 2, 3},
    "empty set": set(),
    "set of str": {"a", "b"},
    "frozenset": frozenset([1, 2, "x"]),
    "empty frozenset": frozenset(),
    "nested frozenset": {frozenset([1, frozenset()]), (1, 2)},
    "shared list": [SHARED, SHARED, {"k": SHARED}],
    "shared key": [KEY, {KEY: KEY}],
    "shared str": ["shared", "".join(["sha", "red"])] * 2,
    "shared bytes": [b"shared"] * 3,
    "errors": [ValueError("x", 3), KeyError(), StopIteration(), OSError("broken"), SaleError("sold out")],
    "error with attributes": make_error(),
    "unicode error": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    "nested error": ValueError(TypeError("inner", [1])),
    "error of no known name": Boom("bang", 1),
    "globals": [int, len, Point, SaleError, collections.OrderedDict],
    "point": make_point(),
    "point with shared state": make_point(x=SHARED, y=SHARED, z=(KEY, KEY)),
    "tree": make_tree(),
    "graph": make_graph(),
    "slots": make_slots(),
    "list subclass": Stack([1, 2]),
    "dict subclass": Registry(a=1, b=Stack()),
    "reduced": Reduced(),
    "new args": NewArgs(),
    "old args": OldArgs(),
    "opaques in containers": [make_point(), {"k": make_point()}, (make_point(), 1)],
    "opaque keys": {DAY: 1, decimal.Decimal("1.50"): DAY},
    "opaque set": {DAY},
    "opaque in frozenset": [frozenset([DAY]), frozenset([(DAY, 1)])],
    "library": [
        collections.OrderedDict(a=1, b=2), collections.deque([1, 2], 5), collections.Counter("aab"),
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6), datetime.timedelta(1, 2), decimal.Decimal("-1.5"),
        fractions.Fraction(1, 3), uuid.UUID(int=5), array.array("i", [1, 2]), 1 + 2j, range(1, 9, 2), slice(1, None),
        Ellipsis, NotImplemented,
    ],
    "large ints": [i * i for i in range(1100)],
    "large dict": {i: "" for i in range(1100)},
    "large set": set(range(1100)),
    "large bytes": [b"z" * 66000, 1],
}

# Those that are only large, in the protocols where that makes a difference.
FEW_PROTOCOLS = {"large bytes": [4], "large ints": [0, 2, 4], "large dict": [1, 4], "large set": [2, 4]}

# What today's picklers do not write: pickles of Python 2, and by hand.
BY_HAND = {
    "python 2 str": (b"S'it\\'s'\np1\n.", '"it\'s"'),
    "python 2 binary": (b"\x80\x02](U\x02abT\x02\x00\x00\x00cd\x8a\x01\x05e.", "['ab', 'cd', 5]"),
    "python 2 bool": (b"(I01\nI00\nI1\nL-5L\nF1e10\nt.", "(True, False, 1, -5, 10000000000.0)"),
    "python 2 instance": (b"(i__main__\nThing\np0\n(dp1\nS'a'\np2\nI1\nsb.", "<opaque __main__.Thing>"),
    "python 2 binary instance": (b"(c__main__\nThing\nq\x00oq\x01}q\x02U\x01aK\x01sb.", "<opaque __main__.Thing>"),
    "python 2 new-style": (b"ccopy_reg\n_reconstructor\np0\n(c__main__\nThing\np1\nc__builtin__\nobject\np2\nNtp3\nRp4\n.",
                           "<opaque __main__.Thing>"),
    "python 2 set": (b"c__builtin__\nset\np0\n((lp1\nI1\naI2\natp2\nRp3\n.", "{1, 2}"),
    "python 2 exception": (b"cexceptions\nIOError\np0\n(I2\nS'No'\ntp1\nRp2\n.", "OSError(2, 'No')"),
    "long memo": (b"](K\x01r\x07\x00\x00\x00j\x07\x00\x00\x00h\x07g7\ne.", "[1, 1, 1, 1]"),
    "pops": (b"K\x01K\x02(K\x03K\x041K\x05002\x86.", "(1, 1)"),
    "wide sizes": (b"\x80\x04\x8d\x01\0\0\0\0\0\0\0a\x8e\x01\0\0\0\0\0\0\0bX\x01\0\0\0cB\x01\0\0\0d\x8b\x01\0\0\0\x05"
                   b"\x96\x01\0\0\0\0\0\0\0e(t.", "()"),
}
BY_HAND["wide sizes"] = (BY_HAND["wide sizes"][0][:2] + b"(" + BY_HAND["wide sizes"][0][2:-3] + b"t.",
                         "('a', b'b', 'c', b'd', 5, bytearray(b'e'))")


def records():
    seen = set()
    for name, value in VALUES.items():
        text = shown(value)
        for protocol in FEW_PROTOCOLS.get(name, range(pickle.HIGHEST_PROTOCOL + 1)):
            for pickler in (pickle.dumps, pickle._dumps):
                try:
                    data = pickler(value, protocol)
                except Exception as error:  # protocols 0 and 1 refuse __slots__ and keyword arguments
                    assert name in ("slots", "new args") and protocol < 2, (name, protocol, error)
                    continue
                if data not in seen:
                    seen.add(data)
                    # Protocols 2 and 3 have no NEWOBJ_EX.
                    partial = name == "new args" and protocol in (2, 3)
                    yield f"{name} {protocol}", "<opaque functools.partial>" if partial else text, data
                    text = "*" if name != "new args" else text
    for name, (data, text) in BY_HAND.items():
        yield name, text, data


def main():
    for fields in records():
        for field in fields:
            data = field if isinstance(field, bytes) else field.encode("utf-8")
            sys.stdout.buffer.write(struct.pack("<I", len(data)) + data)


if __name__ == "__main__":
    if sys.flags.hash_randomization:
        sys.exit("the order of sets would change: set PYTHONHASHSEED=0")
    main()
