//go:build !race

#include "textflag.h"

// func spawn(nr, a, b uintptr) (ret uintptr)
//
// Makes a process by clone (b is the child's stack pointer) or clone3 (b is
// the size of the arguments, which name the stack). The child finds what
// child needs on its new stack and never comes back.
TEXT ·spawn(SB),NOSPLIT|NOFRAME,$0-32
	MOVD	nr+0(FP), R8
	MOVD	a+8(FP), R0
	MOVD	b+16(FP), R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	ZR, R5
	SVC
	CBZ	R0, born
	MOVD	R0, ret+24(FP)
	RET
born:
	MOVD	ZR, R29
	MOVD	$·child(SB), R3	// not called by name: its stack does not lie on ours
	BL	(R3)
	BRK
