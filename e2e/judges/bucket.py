"""Lists a bucket with oss2, the vendor's Python SDK, and prints a JSON line an object: name, size, the CRC64
that the server tells and the one computed from what was downloaded.

    bucket.py ENDPOINT BUCKET PREFIX    (key ID and secret in OSS_KEY_ID, OSS_KEY_SECRET)
"""

import json
import os
import sys

import oss2

endpoint, name, prefix = sys.argv[1:]
auth = oss2.Auth(os.environ["OSS_KEY_ID"], os.environ["OSS_KEY_SECRET"])
bucket = oss2.Bucket(auth, endpoint, name, connect_timeout=10)
for item in oss2.ObjectIteratorV2(bucket, prefix=prefix):
    answer = bucket.get_object(item.key)
    size = len(answer.read())  # oss2 raises when its CRC64 of the bytes differs from the server's
    print(json.dumps({"key": item.key, "size": size, "listed": item.size, "crc64": str(answer.server_crc)}))
