"""Damaged files of every format, loaded as a user loads them: `python -m tests.hostile.mutated --count 10000`.

Each file is a good one with a few bytes changed, cut out or put in. It may be read or refused in one line. It must not
end the process, escape as another exception, or run without end. A worker process does the loading, so that a crash
is seen and counted; the next file goes to a new one. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather, orc

HOME = Path(__file__).resolve().parents[2]

ROWS = 600

HANG_SECONDS = 120.0
"""Longer than any of these small files may take, on a busy machine too."""

MOST_MEGABYTES = 1500
"""Of a worker that has loaded many such files; one good file takes about 150."""

_NUMBERS = [0, 1, 2, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1]


class Result(NamedTuple):
    """What loading one damaged file led to."""

    file: str
    outcome: str
    """`read`, `refused`, or what must not be: `escaped`, `crashed`, `hung`."""
    words: str


# ── good files ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(is_flat: bool = False) -> pa.Table:
    start = datetime(2024, 1, 1)
    columns = {
        "id": pa.array([f"C{at:05}" for at in range(ROWS)]),
        "amount": pa.array([None if at % 7 == 0 else at * 1.5 for at in range(ROWS)]),
        "count": pa.array(range(ROWS), pa.int32()),
        "at": pa.array([start + timedelta(hours=at) for at in range(ROWS)], pa.timestamp("us")),
        "name": pa.array([None if at % 5 == 0 else f"näme {at * 7919}" for at in range(ROWS)]),
        "price": pa.array([Decimal(at) / 100 for at in range(ROWS)], pa.decimal128(9, 2)),
        "is_new": pa.array([at % 3 == 0 for at in range(ROWS)]),
        "tags": pa.array([[f"t{at % 3}"] * (at % 4) for at in range(ROWS)]),
    }
    if not is_flat:
        columns["city"] = pa.array([["Pune", "Kochi", "Delhi"][at % 3] for at in range(ROWS)]).dictionary_encode()
        columns["place"] = pa.array([{"pin": at, "street": f"s{at}"} for at in range(ROWS)])
    return pa.table(columns)


def _csv() -> bytes:
    rows = (f'C{at:05},{at * 1.5},"näme, {at}",2024-01-0{at % 9 + 1}\n' for at in range(ROWS))
    return ("id,amount,name,day\n" + "".join(rows)).encode()


def _json_lines() -> bytes:
    rows = ({"id": f"C{at}", "name": f"näme {at}", "tags": ["a", at], "place": {"pin": at}} for at in range(ROWS))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _written(write: Callable[[pa.BufferOutputStream], object]) -> bytes:
    sink = pa.BufferOutputStream()
    write(sink)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def _ipc(stream: bool, codec: str | None) -> bytes:
    def write(sink: pa.BufferOutputStream) -> None:
        options = pa.ipc.IpcWriteOptions(compression=codec)
        new = pa.ipc.new_stream if stream else pa.ipc.new_file
        with new(sink, _table().schema, options=options) as writer:
            writer.write_table(_table(), max_chunksize=250)

    return _written(write)


def _compressed(codec: str) -> bytes:
    def write(sink: pa.BufferOutputStream) -> None:
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(_csv())

    return _written(write)


def _zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", _csv())
    return sink.getvalue()


def _workbook() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "name", "amount", "at"])
    for at in range(ROWS // 4):
        sheet.append([f"C{at}", f"näme {at}", at * 1.5, datetime(2024, 1, 1) + timedelta(hours=at)])
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def _parquet(**options: object) -> bytes:
    return _written(lambda sink: pq.write_table(_table(), sink, row_group_size=250, **options))


def _orc(codec: str) -> bytes:
    return _written(lambda sink: orc.write_table(_table(is_flat=True), sink, compression=codec, stripe_size=8 << 10))


def good_files() -> dict[str, bytes]:
    """Return a file of each format and codec, by its name."""
    return {
        "snappy.parquet": _parquet(compression="snappy"),
        "plain.parquet": _parquet(compression="none", use_dictionary=False),
        "zstd.parquet": _parquet(compression="zstd", data_page_version="2.0"),
        "int96.parquet": _parquet(use_deprecated_int96_timestamps=True, write_page_checksum=True),
        "lz4.feather": _written(lambda sink: feather.write_feather(_table(), sink, "lz4", chunksize=250)),
        "zstd.feather": _ipc(False, "zstd"),
        "plain.arrow": _ipc(False, None),
        "stream.arrow": _ipc(True, None),
        "stream_lz4.arrow": _ipc(True, "lz4"),
        "plain.orc": _orc("uncompressed"),
        "zlib.orc": _orc("zlib"),
        "snappy.orc": _orc("snappy"),
        "zstd.orc": _orc("zstd"),
        "t.csv": _csv(),
        "utf16.csv": _csv().decode().encode("utf-16"),
        "t.csv.gz": gzip.compress(_csv()),
        "t.csv.bz2": bz2.compress(_csv()),
        "t.csv.xz": lzma.compress(_csv()),
        "t.csv.zst": _compressed("zstd"),
        "t.csv.lz4": _compressed("lz4"),
        "t.csv.zip": _zip(),
        "t.jsonl": _json_lines(),
        "array.json": b"[" + b",".join(_json_lines().splitlines()) + b"]",
        "t.xlsx": _workbook(),
    }


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one to four changes; half of them near its ends, where headers and footers are."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        content = _changed(content, rng)
    return content


def _changed(content: bytes, rng: random.Random) -> bytes:
    size = len(content)
    if size < 16:
        return content
    edge = min(size, 2048)
    at = rng.choice([rng.randrange(size), rng.randrange(size), rng.randrange(edge), size - 1 - rng.randrange(edge)])
    width = rng.choice([1, 2, 4, 8])
    match rng.randrange(8):
        case 0 | 1:
            new = bytes([content[at] ^ (1 << rng.randrange(8))])
        case 2:
            new = rng.randbytes(rng.randint(1, 16))
        case 3 | 4:
            number = rng.choice(_NUMBERS) & (256**width - 1)
            new = number.to_bytes(width, rng.choice(["little", "big"]))
        case 5:
            return content[:at] + content[at + rng.randint(1, 64) :]
        case 6:
            return content[:at] + content[at : at + rng.randint(1, 64)] * 2 + content[at:]
        case _:
            return content[:at] if rng.random() < 0.5 else content[:at] + bytes(rng.randint(1, 512))
    return (content[:at] + new + content[at + len(new) :])[:size]


# ── the loading, in a process that may end ──────────────────────────────────────────────────────────────────────────


def load_one(path: str) -> tuple[str, str]:
    """Check a file as a user does; return the outcome and a line about it."""
    from interakt_loader import check
    from interakt_loader.errors import InteraktLoaderError, MappingError
    from interakt_loader.sources import open_source

    try:
        try:
            rows = check(path, {"user_id": "id", "traits": "*"}, progress=False).rows
        except MappingError:  # the damage is in the column's name
            rows = sum(batch.num_rows for batch in open_source(path).batches())
    except InteraktLoaderError as error:
        return ("refused", str(error)) if "\n" not in str(error) else ("escaped", f"several lines: {error}")
    except BaseException as error:  # noqa: BLE001 - what it is, is the answer
        return "escaped", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return "read", f"{rows} rows"


def serve() -> None:
    """Load the files that standard input names, a line each; answer each with a line."""
    import logging
    import resource

    logging.disable()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        outcome, words = load_one(line.strip())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(json.dumps([outcome, words, peak]), file=answers, flush=True)


class Worker:
    """A process that loads files; after a crash or a hang it is another one."""

    def __init__(self) -> None:
        self.peak = 0
        self._process: subprocess.Popen[str] | None = None

    def load(self, path: Path) -> tuple[str, str]:
        """Return the outcome for one file."""
        process = self._process = self._process or subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.hostile.mutated", "--serve"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=HOME,
            env=os.environ | {"PYTHONPATH": str(HOME)},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        alarm = threading.Timer(HANG_SECONDS, process.kill)
        alarm.start()
        began = time.monotonic()
        with contextlib.suppress(OSError):
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
        answer = process.stdout.readline()
        alarm.cancel()
        if answer:
            outcome, words, self.peak = json.loads(answer)
            return outcome, words
        self.close()
        if time.monotonic() - began >= HANG_SECONDS:
            return "hung", f"more than {HANG_SECONDS:.0f} s"
        return "crashed", f"exit {process.returncode}"

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()


def tried(count: int, seed: int, only: str = "", kept: Path | None = None) -> Iterator[Result]:
    """Yield the results of `count` damaged files, all formats in turn. Those that must not be are kept in a folder."""
    files = {name: content for name, content in good_files().items() if only in name}
    names = list(files)
    worker = Worker()
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number in range(count):
                name = names[number % len(names)]
                content = damaged(files[name], random.Random(f"{seed} {number} {name}"))
                path = Path(folder, name)
                path.write_bytes(content)
                outcome, words = worker.load(path)
                if worker.peak > MOST_MEGABYTES:
                    outcome, words = "escaped", f"the process has grown to {worker.peak} MB"
                    worker.close()
                    worker.peak = 0
                if kept is not None and outcome not in ("read", "refused"):
                    kept.mkdir(parents=True, exist_ok=True)
                    (kept / f"{seed}-{number}-{name}").write_bytes(content)
                yield Result(name, outcome, words)
        finally:
            worker.close()


def main() -> None:
    """Try many, and print the count of each outcome by format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--only", default="", help="formats whose names hold this")
    parser.add_argument("--keep", type=Path, default=Path(".fuzz/mutated"), help="folder for files that fail")
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    counts: Counter[tuple[str, str]] = Counter()
    began = time.monotonic()
    for number, result in enumerate(tried(given.count, given.seed, given.only, given.keep)):
        counts[result.file, result.outcome] += 1
        if result.outcome not in ("read", "refused"):
            print(number, *result, flush=True)
        if (number + 1) % 250 == 0:
            print(f"{number + 1} of {given.count} files, {time.monotonic() - began:.0f} s", flush=True)
    for (name, outcome), count in sorted(counts.items()):
        print(f"{name:20} {outcome:8} {count:6}")
    totals = Counter[str]()
    for (_, outcome), count in counts.items():
        totals[outcome] += count
    print(f"{given.count} files in {time.monotonic() - began:.0f} s: {dict(totals)}")


if __name__ == "__main__":
    main()
