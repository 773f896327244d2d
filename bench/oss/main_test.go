package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		args    string
		records int64
		shapes  string
		problem string
	}{
		{name: "defaults", records: 5_040_000, shapes: "json jsonl+zstd parquet+snappy"},
		{name: "whole chunks stay", args: "-records 120000", records: 120_000, shapes: "json jsonl+zstd parquet+snappy"},
		{name: "formats", args: "-formats avro+gzip,csv -partitions 1 -records 1", records: 10_000, shapes: "avro+gzip csv"},
		{name: "no records", args: "-records 0", problem: "at least 1"},
		{name: "unknown value", args: "-value xml", problem: "use log, json or plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(strings.Fields(tt.args))
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("error = %v, want %q", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var shapes []string
			for _, s := range o.shapes {
				shapes = append(shapes, s.String())
			}
			if o.Records != tt.records || strings.Join(shapes, " ") != tt.shapes {
				t.Errorf("records %d, shapes %q, want %d, %q", o.Records, shapes, tt.records, tt.shapes)
			}
		})
	}
}
