"""The environ: PEP 3333 "environ Variables", the CGI variables of RFC 3875 4.1, and strings of bytes ("Unicode Issues")."""

from http_case import CLOSE, get, post
from wsgi_case import WsgiCase, looks, sees

CGI = "RFC 3875 4.1."
ENVIRON = "PEP 3333 environ Variables"
UNICODE = "PEP 3333 Unicode Issues"


def field(text):
    return get(text.encode("latin-1"))


def chunks(body):
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in body)
    return post(b"Transfer-Encoding: chunked\r\n", pieces + b"0\r\n\r\n")


def path(text, wanted, name=None, see="e['PATH_INFO']", section=CGI + "5"):
    return sees(name or "%s of %s" % (see, text.decode("latin-1")), section, see, wanted, get(target=text))


CASES = [
    # the dictionary itself
    sees("a real dict", ENVIRON, "type(e) is dict", True),
    sees("one that the app may change", ENVIRON, "e.update(x=1) or e['x']", 1),
    sees("a new one for each request", ENVIRON, "'x' in e or e.setdefault('x')", None),
    sees("all its names are str", ENVIRON, "[k for k in e if type(k) is not str]", []),
    sees("all CGI values are str", ENVIRON, "[k for k in e if '.' not in k and type(e[k]) is not str]", []),
    sees("all CGI values are bytes in str's clothes", UNICODE, "[k for k in e if '.' not in k and max(e[k], default=' ') > '\\xff']", []),
    sees("a new one even if it was emptied", ENVIRON, "e.clear() or len(e)", 0),
    sees("and the next has everything again", ENVIRON, "e['REQUEST_METHOD'], 'wsgi.input' in e", ("GET", True)),
    sees("it can be copied", ENVIRON, "dict(e) == e", True),
    # wsgi.*
    sees("wsgi.version", ENVIRON, "e['wsgi.version']", (1, 0)),
    sees("wsgi.url_scheme", ENVIRON, "e['wsgi.url_scheme']", "http"),
    sees("wsgi.multithread is false with one thread", ENVIRON, "e['wsgi.multithread']", False, house=True),
    sees("wsgi.multiprocess is true with two processes", ENVIRON, "e['wsgi.multiprocess']", True, house=True),
    sees("wsgi.run_once", ENVIRON, "e['wsgi.run_once']", False),
    sees("wsgi.input_terminated", "wsgi.input_terminated", "e['wsgi.input_terminated']", True),
    sees("wsgi.file_wrapper can be called", "PEP 3333 Optional Platform-Specific File Handling", "callable(e['wsgi.file_wrapper'])", True),
    sees("wsgi.errors is a text stream", "PEP 3333 Input and Error Streams",
         "e['wsgi.errors'].write(''), e['wsgi.errors'].flush(), e['wsgi.errors'].writelines([])", (0, None, None), valid=False),
    sees("wsgi.errors ends in the log", "PEP 3333 Input and Error Streams", "e['wsgi.errors'].write('said to errors\\n') and None", None,
         says=("said to errors",)),
    sees("wsgi.errors takes what no encoding has", "PEP 3333 Input and Error Streams", "e['wsgi.errors'].write('\\udc80 lone\\n') and None",
         None, says=("lone",)),
    sees("wsgi.errors.writelines", "PEP 3333 Input and Error Streams", "e['wsgi.errors'].writelines(['of two', ' pieces\\n'])", None,
         says=("of two pieces",)),
    # CGI variables
    sees("all that must be there", CGI, "[k for k in ('GATEWAY_INTERFACE', 'PATH_INFO', 'QUERY_STRING', 'REMOTE_ADDR', 'REQUEST_METHOD',"
         " 'SCRIPT_NAME', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_PROTOCOL', 'SERVER_SOFTWARE') if k not in e]", []),
    sees("GATEWAY_INTERFACE", CGI + "4", "e['GATEWAY_INTERFACE']", "CGI/1.1"),
    sees("SERVER_SOFTWARE names a product", CGI + "17", "e['SERVER_SOFTWARE'].split('/')[0]", "emperor"),
    sees("REMOTE_ADDR", CGI + "8", "e['REMOTE_ADDR']", "127.0.0.1"),
    sees("REMOTE_PORT is a number", "Apache, nginx", "0 < int(e['REMOTE_PORT']) < 65536", True),
    sees("SERVER_PROTOCOL 1.1", CGI + "16", "e['SERVER_PROTOCOL']", "HTTP/1.1"),
    sees("SERVER_NAME is the Host's", CGI + "14", "e['SERVER_NAME'], e['SERVER_PORT']", ("shop.example", "8080"),
         get(host=b"Host: shop.example:8080\r\n")),
    sees("SERVER_PORT of a Host without one", CGI + "15", "e['SERVER_PORT']", "80", get(host=b"Host: shop.example\r\n")),
    sees("SERVER_NAME of an IPv6 address", CGI + "14", "e['SERVER_NAME'], e['SERVER_PORT']", ("[::1]", "81"), get(host=b"Host: [::1]:81\r\n")),
    WsgiCase("neither is empty without a Host", ENVIRON, [get(host=b"", version=b"HTTP/1.0")], [200], CLOSE,
             app=looks("bool(e['SERVER_NAME']), e['SERVER_PORT'].isdigit(), e['SERVER_PROTOCOL']"), body=b"(True, True, 'HTTP/1.0')", probe=False),
    sees("REQUEST_METHOD of one that nobody knows", CGI + "12", "e['REQUEST_METHOD']", "FROBNICATE", get(method=b"FROBNICATE"), valid=False),
    sees("methods are case-sensitive", CGI + "12", "e['REQUEST_METHOD']", "get", get(method=b"get"), valid=False),
    sees("CONTENT_TYPE", CGI + "3", "e['CONTENT_TYPE']", "text/plain; charset=utf-8",
         post(b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n", b"x")),
    sees("no CONTENT_TYPE if none came", CGI + "3", "e.get('CONTENT_TYPE', '')", ""),
    sees("CONTENT_LENGTH", CGI + "2", "e['CONTENT_LENGTH']", "3", post(b"Content-Length: 3\r\n", b"abc")),
    sees("CONTENT_LENGTH without its zeros", CGI + "2", "e['CONTENT_LENGTH']", "3", post(b"Content-Length: 003\r\n", b"abc")),
    sees("CONTENT_LENGTH of chunks", "RFC 9112 7.1", "e['CONTENT_LENGTH']", "6", chunks([b"abc", b"def"])),
    sees("no CONTENT_LENGTH without a body", CGI + "2", "e.get('CONTENT_LENGTH', '')", ""),
    sees("neither is an HTTP_ variable too", CGI + "18", "[k for k in e if k in ('HTTP_CONTENT_LENGTH', 'HTTP_CONTENT_TYPE')]", [],
         post(b"Content-Length: 1\r\nContent-Type: a/b\r\n", b"x")),
    # fields
    sees("fields become HTTP_", CGI + "18", "e['HTTP_X_FOO_BAR']", "Baz", field("x-fOO-bar: Baz\r\n")),
    sees("Host", CGI + "18", "e['HTTP_HOST']", "a"),
    sees("an empty field is there", CGI + "18", "e['HTTP_X_EMPTY']", "", field("X-Empty:\r\n")),
    sees("blanks around a value are not its", "RFC 9110 5.5", "e['HTTP_X_A']", "b c", field("X-A: \t b c \t\r\n")),
    sees("repeated fields are a list", "RFC 9110 5.3", "e['HTTP_X_A']", "1, 2, 3", field("X-A: 1\r\nX-B: 9\r\nx-a: 2\r\nX-A: 3\r\n")),
    sees("repeated Accept", "RFC 9110 5.3", "e['HTTP_ACCEPT']", "text/html, */*;q=0.1", field("Accept: text/html\r\nAccept: */*;q=0.1\r\n")),
    sees("repeated Cookie", "RFC 9113 8.2.3", "e['HTTP_COOKIE']", "a=1; b=2; c=3", field("Cookie: a=1\r\nCookie: b=2; c=3\r\n")),
    sees("an empty one among them", "RFC 9110 5.3", "e['HTTP_X_A']", "1, , 3", field("X-A: 1\r\nX-A:\r\nX-A: 3\r\n")),
    sees("bytes above 127 in a field", UNICODE, "e['HTTP_X_A']", "caf\xc3\xa9 \xff", field("X-A: caf\xc3\xa9 \xff\r\n")),
    sees("and they are the bytes that came", UNICODE, "e['HTTP_X_A'].encode('latin-1')", b"\x80\xfe", field("X-A: \x80\xfe\r\n")),
    sees("an underscore is no dash", CGI + "18", "e.get('HTTP_X_USER')", None, field("X_User: admin\r\n")),
    sees("X_User does not come before X-User", CGI + "18", "e['HTTP_X_USER']", "me", field("X_User: admin\r\nX-User: me\r\n")),
    sees("Proxy is nobody's proxy", "CVE-2016-5385", "e.get('HTTP_PROXY')", None, field("Proxy: http://evil\r\n")),
    sees("Authorization is the app's", "RFC 3875 9.2", "e['HTTP_AUTHORIZATION']", "Basic eA==", field("Authorization: Basic eA==\r\n")),
    sees("Content_Length is no length", CGI + "18", "e['CONTENT_LENGTH']", "1", post(b"Content_Length: 9\r\nContent-Length: 1\r\n", b"x")),
    sees("digits and signs in a name", CGI + "18", "e[\"HTTP_X.1!Y\"]", "z", field("X.1!y: z\r\n")),
    sees("a long value", CGI + "18", "len(e['HTTP_X_A'])", 20000, field("X-A: " + "x" * 20000 + "\r\n")),
    sees("sixty fields", CGI + "18", "len([k for k in e if k.startswith('HTTP_X_N')])", 60,
         field("".join("X-N%d: %d\r\n" % (n, n) for n in range(60)))),
    # paths
    path(b"/a%20b", "/a b"),
    path(b"/a%2Fb", "/a/b"),
    path(b"/a%2fb", "/a%2fb", see="e['REQUEST_URI']", section="REQUEST_URI"),
    path(b"/%2F%2F", "///"),
    path(b"/%25", "/%"),
    path(b"/%2541", "/%41", name="nothing is decoded twice"),
    path(b"/caf%C3%A9", "/caf\xc3\xa9", section=UNICODE),
    path(b"/caf%C3%A9", "/caf\xe9", name="UTF-8 by the recipe", see="e['PATH_INFO'].encode('latin-1').decode('utf-8')", section=UNICODE),
    path(b"/%FF%80", "/\xff\x80", section=UNICODE),
    path(b"/%zz%4", "/%zz%4", name="an escape that is none stays"),
    path(b"/a+b", "/a+b", name="a plus is a plus"),
    path(b"/a;b=c", "/a;b=c", name="parameters are of the path"),
    path(b"//a//b/", "//a//b/", name="double slashes stay"),
    path(b"/", "/"),
    path(b"/x?a=%20&b=+", "a=%20&b=+", see="e['QUERY_STRING']", section=CGI + "7"),
    path(b"/x?", "", see="e['QUERY_STRING']", section=CGI + "7"),
    path(b"/x", "", see="e['QUERY_STRING']", section=CGI + "7"),
    path(b"/x??a?b", "?a?b", see="e['QUERY_STRING']", section=CGI + "7"),
    path(b"/a%2Fb%20?c=%2F", "/a%2Fb%20?c=%2F", see="e['REQUEST_URI']", section="REQUEST_URI"),
    path(b"/a%2Fb%20?c=%2F", "/a%2Fb%20?c=%2F", see="e['RAW_URI']", section="RAW_URI"),
    path(b"//a/./b%2e?", "//a/./b%2e?", see="e['RAW_URI']", section="RAW_URI"),
    path(b"/x/y", "", see="e['SCRIPT_NAME']", section=CGI + "13"),
    path(b"http://a/x%20?q", ("/x ", "q"), see="(e['PATH_INFO'], e['QUERY_STRING'])", section="RFC 9112 3.2.2"),
    sees("OPTIONS * has no path", "RFC 9112 3.2.4", "e['PATH_INFO'], e['REQUEST_URI']", ("", "*"), get(target=b"*", method=b"OPTIONS")),
    path(b"/x%20y", "http://a/x%20y", name="wsgiref.util.request_uri gives it back",
         see="__import__('wsgiref.util').util.request_uri(e)", section="PEP 3333 URL Reconstruction"),
    sees("emperor.request_id is the client's", "X-Request-ID", "e['emperor.request_id']", "abc-1", field("X-Request-ID: abc-1\r\n"),
         house=True),
]
