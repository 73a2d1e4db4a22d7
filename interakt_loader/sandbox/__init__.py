"""A local look-alike of Interakt's track API, to try things out on and to test against.

It judges by the API's documents, and shares no code with the client. What the documents do not say is an option,
marked *assumed*. It listens on 127.0.0.1 only.
"""

from __future__ import annotations

from interakt_loader.sandbox.api import Stats
from interakt_loader.sandbox.embedded import Sandbox, SandboxProcess, run_forever
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.store import EventRecord, UserRecord

__all__ = ["EventRecord", "Sandbox", "SandboxOptions", "SandboxProcess", "Stats", "UserRecord", "run_forever"]
