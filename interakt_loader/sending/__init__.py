"""From a message to its outcome: which call goes next, when, how often, and the threads that make it.

- `scheduler`: the order of all calls: one at a time for each ordering key, and one bound for all. Pure.
- `pending`: a message on its way, how it ends, and how several calls of a user become one. Pure.
- `retry_policy`: what is retried, when, and what leaves a call in doubt. Pure.
- `rate_limit`: when the next call may go. Pure.
- `workers`: the consumer threads around a schedule; the same schedule on the caller's thread.
- `shared_limit_client`: the thread that talks to a clock which several loads share.
- `work`: rows → the messages to send, and the rows that are settled without a call.
"""
