package console

import (
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

const (
	objectsPage    = 100
	newestShown    = 10
	objectsScanned = 20_000   // that are looked through for folders
	previewBytes   = 64 << 10 // of an object's content on the page
	previewHex     = 2 << 10
	downloadBytes  = 8 << 20
)

// sandboxObjects shows what the object store received: folders, objects, one's content.
func (c *Console) sandboxObjects(q *request) error {
	buckets := c.sandbox.Buckets()
	m := views.SandboxObjectsPage{SandboxPage: q.sandboxPage(tabObjects), Prefix: q.Query("prefix"), Bucket: q.Query("bucket")}
	ctx := q.Request.Context()
	for _, b := range buckets {
		m.Buckets = append(m.Buckets, components.Option{Value: b.Name, Hint: text.T(ctx, "sandbox_page.bucket", text.Number(int64(b.Objects)), components.Bytes(b.Bytes))})
	}
	if m.Bucket == "" && len(buckets) > 0 {
		m.Bucket = buckets[0].Name
	}
	if m.Bucket == "" {
		return q.render(http.StatusOK, views.SandboxObjects(m))
	}
	if err := c.listObjects(q, &m); err != nil {
		return sandboxError(q, err)
	}
	key := q.Query("key")
	if latest, ok := c.sandbox.(SandboxLatest); ok && m.Prefix == "" {
		list, err := latest.Latest(m.Bucket, newestShown)
		if err != nil {
			return sandboxError(q, err)
		}
		if key == "" && len(list) > 0 {
			key = list[0].Key // a newcomer sees at once what arrived
		}
		for _, o := range list {
			m.Newest = append(m.Newest, views.Object{Name: o.Key, Href: objectsURL(m.Bucket, "", "", o.Key), Size: o.Size, Time: o.Modified, Current: o.Key == key})
		}
	}
	if key != "" {
		shown, err := c.objectContent(q, m.Bucket, key)
		if err != nil {
			return sandboxError(q, err)
		}
		m.Chosen = shown
	}
	return q.render(http.StatusOK, views.SandboxObjects(m))
}

// objectsURL is the page with a bucket, a folder and an object chosen.
func objectsURL(bucket, prefix, after, key string) string {
	v := url.Values{"bucket": {bucket}}
	for name, value := range map[string]string{"prefix": prefix, "after": after, "key": key} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return tabObjects + "?" + v.Encode()
}

// listObjects fills in one page of a folder: what has a slash behind the prefix is a
// folder, which is skipped over as a whole.
func (c *Console) listObjects(q *request, m *views.SandboxObjectsPage) error {
	after, key := q.Query("after"), q.Query("key")
	folders := map[string]bool{}
	for scanned := 0; scanned < objectsScanned && len(m.Objects)+len(m.Folders) < objectsPage; {
		list, more, err := c.sandbox.Objects(m.Bucket, m.Prefix, after, objectsPage)
		if err != nil {
			return err
		}
		for _, o := range list {
			scanned++
			after = o.Key
			rest := strings.TrimPrefix(o.Key, m.Prefix)
			if folder, _, deeper := strings.Cut(rest, "/"); deeper && folder != "" {
				name := m.Prefix + folder + "/"
				if !folders[name] {
					folders[name] = true
					m.Folders = append(m.Folders, views.Folder{Name: folder + "/", Href: objectsURL(m.Bucket, name, "", "")})
				}
				after = name + "\U0010FFFF" // behind everything in it
				break
			}
			m.Objects = append(m.Objects, views.Object{Name: rest, Href: objectsURL(m.Bucket, m.Prefix, q.Query("after"), o.Key), Size: o.Size, Time: o.Modified, Current: o.Key == key})
			if len(m.Objects)+len(m.Folders) >= objectsPage {
				break
			}
		}
		if len(list) == 0 || !more && after == list[len(list)-1].Key {
			after = ""
			break
		}
	}
	if after != "" {
		m.Next = objectsURL(m.Bucket, m.Prefix, after, "")
	}
	if m.Prefix != "" {
		up := path.Dir(strings.TrimSuffix(m.Prefix, "/"))
		if up == "." || up == "/" {
			up = ""
		} else {
			up += "/"
		}
		m.Up = objectsURL(m.Bucket, up, "", "")
	}
	return nil
}

// objectContent is one object with the beginning of its content, which is for
// operators: it is payload.
func (c *Console) objectContent(q *request, bucket, key string) (*views.ObjectContent, error) {
	ctx := q.Request.Context()
	content, err := c.sandbox.Content(ctx, bucket, key, previewBytes)
	if err != nil {
		return nil, err
	}
	out := &views.ObjectContent{Key: key, Size: content.Size, Time: content.Modified, MediaType: content.ContentType, Truncated: content.Truncated,
		Facts: []components.Pair{{Key: "ETag", Value: content.ETag, Mono: true}, {Key: "CRC64", Value: strconv.FormatUint(content.CRC64, 10), Mono: true}, {Key: text.T(ctx, "sandbox_page.kind"), Value: content.Type}}}
	if content.Compression != "" {
		out.Facts = append(out.Facts, components.Pair{Key: text.T(ctx, "sandbox_page.compression"), Value: content.Compression})
	}
	switch {
	case !q.may(control.Operator):
		out.Preview, out.Truncated = text.T(ctx, "sandbox_page.no_payload"), false
	case content.Problem != "":
		out.Preview = text.T(ctx, "sandbox_page.problem", content.Problem)
	case content.Text:
		out.Preview = string(content.Data)
	default:
		out.Preview = hex.Dump(content.Data[:min(len(content.Data), previewHex)])
		out.Truncated = content.Truncated || len(content.Data) > previewHex
	}
	if q.may(control.Operator) {
		out.Download = "/sandbox/object?" + url.Values{"bucket": {bucket}, "key": {key}}.Encode()
	}
	return out, nil
}

// sandboxObject downloads an object, decompressed, up to downloadBytes.
func (c *Console) sandboxObject(q *request) error {
	key := q.Query("key")
	content, err := c.sandbox.Content(q.Request.Context(), q.Query("bucket"), key, downloadBytes)
	if err != nil {
		return sandboxError(q, err)
	}
	h := q.Writer.Header()
	name := path.Base(key)
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		name = "object"
	}
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(content.Data)))
	q.Writer.WriteHeader(http.StatusOK)
	_, _ = q.Writer.Write(content.Data) // the client went away: nobody is left to tell
	return nil
}

func sandboxError(q *request, err error) error {
	if errors.Is(err, ErrSandboxNotFound) {
		return q.notFound()
	}
	return err
}
