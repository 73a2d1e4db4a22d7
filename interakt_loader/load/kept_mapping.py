"""`NAME.mapping.yaml`: the file of a load's mapping, which was proposed, and which a person confirms."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from interakt_loader.errors import SettingsError
from interakt_loader.mapping import InferredMapping, MappingFile, read_mapping_file

_FALSE = re.compile(r"""^(["']?confirmed["']?[ \t]*:[ \t]*)(?:false|no|off)\b""", re.IGNORECASE | re.MULTILINE)


class KeptMapping:
    """The mapping file of one load. `found` is its content, None if there is no file."""

    def __init__(self, path: Path, instead: str) -> None:
        """Read it. `instead` is what to do where it cannot be written. Raises `MappingError` if it is no mapping."""
        self.path = path
        self._instead = instead
        self.found: MappingFile | None = read_mapping_file(self.path) if self._exists() else None

    def _exists(self) -> bool:
        return os.path.lexists(self.path)

    def write(self, proposal: InferredMapping, *, confirmed: bool) -> None:
        """Write a proposal. A file that exists by now is not overwritten. Raises `SettingsError`."""
        self._put(proposal.to_yaml(confirmed=confirmed))

    def confirm(self) -> None:
        """Set `confirmed: true` in the file and change nothing else. Raises `SettingsError`."""
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise self._unwritable(str(error)) from None
        changed, count = _FALSE.subn(r"\1true", text)
        if count != 1:
            raise self._unwritable("its line `confirmed` is written in an unusual way: set it to true by hand")
        self._put(changed, over=True)

    def _put(self, text: str, *, over: bool = False) -> None:
        """Replace the file in one step, so that nobody reads half of it."""
        if not over and self._exists():
            raise self._unwritable("it was created in the meantime; run the command again")
        try:
            path = self.path.resolve()
            handle, name = tempfile.mkstemp(prefix=".mapping-", suffix=".part", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(text.encode("utf-8"))
                if over:
                    shutil.copymode(path, name)
                Path(name).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from None

    def _unwritable(self, why: str) -> SettingsError:
        return SettingsError(f"nothing was sent: {self.path} cannot be written ({why}). {self._instead}")
