package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

// Group is a consumer group as its coordinator describes it.
type Group struct {
	// State is Empty, Stable, PreparingRebalance, CompletingRebalance or Dead (also
	// for a group that does not exist).
	State   string
	Members []GroupMember // by ID
}

// GroupMember is one member of a Group.
type GroupMember struct {
	ID, InstanceID, ClientID, Host string
	Assigned                       map[string][]int32 // topic → partitions
}

// Groups are the names of all groups that the user may see.
func (a *Admin) Groups(ctx context.Context) ([]string, error) {
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, a.client.RefreshMetadata() }, nil)
	var all map[string]string
	if err == nil {
		all, err = await(ctx, a.ca.ListConsumerGroups, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("listing consumer groups: %w", classify(err))
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// DescribeGroup describes a group; one that does not exist has the state Dead.
func (a *Admin) DescribeGroup(ctx context.Context, name string) (Group, error) {
	var got *sarama.GroupDescription
	err := a.coordinate(ctx, name, func(b *sarama.Broker) (bool, error) {
		all, err := await(ctx, func() ([]*sarama.GroupDescription, error) { return a.ca.DescribeConsumerGroups([]string{name}) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		if len(all) != 1 {
			return false, sarama.ErrIncompleteResponse
		}
		got = all[0]
		if got.Err == sarama.ErrGroupIDNotFound {
			got = &sarama.GroupDescription{State: "Dead"}
			return false, nil
		}
		if got.Err != sarama.ErrNoError {
			return moved(got.Err), got.Err
		}
		return false, nil
	})
	if err != nil {
		return Group{}, fmt.Errorf("describing group %s: %w", name, err)
	}
	g := Group{State: got.State}
	for id, m := range got.Members {
		member := GroupMember{ID: id, ClientID: m.ClientId, Host: m.ClientHost}
		if m.GroupInstanceId != nil {
			member.InstanceID = *m.GroupInstanceId
		}
		// A member of another protocol, or one that just joins, has no assignment that
		// can be read: it is shown without.
		if as, err := m.GetMemberAssignment(); err == nil && as != nil {
			member.Assigned = as.Topics
		}
		g.Members = append(g.Members, member)
	}
	slices.SortFunc(g.Members, func(x, y GroupMember) int { return strings.Compare(x.ID, y.ID) })
	return g, nil
}

// DeleteGroup removes a group with its positions; an absent one is fine.
// ErrGroupInUse: it has members.
func (a *Admin) DeleteGroup(ctx context.Context, name string) error {
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, a.ca.DeleteConsumerGroup(name) }, nil)
	if err != nil && !errors.Is(err, sarama.ErrGroupIDNotFound) {
		return fmt.Errorf("deleting group %s: %w", name, classify(err))
	}
	return nil
}

// RemoveMembers removes static members from a group, so that their partitions go to
// others at once; absent ones are fine. Brokers below 2.4 do not offer it
// (ErrUnsupported): there the session timeout does it.
func (a *Admin) RemoveMembers(ctx context.Context, group string, instanceIDs ...string) error {
	return removeMembers(ctx, a.conn, group, instanceIDs...)
}

func removeMembers(ctx context.Context, k *conn, group string, instanceIDs ...string) error {
	if len(instanceIDs) == 0 {
		return nil
	}
	if !k.conf.Version.IsAtLeast(sarama.V2_4_0_0) {
		return fmt.Errorf("removing members of group %s: %w", group, ErrUnsupported)
	}
	err := k.coordinate(ctx, group, func(b *sarama.Broker) (bool, error) {
		req := &sarama.LeaveGroupRequest{Version: 4, GroupId: group}
		for _, id := range instanceIDs {
			req.Members = append(req.Members, sarama.MemberIdentity{GroupInstanceId: &id})
		}
		r, err := await(ctx, func() (*sarama.LeaveGroupResponse, error) { return b.LeaveGroup(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		if r.Err != sarama.ErrNoError && r.Err != sarama.ErrUnknownMemberId && r.Err != sarama.ErrGroupIDNotFound {
			return moved(r.Err), r.Err
		}
		for _, m := range r.Members {
			if m.Err != sarama.ErrNoError && m.Err != sarama.ErrUnknownMemberId {
				return moved(m.Err), m.Err
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("removing members of group %s: %w", group, err)
	}
	return nil
}
