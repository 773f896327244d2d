package connector

import "time"

// State is the state of a connector, a task or a partition; the values are those of
// detail.state in REST answers.
type State string

const (
	StateDraft       State = "DRAFT"
	StateNotDeployed State = "NOT_DEPLOYED"
	StateDeploying   State = "DEPLOYING"
	StateRunning     State = "RUNNING"
	StateRecovering  State = "RECOVERING"
	StateDegraded    State = "DEGRADED"
	StateFailed      State = "FAILED"
	StateGap         State = "GAP"
	StateSuspending  State = "SUSPENDING"
	StateSuspended   State = "SUSPENDED"
	StateStopped     State = "STOPPED"
	StateDeleting    State = "DELETING"
)

// Status is a state with why and since when.
type Status struct {
	State  State     `json:"state"`
	Cause  string    `json:"cause"`
	Remedy string    `json:"remedy"`
	Since  time.Time `json:"since"`
	// Stalled: records wait and nothing has moved for longer than the settings explain.
	Stalled bool `json:"stalled"`
	// Field is the key of the setting that is the cause, "" when none is.
	Field string `json:"field,omitempty"`
	// Claimant is the installation that runs the connector, when that is the cause.
	Claimant string `json:"claimant,omitempty"`
}

// ConnectWord is Kafka Connect's word for the state of a connector.
func (s State) ConnectWord() string {
	switch s {
	case StateNotDeployed, StateStopped:
		return "STOPPED"
	case StateDeploying:
		return "UNASSIGNED"
	case StateRunning, StateRecovering, StateDegraded:
		return "RUNNING"
	case StateFailed, StateGap:
		return "FAILED"
	case StateSuspending, StateSuspended:
		return "PAUSED"
	}
	return "UNASSIGNED"
}
