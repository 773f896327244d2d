package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// regionProblems refuses names of regions that nobody knows. The instance's own is
// always right, and what a connector has already stays when its region is removed.
func regionProblems(c *candidate, kept connector.Config) []connector.FieldError {
	var out []connector.FieldError
	for _, f := range c.spec.Fields() {
		v := c.resolved.Get(f.Key)
		if !f.Region || v == "" || v == c.env.Region || v == kept.Get(f.Key) || !f.Shown(c.resolved, c.env) {
			continue
		}
		if !slices.ContainsFunc(c.env.Regions, func(r connector.Region) bool { return r.ID == v }) {
			out = append(out, connector.FieldError{Field: f.Key, Message: unknownRegion(v, c.env.Regions)})
		}
	}
	return out
}

// unknownRegion says which region was likely meant, and which there are.
func unknownRegion(name string, known []connector.Region) string {
	ids := make([]string, len(known))
	for i, r := range known {
		ids[i] = r.ID
	}
	hint, asked := "", strings.ToLower(strings.Join(strings.Fields(name), "-"))
	for _, r := range known {
		if distance(asked, r.ID) <= 2 || strings.EqualFold(name, r.Name) {
			hint = " Did you mean " + r.ID + "?"
			break
		}
	}
	return fmt.Sprintf("There is no region %s.%s Known are %s; an administrator can add one.", quoted(name), hint, strings.Join(ids, ", "))
}

// distance is how many letters must be put in, taken out or changed to make b of a:
// Levenshtein's, for names of a few dozen letters.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}

// regionsFirst leaves out what other rules say of a field whose region is not known.
func regionsFirst(regions, others []connector.FieldError) []connector.FieldError {
	return append(slices.DeleteFunc(others, func(p connector.FieldError) bool {
		return slices.ContainsFunc(regions, func(r connector.FieldError) bool { return r.Field == p.Field })
	}), regions...)
}
