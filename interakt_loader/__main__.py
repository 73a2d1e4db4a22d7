"""`python -m interakt_loader`, and the console script `interakt-loader`."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from interakt_loader.cli import run
    from interakt_loader.cli.process import keep_small

    keep_small()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
