package harness

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// wireRecord is a record as json and jsonl objects, and the Python judge, show it.
type wireRecord struct {
	Topic         string  `json:"topic"`
	Partition     int32   `json:"partition"`
	Offset        int64   `json:"offset"`
	Value         *string `json:"value"`
	ValueEncoding string  `json:"valueEncoding"`
}

// ReadObject decodes an object by its extension: json, jsonl, csv and raw here, each with .gz, .zst or .sz,
// parquet and avro by the Python judge (pyarrow, fastavro).
func ReadObject(o Object) ([]Seen, error) {
	content, name, err := decompress(o)
	if err != nil {
		return nil, err
	}
	var wire []wireRecord
	switch ext := path.Ext(name); ext {
	case ".json":
		err = json.Unmarshal(content, &wire)
	case ".jsonl":
		wire, err = readLines(content)
	case ".raw":
		wire, err = readRaw(name, content)
	case ".csv":
		wire, err = readCSV(content)
	case ".parquet", ".avro":
		wire, err = readByPython(strings.TrimPrefix(ext, "."), content)
	default:
		return nil, fmt.Errorf("no reader for %q", ext)
	}
	if err != nil {
		return nil, err
	}
	seen := make([]Seen, len(wire))
	for i, r := range wire {
		seen[i] = Seen{Object: o.Key, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
		if r.Value != nil {
			seen[i].Value = []byte(*r.Value)
		}
	}
	return seen, nil
}

// decompress undoes the compression that the name ends with and returns the name without it.
func decompress(o Object) (content []byte, name string, err error) {
	ext := path.Ext(o.Key)
	name = strings.TrimSuffix(o.Key, ext)
	in := bytes.NewReader(o.Content)
	switch ext {
	case ".gz":
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, "", fmt.Errorf("reading gzip: %w", err)
		}
		content, err = io.ReadAll(r)
		return content, name, err
	case ".zst":
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, "", fmt.Errorf("reading zstd: %w", err)
		}
		defer r.Close()
		content, err = io.ReadAll(r)
		return content, name, err
	case ".sz":
		content, err = io.ReadAll(snappy.NewReader(in))
		return content, name, err
	}
	return o.Content, o.Key, nil
}

func readLines(content []byte) ([]wireRecord, error) {
	if len(content) > 0 && content[len(content)-1] != '\n' {
		return nil, errors.New("the last line has no end")
	}
	var wire []wireRecord
	for line := range bytes.Lines(content) {
		var r wireRecord
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(wire)+1, err)
		}
		wire = append(wire, r)
	}
	return wire, nil
}

// readRaw reads values a line; topic, partition and offsets come from the name, which must span as many
// offsets as there are lines: raw objects are only judged for topics whose offsets have no holes.
func readRaw(name string, content []byte) ([]wireRecord, error) {
	m := objectName.FindStringSubmatch(name)
	if m == nil {
		return nil, errors.New("the name does not tell the offsets")
	}
	partition, _ := strconv.ParseInt(m[2], 10, 32)
	first, _ := strconv.ParseInt(m[3], 10, 64)
	last, _ := strconv.ParseInt(m[4], 10, 64)
	var wire []wireRecord
	for line := range bytes.Lines(content) {
		value, ended := strings.CutSuffix(string(line), "\n")
		if !ended {
			return nil, errors.New("the last line has no end")
		}
		wire = append(wire, wireRecord{Topic: m[1], Partition: int32(partition), Offset: first + int64(len(wire)), Value: &value})
	}
	if int64(len(wire)) != last-first+1 {
		return nil, fmt.Errorf("%d lines for offsets %d to %d", len(wire), first, last)
	}
	return wire, nil
}

func readCSV(content []byte) ([]wireRecord, error) {
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading CSV: %w", err)
	}
	if len(rows) == 0 || len(rows[0]) < 6 || strings.Join(rows[0][:6], ",") != "topic,partition,offset,timestamp,key,value" {
		return nil, errors.New("the header line is not topic,partition,offset,timestamp,key,value…")
	}
	var wire []wireRecord
	for _, row := range rows[1:] {
		partition, err := strconv.ParseInt(row[1], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("partition: %w", err)
		}
		offset, err := strconv.ParseInt(row[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("offset: %w", err)
		}
		wire = append(wire, wireRecord{Topic: row[0], Partition: int32(partition), Offset: offset, Value: &row[5]})
	}
	return wire, nil
}

// readByPython has an independent library read a file whose values are UTF-8.
func readByPython(format string, content []byte) ([]wireRecord, error) {
	python, err := Setting("SLUICE_PY")
	if err != nil {
		return nil, err
	}
	root, err := RepoRoot()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, filepath.Join(root, "e2e", "judges", "read_file.py"), format)
	cmd.Stdin = bytes.NewReader(content)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the %s judge: %w: %s", format, err, stderr.String())
	}
	return readLines(out)
}
