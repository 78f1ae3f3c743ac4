"""What a case of WSGI is: an app, a request, and what the client and the log must show of it.

The app is data too: it stands beside what is wanted, and the app that is served (wsgi_app.py) finds it by the number that the
request carries. Where the question is only what an app sees, an expression says it: e is the environ, i its wsgi.input.
"""

import dataclasses

from http_case import CLOSE, KEEP, Case, get

TEXT = [("Content-Type", "text/plain")]


@dataclasses.dataclass
class WsgiCase(Case):
    app: object = None
    alone: bool = True
    log: tuple = ()  # what the server must say to the log; without, it must hold no traceback
    says: tuple = ()  # what the app itself says there
    unsaid: tuple = ()  # what the log must not say
    valid: bool = True  # wsgiref.validate finds nothing in it, so it is asked through that too
    leaves: bool = False  # the client goes after the first bytes of the body


def numbered(case, number, validate=False):
    """The case with its number behind the request line."""
    line, rest = case.pieces[0].split(b"\r\n", 1)
    extra = b"\r\nX-Case: %d\r\n" % number + (b"X-Validate: 1\r\n" if validate else b"")
    return dataclasses.replace(case, pieces=[line + extra + rest, *case.pieces[1:]])


def looks(expression):
    def app(environ, start_response):
        names = {"e": environ, "i": environ["wsgi.input"], "raised": raised, "start_response": start_response}
        text = repr(eval(expression, names)).encode("latin-1", "backslashreplace")
        start_response("200 OK", TEXT)
        return [text]

    return app


def raised(call, *arguments):
    """The name of what it raises."""
    try:
        return "nothing: %r" % (call(*arguments),)
    except Exception as e:
        return type(e).__name__


def sees(name, section, expression, wanted, send=None, **more):
    """The app looks at something and finds it so."""
    body = repr(wanted).encode("latin-1", "backslashreplace")
    return WsgiCase(name, section, [send or get()], [200], KEEP, app=looks(expression), body=body, **more)


def answers(name, section, app, want=200, fate=KEEP, send=None, **more):
    """The client gets what the app gave."""
    return WsgiCase(name, section, [send or get()], want if isinstance(want, list) else [want], fate, app=app, **more)


def fails(name, section, app, words, want=500, send=None, **more):
    """A mistake of the app: a whole answer that says so, and the log says which."""
    return WsgiCase(name, section, [send or get()], [want], more.pop("fate", KEEP), app=app, valid=False,
                    log=tuple([words] if isinstance(words, str) else words), **more)


def breaks(name, section, app, words, send=None, **more):
    """A mistake after the first bytes: the client must see that the answer is not whole."""
    return WsgiCase(name, section, [send or get()], [], CLOSE, app=app, valid=False, cut=True, probe=False,
                    log=tuple([words] if isinstance(words, str) else words), **more)
