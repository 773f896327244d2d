"""Reads topics of row changes in DataWorks' format with confluent-kafka, read_committed, applies them as a
consumer would, and prints one JSON object: the tables as they are then, and what no sequence of changes may
contain. Nothing of it is our code: what it finds is what any consumer finds.

    changes.py BOOTSTRAP PREFIX    (topics are PREFIX_<table>, as many as there are)

Of a table with a primary key every message must fit the state that the messages before it made: an INSERT
is of a key that is not there, UPDATE_BEFOR and DELETE show the row as it is. A change that is lost, doubled
or out of order does not fit. A row of a snapshot (header sluice.snapshot) over one that is there replaces it
and is counted as resent. Of a table without a key there is a bag of rows, begun anew with each
sluice.snapshot.run.
"""

import collections
import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition

bootstrap, prefix = sys.argv[1:3]
consumer = Consumer({
    "bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False, "auto.offset.reset": "earliest",
    "isolation.level": "read_committed", "enable.partition.eof": True, "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 20, "queued.min.messages": 100000,
})
topics = {n: t for n, t in consumer.list_topics(timeout=30).topics.items() if n.startswith(prefix + "_")}
places = [TopicPartition(n, p, 0) for n, t in topics.items() for p in t.partitions]

keyed = {}  # table -> key -> row
bags = {}  # table -> row as JSON -> count
runs = {}  # table without key -> run of its snapshot
ops = collections.Counter()
faults = []
sequences = set()
order = {}  # (table, key) -> last sequence number
came = {}  # (table, key) -> the messages before, in words
where = {}  # (table, key) -> partition
pending = {}  # (table, key) -> row of an UPDATE_BEFOR whose UPDATE_AFTER is due
transactions = {}  # sluice.tx.id -> [parts seen, last part]
resent = 0
again = []
messages = 0


def fault(m, what):
    if len(faults) < 20:
        faults.append("%s[%d]@%d %s: %s" % (m.topic(), m.partition(), m.offset(), (m.key() or b"").decode()[:80], what))
    else:
        faults.append("…")


def row(part):
    return None if part is None else part["dataColumn"]


def text(r):
    return json.dumps(r, sort_keys=True)


def same(shown, here):
    """A row of before a change of columns is known without the new ones and with the old."""
    if shown is None or here is None or shown.keys() == here.keys():
        return shown == here
    return all(shown[c] == here[c] for c in shown.keys() & here.keys())


def apply(m):
    global resent
    doc = json.loads(m.value(), parse_float=str, parse_int=str)
    payload, source = doc["payload"], doc["schema"]["source"]
    op, table = payload["op"], source["tableName"]
    if op in ("CREATE", "ALTER", "ERASE", "QUERY", "TRUNCATE", "RENAME"):
        # Every partition is told of a statement, in order with its rows.
        ops[op] += m.partition() == 0
        if op == "TRUNCATE":
            for key in [k for k in keyed.get(table, {}) if where[(table, k)] == m.partition()]:
                del keyed[table][key]
            bags.get(table, {}).clear()
        return
    ops[op] += 1
    headers = {k: v.decode() for k, v in (m.headers() or [])}
    sequence = int(payload["sequenceId"])
    if sequence in sequences:
        fault(m, "sequenceId %d a second time" % sequence)
    sequences.add(sequence)
    before, after = row(payload["before"]), row(payload["after"])
    if m.key() is None:
        bag = bags.setdefault(table, collections.Counter())
        run = headers.get("sluice.snapshot.run")
        if run is not None and runs.get(table) != run:
            bag.clear()
            runs[table] = run
        if op in ("INSERT", "UPDATE_AFTER"):
            bag[text(after)] += 1
        else:
            bag[text(before)] -= 1
            if bag[text(before)] < 0:
                fault(m, "%s of a row that is not there: %s" % (op, text(before)))
        return
    place = (table, m.key())
    if sequence <= order.get(place, -1):
        fault(m, "sequenceId %d after %d" % (sequence, order[place]))
    order[place] = sequence
    history = came.setdefault(place, [])
    came_before = " / ".join(history)
    stamp = payload["timestamp"]
    history.append("offset %d, %s, sequence %d, eventTime %s, checkpointTime %s, %s" % (m.offset(), op, sequence, stamp["eventTime"], stamp["checkpointTime"], headers))
    del history[:-6]
    if where.setdefault(place, m.partition()) != m.partition():
        fault(m, "the key was in partition %d" % where[place])
    rows = keyed.setdefault(table, {})
    here = rows.get(m.key())
    if place in pending and op != "UPDATE_AFTER":
        fault(m, "%s between UPDATE_BEFOR and UPDATE_AFTER" % op)
    if op == "INSERT":
        if here is not None:
            if "sluice.snapshot" in headers:
                resent += 1
                if len(again) < 5:
                    again.append("%s[%d]@%d %s, sequence %d: %s; there is %s; before: %s" % (m.topic(), m.partition(), m.offset(), m.key().decode(), sequence, text(after), text(here), came_before))
            else:
                fault(m, "INSERT over %s" % text(here))
        rows[m.key()] = after
    elif op == "UPDATE_BEFOR":
        if not same(before, here):
            fault(m, "UPDATE_BEFOR shows %s, and there is %s" % (text(before), text(here)))
        pending[place] = True
    elif op == "UPDATE_AFTER":
        if pending.pop(place, None) is None:
            fault(m, "UPDATE_AFTER without UPDATE_BEFOR")
        rows[m.key()] = after
    elif op == "DELETE":
        if not same(before, here):
            fault(m, "DELETE shows %s, and there is %s" % (text(before), text(here)))
        rows.pop(m.key(), None)
    else:
        fault(m, "op %s" % op)


consumer.assign(places)
ended = set()
deadline = time.monotonic() + 120
while len(ended) < len(places):
    if time.monotonic() > deadline:
        faults.append("not read to the end within 120 s")
        break
    for m in consumer.consume(5000, 0.2):
        if m.error():
            if m.error().code() == KafkaError._PARTITION_EOF:
                ended.add((m.topic(), m.partition()))
            else:
                raise SystemExit(str(m.error()))
            continue
        messages += 1
        try:
            apply(m)
        except (KeyError, ValueError, TypeError) as e:
            fault(m, "unreadable: %r" % e)
consumer.close()
if pending:
    faults.append("%d UPDATE_BEFOR without UPDATE_AFTER" % len(pending))
tables = {t: list(rows.values()) for t, rows in keyed.items()}
for t, bag in bags.items():
    tables[t] = [json.loads(r) for r, n in bag.items() for _ in range(n)]
json.dump({"tables": tables, "faults": faults, "resent": resent, "again": again, "messages": messages, "ops": ops, "runs": runs,
           "partitions": {n: len(t.partitions) for n, t in topics.items()}}, sys.stdout)
