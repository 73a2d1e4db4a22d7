"""`python -m interakt_loader`, and the console script `interakt-loader`."""

import gc
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    gc.disable()  # until `process.imported`: nothing that an import makes is garbage
    from interakt_loader.cli import run
    from interakt_loader.cli.process import keep_small
    from interakt_loader.safety.streams import hold_standard_handles

    hold_standard_handles()
    gc.freeze()  # nor when the process ends
    keep_small()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
