"""A local copy of Interakt's track and read API, to try things out and to test against.

It follows the API's documents, and shares no code with the client. What the documents do not say is an option, marked
*assumed*. It listens on 127.0.0.1 only.

- `embedded`: runs the sandbox in a thread, in a process, or as a program.
- `server`: the connections, and the page and endpoints that show what was sent.
- `http`: bytes → a call, and a response → bytes.
- `api`: which response a call gets: key, limit, faults, rules.
- `contacts`: the rules for a call that reads the account, and a contact as JSON.
- `store`: the rules for a body, and the accepted records.
- `order`: contacts in the orders of their times, so that a page of a million is fast.
- `options`: every option, and the kinds of faults.
- `demo_data`: the made-up sample data.
- `assets`: the page's files.
"""

from __future__ import annotations

from interakt_loader.sandbox.api import Stats
from interakt_loader.sandbox.embedded import Sandbox, SandboxProcess, run_forever
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.store import EventRecord, UserRecord

__all__ = ["EventRecord", "Sandbox", "SandboxOptions", "SandboxProcess", "Stats", "UserRecord", "run_forever"]
