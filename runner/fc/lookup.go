package fc

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// Listings are bounded: a picker is no inventory.
const (
	listPages = 10
	listLimit = "limit=100"
)

func lookupServices(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.Option, error) {
	asked := cfg.Clone()
	asked[keyService] = "any" // services are 2.0's, and asked for as there
	return lookup(ctx, asked, deps, func(*client) (path, action string) { return "/" + version2 + "/services", "" })
}

func lookupFunctions(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.Option, error) {
	return lookup(ctx, cfg, deps, func(c *client) (path, action string) {
		if c.v3() {
			return "/" + version3 + "/functions", "ListFunctions"
		}
		return c.servicePath() + "/functions", ""
	})
}

// lookup lists what path names, page after page.
func lookup(ctx context.Context, cfg connector.Config, deps connector.Deps, what func(*client) (path, action string)) ([]connector.Option, error) {
	if cfg.Get(keyEndpoint) == "" || !aliyun.HasCredentials(cfg) {
		return nil, nil
	}
	c, err := newClient(cfg, deps)
	if err != nil {
		return nil, err
	}
	defer c.close()
	path, action := what(c)
	k := c.classify
	var out []connector.Option
	query := listLimit
	for range listPages {
		var page struct {
			Services []struct {
				ServiceName string `json:"serviceName"`
				Description string `json:"description"`
			} `json:"services"`
			Functions []struct {
				FunctionName string `json:"functionName"`
				Description  string `json:"description"`
				Runtime      string `json:"runtime"`
			} `json:"functions"`
			NextToken string `json:"nextToken"`
		}
		a, err := c.get(ctx, path, query, action, &page)
		if err != nil {
			return nil, k.failed("listing what the account has", err)
		}
		if !a.ok() {
			return nil, k.refused("listing what the account has", &a)
		}
		for _, s := range page.Services {
			out = append(out, connector.Option{Value: s.ServiceName, Label: s.ServiceName, Help: s.Description})
		}
		for _, f := range page.Functions {
			out = append(out, connector.Option{Value: f.FunctionName, Label: f.FunctionName, Help: strings.TrimSpace(f.Runtime + " " + f.Description)})
		}
		if page.NextToken == "" {
			break
		}
		query = listLimit + "&nextToken=" + escape(page.NextToken)
	}
	slices.SortFunc(out, func(a, b connector.Option) int { return strings.Compare(a.Value, b.Value) })
	return out, nil
}
