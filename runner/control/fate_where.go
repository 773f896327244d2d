package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	// locateTimeout bounds the search at the destination; the fate is told without it.
	locateTimeout = 6 * time.Second
	// shapesTried is how many earlier ways of naming objects are tried, and
	// placesNamed how many places are told.
	shapesTried = 4
	placesNamed = 3
)

// delivered is the fate of a record that the position has passed. That it was delivered
// is known; where it stands is looked up at the destination, which may fail.
func (s *Service) delivered(ctx context.Context, c Connector, tp kafka.TP, offset int64) Fate {
	f := Fate{State: FateDelivered, Connector: c.Name, Where: destination(c)}
	if c.Spec == nil || c.Spec.Locate == nil {
		return f
	}
	if err := s.live.take(ActorFrom(ctx).Name, s.now()); err != nil {
		f.Reason = AsError(err).Message
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, locateTimeout)
	defer cancel()
	places, err := s.locate(ctx, c, tp, offset)
	switch {
	case err != nil:
		f.Reason = "Where exactly cannot be told: " + sentence(connector.Brief(err))
	case len(places) == 0:
		f.Reason = "It is not there any more under the name it was given: it may have been moved or deleted since."
	default:
		f.Places = places[:min(len(places), placesNamed)]
		names := make([]string, len(f.Places))
		for i, p := range f.Places {
			names[i] = p.Name
		}
		f.Where = strings.Join(names, ", ")
		if len(places) > placesNamed {
			f.Reason = fmt.Sprintf("It was delivered %d times; the position was set back.", len(places))
		}
	}
	return f
}

// locate reads the record and asks the connector where it is, by the configuration of
// now and then by those that were in force before.
func (s *Service) locate(ctx context.Context, c Connector, tp kafka.TP, offset int64) ([]connector.Place, error) {
	row, _, err := s.find(ctx, c.Instance, c.Name)
	if err != nil {
		return nil, err
	}
	in, err := s.store.Instance(ctx, row.InstanceID)
	if err != nil {
		return nil, fmt.Errorf("reading the instance: %w", err)
	}
	page, err := s.pageAt(ctx, in, tp, offset)
	if err != nil {
		return nil, err
	}
	r := &page.Records[0]
	r.Topic, r.Partition = tp.Topic, tp.Partition
	shapes, err := s.shapes(ctx, c, row)
	if err != nil {
		return nil, err
	}
	for _, cfg := range shapes {
		places, err := c.Spec.Locate(ctx, cfg, s.sup.Deps(in, row.Name, row.UUID, cfg), r)
		if err != nil || len(places) > 0 {
			return places, err
		}
	}
	return nil, nil
}

// pageAt reads the page that one record begins: its time decides where it went.
func (s *Service) pageAt(ctx context.Context, in runner.Instance, tp kafka.TP, offset int64) (kafka.Page, error) {
	reader, err := s.kafka.Read(ctx, s.sup.Cluster(in))
	if err != nil {
		return kafka.Page{}, notAnswering(in, err)
	}
	defer reader.Close()
	page, err := reader.Fetch(ctx, tp, offset, fateFetch, time.Second)
	switch {
	case errors.Is(err, kafka.ErrOutOfRange), err == nil && (len(page.Records) == 0 || page.Records[0].Offset != offset):
		return kafka.Page{}, errors.New("the record itself is no longer in the topic, and its time decides the place")
	case err != nil:
		return kafka.Page{}, notAnswering(in, err)
	}
	return page, nil
}

// shapes are the configurations that may have named the record's place: the present one,
// then with the shape settings of earlier versions, newest first.
func (s *Service) shapes(ctx context.Context, c Connector, row runner.Connector) ([]connector.Config, error) {
	now := c.Spec.Resolve(row.Config, c.Env)
	out := []connector.Config{now}
	versions, err := s.store.Versions(ctx, row.ID)
	if err != nil {
		return nil, fromStore(err, "connector "+quoted(row.Name))
	}
	for _, v := range versions {
		then, cfg := c.Spec.Resolve(v.Config, c.Env), now.Clone()
		for _, f := range c.Spec.Fields() {
			if f.Shapes {
				cfg[f.Key] = then[f.Key]
			}
		}
		known := false
		for _, have := range out {
			known = known || maps.Equal(have, cfg)
		}
		if !known {
			out = append(out, cfg)
		}
		if len(out) > shapesTried {
			break
		}
	}
	return out, nil
}
