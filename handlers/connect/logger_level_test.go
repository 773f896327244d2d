package connect

import (
	"log/slog"
	"testing"
)

func TestSetLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, to string
		want     slog.Level
	}{
		{"root", "ALL", slog.LevelDebug},
		{"root", "TRACE", slog.LevelDebug},
		{"root", "DEBUG", slog.LevelDebug},
		{"root", "INFO", slog.LevelInfo},
		{"root", "WARN", slog.LevelWarn},
		{"root", "ERROR", slog.LevelError},
		{"root", "FATAL", slog.LevelError},
		{"root", "OFF", levelOff},
		{"org.example", "ERROR", slog.LevelWarn + 1}, // another logger: nothing changes
	} {
		level := &slog.LevelVar{}
		level.Set(slog.LevelWarn + 1)
		SetLevel(level)(c.name, c.to)
		if got := level.Level(); got != c.want {
			t.Errorf("%s to %s: the program logs from %s, want %s", c.name, c.to, got, c.want)
		}
	}
}
