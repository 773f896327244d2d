package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
)

// Options configure a sandbox. Only DataDir is needed.
type Options struct {
	// DataDir is the folder under which each part keeps its state, in a folder of its own.
	DataDir string
	// KafkaAddr and OSSAddr are listen addresses, of loopback only; port 0 picks a free one. Defaults:
	// DefaultKafkaAddr, DefaultOSSAddr.
	KafkaAddr, OSSAddr string
	// SampleProducer writes made-up orders to OrdersTopic while the sandbox runs.
	SampleProducer bool
	// FaultSeed makes the dice of faults fall the same in every run; 0 is chance.
	FaultSeed uint64
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
}

// Sandbox is the embedded broker and the stand-ins, running.
type Sandbox struct {
	Kafka *Kafka
	OSS   *OSS
}

// Address says where one part of the sandbox is found.
type Address struct {
	Part    string // "kafka", "oss"
	Address string // host:port of kafka, a URL of the others
}

// Start starts every part. When one cannot start, those before it are closed again. ctx bounds the start only.
func Start(ctx context.Context, options Options) (*Sandbox, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.DataDir == "" {
		return nil, errors.New("starting the sandbox: no data folder given")
	}
	s := &Sandbox{}
	var err error
	s.OSS, err = StartOSS(ctx, OSSOptions{Addr: options.OSSAddr, Dir: filepath.Join(options.DataDir, "oss"), FaultSeed: options.FaultSeed, Logger: options.Logger})
	if err != nil {
		return nil, err
	}
	s.Kafka, err = StartKafka(ctx, KafkaOptions{Addr: options.KafkaAddr, Dir: filepath.Join(options.DataDir, "kafka"), SampleProducer: options.SampleProducer, Logger: options.Logger})
	if err != nil {
		return nil, errors.Join(err, s.OSS.Close())
	}
	return s, nil
}

// Addresses lists the parts and where they are, in the order in which to print them.
func (s *Sandbox) Addresses() []Address {
	return []Address{{"kafka", s.Kafka.Addr()}, {"oss", s.OSS.URL()}}
}

// Faults returns the list of faults of a part ("oss"), and false where the part has none.
func (s *Sandbox) Faults(part string) (*Faults, bool) {
	if part == "oss" {
		return s.OSS.Faults, true
	}
	return nil, false
}

// Close ends every part within three seconds. It may be called more than once.
func (s *Sandbox) Close() error {
	broker := make(chan error, 1)
	go func() { broker <- s.Kafka.Close() }()
	return errors.Join(s.OSS.Close(), <-broker)
}
