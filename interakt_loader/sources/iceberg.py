"""Read an Iceberg table, or a scan of one, that pyiceberg has opened.

`to_arrow_batch_reader` of pyiceberg reads all files at once and keeps what is not taken yet, which a load that takes
hours cannot afford. So its files are read one after the other here, the oldest first: the last row of a user is the
newest.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Source, flat_names, reason


def is_iceberg(data: object) -> bool:
    """Return whether data is a table or a scan of pyiceberg, without importing that."""
    return type(data).__module__.partition(".")[0] == "pyiceberg" and (hasattr(data, "scan") or _is_scan(data))


def _is_scan(data: object) -> bool:
    return hasattr(data, "plan_files") and hasattr(data, "snapshot")


def open_iceberg(data: Any) -> Source:
    """Return an Iceberg table or a scan as a source, in its snapshot of now; SourceError if it cannot be read right."""
    scan = data if _is_scan(data) else data.scan()
    name = type(data).__name__
    try:
        from pyiceberg.expressions import AlwaysTrue
        from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

        # a refresh of the table does not reach the metadata that the scan has
        snapshot = scan.snapshot()
        age = _ages(scan, snapshot)
        tasks = sorted(scan.plan_files(), key=lambda task: (*age[task.file.file_path], task.file.file_path))
        schema = pa.schema([(one.name, one.type) for one in schema_to_pyarrow(scan.projection())])
        is_whole = scan.row_filter == AlwaysTrue() and not any(task.delete_files for task in tasks)
    except Exception as error:
        raise SourceError(f"{name}: the Iceberg table cannot be read: {reason(error)}") from error
    rows = sum(task.file.record_count for task in tasks) if is_whole and scan.limit is None else None

    def read() -> Batches:
        left = scan.limit
        for task in tasks:
            if left == 0:
                return
            reader = ArrowScan(
                scan.table_metadata, scan.io, scan.projection(), scan.row_filter, scan.case_sensitive, left
            )
            # the public method has a whole file in memory; this one does not read the deletes
            stream = getattr(reader, "_record_batches_from_scan_tasks_and_deletes", None)
            whole = stream is None or task.delete_files
            for batch in reader.to_record_batches([task]) if whole or stream is None else stream([task], {}):
                left = None if left is None else left - batch.num_rows
                yield batch

    which = "it has no snapshot yet" if snapshot is None else f"snapshot {snapshot.snapshot_id} is read"
    return Source(
        name=name,
        columns=flat_names(schema, name),
        rows=rows,
        rows_exact=rows is not None,
        read=read,
        notes=[f"{name}: Iceberg table, {which}"],
    )


def _ages(scan: Any, snapshot: Any) -> dict[str, tuple[int, int]]:
    """Return, by the path of a data file, a value that is higher for later files.

    Tables of version 1 have no sequence numbers, so there the time of the snapshot counts, if that is still known.
    """
    times = {one.snapshot_id: one.timestamp_ms for one in scan.table_metadata.snapshots}
    return {
        entry.data_file.file_path: (entry.sequence_number or 0, times.get(entry.snapshot_id, 0))
        for manifest in ([] if snapshot is None else snapshot.manifests(scan.io))
        for entry in manifest.fetch_manifest_entry(scan.io)
    }
