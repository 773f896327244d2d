//go:build !faults

package runner

// FaultsFromEnvironment is nil: only a program built with the tag "faults" can be
// told to kill itself.
func FaultsFromEnvironment(func(string) string) (Faults, error) { return nil, nil }
