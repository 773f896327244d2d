package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/handlers/console"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// Functions lists the functions of the Function Compute stand-in.
func (p sandboxPages) Functions() []console.SandboxFunction {
	var out []console.SandboxFunction
	for _, f := range p.box.FC.Functions() {
		out = append(out, console.SandboxFunction(f))
	}
	return out
}

// Invocations lists what the functions were given.
func (p sandboxPages) Invocations(ctx context.Context, c console.SandboxChoice, limit int) ([]console.SandboxInvocation, bool, error) {
	list, more, err := p.box.FC.Invocations(ctx, sandbox.FCFilter{Service: c.Service, Function: c.Function, Contains: c.Contains, Failed: c.Failed, Before: c.Before}, limit)
	out := make([]console.SandboxInvocation, len(list))
	for i, inv := range list {
		out[i] = console.SandboxInvocation(inv)
	}
	return out, more, err
}

// Invocation reads one with its body.
func (p sandboxPages) Invocation(sequence int64, limit int) (console.SandboxInvocation, []byte, error) {
	inv, body, err := p.box.FC.Invocation(sequence)
	if errors.Is(err, sandbox.ErrNoInvocation) {
		err = fmt.Errorf("%w: %w", console.ErrSandboxNotFound, err)
	}
	return console.SandboxInvocation(inv), body[:min(len(body), limit)], err
}

// Tables lists the tables of the MaxCompute stand-in.
func (p sandboxPages) Tables() []console.SandboxTable {
	var out []console.SandboxTable
	for _, t := range p.box.ODPS.Tables() {
		v := console.SandboxTable{Name: t.Project + "." + t.Name, Partitioned: len(t.PartitionColumns) > 0, Partitions: t.Partitions, Rows: t.Rows, Bytes: t.Bytes, Modified: t.Modified}
		if t.Schema != "" && t.Schema != "default" {
			v.Name = t.Project + "." + t.Schema + "." + t.Name
		}
		for _, c := range t.Columns {
			v.Columns = append(v.Columns, console.SandboxColumn{Name: c.Name, Type: c.Type})
		}
		out = append(out, v)
	}
	return out
}

// Partitions lists partitions by name.
func (p sandboxPages) Partitions(table, after string, limit int) ([]console.SandboxPartition, bool, error) {
	list, more, err := p.box.ODPS.Partitions(table, after, limit)
	out := make([]console.SandboxPartition, len(list))
	for i, v := range list {
		out[i] = console.SandboxPartition{Spec: v.Spec, Rows: v.Rows, Bytes: v.Bytes, Modified: v.Modified}
	}
	return out, more, noTable(err)
}

// Rows reads rows of a partition.
func (p sandboxPages) Rows(ctx context.Context, table, partition string, first int64, limit int) ([][]console.SandboxValue, error) {
	list, err := p.box.ODPS.Rows(ctx, table, partition, first, limit)
	out := make([][]console.SandboxValue, len(list))
	for i, row := range list {
		for _, v := range row.Values {
			out[i] = append(out[i], console.SandboxValue(v))
		}
	}
	return out, noTable(err)
}

// Database describes the database server, or says why there is none.
func (p sandboxPages) Database() console.SandboxDatabase {
	if m := p.box.MySQL; m != nil {
		d := console.SandboxDatabase{Version: m.Version(), Database: sandbox.MySQLDatabase, User: sandbox.MySQLUser, Password: sandbox.MySQLPassword, Tables: sandbox.MySQLTables(), Changes: m.Changes()}
		if !m.Running() {
			d.Problem = m.Problem()
		}
		return d
	}
	if errors.Is(p.box.NoMySQL, sandbox.ErrNoMariaDB) {
		return console.SandboxDatabase{Missing: true}
	}
	return console.SandboxDatabase{Problem: fmt.Sprint(p.box.NoMySQL)}
}

// noTable says in the pages' words that a table or partition is not there.
func noTable(err error) error {
	if errors.Is(err, sandbox.ErrNoTable) || errors.Is(err, sandbox.ErrNoPartition) {
		return fmt.Errorf("%w: %w", console.ErrSandboxNotFound, err)
	}
	return err
}
