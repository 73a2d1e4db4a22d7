"""Where fuzzing begins: answers and mappings that are nearly right."""

from __future__ import annotations

import itertools

from tests.hostile.server import ANSWERS
from tests.hostile.test_mapping_files import BAD

TOKENS_OF_ANSWERS = [
    b"HTTP/1.1 ", b"HTTP/1.0 ", b"100 ", b"202 ", b"400 ", b"204 ", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b":", b";",
    b"Content-Length: ", b"Transfer-Encoding: chunked\r\n\r\n", b"Connection: close\r\n", b"Retry-After: ", b"0\r\n\r\n",
    b"5\r\n", b"ffffffff\r\n", b"10", b'{"result": true}', b'{"result": false, "message": "', b'"}', b"[", b"\xff", b" ",
]  # fmt: skip

TOKENS_OF_MAPPINGS = [
    b"user_id", b"phone", b"traits", b"event", b"column", b"value", b"name", b"type", b"datetime", b": ", b"\n", b"- ", b"{",
    b"}", b"[", b"]", b"&a ", b"*a", b"<<: ", b"!!python/object:", b"!!binary ", b"!!set ", b"? ", b"|", b">", b'"', b"'",
    b", ", b"=", b".", b".nan", b"0x", b"1:30", b"1e999", b"2026-01-01", b"\\u0000", b"\\", b"#", b"%YAML 1.1\n", b"---", b"\t",
    b"null", b"true", b"*", b"\xff", b"\0", "\u202e".encode(), b"\x1b", b"99999999999999999999", b"[[a]]\n",
]  # fmt: skip

ANSWER_SEEDS = [b"".join(itertools.islice(one.pieces(), 30))[:3_000] for one in ANSWERS.values()]

MAPPING_SEEDS = [
    *((ending, content) for ending, content, _ in BAD.values() if len(content) < 1_000),
    ("yaml", b"user_id: id\nphone: [a, b]\ntraits:\n  - {column: c, type: datetime, format: '%d'}\n  - d\n"),
    ("yaml", b"a: &a {column: x, type: list, separator: ','}\nuser_id: *a\ntraits: {b: {<<: *a}}\n"),
    ("toml", b"user_id = 'id'\nevent = {value = 'x'}\n[traits]\na = {column = 'b', type = 'number', decimal = ','}\n"),
    ("json", b'{"user_id": "id", "traits": ["*", {"column": "a", "name": "b", "timezone": "Asia/Kolkata"}]}'),
]
