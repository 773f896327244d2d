package runner

import "strings"

// PositionRow is where a connector stands in one partition, as its group has it committed.
type PositionRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // next offset to deliver; -1 when there is none
	// Pending: an intent stands in the commit's metadata that is not resolved yet.
	Pending bool `json:"pending"`
}

// PendingError refuses a removal or a position change because intents are not
// resolved: what was about to become visible is neither known to be there nor to be
// missing. Force goes on all the same, at the risk of doubling or losing the ranges.
type PendingError struct {
	Pending []string // one sentence each: topic, partition, offsets, what stands in the way
}

func (e *PendingError) Error() string {
	parts := make([]string, len(e.Pending))
	for i, p := range e.Pending {
		parts[i] = strings.TrimSuffix(p, ".")
	}
	return "deliveries are not settled yet: " + strings.Join(parts, "; ")
}

// RemoveOptions say how a connector is removed.
type RemoveOptions struct {
	KeepResources bool // topics and groups stay
	Force         bool // go on although intents are pending
}

// Resource is one of the topics and groups that a connector owns.
type Resource struct {
	Kind          string `json:"kind"` // topic or group
	Role          string `json:"role"` // for example "task offset topic"
	Name          string `json:"name"`
	Exists        bool   `json:"exists"`
	Partitions    int    `json:"partitions"`
	CleanupPolicy string `json:"cleanup_policy"`
	Detail        string `json:"detail"` // what is wrong with it, or who else uses it; "" when nothing
}
