package control

import (
	"context"
	"strconv"
	"strings"
)

// SetQuota sets how many connectors an instance may have. Fewer than it has delete
// nothing: no further ones can be made.
func (s *Service) SetQuota(ctx context.Context, instance, quota string) (InstanceInfo, error) {
	if err := need(ctx, Admin); err != nil {
		return InstanceInfo{}, err
	}
	quota = strings.TrimSpace(quota)
	if n, err := strconv.Atoi(quota); err != nil || n < 0 || n > maxQuota {
		return InstanceInfo{}, fieldError(InstanceQuota, "Write a whole number from 0 to %d.", maxQuota)
	}
	return s.PatchInstance(ctx, instance, map[string]*string{InstanceQuota: &quota})
}

// WaitingQuotaRequest is the newest request for more connectors on one instance that is
// not decided yet; ok is false when there is none. Unlike QuotaRequests it is for those
// who ask: operators.
func (s *Service) WaitingQuotaRequest(ctx context.Context, instance string) (r QuotaRequest, ok bool, err error) {
	if err := need(ctx, Operator); err != nil {
		return QuotaRequest{}, false, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return QuotaRequest{}, false, fromStore(err, "instance "+quoted(instance))
	}
	open, err := s.store.QuotaRequests(ctx, true)
	if err != nil {
		return QuotaRequest{}, false, fromStore(err, "quota requests")
	}
	for _, r := range open {
		if r.InstanceID == in.ID {
			return r, true, nil
		}
	}
	return QuotaRequest{}, false, nil
}
