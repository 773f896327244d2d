package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// onlyParameters refuses a query with parameters that the call does not have: one that
// is written wrong, and so would narrow nothing, must not give an answer that looks right.
func onlyParameters(query string, known []string) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return &statusError{http.StatusBadRequest, "The query cannot be read: " + err.Error() + "."}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return &statusError{http.StatusBadRequest, fmt.Sprintf("There is no parameter %s; this call has none.", strconv.Quote(clip(name)))}
		case !slices.Contains(known, name):
			return &statusError{http.StatusBadRequest, fmt.Sprintf("There is no parameter %s; known are %s.", strconv.Quote(clip(name)), strings.Join(known, ", "))}
		case len(given[name]) > 1:
			return &statusError{http.StatusBadRequest, fmt.Sprintf("The parameter %s is given %d times; give it once.", name, len(given[name]))}
		}
	}
	return nil
}
