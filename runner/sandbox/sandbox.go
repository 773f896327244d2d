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
	// KafkaAddr and the others are listen addresses, of loopback only; port 0 picks a free one. Defaults:
	// DefaultKafkaAddr, DefaultOSSAddr, DefaultFCAddr, DefaultODPSAddr, DefaultSTSAddr, DefaultMySQLAddr.
	KafkaAddr, OSSAddr, FCAddr, ODPSAddr, STSAddr, MySQLAddr string
	// MariaDB is the path of mariadbd; "" looks for it where it is usually installed, NoMySQL does without.
	MariaDB string
	// SampleProducer writes made-up orders to OrdersTopic, and to the shop's tables, while the sandbox runs.
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
	FC    *FC
	ODPS  *ODPS
	STS   *STS
	MySQL *MySQL // nil where there is none; NoMySQL says why
	// NoMySQL is an ErrNoMariaDB, or why the installed MariaDB did not start. The other parts do without.
	NoMySQL error
}

// Address says where one part of the sandbox is found.
type Address struct {
	Part    string // "kafka", "oss", "fc", "odps", "sts", "mysql"
	Address string // host:port of kafka and mysql, a URL of the others
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
	if err := s.start(ctx, &options); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sandbox) start(ctx context.Context, o *Options) (err error) {
	if s.STS, err = StartSTS(ctx, STSOptions{Addr: o.STSAddr, Dir: filepath.Join(o.DataDir, "sts"), FaultSeed: o.FaultSeed, Logger: o.Logger}); err != nil {
		return err
	}
	tokens := s.STS.Tokens()
	if s.OSS, err = StartOSS(ctx, OSSOptions{Addr: o.OSSAddr, Tokens: tokens, Dir: filepath.Join(o.DataDir, "oss"), FaultSeed: o.FaultSeed, Logger: o.Logger}); err != nil {
		return err
	}
	if s.FC, err = StartFC(ctx, FCOptions{Addr: o.FCAddr, Tokens: tokens, Dir: filepath.Join(o.DataDir, "fc"), FaultSeed: o.FaultSeed, Logger: o.Logger}); err != nil {
		return err
	}
	if s.ODPS, err = StartODPS(ctx, ODPSOptions{Addr: o.ODPSAddr, Tokens: tokens, Dir: filepath.Join(o.DataDir, "odps"), FaultSeed: o.FaultSeed, Logger: o.Logger}); err != nil {
		return err
	}
	database := s.startMySQL(ctx, o)
	s.Kafka, err = StartKafka(ctx, KafkaOptions{Addr: o.KafkaAddr, Dir: filepath.Join(o.DataDir, "kafka"), SampleProducer: o.SampleProducer, Logger: o.Logger})
	return errors.Join(err, <-database)
}

// startMySQL starts MariaDB beside the others, for it takes longest. A machine without it, or with one that does not
// start, is no error; an address that cannot be had is.
func (s *Sandbox) startMySQL(ctx context.Context, o *Options) <-chan error {
	done := make(chan error, 1)
	go func() {
		var err error
		s.MySQL, err = StartMySQL(ctx, MySQLOptions{Addr: o.MySQLAddr, Dir: filepath.Join(o.DataDir, "mysql"), Program: o.MariaDB, Writer: o.SampleProducer, Logger: o.Logger})
		switch {
		case errors.Is(err, errAddress):
			done <- err
			return
		case err != nil && !errors.Is(err, ErrNoMariaDB):
			o.Logger.Warn("the sandbox goes without MariaDB", slog.Any("error", err))
		}
		s.NoMySQL = err
		done <- nil
	}()
	return done
}

// Addresses lists the parts and where they are, in the order in which to print them.
func (s *Sandbox) Addresses() []Address {
	out := []Address{{"kafka", s.Kafka.Addr()}, {"oss", s.OSS.URL()}, {"fc", s.FC.URL()}, {"odps", s.ODPS.URL()}, {"sts", s.STS.URL()}}
	if s.MySQL != nil {
		out = append(out, Address{"mysql", s.MySQL.Addr()})
	}
	return out
}

// FaultParts lists the parts that have faults, in the order of Addresses.
func FaultParts() []string { return []string{"oss", "fc", "odps", "sts"} }

// Faults returns the list of faults of a part, one of FaultParts, and false where the part has none.
func (s *Sandbox) Faults(part string) (*Faults, bool) {
	switch part {
	case "oss":
		return s.OSS.Faults, true
	case "fc":
		return s.FC.Faults, true
	case "odps":
		return s.ODPS.Faults, true
	case "sts":
		return s.STS.Faults, true
	}
	return nil, false
}

// Operations lists what the faults of a part may strike, in the order in which to offer it.
func Operations(part string) []string {
	switch part {
	case "oss":
		return []string{"PutObject", "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "HeadObject", "GetObject", "ListObjects"}
	case "fc":
		return FCOperations()
	case "odps":
		return ODPSOperations()
	case "sts":
		return []string{"AssumeRole"}
	}
	return nil
}

// Requests returns up to limit of the latest requests of a part, one of FaultParts, newest first.
func (s *Sandbox) Requests(part string, limit int) []Request {
	switch part {
	case "oss":
		return s.OSS.Requests(limit)
	case "fc":
		return s.FC.Requests(limit)
	case "odps":
		return s.ODPS.Requests(limit)
	case "sts":
		return s.STS.Requests(limit)
	}
	return nil
}

// Close ends every part within three seconds. It may be called more than once.
func (s *Sandbox) Close() error {
	var ending []func() error
	if s.Kafka != nil {
		ending = append(ending, s.Kafka.Close)
	}
	if s.OSS != nil {
		ending = append(ending, s.OSS.Close)
	}
	if s.FC != nil {
		ending = append(ending, s.FC.Close)
	}
	if s.ODPS != nil {
		ending = append(ending, s.ODPS.Close)
	}
	if s.STS != nil {
		ending = append(ending, s.STS.Close)
	}
	if s.MySQL != nil {
		ending = append(ending, s.MySQL.Close)
	}
	ended := make(chan error, len(ending))
	for _, end := range ending {
		go func() { ended <- end() }()
	}
	var errs []error
	for range ending {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}
