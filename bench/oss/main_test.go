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
			if o.records != tt.records || strings.Join(shapes, " ") != tt.shapes {
				t.Errorf("records %d, shapes %q, want %d, %q", o.records, shapes, tt.records, tt.shapes)
			}
		})
	}
}

func TestValueMaker(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"log", "json", "plain"} {
		for _, size := range []int{1, 40, 200, 1000} {
			value, err := valueMaker(kind, size)
			if err != nil {
				t.Fatal(err)
			}
			a, b := value(1), value(2)
			if len(a) != size || len(b) != size {
				t.Errorf("%s of %d bytes has %d and %d", kind, size, len(a), len(b))
			}
			if size >= 40 && string(a) == string(b) {
				t.Errorf("%s of %d bytes: records 1 and 2 are equal", kind, size)
			}
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	o := options{records: 1_000_000, bytes: 200, partitions: 6}
	table(&b, o, []result{{name: "bare", seconds: 1, cpu: 0.5, peak: 10 << 20}, {name: "json", seconds: 2, cpu: 1.3, peak: 200 << 20}, {name: "bare, again", seconds: 1}})
	for _, want := range []string{"| bare | 1000000 | 200 | 100 % | 0.50 | 10 |", "| json | 500000 | 100 | 50 % | 1.30 | 200 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
