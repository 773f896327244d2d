package control

import (
	"context"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// maxQuota bounds what may be asked for and granted.
const maxQuota = 10_000

// RequestQuota asks the administrators for more connectors on an instance.
func (s *Service) RequestQuota(ctx context.Context, instance string, wanted int, reason string) (QuotaRequest, error) {
	if err := need(ctx, Operator); err != nil {
		return QuotaRequest{}, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return QuotaRequest{}, fromStore(err, "instance "+quoted(instance))
	}
	var problems []connector.FieldError
	if wanted <= in.Quota || wanted > maxQuota {
		problems = append(problems, connector.FieldError{Field: "wanted", Message: "Ask for more than the present quota of " + strconv.Itoa(in.Quota) + ", and at most " + strconv.Itoa(maxQuota) + "."})
	}
	reason = strings.TrimSpace(reason)
	if len([]rune(reason)) > 1000 {
		problems = append(problems, connector.FieldError{Field: "reason", Message: "At most 1000 characters."})
	}
	if err := invalid(problems); err != nil {
		return QuotaRequest{}, err
	}
	unlock, err := s.locks.lock(ctx, "quota of "+instance)
	if err != nil {
		return QuotaRequest{}, err
	}
	defer unlock()
	if open, waits, err := s.WaitingQuotaRequest(ctx, instance); err != nil {
		return QuotaRequest{}, err
	} else if waits {
		return QuotaRequest{}, conflict("%s asked for %d connectors on %s at %s, and no administrator has decided yet. Ask again after that, or ask them to grant more.",
			open.By, open.Wanted, quoted(instance), open.CreatedAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	r := QuotaRequest{InstanceID: in.ID, Instance: in.Name, Wanted: wanted, Reason: reason, By: ActorFrom(ctx).Name, State: "open"}
	if err := s.store.RequestQuota(ctx, &r); err != nil {
		return QuotaRequest{}, fromStore(err, "instance "+quoted(instance))
	}
	s.audit(ctx, "quota.request", instance, map[string]string{"wanted": strconv.Itoa(wanted)})
	return r, nil
}

// QuotaRequests lists what was asked for; administrators only.
func (s *Service) QuotaRequests(ctx context.Context, onlyOpen bool) ([]QuotaRequest, error) {
	if err := need(ctx, Admin); err != nil {
		return nil, err
	}
	out, err := s.store.QuotaRequests(ctx, onlyOpen)
	return out, fromStore(err, "quota requests")
}

// DecideQuota grants a request, which sets the instance's quota, or refuses it.
func (s *Service) DecideQuota(ctx context.Context, id int64, grant bool, quota int, note string) error {
	if err := need(ctx, Admin); err != nil {
		return err
	}
	if grant && (quota < 1 || quota > maxQuota) {
		return fieldError("quota", "must be from 1 to %d.", maxQuota)
	}
	if err := s.store.DecideQuota(ctx, id, grant, quota, ActorFrom(ctx).Name, strings.TrimSpace(note)); err != nil {
		return fromStore(err, "quota request")
	}
	s.audit(ctx, "quota.decide", strconv.FormatInt(id, 10), map[string]string{"granted": strconv.FormatBool(grant), "quota": strconv.Itoa(quota)})
	return nil
}
