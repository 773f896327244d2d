package mysql

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// writeChunk writes a chunk's rows in the state of this moment, and moves the frontier.
func (r *reader) writeChunk(ctx context.Context, c *chunk) error {
	t := r.tables[c.job.table]
	w := chunkWriter{reader: r, t: t, c: c, steps: c.ordered}
	if err := w.write(ctx); err != nil {
		return err
	}
	if c.eof {
		r.copyDone(t)
		r.copier.letGo()
	} else {
		t.state.Frontier = c.last
		r.copier.giveBack(c)
	}
	r.touch(t)
	return r.mark(ctx)
}

// copyDone has a table's changes sent from now on.
func (r *reader) copyDone(t *table) {
	t.state.State, t.state.Frontier, t.state.Key, t.state.Again = stateDone, nil, "", false
	r.merge.job = nil
	r.out.Log(slog.LevelInfo, "A table was copied.", map[string]string{"table": t.name, "rows": fmt.Sprint(t.state.Rows)})
}

// chunkWriter writes rows and folded rows in the order of their keys, so that it can
// mark a frontier between them.
type chunkWriter struct {
	*reader
	t     *table
	c     *chunk
	steps bool // the order is known here: Marks may stand between rows
}

func (w *chunkWriter) write(ctx context.Context) error {
	w.ctxRow = ctx
	inserts := w.inserted()
	for _, values := range w.c.rows {
		if f, changed := w.foldOf(values); changed {
			if f.after == nil {
				continue
			}
			delete(w.c.folds, string(w.keyBuf))
			inserts = slices.DeleteFunc(inserts, func(o *fold) bool { return o == f })
			if err := w.before(ctx, &inserts, values); err != nil {
				return err
			}
			if err := w.put(ctx, f.def, f.after, f.origin); err != nil {
				return err
			}
			continue
		}
		if err := w.before(ctx, &inserts, values); err != nil {
			return err
		}
		if err := w.put(ctx, w.c.def, values, w.c.origin); err != nil {
			return err
		}
	}
	for _, f := range inserts {
		if err := w.put(ctx, f.def, f.after, f.origin); err != nil {
			return err
		}
	}
	return nil
}

// foldOf finds what became of a row since it was read; keyBuf then has its key.
func (w *chunkWriter) foldOf(values row.Row) (*fold, bool) {
	if len(w.c.folds) == 0 || w.c.def.Key == nil {
		return nil, false
	}
	w.keyBuf = w.c.def.AppendKey(w.keyBuf[:0], values)
	f, ok := w.c.folds[string(w.keyBuf)]
	return f, ok
}

// inserted lists the folded rows that are there, by key where the order is known.
func (w *chunkWriter) inserted() []*fold {
	var out []*fold
	for _, f := range w.c.folds {
		if f.after != nil {
			out = append(out, f)
		}
	}
	if w.steps {
		slices.SortFunc(out, func(a, b *fold) int { return compareKeys(w.c.def, a.key, b.key) })
	}
	return out
}

// before writes the folded rows whose keys come before a row's.
func (w *chunkWriter) before(ctx context.Context, inserts *[]*fold, values row.Row) error {
	for w.steps && len(*inserts) > 0 && compareKeys(w.c.def, (*inserts)[0].key, w.keyOf(w.c.def, values)) < 0 {
		f := (*inserts)[0]
		*inserts = (*inserts)[1:]
		if err := w.put(ctx, f.def, f.after, f.origin); err != nil {
			return err
		}
	}
	return nil
}

// put writes one row of the copy; a Mark behind it may move the frontier to it.
func (w *chunkWriter) put(ctx context.Context, def *row.Table, values row.Row, origin format.Origin) error {
	c := &w.change
	c.Table, c.Op, c.Before, c.After, c.Snapshot, c.LastOfSnapshot, c.Origin = def, format.Insert, nil, values, true, false, origin
	if err := w.send(w.t, c); err != nil {
		return err
	}
	w.t.state.Rows++
	if !w.steps || w.out.Unmarked() < chunkFact {
		return nil
	}
	w.t.state.Frontier = keyValues(def, values)
	w.touch(w.t)
	return w.mark(ctx)
}
