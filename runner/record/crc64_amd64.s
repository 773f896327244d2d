#include "textflag.h"

// What multiplies the two halves of 16 bytes to move them 64 bytes on: x^575 and x^511
// modulo the polynomial of CRC-64/XZ, bits reflected (see foldConstants in the tests).
DATA fold<>+0(SB)/8, $0x6ae3efbb9dd441f3
DATA fold<>+8(SB)/8, $0x081f6054a7842df4
GLOBL fold<>(SB), RODATA|NOPTR, $16

// func crcFold(out *[64]byte, state uint64, b []byte)
TEXT ·crcFold(SB), NOSPLIT, $0-40
	MOVQ  out+0(FP), DI
	MOVQ  state+8(FP), AX
	MOVQ  b_base+16(FP), SI
	MOVQ  b_len+24(FP), CX
	MOVOU fold<>(SB), X5
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVQ  AX, X4
	PXOR  X4, X0
	JMP   next

loop:
	MOVOA     X0, X6
	MOVOA     X1, X7
	MOVOA     X2, X8
	MOVOA     X3, X9
	PCLMULQDQ $0x00, X5, X0
	PCLMULQDQ $0x00, X5, X1
	PCLMULQDQ $0x00, X5, X2
	PCLMULQDQ $0x00, X5, X3
	PCLMULQDQ $0x11, X5, X6
	PCLMULQDQ $0x11, X5, X7
	PCLMULQDQ $0x11, X5, X8
	PCLMULQDQ $0x11, X5, X9
	MOVOU     (SI), X10
	MOVOU     16(SI), X11
	MOVOU     32(SI), X12
	MOVOU     48(SI), X13
	PXOR      X6, X0
	PXOR      X7, X1
	PXOR      X8, X2
	PXOR      X9, X3
	PXOR      X10, X0
	PXOR      X11, X1
	PXOR      X12, X2
	PXOR      X13, X3

next:
	ADDQ $64, SI
	SUBQ $64, CX
	JNE  loop

	MOVOU X0, (DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	RET
