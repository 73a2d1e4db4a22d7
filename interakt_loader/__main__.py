"""`python -m interakt_loader`, and the console script `interakt-loader`."""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its exit code."""
    # The first process of a container never gets a signal that it has no handler for. A load has its own one later.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # Imports make no garbage, so the collector starts after them, in `process.freeze_imports`.
    gc.disable()
    from interakt_loader.privacy.process import hold_standard_handles, save_memory

    # Before the other imports, because these load pyarrow.
    hold_standard_handles()
    save_memory()
    from interakt_loader.cli import run

    # Leave out the modules when the process ends, too.
    gc.freeze()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
