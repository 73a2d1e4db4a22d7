"""What the kills came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.torture.harness import Load


@dataclass
class Tally:
    """Counts over many loads of the same input."""

    rows: int
    """Of one load."""
    loads: int = 0
    """Killed at least once, run again until done, and found right."""
    in_peace: int = 0
    """Those that were through before their moment came."""
    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    """By what had come of the run."""
    people: Counter[str] = field(default_factory=Counter)
    """By what was done to the load after a kill."""
    held: int = 0
    """Records that the sandbox has accepted."""
    from_kills: int = 0
    """Of these, extra copies whose call was out when the load was killed."""
    from_faults: int = 0
    """Of these, extra copies whose answer the sandbox cut."""
    most_of_one_kill: int = 0
    marked: int = 0
    """Rows marked `maybe_duplicate`."""
    extra_kinds: int = 0
    """Different events of which there are extra copies."""

    def count_kill(self, lost: int, taken: int, *, all_taken: bool) -> None:
        """Count one kill of a run of which the sandbox has taken so many calls, and that has missed `lost` answers."""
        if taken:
            self.kills["after its last call" if all_taken else "among its calls"] += 1
        else:
            self.kills["before its first call"] += 1
        self.from_kills += lost
        self.most_of_one_kill = max(self.most_of_one_kill, lost)

    def count_load(self, load: Load, *, killed: bool) -> None:
        """Count one load that is done."""
        stats = load.sandbox.stats()
        self.loads += killed
        self.in_peace += not killed
        self.runs += load.runs
        self.held += stats.accepted
        self.from_faults += stats.faults.get("cut", 0)
        self.marked += sum(load.report()["maybe_duplicate"].to_pylist())

    def __str__(self) -> str:
        lines = [
            ("loads killed and run again until done", self.loads),
            ("loads that were through before their kill", self.in_peace),
            ("rows of each", self.rows),
            ("runs", self.runs),
            ("kills", sum(self.kills.values())),
            *((f"  of a run {moment}", count) for moment, count in sorted(self.kills.items())),
            ("what people did after a kill", sum(self.people.values())),
            *((f"  {act}", count) for act, count in sorted(self.people.items())),
            ("rows loaded", self.rows * (self.loads + self.in_peace)),
            ("calls accepted", self.held),
            ("  a second time, because of a kill", self.from_kills),
            ("    of one kill, at most", self.most_of_one_kill),
            ("  a second time, because of a fault", self.from_faults),
            *([("events with extra copies, all marked", self.extra_kinds)] if self.extra_kinds else []),
            ("rows marked maybe_duplicate", self.marked),
        ]
        return "\n".join(f"{name:<44}{count:>10,}" for name, count in lines)
