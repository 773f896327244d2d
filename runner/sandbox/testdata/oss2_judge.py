"""Drives an OSS stand-in with Alibaba Cloud's own Python SDK and fails on any difference.

usage: oss2_judge.py ENDPOINT BUCKET KEY SECRET STS_KEY STS_SECRET STS_TOKEN
"""
import hashlib
import os
import sys

import oss2

endpoint, bucket_name, key_id, secret, sts_id, sts_secret, sts_token = sys.argv[1:8]


def check(what, got, want):
    if got != want:
        sys.exit("%s: got %r, want %r" % (what, got, want))


def refused(what, status, code, call):
    try:
        call()
    except oss2.exceptions.ServerError as error:
        check(what, (error.status, error.code), (status, code))
        check(what + ": request id", len(error.request_id), 24)
        return
    sys.exit(what + ": not refused")


def judge(name, auth, **options):
    bucket = oss2.Bucket(auth, endpoint, bucket_name, is_path_style=True, **options)
    service = oss2.Service(auth, endpoint, is_path_style=True, **options)
    check(name + " buckets", [b.name for b in service.list_buckets().buckets], [bucket_name])
    check(name + " info", bucket.get_bucket_info().name, bucket_name)
    bucket.get_bucket_stat()
    bucket.get_bucket_location()

    prefix = name + "/ключ a+b%20?&=/"
    content = os.urandom(70000)
    put = bucket.put_object(prefix + "o", content, headers={"Content-Type": "x/y", "x-oss-meta-who": "judge"})
    check(name + " etag", put.etag, hashlib.md5(content).hexdigest().upper())
    check(name + " content", bucket.get_object(prefix + "o").read(), content)
    check(name + " range", bucket.get_object(prefix + "o", byte_range=(5, 9)).read(), content[5:10])
    head = bucket.head_object(prefix + "o")
    check(name + " head", (head.content_length, head.content_type, head.headers["x-oss-meta-who"]), (70000, "x/y", "judge"))
    check(name + " by signed URL", bucket.get_object_with_url(bucket.sign_url("GET", prefix + "o", 60, slash_safe=True)).read(), content)
    refused(name + " overwrite", 409, "FileAlreadyExists",
            lambda: bucket.put_object(prefix + "o", b"x", headers={"x-oss-forbid-overwrite": "true"}))
    refused(name + " missing", 404, "NoSuchKey", lambda: bucket.get_object(prefix + "none"))

    for i in range(12):
        bucket.put_object(prefix + "list/%02d" % i, b"x" * i)
    keys = [o.key for o in oss2.ObjectIterator(bucket, prefix=prefix + "list/", max_keys=5)]
    check(name + " list", keys, [prefix + "list/%02d" % i for i in range(12)])
    keys = [o.key for o in oss2.ObjectIteratorV2(bucket, prefix=prefix + "list/", max_keys=5)]
    check(name + " list v2", keys, [prefix + "list/%02d" % i for i in range(12)])
    page = bucket.list_objects(prefix=prefix, delimiter="/")
    check(name + " delimiter", (page.prefix_list, [o.key for o in page.object_list]), ([prefix + "list/"], [prefix + "o"]))

    big = os.urandom(300 * 1024)
    upload = bucket.init_multipart_upload(prefix + "big").upload_id
    parts = []
    for number, start in enumerate(range(0, len(big), 100 * 1024), 1):
        part = bucket.upload_part(prefix + "big", upload, number, big[start:start + 100 * 1024])
        parts.append(oss2.models.PartInfo(number, part.etag, size=100 * 1024, part_crc=part.crc))
    check(name + " parts", [p.part_number for p in oss2.PartIterator(bucket, prefix + "big", upload)], [1, 2, 3])
    check(name + " uploads", [u.upload_id for u in oss2.MultipartUploadIterator(bucket)], [upload])
    bucket.complete_multipart_upload(prefix + "big", upload, parts)
    check(name + " big", bucket.get_object(prefix + "big").read(), big)
    bucket.copy_object(bucket_name, prefix + "o", prefix + "copy")
    check(name + " copy", bucket.get_object(prefix + "copy").read(), content)
    upload = bucket.init_multipart_upload(prefix + "aborted").upload_id
    bucket.abort_multipart_upload(prefix + "aborted", upload)

    every = [o.key for o in oss2.ObjectIterator(bucket, prefix=name + "/")]
    check(name + " deleted", sorted(bucket.batch_delete_objects(every).deleted_keys), sorted(every))
    check(name + " empty", list(oss2.ObjectIterator(bucket, prefix=name + "/")), [])


judge("v1", oss2.Auth(key_id, secret))
judge("v4", oss2.AuthV4(key_id, secret), region="cn-hangzhou")
judge("sts", oss2.StsAuth(sts_id, sts_secret, sts_token))
judge("sts-v4", oss2.StsAuth(sts_id, sts_secret, sts_token, auth_version=oss2.AUTH_VERSION_4), region="cn-hangzhou")
wrong = oss2.Bucket(oss2.Auth(key_id, "wrong"), endpoint, bucket_name, is_path_style=True)
refused("wrong secret", 403, "SignatureDoesNotMatch", lambda: wrong.put_object("x", b"x"))
unknown = oss2.Bucket(oss2.AuthV4("nobody", secret), endpoint, bucket_name, is_path_style=True, region="r")
refused("unknown key", 403, "InvalidAccessKeyId", lambda: unknown.put_object("x", b"x"))
print("agreed")
