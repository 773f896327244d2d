package api

import (
	"encoding/base64"
	"net/http"
	"sort"
	"strconv"
)

const maxPage = 1000

// page answers one page of a list that is sorted by key: limit items (1 to 1000, by
// default 1000) after the cursor. The cursor is the key of the last item, encoded, so
// that what is added or removed meanwhile neither repeats nor hides another item.
func page[T any](c *call, noun string, all []T, key func(T) string) error {
	limit := maxPage
	if s := c.Query("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			return invalid("limit", "must be a number from 1 to %d.", maxPage)
		}
		limit = n
	}
	from := 0
	if s := c.Query("cursor"); s != "" {
		last, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			return invalid("cursor", "is not a cursor that this server gave.")
		}
		from = sort.Search(len(all), func(i int) bool { return key(all[i]) > string(last) })
	}
	items := append([]T{}, all[from:min(len(all), from+limit)]...)
	next := ""
	if from+limit < len(all) {
		next = base64.RawURLEncoding.EncodeToString([]byte(key(items[len(items)-1])))
	}
	return c.ok(http.StatusOK, map[string]any{noun: items, "next": next})
}
