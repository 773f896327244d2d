package connect

import "log/slog"

// levelOff is above every level that is logged.
const levelOff = slog.LevelError + 4

// SetLevel makes changes of the root logger change what a program logs. slog knows
// fewer levels than Kafka Connect: ALL and TRACE are its debug, FATAL its error.
func SetLevel(level *slog.LevelVar) func(name, to string) {
	levels := map[string]slog.Level{"ALL": slog.LevelDebug, "TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug,
		"INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": slog.LevelError, "OFF": levelOff}
	return func(name, to string) {
		if l, known := levels[to]; known && name == rootLogger {
			level.Set(l)
		}
	}
}
