"""Delta tables written by hand, with features that no Python library writes."""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


class DataFile(NamedTuple):
    """A file of a table: where it is as the log writes it, its rows, and what the log says of it."""

    path: str
    rows: pa.Table
    partition: Mapping[str, str | None] = {}
    vector: Mapping[str, Any] | None = None
    modified: int = 0


def field(name: str, kind: object, physical: str | None = None, number: int = 1) -> dict[str, Any]:
    """Return a column of the schema. With `physical`, the files have that name."""
    mapped = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}
    return {"name": name, "type": kind, "nullable": True, "metadata": {} if physical is None else mapped}


def write(
    root: Path,
    files: Sequence[DataFile],
    fields: Sequence[Mapping[str, Any]],
    *,
    features: Sequence[str] | None = None,
    reader: int = 3,
    mode: str | None = None,
    partition_by: Sequence[str] = (),
) -> Path:
    """Write a table of one version. `mode` is that of its column mapping."""
    log = root / "_delta_log"
    log.mkdir(parents=True)
    protocol: dict[str, Any] = {"minReaderVersion": reader, "minWriterVersion": 5}
    if features is not None:
        protocol |= {"minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    metadata = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": partition_by,
        "configuration": {} if mode is None else {"delta.columnMapping.mode": mode},
        "createdTime": 0,
    }
    actions: list[dict[str, Any]] = [{"protocol": protocol}, {"metaData": metadata}]
    for file in files:
        place = root / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(file.rows, place)
        add = {
            "path": file.path,
            "partitionValues": file.partition,
            "size": place.stat().st_size,
            "modificationTime": file.modified,
            "dataChange": True,
            "stats": json.dumps({"numRecords": file.rows.num_rows}),
        }
        actions.append({"add": add if file.vector is None else {**add, "deletionVector": file.vector}})
    (log / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))
    return root


def inline_vector(rows: Sequence[int]) -> dict[str, Any]:
    """Return a deletion vector that is in the log itself."""
    content = _bitmap(rows)
    return {
        "storageType": "i",
        "pathOrInlineDv": _z85(content),
        "sizeInBytes": len(content),
        "cardinality": len(rows),
    }


def vector_in_a_file(root: Path, rows: Sequence[int]) -> dict[str, Any]:
    """Write a deletion vector into a file of the table, and return what the log says of it."""
    root.mkdir(parents=True, exist_ok=True)
    content, name = _bitmap(rows), uuid.uuid4()
    framed = struct.pack(">i", len(content)) + content + struct.pack(">I", zlib.crc32(content))
    (root / f"deletion_vector_{name}.bin").write_bytes(b"\x01" + framed)
    return {
        "storageType": "u",
        "pathOrInlineDv": _z85(name.bytes),
        "offset": 1,
        "sizeInBytes": len(content),
        "cardinality": len(rows),
    }


def _bitmap(rows: Sequence[int]) -> bytes:
    """Return a RoaringBitmapArray with one container: row numbers below 65,536."""
    roaring = struct.pack(f"<IIHHI{len(rows)}H", 12346, 1, 0, len(rows) - 1, 16, *rows)
    return struct.pack("<IQI", 1681511377, 1, 0) + roaring


def _z85(content: bytes) -> str:
    padded = content + bytes(-len(content) % 4)
    return "".join(_Z85[n // 85**place % 85] for (n,) in struct.iter_unpack(">I", padded) for place in (4, 3, 2, 1, 0))
