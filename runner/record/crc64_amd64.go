package record

import "golang.org/x/sys/cpu"

// crcFold folds b into out: 64 bytes whose sum, begun with state 0, is that of b
// begun with state. len(b) is a multiple of 64 and at least 64. It multiplies without
// carry (PCLMULQDQ), 64 bytes a step, after the way of Intel's paper "Fast CRC
// Computation for Generic Polynomials Using PCLMULQDQ Instruction".
//
//go:noescape
func crcFold(out *[64]byte, state uint64, b []byte)

// canFold tells whether the processor has the instruction.
func canFold() bool { return cpu.X86.HasPCLMULQDQ }
