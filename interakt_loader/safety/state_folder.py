"""The user's state folder: what the loads of one user on one machine share."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_state_path

from interakt_loader.safety.private_files import OWNER_ONLY

VARIABLE = "INTERAKT_STATE_DIR"
"""Names another folder; `none` means to do without one."""


def state_folder() -> Path | None:
    """Return the user's state folder, made if it is not there, for its owner only (mode 0700).

    None where it cannot be made or written, or where `INTERAKT_STATE_DIR` is `none`. It is `interakt-loader` in the
    place that the system has for such files: on Linux `~/.local/state`, or `XDG_STATE_HOME`.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if given.lower() == "none":
        return None
    try:
        folder = Path(given).expanduser() if given else user_state_path("interakt-loader", appauthor=False)
        folder.mkdir(mode=OWNER_ONLY | 0o100, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be written
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None
