package maxcompute

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// locate names the table partition that a delivered record stands in, if there is one:
// rows have no addresses, and looking for one is a statement of minutes.
func locate(ctx context.Context, cfg connector.Config, deps connector.Deps, r *record.Record) ([]connector.Place, error) {
	s, err := newSink(cfg, deps, &paces{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	pt := string(s.shape.path.Render(nil, r))
	query := url.Values{"partition": {partitionColumn + "=" + quote(pt)}, "curr_project": {s.place.project}}
	if s.place.schema != "" {
		query.Set("curr_schema", s.place.schema)
	}
	_, err = s.client.do(ctx, call{doing: "looking for partition " + pt + " of " + s.place.sql(), method: http.MethodGet,
		path: "/projects/" + url.PathEscape(s.place.project) + "/tables/" + url.PathEscape(s.place.table), query: query})
	if errors.Is(err, errNoPartition) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []connector.Place{{Name: "odps://" + s.place.sql() + "/" + partitionColumn + "=" + pt, Server: s.client.endpoint.Host, Container: s.place.sql(), Key: partitionColumn + "=" + pt}}, nil
}
