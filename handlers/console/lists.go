package console

import (
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
)

// lists are what the page and its navigation both show: read once a request.
type lists struct {
	instances  []control.InstanceInfo
	connectors *models.ConnectorList
}

// instances are all instances by name.
func (q *request) instances() ([]control.InstanceInfo, error) {
	if q.lists.instances == nil {
		all, err := q.c.control.Instances(q.Request.Context())
		if err != nil {
			return nil, err
		}
		q.lists.instances = all
	}
	return q.lists.instances, nil
}

// connectors are all connectors, those that need somebody first.
func (q *request) connectors() (models.ConnectorList, error) {
	if q.lists.connectors == nil {
		list, err := q.c.store.ListConnectors(q.Request.Context(), models.ConnectorQuery{})
		if err != nil {
			return models.ConnectorList{}, err
		}
		q.lists.connectors = &list
	}
	return *q.lists.connectors, nil
}

// instanceInfo is the instance that the path names: NotFound when there is none.
func (q *request) instanceInfo() (control.InstanceInfo, error) {
	all, err := q.instances()
	if err != nil {
		return control.InstanceInfo{}, err
	}
	for _, in := range all {
		if in.Name == q.instance() {
			return in, nil
		}
	}
	return q.c.control.Instance(q.Request.Context(), q.instance()) // says that it is not there
}

// filtered are the connectors that a query selects. Without a filter they come from
// what the navigation needs anyway.
func (q *request) filtered(query models.ConnectorQuery, active bool) (models.ConnectorList, error) {
	if active {
		return q.c.store.ListConnectors(q.Request.Context(), query)
	}
	list, err := q.connectors()
	if err != nil {
		return list, err
	}
	from := min(query.Offset, len(list.Rows))
	list.Rows = list.Rows[from:min(from+query.Limit, len(list.Rows))]
	return list, nil
}
