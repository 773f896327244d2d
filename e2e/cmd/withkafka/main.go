// Command withkafka starts an Apache Kafka of its own, runs the command that its arguments are with the
// cluster's addresses in the environment, stops the cluster, and ends with the command's exit code.
//
//	SLUICE_TEST_KAFKA       bootstrap address without security
//	SLUICE_TEST_KAFKA_SASL  users of the listener that wants a password: mechanism,user,password,host:port
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sluice-io/sluice/e2e/harness"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withkafka COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	os.Exit(run(os.Args[1:]))
}

func run(command []string) int {
	suite := harness.NewMain("withkafka")
	defer suite.Close()
	kafka := harness.StartKafka(suite, harness.KafkaOptions{Secure: true, HeapMB: 1024})
	sasl := kafka.Bootstrap("SASL_PLAINTEXT")
	users := []string{
		"PLAIN," + harness.KafkaPlainUser + "," + harness.KafkaPlainPassword + "," + sasl,
		"SCRAM-SHA-256," + harness.KafkaScramUser + "," + harness.KafkaScramPassword + "," + sasl,
		"SCRAM-SHA-512," + harness.KafkaScramUser + "," + harness.KafkaScramPassword + "," + sasl,
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "SLUICE_TEST_KAFKA="+kafka.Bootstrap("PLAINTEXT"), "SLUICE_TEST_KAFKA_SASL="+strings.Join(users, " "))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	}
	fmt.Fprintln(os.Stderr, "withkafka:", err)
	return 2
}
