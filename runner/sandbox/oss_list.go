package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"slices"
	"sort"
	"strings"
)

type listResult struct {
	XMLName        xml.Name `xml:"ListBucketResult"`
	Name           string
	Prefix         string
	Marker         *string
	StartAfter     string `xml:",omitempty"`
	MaxKeys        int
	Delimiter      string
	EncodingType   string `xml:",omitempty"`
	IsTruncated    bool
	NextMarker     string `xml:",omitempty"`
	KeyCount       *int
	Continuation   string `xml:"ContinuationToken,omitempty"`
	NextToken      string `xml:"NextContinuationToken,omitempty"`
	Contents       []listEntry
	CommonPrefixes []commonPrefix
}

type listEntry struct {
	Key          string
	LastModified string
	ETag         string
	Type         string
	Size         int64
	StorageClass string
	Owner        *ossOwner
}

type commonPrefix struct{ Prefix string }

// keyEncoder returns how names are written in a list: as they are, or percent-encoded when encoding-type=url asks so.
func keyEncoder(q url.Values) (func(string) string, *ossError) {
	switch q.Get("encoding-type") {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return escapeRFC3986, nil
	}
	return nil, errInvalidArgument("encoding-type", q.Get("encoding-type"), "Invalid Encoding Method specified in Request.")
}

func (o *OSS) listObjects(q *ossRequest) *ossError {
	v2 := q.operation == "ListObjectsV2"
	limit, oerr := maxItems(q.query, "max-keys", 100, 1000)
	if oerr != nil {
		return oerr
	}
	encode, oerr := keyEncoder(q.query)
	if oerr != nil {
		return oerr
	}
	after := q.query.Get("marker")
	if v2 {
		after = q.query.Get("start-after")
		if token := q.query.Get("continuation-token"); token != "" {
			decoded, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil {
				return errInvalidArgument("continuation-token", token, "The continuation token is invalid.")
			}
			after = string(decoded)
		}
	}
	prefix, delimiter := q.query.Get("prefix"), q.query.Get("delimiter")
	if len(prefix) > maxKeyBytes+1 || len(after) > maxKeyBytes+1 || len(delimiter) > maxKeyBytes+1 {
		return errInvalidArgument("prefix", prefix, "prefix, marker and delimiter must be at most 1023 bytes.")
	}
	page, ok := o.store.list(q.bucket, prefix, after, delimiter, limit)
	if !ok {
		return errNoSuchBucket(q.bucket)
	}
	result := listResult{Name: q.bucket, Prefix: encode(prefix), MaxKeys: limit, Delimiter: encode(delimiter),
		EncodingType: q.query.Get("encoding-type"), IsTruncated: page.more}
	withOwner := !v2 || q.query.Get("fetch-owner") == "true"
	for _, object := range page.objects {
		entry := listEntry{Key: encode(object.Key), LastModified: ossTime(object.Modified), ETag: `"` + object.ETag + `"`, Type: object.Type, Size: object.Size, StorageClass: "Standard"}
		if withOwner {
			owner := sandboxOwner()
			entry.Owner = &owner
		}
		result.Contents = append(result.Contents, entry)
	}
	for _, p := range page.prefixes {
		result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{encode(p)})
	}
	if v2 {
		count := len(page.objects) + len(page.prefixes)
		result.KeyCount, result.StartAfter, result.Continuation = &count, encode(q.query.Get("start-after")), q.query.Get("continuation-token")
		if page.more {
			result.NextToken = base64.RawURLEncoding.EncodeToString([]byte(page.next))
		}
	} else {
		marker := encode(after)
		result.Marker = &marker
		if page.more {
			result.NextMarker = encode(page.next)
		}
	}
	return q.writeXML(result)
}

// listPage is a part of a list in order of names.
type listPage struct {
	objects  []*ossObject
	prefixes []string
	more     bool
	next     string // the name after which the next page begins
}

// list returns names that begin with prefix and sort after after. Those that have delimiter behind the prefix are
// gathered into one common prefix, which counts as one of limit.
func (s *ossStore) list(bucket, prefix, after, delimiter string, limit int) (page listPage, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return page, false
	}
	at := sort.SearchStrings(b.keys, max(prefix, after))
	for at < len(b.keys) && strings.HasPrefix(b.keys[at], prefix) {
		key := b.keys[at]
		if key == after {
			at++
			continue
		}
		group := ""
		if delimiter != "" {
			if end := strings.Index(key[len(prefix):], delimiter); end >= 0 {
				group = key[:len(prefix)+end+len(delimiter)]
			}
		}
		if group != "" && group == after { // the page before ended with this common prefix
			at = skipGroup(b.keys, at, group)
			continue
		}
		if len(page.objects)+len(page.prefixes) == limit {
			page.more = true
			break
		}
		if group == "" {
			page.objects = append(page.objects, b.objects[key])
			page.next = key
			at++
			continue
		}
		page.prefixes = append(page.prefixes, group)
		page.next = group
		at = skipGroup(b.keys, at, group)
	}
	return page, true
}

// skipGroup returns where the names that begin with group end.
func skipGroup(keys []string, from int, group string) int {
	n, _ := slices.BinarySearchFunc(keys[from:], group, func(key, group string) int {
		if strings.HasPrefix(key, group) {
			return -1
		}
		return strings.Compare(key, group)
	})
	return from + n
}
