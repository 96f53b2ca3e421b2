//! What requests are put together from: words as they should be, and odd ones. A character stands for its byte.

pub(super) type Words = &'static [&'static str];

pub(super) const METHODS: Words = &[
    "GET",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "CONNECT",
    "get",
    "A-0!#$%&'*+.^_`|~z",
];
pub(super) const ODD_METHODS: Words = &["", "G T", "GE\tT", "G(T", "\"GET\"", "G\u{e9}T"];

pub(super) const TARGETS: Words = &[
    "/",
    "//",
    "/a/b.c",
    "/a?b",
    "/a?b=c&d=/e?f",
    "/?",
    "/%41%2f%00",
    "/~a!$&'()*+,;=:@-._",
    "/a;b=c/../.",
    "/?[]='",
    "http://a",
    "http://a/",
    "HTTP://A:80/b?c",
    "http://[::1]:8080/a",
    "http://a?b",
    "http://a-b.c:/d",
];
pub(super) const ODD_TARGETS: Words = &[
    "",
    "*",
    "a",
    "a:80",
    "/a b",
    "/a#b",
    "/a\"b",
    "/a{b}",
    "/%",
    "/%4",
    "/%zz",
    "/a\\b",
    "/a|b",
    "/\u{e9}",
    "https://a/",
    "http://",
    "http://u@a/",
    "http://a:b/",
    "http://[::1/",
    "ftp://a/",
    "/a\tb",
    "/a^b`c",
    "/<a>",
];
pub(super) const OPTIONS_TARGETS: Words = &["*", "*", "/", "http://a", "http://a/", "http://a?"];
pub(super) const CONNECT_TARGETS: Words = &["a:443", "[::1]:443", "1.2.3.4:80", "a-b.c:1"];
pub(super) const ODD_CONNECT_TARGETS: Words = &[
    "a",
    "/",
    "a:",
    ":80",
    "a:b",
    "http://a:80/",
    "*",
    "a:80/",
    "u@a:80",
];

pub(super) const ODD_VERSIONS: Words = &[
    "HTTP/1.2",
    "HTTP/1.9",
    "HTTP/2.0",
    "HTTP/0.9",
    "HTTP/1",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/01.1",
    "",
];

pub(super) const HOSTS: Words = &["a", "a:80", "", "[::1]", "a.b-c:8080", "1.2.3.4", "A%20b"];
pub(super) const ODD_HOSTS: Words = &[
    "a b", "a/b", "u@a", "a:x", "a,b", "[::1", "a:123456", "\u{e9}",
];

pub(super) const FIELDS: Words = &[
    "Accept: */*",
    "X-A:b",
    "X-A: \t c \t",
    "X-A:",
    "A!#$%&'*+-.^_`|~9: d",
    "x-a: \u{e9}\u{ff}",
    "User-Agent: a (b; c) \"d\"",
    "TE: trailers",
    "Trailer: X-Sum",
    "Cookie: a=b; c=d",
    "Upgrade: h2c",
    "Keep-Alive: timeout=5",
    "X-A: b, c,,d",
];
pub(super) const ODD_FIELDS: Words = &[
    "X-A : b",
    " X-A: b",
    "X-A",
    ": b",
    "X A: b",
    "X-A: b\0c",
    "X-A: b\rc",
    "X-A: b\u{7f}",
    "X(A): b",
    "X-A: b\r\n c",
    "X\u{e9}: b",
    "X-A: \u{1}",
];

pub(super) const CONNECTIONS: Words = &[
    "close",
    "Close",
    "keep-alive",
    "Keep-Alive",
    "x, close",
    "close, keep-alive",
    "upgrade",
    "",
    ", close ,",
    "TE",
];

pub(super) const ODD_CONNECTIONS: Words = &[
    "close, \u{e9}",
    "keep-alive, \u{e9}",
    "close;",
    "keep-alive=1",
];

pub(super) const ODD_LENGTHS: Words = &[
    "+5",
    "-1",
    "5 5",
    "5,6",
    "5, 5",
    "0x5",
    "",
    "5.0",
    "99999999999999999999",
    "18446744073709551616",
    "00000000000000000005",
    "\u{665}",
];
pub(super) const ODD_CODINGS: Words = &[
    "gzip, chunked",
    "chunked, chunked",
    "chunked, gzip",
    "gzip",
    "identity",
    "",
    "xchunked",
    "chunked,",
    ", chunked ,",
    "chunked;a=b",
    "\"chunked\"",
];

pub(super) const EXPECTS: Words = &["100-continue", "100-Continue"];
pub(super) const ODD_EXPECTS: Words = &[
    "200-ok",
    "",
    "100-continue, x",
    "100-continue, 100-continue",
    "100-continue,",
];

pub(super) const EXTENSIONS: Words = &[
    "",
    "",
    ";a",
    ";a=b",
    " ; a = b",
    ";a=\"b;c\\\"d\"",
    ";a;b=c\t;\td",
];
pub(super) const ODD_EXTENSIONS: Words = &[
    " ",
    ";",
    ";=b",
    ";a=",
    ";a=\"b",
    ";a b",
    ";a=b\nc",
    ";(",
    " x",
    "x",
    ";a=\u{e9}",
];
pub(super) const ODD_SIZES: Words = &[
    "",
    "+5",
    "-5",
    "0x5",
    " 5",
    "5_",
    "g",
    "10000000000000005",
    "00000000000000005",
];

pub(super) const TRAILERS: Words = &[
    "X-Sum: 1",
    "X-Sum:",
    "Digest: \u{e9}",
    "Content-Length: 9",
    "Host: b",
    "Authorization: c",
    "Transfer-Encoding: d",
];
pub(super) const ODD_TRAILERS: Words = &[
    "X",
    "X : 1",
    " X: 1",
    ": 1",
    "X: \0",
    "X: a\rb",
    "X: a\nY: b",
];

pub(super) const LINE_END: Words = &["\r\n"];
pub(super) const ODD_LINE_ENDS: Words = &["\n", "\r", "\r\r\n", "\n\r\n", " \r\n"];
pub(super) const SPACE: Words = &[" "];
pub(super) const ODD_SPACES: Words = &["  ", "\t", ""];
