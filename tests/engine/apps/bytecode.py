"""How modules are loaded here: each path is a case, its answer what came of it (test_bytecode.c has what must come)."""

import importlib.util
import marshal
import os
import py_compile
import shutil
import sys
import tempfile
from importlib.machinery import SourceFileLoader

opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(args[0]))


class Module:
    """A source that says "source" beside a .pyc that says "cached", whose header fits."""

    def __init__(self, **options):
        self.folder = tempfile.mkdtemp()
        self.source = os.path.join(self.folder, "mod.py")
        with open(self.source, "w") as f:
            f.write("said = 'source'\n")
        os.utime(self.source, (1700000000, 1700000000))
        self.cached = py_compile.compile(self.source, doraise=True, **options)
        self.header = self.bytes()[:16]
        self.write(self.header + marshal.dumps(compile("said = 'cached'\n", self.source, "exec")))

    def bytes(self):
        with open(self.cached, "rb") as f:
            return f.read()

    def write(self, data):
        with open(self.cached, "wb") as f:
            f.write(data)

    def load(self, loader=SourceFileLoader, name="mod"):
        spec = importlib.util.spec_from_file_location("mod", self.source, loader=loader(name, self.source))
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except (EOFError, ImportError, ValueError, TypeError) as e:
            return type(e).__name__
        return module.said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


def fits(m):
    return m.load()


def another_second(m):
    os.utime(m.source, (1700000001, 1700000001))
    return m.load()


def nearly_another_second(m):
    """Python takes the time through a float, which rounds this up."""
    os.utime(m.source, ns=(0, 1699999999999999999))
    return m.load() + " %d" % os.stat(m.source).st_mtime


def another_size(m):
    with open(m.source, "a") as f:
        f.write("# more\n")
    os.utime(m.source, (1700000000, 1700000000))
    return m.load()


def another_python(m):
    m.write(b"\x01\x02\r\n" + m.bytes()[4:])
    return m.load()


def unknown_flags(m):
    m.write(m.bytes()[:4] + b"\x08\0\0\0" + m.bytes()[8:])
    return m.load()


def short_header(m):
    m.write(m.bytes()[:15])
    return m.load()


def cut(m):
    m.write(m.bytes()[:-5])
    return m.load()


def no_code(m):
    m.write(m.header + marshal.dumps([1]))
    return m.load()


def a_directory(m):
    os.unlink(m.cached)
    os.mkdir(m.cached)
    return m.load()


def none(m):
    os.unlink(m.cached)
    return m.load()


def no_source(m):
    os.unlink(m.source)
    try:
        return m.load()
    except FileNotFoundError:
        return "FileNotFoundError"


def elsewhere(m):
    m.write(m.header + marshal.dumps(compile("def f(): pass\nsaid = f.__code__.co_filename", "/was/here.py", "exec")))
    return "here" if m.load() == m.source else m.load()


def other_name(m):
    return m.load(name="other")


def audited(m):
    del opened[:]
    return m.load() + " %d" % opened.count(m.cached)


def derived(m):
    class Loader(SourceFileLoader):
        def get_data(self, path):
            return super().get_data(path).replace(b"cached", b"edited")

    return m.load(Loader)


def patched(m):
    original = SourceFileLoader.get_data
    SourceFileLoader.get_data = lambda self, path: original(self, path).replace(b"cached", b"edited")
    try:
        return m.load()
    finally:
        del SourceFileLoader.get_data


def prefix(m):
    sys.pycache_prefix = m.folder + "/elsewhere"
    try:
        return m.load()
    finally:
        sys.pycache_prefix = None


def in_c(m):
    return type(SourceFileLoader.get_code).__name__


def by_name(m):
    """importlib's own takes its argument so too; anything else is the same TypeError."""
    loader = SourceFileLoader("mod", m.source)
    said = []
    for arguments, named in (("mod",), {}), ((), {"fullname": "mod"}), ((), {"name": "mod"}), ((), {}), (("a", "b"), {}):
        try:
            said.append(loader.get_code(*arguments, **named).co_consts[0])
        except TypeError:
            said.append("TypeError")
    return " ".join(said)


def by_hash(_):
    with Module(invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH) as m:
        return m.load()


def application(environ, start_response):
    with Module() as m:
        text = globals()[environ["PATH_INFO"][1:]](m).encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
