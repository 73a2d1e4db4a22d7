"""What is behind `track`: a client that takes calls one at a time, from any thread, and sends them in the background.

- `client`: the client.
- `arguments`: the arguments of a call → its JSON body. Pure.
- `lifetime`: the end of the process, and forks.
"""
