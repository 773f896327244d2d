package mysql

import (
	"slices"

	"github.com/sluice-io/sluice/runner/mysql/row"
)

// Sizes of a rowStore's pieces of memory.
const (
	valuesPiece = 4096 // values of 40 bytes
	textPiece   = 256 << 10
	// spareStores is how many are kept for chunks to come: one is read while one is written.
	spareStores = 2
)

// rowStore keeps rows in few large pieces of memory, which serve again after reset: a copy
// would make hundreds of megabytes of garbage a second otherwise.
type rowStore struct {
	rows   []row.Row
	values slab[row.Value]
	text   slab[byte]
	bytes  int64
}

// add copies a row.
func (s *rowStore) add(r row.Row) {
	kept := s.values.add(r, valuesPiece)
	for i := range kept {
		if v := &kept[i]; len(v.B) > 0 {
			s.bytes += int64(len(v.B))
			v.B = s.text.add(v.B, textPiece)
		}
	}
	s.bytes += int64(len(r)) * 40
	s.rows = append(s.rows, row.Row(kept))
}

func (s *rowStore) reset() {
	s.rows, s.bytes = s.rows[:0], 0
	s.values.reset(valuesPiece)
	s.text.reset(textPiece)
}

// slab is memory in pieces; what was added stays where it is until reset.
type slab[T any] struct {
	pieces [][]T
	at     int // the piece that is filled
}

// add copies v to where there is room, in a new piece of at least piece elements otherwise.
func (s *slab[T]) add(v []T, piece int) []T {
	for s.at < len(s.pieces) && len(s.pieces[s.at])+len(v) > cap(s.pieces[s.at]) {
		s.at++
	}
	if s.at == len(s.pieces) {
		s.pieces = append(s.pieces, make([]T, 0, max(piece, len(v))))
	}
	p := &s.pieces[s.at]
	from := len(*p)
	*p = append(*p, v...)
	return (*p)[from:len(*p):len(*p)]
}

// reset empties the slab. Pieces that were made for something large go.
func (s *slab[T]) reset(piece int) {
	s.pieces = slices.DeleteFunc(s.pieces, func(p []T) bool { return cap(p) > piece })
	for i := range s.pieces {
		s.pieces[i] = s.pieces[i][:0]
	}
	s.at = 0
}

// takeStore is a store to fill.
func (c *copier) takeStore() *rowStore {
	select {
	case s := <-c.spare:
		s.reset()
		return s
	default:
		return &rowStore{}
	}
}

// giveBack takes the memory of a chunk whose rows nobody needs any more.
func (c *copier) giveBack(ch *chunk) {
	select {
	case c.spare <- ch.store:
	default:
	}
	ch.rows, ch.store = nil, nil
}

// letGo frees what is kept for chunks to come.
func (c *copier) letGo() {
	for {
		select {
		case <-c.spare:
		default:
			return
		}
	}
}
