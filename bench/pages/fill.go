package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/catalog"
	"github.com/sluice-io/sluice/runner/connector"
)

// fillVersion changes when what is filled in changes: older folders are filled anew.
const fillVersion = 1

const (
	// refused is where nothing listens: the TCP port multiplexer (RFC 1078), which is long out of use.
	refused = "127.0.0.1:1"
	// Every so many instances one accepts connections and then says nothing.
	silentEvery = 10
	// bigInstance has a hundred connectors, or a third of all; the others share the rest evenly.
	bigShare = 100
	taskMax  = 6
)

// manifest tells what a filled folder holds.
type manifest struct {
	Version int `json:"version"`
	size
	Bytes  int64     `json:"bytes"` // of the log file
	Newest time.Time `json:"newest"`
	Oldest time.Time `json:"oldest"`
	// Names of what pages are asked of: the big instance, its connector with half of all lines, a
	// suspended one of it, and a draft of the user admin.
	Instance, Loud, Suspended, Draft string
	LoudID                           int64
}

// prepare fills the folder unless that was done before, and freshens what ages.
func prepare(ctx context.Context, o options, silent string, logf func(string, ...any)) (manifest, error) {
	file := filepath.Join(o.dir, "filled.json")
	var have manifest
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return have, err
	}
	if err == nil && json.Unmarshal(b, &have) == nil && have.Version == fillVersion && have.size == o.size {
		return have, freshen(ctx, o.dir, have, silent)
	}
	if err := mayFill(o.dir); err != nil {
		return have, err
	}
	start := time.Now()
	logf("filling %s, which is done once", o.dir)
	have, err = fill(ctx, o, logf)
	if err != nil {
		return have, err
	}
	if b, err = json.MarshalIndent(have, "", "  "); err != nil {
		return have, err
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return have, err
	}
	logf("filled in %s", time.Since(start).Round(time.Second))
	return have, freshen(ctx, o.dir, have, silent)
}

// mayFill empties a folder that an earlier version of this program filled, or one that it did not finish;
// anything else is left alone.
func mayFill(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return err
	}
	for _, mark := range []string{"filled.json", "filling"} {
		if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.MkdirAll(dir, 0o700)
		}
	}
	return errors.New("it holds something that this program did not make; give another -dir")
}

func fill(ctx context.Context, o options, logf func(string, ...any)) (manifest, error) {
	m := manifest{Version: fillVersion, size: o.size}
	if err := os.WriteFile(filepath.Join(o.dir, "filling"), nil, 0o644); err != nil {
		return m, err
	}
	store, err := models.Open(ctx, models.Options{DataDir: o.dir, AdminPassword: harness.AdminPassword, SecretKeys: catalog.SecretKeys})
	if err != nil {
		return m, err
	}
	err = fillModel(ctx, store, o.size, &m)
	if err := errors.Join(err, store.Close()); err != nil {
		return m, err
	}
	logf("instances and connectors are there; now the log")
	if err := fillLogs(ctx, o, &m, logf); err != nil {
		return m, err
	}
	return m, os.Remove(filepath.Join(o.dir, "filling"))
}

// fillModel makes everything in sluice.db through the model.
func fillModel(ctx context.Context, s *models.Store, n size, m *manifest) error {
	instances := make([]runner.Instance, n.Instances)
	for i := range instances {
		instances[i] = runner.Instance{Name: fmt.Sprintf("cluster-%03d", i), Region: "cn-hangzhou", BootstrapServers: refused, SecurityProtocol: "PLAINTEXT",
			VPCID: "vpc-bench", VSwitchID: "vsw-bench", Quota: 1000, Enabled: true, ClusterID: fmt.Sprintf("bench-cluster-%03d", i), Version: "4.0"}
		if i%3 == 1 {
			instances[i].SecurityProtocol, instances[i].SASLMechanism = "SASL_PLAINTEXT", "SCRAM-SHA-512"
			instances[i].SASLUsername, instances[i].SASLPassword = "bench", "not-a-real-password"
		}
		if err := s.CreateInstance(ctx, &instances[i]); err != nil {
			return err
		}
	}
	spec, err := connector.Find(catalog.All(), "KAFKA2OSS")
	if err != nil {
		return err
	}
	big := min(bigShare, n.Connectors/3)
	for k := range n.Connectors {
		in := &instances[0]
		if k >= big {
			in = &instances[1+(k-big)%(len(instances)-1)]
		}
		c, err := fillConnector(ctx, s, spec, in, k)
		if err != nil {
			return fmt.Errorf("connector %d: %w", k, err)
		}
		switch k {
		case loudIndex:
			m.Instance, m.Loud, m.LoudID = in.Name, c.Name, c.ID
		case loudIndex + 1:
			m.Suspended = c.Name
		}
	}
	return fillAround(ctx, s, instances, m)
}

// loudIndex is the connector with half of all log lines.
const loudIndex = 2

// fillConnector makes the k-th connector: half are not deployed, most others are suspended or stopped,
// a few are wanted to run and cannot, because their cluster or a field of theirs is missing.
func fillConnector(ctx context.Context, s *models.Store, spec *connector.Spec, in *runner.Instance, k int) (runner.Connector, error) {
	c := runner.Connector{InstanceID: in.ID, Name: fmt.Sprintf("orders-to-lake-%04d", k), Class: spec.Class, Desired: runner.DesiredNotDeployed}
	switch {
	case k%40 == 1:
		c.Desired, c.Deployed, c.Delivered = runner.DesiredRunning, true, true
	case k%2 == 0:
		c.Desired, c.Deployed, c.Delivered = runner.DesiredPaused, true, true
		if k%10 == 0 {
			c.Desired = runner.DesiredStopped
		}
	}
	c.Config = connector.Config{connector.KeyName: c.Name, connector.KeyClass: c.Class, connector.KeyDescription: fmt.Sprintf("Orders of shop %d, for the lake", k),
		connector.KeyTopics: fmt.Sprintf("orders-%d", k%50), connector.KeyTasksMax: fmt.Sprint(taskMax),
		"oss.region": in.Region, "oss.bucket": fmt.Sprintf("lake-%d", k%20), "oss.format": "jsonl", "oss.compression": "zstd",
		"aliyun.access.key.id": "bench", "aliyun.access.key.secret": "not-a-real-secret"}
	if k%80 == 41 {
		delete(c.Config, "oss.bucket")
	}
	env := connector.Env{Instance: in.Name, Region: in.Region, Version: in.Version, VPCID: in.VPCID, VSwitchID: in.VSwitchID}
	c.Hash = spec.Hash(spec.Resolve(c.Config, env))
	if err := s.CreateConnector(ctx, &c, "admin"); err != nil {
		return c, err
	}
	if k < 20 || k%10 == 0 { // a history
		for v := range 5 {
			c.Config["flush.size"] = fmt.Sprint(1000 * (v + 1))
			if _, err := s.UpdateConfig(ctx, c.ID, 0, c.Config, c.Hash, "admin"); err != nil {
				return c, err
			}
		}
	}
	if !c.Deployed {
		return c, nil
	}
	if err := s.AddTotals(ctx, c.ID, int64(k)*1_000_000, int64(k)*200_000_000, int64(k%7), time.Now().Add(-time.Hour)); err != nil {
		return c, err
	}
	for task := range taskMax {
		if err := s.SaveTaskStatus(ctx, taskStatus(c.ID, k, task)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// taskStatus is a task's last state, with its share of 24 partitions.
func taskStatus(id int64, k, task int) runner.TaskStatus {
	now := time.Now().UTC()
	t := runner.TaskStatus{ConnectorID: id, Task: task, Node: "bench", Status: connector.Status{State: connector.StateRunning, Since: now}, UpdatedAt: now}
	for p := range 4 {
		t.Partitions = append(t.Partitions, runner.PartitionStatus{Topic: fmt.Sprintf("orders-%d", k%50), Partition: int32(task*4 + p),
			Status: connector.Status{State: connector.StateRunning, Since: now}, Position: 1_000_000, End: 1_000_000 + int64(k), Lag: int64(k), LagMillis: int64(k) * 10,
			Delivered: 1_000_000, Bytes: 200_000_000, LastDelivery: now})
	}
	return t
}

// fillAround makes drafts, requests for quota and the audit log.
func fillAround(ctx context.Context, s *models.Store, instances []runner.Instance, m *manifest) error {
	admin, err := s.UserByName(ctx, "admin")
	if err != nil {
		return err
	}
	for i := range 60 {
		d := models.Draft{InstanceID: instances[i%20%len(instances)].ID, UserID: admin.ID, Class: "KAFKA2OSS", Step: "basic",
			Values: connector.Config{connector.KeyName: fmt.Sprintf("draft-%d", i), connector.KeyClass: "KAFKA2OSS"}}
		if err := s.CreateDraft(ctx, &d); err != nil {
			return err
		}
		if i == 0 {
			m.Draft = d.ID
		}
	}
	for i := range 5 {
		if err := s.RequestQuota(ctx, &models.QuotaRequest{InstanceID: instances[i].ID, Wanted: 2000, Reason: "more shops", By: "admin"}); err != nil {
			return err
		}
	}
	acts := []string{"connector.create", "connector.suspend", "connector.resume", "user.login", "instance.create"}
	for i := range m.Audit {
		e := models.AuditEntry{Time: time.Now().Add(-time.Duration(m.Audit-i) * time.Minute), Actor: "admin", Act: acts[i%len(acts)],
			Object: fmt.Sprintf("%s/orders-to-lake-%04d", instances[i%len(instances)].Name, i%m.Connectors), Detail: map[string]string{"version": fmt.Sprint(i)}, Address: "127.0.0.1"}
		if err := s.Audit(ctx, e); err != nil {
			return err
		}
	}
	return nil
}
