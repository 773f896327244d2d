package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// freeSeatsTimeout bounds freeSeats, without which partitions only wait longer.
const freeSeatsTimeout = 5 * time.Second

// freeSeats removes from the group the seats of this node's tasks that are no more
// since tasks.max became smaller: their partitions would wait for the session timeout.
func (r *run) freeSeats(ctx context.Context, sub *subject) {
	if sub.spec.Kind != connector.KindSink {
		return
	}
	used := map[string]bool{}
	for i := range int(sub.config.Int(connector.KeyTasksMax)) {
		used[seatOf(r.s.o.Node, sub.row.Name, i)] = true
	}
	ctx, cancel := context.WithTimeout(ctx, freeSeatsTimeout)
	defer cancel()
	err := func() error {
		admin, err := kafka.OpenAdmin(ctx, sub.cluster)
		if err != nil {
			return fmt.Errorf("connecting to the instance: %w", err)
		}
		defer admin.Close()
		g, err := admin.DescribeGroup(ctx, sub.names.group)
		if err != nil {
			return fmt.Errorf("describing group %s: %w", sub.names.group, err)
		}
		left := slices.DeleteFunc(r.s.ownSeats(g), func(id string) bool { return used[id] })
		if len(left) == 0 {
			return nil
		}
		return admin.RemoveMembers(ctx, sub.names.group, left...)
	}()
	if err != nil {
		r.s.log.Warn("freeing the seats of ended tasks", "connector", sub.row.Name, "err", err)
	}
}

// ownSeats are the instance ids of the group's members that are this node's.
func (s *Supervisor) ownSeats(g kafka.Group) (ids []string) {
	for _, m := range g.Members {
		if strings.HasPrefix(m.InstanceID, s.o.Node+"-") {
			ids = append(ids, m.InstanceID)
		}
	}
	return ids
}

// removeSeats removes this node's static members from a group in which none of its
// tasks runs. It does what it can: without it the session timeout does the same.
func (s *Supervisor) removeSeats(ctx context.Context, admin *kafka.Admin, group string) {
	g, err := admin.DescribeGroup(ctx, group)
	if err != nil {
		return
	}
	seats := s.ownSeats(g)
	if len(seats) == 0 {
		return
	}
	if err := admin.RemoveMembers(ctx, group, seats...); err != nil {
		s.log.Warn("removing group members", "group", group, "err", err)
	}
}
