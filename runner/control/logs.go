package control

import (
	"context"
	"time"

	"github.com/sluice-io/sluice/runner"
)

// Logs answers one page of a connector's log. q.ConnectorID is filled in.
func (s *Service) Logs(ctx context.Context, instance, name string, q runner.LogQuery) (LogPage, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return LogPage{}, err
	}
	q.ConnectorID = c.ID
	p, err := s.store.QueryLogs(ctx, q)
	return p, fromStore(err, "log")
}

// EachLog walks every line that q selects, for downloads. An error of each ends it
// and is returned as it is.
func (s *Service) EachLog(ctx context.Context, instance, name string, q runner.LogQuery, each func(runner.LogLine) error) error {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return err
	}
	q.ConnectorID = c.ID
	return s.store.EachLog(ctx, q, each)
}

// followEvery bounds how long a followed log can miss a line or a deleted connector.
const followEvery = 2 * time.Second

// FollowLogs gives the lines that q selects, oldest first, and then every new one
// until ctx ends (nil), each fails (its error), or the connector is deleted (nil).
// idle is called when nothing came for followEvery, so that a caller can notice
// that its client has gone; its error ends it too.
func (s *Service) FollowLogs(ctx context.Context, instance, name string, q runner.LogQuery, each func(runner.LogLine) error, idle func() error) error {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return err
	}
	q.ConnectorID, q.Ascending, q.Limit = c.ID, true, 1000
	for {
		appended := s.store.LogsAppended()
		page, err := s.store.QueryLogs(ctx, q)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fromStore(err, "log")
		}
		for _, l := range page.Lines {
			if err := each(l); err != nil {
				return err
			}
			q.After = l.ID
		}
		if page.Next != 0 {
			q.After = max(q.After, page.Next)
			continue
		}
		if done, err := s.awaitLog(ctx, instance, name, c.ID, appended, idle); done || err != nil {
			return err
		}
	}
}

func (s *Service) awaitLog(ctx context.Context, instance, name string, id int64, appended <-chan struct{}, idle func() error) (done bool, err error) {
	wait := time.NewTimer(followEvery)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return true, nil
	case <-appended:
		return false, nil
	case <-wait.C:
	}
	if err := idle(); err != nil {
		return true, err
	}
	c, err := s.Connector(ctx, instance, name)
	return err != nil || c.ID != id, nil
}

// Points gives at most n samples of a connector's charts, oldest first.
func (s *Service) Points(ctx context.Context, instance, name string, from, to time.Time, n int) ([]runner.Point, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	out, err := s.store.Points(ctx, c.ID, from, to, n)
	return out, fromStore(err, "points")
}
