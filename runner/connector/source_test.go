package connector

import "testing"

func TestSourceProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version, compression string
		fields               []string
	}{
		{"", "zstd", nil},
		{"x", "zstd", nil},
		{"4.3", "zstd", nil},
		{"2.1", "zstd", nil},
		{"2.0.1", "zstd", []string{KeyCompression}},
		{"2.0.1", "lz4", nil},
		{"0.11", "lz4", nil},
		{"0.11.0.3", "zstd", []string{KeyCompression}},
		{"0.10.2", "lz4", []string{KeyClass}},
		{"0.10.2.1", "zstd", []string{KeyClass, KeyCompression}},
	}
	for _, tt := range tests {
		got := SourceProblems(Config{KeyCompression: tt.compression}, Env{Version: tt.version})
		if len(got) != len(tt.fields) {
			t.Errorf("%s, %s: %v", tt.version, tt.compression, got)
			continue
		}
		for i, p := range got {
			if p.Field != tt.fields[i] || p.Message == "" {
				t.Errorf("%s, %s: %v", tt.version, tt.compression, p)
			}
		}
	}
}

func TestSourceSteps(t *testing.T) {
	t.Parallel()
	s := Spec{Class: "X2KAFKA", Kind: KindSource, Steps: SourceSteps([]Field{{Key: "x.host"}}, []Field{{Key: "topic.prefix"}})}
	for _, key := range []string{KeyName, KeyDescription, KeyClass, KeyInternetAccess, KeyResourcesMode, KeyOffsetTopic, KeyConfigTopic, KeyStatusTopic, KeyDeadLetter, KeyAbnormal, KeyCompression, "x.host", "topic.prefix"} {
		if _, ok := s.Field(key); !ok {
			t.Errorf("%s is missing", key)
		}
	}
	for _, key := range []string{KeyTopics, KeyTasksMax, KeyGroup, KeyOffsetReset, KeyTolerance, KeyRetries, KeyOutage, KeyFlushInterval} {
		if _, ok := s.Field(key); ok {
			t.Errorf("%s is of sinks", key)
		}
	}
}

// TestSourceRefusesNonsenseOfSinks: common keys that no source reads are kept, and refused
// with values that no connector takes.
func TestSourceRefusesNonsenseOfSinks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, value string
		fine       bool
	}{
		{KeyTolerance, "x", false},
		{KeyTolerance, ToleranceLog, true},
		{KeyTolerance, ToleranceFail, true},
		{KeyTolerance, "", true},
		{KeyRetries, "many", false},
		{KeyRetries, "101", false},
		{KeyRetries, "3", true},
		{KeyOutage, "never", false},
		{KeyOutage, OutageDivert, true},
		{KeyTasksMax, "0", false},
		{KeyTasksMax, "one", false},
		{KeyTasksMax, "1", true},
		{"errors.log.enable", "x", true}, // of nobody
	} {
		got := SourceProblems(Config{tt.key: tt.value}, Env{})
		if tt.fine != (len(got) == 0) || !tt.fine && (got[0].Field != tt.key || got[0].Message == "") {
			t.Errorf("%s=%s: %v", tt.key, tt.value, got)
		}
	}
}
