package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	ossOwnerID  = "1000000000000001"
	ossLocation = "oss-self-hosted"
)

func md5Header(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// ossTime is how OSS writes times in its documents.
func ossTime(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z")
}

type ossOwner struct{ ID, DisplayName string }

func sandboxOwner() ossOwner { return ossOwner{ossOwnerID, "sandbox"} }

type listBucketsResult struct {
	XMLName     xml.Name `xml:"ListAllMyBucketsResult"`
	Prefix      string
	Marker      string
	MaxKeys     int
	IsTruncated bool
	NextMarker  string `xml:",omitempty"`
	Owner       ossOwner
	Buckets     []bucketEntry `xml:"Buckets>Bucket"`
}

type bucketEntry struct {
	Name             string
	Location         string
	CreationDate     string
	ExtranetEndpoint string
	IntranetEndpoint string
	StorageClass     string
}

func (o *OSS) bucketEntry(b *ossBucket) bucketEntry {
	host := o.listener.Addr().String()
	return bucketEntry{b.name, ossLocation, ossTime(b.created), host, host, "Standard"}
}

func (o *OSS) listBuckets(q *ossRequest) *ossError {
	limit, oerr := maxItems(q.query, "max-keys", 100, 1000)
	if oerr != nil {
		return oerr
	}
	result := listBucketsResult{Prefix: q.query.Get("prefix"), Marker: q.query.Get("marker"), MaxKeys: limit, Owner: sandboxOwner()}
	o.fillBuckets(&result)
	return q.writeXML(result)
}

// fillBuckets looks at the index; the answer is written without its lock, which a slow client would hold.
func (o *OSS) fillBuckets(result *listBucketsResult) {
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	limit := result.MaxKeys
	names := make([]string, 0, len(o.store.buckets))
	for name := range o.store.buckets {
		if strings.HasPrefix(name, result.Prefix) && name > result.Marker {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > limit {
		names, result.IsTruncated, result.NextMarker = names[:limit], true, names[limit-1]
	}
	for _, name := range names {
		result.Buckets = append(result.Buckets, o.bucketEntry(o.store.buckets[name]))
	}
}

func (o *OSS) putBucket(q *ossRequest) *ossError {
	for _, sub := range []string{"acl", "lifecycle", "versioning", "policy", "cors", "logging", "website", "referer", "worm", "encryption", "tagging"} {
		if q.query.Has(sub) {
			return errNotImplemented("a bucket's " + sub)
		}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(q.r.Body, maxXMLBytes)); err != nil {
		return o.storeError(q, &bodyError{err})
	}
	if err := o.store.createBucket(q.bucket, q.now); err != nil {
		return o.storeError(q, err)
	}
	q.w.Header().Set("Location", "/"+q.bucket)
	q.w.WriteHeader(http.StatusOK)
	return nil
}

func (o *OSS) deleteBucket(q *ossRequest) *ossError {
	existed, empty, err := o.store.deleteBucket(q.bucket)
	switch {
	case err != nil:
		return o.storeError(q, err)
	case !existed:
		return errNoSuchBucket(q.bucket)
	case !empty:
		return ossErr(http.StatusConflict, "BucketNotEmpty", "The bucket has objects. Please delete them first.").with("BucketName", q.bucket)
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

type bucketInfoResult struct {
	XMLName xml.Name   `xml:"BucketInfo"`
	Bucket  bucketInfo `xml:"Bucket"`
}

type bucketInfo struct {
	bucketEntry
	Owner             ossOwner
	AccessControlList struct{ Grant string }
}

type bucketStatResult struct {
	XMLName                                 xml.Name `xml:"BucketStat"`
	Storage, ObjectCount                    int64
	MultipartUploadCount                    int
	StandardStorage, StandardObjectCount    int64
	LastModifiedTime, LiveChannelCount      int64
	InfrequentAccessStorage, ArchiveStorage int64
}

type bucketLocation struct {
	XMLName xml.Name `xml:"LocationConstraint"`
	Value   string   `xml:",chardata"`
}

type bucketACL struct {
	XMLName xml.Name `xml:"AccessControlPolicy"`
	Owner   ossOwner
	Grant   string `xml:"AccessControlList>Grant"`
}

type bucketVersioning struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
}

func (o *OSS) describeBucket(q *ossRequest) *ossError {
	description, oerr := o.bucketDescription(q)
	if oerr != nil {
		return oerr
	}
	return q.writeXML(description)
}

func (o *OSS) bucketDescription(q *ossRequest) (any, *ossError) {
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	b := o.store.buckets[q.bucket]
	if b == nil {
		return nil, errNoSuchBucket(q.bucket)
	}
	switch q.operation {
	case "GetBucketInfo":
		info := bucketInfo{bucketEntry: o.bucketEntry(b), Owner: sandboxOwner()}
		info.AccessControlList.Grant = "private"
		return bucketInfoResult{Bucket: info}, nil
	case "GetBucketLocation":
		return bucketLocation{Value: ossLocation}, nil
	case "GetBucketAcl":
		return bucketACL{Owner: sandboxOwner(), Grant: "private"}, nil
	case "GetBucketVersioning": // never enabled: the element stays empty, as with the service
		return bucketVersioning{}, nil
	}
	count := int64(len(b.objects))
	return bucketStatResult{Storage: b.bytes, ObjectCount: count, MultipartUploadCount: len(b.uploads),
		StandardStorage: b.bytes, StandardObjectCount: count, LastModifiedTime: q.now.Unix()}, nil
}

// maxItems reads a limit of a list, 1 to most.
func maxItems(q map[string][]string, name string, standard, most int) (int, *ossError) {
	values := q[name]
	if len(values) == 0 || values[0] == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < 1 || n > most {
		return 0, errInvalidArgument(name, values[0], "Argument "+name+" must be an integer between 1 and "+strconv.Itoa(most)+".")
	}
	return n, nil
}
