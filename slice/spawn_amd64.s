//go:build !race

#include "textflag.h"

// func spawn(nr, a, b uintptr) (ret uintptr)
//
// Makes a process by clone (b is the child's stack pointer) or clone3 (b is
// the size of the arguments, which name the stack). The child finds what
// child needs on its new stack and never comes back.
TEXT ·spawn(SB),NOSPLIT,$0-32
	MOVQ	nr+0(FP), AX
	MOVQ	a+8(FP), DI
	MOVQ	b+16(FP), SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	XORL	R9, R9
	SYSCALL
	TESTQ	AX, AX
	JZ	born
	MOVQ	AX, ret+24(FP)
	RET
born:
	XORL	BP, BP
	MOVQ	$·child(SB), AX	// not called by name: its stack does not lie on ours
	CALL	AX
	INT	$3
