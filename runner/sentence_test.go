package runner

import (
	"errors"
	"testing"
)

func TestSentence(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                                 "",
		"the topic orders does not exist":  "The topic orders does not exist.",
		"gone.":                            "Gone.",
		"away: no answer":                  "Away: no answer.",
		"lake.orders: answered 404":        "lake.orders: answered 404.",
		"kafka.example.com:9092 is away":   "kafka.example.com:9092 is away.",
		"kafka_messages was changed":       "kafka_messages was changed.",
		"8.8.8.8:80 is refused: it is far": "8.8.8.8:80 is refused: it is far.",
		"is it?":                           "Is it?",
	} {
		if got := sentence(errors.New(given)); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
