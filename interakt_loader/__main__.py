"""`python -m interakt_loader`, and the console script `interakt-loader`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    gc.disable()  # until `process.freeze_imports`: nothing that an import makes is garbage
    from interakt_loader.cli import run
    from interakt_loader.privacy.process import hold_standard_handles, save_memory

    hold_standard_handles()
    gc.freeze()  # nor when the process ends
    save_memory()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
