//go:build kafka

package runner_test

import "testing"

func TestRealSourcesLife(t *testing.T)          { needsKafka(t); t.Parallel(); sourcesLife(t) }
func TestRule16RealSourceIsKilled(t *testing.T) { needsKafka(t); t.Parallel(); sourceIsKilled(t) }
func TestRule14RealTwoProcesses(t *testing.T)   { needsKafka(t); t.Parallel(); sourceInTwoProcesses(t) }
func TestRealSourcesGap(t *testing.T)           { needsKafka(t); t.Parallel(); sourcesGap(t) }
func TestRule15RealOffsetTopic(t *testing.T)    { needsKafka(t); t.Parallel(); sourcesKeptTopics(t) }
func TestRule15RealLostPosition(t *testing.T)   { needsKafka(t); t.Parallel(); sourcesLostPosition(t) }
func TestRule15RealTakeOver(t *testing.T)       { needsKafka(t); t.Parallel(); sourceIsTakenOver(t) }
