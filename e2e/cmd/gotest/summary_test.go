package main

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events []string
		want   tally
		shows  []string
		hides  []string
	}{
		{
			name: "a passing test says nothing",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"pass","Package":"p","Elapsed":1.25}`,
			},
			want: tally{passed: 1}, shows: []string{"ok  \tp\t1.2s\t1 passed"}, hides: []string{"chatter", "PASS"},
		},
		{
			name: "a failing test is shown whole",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: wrong\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"Action":"fail","Package":"p","Elapsed":2}`,
			},
			want: tally{passed: 1, failed: 1}, shows: []string{"a_test.go:3: wrong", "FAIL\tp\t2.0s\t1 passed, 1 failed"},
		},
		{
			name: "a panic is shown and counts",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: tally{failed: 1}, shows: []string{"panic: boom", "0 passed, 1 failed"},
		},
		{
			name: "a package that does not build counts",
			events: []string{
				`{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1: undefined: x\n"}`,
				`{"ImportPath":"p","Action":"build-fail"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: tally{failed: 1}, shows: []string{"undefined: x"},
		},
		{
			name: "skips are named",
			events: []string{
				`{"Action":"skip","Package":"p","Test":"TestA"}`, `{"Action":"pass","Package":"p"}`,
				`{"Action":"skip","Package":"empty"}`,
			},
			want: tally{skipped: 1}, shows: []string{"skip\tp\tTestA"}, hides: []string{"empty"},
		},
		{name: "other text passes through", events: []string{"flag provided but not defined"}, shows: []string{"flag provided"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			got, err := summarize(strings.NewReader(strings.Join(tt.events, "\n")), &out)
			if err != nil || got != tt.want {
				t.Errorf("tally = %+v, %v, want %+v", got, err, tt.want)
			}
			for _, s := range tt.shows {
				if !strings.Contains(out.String(), s) {
					t.Errorf("output lacks %q:\n%s", s, out.String())
				}
			}
			for _, s := range tt.hides {
				if strings.Contains(out.String(), s) {
					t.Errorf("output has %q:\n%s", s, out.String())
				}
			}
		})
	}
}
