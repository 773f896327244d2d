"""Reads a table with pyodps, the vendor's Python SDK, by one download session a partition, and prints a JSON line a
row: topic, partition, offset, value.

    odps_rows.py ENDPOINT PROJECT TABLE    (key ID and secret in ODPS_KEY_ID, ODPS_KEY_SECRET)
"""

import json
import os
import sys

from odps import ODPS
from odps.tunnel import TableTunnel

endpoint, project, name = sys.argv[1:]
o = ODPS(os.environ["ODPS_KEY_ID"], os.environ["ODPS_KEY_SECRET"], project=project, endpoint=endpoint)
tunnel = TableTunnel(o)
for partition in o.get_table(name).partitions:
    download = tunnel.create_download_session(name, partition_spec=str(partition.partition_spec))
    if download.count == 0:
        continue
    with download.open_record_reader(0, download.count) as reader:
        for row in reader:
            topic, number, offset, _, value = row.values[:5]
            print(json.dumps({"topic": topic, "partition": number, "offset": offset, "value": value}))
