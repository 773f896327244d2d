"""Loads and reads a table of the MaxCompute stand-in with pyodps, the vendor's Python SDK, and prints "agreed".

    pyodps_judge.py ENDPOINT PROJECT KEY_ID SECRET STS_ID STS_SECRET STS_TOKEN
"""

import datetime
import decimal
import sys

from odps import ODPS, errors, options
from odps.accounts import StsAccount
from odps.tunnel import CompressOption, TableTunnel

endpoint, project, key, secret, sts_key, sts_secret, sts_token = sys.argv[1:]
options.sql.use_odps2_extension = True
options.local_timezone = False
options.retry_times = 0


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: {got!r}, expected {want!r}")


o = ODPS(key, secret, project=project, endpoint=endpoint)
o.execute_sql(
    "CREATE TABLE judged (b BIGINT, i INT, d DOUBLE, f FLOAT, n DECIMAL(10,3), t BOOLEAN, s STRING, v VARCHAR(5),"
    " x BINARY, at DATETIME, day DATE, j JSON) PARTITIONED BY (pt STRING)"
)
table = o.get_table("judged")
check("columns", [c.name for c in table.table_schema.simple_columns], ["b", "i", "d", "f", "n", "t", "s", "v", "x", "at", "day", "j"])
table.create_partition("pt='11-22-2026 13:05'", if_not_exists=True)
check("partitions", [p.name for p in table.partitions], ["pt='11-22-2026 13:05'"])
full = [
    2**63 - 1, -5, 3.25, 1.5, decimal.Decimal("1234567.125"), True, "text é", "vär", b"\x00\xff",
    datetime.datetime(2026, 11, 22, 13, 5, 6, 789000), datetime.date(1969, 1, 2), {"a": [1, None]},
]
rows = [full, [None] * 12, full]
algorithms = CompressOption.CompressAlgorithm
tunnel = TableTunnel(o)
for option in (None, CompressOption(algorithms.ODPS_ZLIB), CompressOption(algorithms.ODPS_SNAPPY)):
    upload = tunnel.create_upload_session("judged", partition_spec="pt='11-22-2026 13:05'", compress_option=option)
    with upload.open_record_writer(0, compress=option is not None) as writer:
        for values in rows:
            writer.write(upload.new_record(values))
    upload.commit([0])
    check("status", upload.status.value, "CLOSED")
for option in (None, CompressOption(algorithms.ODPS_ZLIB), CompressOption(algorithms.ODPS_SNAPPY)):
    download = tunnel.create_download_session("judged", partition_spec="pt='11-22-2026 13:05'", compress_option=option)
    check("count", download.count, 9)
    with download.open_record_reader(0, 9, compress=option is not None) as reader:
        got = [list(r.values) for r in reader]
    check("rows", got, [values + ["11-22-2026 13:05"] if len(got[0]) == 13 else values for values in rows * 3])
with o.execute_sql("SELECT COUNT(*) AS n, MAX(b) AS m FROM judged WHERE pt='11-22-2026 13:05' AND s='text é'").open_reader(tunnel=False) as reader:
    check("sql", [(int(r["n"]), int(r["m"])) for r in reader], [(6, 2**63 - 1)])
try:
    tunnel.create_upload_session("judged", partition_spec="pt=none")
    sys.exit("a missing partition was taken")
except errors.NoSuchPartition:
    pass
try:
    ODPS(key, "wrong", project=project, endpoint=endpoint).get_table("judged").reload()
    sys.exit("a wrong secret was taken")
except errors.ODPSError as e:
    check("wrong secret", e.code, "ODPS-0410042")
sts = ODPS(account=StsAccount(sts_key, sts_secret, sts_token), project=project, endpoint=endpoint)
check("sts", sts.exist_table("judged"), True)
v4 = ODPS(key, secret, project=project, endpoint=endpoint, region_name="cn-hangzhou")
check("v4", v4.exist_table("judged"), True)
print("agreed")
