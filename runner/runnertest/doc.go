// Package runnertest holds what tests of sinks and of the delivery task share: a
// conformance suite that every sink passes, a sink whose destination lives in memory
// and notices doubles and overwrites, and the injection of faults at the named steps
// of the delivery protocol.
package runnertest
