"""One message → one answer, over HTTP. Never raises for a row.

`requests` knows what people expect of proxies, CA bundles and client certificates, and finding all that out anew
for each call is most of what a call costs. So it is asked once, its pool makes the connections, and each call is then
one piece of bytes out and one answer in.

- `route`: where the calls go and how: what `requests` says about it, the calls' heads, and new connections.
- `environment`: which proxy and CA bundle the environment names, and whether they make sense.
- `reading`: the bytes of an HTTP/1.1 answer → status and body. Pure, and strict.
- `connection`: one connection, one call on it at a time.
- `judgement`: what came back, or what went wrong → an `Answer`. Pure.
- `http`: all of it as one object, which the engine's consumers share.
"""

from __future__ import annotations

from interakt_loader.transport.http import HttpTransport
from interakt_loader.transport.responses import (
    LONGEST_BODY,
    no_answer,
    not_connected,
    parse_retry_after,
    read_answer,
)
from interakt_loader.transport.route import read_environment

__all__ = [
    "LONGEST_BODY",
    "HttpTransport",
    "no_answer",
    "not_connected",
    "parse_retry_after",
    "read_answer",
    "read_environment",
]
