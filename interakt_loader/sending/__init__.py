"""From a message to its answer: which call goes next, when, how often, and the threads that make it.

Decisions are pure and take the time as an argument; `engine` and `keeper` are the only ones that wait.

- `schedule`: the order of all calls: a lane for each user, one bound over all.
- `ticket`: a message on its way, and how it ends. `Stop`: why a load ended early.
- `retry`: one answer → done, again, or given up.
- `ratelimit`: when the next call is due. `outage`: whether anything can be reached.
- `coalesce`: two waiting rows of one user → one. `concurrency`: how many threads are of use.
- `engine`: consumer threads around a schedule. `inline`: the same schedule on the caller's thread.
- `keeper`: the thread that talks to a clock which several loads share.
"""

from __future__ import annotations
