package harness

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	"golang.org/x/sync/errgroup"
)

// Object is an object of a bucket with its content.
type Object struct {
	Key     string
	Content []byte
}

// judgeAttempts is how often the judge tries a request of its own: faults may still be on.
const judgeAttempts = 40

// Bucket opens a bucket of the stand-in with the official SDK.
func (o *Standin) Bucket(name string) (*oss.Bucket, error) {
	client, err := oss.New(o.URL, o.keyID, o.keySecret, oss.Timeout(5, 60))
	if err != nil {
		return nil, fmt.Errorf("making an OSS client: %w", err)
	}
	return client.Bucket(name)
}

// Objects reads every object below a prefix, in the order of their names.
func (o *Standin) Objects(prefix string) []Object {
	o.t.Helper()
	bucket, keys := o.list(prefix)
	objects := make([]Object, len(keys))
	var group errgroup.Group
	group.SetLimit(4)
	for i, key := range keys {
		group.Go(func() error {
			return insist(func() error {
				body, err := bucket.GetObject(key)
				if err != nil {
					return fmt.Errorf("reading %s: %w", key, err)
				}
				defer body.Close()
				content, err := io.ReadAll(body)
				objects[i] = Object{Key: key, Content: content}
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		o.t.Fatalf("%v", err)
	}
	return objects
}

// Keys are the names of the objects below a prefix.
func (o *Standin) Keys(prefix string) []string {
	o.t.Helper()
	_, keys := o.list(prefix)
	return keys
}

// list opens the tests' bucket and names the objects below a prefix.
func (o *Standin) list(prefix string) (*oss.Bucket, []string) {
	o.t.Helper()
	bucket, err := o.Bucket(OSSBucket)
	if err != nil {
		o.t.Fatalf("%v", err)
	}
	keys, err := listKeys(bucket, prefix)
	if err != nil {
		o.t.Fatalf("listing %s: %v", prefix, err)
	}
	return bucket, keys
}

func listKeys(bucket *oss.Bucket, prefix string) ([]string, error) {
	var keys []string
	token := ""
	for {
		var page oss.ListObjectsResultV2
		err := insist(func() (err error) {
			page, err = bucket.ListObjectsV2(oss.Prefix(prefix), oss.MaxKeys(1000), oss.ContinuationToken(token))
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, object := range page.Objects {
			keys = append(keys, object.Key)
		}
		if !page.IsTruncated {
			slices.Sort(keys)
			return keys, nil
		}
		token = page.NextContinuationToken
	}
}

// insist tries until it works or the attempts are used up.
func insist(act func() error) error {
	var err error
	for range judgeAttempts {
		if err = act(); err == nil {
			return nil
		}
		Pause(25 * time.Millisecond)
	}
	return err
}

// objectName is the last part of an object's name: topic, partition, first and last offset, extension.
var objectName = regexp.MustCompile(`(?:^|/)([^/]+)-(\d+)-(\d{20})-(\d{20})\.([a-z.]+)$`)

// JudgeBucket reads what a connector wrote below a prefix and compares it with the ledger: every number
// exactly once where Kafka has it, offsets that grow within each object, names that tell the first and last
// offset of their content, no two objects of a partition that overlap unless their paths differ by time.
func (o *Standin) JudgeBucket(ledger *Ledger, prefix string) Verdict {
	o.t.Helper()
	var seen []Seen
	var problems []string
	for _, object := range o.Objects(prefix) {
		records, err := ReadObject(object)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", object.Key, err))
			continue
		}
		if err := checkName(object.Key, records); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", object.Key, err))
		}
		seen = append(seen, records...)
	}
	v := ledger.Judge(seen)
	v.Problems = append(v.Problems, problems...)
	return v
}

// MustDeliver is JudgeBucket that ends the test when anything is wrong.
func (o *Standin) MustDeliver(ledger *Ledger, prefix string) {
	o.t.Helper()
	if v := o.JudgeBucket(ledger, prefix); !v.OK() {
		o.t.Fatalf("what is below %s is not what was produced: %s", prefix, v)
	}
}

// checkName compares an object's name with its content.
func checkName(key string, records []Seen) error {
	m := objectName.FindStringSubmatch(key)
	if m == nil {
		return fmt.Errorf("the name does not end in <topic>-<partition>-<first>-<last>.<ext>")
	}
	if len(records) == 0 {
		return fmt.Errorf("an object without records")
	}
	partition, _ := strconv.ParseInt(m[2], 10, 32)
	first, _ := strconv.ParseInt(m[3], 10, 64)
	last, _ := strconv.ParseInt(m[4], 10, 64)
	if records[0].Offset != first || records[len(records)-1].Offset != last {
		return fmt.Errorf("holds offsets %d to %d", records[0].Offset, records[len(records)-1].Offset)
	}
	for i, r := range records {
		if r.Topic != m[1] || int64(r.Partition) != partition {
			return fmt.Errorf("holds a record of %s-%d", r.Topic, r.Partition)
		}
		if i > 0 && r.Offset <= records[i-1].Offset {
			return fmt.Errorf("offset %d stands after %d", r.Offset, records[i-1].Offset)
		}
	}
	return nil
}
