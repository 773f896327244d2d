"""Reads files that Sluice's encoders wrote with readers of other makers.

usage: judge.py FOLDER

FOLDER holds expected.json, a list of {topic, partition, offset, timestamp, key,
value, headers: [{key, value}]} with bytes in base64 and null for null, and files
of those records. Every file is read and every value compared. The first difference
is printed and ends the program with code 1.
"""

import base64
import csv
import gzip
import io
import json
import os
import sys

import fastavro
import fastavro.read
import pyarrow as pa
import pyarrow.parquet as pq

# Compare milliseconds, not datetimes, which end at the year 9999.
fastavro.read.LOGICAL_READERS.pop("long-timestamp-millis", None)


def unbase64(text):
    return None if text is None else base64.b64decode(text)


def load_expected(folder):
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as f:
        rows = json.load(f)
    for row in rows:
        row["key"], row["value"] = unbase64(row["key"]), unbase64(row["value"])
        for header in row["headers"]:
            header["value"] = unbase64(header["value"])
    return rows


def read_parquet(path):
    parquet = pq.ParquetFile(path)
    table = parquet.read()
    want = pa.schema([
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.list_(pa.field("element", pa.struct([
            pa.field("key", pa.string(), nullable=False),
            pa.field("value", pa.binary()),
        ]), nullable=False)), nullable=False),
    ])
    if not table.schema.equals(want):
        raise AssertionError(f"schema is\n{table.schema}\nwant\n{want}")
    at = table.schema.get_field_index("timestamp")
    table = table.set_column(at, "timestamp", table.column("timestamp").cast(pa.int64()))
    return table.to_pylist(), parquet.metadata


def check_parquet_metadata(path, meta):
    codec = {"none": "UNCOMPRESSED", "gzip": "GZIP", "zstd": "ZSTD", "snappy": "SNAPPY"}[compression_of(path)]
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            chunk = meta.row_group(group).column(column)
            if chunk.compression != codec:
                raise AssertionError(f"{chunk.path_in_schema} is {chunk.compression}, want {codec}")


def read_avro(path):
    with open(path, "rb") as f:
        reader = fastavro.reader(f)
        codec = {"none": "null", "gzip": "deflate", "zstd": "zstandard", "snappy": "snappy"}[compression_of(path)]
        if reader.codec != codec:
            raise AssertionError(f"codec is {reader.codec}, want {codec}")
        time = [x["type"] for x in reader.writer_schema["fields"] if x["name"] == "timestamp"]
        if time != [{"type": "long", "logicalType": "timestamp-millis"}]:
            raise AssertionError(f"timestamp is {time}")
        return list(reader)


def compression_of(path):
    """files are named <anything>-<compression>.<extension>"""
    return os.path.basename(path).split(".")[0].rsplit("-", 1)[1]


def open_text(path):
    """the plain bytes of a text that may be compressed"""
    if path.endswith(".gz"):
        return gzip.open(path, "rb").read()
    if path.endswith(".zst"):
        return pa.CompressedInputStream(pa.OSFile(path), "zstd").read()
    if path.endswith(".sz"):
        import cramjam
        with open(path, "rb") as f:
            return bytes(cramjam.snappy.decompress(f.read()))
    with open(path, "rb") as f:
        return f.read()


def text_row(row):
    """the bytes of a JSON record"""
    def field(name):
        if name not in row:
            return None
        if row.get(name + "Encoding") == "base64":
            return base64.b64decode(row[name])
        return row[name].encode()
    value = field("value")
    if row["valueSize"] != len(value or b"") or row["overflowFlag"] is not False:
        raise AssertionError(f"row {row}")
    return {"topic": row["topic"], "partition": row["partition"], "offset": row["offset"],
            "timestamp": row["timestamp"], "key": field("key"), "value": value}


def csv_rows(text):
    rows = csv.DictReader(io.StringIO(text.decode(), newline=""))
    for row in rows:
        def field(name):
            if row[name + "Encoding"] == "base64":
                return base64.b64decode(row[name])
            return row[name].encode()
        yield {"topic": row["topic"], "partition": int(row["partition"]), "offset": int(row["offset"]),
               "timestamp": int(row["timestamp"]), "key": field("key"), "value": field("value")}


def without_headers(rows, null):
    return [{k: null if v is None else v for k, v in row.items() if k != "headers"} for row in rows]


def judge(path, expected):
    name = os.path.basename(path)
    if name.endswith(".parquet"):
        got, meta = read_parquet(path)
        check_parquet_metadata(path, meta)
    elif name.endswith(".avro"):
        got = read_avro(path)
    elif ".jsonl" in name:
        got = [text_row(json.loads(line)) for line in open_text(path).split(b"\n")[:-1]]
        expected = without_headers(expected, None)
    elif ".json" in name:
        got = [text_row(row) for row in json.loads(open_text(path))]
        expected = without_headers(expected, None)
    elif ".csv" in name:  # whose reader does not tell null from empty
        got = list(csv_rows(open_text(path)))
        expected = without_headers(expected, b"")
    else:
        raise AssertionError("nobody here reads this")
    if len(got) != len(expected):
        raise AssertionError(f"{len(got)} records, want {len(expected)}")
    for i, (have, want) in enumerate(zip(got, expected)):
        if have != want:
            raise AssertionError(f"record {i} is {str(have)[:500]}, want {str(want)[:500]}")


def main():
    folder = sys.argv[1]
    csv.field_size_limit(1 << 30)
    expected = load_expected(folder)
    files = sorted(f for f in os.listdir(folder) if f != "expected.json")
    for name in files:
        try:
            judge(os.path.join(folder, name), expected)
        except Exception as e:  # any failure to read is the finding
            print(f"{name}: {type(e).__name__}: {e}")
            return 1
        print(f"{name}: {len(expected)} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
