package oss

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// offsetDigits is how an object's name writes an offset (record.ObjectName).
	offsetDigits = 20
	// locatePages bounds how many listings one look-up may cost, of locateKeys names each.
	locatePages = 40
	locateKeys  = 1000
)

// locate finds the objects that hold a delivered record by their names: the record's
// own path, topic and partition, and offsets around its own. Names of one path sort by
// their first offset, so the names below the record's offset are listed in windows that
// grow downwards. Several are there after a position was set back. Any extension
// counts: the format may have changed since.
func locate(ctx context.Context, cfg connector.Config, deps connector.Deps, r *record.Record) ([]connector.Place, error) {
	l, err := newLayout(cfg)
	if err != nil {
		return nil, err
	}
	stem, err := l.stem(r)
	if err != nil {
		return nil, err
	}
	c, err := newClient(cfg, deps)
	if err != nil {
		return nil, err
	}
	defer c.close()
	f := &finder{client: c, classify: c.classify, stem: stem}
	window := max(cfg.Int(connector.KeyFlushSize), locateKeys)
	for above := r.Offset + 1; above > 0; window *= 8 {
		from := max(0, r.Offset+1-window)
		names, err := f.covering(ctx, from, above, r.Offset)
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			return places(cfg, names), nil
		}
		above = from
	}
	return nil, nil
}

// stem is what the names of all objects begin with that could hold the record.
func (l *layout) stem(r *record.Record) (string, error) {
	path := string(l.path.Render(nil, r))
	name, err := l.name(connector.Range{Topic: r.Topic, Partition: r.Partition}, entry{Path: path, First: r.Offset, Last: r.Offset})
	if err != nil {
		return "", err
	}
	behind := 2*offsetDigits + len("-.") + len(l.format.Ext(l.compression))
	return name[:len(name)-behind], nil
}

// places are the objects in the bucket as people and tools name them.
func places(cfg connector.Config, names []string) []connector.Place {
	bucket, server := cfg.Get(keyBucket), ""
	if u, err := aliyun.EndpointURL(cfg.Get(keyEndpoint)); err == nil {
		server = aliyun.HostPort(u)
	}
	out := make([]connector.Place, len(names))
	for i, name := range names {
		out[i] = connector.Place{Name: "oss://" + bucket + "/" + name, Server: server, Container: bucket, Key: name}
	}
	return out
}

// finder lists the objects of one stem.
type finder struct {
	client   *client
	classify *classifier
	stem     string
	pages    int
}

// covering lists the names whose first offset is from ≤ first < above and whose range
// holds the offset.
func (f *finder) covering(ctx context.Context, from, above, offset int64) ([]string, error) {
	var out []string
	for marker := fmt.Sprintf("%s%0*d", f.stem, offsetDigits, from); ; {
		if f.pages++; f.pages > locatePages {
			return nil, fmt.Errorf("the object was not among %d names that were looked at", locatePages*locateKeys)
		}
		page, err := f.list(ctx, marker)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Objects {
			first, last, ok := offsetsOf(strings.TrimPrefix(o.Key, f.stem))
			if ok && first >= above {
				return out, nil
			}
			if ok && first <= offset && offset <= last {
				out = append(out, o.Key)
			}
		}
		if !page.IsTruncated || len(page.Objects) == 0 {
			return out, nil
		}
		marker = page.Objects[len(page.Objects)-1].Key
	}
}

func (f *finder) list(ctx context.Context, marker string) (oss.ListObjectsResult, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var page oss.ListObjectsResult
	err := f.client.do(ctx, func() (err error) {
		page, err = f.client.bucket.ListObjects(oss.Prefix(f.stem), oss.Marker(marker), oss.MaxKeys(locateKeys), oss.WithContext(ctx))
		return err
	})
	if err != nil {
		return page, f.classify.classify("listing the objects of bucket "+f.client.bucket.BucketName, err)
	}
	slices.SortFunc(page.Objects, func(a, b oss.ObjectProperties) int { return strings.Compare(a.Key, b.Key) })
	return page, nil
}

// offsetsOf reads what stands behind the stem: first offset, last offset, extension.
func offsetsOf(rest string) (first, last int64, ok bool) {
	a, rest, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, 0, false
	}
	b, ext, ok := strings.Cut(rest, ".")
	if !ok || ext == "" || strings.Contains(ext, "/") || len(a) != offsetDigits || len(b) != offsetDigits {
		return 0, 0, false
	}
	first, err := strconv.ParseInt(a, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	last, err = strconv.ParseInt(b, 10, 64)
	return first, last, err == nil && last >= first
}
