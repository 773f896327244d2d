"""Reads a parquet or avro file from standard input with libraries that are not Sluice's own, and prints
its records as JSON lines. The schema is checked against what the documentation promises.

    read_file.py parquet|avro < file
"""

import datetime
import io
import json
import sys


def parquet_rows(data):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    types = {f.name: str(f.type) for f in table.schema}
    expected = {
        "topic": ("string",),
        "partition": ("int32",),
        "offset": ("int64",),
        "timestamp": ("timestamp[ms]", "timestamp[ms, tz=UTC]"),
        "key": ("binary",),
        "value": ("binary",),
    }
    if list(types) != [*expected, "headers"]:
        sys.exit(f"columns are {list(types)}")
    for name, wanted in expected.items():
        if types[name] not in wanted:
            sys.exit(f"column {name} is {types[name]}, expected {wanted[0]}")
    if not pyarrow.types.is_list(table.schema.field("headers").type):
        sys.exit(f"column headers is {types['headers']}, expected a list")
    return table.to_pylist()


def avro_rows(data):
    import fastavro

    reader = fastavro.reader(io.BytesIO(data))
    names = [f["name"] for f in reader.writer_schema["fields"]]
    if names != ["topic", "partition", "offset", "timestamp", "key", "value", "headers"]:
        sys.exit(f"fields are {names}")
    return list(reader)


def text(b):
    return None if b is None else b.decode("utf-8")


def milliseconds(t):
    if t.tzinfo is None:
        t = t.replace(tzinfo=datetime.timezone.utc)
    return int(round(t.timestamp() * 1000))


rows = {"parquet": parquet_rows, "avro": avro_rows}[sys.argv[1]](sys.stdin.buffer.read())
for row in rows:
    print(
        json.dumps(
            {
                "topic": row["topic"],
                "partition": row["partition"],
                "offset": row["offset"],
                "timestamp": milliseconds(row["timestamp"]),
                "key": text(row["key"]),
                "value": text(row["value"]),
                "headers": [[h["key"], text(h["value"])] for h in row["headers"] or []],
            }
        )
    )
