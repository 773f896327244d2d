//go:build kafka

package kafka_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/kafka"
)

// real is the cluster that SLUICE_TEST_KAFKA names.
func real(t testing.TB) kafka.Cluster {
	t.Helper()
	bootstrap := os.Getenv("SLUICE_TEST_KAFKA")
	if bootstrap == "" {
		t.Skip("SLUICE_TEST_KAFKA is not set")
	}
	return kafka.Cluster{Bootstrap: strings.Split(bootstrap, ",")}
}

func TestReal(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) kafka.Cluster { return real(t) })
}
