"""One message → one answer, over HTTP/1.1. Never raises because of a row.

`requests` knows the usual rules for proxies, CA bundles and client certificates, but applying them to each call is most
of what a call costs. So they are applied once, and each call is then one write and one read on an open connection.

- `http`: the transport that all consumers share, and its connections.
- `route`: the way to the API: the head of the calls, new connections.
- `pool`: the way that `requests` finds, with proxy, CA bundle and TLS. Imported only for calls that may need them.
- `responses`: bytes → response → `Answer`. Pure.
"""

from __future__ import annotations

from interakt_loader.transport.http import HttpTransport
from interakt_loader.transport.responses import LONGEST_BODY, no_answer, not_connected, read_answer
from interakt_loader.transport.route import check_environment

__all__ = ["LONGEST_BODY", "HttpTransport", "check_environment", "no_answer", "not_connected", "read_answer"]
