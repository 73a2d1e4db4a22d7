"""What people do to a load between two of its runs."""

from __future__ import annotations

import json
import os
import shutil
from itertools import cycle

from tests.torture.harness import Load
from tests.torture.inputs import Table


class People:
    """Does one thing after another, each to some load that was killed. What must be refused is seen to be refused."""

    def __init__(self, first: int = 0) -> None:
        """Begin with the act of this number."""
        acts = [
            self.renew_the_key,
            self.change_the_mapping,
            self.rename_the_file,
            self.put_back_a_copy_of_the_ledger,
            self.use_a_link_to_the_ledger,
            self.renew_the_key_without_the_state_folder,
        ]
        self._acts = cycle(acts[first:] + acts[:first])
        self._files = 0

    def act(self, load: Load) -> str:
        """Do the next thing to a load, and return what it is called."""
        act = next(self._acts)
        act(load)
        return act.__name__.replace("_", " ")

    def renew_the_key(self, load: Load) -> None:
        """The account gets another key: the load is refused, and continues with --same-account."""
        is_known = load.ledger.exists() and load.progress().known > 0
        if load.flags and not any(load.state.glob("ledgers/*")):
            return  # the last new key has not got as far as the ledger, and a second one would need two old ones
        load.sandbox.renew_key(f"{load.sandbox.api_key}+")
        load.flags = []
        if is_known:
            assert "--same-account" in load.refused()
        load.flags = ["--same-account"]

    def renew_the_key_without_the_state_folder(self, load: Load) -> None:
        """Likewise, on a machine that has no copy of the secret: it continues with the old key."""
        if load.flags:  # the last new key may not have got as far as the ledger: then the state folder is needed
            self.renew_the_key(load)
            return
        file = load.folder.with_suffix(".old-key")
        file.touch(mode=0o600)
        file.write_text(load.sandbox.api_key, encoding="utf-8")
        is_known = load.ledger.exists() and load.progress().known > 0
        self.renew_the_key(load)
        shutil.rmtree(load.state, ignore_errors=True)
        if is_known:
            assert "--old-api-key-file" in load.refused()
        load.flags = ["--same-account", "--old-api-key-file", str(file)]

    def change_the_mapping(self, load: Load) -> None:
        """Events lose a trait, or users their phone: the load is refused until the mapping is as it was."""
        before = load.table
        mapping = json.loads(before.mapping.read_text(encoding="utf-8"))
        changed = load.folder.with_suffix(".changed.json")
        field = "traits" if "event" in mapping else "phone"
        mapping[field] = mapping[field][1:] if field == "traits" else None
        changed.write_text(json.dumps({name: one for name, one in mapping.items() if one}), encoding="utf-8")
        if load.ledger.exists() and load.progress().known:
            load.table = before._replace(mapping=changed)
            assert "the mapping is not the one" in load.refused()
            load.table = before

    def rename_the_file(self, load: Load) -> None:
        """The same rows come in a file with another date in its name."""
        self._files += 1
        path = load.table.path
        new = path.with_name(f"rows-2026-{self._files // 28 % 12 + 1:02}-{self._files % 28 + 1:02}{path.suffix}")
        if not new.exists():
            os.link(path, new)
        load.table = Table(new, load.table.mapping)

    def put_back_a_copy_of_the_ledger(self, load: Load) -> None:
        """The ledger's files are copied, lost, and put back."""
        backup = load.folder.with_suffix(".backup")
        backup.mkdir()
        for file in load.folder.glob("own.ledger*"):
            shutil.copy2(file, backup)
            file.unlink()
        for file in backup.iterdir():
            shutil.copy2(file, load.folder)
        shutil.rmtree(backup)

    def use_a_link_to_the_ledger(self, load: Load) -> None:
        """The ledger is reached through a symbolic link in another folder from now on."""
        link = load.folder.with_suffix(".link")
        if not link.is_symlink():
            link.symlink_to(load.folder / "own.ledger")
        load.ledger = link
