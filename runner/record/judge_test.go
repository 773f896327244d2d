package record

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// judgePython is the Python that has pyarrow and fastavro[snappy,zstandard], from the
// environment variable SLUICE_PY. Without it the test is skipped, or fails where
// SLUICE_REQUIRE_JUDGES=1 says that judges must not be missing.
func judgePython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("SLUICE_PY")
	if python == "" {
		if os.Getenv("SLUICE_REQUIRE_JUDGES") == "1" {
			t.Fatal("SLUICE_PY is not set: it has to name a Python with pyarrow and fastavro[snappy,zstandard]")
		}
		t.Skip("SLUICE_PY is not set: no Python with pyarrow and fastavro to judge by")
	}
	return python
}

// expectedRow is a record as judge.py compares it; bytes become base64.
type expectedRow struct {
	Topic     string           `json:"topic"`
	Partition int32            `json:"partition"`
	Offset    int64            `json:"offset"`
	Timestamp int64            `json:"timestamp"`
	Key       []byte           `json:"key"`
	Value     []byte           `json:"value"`
	Headers   []expectedHeader `json:"headers"`
}

type expectedHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

func writeExpected(t *testing.T, folder string, rs []Record) {
	t.Helper()
	rows := make([]expectedRow, len(rs))
	for i, r := range rs {
		rows[i] = expectedRow{r.Topic, r.Partition, r.Offset, r.Timestamp, r.Key, r.Value, []expectedHeader{}}
		for _, h := range r.Headers {
			rows[i].Headers = append(rows[i].Headers, expectedHeader(h))
		}
	}
	b, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "expected.json"), b)
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeColumns encodes right into a file: a large one in memory would cost more than its encoding.
func writeColumns(t *testing.T, name string, f Format, c Compression, a *Arena) {
	t.Helper()
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := EncodeFile(out, f, c, a); err != nil {
		t.Fatal(err)
	}
}

// TestJudgesReadEveryVariant has pyarrow, fastavro and Python's own json and csv read
// every format in every compression and compare every value.
func TestJudgesReadEveryVariant(t *testing.T) {
	t.Parallel()
	python := judgePython(t)
	for name, rs := range map[string][]Record{"corner": corner(), "golden": golden(), "plenty": plenty(3000), "large": largeRecords()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			writeExpected(t, folder, rs)
			a := arenaOf(t, rs)
			p := NewCompressors(1)
			files := 0
			for _, c := range compressions {
				for f := FormatJSON; f <= FormatAvro; f++ {
					file := filepath.Join(folder, name+"-"+c.String()+"."+f.Ext(c))
					switch {
					case f.Columnar():
						writeColumns(t, file, f, c, a)
						files++
					case f != FormatRaw && name != "large":
						out, err := p.Append(c, nil, encodeText(t, f, BinaryBase64, rs))
						if err != nil {
							t.Fatal(err)
						}
						writeFile(t, file, out)
						files++
					}
				}
			}
			runJudge(t, python, folder, files)
		})
	}
}

// runJudge runs judge.py over the folder's files, of which it has to find all.
func runJudge(t *testing.T, python, folder string, files int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, filepath.Join("testdata", "judge.py"), folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "\n"); n != files {
		t.Fatalf("%d files were judged of %d:\n%s", n, files, out)
	}
}

// TestJudgeSeesDifferences keeps the judge honest: one changed byte is found in every format.
func TestJudgeSeesDifferences(t *testing.T) {
	t.Parallel()
	python := judgePython(t)
	rs := golden()
	changed := golden()
	changed[4].Value = []byte("carriage\nreturn")
	for _, f := range []Format{FormatJSON, FormatJSONL, FormatCSV, FormatParquet, FormatAvro} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			writeExpected(t, folder, rs)
			file := filepath.Join(folder, "changed-none."+f.String())
			if f.Columnar() {
				writeFile(t, file, encodeFile(t, f, None, arenaOf(t, changed)))
			} else {
				writeFile(t, file, encodeText(t, f, BinaryBase64, changed))
			}
			out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "judge.py"), folder).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "record 4 is") {
				t.Fatalf("a changed value was not found: %v\n%s", err, out)
			}
		})
	}
}
