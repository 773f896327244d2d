package control

import (
	"context"
	"slices"

	"github.com/sluice-io/sluice/runner/connector"
)

// selfHosted is the region of a cluster that stands in no cloud region.
const selfHosted = "self-hosted"

// BuiltinRegions are the regions that are known without an administrator adding them.
func BuiltinRegions() []connector.Region {
	return []connector.Region{
		{ID: "cn-hangzhou", Name: "China (Hangzhou)"},
		{ID: "cn-shanghai", Name: "China (Shanghai)"},
		{ID: "cn-beijing", Name: "China (Beijing)"},
		{ID: "cn-zhangjiakou", Name: "China (Zhangjiakou)"},
		{ID: "cn-huhehaote", Name: "China (Hohhot)"},
		{ID: "cn-shenzhen", Name: "China (Shenzhen)"},
		{ID: "cn-chengdu", Name: "China (Chengdu)"},
		{ID: "cn-hongkong", Name: "China (Hong Kong)"},
		{ID: "ap-southeast-1", Name: "Singapore"},
		{ID: "ap-northeast-1", Name: "Japan (Tokyo)"},
		{ID: selfHosted, Name: "Self-hosted"},
	}
}

// Regions lists the built-in regions and those that an administrator added.
func (s *Service) Regions(ctx context.Context) ([]connector.Region, error) {
	added, err := s.store.Regions(ctx)
	if err != nil {
		return nil, fromStore(err, "regions")
	}
	out := BuiltinRegions()
	for _, r := range added {
		if !slices.ContainsFunc(out, func(x connector.Region) bool { return x.ID == r.ID }) {
			out = append(out, r)
		}
	}
	return out, nil
}
