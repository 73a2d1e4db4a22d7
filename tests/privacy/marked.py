"""A key that cannot be missed, in all the forms in which it could be written somewhere, and what looks for it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

PLAIN = "m4rk3d/k3y+0f?th3>t3sts~"
"""As the vendor's SDK wants it: URLs, JSON and base64 each write it in another way."""

SECRET_KEY = base64.b64encode(f"{PLAIN}:".encode()).decode()
"""As the dashboard shows it."""

FORMS = {
    "as given": PLAIN,
    "as it travels": SECRET_KEY.rstrip("="),
    "with its colon": f"{PLAIN}:",
    "base64 of it without its colon": base64.b64encode(PLAIN.encode()).decode().rstrip("="),
    "encoded twice": base64.b64encode(SECRET_KEY.encode()).decode().rstrip("="),
    "in an address": quote(PLAIN, safe=""),
    "in a path": quote(PLAIN),
    "in an address, as it travels": quote(SECRET_KEY, safe=""),
    "in JSON": json.dumps(PLAIN).strip('"').replace("/", "\\/"),
    "base64url": base64.urlsafe_b64encode(f"{PLAIN}:".encode()).decode().rstrip("="),
    "its beginning": PLAIN[:8],
    "the beginning of it as it travels": SECRET_KEY[:12],
}


def forms_in(written: bytes | str) -> list[str]:
    """Return the names of the forms in which the key is there."""
    data = written if isinstance(written, bytes) else written.encode("utf-8", "surrogateescape")
    return [name for name, form in FORMS.items() if form.encode() in data or form.encode("utf-16-le") in data]


def files_with_the_key(folder: Path) -> dict[str, list[str]]:
    """Return the files below a folder that hold it, with the forms."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (forms := forms_in(path.read_bytes()) + forms_in(path.name)):
            found[str(path.relative_to(folder))] = forms
    return found


def family(pid: int) -> list[int]:
    """Return a process and all that come from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    members = [pid]
    for one in members:
        members += [child for child, parent in parents.items() if parent == one]
    return members


def said_of(pids: Iterable[int], what: str) -> bytes:
    """Return what the system shows of processes: `cmdline`, which everybody can read, or `environ`."""
    said = b""
    for pid in pids:
        try:
            said += Path(f"/proc/{pid}/{what}").read_bytes()
        except OSError:
            continue
    return said


def without_the_key() -> dict[str, str]:
    """Return this process' environment without any key, with the place of the package in it, and no state folder."""
    here = str(Path(__file__).resolve().parents[2])
    kept = {name: one for name, one in os.environ.items() if not name.startswith("INTERAKT_")}
    return kept | {"PYTHONPATH": here, "INTERAKT_STATE_DIR": "none"}
